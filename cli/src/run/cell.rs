//! One cell of a study, run in its directory.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Result;
use burn::tensor::Device;
use clip_lung_core::dataset::class::Class;
use clip_lung_core::dataset::nodules::Nodules;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::study::cells::{Cell, CellId};
use clip_lung_core::train::config::{Choose, TrainConfig, ValidateOn};
use clip_lung_core::train::split::split;

use super::fit::{Extras, Fit};
use super::shared::Shared;
use super::training::{Pace, Watch};
use super::{results, scoring};
use crate::failure::Failure;
use crate::io::files;
use crate::io::lock::Lock;
use crate::io::predictions::{self, Metrics, PREDICTIONS};
use crate::io::run_dir::RunDir;
use crate::io::study_dir::{StudyDir, Time};

/// Runs a cell, from the start or from where it was left; `lock` is that of its directory.
pub fn run(
    study: &StudyDir,
    cell: &Cell,
    lock: Lock,
    shared: &mut Shared,
    device: &Device,
    pace: Pace<'_>,
    watch: impl Watch,
) -> Result<()> {
    study.log(&format!("start {}", cell.id))?;
    study.forget_error(&cell.id)?;
    let clock = Clock { study, cell, start: Instant::now(), before: study.time(&cell.id) };
    let config = cell.config()?;
    let path = study.cell_dir(&cell.id);
    if config.init.is_some() || config.test.is_some() || matches!(config.validation, Some(ValidateOn::Data(_))) {
        let what = "a model to start from or another data set in its settings, which a cell can't have";
        return Err(Failure::File(format!("{} has {what}; use `clip-lung train`", cell.id)).into());
    }
    if let Some(twin) = twin(study, cell)?
        && study.is_as_planned(twin)?
    {
        as_twin(study, twin, &config, &RunDir::locked(&path, lock), shared)?;
        return study.log(&format!("done {}: trained as {}", cell.id, twin.id));
    }
    let extras = Extras { text: shared.text(&config, device)?, evidence: true, ..Extras::default() };
    let split = split(&shared.data.rows, &config)?;
    let steps = (split.train.len().div_ceil(config.batch_size) * config.epochs) as u64;
    clock.keep(steps)?;
    let fit = Fit::start(RunDir::locked(&path, lock), config, split, extras, &shared.data, device, false)?;
    let trained = fit.finish(pace, watch);
    let seconds = clock.keep(steps)?;
    trained?;
    // a cell that is done is not continued; its model stays
    let state = path.join("state.safetensors");
    if state.is_file() {
        std::fs::remove_file(&state)?;
    }
    study.log(&format!("done {}: {seconds:.0} s", cell.id))
}

/// The cell whose training is this one's too: lidc-b trains as lidc-a and tests a part of its nodules. It also validates on a part of
/// lidc-a's, so that the best epoch may be another.
pub fn twin<'a>(study: &'a StudyDir, cell: &Cell) -> Result<Option<&'a Cell>> {
    if cell.task != Task::LidcB {
        return Ok(None);
    }
    // the ids say which one it can be, its settings whether it is
    let id = CellId::new(cell.method, Task::LidcA, cell.fold, cell.seed, cell.variant.as_deref())?;
    let Some(other) = study.study.cell(&id) else { return Ok(None) };
    let wanted = TrainConfig { task: Task::LidcA, ..cell.config()? };
    Ok((wanted.choose == Choose::Last && other.config()? == wanted).then_some(other))
}

/// The predictions of a cell from those of its twin, and what trained them.
fn as_twin(study: &StudyDir, twin: &Cell, config: &TrainConfig, dir: &RunDir, shared: &Shared) -> Result<()> {
    let (data, from) = (&shared.data, study.cell_dir(&twin.id));
    let trained = Metrics::read(&from)?;
    let theirs = predictions::of_run(&from, &trained, Some(config))?;
    let of: BTreeMap<&str, &[f64; 3]> =
        theirs.nodules.iter().map(|n| (n.nodule_id.as_str(), &n.probabilities)).collect();
    let split = split(&data.rows, config)?;
    let missing = |id: &str| anyhow::anyhow!("{}: nodule {id} is missing", from.join(PREDICTIONS).display());
    let rows = split.held_out.iter().map(|&i| &data.rows[i].nodule_id);
    let rows: Vec<Vec<f64>> =
        rows.map(|id| of.get(id.as_str()).map(|p| p.to_vec()).ok_or_else(|| missing(id))).collect::<Result<_>>()?;
    let decision = theirs.decision;
    let report = scoring::score(&scoring::scored(data, &split.held_out, &rows, config.task, decision), config.task)?;
    let of = |rows| Nodules { data, rows };
    let size_only = scoring::size_only(of(&split.train), of(&split.held_out), config.task)?;
    let csv = scoring::csv(data, &split.held_out, &rows, &Class::ALL, config.fold)?;
    files::write(&dir.file("config.json"), &serde_json::to_vec_pretty(config)?)?;
    files::write(&dir.file("predictions.csv"), csv.as_bytes())?;
    let mut metrics = results::metrics(config, data, decision, &csv, &report, size_only.as_ref());
    metrics["program"] = serde_json::json!(trained.program);
    files::write(&dir.file("metrics.json"), &serde_json::to_vec_pretty(&metrics)?)
}

/// The time a cell takes, over all its interruptions.
struct Clock<'a> {
    study: &'a StudyDir,
    cell: &'a Cell,
    start: Instant,
    before: Time,
}

impl Clock<'_> {
    fn keep(&self, steps: u64) -> Result<f64> {
        let seconds = self.before.seconds + self.start.elapsed().as_secs_f64();
        self.study.keep_time(&self.cell.id, Time { steps, seconds })?;
        Ok(seconds)
    }
}
