//! The summary of a study: `summary.json`, of which pages and tables are views.

use std::collections::BTreeSet;

use serde::Serialize;

use super::cohorts::SEED;
use super::entry::entries;
use super::finished::Finished;
use super::published;
use super::scores::CellScores;
use super::subgroups::Groups;
use super::task::TaskSummary;
use crate::dataset::task::Task;
use crate::error::Result;
use crate::metrics::intervals::RESAMPLES;
use crate::study::anchors::Anchor;
use crate::study::audit::document::Audit;
use crate::study::cells::{CellId, Study};
use crate::study::pooled::Predictions;
use crate::train::config::{DataId, Grouping, HeldOut};

/// A study in numbers.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    pub schema: u32,
    pub intended_use: &'static str,
    pub data: DataId,
    /// Whether the images are drawn, not scanned.
    pub synthetic: bool,
    /// Of the methods that have one.
    pub text_encoders: BTreeSet<String>,
    /// What the methods were trained with, in words; variants change a part of it.
    pub recipes: BTreeSet<String>,
    pub planned: usize,
    pub finished: usize,
    /// Cells that are not finished.
    pub missing: Vec<CellId>,
    /// Resamples of whole patients, and the seed of their draws.
    pub resamples: usize,
    pub bootstrap_seed: u64,
    /// Where the published figures are from.
    pub published: &'static str,
    /// What a reader must know of these numbers.
    pub notes: Vec<String>,
    /// Of the data, where the study keeps it.
    pub audit: Option<Audit>,
    pub tasks: Vec<TaskSummary>,
    pub cells: Vec<CellScores>,
}

/// The summary of finished cells and anchors; tasks without a finished cell are left out.
///
/// # Errors
/// When rows that are compared are not of the same nodules, patients, classes and folds, or a nodule is of none of the `groups`.
pub fn summarise(
    study: &Study,
    finished: &[Finished],
    anchors: &[(Anchor, Predictions)],
    groups: Option<&Groups>,
) -> Result<Summary> {
    let done: BTreeSet<&CellId> = finished.iter().map(|f| &f.cell.id).collect();
    let missing: Vec<CellId> = study.cells.iter().map(|c| &c.id).filter(|id| !done.contains(id)).cloned().collect();
    let mut notes = notes(finished, &missing, study.cells.len());
    let mut tasks = Vec::new();
    for task in Task::ALL {
        let entries = entries(task, finished, anchors)?;
        if !entries.is_empty() {
            tasks.push(TaskSummary::new(study, task, &entries, groups, &mut notes)?);
        }
    }
    let cells = finished.iter().map(CellScores::of_cell);
    let anchored =
        anchors.iter().flat_map(|(a, p)| p.folds().into_iter().map(move |f| CellScores::of_anchor(*a, p, f)));
    Ok(Summary {
        schema: 1,
        intended_use: "research",
        data: study.data.clone(),
        synthetic: finished.iter().any(|f| f.synthetic),
        text_encoders: finished
            .iter()
            .map(|f| &f.config)
            .filter(|c| c.text_encoder.is_some())
            .map(|c| c.encoder())
            .collect(),
        recipes: finished.iter().filter(|f| f.cell.variant.is_none()).map(|f| f.config.recipe()).collect(),
        planned: study.cells.len(),
        finished: finished.len(),
        missing,
        resamples: RESAMPLES,
        bootstrap_seed: SEED,
        published: published::SOURCE,
        notes,
        audit: None,
        tasks,
        cells: cells.chain(anchored).collect(),
    })
}

impl Summary {
    /// With the audit of its data; what leaks is said first.
    #[must_use]
    pub fn with_audit(mut self, audit: Option<Audit>) -> Self {
        if let Some(Err(leak)) = audit.as_ref().map(|a| a.leakage.check()) {
            self.notes.insert(0, format!("The audit of the data found a leak: {leak}."));
        }
        Self { audit, ..self }
    }
}

