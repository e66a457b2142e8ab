//! A NIfTI-1 volume, from bytes: voxels in HU and where they lie.

use super::place::{affine, disagreement, millimetres};
use super::values::read;
use crate::error::{Error, NiftiFault, PlaceFault, Result};
use crate::volume::placed::PlacedVolume;
use crate::volume::warning::Warning;

/// Reads a `.nii` or `.nii.gz` file; `file` names it in errors.
///
/// The place is the sform's where its code is set, else the qform's where its code is set; lengths are converted from the unit that
/// the file names. Values are scaled where slope and intercept are finite and the slope is not 0.
///
/// # Errors
/// When it is not NIfTI-1, is incomplete, not three-dimensional, or does not say where it lies.
pub fn parse(bytes: &[u8], file: &str) -> Result<PlacedVolume> {
    let bad = |fault| Error::Nifti { file: file.into(), fault };
    let (h, values) = read(bytes).map_err(bad)?;
    let (form, affine) = affine(&h).map_err(bad)?;
    let size = [1, 2, 3].map(|i| usize::from(h.dim[i]));
    let mut scan = PlacedVolume::new(&values, size, affine, file, format(h.datatype)).map_err(|e| match e {
        Error::Place { fault: PlaceFault::Oblique { degrees }, .. } => bad(NiftiFault::Oblique { degrees }),
        Error::Place { fault: fault @ PlaceFault::VoxelSize { .. }, .. } => {
            let unit = millimetres(&h).1;
            bad(NiftiFault::Frame { form, reason: format!("{fault}; its xyzt_units say {unit}") })
        }
        Error::Place { fault, .. } => bad(NiftiFault::Frame { form, reason: fault.to_string() }),
        other => other,
    })?;
    let forms = disagreement(&h).map(|mm| Warning::Forms { mm });
    scan.warnings.splice(..0, forms);
    Ok(scan)
}

/// The format in words, with the type of the voxels where it is a rare one (nifti1.h, DT_INT64 and DT_UINT64).
fn format(datatype: i16) -> &'static str {
    match datatype {
        1024 => "NIfTI-1, int64",
        1280 => "NIfTI-1, uint64",
        _ => "NIfTI-1",
    }
}
