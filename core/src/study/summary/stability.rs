//! How stable a ranking of methods is: in how many resamples of the patients a method comes first, second, .. (challengeR,
//! Wiesenfarth et al., Scientific Reports 11, 2021).

use serde::Serialize;

use super::cohorts::Cohorts;
use super::entry::Entry;
use crate::error::Result;
use crate::metrics::intervals::{Interval, percentiles};
use crate::study::measures::Measure;
use crate::study::paired::Arm;

/// The ranks of one measure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranks {
    pub measure: Measure,
    /// The folds that all methods have.
    pub folds: Vec<usize>,
    pub resamples: usize,
    pub methods: Vec<MethodRanks>,
}

/// The ranks of one method.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MethodRanks {
    pub name: String,
    /// Among the nodules as they are: 1 is best, methods that tie share the better rank.
    pub rank: usize,
    /// The share of the resamples in which it has rank 1, 2, ..
    pub shares: Vec<f64>,
    /// The middle 95 % of its ranks.
    pub interval: Option<Interval>,
}

/// The ranks of some methods on the folds that all of them have; `None` with fewer than two methods or without such a fold.
///
/// # Errors
/// When two of them are not of the same nodules.
pub fn ranks(cohorts: &mut Cohorts, methods: &[&Entry], measure: Measure) -> Result<Option<Ranks>> {
    let Some((first, others)) = methods.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Ok(None);
    };
    let everywhere = |f: &&usize| others.iter().all(|e| e.folds.contains(f));
    let folds: Vec<usize> = first.folds.iter().filter(everywhere).copied().collect();
    let Some((_, arms)) = cohorts.on(&folds, methods)? else { return Ok(None) };
    Ok(of_arms(&arms, measure).map(|(resamples, methods)| Ranks { measure, folds, resamples, methods }))
}

fn of_arms(arms: &[&Arm], measure: Measure) -> Option<(usize, Vec<MethodRanks>)> {
    let column = arms.first()?.spread.measures.iter().position(|m| *m == measure)?;
    let sign = if measure.higher_is_better() { 1.0 } else { -1.0 };
    // 1 and the number of those that are better
    let ranked = |values: Vec<Option<f64>>| -> Option<Vec<usize>> {
        let values: Vec<f64> = values.into_iter().map(|v| v.map(|v| sign * v)).collect::<Option<_>>()?;
        Some(values.iter().map(|v| 1 + values.iter().filter(|other| *other > v).count()).collect())
    };
    let point = ranked(arms.iter().map(|a| a.spread.point[column]).collect())?;
    let resamples = 0..arms[0].spread.values.len();
    let drawn: Vec<Vec<usize>> =
        resamples.filter_map(|r| ranked(arms.iter().map(|a| a.spread.values[r][column]).collect())).collect();
    let of = |i: usize| {
        let share = |rank: usize| drawn.iter().filter(|d| d[i] == rank).count() as f64 / drawn.len().max(1) as f64;
        MethodRanks {
            name: arms[i].name.clone(),
            rank: point[i],
            shares: (1..=arms.len()).map(share).collect(),
            interval: percentiles(drawn.iter().map(|d| d[i] as f64).collect()),
        }
    };
    Some((drawn.len(), (0..arms.len()).map(of).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::task::Task;
    use crate::methods::Method;
    use crate::study::summary::entry::entries;
    use crate::study::summary::finished::tests::finished;

    #[test]
    fn the_better_method_comes_first() {
        let all = [
            finished(Method::Ce, None, &[0, 1, 2], 2, 0.4),
            finished(Method::Nsb, None, &[0, 1, 2, 3], 2, 3.0),
            finished(Method::Udm, None, &[0, 1, 2], 2, 1.2),
        ]
        .concat();
        let rows = entries(Task::LidcA, &all, &[]).unwrap();
        for measure in [Measure::MacroAuc, Measure::Nll] {
            let ranks = ranks(&mut Cohorts::default(), &rows.iter().collect::<Vec<_>>(), measure).unwrap().unwrap();
            let order: Vec<usize> = ranks.methods.iter().map(|m| m.rank).collect();
            assert_eq!((order, ranks.folds.clone()), (vec![3, 1, 2], vec![0, 1, 2]));
            assert!(ranks.methods.iter().all(|m| (m.shares.iter().sum::<f64>() - 1.0).abs() < 1e-12));
            assert!(ranks.methods[1].shares[0] > 0.99, "{ranks:?}");
        }
        assert_eq!(ranks(&mut Cohorts::default(), &[&rows[0]], Measure::Accuracy).unwrap(), None);
    }

    /// A method against itself ties in every resample.
    #[test]
    fn ties_share_the_better_rank() {
        let mut all = finished(Method::Ce, None, &[0, 1], 2, 1.0);
        let mut again = all.clone();
        again.iter_mut().for_each(|f| f.cell.variant = Some("same".into()));
        all.extend(again);
        let rows = entries(Task::LidcA, &all, &[]).unwrap();
        let ranks = ranks(&mut Cohorts::default(), &[&rows[0], &rows[1]], Measure::Accuracy).unwrap().unwrap();
        for method in &ranks.methods {
            assert_eq!((method.rank, method.shares.as_slice()), (1, &[1.0, 0.0][..]));
        }
    }
}
