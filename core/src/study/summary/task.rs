//! One task of a study: its rows, their comparisons, and what figures draw.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::ablation::{Ablated, ablation};
use super::choice::{Choice, choose};
use super::cohorts::{Cohorts, Family};
use super::entry::{Entry, Kind};
use super::level::Row;
use super::reliability::Reliability;
use super::roc::Roc;
use super::stability::{Ranks, ranks};
use super::subgroups::{Groups, Subgroups};
use crate::dataset::class::Class;
use crate::dataset::task::Task;
use crate::error::Result;
use crate::methods::Method;
use crate::study::anchors::Anchor;
use crate::study::cells::{CellId, Study};
use crate::study::measures::Measure;

/// One task.
#[derive(Clone, Debug, Serialize)]
pub struct TaskSummary {
    pub task: Task,
    pub nodules: usize,
    pub patients: usize,
    /// Nodules of each class.
    pub classes: BTreeMap<&'static str, usize>,
    pub rows: Vec<Row>,
    pub against_ce: Option<Family>,
    pub against_size_only: Option<Family>,
    /// Variants against the method as it comes, a family a method.
    pub variants: Vec<Family>,
    /// The paper's ablation, where the study has rows of it.
    pub ablation: Vec<Ablated>,
    pub ranks: Vec<Ranks>,
    pub roc: Vec<Roc>,
    pub reliability: Vec<Reliability>,
    /// Where groups were given.
    pub subgroups: Option<Subgroups>,
    pub choice: Option<Choice>,
}

impl TaskSummary {
    /// The rows of a task; what a reader must know of them goes to `notes`.
    ///
    /// # Errors
    /// When rows that are compared are not of the same nodules, patients, classes and folds, or a nodule is of no group.
    pub fn new(
        study: &Study,
        task: Task,
        entries: &[Entry],
        groups: Option<&Groups>,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let mut cohorts = Cohorts::default();
        let rows = entries.iter().map(|e| Row::new(e, &mut cohorts)).collect::<Result<Vec<_>>>()?;
        let of = |kind: Kind| entries.iter().filter(|e| e.kind == kind).collect::<Vec<&Entry>>();
        let named = |name: &str| entries.iter().find(|e| e.name == name);
        let methods = of(Kind::Method);
        let ce = Method::Ce.name();
        let others: Vec<&Entry> = methods.iter().filter(|e| e.name != ce).copied().collect();
        let against_ce = named(ce).map(|ce| cohorts.family(ce, &others)).transpose()?;
        let size = named(Anchor::SizeOnly.name());
        let against_size = size.map(|size| cohorts.family(size, &methods)).transpose()?;
        let mut variants = Vec::new();
        for plain in &methods {
            let own: Vec<&Entry> = of(Kind::Variant).into_iter().filter(|v| v.method == plain.method).collect();
            if !own.is_empty() {
                variants.push(cohorts.family(plain, &own)?);
            }
        }
        for family in against_ce.iter().chain(&against_size).chain(&variants) {
            notes.extend(family.apart.iter().map(|name| {
                format!("{}: {name} and {} share no finished fold and are not compared.", task.name(), family.reference)
            }));
        }
        if size.is_none() {
            notes.push(format!(
                "{}: the predictions from diameter and ratings alone are not kept in the study (anchors/); `sweep run` writes them.",
                task.name()
            ));
        }
        for entry in entries.iter().filter(|e| !e.unused.is_empty()) {
            let unused: Vec<&str> = entry.unused.iter().map(CellId::as_str).collect();
            notes.push(format!("{}: not all seeds have the same folds; not used: {}.", task.name(), unused.join(", ")));
        }
        let mut ranked = Vec::new();
        for measure in [Measure::Accuracy, Measure::MacroAuc] {
            ranked.extend(ranks(&mut cohorts, &methods, measure)?);
        }
        let drawn = || entries.iter().filter(|e| e.kind == Kind::Method || e.name == Anchor::SizeOnly.name());
        let roc = drawn().map(|e| Roc::new(e, &mut cohorts)).collect::<Result<Vec<_>>>()?;
        let rows: Vec<Row> = rows.into_iter().flatten().collect();
        let largest = entries.iter().max_by_key(|e| e.folds.len()).and_then(|e| e.on(&e.folds).into_iter().next());
        let nodules = largest.map(|p| p.nodules).unwrap_or_default();
        let count = |c: Class| (c.name(), nodules.iter().filter(|n| n.class == c).count());
        Ok(Self {
            task,
            patients: nodules.iter().map(|n| &n.patient_id).collect::<BTreeSet<_>>().len(),
            classes: Class::ALL.into_iter().filter(|c| task.tests(*c)).map(count).collect(),
            nodules: nodules.len(),
            choice: choose(study, entries, &rows, against_ce.as_ref(), against_size.as_ref())?,
            reliability: drawn().map(Reliability::new).collect(),
            roc: roc.into_iter().flatten().collect(),
            ranks: ranked,
            subgroups: groups.map(|g| g.measure(task, entries)).transpose()?,
            rows,
            against_ce,
            against_size_only: against_size,
            variants,
            ablation: ablation(entries),
        })
    }

    /// The row of a name.
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|r| r.name == name)
    }
}
