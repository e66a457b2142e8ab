//! A cell that is done, held against what the study planned.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::study::cells::{Cell, Study};
use crate::study::pooled::Predictions;
use crate::train::config::TrainConfig;

/// A cell with its predictions.
#[derive(Clone, Debug)]
pub struct Finished {
    pub cell: Cell,
    /// As it ran.
    pub config: TrainConfig,
    pub predictions: Predictions,
    /// Whether the images are drawn, not scanned.
    pub synthetic: bool,
}

impl Finished {
    /// That the run is the one that the study planned. `ran` is the run's own `config.json`.
    ///
    /// # Errors
    /// Names the cell and what is another than planned: a setting, the data, or the fold of its rows.
    pub fn new(
        study: &Study,
        cell: &Cell,
        ran: TrainConfig,
        predictions: Predictions,
        synthetic: bool,
    ) -> Result<Self> {
        let stale = |reason: String| Error::Stale { cell: cell.id.to_string(), reason };
        let bad = |e: serde_json::Error| Error::BadJson { file: "study.json".into(), reason: e.to_string() };
        let planned = TrainConfig { data: study.data.clone(), ..cell.config()? };
        let mut config = ran;
        if config.data.sha256 != study.data.sha256 {
            return Err(stale(format!("it saw data of SHA-256 {}, not {}", config.data.sha256, study.data.sha256)));
        }
        config.data = study.data.clone();
        let value = |c: &TrainConfig| serde_json::to_value(c).map_err(bad);
        if let Some(difference) = difference(&value(&planned)?, &value(&config)?) {
            return Err(stale(difference));
        }
        if let Some(other) = predictions.nodules.iter().find(|n| n.fold != cell.fold) {
            return Err(stale(format!("nodule {} of its predictions is in fold {}", other.nodule_id, other.fold)));
        }
        Ok(Self { cell: cell.clone(), config, predictions, synthetic })
    }
}

/// The first setting that differs, in words.
fn difference(planned: &Value, ran: &Value) -> Option<String> {
    let fields = |v: &Value| v.as_object().cloned().unwrap_or_default();
    let (planned, ran) = (fields(planned), fields(ran));
    let shown = |v: Option<&Value>| v.map_or("nothing".into(), Value::to_string);
    let differs = planned.keys().chain(ran.keys()).find(|k| planned.get(*k) != ran.get(*k))?;
    Some(format!("`{differs}` is {}, planned is {}", shown(ran.get(differs)), shown(planned.get(differs))))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::dataset::task::Task;
    use crate::methods::Method;
    use crate::study::pooled::tests::made_up;
    use crate::train::config::DataId;

    /// The settings of a cell of a study of made-up predictions.
    pub fn config(method: Method, task: Task, fold: usize, seed: u64) -> TrainConfig {
        let data = DataId { name: "made up".into(), sha256: "00".into() };
        TrainConfig { task, fold, seed, data, ..TrainConfig::of(method) }
    }

    pub fn cell(config: &TrainConfig, variant: Option<&str>) -> Cell {
        let value = serde_json::to_value(config).unwrap();
        let (method, variant) = (config.method.method(), variant.map(Into::into));
        Cell::new(method, config.task, config.fold, config.seed, variant, value).unwrap()
    }

    /// Cells of a method with the folds and seed given; a stronger `signal` predicts better.
    pub fn finished(method: Method, variant: Option<&str>, folds: &[usize], seed: u64, signal: f64) -> Vec<Finished> {
        let salt = 100 * method as u64 + seed + variant.map_or(0, |v| 10 * v.len() as u64);
        let all = made_up(Task::LidcA, 100, signal, salt);
        folds
            .iter()
            .map(|&fold| {
                let config = config(method, Task::LidcA, fold, seed);
                let nodules = all.nodules.iter().filter(|n| n.fold == fold).cloned().collect();
                let predictions = Predictions { nodules, ..all.clone() };
                Finished { cell: cell(&config, variant), config, predictions, synthetic: false }
            })
            .collect()
    }

    #[test]
    fn what_is_stale_is_named() {
        let planned = config(Method::Ce, Task::LidcA, 1, 2);
        let cell = cell(&planned, None);
        let study = Study::new(planned.data.clone(), vec![cell.clone()]).unwrap();
        let rows = || finished(Method::Ce, None, &[1], 2, 1.0).remove(0).predictions;
        let says = |ran: TrainConfig, predictions: Predictions, word: &str| {
            let message = Finished::new(&study, &cell, ran, predictions, false).unwrap_err().to_string();
            assert!(message.contains(word) && message.contains("ce.lidc-a.f1.s2"), "{message}");
        };
        assert!(Finished::new(&study, &cell, planned.clone(), rows(), false).is_ok());
        says(TrainConfig { epochs: 7, ..planned.clone() }, rows(), "`epochs` is 7, planned is 100");
        let other = DataId { name: "made up".into(), sha256: "11".into() };
        says(TrainConfig { data: other, ..planned.clone() }, rows(), "SHA-256 11");
        let mut moved = rows();
        moved.nodules[0].fold = 3;
        says(planned, moved, "fold 3");
    }
}