fn notes(finished: &[Finished], missing: &[CellId], planned: usize) -> Vec<String> {
    let any = |of: &dyn Fn(&Finished) -> bool| finished.iter().any(of);
    let mut notes = Vec::new();
    if !missing.is_empty() {
        notes.push(format!(
            "{} of {planned} cells are finished; every row names the folds it rests on.",
            finished.len()
        ));
    }
    if any(&|f| f.synthetic) {
        notes.push("The images are synthetic, drawn from annotations: no evidence about CT.".into());
    }
    if any(&|f| f.config.text_encoder.as_ref().is_some_and(|t| t.contains("random"))) {
        notes.push(
            "A text encoder with random weights knows no words: its rows say nothing of what language adds.".into(),
        );
    }
    if any(&|f| f.config.grouping == Grouping::Nodule) {
        notes.push(
            "Nodules were dealt one by one: patients are on both sides of the splits, and the levels are too high."
                .into(),
        );
    }
    if any(&|f| f.config.held_out == HeldOut::Val) {
        notes.push("Scored on the inner split of the training patients, not on the test folds.".into());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::Method;
    use crate::study::pooled::tests::made_up;
    use crate::study::summary::finished::tests::finished;
    use crate::train::config::TrainConfig;

    fn study(finished: &[Finished]) -> Study {
        let data = finished[0].config.data.clone();
        Study::new(data, finished.iter().map(|f| f.cell.clone()).collect()).unwrap()
    }

    #[test]
    fn a_study_of_two_methods() {
        let all = [
            finished(Method::Ce, None, &[0, 1, 2, 3, 4], 2, 1.0),
            finished(Method::ClipLung, None, &[0, 1, 2, 3, 4], 2, 2.0),
            finished(Method::ClipLung, Some("ic"), &[0, 1, 2], 2, 1.5),
        ]
        .concat();
        let size = (Anchor::SizeOnly, made_up(Task::LidcA, 100, 0.7, 9));
        let mut plan = study(&all);
        let config = TrainConfig { fold: 4, ..all[0].config.clone() };
        plan.cells.push(crate::study::summary::finished::tests::cell(&config, Some("view")));
        let summary = summarise(&plan, &all, &[size], None).unwrap();
        assert_eq!((summary.planned, summary.finished, summary.missing.len()), (14, 13, 1));
        assert!(summary.notes[0].contains("13 of 14"), "{:?}", summary.notes);
        let [task] = &summary.tasks[..] else { panic!() };
        let names: Vec<&str> = task.rows.iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names, ["size-only", "ce", "clip-lung", "clip-lung.ic"]);
        assert_eq!(task.against_ce.as_ref().unwrap().comparisons.len(), 1);
        assert_eq!(task.against_size_only.as_ref().unwrap().comparisons.len(), 2);
        assert_eq!(
            (task.variants[0].reference.as_str(), task.variants[0].comparisons[0].shared_folds.len()),
            ("clip-lung", 3)
        );
        assert_eq!((task.ranks.len(), task.roc.len(), task.reliability.len()), (2, 3, 3));
        let choice = task.choice.as_ref().unwrap();
        assert_eq!((choice.method.as_str(), choice.models.len()), ("clip-lung", 5));
        assert_eq!(choice.models[0].as_str(), "clip-lung.lidc-a.f0.s2");
        assert_eq!((choice.sure_against_ce, choice.sure_against_size_only), (Some(true), Some(true)));
        assert_eq!(summary.cells.len(), 13 + 5);
        assert_eq!(task.classes.values().sum::<usize>(), task.nodules);
    }

    /// Two equally good methods: the better one is named, and that it is not surely better.
    #[test]
    fn a_choice_without_a_difference_says_so() {
        let all = [
            finished(Method::Ce, None, &[0, 1, 2], 2, 1.0),
            finished(Method::Nsb, None, &[0, 1, 2], 2, 1.0),
            finished(Method::Udm, None, &[0], 2, 3.0),
        ]
        .concat();
        let summary = summarise(&study(&all), &all, &[], None).unwrap();
        let choice = summary.tasks[0].choice.as_ref().unwrap();
        // udm has fewer folds, so it is not in the running
        assert!(["ce", "nsb"].contains(&choice.method.as_str()));
        assert!(choice.reason.ends_with("as cells of theirs are missing: udm."), "{}", choice.reason);
        // numbers as in the tables: what rounds to nothing has no sign, and less than 0 a minus
        assert!(
            choice.reason.contains(" in the mean over folds 0-2. ") && !choice.reason.contains("-0."),
            "{}",
            choice.reason
        );
        if choice.method == "nsb" {
            assert_eq!(choice.sure_against_ce, Some(false));
            assert!(choice.reason.contains("can't be told from it"), "{}", choice.reason);
        }
        assert!(summary.notes.iter().any(|n| n.contains("anchors")), "{:?}", summary.notes);
    }
}
