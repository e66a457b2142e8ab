//! How far readers agree with each other on malignancy: about as far as any model of their labels can be right.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dataset::class::{Class, Thresholds};
use crate::dataset::table::Row;
use crate::error::Result;
use crate::lidc::annotations::embedded;
use crate::lidc::nodule::{Nodule, nodules};
use crate::metrics::classification::Confusion;
use crate::metrics::ordinal::weighted_kappa;

/// By how much a mean rating may be off: tables give them with two decimals or more.
const ROUNDING: f64 = 0.006;

/// Agreement of readers over nodules that two or more of them scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReaderAgreement {
    /// Nodules with two readers or more.
    pub nodules: usize,
    /// Pairs of readers of one nodule.
    pub pairs: u64,
    /// Share of the pairs with the same score, 1 to 5.
    pub same_score: f64,
    /// Share of the pairs with the same of three classes.
    pub same_class: f64,
    /// Share of the readers whose class is that of the mean of the others: the reader ceiling.
    pub with_the_others: f64,
    /// Of the classes of a pair; `None` when chance alone leaves no disagreement.
    pub linear_kappa: Option<f64>,
    pub quadratic_kappa: Option<f64>,
    /// Of a reader's class and that of the mean of the others.
    pub quadratic_kappa_with_the_others: Option<f64>,
    /// Standard deviation of a nodule's scores (n - 1 in the denominator), in points: the mean over the nodules.
    pub sd_within: f64,
}

/// The malignancy of each nodule of LIDC-IDRI by each of its readers, from the embedded annotations.
///
/// # Errors
/// Only when the build embedded damaged files.
pub fn malignancy_scores() -> Result<Vec<Vec<u8>>> {
    let scans = embedded()?;
    let of = |scan: usize, member: &usize| scans[scan].annotations[*member].ratings.malignancy;
    Ok(nodules(&scans).iter().map(|n| n.members.iter().map(|m| of(n.scan, m)).collect()).collect())
}

/// The scores of each row's readers, where exactly one nodule of the embedded annotations can be meant: of the same series, number of
/// readers, points and ratings.
///
/// # Errors
/// Only when the build embedded damaged files.
pub fn scores_of(rows: &[Row]) -> Result<Vec<Option<Vec<u8>>>> {
    let scans = embedded()?;
    let nodules = nodules(&scans);
    let mut of_series: BTreeMap<&str, Vec<&Nodule>> = BTreeMap::new();
    for nodule in &nodules {
        of_series.entry(&scans[nodule.scan].series_uid).or_default().push(nodule);
    }
    let scores = |row: &Row| {
        let meant = |n: &&&Nodule| {
            let close = |known: [f64; 8]| n.ratings.iter().zip(known).all(|(a, b)| (a - b).abs() < ROUNDING);
            let same = Some(n.readers()) == row.readers && Some(n.malignancy_sum) == row.malignancy_sum;
            same && row.ratings.is_some_and(close)
        };
        let of = |n: &&Nodule| {
            let malignancy = |m: &usize| scans[n.scan].annotations[*m].ratings.malignancy;
            let mut scores: Vec<u8> = n.members.iter().map(malignancy).collect();
            scores.sort_unstable();
            scores
        };
        let mut found = of_series.get(row.series_uid.as_str())?.iter().filter(meant).map(of);
        let first = found.next()?;
        found.all(|other| other == first).then_some(first)
    };
    Ok(rows.iter().map(scores).collect())
}

