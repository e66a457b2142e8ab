//! What can be wrong with the place of a volume, a variant a cause.

/// Why the directions and sizes of voxels can't be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceFault {
    #[error("not finite")]
    NotFinite,
    #[error("voxels must measure 0.01 to 100 mm, not {mm:?}")]
    VoxelSize { mm: [f64; 3] },
    #[error("its axes lean {degrees:.1} degrees against the scanner's; resample it to the axial plane first")]
    Oblique { degrees: f64 },
    #[error("two axes run along one direction")]
    OneDirection,
}
