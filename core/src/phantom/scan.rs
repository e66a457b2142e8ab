//! One synthetic scan: a region of a chest with several nodules where a patient of LIDC-IDRI has them, for trying programs that
//! read scans.

use rayon::prelude::*;

use super::draw::draw;
use super::tissue;
use crate::base::random::Stream;
use crate::dataset::class::Thresholds;
use crate::dataset::table::Row;
use crate::error::{Error, Result};
use crate::lidc::annotations::{Scan, embedded};
use crate::lidc::nodule::{Nodule, nodules};
use crate::volume::crop::{SIDE, cell_offset};
use crate::volume::frame::{Lps, Point};
use crate::volume::voxels::Volume;

/// Distance of neighbouring voxels (z, y, x), mm.
const SPACING: [f64; 3] = [1.25, 0.8, 0.8];
/// Nodules smaller than this are hard to find by eye, mm.
const SMALLEST_MM: f64 = 5.0;
/// The smallest extent of the scan, (x, y, z) mm.
const EXTENT_MM: [f64; 3] = [100.0, 100.0, 60.0];
/// Around the nodules' crops, mm.
const MARGIN_MM: f64 = 12.0;
/// The share of a crop's half side that is drawn in full; beyond, it fades into the lung.
const CORE: f64 = 0.85;
/// Of the sum of two uniform numbers in -1..1: 1 / sd.
const UNIT: f64 = 1.224_744_9;
/// The stream of the noise between the nodules.
const NOISE: u64 = 91;

/// A synthetic scan with its nodules.
pub struct PhantomScan {
    pub volume: Volume,
    /// Centre of the first voxel; the middle of the volume is 0.
    pub first: Point<Lps>,
    /// The nodules; `centre_mm` in the same frame.
    pub nodules: Vec<Row>,
}

/// The scan whose nodules of every class lie in the smallest box.
///
/// # Errors
/// Only when the build embedded damaged files.
pub fn scan(thresholds: Thresholds) -> Result<PhantomScan> {
    let scans = embedded()?;
    let all = nodules(&scans);
    let chosen = (0..scans.len()).filter_map(|i| {
        let here: Vec<&Nodule> = all.iter().filter(|n| n.scan == i && n.diameter_mm >= SMALLEST_MM).collect();
        let mut classes: Vec<usize> = here.iter().map(|n| n.class(thresholds) as usize).collect();
        classes.sort_unstable();
        classes.dedup();
        (classes.len() == 3).then(|| (bounds(&here), i, here))
    });
    let size = |b: &[[f64; 2]; 3]| b.iter().map(|[low, high]| high - low).product::<f64>();
    let smallest = chosen.min_by(|a, b| size(&a.0).total_cmp(&size(&b.0)));
    let (bounds, index, here) = smallest.ok_or_else(|| Error::Split("no scan has nodules of every class".into()))?;
    render(&scans[index], &here, bounds, thresholds)
}

/// The box around the crops, (x, y, z), mm.
fn bounds(nodules: &[&Nodule]) -> [[f64; 2]; 3] {
    [0, 1, 2].map(|axis| {
        let [low, high] = nodules.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], n| {
            let reach = n.diameter_mm + MARGIN_MM;
            [low.min(n.centre_mm[axis] - reach), high.max(n.centre_mm[axis] + reach)]
        });
        let more = (EXTENT_MM[axis] - (high - low)).max(0.0) / 2.0;
        [low - more, high + more]
    })
}

