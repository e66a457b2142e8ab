//! `study.json`: the cells of a study, each one method on one task, fold and seed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use super::cell_id::CellId;
use crate::dataset::task::Task;
use crate::error::{Error, Result};
use crate::methods::Method;
use crate::train::config::{DataId, TrainConfig};

/// The only schema there is.
const SCHEMA: u32 = 1;
/// Settings that say which nodules a cell is tested on.
const SPLIT: [&str; 4] = ["folds", "fold_seed", "grouping", "held_out"];

/// A study: its data and what is to be run on them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    pub schema: u32,
    pub data: DataId,
    pub cells: Vec<Cell>,
}

/// One run of a study: a pure function of its config and the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    pub id: CellId,
    pub method: Method,
    pub task: Task,
    pub fold: usize,
    pub seed: u64,
    /// What is changed against the method's own recipe, as in an ablation or a control; `None` for the recipe itself.
    #[serde(default)]
    pub variant: Option<String>,
    /// Everything needed to run it.
    pub config: serde_json::Value,
}

impl Cell {
    /// A cell of the id that its parts give.
    ///
    /// # Errors
    /// As [`CellId::new`].
    pub fn new(
        method: Method,
        task: Task,
        fold: usize,
        seed: u64,
        variant: Option<String>,
        config: serde_json::Value,
    ) -> Result<Self> {
        let id = CellId::new(method, task, fold, seed, variant.as_deref())?;
        Ok(Self { id, method, task, fold, seed, variant, config })
    }

    /// The cell that runs with these settings.
    ///
    /// # Errors
    /// As [`CellId::new`].
    pub fn of(config: &TrainConfig, variant: Option<&str>) -> Result<Self> {
        let value = serde_json::to_value(config)
            .map_err(|e| Error::BadJson { file: "study.json".into(), reason: e.to_string() })?;
        let (method, variant) = (config.method.method(), variant.map(Into::into));
        Self::new(method, config.task, config.fold, config.seed, variant, value)
    }

    /// What it is a fold of: METHOD, or METHOD.VARIANT.
    pub fn row(&self) -> String {
        let method = self.method.name();
        self.variant.as_ref().map_or_else(|| method.to_owned(), |variant| format!("{method}.{variant}"))
    }

    /// The settings it runs with.
    ///
    /// # Errors
    /// When they are no run's, or not those that the cell's own fields say.
    pub fn config(&self) -> Result<TrainConfig> {
        let file = format!("study.json, cell {}", self.id);
        let bad = |reason: String| Error::BadJson { file: file.clone(), reason };
        let config: TrainConfig = serde_json::from_value(self.config.clone()).map_err(|e| bad(e.to_string()))?;
        config.check().map_err(|e| bad(e.to_string()))?;
        let same = (config.method.method(), config.task, config.fold, config.seed)
            == (self.method, self.task, self.fold, self.seed);
        if same { Ok(config) } else { Err(bad("its config is of another method, task, fold or seed".into())) }
    }
}

impl Study {
    /// A study of these cells.
    ///
    /// # Errors
    /// When two cells have one id, or are of other data or another split.
    pub fn new(data: DataId, cells: Vec<Cell>) -> Result<Self> {
        let study = Self { schema: SCHEMA, data, cells };
        study.check("study.json")?;
        Ok(study)
    }

    /// Reads `study.json`; `file` names it in errors.
    ///
    /// # Errors
    /// Unknown or missing fields, another schema, an id that is not that of its cell, two cells with one id.
    pub fn read(file: &str, text: &[u8]) -> Result<Self> {
        let bad = |reason: String| Error::BadJson { file: file.into(), reason };
        let study: Self = serde_json::from_slice(text).map_err(|e| bad(e.to_string()))?;
        study.check(file)?;
        Ok(study)
    }

    /// As [`Self::read`] takes it.
    ///
    /// # Errors
    /// Never on memory.
    pub fn write(&self) -> Result<Vec<u8>> {
        let bad = |e: serde_json::Error| Error::BadJson { file: "study.json".into(), reason: e.to_string() };
        serde_json::to_vec_pretty(self).map_err(bad)
    }

    /// The cell of an id.
    pub fn cell(&self, id: &CellId) -> Option<&Cell> {
        self.cells.iter().find(|c| c.id == *id)
    }

