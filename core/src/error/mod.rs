//! The one error type of the crate: a variant a cause, each message saying what is wrong, where, and what to do.
//!
//! It lies below every room, so the faults of the parsers are declared here too, a file for each format.

mod archive;
mod dicom;
mod image;
mod nifti;
mod place;
mod text;

pub use archive::ArchiveFault;
pub use dicom::{DicomFault, SeriesFault};
pub use image::ImageFault;
pub use nifti::NiftiFault;
pub use place::PlaceFault;
pub use text::TextFault;

/// Everything that can be wrong with what a caller hands to this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A table lacks a column that the format requires.
    #[error("{file}: column `{column}` is missing; the header row must name it (see the dataset format in README.md)")]
    MissingColumn { file: String, column: String },
    /// A cell can't be read as what its column holds.
    #[error("{file}, row {row}: `{value}` in column `{column}` is not {expected}; correct the cell")]
    BadCell { file: String, row: usize, column: String, value: String, expected: &'static str },
    /// A table can't be read at all.
    #[error("{file}: not a readable CSV table: {reason}")]
    BadTable { file: String, reason: String },
    /// The rows of the table and the crops of the tensor must pair up.
    #[error("{csv} has {rows} rows but {crops_file} has {crops} crops; they must be equal, in the same order")]
    RowCount { csv: String, rows: usize, crops_file: String, crops: usize },
    /// A JSON document does not have the expected fields.
    #[error("{file}: {reason}; correct or remove the field")]
    BadJson { file: String, reason: String },
    /// A file that belongs to a model is not beside the others.
    #[error(
        "{file}: the file is missing; name a directory that holds config.json, model.safetensors and golden.safetensors"
    )]
    MissingFile { file: String },
    /// A safetensors file is damaged: truncated, a header too large, overlapping offsets.
    #[error("{file}: not a valid safetensors file ({reason}); it is damaged or incomplete, fetch or write it again")]
    BadSafetensors { file: String, reason: String },
    /// A NumPy array is damaged or of another kind.
    #[error("{file}: not a readable .npy file ({reason}); write it with numpy.save")]
    BadNpy { file: String, reason: String },
    /// A compressed file is damaged.
    #[error("{file}: the gzip data is damaged or larger than {limit} bytes ({reason}); fetch or write it again")]
    BadGzip { file: String, limit: u64, reason: String },
    /// A tensor that must be there is not.
    #[error("{file}: tensor `{name}` is missing; the file holds another kind of model")]
    MissingTensor { file: String, name: String },
    /// A tensor that nothing expects: a sign of another architecture.
    #[error("{file}: tensor `{name}` is not part of this model; the file holds another kind of model")]
    UnknownTensor { file: String, name: String },
    /// A tensor has another shape.
    #[error("{file}: tensor `{name}` has shape {found:?}, expected {expected:?}")]
    Shape { file: String, name: String, expected: Vec<usize>, found: Vec<usize> },
    /// A tensor has another element type.
    #[error("{file}: tensor `{name}` has dtype {found}, expected {expected}; convert it")]
    Dtype { file: String, name: String, expected: &'static str, found: String },
    /// NaN or infinity where a number must be.
    #[error("{file}: {what} holds NaN or infinity at element {index}; only finite values are accepted")]
    NonFinite { file: String, what: String, index: usize },
    /// A value outside its allowed range.
    #[error("{what} is {value}, but must be {expected}")]
    OutOfRange { what: String, value: String, expected: String },
    /// The classes of a model and of a task differ.
    #[error("the model predicts {model:?} but the task {task} needs {needed:?}; use a model trained for that task")]
    Classes { model: Vec<String>, task: String, needed: Vec<String> },
    /// A nodule of a class that the task does not have, among the rows to train on.
    #[error(
        "nodule {nodule} is {class}, a class that the task {task} does not have; leave it out of the rows to train on"
    )]
    NoLabel { nodule: String, class: &'static str, task: &'static str },
    /// A nodule without what is asked of it.
    #[error("nodule {nodule} has no {what}; {remedy}")]
    Lacks { nodule: String, what: &'static str, remedy: &'static str },
    /// A split can't be made.
    #[error("can't split the data: {0}")]
    Split(String),
    /// A stored state belongs to another run.
    #[error("{file} belongs to another run: {reason}; use another directory for --out, or remove this one")]
    OtherRun { file: String, reason: String },
    /// A digest does not agree with the bytes.
    #[error(
        "{file}: SHA-256 is {found}, expected {expected}; the file was changed or damaged, fetch or write it again"
    )]
    Digest { file: String, expected: String, found: String },
    /// A nodule is predicted more than once.
    #[error("nodule {nodule} is predicted in {first} and again in {again}; give each fold once, of one seed")]
    Repeated { nodule: String, first: String, again: String },
    /// Two sets of predictions that can't be compared row by row.
    #[error("{first} and {second} can't be paired: {reason}; compare predictions of the same nodules and folds")]
    Unpaired { first: String, second: String, reason: String },
    /// A finished cell of a study that is not the one planned.
    #[error("the cell {cell} is stale: {reason}; remove its directory, and `clip-lung sweep run` runs it again")]
    Stale { cell: String, reason: String },
    /// What is tested was seen in training.
    #[error("{0}; split by patient and leave out one of two equal crops, or ask for --allow-leaks")]
    Leak(String),
    /// A model's own golden pair is not reproduced.
    #[error(
        "the model does not reproduce its golden probabilities (largest difference {difference:.2e}, allowed {allowed:.0e}); weights and golden file don't belong together, or this device computes wrongly"
    )]
    SelfTest { difference: f64, allowed: f64 },
    /// The slices of a series don't make a volume.
    #[error("series {series}: {fault}")]
    Series { series: String, fault: SeriesFault },
    /// A NIfTI file can't be used.
    #[error("{file}: {fault}")]
    Nifti { file: String, fault: NiftiFault },
    /// An NRRD file or a MetaImage can't be used.
    #[error("{file}: {fault}")]
    Image { file: String, fault: ImageFault },
    /// A ZIP archive can't be read.
    #[error("{file}: {fault}")]
    Archive { file: String, fault: ArchiveFault },
    /// A volume that is not where a scan can be.
    #[error("{file}: not a usable placement of voxels ({fault})")]
    Place { file: String, fault: PlaceFault },
    /// A text encoder can't be used.
    #[error("{file}: {fault}")]
    Text { file: String, fault: TextFault },
    /// A file that can't be read now.
    #[error("{file}: can't be read ({reason}); check the disk and its permissions")]
    Unreadable { file: String, reason: String },
    /// A point that is not on the scan.
    #[error(
        "the centre {centre_mm:.1?} mm in {frame} (voxel {voxel:.1?}) is off the scan, which has {} x {} x {} voxels; check the frame of the coordinates", dims[2], dims[1], dims[0]
    )]
    OffScan { frame: &'static str, centre_mm: [f64; 3], voxel: [f64; 3], dims: [usize; 3] },
    /// Crops of another geometry than the model was trained on.
    #[error(
        "{data} holds crops of {data_crop}, but {model} was trained on crops of {model_crop}; cut crops of that geometry (`clip-lung prepare --crop`), or name a model of these (--allow-other-crop goes on all the same)"
    )]
    Geometry { data: String, data_crop: String, model: String, model_crop: String },
    /// The embedded assets could not be decoded: a defect of the build.
    #[error("the embedded asset {0} can't be decoded: {1}; rebuild from a clean checkout")]
    Asset(&'static str, String),
    /// A device without arithmetic of this precision.
    #[error("the device does not compute in {0}; use --precision f32, or another device, as --device cpu")]
    Precision(&'static str),
    /// The device failed while computing.
    #[error("the device failed: {0}")]
    Device(String),
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// That a number is a share, from 0 to 1.
pub(crate) fn check_share(what: &str, value: f64) -> Result<()> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::OutOfRange { what: what.into(), value: value.to_string(), expected: "from 0 to 1".into() })
}

/// The name of the first non-finite element's place, as an error.
pub(crate) fn check_finite(file: &str, what: &str, values: &[f32]) -> Result<()> {
    // without a way out of the loop it is one of vectors
    #[inline(never)]
    fn finite(values: &[f32]) -> bool {
        values.iter().fold(true, |all, v| all & v.is_finite())
    }
    if values.chunks(1 << 12).all(finite) {
        return Ok(());
    }
    let index = values.iter().position(|v| !v.is_finite()).unwrap_or_default();
    Err(Error::NonFinite { file: file.into(), what: what.into(), index })
}
