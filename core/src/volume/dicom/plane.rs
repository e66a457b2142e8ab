//! The plane of a slice, and the direction in which slices follow each other.

use super::header::SliceHeader;
use crate::error::SeriesFault;

/// Planes may lean this far from the axial plane and still be read as axial.
pub const MAX_TILT_DEGREES: f64 = 1.0;
/// Positions closer than this are the same slice, in mm.
pub const SAME_MM: f64 = 0.01;

pub fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// The unit normal of the planes that points towards the head.
pub fn upwards(h: &SliceHeader) -> [f64; 3] {
    let n = cross(h.orientation[0], h.orientation[1]);
    let length = dot(n, n).sqrt() * n[2].signum();
    n.map(|v| v / length)
}

/// Rows along the patient's x, columns along y, each in either direction.
pub fn axial(h: &SliceHeader) -> Result<(), SeriesFault> {
    let [r, c] = h.orientation;
    let normal = cross(r, c);
    if normal[2].abs() < 0.7 || normal.iter().any(|n| !n.is_finite()) {
        return Err(SeriesFault::NotAxial { normal });
    }
    let degrees = r[0].abs().min(c[1].abs()).min(1.0).acos().to_degrees();
    if degrees > MAX_TILT_DEGREES { Err(SeriesFault::Oblique { degrees }) } else { Ok(()) }
}

/// By the distance along a direction.
pub fn sort(files: &mut [(usize, SliceHeader)], way: [f64; 3]) {
    let along = |h: &SliceHeader| dot(h.position, way);
    files.sort_by(|a, b| along(&a.1).total_cmp(&along(&b.1)).then_with(|| a.1.sop_uid.cmp(&b.1.sop_uid)));
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    if n % 2 == 1 { values[n / 2] } else { (values[n / 2 - 1] + values[n / 2]) / 2.0 }
}
