//! What is on both sides of a split: patients, and crops that are all but the same.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::dataset::crops::Dataset;
use crate::dataset::table::Row;
use crate::error::{Error, Result};
use crate::volume::crop::{SIDE, VOXELS};

/// Correlation of two crops in the HU window from which they count as near-identical. In 2034 crops with lung around the nodule
/// that of two patients reaches 0.974, in 754 masked ones 0.958; a copy in 60 grey steps has 0.99 and more.
pub const NEAR_IDENTICAL: f32 = 0.98;
/// Correlation of two thumbnails below which the crops are not looked at: such a copy has 0.999.
const LIKELY: f32 = 0.99;
/// Cells of a thumbnail a side, each the mean of 4 x 4 x 4 voxels.
const CELLS: usize = 8;

/// Two crops that look alike, on different sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Twins {
    pub first: String,
    pub second: String,
    /// Of the voxels in the HU window.
    pub correlation: f32,
}

/// What the sides share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leakage {
    /// Patients with nodules on two sides or more.
    pub patients: Vec<String>,
    /// Near-identical crops on different sides, the closest first.
    pub twins: Vec<Twins>,
}

impl Leakage {
    /// That nothing is shared.
    ///
    /// # Errors
    /// Names the first patient and the closest crops that are.
    pub fn check(&self) -> Result<()> {
        let patients =
            self.patients.first().map(|p| format!("{} patients are on both sides ({p}, ..)", self.patients.len()));
        let twins = self.twins.first().map(|t| {
            let (n, a, b) = (self.twins.len(), &t.first, &t.second);
            format!("{n} pairs of crops on both sides are nearly the same (nodules {a} and {b}, ..)")
        });
        match [patients, twins].into_iter().flatten().collect::<Vec<_>>() {
            shared if shared.is_empty() => Ok(()),
            shared => Err(Error::Leak(shared.join(", and "))),
        }
    }
}

/// What the sides of a split share; `side` is the side or fold of each nodule, `None` for one that is on none.
pub fn leakage(data: &Dataset, side: &[Option<usize>]) -> Leakage {
    Leakage { patients: patients(&data.rows, side), twins: twins(data, side) }
}

/// Patients with nodules on two sides or more, in order.
pub fn patients(rows: &[Row], side: &[Option<usize>]) -> Vec<String> {
    let mut sides: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (row, side) in rows.iter().zip(side) {
        sides.entry(&row.patient_id).or_default().extend(side);
    }
    sides.into_iter().filter(|(_, s)| s.len() > 1).map(|(p, _)| p.to_owned()).collect()
}

/// Near-identical crops on different sides, the closest first.
pub fn twins(data: &Dataset, side: &[Option<usize>]) -> Vec<Twins> {
    let thumbnails: Vec<Vec<f32>> = (0..data.len()).into_par_iter().map(|i| shape(data, i, CELLS)).collect();
    let likely = |i: usize| {
        let across = |j: &usize| matches!((side[i], side[*j]), (Some(a), Some(b)) if a != b);
        let alike = |j: &usize| product(&thumbnails[i], &thumbnails[*j]) >= LIKELY;
        (i + 1..data.len()).filter(across).filter(alike).map(|j| (i, j)).collect::<Vec<_>>()
    };
    let likely: Vec<(usize, usize)> = (0..data.len()).into_par_iter().map(likely).collect::<Vec<_>>().concat();
    let twins = |&(i, j): &(usize, usize)| Twins {
        first: data.rows[i].nodule_id.clone(),
        second: data.rows[j].nodule_id.clone(),
        correlation: product(&shape(data, i, SIDE), &shape(data, j, SIDE)),
    };
    let mut found: Vec<Twins> = likely.par_iter().map(twins).filter(|t| t.correlation >= NEAR_IDENTICAL).collect();
    found.sort_by(|a, b| b.correlation.total_cmp(&a.correlation));
    found
}