fn render(scan: &Scan, here: &[&Nodule], bounds: [[f64; 2]; 3], thresholds: Thresholds) -> Result<PhantomScan> {
    // (z, y, x)
    let dims = [2, 1, 0].map(|axis| ((bounds[axis][1] - bounds[axis][0]) / SPACING[2 - axis]).round() as usize + 1);
    let (level, sd) = tissue::lung(scan);
    let mut voxels = vec![0.0f32; dims.iter().product()];
    voxels.par_chunks_mut(dims[1] * dims[2]).enumerate().for_each(|(z, plane)| {
        // sums of two neighbouring uniform numbers, scaled to sd 1: a little correlation, as a scanner's kernel gives
        let mut random = Stream::new(u64::from(scan.id) << 16 | z as u64, NOISE);
        let mut before = random.between(-1.0, 1.0);
        for v in plane {
            let now = random.between(-1.0, 1.0);
            *v = (level + sd * UNIT * (before + now)) as f32;
            before = now;
        }
    });
    for nodule in here {
        let pitch = 2.0 * nodule.diameter_mm / SIDE as f64;
        let cube = Volume::new(draw(nodule, scan).values().to_vec(), [SIDE; 3], [pitch; 3])?;
        // voxels that the cube touches, (z, y, x)
        let first = cell_offset(0, SIDE, 2.0 * nodule.diameter_mm);
        let range = |axis: usize| {
            let centre = nodule.centre_mm[2 - axis] - bounds[2 - axis][0];
            let low = ((centre - nodule.diameter_mm) / SPACING[axis]).ceil().max(0.0) as usize;
            let high = ((centre + nodule.diameter_mm) / SPACING[axis]).floor() as usize;
            (low..=high.min(dims[axis] - 1)).map(move |i| (i, i as f64 * SPACING[axis] - centre))
        };
        for (z, dz) in range(0) {
            for (y, dy) in range(1) {
                for (x, dx) in range(2) {
                    let at = [dz, dy, dx].map(|d| ((d - first) / pitch).clamp(0.0, (SIDE - 1) as f64));
                    let farthest = dz.abs().max(dy.abs()).max(dx.abs()) / nodule.diameter_mm;
                    let weight = ((1.0 - farthest) / (1.0 - CORE)).clamp(0.0, 1.0);
                    let v = &mut voxels[(z * dims[1] + y) * dims[2] + x];
                    *v += ((cube.sample(at) - f64::from(*v)) * weight) as f32;
                }
            }
        }
    }
    let middle = bounds.map(|[low, high]| (low + high) / 2.0);
    let row = |n: &&Nodule| {
        let centre = Point::new([0, 1, 2].map(|axis| n.centre_mm[axis] - middle[axis]))?;
        Ok(Row { centre_mm: Some(centre), ..n.row(&n.id.to_string(), scan, thresholds) })
    };
    Ok(PhantomScan {
        volume: Volume::new(voxels, dims, SPACING)?,
        first: Point::new([0, 1, 2].map(|axis| bounds[axis][0] - middle[axis]))?,
        nodules: here.iter().map(row).collect::<Result<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::crop::Crop;

    /// A crop cut from the scan is the nodule's crop of the data set, but for resampling.
    #[test]
    fn the_scan_holds_the_crops() {
        let found = scan(Thresholds::Inclusive).unwrap();
        assert!(found.nodules.len() >= 3);
        let set = super::super::phantom(Thresholds::Inclusive, None).unwrap();
        for row in &found.nodules {
            let (centre, first) = (row.centre_mm.unwrap().xyz(), found.first.xyz());
            let voxel = Point::new([0, 1, 2].map(|axis| (centre[axis] - first[axis]) / SPACING[2 - axis])).unwrap();
            let size = set.header.crop.size(row.diameter_mm.unwrap()).unwrap();
            let cut = Crop::take(&found.volume, voxel, size).unwrap();
            let drawn = set.crop(set.rows.iter().position(|r| r.nodule_id == row.nodule_id).unwrap()).unwrap();
            let (mut sum, mut n) = (0.0, 0);
            for (i, (a, b)) in cut.hu().iter().zip(drawn.hu()).enumerate() {
                // the middle half: the nodule itself
                if [i / 1024, i / 32 % 32, i % 32].iter().all(|c| (8..24).contains(c)) {
                    sum += f64::from((a - b.clamp(-1000.0, 400.0)).abs());
                    n += 1;
                }
            }
            assert!(sum / f64::from(n) < 90.0, "{}: {}", row.nodule_id, sum / f64::from(n));
        }
    }
}
