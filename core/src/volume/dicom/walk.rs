//! Data elements one after the other, and ways past sequences (DICOM PS3.5, sections 7.1, 7.5 and A.4).

use dicom_core::Tag;

use crate::error::DicomFault;

/// Sequences may nest this deep; real CT stays below 5.
const MAX_NESTING: usize = 32;
const UNDEFINED: u32 = u32::MAX;
const ITEM: Tag = Tag(0xfffe, 0xe000);
const ITEM_END: Tag = Tag(0xfffe, 0xe00d);
const SEQUENCE_END: Tag = Tag(0xfffe, 0xe0dd);
/// The value representations whose length has four bytes.
const LONG: [&[u8; 2]; 13] =
    [b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"];

/// How long a value is.
#[derive(Clone, Copy, PartialEq)]
pub enum Length {
    Defined(usize),
    /// It ends with a delimiter.
    Undefined,
}

/// What stands before a value.
pub struct Element {
    pub tag: Tag,
    pub length: Length,
    /// Its value representation is UN.
    pub unknown: bool,
}

/// A place within the bytes of a data set.
pub struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub fn ended(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// The next `length` bytes, or how many there are instead.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], usize> {
        let rest = &self.bytes[self.at..];
        let value = rest.get(..length).ok_or(rest.len())?;
        self.at += length;
        Ok(value)
    }

    fn word<const N: usize>(&mut self, within: &'static str) -> Result<[u8; N], DicomFault> {
        let bytes = self.take(N).map_err(|_| DicomFault::Truncated(within))?;
        bytes.try_into().map_err(|_| DicomFault::Truncated(within))
    }

    fn tag(&mut self, within: &'static str) -> Result<Tag, DicomFault> {
        let [a, b, c, d] = self.word::<4>(within)?;
        Ok(Tag(u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])))
    }

    fn long(&mut self, within: &'static str) -> Result<Length, DicomFault> {
        Ok(match u32::from_le_bytes(self.word(within)?) {
            UNDEFINED => Length::Undefined,
            length => Length::Defined(length as usize),
        })
    }

    /// The next element's tag and length. A delimiter that closes nothing is damage.
    pub fn element(&mut self, explicit: bool) -> Result<Element, DicomFault> {
        let within = "a data element";
        let tag = self.tag(within)?;
        if tag.0 == ITEM.0 {
            return Err(DicomFault::Damaged("a delimiter closes nothing".into()));
        }
        let vr = self.bytes.get(self.at..self.at + 2);
        // some writers leave single elements implicit
        let Some(vr) = vr.filter(|vr| explicit && vr.iter().all(u8::is_ascii_uppercase)) else {
            return Ok(Element { tag, length: self.long(within)?, unknown: false });
        };
        let vr: [u8; 2] = [vr[0], vr[1]];
        self.at += 2;
        let short = u16::from_le_bytes(self.word(within)?);
        let length = if LONG.contains(&&vr) { self.long(within)? } else { Length::Defined(usize::from(short)) };
        Ok(Element { tag, length, unknown: vr == *b"UN" })
    }

    /// Past a sequence of undefined length. One of VR UN holds implicit elements (PS3.5 6.2.2, CP-246), whatever the data set has; a few
    /// writers keep theirs explicit.
    pub fn skip_sequence(&mut self, explicit: bool, unknown: bool) -> Result<(), DicomFault> {
        let start = self.at;
        let found = self.sequence(explicit && !unknown, 1);
        if found.is_ok() || !(explicit && unknown) {
            return found;
        }
        self.at = start;
        self.sequence(true, 1)
    }

    fn sequence(&mut self, explicit: bool, depth: usize) -> Result<(), DicomFault> {
        if depth > MAX_NESTING {
            return Err(DicomFault::Nesting(MAX_NESTING));
        }
        let within = "a sequence";
        loop {
            match (self.tag(within)?, self.long(within)?) {
                (SEQUENCE_END, _) => return Ok(()),
                (ITEM, Length::Defined(length)) => {
                    self.take(length).map_err(|_| DicomFault::Truncated(within))?;
                }
                (ITEM, Length::Undefined) => self.item(explicit, depth + 1)?,
                (tag, _) => return Err(DicomFault::Damaged(format!("{tag} where an item of a sequence is expected"))),
            }
        }
    }

    /// Past the elements of an item of undefined length.
    fn item(&mut self, explicit: bool, depth: usize) -> Result<(), DicomFault> {
        if depth > MAX_NESTING {
            return Err(DicomFault::Nesting(MAX_NESTING));
        }
        loop {
            let start = self.at;
            if self.tag("a sequence")? == ITEM_END {
                self.long("a sequence")?;
                return Ok(());
            }
            self.at = start;
            let element = self.element(explicit)?;
            match element.length {
                Length::Defined(length) => {
                    self.take(length).map_err(|_| DicomFault::Truncated("a data element"))?;
                }
                Length::Undefined => self.sequence(explicit && !element.unknown, depth + 1)?,
            }
        }
    }

    /// The fragments of encapsulated pixels, the offset table first.
    pub fn fragments(&mut self) -> Result<Vec<&'a [u8]>, DicomFault> {
        let within = "the pixels";
        let mut parts = Vec::new();
        loop {
            match (self.tag(within)?, self.long(within)?) {
                (SEQUENCE_END, _) => return Ok(parts),
                (ITEM, Length::Defined(length)) => {
                    parts.push(self.take(length).map_err(|_| DicomFault::Truncated(within))?);
                }
                (tag, _) => {
                    return Err(DicomFault::Damaged(format!("{tag} where a fragment of the pixels is expected")));
                }
            }
        }
    }
}
