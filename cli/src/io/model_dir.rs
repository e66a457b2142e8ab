//! Where a model lies: a directory of its own, or within that of the run that made it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::train::config::TrainConfig;

use crate::failure::Failure;
use crate::io::predictions::{self, CONFIG};
use crate::io::run_dir::{LOG, RunDir};
use crate::io::study_dir::STUDY;
use crate::show::command::typed;

/// The model directory that `place` names: itself, or the one within it where it is a run's.
pub fn model_dir(place: &Path) -> Result<PathBuf> {
    let within = place.join("model");
    if within.is_dir() {
        return Ok(within);
    }
    // a run that is finished has its predictions, a model never has any
    if predictions::finished(place) {
        return Err(Failure::ModelNotKept { run: place.into(), remedy: remedy(place) }.into());
    }
    let run = place.display();
    // a run has its log before anything else, a model never has one
    if place.join(LOG).is_file() {
        return Err(Failure::File(format!(
            "{run} is a training run that has not finished: continue it with `clip-lung train --resume --out {}`",
            typed(place)
        ))
        .into());
    }
    Ok(place.into())
}

/// What gives a finished run that has no model one.
fn remedy(run: &Path) -> String {
    let cells = run.parent().filter(|cells| cells.ends_with("cells"));
    let study = cells.and_then(Path::parent).filter(|study| study.join(STUDY).is_file());
    let (Some(study), Some(id)) = (study, run.file_name()) else {
        return format!("train again with the settings of its {CONFIG} (`clip-lung train`)");
    };
    if let Some(twin) = twin(run) {
        return format!("name {}, the cell that trained for both tasks", twin.display());
    }
    let (run, study, id) = (typed(run), typed(study), id.display());
    format!(
        "make it by running the cell again: `rm -r {run}`, then `clip-lung sweep run {study} --cell {id}`, with --data (and \
         --text-encoder, for a method with words) where the study was planned elsewhere"
    )
}

/// The cell of lidc-a whose training a cell of lidc-b took over.
fn twin(run: &Path) -> Option<PathBuf> {
    let config = RunDir::config(run).ok().filter(|config| config.task == Task::LidcB)?;
    let name = run.file_name()?.to_str()?.replacen(Task::LidcB.name(), Task::LidcA.name(), 1);
    let other = run.with_file_name(name);
    let trained = RunDir::config(&other).ok()?;
    (trained == TrainConfig { task: Task::LidcA, ..config }).then_some(other)
}
