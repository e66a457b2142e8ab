//! Which model to use now, and how sure that is.

use std::cmp::Ordering;

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
    if let (Some(choice), Some((variant, value))) = (choice.as_mut(), above(entries, rows, best, mean)) {
        choice.reason += &format!(" Of the variants, {variant} has the most, {}.", numbers::value(MEASURE, value));
    }
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

/// The variant with the highest mean over the same folds, where that is above the method of choice.
fn above<'a>(entries: &'a [Entry], rows: &[Row], best: &Entry, mean: f64) -> Option<(&'a str, f64)> {
    let variants = entries.iter().zip(rows).filter(|(e, _)| e.kind == Kind::Variant && e.folds == best.folds);
    let scored = variants.filter_map(|(e, r)| Some((e.name.as_str(), r.level(MEASURE)?.mean)));
    scored.filter(|(_, value)| *value > mean).reduce(|most, other| if other.1 > most.1 { other } else { most })
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
        "{} has the highest {} of the methods, {} in the mean over folds {}.",
        best.name,
        numbers::name(MEASURE),
        numbers::value(MEASURE, mean),
        numbers::numbers(&best.folds)
    );
    for (compared, name) in [(&ce, "ce"), (&size, "the diameter alone")] {
        let Some(compared) = compared else { continue };
        let (words, low_high) = (verdict(compared)?, interval(compared));
        let on = if compared.shared_folds == best.folds {
            String::new()
        } else {
            format!(" on folds {}", numbers::numbers(&compared.shared_folds))
        };
        reason += &format!(" Against {name} the difference{on} is {low_high}: {words}.");
    }
    if ce.as_ref().and_then(sign) == Some(Ordering::Equal) {
        reason += " ce, the plainest method, can't be told from it.";
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

/// Where the first stands in the measure, as far as that holds after the correction.
fn sign(compared: &Compared) -> Option<Ordering> {
    let difference = compared.comparison.differences.iter().find(|d| d.measure == MEASURE)?.difference;
    let holds = compared.holm_of(MEASURE)? < LEVEL;
    if holds { difference.partial_cmp(&0.0) } else { Some(Ordering::Equal) }
}

/// Whether the first is better, and that holds.
fn sure(compared: &Compared) -> Option<bool> {
    Some(sign(compared)? == Ordering::Greater)
}

fn verdict(compared: &Compared) -> Option<String> {
    let p = compared.holm_of(MEASURE)?;
    let words = match sign(compared)? {
        Ordering::Greater => "surely above it",
        Ordering::Less => "surely below it",
        Ordering::Equal => "not sure",
    };
    Some(format!("{words} after Holm's correction (p {})", numbers::p(p)))
}

fn interval(compared: &Compared) -> String {
    let found = compared.comparison.differences.iter().find(|d| d.measure == MEASURE);
    found.map_or(String::new(), |d| {
        let range = d.interval.map_or(String::new(), |i| format!(" (95 % {})", numbers::range(MEASURE, i)));
        numbers::signed(MEASURE, d.difference) + &range
    })
}
