//! What can be wrong with a ZIP archive, a variant a cause.

/// Why an archive, or a file in it, can't be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveFault {
    #[error("not a readable ZIP archive ({0}); fetch or pack it again")]
    Damaged(String),
    #[error("the archive holds {found} files, but at most {most} are read; pack one scan alone")]
    Files { found: usize, most: usize },
    #[error("the archive says that it unpacks to {found} bytes, but at most {most} are read; pack one scan alone")]
    Size { found: u64, most: u64 },
    #[error("its files overlap each other, as only a forged archive's do")]
    Overlap,
    #[error("it is encrypted; unpack the archive with its password and give the folder")]
    Encrypted,
    #[error("it can't be unpacked ({0}); pack it again, without compression or with deflate")]
    Entry(String),
    #[error("there is no file in it")]
    Empty,
}
