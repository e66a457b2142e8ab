//! What stands in a row of a task's tables: a method, a variant of one, or an anchor, with the predictions that it rests on.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::finished::Finished;
use crate::dataset::task::Task;
use crate::error::Result;
use crate::methods::Method;
use crate::study::anchors::Anchor;
use crate::study::cells::CellId;
use crate::study::pooled::Predictions;
use crate::train::config::{HeldOut, TrainConfig};

/// Which kind of row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A predictor without an image.
    Anchor,
    /// A method as it comes.
    Method,
    /// A method with something changed, as in an ablation or a control.
    Variant,
}

/// A row with its predictions.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `size-only`, `clip-lung`, or with a variant `clip-lung.ic-ca`.
    pub name: String,
    pub kind: Kind,
    pub task: Task,
    /// Of a method or a variant.
    pub method: Option<Method>,
    /// Folds that all seeds below have, ascending.
    pub folds: Vec<usize>,
    /// Of the seeds, those with the most finished folds; none of an anchor.
    pub seeds: Vec<u64>,
    /// The settings of the first cell; none of an anchor.
    pub config: Option<TrainConfig>,
    /// The first cell of each fold.
    pub cells: Vec<CellId>,
    /// Finished cells that the row does not rest on.
    pub unused: Vec<CellId>,
    /// One a seed, each over all of `folds`.
    parts: Vec<Predictions>,
}

impl Entry {
    /// Predictions by themselves, as of one run.
    pub fn alone(name: &str, predictions: &Predictions, config: Option<TrainConfig>) -> Self {
        // fold by fold, as cells are pooled: sums then have one order, and the same bits
        let mut part = Predictions { name: name.into(), ..predictions.clone() };
        part.nodules.sort_by_key(|n| n.fold);
        Self {
            name: name.into(),
            kind: Kind::Method,
            task: predictions.task,
            method: config.as_ref().map(|c| c.method.method()),
            folds: predictions.folds(),
            seeds: config.iter().map(|c| c.seed).collect(),
            config,
            cells: Vec::new(),
            unused: Vec::new(),
            parts: vec![part],
        }
    }

    /// The same by another name.
    pub fn called(mut self, name: &str) -> Self {
        self.name = name.into();
        self.parts.iter_mut().for_each(|p| p.name = name.into());
        self
    }

    /// Its predictions on some of its folds, a seed each.
    pub fn on(&self, folds: &[usize]) -> Vec<Predictions> {
        let within = |p: &Predictions| {
            let nodules = p.nodules.iter().filter(|n| folds.contains(&n.fold)).cloned().collect();
            Predictions { nodules, ..p.clone() }
        };
        self.parts.iter().map(within).collect()
    }

    /// The folds that both have.
    pub fn shared(&self, other: &Self) -> Vec<usize> {
        self.folds.iter().filter(|f| other.folds.contains(f)).copied().collect()
    }

    /// Size of the test set over that of the training set: 1/4 for five folds.
    pub fn test_over_train(&self) -> Option<f64> {
        let config = self.config.as_ref()?;
        Some(match config.held_out {
            HeldOut::Test | HeldOut::None => 1.0 / (config.folds - 1) as f64,
            HeldOut::Val => 1.0 / 7.0,
        })
    }

    fn anchor(anchor: Anchor, predictions: &Predictions, folds: &BTreeSet<usize>) -> Self {
        let all = Self { kind: Kind::Anchor, ..Self::alone(anchor.name(), predictions, None) };
        let folds: Vec<usize> = all.folds.iter().filter(|f| folds.contains(f)).copied().collect();
        Self { parts: all.on(&folds), folds, ..all }
    }

