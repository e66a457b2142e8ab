//! LIDC-IDRI: reader annotations (embedded, or the archive's XML), how they become nodules, and crops from its DICOM series.

/// How the collection asks to be cited.
pub const CITATION: &str = "Armato SG III et al., Data From LIDC-IDRI, The Cancer Imaging Archive 2015, \
                            doi:10.7937/K9/TCIA.2015.LO9QL9SX; Medical Physics 38:915-931 (2011); \
                            Clark K et al., J Digit Imaging 26:1045-1057 (2013)";

pub mod annotations;
pub mod cluster;
pub mod consensus;
pub mod nodule;
pub mod part;
pub mod prepare;
pub mod source;
pub mod xml;
