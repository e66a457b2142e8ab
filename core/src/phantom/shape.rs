//! The nodule's shape: reader outlines -> consensus per slice -> interpolation along z -> soft edge.

use super::grid::{Border, Grid};
use crate::lidc::annotations::Scan;
use crate::lidc::nodule::Nodule;
use crate::volume::crop::{SIDE, VOXELS, cell_offset};

/// Slices closer than this are one, in mm.
const SAME_SLICE_MM: f64 = 0.1;
const PLANE: usize = SIDE * SIDE;

/// The geometry and ratings of one nodule that the drawing steps share.
pub struct Subject<'a> {
    pub nodule: &'a Nodule,
    pub scan: &'a Scan,
    /// Voxel pitch of the crop in mm: 2 De / 32.
    pub pitch: f64,
    /// Point spread of the scanner in voxels.
    pub psf: f64,
}

/// The consensus of the readers as a field in 0..1 before any blur; the nodule is where it reaches 0.5.
pub fn consensus(subject: &Subject) -> Grid {
    let (nodule, scan) = (subject.nodule, subject.scan);
    let mut slices: Vec<(f64, Vec<f32>)> = Vec::new();
    let mut heights: Vec<f64> =
        nodule.members.iter().flat_map(|&m| &scan.annotations[m].contours).map(|c| c.z).collect();
    heights.sort_by(f64::total_cmp);
    heights.dedup_by(|a, b| (*a - *b).abs() < SAME_SLICE_MM);
    let half = f64::from(nodule.readers()) / 2.0;
    for z in heights {
        let mut votes = vec![0.0f64; PLANE];
        for &m in &nodule.members {
            let mut inside = vec![false; PLANE];
            // outlines first, then the holes they contain
            for inclusion in [true, false] {
                for c in &scan.annotations[m].contours {
                    if c.inclusion == inclusion && (c.z - z).abs() < SAME_SLICE_MM {
                        fill(subject, &c.points, |i| inside[i] = inclusion);
                    }
                }
            }
            votes.iter_mut().zip(&inside).for_each(|(v, &i)| *v += f64::from(u8::from(i)));
        }
        slices.push((z, votes.iter().map(|&v| f32::from(u8::from(v >= half))).collect()));
    }
    interpolate(subject, &slices)
}

/// Even-odd fill of a polygon (vertices at voxel centres) at the crop's cell centres.
fn fill(subject: &Subject, points: &[(i32, i32)], mut mark: impl FnMut(usize)) {
    let side = 2.0 * subject.nodule.diameter_mm;
    let pixel = |i: usize, axis: usize| {
        (subject.nodule.centre_mm[axis] + cell_offset(i, SIDE, side)) / subject.scan.pixel_spacing
    };
    let xs: Vec<f64> = (0..SIDE).map(|i| pixel(i, 0)).collect();
    let mut crossings = Vec::new();
    for row in 0..SIDE {
        let y = pixel(row, 1);
        crossings.clear();
        for (i, &(x0, y0)) in points.iter().enumerate() {
            let (x1, y1) = points[(i + 1) % points.len()];
            let (x0, y0, x1, y1) = (f64::from(x0), f64::from(y0), f64::from(x1), f64::from(y1));
            if (y0 > y) != (y1 > y) {
                crossings.push(x0 + (y - y0) / (y1 - y0) * (x1 - x0));
            }
        }
        for (column, &x) in xs.iter().enumerate() {
            if crossings.iter().filter(|&&crossing| x < crossing).count() % 2 == 1 {
                mark(row * SIDE + column);
            }
        }
    }
}

/// Linear interpolation between the native slices, with an empty slice one spacing beyond each end.
fn interpolate(subject: &Subject, slices: &[(f64, Vec<f32>)]) -> Grid {
    let (Some(first), Some(last)) = (slices.first(), slices.last()) else {
        return Grid::from_values(vec![0.0; VOXELS]);
    };
    let empty = vec![0.0f32; PLANE];
    let dz = subject.scan.slice_spacing;
    let mut stack: Vec<(f64, &[f32])> = vec![(first.0 - dz, &empty)];
    stack.extend(slices.iter().map(|(z, plane)| (*z, plane.as_slice())));
    stack.push((last.0 + dz, &empty));
    let mut out = Vec::with_capacity(VOXELS);
    for i in 0..SIDE {
        let z = subject.nodule.centre_mm[2] + cell_offset(i, SIDE, 2.0 * subject.nodule.diameter_mm);
        match stack.windows(2).find(|w| w[0].0 <= z && z < w[1].0) {
            None => out.extend_from_slice(&empty),
            Some(w) => {
                let t = ((z - w[0].0) / (w[1].0 - w[0].0)) as f32;
                out.extend(w[0].1.iter().zip(w[1].1).map(|(a, b)| a * (1.0 - t) + b * t));
            }
        }
    }
    Grid::from_values(out)
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
