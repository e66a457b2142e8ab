//! Where the voxels of a NIfTI-1 file lie: sform, qform and the unit of length (nifti1.h).

use nifti::NiftiHeader;

use crate::error::NiftiFault;
use crate::volume::placed::Affine;

/// Forms that agree within this are the same: quaternions are stored in single precision.
const SAME_MM: f64 = 0.1;

/// The sform where its code is set, else the qform where its is (nifti1.h, methods 3 and 2), in mm, and its name.
pub fn affine(h: &NiftiHeader) -> Result<(&'static str, Affine), NiftiFault> {
    let (form, affine) = match (h.sform_code > 0, h.qform_code > 0) {
        (true, _) => ("sform", sform(h)),
        (false, true) => ("qform", qform(h)),
        (false, false) => return Err(NiftiFault::NoFrame),
    };
    Ok((form, affine.map(|row| row.map(|v| v * millimetres(h).0))))
}

/// How many mm the unit of length is, and its name. Files that name none are in mm.
pub fn millimetres(h: &NiftiHeader) -> (f64, &'static str) {
    match h.xyzt_units & 7 {
        1 => (1e3, "metres"),
        3 => (1e-3, "micrometres"),
        _ => (1.0, "mm"),
    }
}

/// How far apart sform and qform put the volume's corners, in mm, where both are set and they disagree.
pub fn disagreement(h: &NiftiHeader) -> Option<f64> {
    if h.sform_code <= 0 || h.qform_code <= 0 {
        return None;
    }
    let (s, q) = (sform(h), qform(h));
    let mut most = 0f64;
    for corner in 0..8u16 {
        let at = [0, 1, 2].map(|i| if corner >> i & 1 == 1 { f64::from(h.dim[i + 1]) - 1.0 } else { 0.0 });
        let apart = [0, 1, 2].map(|r| (0..3).map(|c| (s[r][c] - q[r][c]) * at[c]).sum::<f64>() + s[r][3] - q[r][3]);
        most = most.max(apart.iter().map(|d| d * d).sum::<f64>().sqrt());
    }
    let mm = most * millimetres(h).0;
    (mm > SAME_MM).then_some(mm)
}

fn sform(h: &NiftiHeader) -> Affine {
    [h.srow_x, h.srow_y, h.srow_z].map(|r| r.map(f64::from))
}

fn qform(h: &NiftiHeader) -> Affine {
    let [b, c, d] = [h.quatern_b, h.quatern_c, h.quatern_d].map(f64::from);
    let a = (1.0 - b * b - c * c - d * d).max(0.0).sqrt();
    let rotation = [
        [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
        [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
        [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ];
    let handed = if h.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
    let scale = [f64::from(h.pixdim[1]), f64::from(h.pixdim[2]), f64::from(h.pixdim[3]) * handed];
    let offset = [h.quatern_x, h.quatern_y, h.quatern_z].map(f64::from);
    let row = |r: usize| [rotation[r][0] * scale[0], rotation[r][1] * scale[1], rotation[r][2] * scale[2], offset[r]];
    [row(0), row(1), row(2)]
}
