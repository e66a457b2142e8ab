//! What can be wrong with an NRRD file or a MetaImage, a variant a cause.

/// Why an image file can't be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageFault {
    #[error("its header can't be read: {0}")]
    Header(String),
    #[error("`{0}` is missing in its header")]
    Missing(&'static str),
    #[error("`{name}` is `{value}`, but must be {expected}")]
    Field { name: &'static str, value: String, expected: &'static str },
    #[error(
        "the header says {expected} bytes of voxels, but {found} are there; the file is incomplete, fetch it again"
    )]
    Voxels { expected: u64, found: u64 },
    #[error("the compressed data is damaged ({0}); fetch the file again")]
    Packed(String),
    #[error("its voxels lie in another file, {0}, which is not beside it; give both")]
    Detached(String),
}
