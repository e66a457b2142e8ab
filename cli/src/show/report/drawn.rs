//! What a report draws beside its summary: of logs, features and maps that cells may have kept.

use anyhow::Result;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::study::summary::document::Summary;
use clip_lung_core::study::summary::task::TaskSummary;

use crate::show::figure::embedding::{self, Picture};
use crate::show::figure::heat::{self, Heat};
use crate::show::figure::learning::{self, Curve};
use crate::show::figure::panel::Figure;
use crate::show::figure::pointing::{self, Pointing};
use crate::show::figure::{confusion, forest, ranks, recall, reliability, roc};

/// Kept beside predictions, as far as it was.
#[derive(Default)]
pub struct Drawn {
    /// A curve a method.
    pub curves: Vec<(Task, Vec<Curve>)>,
    /// Of one fold, a picture a method.
    pub pictures: Vec<(Task, usize, Vec<Picture>)>,
    /// Of the cells of choice, by their ids.
    pub heats: Vec<(Task, String, Vec<Heat>)>,
    /// Where the heat lies, a method a row.
    pub pointing: Vec<(Task, Vec<Pointing>)>,
    /// A sentence for each kind that is not shown.
    pub absent: Vec<String>,
}

/// All figures in the order of the page, with the place of their task in the summary.
pub fn figures(summary: &Summary, drawn: &Drawn) -> Result<Vec<(usize, Figure)>> {
    let mut all = Vec::new();
    for (i, task) in summary.tasks.iter().enumerate() {
        all.extend(of_task(task, drawn)?.into_iter().map(|figure| (i, figure)));
    }
    Ok(all)
}

fn of_task(task: &TaskSummary, drawn: &Drawn) -> Result<Vec<Figure>> {
    let name = task.task.name();
    let families = [&task.against_ce, &task.against_size_only].into_iter().flatten().chain(&task.variants);
    let mut all: Vec<Figure> = families.filter_map(|f| forest::figure(name, f)).collect();
    all.extend([recall::figure(task), roc::figure(task), reliability::figure(task)].into_iter().flatten());
    all.extend([confusion::figure(task), ranks::figure(task)].into_iter().flatten());
    for (_, curves) in drawn.curves.iter().filter(|c| c.0 == task.task) {
        all.extend(learning::figure(&format!("learning.{name}"), &format!("{name}: learning curves"), curves));
    }
    for (_, fold, pictures) in drawn.pictures.iter().filter(|p| p.0 == task.task) {
        all.extend(embedding::figure(name, *fold, pictures));
    }
    for (_, cell, heats) in drawn.heats.iter().filter(|h| h.0 == task.task) {
        all.extend(heat::figure(name, cell, heats)?);
    }
    for (_, rows) in drawn.pointing.iter().filter(|p| p.0 == task.task) {
        all.extend(pointing::figure(name, rows));
    }
    Ok(all)
}
