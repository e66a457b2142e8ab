//! `study.json`: the cells of a study, each one method on one task, fold and seed.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::dataset::task::Task;
use crate::error::{Error, Result};
use crate::methods::Method;
use crate::train::config::{DataId, TrainConfig};

/// The only schema there is.
const SCHEMA: u32 = 1;

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

/// The name of a cell and of its directory: `clip-lung.lidc-a.f0.s2`, with a variant `clip-lung.lidc-a.f0.s2.no-ca`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CellId(String);

impl CellId {
    /// The id of these parts.
    ///
    /// # Errors
    /// When the variant is not of lower-case letters, digits and hyphens.
    pub fn new(method: Method, task: Task, fold: usize, seed: u64, variant: Option<&str>) -> Result<Self> {
        let plain = |v: &str| !v.is_empty() && v.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if let Some(variant) = variant.filter(|v| !plain(v)) {
            return Err(Error::OutOfRange {
                what: "the variant".into(),
                value: format!("`{variant}`"),
                expected: "of lower-case letters, digits and hyphens".into(),
            });
        }
        let suffix = variant.map(|v| format!(".{v}")).unwrap_or_default();
        Ok(Self(format!("{}.{}.f{fold}.s{seed}{suffix}", method.name(), task.name())))
    }

    /// The id as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Method, task, fold, seed and variant; `None` where one can't be read.
    fn parts(text: &str) -> Option<(Method, Task, usize, u64, Option<&str>)> {
        let mut parts = text.split('.');
        let method = parts.next()?;
        let task = parts.next()?;
        let fold = parts.next()?.strip_prefix('f')?.parse().ok()?;
        let seed = parts.next()?.strip_prefix('s')?.parse().ok()?;
        let variant = parts.next();
        let method = Method::ALL.into_iter().find(|m| m.name() == method)?;
        let task = Task::ALL.into_iter().find(|t| t.name() == task)?;
        parts.next().is_none().then_some((method, task, fold, seed, variant))
    }
}

impl FromStr for CellId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::OutOfRange {
            what: "the cell id".into(),
            value: format!("`{text}`"),
            expected: "METHOD.TASK.fFOLD.sSEED or METHOD.TASK.fFOLD.sSEED.VARIANT, as clip-lung.lidc-a.f0.s2".into(),
        };
        let (method, task, fold, seed, variant) = Self::parts(text).ok_or_else(bad)?;
        // one spelling a cell: no `f00`, no `+1`
        Self::new(method, task, fold, seed, variant).ok().filter(|id| id.0 == text).ok_or_else(bad)
    }
}

impl TryFrom<String> for CellId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<CellId> for String {
    fn from(id: CellId) -> Self {
        id.0
    }
}

impl fmt::Display for CellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
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

    /// The settings it runs with.
    ///
    /// # Errors
    /// When they are no run's, or not those that the cell's own fields say.
    pub fn config(&self) -> Result<TrainConfig> {
        let file = format!("study.json, cell {}", self.id);
        let bad = |reason: String| Error::BadJson { file: file.clone(), reason };
        let config: TrainConfig = serde_json::from_value(self.config.clone()).map_err(|e| bad(e.to_string()))?;
        config.check()?;
        let same = (config.method.method(), config.task, config.fold, config.seed)
            == (self.method, self.task, self.fold, self.seed);
        if same { Ok(config) } else { Err(bad("its config is of another method, task, fold or seed".into())) }
    }
}

impl Study {
    /// A study of these cells.
    ///
    /// # Errors
    /// When two cells have one id.
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
        }
        Ok(())
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
    fn ids_print_and_parse() {
        assert_eq!(cell(0, None).id.to_string(), "clip-lung.lidc-a.f0.s2");
        for method in Method::ALL {
            for task in Task::ALL {
                for variant in [None, Some("no-ca"), Some("random-text2")] {
                    let id = CellId::new(method, task, 4, 17, variant).unwrap();
                    assert_eq!(id.as_str().parse::<CellId>().unwrap(), id);
                    assert_eq!(CellId::parts(id.as_str()).unwrap(), (method, task, 4, 17, variant));
                }
            }
        }
    }

    #[test]
    fn other_ids_are_refused() {
        for bad in [
            "",
            "clip-lung.lidc-a.f0",
            "clip-lung.lidc-a.f00.s2",
            "clip-lung.lidc-a.f0.s+2",
            "clip-lung.lidc-d.f0.s2",
            "best.lidc-a.f0.s2",
            "clip-lung.lidc-a.f0.s2.",
            "clip-lung.lidc-a.f0.s2.a.b",
            "clip-lung.lidc-a.f0.s2.A",
            "clip-lung.lidc-a.f0.s2./etc",
            "../clip-lung.lidc-a.f0.s2",
        ] {
            assert!(bad.parse::<CellId>().is_err(), "{bad}");
        }
        assert!(CellId::new(Method::Ce, Task::LidcA, 0, 2, Some("..")).is_err());
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
