//! What the folds of a recipe say of the model that was trained on all nodules: predictions of nodules that the training did not see, for the
//! model's calibration and its card.

use std::path::Path;

use anyhow::Result;
use clip_lung_core::model::config::ModelConfig;
use clip_lung_core::study::measures::Measure;
use clip_lung_core::study::numbers;
use clip_lung_core::study::pooled::Predictions;
use clip_lung_core::study::summary::cohorts::Cohorts;
use clip_lung_core::study::summary::entry::{Entry, Kind, entries};
use clip_lung_core::study::summary::level::Row;
use clip_lung_core::train::config::{HeldOut, TrainConfig};

use crate::failure::Failure;
use crate::io::study_results::StudyResults;

/// The measures of a card's table.
const SHOWN: [Measure; 6] = [
    Measure::Accuracy,
    Measure::MacroAuc,
    Measure::BenignMalignantAuc,
    Measure::QuadraticKappa,
    Measure::Nll,
    Measure::Ece,
];

/// The folds of a model's recipe.
pub struct OutOfFold {
    /// Of all folds, each nodule once.
    pub predictions: Predictions,
    /// As `metadata.metrics` holds them.
    pub metrics: serde_json::Value,
    /// For the card.
    pub section: String,
}

/// The finished folds in a study of the recipe that the model was trained with.
///
/// A run says how it trained, a model directory (`run` is `None`) its method, pool and diameter alone.
pub fn of_study(study: &Path, config: &ModelConfig, run: Option<&TrainConfig>) -> Result<OutOfFold> {
    let results = StudyResults::read(study)?;
    let bad = |reason: String| Failure::File(format!("{}: {reason}", study.display()));
    let data = &results.dir.study.data;
    if !config.metadata.training_data.contains(&data.sha256) {
        let seen = &config.metadata.training_data;
        return Err(bad(format!("it is of {} ({}), the model was trained on {seen}", data.name, data.sha256)).into());
    }
    let all = entries(config.task, &results.finished, &results.anchors)?;
    let of_model = |e: &&Entry| {
        let same = |c: &TrainConfig| (c.pool, c.diameter) == (config.pool, config.diameter);
        e.kind != Kind::Anchor && e.method == Some(config.method) && e.config.as_ref().is_some_and(same)
    };
    let (method, task) = (config.method.name(), config.task.name());
    let candidates: Vec<&Entry> = all.iter().filter(of_model).collect();
    if candidates.is_empty() {
        return Err(
            bad(format!("no fold of {method} on {task} with the model's pool and diameter is finished in it")).into()
        );
    }
    let of_run = |e: &&&Entry| run.is_none_or(|run| e.config.as_ref().is_some_and(|c| same_recipe(c, run)));
    let Some(recipe) = candidates.iter().find(of_run) else {
        let reason =
            format!("its folds of {method} on {task} trained otherwise than the run; compare their config.json");
        return Err(bad(reason).into());
    };
    let predictions = recipe.on(&recipe.folds).swap_remove(0);
    let anchors: Vec<&Entry> = all.iter().filter(|e| e.kind == Kind::Anchor).collect();
    let mut cohorts = Cohorts::default();
    let nothing = || bad("its folds hold no nodule".into());
    let own = Row::new(recipe, &mut cohorts)?.ok_or_else(nothing)?;
    let seen = if run.is_some_and(|run| run.held_out != HeldOut::None) { "most" } else { "all" };
    let section = section(recipe, seen, &own, &anchors, &mut cohorts)?;
    let level =
        |measure: Measure| own.level(measure).map(|l| serde_json::json!({"value": l.pooled, "interval": l.interval}));
    let majority =
        own.confusion.iter().map(|row| row.iter().sum::<u64>()).max().unwrap_or(0) as f64 / own.nodules as f64;
    let metrics = serde_json::json!({
        "accuracy": level(Measure::Accuracy), "macro_auc": level(Measure::MacroAuc),
        "benign_malignant_auc": level(Measure::BenignMalignantAuc),
        "majority": majority, "held_out": own.nodules, "folds": own.folds.len(),
    });
    Ok(OutOfFold { predictions, metrics, section })
}

/// Whether two runs trained alike, but for what each of them held out.
fn same_recipe(cell: &TrainConfig, run: &TrainConfig) -> bool {
    *cell
        == TrainConfig {
            task: cell.task,
            folds: cell.folds,
            fold: cell.fold,
            grouping: cell.grouping,
            held_out: cell.held_out,
            seed: cell.seed,
            fold_seed: cell.fold_seed,
            data: cell.data.clone(),
            validation: cell.validation.clone(),
            ..run.clone()
        }
}

/// The recipe's measures beside those of predictors without an image, and the paired differences; `seen` says which share of the nodules
/// the model itself trained on.
fn section(recipe: &Entry, seen: &str, own: &Row, anchors: &[&Entry], cohorts: &mut Cohorts) -> Result<String> {
    let level = |row: &Row, measure: Measure| {
        let level = row.level(measure)?;
        let interval = level.interval.map_or(String::new(), |i| {
            format!(" ({}-{})", numbers::value(measure, i.low), numbers::value(measure, i.high))
        });
        Some(format!("{}{interval}", numbers::value(measure, level.pooled?)))
    };
    let mut levels = vec![("**this recipe**".to_owned(), SHOWN.map(|m| level(own, m)))];
    let mut differences = Vec::new();
    for anchor in anchors {
        let name = || numbers::shown(&anchor.name).to_owned();
        if let Some(row) = Row::new(anchor, cohorts)? {
            levels.push((name(), SHOWN.map(|m| level(&row, m))));
        }
        if let Some(compared) = cohorts.compare(recipe, anchor)? {
            let difference = |measure: Measure| {
                let d = compared.comparison.differences.iter().find(|d| d.measure == measure)?;
                let interval = d.interval.map_or(String::new(), |i| format!(" ({})", numbers::range(measure, i)));
                Some(format!("{}{interval}", numbers::signed(measure, d.difference)))
            };
            differences.push((name(), SHOWN.map(difference)));
        }
    }
    Ok(format!(
        "## Held-out results of the recipe\n\n{} nodules, each answered by one of {} models of this recipe that trained without its \
         patient; all folds together, with the 95 % interval of a bootstrap over patients. The model of this directory trained on \
         {seen} of them, so these are results of the recipe, not its own.\n\n{}\nThe recipe minus a predictor that sees no image, paired nodule by nodule:\n\n{}",
        own.nodules,
        own.folds.len(),
        table("", &levels),
        table("minus ", &differences)
    ))
}

/// Rows of the shown measures.
fn table(corner: &str, rows: &[(String, [Option<String>; SHOWN.len()])]) -> String {
    let heading = SHOWN.map(|m| format!(" | {}", numbers::name(m))).concat();
    let mut out = format!("| {corner}{} |\n|{}\n", heading.trim_start(), "---|".repeat(SHOWN.len() + 1));
    for (name, cells) in rows {
        let cells = cells.each_ref().map(|cell| format!(" {} |", cell.as_deref().unwrap_or("-"))).concat();
        out += &format!("| {name} |{cells}\n");
    }
    out
}
