//! What a file is, by how it begins and, where that does not tell, by its name: names lie.

use std::io::Read;

use super::{image, npy};

/// How many of a file's first bytes tell its kind.
pub const HEAD: usize = 4096;
/// Endings of NRRD and MetaImage.
const IMAGES: [&str; 4] = [".nrrd", ".nhdr", ".mha", ".mhd"];
/// What systems put beside the files of a scan.
const SIDECARS: [&str; 4] = [".DS_Store", "__MACOSX", "Thumbs.db", "desktop.ini"];

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    Npy,
    Nifti,
    /// NRRD or MetaImage.
    Image,
    Zip,
    /// Perhaps a DICOM file, which may begin with anything.
    Other,
}

impl FileKind {
    /// Of a file with this name that begins with `head`: its first [`HEAD`] bytes, or all where there are fewer.
    pub fn of(name: &str, head: &[u8]) -> Self {
        let name = name.to_ascii_lowercase();
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        if head.starts_with(npy::MAGIC) || ends(&[".npy"]) {
            Self::Npy
        } else if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            if ends(&[".npz"]) { Self::Other } else { Self::Zip }
        } else if image::is_nrrd(head) || image::is_meta_image(head) || ends(&IMAGES) {
            Self::Image
        } else if is_nifti(head) || is_nifti(&unpacked(head)) || nifti_name(&name) {
            Self::Nifti
        } else {
            Self::Other
        }
    }
}

/// Whether a name is that of a file or folder which systems put beside others.
pub fn is_sidecar(name: &str) -> bool {
    name.starts_with("._") || SIDECARS.contains(&name)
}

/// The header's own size, of NIfTI-1 or NIfTI-2, in either byte order.
fn is_nifti(head: &[u8]) -> bool {
    [348i32, 540].iter().any(|size| head.starts_with(&size.to_le_bytes()) || head.starts_with(&size.to_be_bytes()))
}

/// `scan.nii`, `scan.nii.gz`, and as browsers number what is downloaded twice: `scan.nii (1).gz`.
fn nifti_name(name: &str) -> bool {
    let unnumbered = |name: &str| -> String {
        let number = |(before, rest): (&str, &str)| {
            let digits = rest.strip_suffix(')')?;
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| before.to_owned())
        };
        name.rsplit_once(" (").and_then(number).unwrap_or_else(|| name.to_owned())
    };
    let name = unnumbered(name);
    let packed = name.strip_suffix(".gz").map(unnumbered);
    packed.as_deref().unwrap_or(&name).ends_with(".nii")
}

/// The first bytes of what was gzipped; nothing where it was not.
fn unpacked(head: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    if head.starts_with(&[0x1f, 0x8b]) {
        // the head ends within the stream: what came before that counts
        let _ = flate2::read::GzDecoder::new(head).take(8).read_to_end(&mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn kinds() {
        let gzip = |bytes: &[u8]| {
            let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gz.write_all(bytes).unwrap();
            gz.finish().unwrap()
        };
        let nifti = [&348i32.to_le_bytes()[..], &[7; 9000]].concat();
        for (name, head, kind) in [
            ("scan", &nifti[..HEAD], FileKind::Nifti),
            ("scan.dcm", &540i32.to_be_bytes(), FileKind::Nifti),
            ("scan", &gzip(&nifti), FileKind::Nifti),
            ("notes.csv.gz", &gzip(b"a,b\n1,2\n"), FileKind::Other),
            ("broken.nii.gz", &gzip(b"a,b\n1,2\n"), FileKind::Nifti),
            ("scan.nii (1).gz", b"", FileKind::Nifti),
            ("SCAN.NII (12)", b"", FileKind::Nifti),
            ("nii (1)", b"", FileKind::Other),
            ("scan.nii (a).gz", b"", FileKind::Other),
            ("scan", b"NRRD0004\n", FileKind::Image),
            ("scan.mhd", b"\xef\xbb\xbfObjectType", FileKind::Image),
            ("scan", b"NDims = 3\n", FileKind::Image),
            ("crop", b"\x93NUMPY\x01\0", FileKind::Npy),
            ("series.zip", b"PK\x03\x04", FileKind::Zip),
            ("series", b"PK\x05\x06", FileKind::Zip),
            ("crops.npz", b"PK\x03\x04", FileKind::Other),
            ("0001", b"\x08\0\x05\0", FileKind::Other),
            ("empty", b"", FileKind::Other),
        ] {
            assert_eq!(FileKind::of(name, head), kind, "{name}");
        }
        assert!(is_sidecar("._0001.dcm") && is_sidecar("__MACOSX") && !is_sidecar("0001.dcm"));
    }
}