/// The crop in the window of its data set as means of `cells` x `cells` x `cells` cells, less their mean, of length 1: two of
/// them have their correlation as product. Zeros for a crop without contrast.
fn shape(data: &Dataset, index: usize, cells: usize) -> Vec<f32> {
    let [low, high] = data.header.hu_window;
    let (mut hu, mut sums) = (vec![0.0; VOXELS], vec![0.0f32; cells * cells * cells]);
    data.write_hu(index, &mut hu);
    let cell = |i: usize| i * cells / SIDE;
    for (i, v) in hu.iter().enumerate() {
        let (z, y, x) = (i / (SIDE * SIDE), i / SIDE % SIDE, i % SIDE);
        sums[(cell(z) * cells + cell(y)) * cells + cell(x)] += (v.clamp(low, high) - low) / (high - low);
    }
    let mean = sums.iter().sum::<f32>() / sums.len() as f32;
    sums.iter_mut().for_each(|c| *c -= mean);
    let length = product(&sums, &sums).sqrt();
    let scale = if length > 1e-3 { 1.0 / length } else { 0.0 };
    sums.iter_mut().for_each(|c| *c *= scale);
    sums
}

/// The inner product in eight lanes, so that it is one of vectors.
fn product(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        (0..8).for_each(|k| lanes[k] += a[k] * b[k]);
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::class::Thresholds;
    use crate::dataset::crops::Voxels;
    use crate::phantom::phantom;

    /// Phantom crops whose last is a copy of the first in coarser grey steps, of another patient.
    fn with_a_copy() -> Dataset {
        let source = phantom(Thresholds::Inclusive, Some(60)).unwrap();
        let (mut rows, mut voxels, mut hu) = (source.rows.clone(), Vec::new(), vec![0.0; VOXELS]);
        for i in (0..source.len()).chain([0]) {
            source.write_hu(i, &mut hu);
            let step = if voxels.len() == source.len() * VOXELS { 23.0 } else { 1.0 };
            voxels.extend(hu.iter().map(|v| ((v / step).round() * step) as i16));
        }
        rows.push(Row { nodule_id: "copy".into(), patient_id: "another".into(), ..rows[0].clone() });
        Dataset::new(source.header, rows, Voxels::I16(voxels), 1.0, 0.0).unwrap()
    }

    #[test]
    fn the_copy_is_found_and_nothing_else() {
        let data = with_a_copy();
        let n = data.len();
        let apart: Vec<Option<usize>> = (0..n).map(Some).collect();
        let found = twins(&data, &apart);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].first.as_str(), found[0].second.as_str()), ("0", "copy"));
        assert!(twins(&data, &vec![Some(0); n]).is_empty());
        let mut one_out = apart;
        one_out[0] = None;
        assert!(twins(&data, &one_out).is_empty());
    }

    #[test]
    fn a_patient_on_both_sides_is_named() {
        let data = with_a_copy();
        let of = |p: &str| data.rows.iter().filter(|r| r.patient_id == p).count();
        let shared = data.rows.iter().map(|r| r.patient_id.clone()).find(|p| of(p) > 1).unwrap();
        let first = data.rows.iter().position(|r| r.patient_id == shared);
        let side: Vec<Option<usize>> = (0..data.len()).map(|i| Some(usize::from(Some(i) == first))).collect();
        let leak = leakage(&data, &side);
        assert_eq!(leak.patients, std::slice::from_ref(&shared));
        let message = leak.check().unwrap_err().to_string();
        assert!(message.contains(&shared), "{message}");
        assert!(Leakage::default().check().is_ok());
        let copied = Leakage {
            patients: Vec::new(),
            twins: vec![Twins { first: "a".into(), second: "b".into(), correlation: 1.0 }],
        };
        assert!(copied.check().unwrap_err().to_string().contains("nodules a and b"));
    }

    /// The shared crops of LIDC-IDRI hold no copies, with lung around the nodule or without.
    #[test]
    fn no_copies_among_real_crops() {
        for name in ["lidc-context", "lidc-crops"] {
            let place = format!("{}/../../shared/data/{name}", env!("CARGO_MANIFEST_DIR"));
            let file = |name: &str| std::fs::read(format!("{place}/{name}"));
            let (Ok(crops), Ok(nodules), Ok(header)) =
                (file("crops.safetensors.gz"), file("nodules.csv"), file("dataset.json"))
            else {
                println!("skipped: {place} is absent");
                continue;
            };
            let data = Dataset::parse(&place, &crops, &nodules, &header).unwrap();
            let apart: Vec<Option<usize>> = (0..data.len()).map(Some).collect();
            assert_eq!(twins(&data, &apart), []);
        }
    }
}
