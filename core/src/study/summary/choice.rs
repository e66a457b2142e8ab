//! Which model to use now, and how sure that is.

use serde::Serialize;

use super::cohorts::{Compared, Family};
use super::entry::{Entry, Kind};
use super::level::Row;
use crate::dataset::task::Task;
use crate::error::Result;
use crate::study::cells::{CellId, Study};
use crate::study::measures::Measure;
use crate::study::numbers;
use crate::train::config::TrainConfig;

/// What the choice goes by.
pub const MEASURE: Measure = Measure::MacroAuc;
/// A difference with a corrected p below this is called sure.
pub const LEVEL: f64 = 0.05;

/// The method of choice on a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Choice {
    pub method: String,
    /// Whose models to use together: one a fold, so that no fold is chosen for its score.
    pub models: Vec<CellId>,
    pub measure: Measure,
    /// Mean over the folds.
    pub mean: f64,
    pub sure_against_ce: Option<bool>,
    pub sure_against_size_only: Option<bool>,
    pub reason: String,
}

/// The method with the highest [`MEASURE`] among those with the most folds; `None` when none has one.
///
/// # Errors
/// When a cell's settings in the plan are none.
pub fn choose(
    study: &Study,
    entries: &[Entry],
    rows: &[Row],
    against_ce: Option<&Family>,
    against_size: Option<&Family>,
) -> Result<Option<Choice>> {
    let Some((best, mean, lacking)) = highest(entries, rows) else { return Ok(None) };
    let models = best.cells.iter().map(|id| trained_as(study, id)).collect::<Result<_>>()?;
    let mut choice = explained(best, mean, models, against_ce, against_size);
    if let Some(choice) = choice.as_mut().filter(|_| !lacking.is_empty()) {
        choice.reason += &format!(" Not considered, as cells of theirs are missing: {}.", lacking.join(", "));
    }
    Ok(choice)
}

/// The row with the highest mean over the folds, and the names of the methods that lack a fold.
fn highest<'a>(entries: &'a [Entry], rows: &[Row]) -> Option<(&'a Entry, f64, Vec<&'a str>)> {
    let methods = || entries.iter().zip(rows).filter(|(e, _)| e.kind == Kind::Method);
    let most = methods().map(|(e, _)| e.folds.len()).max()?;
    let (complete, lacking): (Vec<_>, Vec<_>) = methods().partition(|(e, _)| e.folds.len() == most);
    let scored = complete.into_iter().filter_map(|(e, r)| Some((e, r.level(MEASURE)?.mean)));
    let (best, mean) = scored.reduce(|best, other| if other.1 > best.1 { other } else { best })?;
    Some((best, mean, lacking.into_iter().map(|(e, _)| e.name.as_str()).collect()))
}

/// The cell that holds a cell's model: lidc-b trains as lidc-a does, and keeps no model of its own where the other has it.
fn trained_as(study: &Study, id: &CellId) -> Result<CellId> {
    let Some(cell) = study.cell(id).filter(|c| c.task == Task::LidcB) else { return Ok(id.clone()) };
    let wanted = TrainConfig { task: Task::LidcA, ..cell.config()? };
    for other in study.cells.iter().filter(|c| c.task == Task::LidcA && c.fold == cell.fold) {
        if other.config()? == wanted {
            return Ok(other.id.clone());
        }
    }
    Ok(id.clone())
}

fn explained(
    best: &Entry,
    mean: f64,
    models: Vec<CellId>,
    against_ce: Option<&Family>,
    against_size: Option<&Family>,
) -> Option<Choice> {
    let find = |family: Option<&Family>| -> Option<Compared> {
        family?.comparisons.iter().find(|c| c.comparison.first == best.name).cloned()
    };
    let (ce, size) = (find(against_ce), find(against_size));
    let mut reason = format!(
        "{} has the highest {}, {} in the mean over folds {}.",
        best.name,
        numbers::name(MEASURE),
        numbers::value(MEASURE, mean),
        numbers::numbers(&best.folds)
    );
    for (compared, name) in [(&ce, "ce"), (&size, "the diameter alone")] {
        let Some(compared) = compared else { continue };
        let (words, low_high) = (verdict(compared)?, interval(compared));
        reason += &format!(" Against {name} the difference is {low_high}: {words}.");
    }
    if ce.as_ref().and_then(sure) == Some(false) {
        reason += " ce, the plainest method, would do as well.";
    }
    Some(Choice {
        method: best.name.clone(),
        models,
        measure: MEASURE,
        mean,
        sure_against_ce: ce.as_ref().and_then(sure),
        sure_against_size_only: size.as_ref().and_then(sure),
        reason,
    })
}

/// Whether a difference in the measure is in favour of the first and holds after the correction.
fn sure(compared: &Compared) -> Option<bool> {
    let difference = compared.comparison.differences.iter().find(|d| d.measure == MEASURE)?.difference;
    Some(difference > 0.0 && compared.holm_of(MEASURE)? < LEVEL)
}

fn verdict(compared: &Compared) -> Option<String> {
    let p = compared.holm_of(MEASURE)?;
    let words = if sure(compared)? { "sure" } else { "not sure" };
    Some(format!("{words} after Holm's correction (p {})", numbers::p(p)))
}

fn interval(compared: &Compared) -> String {
    let found = compared.comparison.differences.iter().find(|d| d.measure == MEASURE);
    found.map_or(String::new(), |d| {
        let range = d.interval.map_or(String::new(), |i| format!(" (95 % {})", numbers::range(MEASURE, i)));
        numbers::signed(MEASURE, d.difference) + &range
    })
}
