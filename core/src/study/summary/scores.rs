//! The measures of single cells, a row each of `results.csv`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::finished::Finished;
use crate::dataset::task::Task;
use crate::study::anchors::Anchor;
use crate::study::measures::{Measure, Measured};
use crate::study::pooled::Predictions;

/// One cell, or one fold of an anchor.
#[derive(Clone, Debug, Serialize)]
pub struct CellScores {
    /// A cell's id; of an anchor `size-only.lidc-a.f0`.
    pub cell: String,
    pub method: String,
    pub variant: Option<String>,
    pub task: Task,
    pub fold: usize,
    pub seed: Option<u64>,
    pub nodules: usize,
    /// By name; `None` where undefined.
    pub measures: BTreeMap<String, Option<f64>>,
}

impl CellScores {
    /// Of a finished cell.
    pub fn of_cell(f: &Finished) -> Self {
        Self {
            variant: f.cell.variant.clone(),
            seed: Some(f.cell.seed),
            ..Self::new(f.cell.id.to_string(), f.cell.method.name(), &f.predictions, f.cell.fold)
        }
    }

    /// Of one fold of an anchor.
    pub fn of_anchor(anchor: Anchor, predictions: &Predictions, fold: usize) -> Self {
        let cell = format!("{}.{}.f{fold}", anchor.name(), predictions.task.name());
        Self::new(cell, anchor.name(), predictions, fold)
    }

    fn new(cell: String, method: &str, predictions: &Predictions, fold: usize) -> Self {
        let task = predictions.task;
        let scored = predictions.scored();
        let weights: Vec<u32> = predictions.nodules.iter().map(|n| u32::from(n.fold == fold)).collect();
        let measures = Measure::of(task);
        let values = Measured::new(&scored, task).values(&measures, &weights);
        Self {
            cell,
            method: method.into(),
            variant: None,
            task,
            fold,
            seed: None,
            nodules: weights.iter().sum::<u32>() as usize,
            measures: measures.into_iter().map(Measure::name).zip(values).collect(),
        }
    }
}
