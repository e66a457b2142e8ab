//! The top-level data elements of a file: a walk over dicom-rs tokens that keeps what is asked for and skips the rest.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_encoding::TransferSyntaxIndex;
use dicom_parser::StatefulDecode;
use dicom_parser::dataset::LazyDataToken;
use dicom_parser::dataset::lazy_read::LazyDataSetReader;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::syntax::Syntax;
use crate::error::DicomFault;

/// Sequences may nest this deep; real CT stays below 5.
const MAX_NESTING: usize = 32;
/// No deflated data set may unpack to more: 128 MB is a slice of 8192 x 8192.
const MAX_UNPACKED: usize = 128 << 20;
/// No element but the pixels is larger; what is asked for are short texts and numbers.
const MAX_VALUE: u32 = 64 << 10;

/// The preamble and the magic word.
const PREAMBLE: usize = 132;

/// The pixels of a file as they are stored.
pub enum PixelElement<'a> {
    Native(Cow<'a, [u8]>),
    Fragments(Vec<Vec<u8>>),
}

/// A file's data set with its syntax; the deflated kind is unpacked.
pub struct DataSet<'a> {
    pub syntax: Syntax,
    bytes: Cow<'a, [u8]>,
}

impl<'a> DataSet<'a> {
    /// Reads the file meta group, which says how the rest is written.
    pub fn open(file: &'a [u8]) -> Result<Self, DicomFault> {
        if file.len() < PREAMBLE || &file[PREAMBLE - 4..PREAMBLE] != b"DICM" {
            return Err(DicomFault::NotDicom);
        }
        let rest = &file[PREAMBLE..];
        // (0002,0000) UL 4: the length of the group, always explicit little endian
        let damaged = || DicomFault::Damaged("the file meta group has no length".into());
        let start = rest.get(..12).ok_or(DicomFault::Truncated("the file meta group"))?;
        if start[..8] != [2, 0, 0, 0, b'U', b'L', 4, 0] {
            return Err(damaged());
        }
        let length = u32::from_le_bytes([start[8], start[9], start[10], start[11]]) as usize;
        let end = 12usize.checked_add(length).ok_or_else(damaged)?;
        let meta = rest.get(12..end).ok_or(DicomFault::Truncated("the file meta group"))?;
        let found = walk(meta, Syntax::ExplicitLittle, &[tags::TRANSFER_SYNTAX_UID], false)?.values;
        let uid = text(&found, tags::TRANSFER_SYNTAX_UID).ok_or(DicomFault::Missing("TransferSyntaxUID"))?;
        let syntax = Syntax::parse(&uid)?;
        let body = &rest[end..];
        let bytes = if syntax == Syntax::Deflated { Cow::Owned(inflate(body)?) } else { Cow::Borrowed(body) };
        Ok(Self { syntax, bytes })
    }

    /// The values of `wanted`, without the pixels.
    pub fn values(&self, wanted: &[Tag]) -> Result<BTreeMap<Tag, Vec<u8>>, DicomFault> {
        Ok(walk(&self.bytes, self.syntax, wanted, false)?.values)
    }

    /// The stored pixels.
    pub fn pixels(&self) -> Result<Option<PixelElement<'_>>, DicomFault> {
        Ok(walk(&self.bytes, self.syntax, &[], true)?.pixels)
    }
}

fn inflate(packed: &[u8]) -> Result<Vec<u8>, DicomFault> {
    let mut out = Vec::new();
    let mut reader = flate2::read::DeflateDecoder::new(packed).take(MAX_UNPACKED as u64 + 1);
    match reader.read_to_end(&mut out) {
        _ if out.len() > MAX_UNPACKED => Err(DicomFault::Bomb(MAX_UNPACKED >> 20)),
        Ok(_) => Ok(out),
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Err(DicomFault::Truncated("the deflated data set")),
        Err(e) => Err(DicomFault::Damaged(e.to_string())),
    }
}

/// What a walk found.
struct Found<'a> {
    values: BTreeMap<Tag, Vec<u8>>,
    pixels: Option<PixelElement<'a>>,
}