/// The agreement in scores of 1 to 5, a nodule a row; `None` when no nodule has two readers.
pub fn agreement(scores: &[Vec<u8>], thresholds: Thresholds) -> Option<ReaderAgreement> {
    let shared: Vec<&Vec<u8>> = scores.iter().filter(|s| s.len() > 1).collect();
    let class = |sum: u32, readers: u32| thresholds.class(sum, readers) as usize;
    let (mut classes, mut others) = (square(), square());
    let (mut pairs, mut same, mut deviations) = (0, 0, 0.0);
    for scores in &shared {
        let n = scores.len() as u32;
        let sum: u32 = scores.iter().map(|s| u32::from(*s)).sum();
        let mean = f64::from(sum) / f64::from(n);
        let squares: f64 = scores.iter().map(|s| (f64::from(*s) - mean).powi(2)).sum();
        deviations += (squares / f64::from(n - 1)).sqrt();
        for (i, &a) in scores.iter().enumerate() {
            let own = class(u32::from(a), 1);
            others[own][class(sum - u32::from(a), n - 1)] += 1;
            // in both orders, as no reader is the first
            for &b in scores.iter().skip(i + 1) {
                let theirs = class(u32::from(b), 1);
                classes[own][theirs] += 1;
                classes[theirs][own] += 1;
                pairs += 1;
                same += u64::from(a == b);
            }
        }
    }
    (pairs > 0).then(|| ReaderAgreement {
        nodules: shared.len(),
        pairs,
        same_score: same as f64 / pairs as f64,
        same_class: diagonal(&classes),
        with_the_others: diagonal(&others),
        linear_kappa: weighted_kappa(&classes, 1),
        quadratic_kappa: weighted_kappa(&classes, 2),
        quadratic_kappa_with_the_others: weighted_kappa(&others, 2),
        sd_within: deviations / shared.len() as f64,
    })
}

fn square() -> Confusion {
    vec![vec![0; Class::ALL.len()]; Class::ALL.len()]
}

/// The share on the diagonal.
fn diagonal(table: &Confusion) -> f64 {
    let total: u64 = table.iter().flatten().sum();
    (0..table.len()).map(|i| table[i][i]).sum::<u64>() as f64 / total as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::tests::near;

    /// Measured independently on the same annotations, given in whole percent and hundredths of a point.
    #[test]
    fn the_whole_database() {
        let a = agreement(&malignancy_scores().unwrap(), Thresholds::Inclusive).unwrap();
        assert_eq!(a.nodules, 2651 - 769);
        near(a.same_score, 0.38, 0.005);
        near(a.same_class, 0.47, 0.005);
        near(a.with_the_others, 0.50, 0.005);
        near(a.sd_within, 0.69, 0.005);
        // scikit-learn's cohen_kappa_score over the same pairs, each in both orders
        near(a.linear_kappa.unwrap(), 0.260380, 1e-6);
        near(a.quadratic_kappa.unwrap(), 0.321207, 1e-6);
        near(a.quadratic_kappa_with_the_others.unwrap(), 0.404403, 1e-6);
    }

    /// Rows of the database find their own readers; a row of another series, or of changed ratings, finds none.
    #[test]
    fn scores_belong_to_rows() {
        let mut rows = crate::phantom::rows(Thresholds::Inclusive).unwrap();
        let (found, all) = (scores_of(&rows).unwrap(), malignancy_scores().unwrap());
        assert!(found.iter().filter(|f| f.is_some()).count() > rows.len() - 5);
        for (found, scores) in found.iter().zip(&all) {
            let mut scores = scores.clone();
            scores.sort_unstable();
            assert!(found.as_ref().is_none_or(|f| *f == scores));
        }
        rows.truncate(2);
        rows[0].series_uid.push('1');
        rows[1].ratings.as_mut().unwrap()[0] += 0.25;
        assert_eq!(scores_of(&rows).unwrap(), [None, None]);
    }

    #[test]
    fn by_hand() {
        // pairs 1-1, 1-5, 1-5 and 3-4; with the others: 1 vs 3 and 1 vs 3 miss, 5 vs 1 misses, 3 vs 4 and 4 vs 3 miss
        let a = agreement(&[vec![1, 1, 5], vec![3, 4], vec![2]], Thresholds::Inclusive).unwrap();
        assert_eq!((a.nodules, a.pairs, a.same_score, a.same_class, a.with_the_others), (2, 4, 0.25, 0.25, 0.0));
        // squares around the mean: 32/3 of 1 1 5 over 2, 1/2 of 3 4 over 1
        near(a.sd_within, ((16.0f64 / 3.0).sqrt() + 0.5f64.sqrt()) / 2.0, 1e-12);
        assert_eq!(agreement(&[vec![3], vec![]], Thresholds::Strict), None);
    }

    #[test]
    fn readers_of_one_mind_agree_fully() {
        let a = agreement(&[vec![1, 1], vec![5, 5, 5], vec![3, 3]], Thresholds::Strict).unwrap();
        assert_eq!((a.same_class, a.with_the_others, a.sd_within), (1.0, 1.0, 0.0));
        assert_eq!(a.quadratic_kappa, Some(1.0));
    }
}
