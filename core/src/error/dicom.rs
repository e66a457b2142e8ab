//! What can be wrong with a DICOM file or a series, a variant a cause.

/// Why a file can't be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DicomFault {
    #[error("not a DICOM file (no `DICM` after 128 bytes, no data element at its start)")]
    NotDicom,
    #[error("the file ends within {0}; it is incomplete, fetch it again")]
    Truncated(&'static str),
    #[error("the data elements can't be read ({0}); the file is damaged, fetch it again")]
    Damaged(String),
    #[error("sequences are nested deeper than {0} levels; the file is damaged or hostile")]
    Nesting(usize),
    #[error("the file unpacks to more than {0} MB; it is damaged or hostile")]
    Bomb(usize),
    #[error("{0} is missing; a CT slice can't be placed without it")]
    Missing(&'static str),
    #[error("{0} is missing; a report can't refer to the series without it")]
    Unreferable(&'static str),
    #[error("{name} is `{value}`, but must be {expected}")]
    Value { name: &'static str, value: String, expected: &'static str },
    #[error("transfer syntax {0} is not supported; convert the file to Explicit VR Little Endian (e.g. with dcmconv)")]
    Syntax(String),
    #[error("{frames} frames in one file; only single-frame CT is read, split the file first")]
    MultiFrame { frames: u32 },
    #[error("{0} samples a pixel; a CT slice has one")]
    Colour(u16),
    #[error("there are no pixels in the file")]
    NoPixels,
    #[error(
        "Rows x Columns x bits say {expected} bytes of pixels, but {found} are there; the file is incomplete, fetch it again"
    )]
    PixelBytes { expected: u64, found: u64 },
    #[error("the {codec} data can't be decoded ({reason}); the file is damaged, fetch it again")]
    Codec { codec: &'static str, reason: String },
}

/// Why the slices of a series don't make a volume.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SeriesFault {
    #[error("{0} slice(s); a volume needs at least 2 at different positions")]
    TooFew(usize),
    #[error("its slices differ in {what} ({one}, but {file} has {other}); separate them first")]
    Mixed { what: &'static str, one: String, other: String, file: String },
    #[error(
        "{doubled} of {places} places have two slices, such as {one} and {other}, and nothing in their headers tells two acquisitions apart; separate them first"
    )]
    Doubled { doubled: usize, places: usize, one: String, other: String },
    #[error("its slices are not axial (normal {normal:?}); reformat them to the axial plane first")]
    NotAxial { normal: [f64; 3] },
    #[error(
        "the planes are tilted by {degrees:.1} degrees against the axial plane; resample them to the axial plane first"
    )]
    Oblique { degrees: f64 },
    #[error(
        "the gantry was tilted: slices are displaced by {degrees:.1} degrees against their normal; resample them first"
    )]
    Gantry { degrees: f64 },
    #[error("its pixels are {found:?} mm, but the annotations were made on square pixels of {annotated} mm")]
    Spacing { found: [f64; 2], annotated: f64 },
    #[error("{file}: {fault}")]
    Slice { file: String, fault: DicomFault },
}