/// Walks the data set up to the pixels, or with `pixels` through them.
fn walk<'a>(bytes: &'a [u8], syntax: Syntax, wanted: &[Tag], pixels: bool) -> Result<Found<'a>, DicomFault> {
    let damaged = |e: &dyn std::fmt::Display| DicomFault::Damaged(e.to_string());
    let uid = if syntax == Syntax::ImplicitLittle { "1.2.840.10008.1.2" } else { "1.2.840.10008.1.2.1" };
    let ts = TransferSyntaxRegistry.get(uid).ok_or_else(|| DicomFault::Syntax(uid.into()))?;
    let mut reader = LazyDataSetReader::new_with_ts(Cursor::new(bytes), ts).map_err(|e| damaged(&e))?;
    let mut found = Found { values: BTreeMap::new(), pixels: None };
    let mut fragments: Option<Vec<Vec<u8>>> = None;
    // what is open: true a sequence, false an item
    let mut open: Vec<bool> = Vec::new();
    let end = bytes.len() as u64;
    while let Some(token) = reader.advance() {
        match token.map_err(|e| cause(&e))? {
            LazyDataToken::SequenceStart { .. } => enter(&mut open, true)?,
            LazyDataToken::ItemStart { .. } => {
                enter(&mut open, false)?;
                // an empty item has no value token; the first item is the offset table
                fragments.iter_mut().for_each(|parts| parts.push(Vec::new()));
            }
            LazyDataToken::PixelSequenceStart => {
                if !pixels || !open.is_empty() {
                    return if open.is_empty() {
                        Ok(found)
                    } else {
                        Err(DicomFault::Damaged("pixels within a sequence are not closed".into()))
                    };
                }
                fragments = Some(Vec::new());
                enter(&mut open, true)?;
            }
            LazyDataToken::SequenceEnd => {
                leave(&mut open, true)?;
                if let (true, Some(parts)) = (open.is_empty(), fragments.take()) {
                    found.pixels = Some(PixelElement::Fragments(parts));
                    return Ok(found);
                }
            }
            LazyDataToken::ItemEnd => leave(&mut open, false)?,
            LazyDataToken::ElementHeader(header) => {
                if header.tag == tags::PIXEL_DATA && open.is_empty() && !pixels {
                    return Ok(found);
                }
            }
            LazyDataToken::LazyValue { header, decoder } => {
                let length = header.len.get().ok_or_else(|| damaged(&"an element without a length"))?;
                let at = decoder.position();
                let present = u64::from(length) <= end.saturating_sub(at);
                if pixels && header.tag == tags::PIXEL_DATA && open.is_empty() {
                    if !present {
                        return Err(DicomFault::PixelBytes {
                            expected: u64::from(length),
                            found: end.saturating_sub(at),
                        });
                    }
                    let at = at as usize;
                    found.pixels = Some(PixelElement::Native(Cow::Borrowed(&bytes[at..at + length as usize])));
                    return Ok(found);
                }
                if !present {
                    return Err(DicomFault::Truncated("a data element"));
                }
                if open.is_empty() && wanted.contains(&header.tag) {
                    if length > MAX_VALUE {
                        return Err(DicomFault::Damaged(format!("element {} has {length} bytes", header.tag)));
                    }
                    let mut value = Vec::new();
                    decoder.read_to_vec(length, &mut value).map_err(|e| damaged(&e))?;
                    found.values.insert(header.tag, value);
                } else {
                    decoder.skip_bytes(length).map_err(|e| damaged(&e))?;
                }
            }
            LazyDataToken::LazyItemValue { len, decoder } => {
                let present = u64::from(len) <= end.saturating_sub(decoder.position());
                let Some(part) = fragments.as_mut().and_then(|parts| parts.last_mut()).filter(|_| present) else {
                    return Err(DicomFault::Truncated("the pixels"));
                };
                decoder.read_to_vec(len, part).map_err(|e| damaged(&e))?;
            }
            _ => return Err(damaged(&"an unknown token")),
        }
    }
    if open.is_empty() {
        Ok(found)
    } else if fragments.is_some() {
        Err(DicomFault::Truncated("the pixels"))
    } else {
        Err(DicomFault::Truncated("a sequence"))
    }
}

fn enter(open: &mut Vec<bool>, sequence: bool) -> Result<(), DicomFault> {
    if open.len() >= MAX_NESTING {
        return Err(DicomFault::Nesting(MAX_NESTING));
    }
    open.push(sequence);
    Ok(())
}

/// A delimiter that closes nothing is damage; going on would confuse the parser.
fn leave(open: &mut Vec<bool>, sequence: bool) -> Result<(), DicomFault> {
    if open.pop() == Some(sequence) { Ok(()) } else { Err(DicomFault::Damaged("a delimiter closes nothing".into())) }
}

/// The innermost message of an error chain, and whether the file simply ended.
fn cause(e: &(dyn std::error::Error + 'static)) -> DicomFault {
    let mut inner = e;
    while let Some(next) = inner.source() {
        inner = next;
    }
    let ended = inner.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::UnexpectedEof);
    if ended { DicomFault::Truncated("a data element") } else { DicomFault::Damaged(inner.to_string()) }
}

/// A value as text, padding removed.
pub fn text(values: &BTreeMap<Tag, Vec<u8>>, tag: Tag) -> Option<String> {
    let value = String::from_utf8_lossy(values.get(&tag)?);
    let value = value.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!value.is_empty()).then(|| value.to_owned())
}

/// A US value.
pub fn short(values: &BTreeMap<Tag, Vec<u8>>, tag: Tag) -> Option<u16> {
    values.get(&tag)?.first_chunk::<2>().map(|b| u16::from_le_bytes(*b))
}
