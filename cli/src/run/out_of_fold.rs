//! What the folds of a recipe say of the model that was trained on all nodules: predictions of nodules that the training did not see, for the
//! model's calibration and its card.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clip_lung_core::Error;
use clip_lung_core::model::config::ModelConfig;
use clip_lung_core::study::measures::Measure;
use clip_lung_core::study::pooled::Predictions;
use clip_lung_core::study::summary::cohorts::Cohorts;
use clip_lung_core::study::summary::entry::{Entry, Kind, entries};
use clip_lung_core::study::summary::level::Row;
use serde::Deserialize;

use super::robustness;
use crate::failure::Failure;
use crate::io::files;
use crate::io::study_results::StudyResults;
use crate::show::numbers;

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
pub fn of_study(study: &Path, config: &ModelConfig) -> Result<OutOfFold> {
    let results = StudyResults::read(study)?;
    let bad = |reason: String| Failure::File(format!("{}: {reason}", study.display()));
    let data = &results.dir.study.data;
    if !config.metadata.training_data.contains(&data.sha256) {
        let seen = &config.metadata.training_data;
        return Err(bad(format!("it is of {} ({}), the model was trained on {seen}", data.name, data.sha256)).into());
    }
    let all = entries(config.task, &results.finished, &results.anchors)?;
    let of_recipe = |e: &&Entry| {
        let same =
            |c: &clip_lung_core::train::config::TrainConfig| (c.pool, c.diameter) == (config.pool, config.diameter);
        e.kind != Kind::Anchor && e.method == Some(config.method) && e.config.as_ref().is_some_and(same)
    };
    let Some(recipe) = all.iter().find(of_recipe) else {
        let (method, task) = (config.method.name(), config.task.name());
        return Err(
            bad(format!("no fold of {method} on {task} with the model's pool and diameter is finished in it")).into()
        );
    };
    let predictions = recipe.on(&recipe.folds).swap_remove(0);
    let anchors: Vec<&Entry> = all.iter().filter(|e| e.kind == Kind::Anchor).collect();
    let mut cohorts = Cohorts::default();
    let nothing = || bad("its folds hold no nodule".into());
    let own = Row::new(recipe, &mut cohorts)?.ok_or_else(nothing)?;
    let section = section(recipe, &own, &anchors, &mut cohorts)?;
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

/// The recipe's measures beside those of predictors without an image, and the paired differences.
fn section(recipe: &Entry, own: &Row, anchors: &[&Entry], cohorts: &mut Cohorts) -> Result<String> {
    let folds = own.folds.len();
    let mut out = format!(
        "## Held-out results of the recipe\n\n{} nodules, each answered by one of {folds} models of this recipe that trained without its \
         patient; all folds together, with the 95 % interval of a bootstrap over patients. The model of this directory trained on all of \
         them, so it has no result of its own here.\n\n|",
        own.nodules
    );
    out += &SHOWN.map(|m| format!(" | {}", numbers::name(m))).concat();
    out += &format!(" |\n|{}\n", "---|".repeat(SHOWN.len() + 1));
    let line = |row: &Row, name: &str| {
        let cell = |m: Measure| {
            let level = row.level(m)?;
            let interval = level
                .interval
                .map_or(String::new(), |i| format!(" ({}-{})", numbers::value(m, i.low), numbers::value(m, i.high)));
            Some(format!(" {}{interval} |", numbers::value(m, level.pooled?)))
        };
        format!("| {name} |{}\n", SHOWN.map(|m| cell(m).unwrap_or(" - |".into())).concat())
    };
    out += &line(own, "**this recipe**");
    for anchor in anchors {
        let row = Row::new(anchor, cohorts)?;
        out += &row.map_or(String::new(), |row| line(&row, numbers::shown(&row.name)));
    }
    out += "\nThe recipe minus a predictor that sees no image, paired nodule by nodule:\n\n| minus";
    out += &SHOWN.map(|m| format!(" | {}", numbers::name(m))).concat();
    out += &format!(" |\n|{}\n", "---|".repeat(SHOWN.len() + 1));
    for anchor in anchors {
        let Some(compared) = cohorts.compare(recipe, anchor)? else { continue };
        let cell = |m: Measure| {
            let d = compared.comparison.differences.iter().find(|d| d.measure == m)?;
            let interval = d.interval.map_or(String::new(), |i| format!(" ({})", numbers::range(m, i)));
            Some(format!(" {}{interval} |", numbers::signed(m, d.difference)))
        };
        let cells = SHOWN.map(|m| cell(m).unwrap_or(" - |".into())).concat();
        out += &format!("| {} |{cells}\n", numbers::shown(&anchor.name));
    }
    Ok(out)
}

/// The mean over folds of what `evaluate --robustness --json` printed of each.
pub fn robustness(files: &[PathBuf]) -> Result<String> {
    #[derive(Deserialize)]
    struct Document {
        robustness: Option<Vec<robustness::Row>>,
    }
    let mut folds = Vec::new();
    for path in files {
        let file = path.display().to_string();
        let bad = |e: serde_json::Error| Error::BadJson { file: file.clone(), reason: e.to_string() };
        let document: Document = serde_json::from_slice(&files::read(path)?).map_err(bad)?;
        let missing = || {
            Failure::File(format!("{file}: there is no table in it; it is what `evaluate --robustness --json` prints"))
        };
        folds.push(document.robustness.ok_or_else(missing)?);
    }
    let rows = robustness::mean(&folds).ok_or_else(|| {
        Failure::File("the robustness tables are not of the same disturbances; make all with this program".into())
    })?;
    Ok(format!(
        "## Robustness\n\nThe models of {} fold(s) on their held-out nodules, disturbed as by a click beside the centre, a misjudged diameter or \
         another scanner; the last column is how often the class became another. Means over folds and directions.\n\n{}",
        folds.len(),
        robustness::render(&rows)
    ))
}
