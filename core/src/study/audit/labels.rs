//! How many nodules are benign, unsure and malignant under each rule that a paper may have used.

use serde::{Deserialize, Serialize};

use crate::dataset::class::{Class, Thresholds};
use crate::dataset::table::Row;

/// How the readers' scores of a nodule become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Statistic {
    Mean,
    Median,
}

/// One rule, and what it makes of the nodules.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyCounts {
    pub statistic: Statistic,
    pub thresholds: Thresholds,
    /// Nodules of fewer readers are left out.
    pub min_readers: u32,
    /// Nodules in the order of [`Class::ALL`].
    pub counts: [usize; 3],
}

/// Readers that a rule may demand.
const READERS: std::ops::RangeInclusive<u32> = 1..=4;

/// The counts under mean and median, inclusive and strict thresholds, 1 to 4 readers at least; `scores` holds the malignancy
/// of each nodule by each of its readers.
pub fn of_readers(scores: &[Vec<u8>]) -> Vec<PolicyCounts> {
    let mean = |s: &[u8]| (s.iter().map(|v| u32::from(*v)).sum(), s.len() as u32);
    let rated = || scores.iter().filter(|s| !s.is_empty()).map(|s| (s, s.len() as u32));
    let means: Vec<_> = rated().map(|(s, readers)| (mean(s), readers)).collect();
    let medians: Vec<_> = rated().map(|(s, readers)| (median(s), readers)).collect();
    [policies(Statistic::Mean, &means), policies(Statistic::Median, &medians)].concat()
}

/// The counts of a data set's table, which knows the mean alone.
pub fn of_rows(rows: &[Row]) -> Vec<PolicyCounts> {
    let read = |r: &Row| Some((r.malignancy_sum?, r.readers.filter(|n| *n > 0)?));
    let means: Vec<_> = rows.iter().filter_map(read).map(|(sum, readers)| ((sum, readers), readers)).collect();
    policies(Statistic::Mean, &means)
}

/// The median as a sum of points over a number of readers: the middle score, or the two middle ones.
fn median(scores: &[u8]) -> (u32, u32) {
    let mut sorted = scores.to_vec();
    sorted.sort_unstable();
    let n = sorted.len();
    let middle = &sorted[(n - 1) / 2..=n / 2];
    (middle.iter().map(|v| u32::from(*v)).sum(), middle.len() as u32)
}

/// `nodules`: points as (sum, number), and readers.
fn policies(statistic: Statistic, nodules: &[((u32, u32), u32)]) -> Vec<PolicyCounts> {
    let count = |thresholds: Thresholds, min_readers: u32| {
        let classes: Vec<Class> = nodules
            .iter()
            .filter(|(_, readers)| *readers >= min_readers)
            .map(|((sum, number), _)| thresholds.class(*sum, *number))
            .collect();
        let counts = Class::ALL.map(|c| classes.iter().filter(|k| **k == c).count());
        PolicyCounts { statistic, thresholds, min_readers, counts }
    };
    [Thresholds::Inclusive, Thresholds::Strict]
        .into_iter()
        .flat_map(|t| READERS.map(move |r| (t, r)))
        .map(|(t, r)| count(t, r))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phantom;
    use crate::study::audit::readers::malignancy_scores;

    /// Reference counts of the database by the mean, and the table agrees where it knows.
    #[test]
    fn the_whole_database() {
        let all = of_readers(&malignancy_scores().unwrap());
        assert_eq!(all.len(), 16);
        let of = |statistic, thresholds, min_readers| {
            let wanted =
                |p: &&PolicyCounts| (p.statistic, p.thresholds, p.min_readers) == (statistic, thresholds, min_readers);
            all.iter().find(wanted).unwrap().counts
        };
        assert_eq!(of(Statistic::Mean, Thresholds::Inclusive, 1), [1123, 1025, 503]);
        assert_eq!(of(Statistic::Mean, Thresholds::Strict, 1), [895, 1369, 387]);
        assert_eq!(of(Statistic::Mean, Thresholds::Inclusive, 3), [422, 582, 387]);
        assert_eq!(of(Statistic::Mean, Thresholds::Strict, 3), [335, 746, 310]);
        assert_ne!(of(Statistic::Median, Thresholds::Strict, 3), of(Statistic::Mean, Thresholds::Strict, 3));
        assert_eq!(of_rows(&phantom::rows(Thresholds::Inclusive).unwrap()), all[..8]);
    }

    #[test]
    fn medians_at_the_ties() {
        assert_eq!(median(&[5, 1, 2]), (2, 1));
        assert_eq!(median(&[4, 2, 1, 3]), (5, 2));
        assert_eq!(median(&[3]), (3, 1));
        let strict = |s: &[u8]| {
            let all = of_readers(&[s.to_vec(), Vec::new()]);
            all.iter().find(|p| p.statistic == Statistic::Median && p.thresholds == Thresholds::Strict).unwrap().counts
        };
        // 2.5 is on the threshold, a mean of 2.33 and a median of 2 are below it
        assert_eq!((strict(&[2, 3]), strict(&[1, 2, 4])), ([0, 1, 0], [1, 0, 0]));
    }
}
