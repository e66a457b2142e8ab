//! `multipart/related` bodies (RFC 2046): read part by part into files, and written around one document.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

/// Read at once.
const CHUNK: usize = 64 << 10;
/// The headers of a part are shorter.
const MAX_HEADER: u64 = 16 << 10;

/// What ends a read.
#[derive(Debug, thiserror::Error)]
pub enum MultipartFault {
    #[error("the answer ends within a part; ask again")]
    Truncated,
    #[error("it is larger than {0} MB")]
    TooLarge(u64),
    #[error("the headers of a part are longer than {MAX_HEADER} bytes")]
    Header,
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// The boundary of a content type, `multipart/related; type="application/dicom"; boundary=...`.
pub fn boundary(content_type: &str) -> Option<&str> {
    let mut parts = content_type.split(';').map(str::trim);
    parts.next().filter(|kind| kind.eq_ignore_ascii_case("multipart/related"))?;
    let value =
        parts.find_map(|p| p.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("boundary")))?.1;
    Some(value.trim().trim_matches('"')).filter(|b| !b.is_empty())
}

/// Writes each part of a body to a file of its own below `dir`; how many there were. No more than `limit` bytes are taken.
pub fn split(body: impl Read, boundary: &str, dir: &Path, limit: u64) -> Result<usize, MultipartFault> {
    // the first boundary may be the first line
    let body = b"\r\n".chain(body.take(limit + 1));
    let mut source = Source { body, buffer: Vec::new(), taken: 0, limit };
    let line = format!("\r\n--{boundary}").into_bytes();
    source.until(&line, &mut io::sink(), limit)?;
    let mut count = 0;
    loop {
        source.fill(2)?;
        if source.buffer.starts_with(b"--") {
            return Ok(count);
        }
        source.until(b"\r\n\r\n", &mut io::sink(), MAX_HEADER).map_err(|fault| match fault {
            MultipartFault::TooLarge(_) if source.taken <= limit => MultipartFault::Header,
            other => other,
        })?;
        let mut file = File::create(dir.join(format!("{count:06}.dcm")))?;
        source.until(&line, &mut file, limit)?;
        count += 1;
    }
}

/// A body on its way, with what was read and not yet taken.
struct Source<R> {
    body: R,
    buffer: Vec<u8>,
    taken: u64,
    limit: u64,
}

impl<R: Read> Source<R> {
    /// Reads until the buffer holds `count` bytes.
    fn fill(&mut self, count: usize) -> Result<(), MultipartFault> {
        let mut chunk = vec![0; CHUNK];
        while self.buffer.len() < count {
            let read = self.body.read(&mut chunk)?;
            self.taken += read as u64;
            // the virtual line break is no part of the body
            if self.taken > self.limit + 2 {
                return Err(MultipartFault::TooLarge(self.limit >> 20));
            }
            if read == 0 {
                return Err(MultipartFault::Truncated);
            }
            self.buffer.extend_from_slice(&chunk[..read]);
        }
        Ok(())
    }

    /// Copies to `sink` what stands before `mark`, at most `most` bytes, and takes both.
    fn until(&mut self, mark: &[u8], sink: &mut impl Write, most: u64) -> Result<(), MultipartFault> {
        let mut copied = 0;
        loop {
            self.fill(mark.len())?;
            let found = self.buffer.windows(mark.len()).position(|w| w == mark);
            // a mark may begin at the end of what is there
            let ready = found.unwrap_or(self.buffer.len() + 1 - mark.len());
            copied += ready as u64;
            if copied > most {
                return Err(MultipartFault::TooLarge(most >> 20));
            }
            sink.write_all(&self.buffer[..ready])?;
            self.buffer.drain(..ready + found.map_or(0, |_| mark.len()));
            if found.is_some() {
                return Ok(());
            }
        }
    }
}

/// A body of one DICOM document, and its content type.
pub fn around(document: &[u8], boundary: &str) -> (String, Vec<u8>) {
    let head = format!("--{boundary}\r\nContent-Type: application/dicom\r\n\r\n");
    let tail = format!("\r\n--{boundary}--\r\n");
    let kind = format!("multipart/related; type=\"application/dicom\"; boundary={boundary}");
    (kind, [head.as_bytes(), document, tail.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &[u8], limit: u64) -> Result<Vec<Vec<u8>>, MultipartFault> {
        let dir = tempfile::tempdir().unwrap();
        let count = split(body, "b0", dir.path(), limit)?;
        Ok((0..count).map(|i| std::fs::read(dir.path().join(format!("{i:06}.dcm"))).unwrap()).collect())
    }

    #[test]
    fn parts_with_and_without_headers() {
        let body = b"--b0\r\nContent-Type: application/dicom\r\nContent-Length: 3\r\n\r\nabc\r\n--b0\r\n\r\n\r\n--b\r\n\r\n--b0--\r\nafter";
        assert_eq!(read(body, 1000).unwrap(), [b"abc".to_vec(), b"\r\n--b\r\n".to_vec()]);
        let with_preamble = [b"ignored\r\n", &body[..]].concat();
        assert_eq!(read(&with_preamble, 1000).unwrap().len(), 2);
        assert_eq!(read(b"--b0--", 1000).unwrap().len(), 0);
    }

    #[test]
    fn what_is_written_is_read() {
        // longer than what is read at once, and full of what looks like a boundary
        let document = b"\r\n--b".repeat(50_000);
        let (kind, body) = around(&document, "b0");
        assert_eq!(boundary(&kind), Some("b0"));
        assert_eq!(read(&body, 1 << 20).unwrap(), [document]);
    }

    #[test]
    fn bounds_and_damage() {
        let (_, body) = around(&[7; 100_000], "b0");
        assert!(matches!(read(&body, 99_000), Err(MultipartFault::TooLarge(_))));
        for end in [2, 30, 1000, body.len() - 6] {
            assert!(matches!(read(&body[..end], 1 << 20), Err(MultipartFault::Truncated)), "{end}");
        }
        let endless = [b"--b0\r\n", b"X".repeat(20_000).as_slice()].concat();
        assert!(matches!(read(&endless, 1 << 20), Err(MultipartFault::Header)));
    }

    #[test]
    fn boundaries() {
        for (kind, known) in [
            ("multipart/related; type=\"application/dicom\"; boundary=\"a b\"", Some("a b")),
            ("Multipart/Related;boundary=x", Some("x")),
            ("multipart/related", None),
            ("application/dicom", None),
            ("multipart/mixed; boundary=x", None),
        ] {
            assert_eq!(boundary(kind), known, "{kind}");
        }
    }
}
