//! The transfer syntaxes that are read.

use crate::error::DicomFault;

/// How the pixels of a file are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    ImplicitLittle,
    ExplicitLittle,
    /// Explicit VR Little Endian, the data set deflated.
    Deflated,
    Rle,
    /// Baseline, extended and lossless JPEG.
    Jpeg,
    Jpeg2000,
}

impl Syntax {
    /// The syntax of a UID.
    pub fn parse(uid: &str) -> Result<Self, DicomFault> {
        Ok(match uid {
            "1.2.840.10008.1.2" => Self::ImplicitLittle,
            "1.2.840.10008.1.2.1" => Self::ExplicitLittle,
            "1.2.840.10008.1.2.1.99" => Self::Deflated,
            "1.2.840.10008.1.2.5" => Self::Rle,
            "1.2.840.10008.1.2.4.50"
            | "1.2.840.10008.1.2.4.51"
            | "1.2.840.10008.1.2.4.57"
            | "1.2.840.10008.1.2.4.70" => Self::Jpeg,
            "1.2.840.10008.1.2.4.90" | "1.2.840.10008.1.2.4.91" => Self::Jpeg2000,
            "1.2.840.10008.1.2.2" => {
                return Err(DicomFault::Syntax("Explicit VR Big Endian (retired)".into()));
            }
            other => return Err(DicomFault::Syntax(other.chars().take(64).collect())),
        })
    }

    /// Whether the pixels come as fragments of another format.
    pub fn encapsulated(self) -> bool {
        matches!(self, Self::Rle | Self::Jpeg | Self::Jpeg2000)
    }
}
