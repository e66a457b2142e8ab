//! What can be wrong with a NIfTI file, a variant a cause.

/// Why a NIfTI file can't be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NiftiFault {
    #[error("not a NIfTI-1 file ({0})")]
    NotNifti(String),
    #[error("a NIfTI-2 file; save it as NIfTI-1, which is enough for a CT")]
    Second,
    #[error(
        "an Analyze header, which does not say where right and left are; convert the scan to NIfTI-1 from its source"
    )]
    Analyze,
    #[error("a header and image pair (.hdr, .img) is not read; join them into one .nii file")]
    Pair,
    #[error("dimensions {0:?}; one volume of three is needed")]
    Dimensions(Vec<u16>),
    #[error("voxels of type {0} are not read; convert them to a 16-bit integer or a 32-bit float")]
    Datatype(i16),
    #[error("voxels of type {0} are colours; colour images have no HU, give the CT itself")]
    Colour(i16),
    #[error(
        "the dimensions say {expected} bytes of voxels, but {found} are there; the file is incomplete, fetch it again"
    )]
    Voxels { expected: u64, found: u64 },
    #[error("the gzip data is damaged ({0}); fetch the file again")]
    Gzip(String),
    #[error("neither sform nor qform says where the voxels lie; write one of them")]
    NoFrame,
    #[error("its {form} is not a usable placement of voxels ({reason})")]
    Frame { form: &'static str, reason: String },
    #[error("its axes lean {degrees:.1} degrees against the scanner's; resample it to the axial plane first")]
    Oblique { degrees: f64 },
}
