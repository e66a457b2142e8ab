//! The nodule's shape: the readers' consensus with a soft edge.

use super::grid::{Border, Grid};
use crate::lidc::annotations::Scan;
use crate::lidc::consensus::Consensus;
use crate::lidc::nodule::Nodule;

/// The geometry and ratings of one nodule that the drawing steps share.
pub struct Subject<'a> {
    pub nodule: &'a Nodule,
    pub scan: &'a Scan,
    /// Voxel pitch of the crop in mm: 2 De / 32.
    pub pitch: f64,
    /// Point spread of the scanner in voxels.
    pub psf: f64,
}

/// The consensus of the readers before any blur.
pub fn consensus(subject: &Subject) -> Grid {
    let sides = [2.0 * subject.nodule.diameter_mm; 3];
    Grid::from_values(Consensus { nodule: subject.nodule, scan: subject.scan, sides }.field())
}

/// The consensus with the scanner's and the margin's softness, moved inwards because outlines run through the first voxels
/// outside.
pub fn soft_mask(subject: &Subject) -> Grid {
    let margin = subject.nodule.ratings[4];
    let edge = subject.psf.hypot(0.10 * (5.0 - margin) / 4.0 * 16.0);
    let along_z = if subject.scan.slice_spacing > subject.pitch { edge / 2.0 } else { edge };
    let k = (1.702 * 0.75 * subject.scan.pixel_spacing / subject.pitch / edge).exp() as f32;
    consensus(subject).blur([along_z, edge, edge], Border::Nearest).map(|s| s / (s + (1.0 - s) * k))
}
