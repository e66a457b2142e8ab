//! How good a row is: each measure's mean and deviation over folds, all folds pooled, and the published figure beside.

use serde::Serialize;

use super::cohorts::Cohorts;
use super::entry::{Entry, Kind};
use super::published;
use crate::error::Result;
use crate::metrics::across_folds::mean_sd;
use crate::metrics::classification::Confusion;
use crate::metrics::intervals::Interval;
use crate::study::measures::{Measure, Measured};

/// One measure of a row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Level {
    pub measure: Measure,
    /// Over the folds in which it is defined, of the mean over the seeds.
    pub mean: f64,
    /// With n - 1 in the denominator (ddof 1); `None` with one fold.
    pub sd: Option<f64>,
    /// How many folds define it.
    pub folds: usize,
    /// Of all folds' predictions as one set.
    pub pooled: Option<f64>,
    /// 95 % of the bootstrap over patients, of `pooled`.
    pub interval: Option<Interval>,
    /// The paper's share, from 0 to 1.
    pub published: Option<f64>,
}

/// A row of a task's tables.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    pub name: String,
    pub kind: Kind,
    /// The folds it rests on.
    pub folds: Vec<usize>,
    pub seeds: Vec<u64>,
    pub text_encoder: Option<String>,
    pub nodules: usize,
    pub levels: Vec<Level>,
    /// Rows: true class; columns: answer. All folds and seeds.
    pub confusion: Confusion,
    /// Resamples that lacked a class and were skipped.
    pub skipped: usize,
}

impl Row {
    /// The row of an entry.
    ///
    /// # Errors
    /// When its seeds are not of the same nodules.
    pub fn new(entry: &Entry, cohorts: &mut Cohorts) -> Result<Option<Self>> {
        let Some((_, arms)) = cohorts.on(&entry.folds, &[entry])? else { return Ok(None) };
        let arm = arms[0];
        let level = |m: usize, measure: Measure| {
            let folds: Vec<f64> = arm.folds.iter().filter_map(|f| f[m]).collect();
            let over = mean_sd(&folds)?;
            Some(Level {
                measure,
                mean: over.mean,
                sd: over.sd,
                folds: folds.len(),
                pooled: arm.spread.point[m],
                interval: arm.spread.interval(m),
                published: figure(entry, measure),
            })
        };
        let measures = arm.spread.measures.iter().enumerate();
        let levels = measures.filter_map(|(m, measure)| level(m, *measure)).collect();
        let seeds = entry.on(&entry.folds);
        let mut confusion: Confusion = Vec::new();
        for seed in &seeds {
            let scored = seed.scored();
            let table = Measured::new(&scored, entry.task).confusion(&vec![1; scored.len()]);
            confusion = if confusion.is_empty() { table } else { sum(&confusion, &table) };
        }
        Ok(Some(Self {
            name: entry.name.clone(),
            kind: entry.kind,
            folds: entry.folds.clone(),
            seeds: entry.seeds.clone(),
            text_encoder: entry.config.as_ref().filter(|c| c.text_encoder.is_some()).map(|c| c.encoder()),
            nodules: seeds.first().map_or(0, |p| p.nodules.len()),
            levels,
            confusion,
            skipped: arm.spread.skipped,
        }))
    }

    /// One of its measures.
    pub fn level(&self, measure: Measure) -> Option<&Level> {
        self.levels.iter().find(|l| l.measure == measure)
    }
}

/// The published figure that stands beside a row's measure.
fn figure(entry: &Entry, measure: Measure) -> Option<f64> {
    match entry.kind {
        Kind::Anchor => None,
        Kind::Method => published::of_method(entry.method?, entry.task, measure),
        Kind::Variant => published::of_ablation(entry.config.as_ref()?).filter(|_| measure == Measure::Accuracy),
    }
}

fn sum(a: &Confusion, b: &Confusion) -> Confusion {
    a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::task::Task;
    use crate::methods::Method;
    use crate::metrics::tests::near;
    use crate::study::summary::entry::entries;
    use crate::study::summary::finished::tests::finished;

    /// Each fold by hand, both seeds averaged within it.
    #[test]
    fn means_are_over_folds_and_pools_over_nodules() {
        let (two, three) =
            (finished(Method::Ce, None, &[0, 1, 2], 2, 1.5), finished(Method::Ce, None, &[0, 1, 2], 3, 1.0));
        let share = |f: &crate::study::summary::finished::Finished| {
            let scored = f.predictions.scored();
            let right = scored.answers().iter().zip(&scored.truth).filter(|(a, t)| a == t).count();
            right as f64 / scored.len() as f64
        };
        let folds: Vec<f64> = two.iter().zip(&three).map(|(a, b)| (share(a) + share(b)) / 2.0).collect();
        let all: usize = two.iter().map(|f| f.predictions.nodules.len()).sum();
        let right: f64 = two.iter().chain(&three).map(|f| share(f) * f.predictions.nodules.len() as f64).sum();

        let entry = entries(Task::LidcA, &[two, three].concat(), &[]).unwrap().remove(0);
        let row = Row::new(&entry, &mut Cohorts::default()).unwrap().unwrap();
        let accuracy = row.level(Measure::Accuracy).unwrap();
        let over = mean_sd(&folds).unwrap();
        near(accuracy.mean, over.mean, 1e-12);
        near(accuracy.sd.unwrap(), over.sd.unwrap(), 1e-12);
        near(accuracy.pooled.unwrap(), right / (2 * all) as f64, 1e-12);
        let interval = accuracy.interval.unwrap();
        assert!(interval.low < accuracy.pooled.unwrap() && accuracy.pooled.unwrap() < interval.high);
        assert_eq!((accuracy.folds, accuracy.published, row.nodules), (3, Some(0.542), all));
        assert_eq!(row.confusion.iter().flatten().sum::<u64>(), 2 * all as u64);
        let diagonal: u64 = (0..3).map(|c| row.confusion[c][c]).sum();
        near(diagonal as f64, right, 1e-6);
    }
}
