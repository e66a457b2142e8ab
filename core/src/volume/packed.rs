//! The files of a ZIP archive, read one by one and only into memory. Every limit stands before what it limits.

use std::io::{Read, Seek};

use zip::ZipArchive;
use zip::result::ZipError;

use super::file_kind::is_sidecar;
use crate::error::ArchiveFault;

/// No scan with what lies beside it has more files.
const MOST_FILES: usize = 20_000;
/// Nor more bytes.
const MOST_BYTES: u64 = 4 << 30;

/// An archive with the files in it, in the order of their names.
pub struct Packed<R> {
    archive: ZipArchive<R>,
    /// Paths within the archive, and which of its entries they are.
    files: Vec<(String, usize)>,
}

impl<R: Read + Seek> Packed<R> {
    /// Reads the directory of an archive; what systems put beside files (`__MACOSX`) is left out.
    ///
    /// # Errors
    /// When it is none, is forged, or has more in it than a scan can have.
    pub fn open(reader: R) -> Result<Self, ArchiveFault> {
        let mut archive = ZipArchive::new(reader).map_err(|e| ArchiveFault::Damaged(e.to_string()))?;
        if archive.len() > MOST_FILES {
            return Err(ArchiveFault::Files { found: archive.len(), most: MOST_FILES });
        }
        let mut size = 0u64;
        let mut files = Vec::new();
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).map_err(|e| ArchiveFault::Damaged(e.to_string()))?;
            size = size.saturating_add(entry.size());
            let name = entry.name();
            if entry.is_file() && !name.split(['/', '\\']).any(is_sidecar) {
                files.push((name.to_owned(), index));
            }
        }
        if size > MOST_BYTES {
            return Err(ArchiveFault::Size { found: size, most: MOST_BYTES });
        }
        if archive.has_overlapping_files().map_err(|e| ArchiveFault::Damaged(e.to_string()))? {
            return Err(ArchiveFault::Overlap);
        }
        if files.is_empty() {
            return Err(ArchiveFault::Empty);
        }
        files.sort();
        Ok(Self { archive, files })
    }

    /// The paths of its files, within the archive.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|(name, _)| name.as_str())
    }

    /// How many bytes a file unpacks to, as the archive says; `None` where there is no such file.
    pub fn size(&mut self, name: &str) -> Option<u64> {
        let index = self.index(name)?;
        self.archive.by_index_raw(index).ok().map(|entry| entry.size())
    }

    /// The first bytes of a file: all, or `most`.
    ///
    /// # Errors
    /// When there is no such file, or it can't be unpacked.
    pub fn read(&mut self, name: &str, most: u64) -> Result<Vec<u8>, ArchiveFault> {
        let bad = ArchiveFault::Entry;
        let index = self.index(name).ok_or_else(|| bad("there is no such file".into()))?;
        let entry = self.archive.by_index(index).map_err(|e| match e {
            ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => ArchiveFault::Encrypted,
            other => bad(other.to_string()),
        })?;
        // what it unpacks to may be more than it says
        let size = entry.size();
        let mut bytes = Vec::new();
        entry.take(most.min(size.saturating_add(1))).read_to_end(&mut bytes).map_err(|e| bad(e.to_string()))?;
        if bytes.len() as u64 > size {
            return Err(bad(format!("it is longer than the {size} bytes that the archive says")));
        }
        Ok(bytes)
    }

    fn index(&self, name: &str) -> Option<usize> {
        let at = self.files.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()?;
        Some(self.files[at].1)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    use super::*;

    fn packed(files: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            archive.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
            archive.write_all(bytes).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    #[test]
    fn files_are_read_by_name() {
        let files: [(&str, &[u8]); 4] =
            [("b/2.dcm", b"two"), ("b/1.dcm", b"one one"), ("__MACOSX/b/._1.dcm", b"Mac"), ("b/.DS_Store", b"Mac")];
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            let mut archive = Packed::open(Cursor::new(packed(&files, method))).unwrap();
            assert_eq!(archive.names().collect::<Vec<_>>(), ["b/1.dcm", "b/2.dcm"]);
            assert_eq!(archive.read("b/1.dcm", u64::MAX).unwrap(), b"one one");
            assert_eq!(archive.read("b/1.dcm", 3).unwrap(), b"one");
            assert_eq!((archive.size("b/2.dcm"), archive.size("b")), (Some(3), None));
            assert!(matches!(archive.read("c", 9), Err(ArchiveFault::Entry(_))));
        }
    }

    /// The bytes of `to` in place of the first `from` after `start`.
    fn replaced(bytes: &[u8], start: &[u8], offset: usize, to: &[u8]) -> Vec<u8> {
        let mut out = bytes.to_vec();
        let at = bytes.windows(start.len()).position(|w| w == start).unwrap() + offset;
        out[at..at + to.len()].copy_from_slice(to);
        out
    }

    #[test]
    fn what_can_t_be_read_says_why() {
        let open = |bytes: Vec<u8>| Packed::open(Cursor::new(bytes));
        assert!(matches!(open(b"PK\x03\x04".to_vec()).err(), Some(ArchiveFault::Damaged(_))));
        assert_eq!(open(packed(&[("__MACOSX/a", b"")], CompressionMethod::Stored)).err(), Some(ArchiveFault::Empty));
        let plain = packed(&[("a", &[7; 5000])], CompressionMethod::Deflated);
        // the central directory's entry: flags at 8, sizes at 20 and 24
        let central = b"PK\x01\x02";
        let huge = replaced(&plain, central, 24, &0xffff_fff0u32.to_le_bytes());
        assert!(open(huge).is_ok(), "4 GiB at most");
        let short = replaced(&plain, central, 24, &10u32.to_le_bytes());
        let message = open(short).unwrap().read("a", u64::MAX).unwrap_err().to_string();
        assert!(message.contains("longer than the 10 bytes"), "{message}");
        let locked = replaced(&plain, central, 8, &1u16.to_le_bytes());
        let fault = open(locked).unwrap().read("a", 9).unwrap_err();
        assert_eq!(fault, ArchiveFault::Encrypted);
        let cut = replaced(&plain, b"PK\x03\x04", 31, &[0xff; 12]);
        assert!(matches!(open(cut).unwrap().read("a", u64::MAX), Err(ArchiveFault::Entry(_))));
    }

    #[test]
    fn bombs_are_refused_before_they_unpack() {
        let many: Vec<(String, &[u8])> = (0..MOST_FILES + 1).map(|i| (i.to_string(), &b""[..])).collect();
        let many: Vec<(&str, &[u8])> = many.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
        let bytes = packed(&many, CompressionMethod::Stored);
        let found = Packed::open(Cursor::new(bytes)).err();
        assert_eq!(found, Some(ArchiveFault::Files { found: MOST_FILES + 1, most: MOST_FILES }));
        // two files of nearly 4 GiB each, by what the directory says
        let two = packed(&[("a", &[0; 50]), ("b", &[0; 50])], CompressionMethod::Deflated);
        let big = 0xffff_fff0u32.to_le_bytes();
        let one = replaced(&two, b"PK\x01\x02", 24, &big);
        let last = one.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
        let mut both = one;
        both[last + 24..last + 28].copy_from_slice(&big);
        assert!(matches!(Packed::open(Cursor::new(both)).err(), Some(ArchiveFault::Size { .. })));
    }
}
