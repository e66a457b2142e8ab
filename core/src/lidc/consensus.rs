//! What at least half of a nodule's readers outlined, on the cells of its crop.

use super::annotations::Scan;
use super::nodule::Nodule;
use crate::volume::crop::{SIDE, VOXELS, cell_offset};

/// Slices closer than this are one, in mm.
const SAME_SLICE_MM: f64 = 0.1;
const PLANE: usize = SIDE * SIDE;
/// From here on a cell belongs to the nodule.
const INSIDE: f32 = 0.5;

/// The readers' consensus on one nodule in a box around its centre.
pub struct Consensus<'a> {
    pub nodule: &'a Nodule,
    pub scan: &'a Scan,
    /// The box (z, y, x), mm.
    pub sides: [f64; 3],
}

impl Consensus<'_> {
    /// A field in 0..1 on 32 x 32 x 32 cells (z, y, x), z ascending towards the head: 1 where at least half of the readers have
    /// the nodule on a slice, in between along z; the nodule is where it reaches 0.5.
    pub fn field(&self) -> Vec<f32> {
        let (nodule, scan) = (self.nodule, self.scan);
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
                            self.fill(&c.points, |i| inside[i] = inclusion);
                        }
                    }
                }
                votes.iter_mut().zip(&inside).for_each(|(v, &i)| *v += f64::from(u8::from(i)));
            }
            slices.push((z, votes.iter().map(|&v| f32::from(u8::from(v >= half))).collect()));
        }
        self.interpolate(&slices)
    }

    /// The nodule seen along z: whether it reaches a cell of the plane (y, x) on any slice.
    pub fn in_plane(&self) -> Vec<bool> {
        let field = self.field();
        (0..PLANE).map(|i| field.iter().skip(i).step_by(PLANE).any(|v| *v >= INSIDE)).collect()
    }

    /// Even-odd fill of a polygon (vertices at voxel centres) at the crop's cell centres.
    fn fill(&self, points: &[(i32, i32)], mut mark: impl FnMut(usize)) {
        let pixel = |i: usize, axis: usize| {
            let offset = cell_offset(i, SIDE, self.sides[2 - axis]);
            (self.nodule.centre_mm[axis] + offset) / self.scan.pixel_spacing
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
    fn interpolate(&self, slices: &[(f64, Vec<f32>)]) -> Vec<f32> {
        let (Some(first), Some(last)) = (slices.first(), slices.last()) else {
            return vec![0.0; VOXELS];
        };
        let empty = vec![0.0f32; PLANE];
        let dz = self.scan.slice_spacing;
        let mut stack: Vec<(f64, &[f32])> = vec![(first.0 - dz, &empty)];
        stack.extend(slices.iter().map(|(z, plane)| (*z, plane.as_slice())));
        stack.push((last.0 + dz, &empty));
        let mut out = Vec::with_capacity(VOXELS);
        for i in 0..SIDE {
            let z = self.nodule.centre_mm[2] + cell_offset(i, SIDE, self.sides[0]);
            match stack.windows(2).find(|w| w[0].0 <= z && z < w[1].0) {
                None => out.extend_from_slice(&empty),
                Some(w) => {
                    let t = ((z - w[0].0) / (w[1].0 - w[0].0)) as f32;
                    out.extend(w[0].1.iter().zip(w[1].1).map(|(a, b)| a * (1.0 - t) + b * t));
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lidc::annotations::{Annotation, Contour, ReaderRatings, embedded};
    use crate::lidc::nodule::nodules;

    const RATINGS: ReaderRatings = ReaderRatings { attributes: [3; 8], malignancy: 3 };

    fn annotation(contours: &[(bool, f64, [i32; 4])]) -> Annotation {
        let contour = |&(inclusion, z, [left, top, right, bottom]): &(bool, f64, [i32; 4])| Contour {
            inclusion,
            z,
            points: vec![(left, top), (right, top), (right, bottom), (left, bottom)],
        };
        Annotation { id: 0, ratings: RATINGS, contours: contours.iter().map(contour).collect() }
    }

    fn seen(annotations: Vec<Annotation>, sides: [f64; 3]) -> Vec<f32> {
        let nodule = Nodule {
            id: 0,
            scan: 0,
            members: (0..annotations.len()).collect(),
            volume_mm3: 1.0,
            diameter_mm: 8.0,
            centre_mm: [16.0, 16.0, 0.0],
            ratings: [3.0; 8],
            malignancy_sum: 3,
        };
        let scan = Scan {
            id: 0,
            patient_id: "P".into(),
            series_uid: "1.2".into(),
            slice_thickness: 2.0,
            pixel_spacing: 1.0,
            slice_spacing: 2.0,
            annotations,
        };
        Consensus { nodule: &nodule, scan: &scan, sides }.field()
    }

    /// A cell of 1 mm is in the nodule where two of three readers have it, not in a hole; along z the field falls to 0 a slice
    /// beyond the last outline.
    #[test]
    fn two_of_three_readers() {
        let wide = annotation(&[(true, 0.0, [8, 8, 24, 24]), (false, 0.0, [15, 15, 17, 17])]);
        let narrow = annotation(&[(true, 0.0, [12, 8, 20, 24])]);
        let field = seen(vec![wide.clone(), narrow.clone(), narrow], [16.0, 32.0, 32.0]);
        // cells' centres at 0.5, 1.5 ..; planes of half a mm from z -7.75 on
        let at = |z: usize, y: usize, x: usize| field[(z * SIDE + y) * SIDE + x];
        let plane: f32 = field[16 * PLANE..17 * PLANE].iter().sum();
        assert_eq!(plane, 8.0 * 16.0 * 0.875, "z 0.25: an eighth of the way to the empty slice at 2 mm");
        assert_eq!((at(16, 16, 11), at(16, 16, 12), at(16, 16, 15), at(16, 7, 15)), (0.0, 0.875, 0.875, 0.0));
        let above: Vec<f32> = (16..21).map(|z| at(z, 10, 15)).collect();
        assert_eq!(above, [0.875, 0.625, 0.375, 0.125, 0.0]);

        // one of two is half; the hole of one leaves the other's vote
        let one = annotation(&[(true, 0.0, [8, 8, 24, 24])]);
        let field = seen(vec![wide, one.clone()], [16.0, 32.0, 32.0]);
        assert_eq!(field[16 * PLANE..17 * PLANE].iter().sum::<f32>(), 16.0 * 16.0 * 0.875);
        // alone, the hole of 2 x 2 mm is empty
        let holed = annotation(&[(true, 0.0, [8, 8, 24, 24]), (false, 0.0, [15, 15, 17, 17])]);
        let field = seen(vec![holed], [16.0, 32.0, 32.0]);
        assert_eq!(field[16 * PLANE..17 * PLANE].iter().sum::<f32>(), (16.0 * 16.0 - 4.0) * 0.875);
        assert_eq!(seen(vec![one], [16.0, 16.0, 16.0])[16 * PLANE + 5], 0.875, "a smaller box shows the nodule larger");
    }

    /// What scikit-image and numpy make of 27 nodules of the database (tests/golden/consensus.py), cells on the border aside.
    #[test]
    fn agrees_with_scikit_image() {
        let scans = embedded().unwrap();
        let all = nodules(&scans);
        let golden = include_str!("../../../tests/golden/consensus.csv");
        for line in golden.lines().skip(1) {
            let numbers: Vec<f64> = line.split(',').map(|v| v.parse().unwrap()).collect();
            let [id, cells, plane, sum] = numbers[..] else { panic!("{line}") };
            let nodule = &all[id as usize];
            let sides = [nodule.diameter_mm, 2.0 * nodule.diameter_mm, 2.0 * nodule.diameter_mm];
            let consensus = Consensus { nodule, scan: &scans[nodule.scan], sides };
            let field = consensus.field();
            let close =
                |found: f64, expected: f64| assert!((found - expected).abs() <= 0.002 * expected, "{line}: {found}");
            close(field.iter().filter(|v| **v >= INSIDE).count() as f64, cells);
            close(field.iter().map(|v| f64::from(*v)).sum(), sum);
            close(consensus.in_plane().iter().filter(|v| **v).count() as f64, plane);
        }
    }
}