    fn method(group: &[&Finished]) -> Result<Option<Self>> {
        let mut by_seed: BTreeMap<u64, BTreeMap<usize, &Finished>> = BTreeMap::new();
        for f in group {
            by_seed.entry(f.cell.seed).or_default().insert(f.cell.fold, f);
        }
        let most = by_seed.values().map(BTreeMap::len).max().unwrap_or(0);
        let mut seeds: Vec<u64> = by_seed.iter().filter(|(_, folds)| folds.len() == most).map(|(s, _)| *s).collect();
        let shared = |seeds: &[u64]| -> Vec<usize> {
            let first = seeds.first().and_then(|s| by_seed.get(s));
            let folds = first.into_iter().flat_map(|f| f.keys().copied());
            folds.filter(|f| seeds.iter().all(|s| by_seed[s].contains_key(f))).collect()
        };
        let mut folds = shared(&seeds);
        if folds.is_empty() {
            seeds.truncate(1);
            folds = shared(&seeds);
        }
        let Some(first) = seeds.first().zip(folds.first()).map(|(s, f)| by_seed[s][f]) else { return Ok(None) };
        let name = first.cell.row();
        let pooled = |seed: &u64| {
            let parts: Vec<Predictions> = folds.iter().map(|f| by_seed[seed][f].predictions.clone()).collect();
            Predictions::pool(&name, &parts)
        };
        let used = |f: &Finished| seeds.contains(&f.cell.seed) && folds.contains(&f.cell.fold);
        Ok(Some(Self {
            kind: if first.cell.variant.is_some() { Kind::Variant } else { Kind::Method },
            task: first.cell.task,
            method: Some(first.cell.method),
            config: Some(first.config.clone()),
            cells: folds.iter().map(|f| by_seed[&seeds[0]][f].cell.id.clone()).collect(),
            unused: group.iter().filter(|f| !used(f)).map(|f| f.cell.id.clone()).collect(),
            parts: seeds.iter().map(pooled).collect::<Result<_>>()?,
            name,
            folds,
            seeds,
        }))
    }
}

/// The rows of a task: anchors, methods in the order of their list, then variants.
///
/// # Errors
/// When a nodule is predicted in two folds of one row.
pub fn entries(task: Task, finished: &[Finished], anchors: &[(Anchor, Predictions)]) -> Result<Vec<Entry>> {
    let mut groups: BTreeMap<(bool, usize, Option<&str>), Vec<&Finished>> = BTreeMap::new();
    for f in finished.iter().filter(|f| f.cell.task == task) {
        let place = Method::ALL.iter().position(|m| *m == f.cell.method).unwrap_or_default();
        let variant = f.cell.variant.as_deref();
        groups.entry((variant.is_some(), place, variant)).or_default().push(f);
    }
    let rows = groups.values().map(|g| Entry::method(g)).collect::<Result<Vec<_>>>()?;
    let rows: Vec<Entry> = rows.into_iter().flatten().collect();
    let folds: BTreeSet<usize> = rows.iter().flat_map(|e| e.folds.iter().copied()).collect();
    let anchors = anchors.iter().filter(|(_, p)| p.task == task).map(|(a, p)| Entry::anchor(*a, p, &folds));
    Ok(anchors.filter(|a| !a.folds.is_empty()).chain(rows).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::pooled::tests::made_up;
    use crate::study::summary::finished::tests::finished;

    #[test]
    fn rows_rest_on_what_is_complete() {
        let all = [
            finished(Method::Udm, None, &[0, 1, 2, 3, 4], 2, 1.0),
            finished(Method::Udm, None, &[3], 3, 1.0),
            finished(Method::ClipLung, Some("none"), &[1, 0], 2, 1.0),
            finished(Method::ClipLung, Some("none"), &[1, 2], 3, 1.0),
            finished(Method::Ce, None, &[0], 2, 1.0),
            finished(Method::Ce, None, &[2], 3, 1.0),
        ]
        .concat();
        let size = (Anchor::SizeOnly, made_up(Task::LidcA, 100, 1.0, 9));
        let rows = entries(Task::LidcA, &all, &[size]).unwrap();
        let shown: Vec<_> = rows.iter().map(|e| (e.name.as_str(), e.folds.clone(), e.seeds.clone())).collect();
        assert_eq!(
            shown,
            [
                ("size-only", vec![0, 1, 2, 3, 4], vec![]),
                ("ce", vec![0], vec![2]),
                ("udm", vec![0, 1, 2, 3, 4], vec![2]),
                ("clip-lung.none", vec![1], vec![2, 3]),
            ]
        );
        assert_eq!(rows[2].unused, ["udm.lidc-a.f3.s3".parse().unwrap()]);
        assert_eq!(rows[3].unused.len(), 2);
        assert_eq!((rows[1].shared(&rows[2]), rows[1].shared(&rows[3])), (vec![0], vec![]));
        assert_eq!(rows[2].test_over_train(), Some(0.25));
        assert_eq!(rows[2].on(&[1, 4])[0].folds(), [1, 4]);
        assert_eq!(rows[0].kind, Kind::Anchor);
        assert!(entries(Task::LidcC, &all, &[]).unwrap().is_empty());
    }
}
