//! A nodule as a list describes it.

use crate::dataset::class::Class;
use crate::volume::frame::Frame;

/// How large a nodule is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Size {
    /// Its equivalent diameter in mm.
    Diameter(f64),
    /// The sides of the box around it in voxels of the scan (column, row, slice or i, j, k).
    Voxels([f64; 3]),
}

impl Size {
    /// The diameter in mm, in a scan of voxels of this size (mm, in the same order): a box has the cube's of its volume.
    pub fn diameter_mm(self, spacing: [f64; 3]) -> f64 {
        match self {
            Self::Diameter(mm) => mm,
            Self::Voxels(sides) => (0..3).map(|i| sides[i] * spacing[i]).product::<f64>().cbrt(),
        }
    }
}

/// A nodule as a list describes it; what the list does not say is `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub id: Option<String>,
    pub frame: Option<Frame>,
    /// x, y, z in the frame: mm, or voxels.
    pub centre: [f64; 3],
    pub size: Option<Size>,
    /// Where it lies: a SeriesInstanceUID, or a file's name with or without its folders and endings.
    pub scan: Option<String>,
    pub patient_id: Option<String>,
    pub class: Option<Class>,
    /// Mean malignancy, 1 to 5.
    pub malignancy: Option<f64>,
    /// The readers' mean ratings, in the order of the data set's columns.
    pub ratings: Option<[f64; 8]>,
    pub readers: Option<u32>,
    /// The fold that the user deals it to.
    pub fold: Option<usize>,
}

impl Listed {
    /// A nodule of which only the place is known.
    pub fn at(centre: [f64; 3]) -> Self {
        Self {
            id: None,
            frame: None,
            centre,
            size: None,
            scan: None,
            patient_id: None,
            class: None,
            malignancy: None,
            ratings: None,
            readers: None,
            fold: None,
        }
    }

    /// Whether the list means a scan by this: a UID, or a file by its path, its name, or its name without endings.
    pub fn lies_in(&self, scan: &str) -> bool {
        self.scan.as_ref().is_some_and(|named| same_scan(named, scan))
    }
}

/// Whether two names mean one scan: equal, or equal without folders and endings.
pub fn same_scan(a: &str, b: &str) -> bool {
    a == b || file_stem(a) == file_stem(b)
}

/// A file's name without folders and the endings of images; a UID, which ends in no such, stays as it is.
pub fn file_stem(name: &str) -> &str {
    let mut stem = name.rsplit(['/', '\\']).next().unwrap_or(name);
    for end in [".gz", ".nii", ".npy", ".mhd", ".mha", ".nrrd", ".nhdr", ".dcm", ".json"] {
        if let Some(cut) = stem.len().checked_sub(end.len())
            && stem.is_char_boundary(cut)
            && stem[cut..].eq_ignore_ascii_case(end)
        {
            stem = &stem[..cut];
        }
    }
    stem
}
