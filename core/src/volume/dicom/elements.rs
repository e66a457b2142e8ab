//! The top-level data elements of a file: a walk that keeps what is asked for and skips the rest (DICOM PS3.5, section 7).
//!
//! The walk is ours because dicom-parser 0.10 reads the items of a sequence of VR UN in explicit VR, where PS3.5 6.2.2 (CP-246) has
//! implicit VR; and it may start without preamble, or without file meta group, as older archives keep their files.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::syntax::Syntax;
use super::walk::{Length, Walk};
use crate::error::DicomFault;

/// No deflated data set may unpack to more: 128 MB is a slice of 8192 x 8192.
const MAX_UNPACKED: usize = 128 << 20;
/// No element but the pixels is larger; what is asked for are short texts and numbers.
const MAX_VALUE: usize = 64 << 10;
/// The preamble and the magic word.
const PREAMBLE: usize = 132;
/// How a file meta group begins: (0002,0000) UL 4, its length.
const META: [u8; 8] = [2, 0, 0, 0, b'U', b'L', 4, 0];
/// What a data set without file meta group begins with: an element of group 0008 up to SOPInstanceUID.
const FIRST_ELEMENTS: std::ops::RangeInclusive<u16> = 0x0000..=0x0018;

/// The pixels of a file as they are stored.
pub enum PixelElement<'a> {
    Native(&'a [u8]),
    Fragments(Vec<&'a [u8]>),
}

/// A file's data set with its syntax; the deflated kind is unpacked.
pub struct DataSet<'a> {
    pub syntax: Syntax,
    bytes: Cow<'a, [u8]>,
    /// Nothing but the data elements themselves says that the file is DICOM.
    bare: bool,
}

impl<'a> DataSet<'a> {
    /// Reads the file meta group, which says how the rest is written; a file without one is read as its first element is written.
    pub fn open(file: &'a [u8]) -> Result<Self, DicomFault> {
        let rest = match file.get(..PREAMBLE) {
            Some(start) if start.ends_with(b"DICM") => &file[PREAMBLE..],
            _ if file.starts_with(&META) => file,
            _ => return Self::bare(file),
        };
        let cut = DicomFault::Truncated("the file meta group");
        let start = rest.get(..12).ok_or(cut.clone())?;
        if !start.starts_with(&META) {
            return Err(DicomFault::Damaged("the file meta group has no length".into()));
        }
        let length = u32::from_le_bytes([start[8], start[9], start[10], start[11]]) as usize;
        // past the end of the file, and in a browser perhaps of all numbers
        let end = 12usize.checked_add(length).ok_or(cut.clone())?;
        let meta = rest.get(12..end).ok_or(cut)?;
        let found = walk(meta, Syntax::ExplicitLittle, &[tags::TRANSFER_SYNTAX_UID], false)?.values;
        let uid = text(&found, tags::TRANSFER_SYNTAX_UID).ok_or(DicomFault::Missing("TransferSyntaxUID"))?;
        let syntax = Syntax::parse(&uid)?;
        let body = &rest[end..];
        let bytes = if syntax == Syntax::Deflated { Cow::Owned(inflate(body)?) } else { Cow::Borrowed(body) };
        Ok(Self { syntax, bytes, bare: false })
    }

    fn bare(file: &'a [u8]) -> Result<Self, DicomFault> {
        let start = file.first_chunk::<8>().ok_or(DicomFault::NotDicom)?;
        let word = |i: usize| u16::from_le_bytes([start[i], start[i + 1]]);
        if word(0) != 8 || !FIRST_ELEMENTS.contains(&word(2)) {
            return Err(DicomFault::NotDicom);
        }
        let named = start[4..6].iter().all(u8::is_ascii_uppercase);
        let syntax = if named { Syntax::ExplicitLittle } else { Syntax::ImplicitLittle };
        Ok(Self { syntax, bytes: Cow::Borrowed(file), bare: true })
    }

    /// The values of `wanted`, without the pixels.
    pub fn values(&self, wanted: &[Tag]) -> Result<BTreeMap<Tag, Vec<u8>>, DicomFault> {
        let found = walk(&self.bytes, self.syntax, wanted, false).map(|found| found.values);
        match found {
            Err(DicomFault::Damaged(_) | DicomFault::Nesting(_)) if self.bare => Err(DicomFault::NotDicom),
            Ok(values) if self.bare && !values.contains_key(&tags::MODALITY) => Err(DicomFault::NotDicom),
            found => found,
        }
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
    let explicit = syntax != Syntax::ImplicitLittle;
    let mut walk = Walk::new(bytes);
    let mut found = Found { values: BTreeMap::new(), pixels: None };
    while !walk.ended() {
        let element = walk.element(explicit)?;
        if element.tag == tags::PIXEL_DATA {
            if pixels {
                found.pixels = Some(match element.length {
                    Length::Defined(length) => PixelElement::Native(
                        walk.take(length)
                            .map_err(|there| DicomFault::PixelBytes { expected: length as u64, found: there as u64 })?,
                    ),
                    Length::Undefined => PixelElement::Fragments(walk.fragments()?),
                });
            }
            return Ok(found);
        }
        let Length::Defined(length) = element.length else {
            walk.skip_sequence(explicit, element.unknown)?;
            continue;
        };
        let value = walk.take(length).map_err(|_| DicomFault::Truncated("a data element"))?;
        if wanted.contains(&element.tag) {
            if length > MAX_VALUE {
                return Err(DicomFault::Damaged(format!("element {} has {length} bytes", element.tag)));
            }
            found.values.insert(element.tag, value.to_vec());
        }
    }
    Ok(found)
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
