//! DICOM CT series, from bytes to voxels in HU: [`SliceHeader`] reads what a file says of itself, [`Series`] orders the slices of one
//! series in space, [`SeriesReader`] decodes the slices that a crop needs.
//!
//! Decoding of JPEG is the libraries' (jpeg-decoder, hayro-jpeg2000); limits and checks stand in front of them. Nothing that identifies a
//! person is kept but PatientID, StudyInstanceUID and SeriesInstanceUID; [`Source`] alone, which a report asks for, reads the patient's
//! name.

mod acquisition;
mod elements;
mod header;
mod mixed;
mod padding;
mod pixels;
mod plane;
mod reader;
mod regular;
mod series;
mod source;
mod syntax;
mod walk;

pub use crate::error::{DicomFault, SeriesFault};
pub use header::{File, SliceHeader, read_file};
pub use pixels::slice_hu;
pub use reader::SeriesReader;
pub use regular::Regular;
pub use series::{Series, SliceRef};
pub use source::{PATIENT_AND_STUDY, Source};

#[cfg(test)]
mod tests;
