//! DICOM structured reports of predictions: Comprehensive 3D SR, TID 1500 (docs/dicom-sr.md says what stands where).
//!
//! web/js/sr writes the same bytes from the same findings: whatever changes here changes there.

mod algorithm;
mod codes;
mod content;
mod document;
mod finding;
mod item;
mod uid;

pub use algorithm::Algorithm;
pub use document::{Document, report};
pub use finding::{Finding, Moment};