    fn check(&self, file: &str) -> Result<()> {
        let bad = |reason: String| Err(Error::BadJson { file: file.into(), reason });
        if self.schema != SCHEMA {
            return bad(format!("schema {} is not supported, only {SCHEMA}", self.schema));
        }
        let mut seen = BTreeSet::new();
        for cell in &self.cells {
            let expected = CellId::new(cell.method, cell.task, cell.fold, cell.seed, cell.variant.as_deref())?;
            if cell.id != expected {
                return bad(format!("the id {} should be {expected}", cell.id));
            }
            if !seen.insert(&cell.id) {
                return bad(format!("two cells have the id {}", cell.id));
            }
            self.check_split(cell).or_else(bad)?;
        }
        Ok(())
    }

    /// That a cell is of the study's data, split as those of its first cell: what is compared nodule by nodule is held out together.
    fn check_split(&self, cell: &Cell) -> std::result::Result<(), String> {
        let id = &cell.id;
        if cell.config.get("data").is_some_and(|data| data["sha256"] != self.data.sha256.as_str()) {
            return Err(format!("{id} is of other data than the study"));
        }
        let Some(first) = self.cells.first() else { return Ok(()) };
        let both = |key: &str| first.config.get(key).zip(cell.config.get(key));
        match SPLIT.into_iter().find(|key| both(key).is_some_and(|(a, b)| a != b)) {
            Some(key) => {
                Err(format!("{id} has another {key} than {}; a study has one split, so plan another study", first.id))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(fold: usize, variant: Option<&str>) -> Cell {
        let config = serde_json::json!({"epochs": 3});
        Cell::new(Method::ClipLung, Task::LidcA, fold, 2, variant.map(Into::into), config).unwrap()
    }

    #[test]
    fn a_study_survives_its_file() {
        let data = DataId { name: "lidc-phantom".into(), sha256: "00".into() };
        let study = Study::new(data, vec![cell(0, None), cell(1, None), cell(0, Some("no-ca"))]).unwrap();
        assert_eq!(Study::read("study.json", &study.write().unwrap()).unwrap(), study);
        let id = "clip-lung.lidc-a.f0.s2.no-ca".parse().unwrap();
        assert_eq!(study.cell(&id), Some(&study.cells[2]));
    }

    #[test]
    fn cells_share_data_and_split() {
        let data = DataId { name: "x".into(), sha256: "00".into() };
        let mut config = serde_json::json!({"data": data, "folds": 5, "fold_seed": 2, "grouping": "patient"});
        let of = |fold, config: &serde_json::Value| Cell::new(Method::Ce, Task::LidcA, fold, 2, None, config.clone());
        let first = of(0, &config).unwrap();
        let study = |second: &serde_json::Value| Study::new(data.clone(), vec![first.clone(), of(1, second)?]);
        study(&config).unwrap();
        for (key, value) in
            [("fold_seed", 3.into()), ("folds", 4.into()), ("grouping", "nodule".into()), ("data", "y".into())]
        {
            let kept = std::mem::replace(&mut config[key], value);
            let message = study(&config).unwrap_err().to_string();
            assert!(message.contains("ce.lidc-a.f1.s2") && message.contains(key), "{message}");
            config[key] = kept;
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let data = DataId { name: "x".into(), sha256: "00".into() };
        assert!(Study::new(data.clone(), vec![cell(0, None), cell(0, None)]).is_err());
        let good = String::from_utf8(Study::new(data, vec![cell(0, None)]).unwrap().write().unwrap()).unwrap();
        for (from, to, word) in [
            ("\"schema\": 1", "\"schema\": 2", "schema 2"),
            ("\"fold\": 0", "\"fold\": 3", "should be clip-lung.lidc-a.f3.s2"),
            ("\"seed\": 2", "\"seed\": 2, \"sead\": 3", "sead"),
            (".f0.s2\"", ".f0.s2.\"", "METHOD.TASK"),
        ] {
            assert!(good.contains(from), "{from}");
            let message = Study::read("a/study.json", good.replacen(from, to, 1).as_bytes()).unwrap_err().to_string();
            assert!(message.contains(word) && message.contains("a/study.json"), "{message}");
        }
    }
}
