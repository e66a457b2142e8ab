//! A model's scores on disturbed crops: what a click beside the centre, a misjudged diameter or another scanner does to its answers.

use std::path::PathBuf;

use anyhow::Result;
use clip_lung_core::Error;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::metrics::classification::{auc, benign_malignant, macro_auc};
use clip_lung_core::model::answer::Prediction;
use clip_lung_core::model::predict::Model;
use clip_lung_core::model::robustness::Disturbance;
use serde::{Deserialize, Serialize};

use super::scoring;
use crate::failure::Failure;
use crate::io::files;
use crate::show::markdown::escaped;

/// One disturbance, the mean over its directions.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    pub disturbance: String,
    pub accuracy: f64,
    pub macro_auc: Option<f64>,
    pub benign_malignant_auc: Option<f64>,
    /// The share of nodules whose class is another than undisturbed.
    pub changed: f64,
}

impl Row {
    /// Whether each of its numbers is a share.
    fn is_possible(&self) -> bool {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let areas = [self.macro_auc, self.benign_malignant_auc];
        share(self.accuracy) && share(self.changed) && areas.into_iter().flatten().all(share)
    }
}

/// All disturbances on these rows of a data set.
pub fn table(model: &Model, data: &Dataset, rows: &[usize], task: Task) -> Result<Vec<Row>> {
    let plain = scoring::predict(model, data, rows)?;
    let row = |&disturbance: &Disturbance| -> Result<Row> {
        let sets = match disturbance {
            Disturbance::None => vec![plain.clone()],
            _ => predictions(disturbance, model, data, rows)?,
        };
        let one = |set: &Vec<Prediction>| scores(model, data, rows, task, set, &plain);
        let scores: Vec<[Option<f64>; 4]> = sets.iter().map(one).collect();
        let mean = |k: usize| -> Option<f64> {
            let all: Option<Vec<f64>> = scores.iter().map(|s| s[k]).collect();
            all.map(|all| all.iter().sum::<f64>() / all.len() as f64)
        };
        Ok(Row {
            disturbance: disturbance.words(),
            accuracy: mean(0).unwrap_or(0.0),
            macro_auc: mean(1),
            benign_malignant_auc: mean(2),
            changed: mean(3).unwrap_or(0.0),
        })
    };
    Disturbance::of(data)?.iter().map(row).collect()
}

/// The predictions of disturbed crops: a set for each displacement of the centre.
fn predictions(
    disturbance: Disturbance,
    model: &Model,
    data: &Dataset,
    rows: &[usize],
) -> Result<Vec<Vec<Prediction>>> {
    let of = |direction: [f64; 2]| {
        let crop = |row: usize| disturbance.crop(data, row, direction);
        scoring::in_batches(data, rows, disturbance.misjudged(), crop, |crops, diameters| {
            model.predict(crops, diameters)
        })
    };
    disturbance.directions().into_iter().map(of).collect()
}

/// Accuracy, macro AUC, benign/malignant AUC and the share of other answers than `plain`.
fn scores(
    model: &Model,
    data: &Dataset,
    rows: &[usize],
    task: Task,
    set: &[Prediction],
    plain: &[Prediction],
) -> [Option<f64>; 4] {
    let probabilities: Vec<Vec<f64>> = set.iter().map(|p| p.probabilities.clone()).collect();
    let scored = scoring::scored(data, rows, &probabilities, task, model.config.decision);
    let right = scored.answers().iter().zip(&scored.truth).filter(|(answer, truth)| answer == truth).count();
    let classes = task.classes().len();
    let (positive, values): (Vec<bool>, Vec<f64>) =
        benign_malignant(&scored, classes).map(|(_, malignant, score)| (malignant, score)).unzip();
    let changed = set.iter().zip(plain).filter(|(a, b)| a.class != b.class).count();
    [
        Some(right as f64 / scored.len().max(1) as f64),
        macro_auc(&scored, classes),
        auc(&positive, &values),
        Some(changed as f64 / set.len().max(1) as f64),
    ]
}

/// The mean of several tables; `None` without one, or where their disturbances differ.
pub fn mean(tables: &[Vec<Row>]) -> Option<Vec<Row>> {
    let (first, n) = (tables.first()?, tables.len() as f64);
    if tables.iter().any(|t| !t.iter().map(|r| &r.disturbance).eq(first.iter().map(|r| &r.disturbance))) {
        return None;
    }
    let row = |k: usize| {
        let mean = |of: fn(&Row) -> Option<f64>| Some(tables.iter().map(|t| of(&t[k])).sum::<Option<f64>>()? / n);
        Row {
            disturbance: first[k].disturbance.clone(),
            accuracy: mean(|r| Some(r.accuracy)).unwrap_or(0.0),
            macro_auc: mean(|r| r.macro_auc),
            benign_malignant_auc: mean(|r| r.benign_malignant_auc),
            changed: mean(|r| Some(r.changed)).unwrap_or(0.0),
        }
    };
    Some((0..first.len()).map(row).collect())
}

/// The section of a card, from what `evaluate --robustness --json` printed: of held-out folds of the data set that the model learned from
/// (`learned_from`), which make one table, and of others.
pub fn section(files: &[PathBuf], learned_from: &str) -> Result<String> {
    #[derive(Deserialize)]
    struct Scores {
        nodules: usize,
    }
    #[derive(Deserialize)]
    struct Document {
        data: String,
        model: Scores,
        robustness: Option<Vec<Row>>,
    }
    let mut seen = Vec::new();
    let mut tables: Vec<(String, usize, Vec<Vec<Row>>)> = Vec::new();
    for path in files {
        let file = path.display().to_string();
        let bad = |e: serde_json::Error| Error::BadJson { file: file.clone(), reason: e.to_string() };
        let bytes = files::read(path)?;
        if let Some((_, first)) = seen.iter().find(|(known, _)| *known == bytes) {
            return Err(Failure::File(format!("{file}: it says what {first} says; give each fold once")).into());
        }
        let document: Document = serde_json::from_slice(&bytes).map_err(bad)?;
        seen.push((bytes, file.clone()));
        let missing = || {
            Failure::File(format!("{file}: there is no table in it; it is what `evaluate --robustness --json` prints"))
        };
        let (rows, nodules) = (document.robustness.ok_or_else(missing)?, document.model.nodules);
        if let Some(row) = rows.iter().find(|row| !row.is_possible()) {
            let reason = format!("`{}` has a score that is not from 0 to 1", row.disturbance);
            return Err(Error::BadJson { file, reason }.into());
        }
        match tables.iter_mut().find(|(data, ..)| *data == document.data) {
            Some((_, count, of_data)) => {
                *count += nodules;
                of_data.push(rows);
            }
            None => tables.push((document.data, nodules, vec![rows])),
        }
    }
    let mut out = String::from(
        "## Robustness\n\nNodules disturbed as by a click beside the centre, a misjudged diameter or another scanner; the last column is \
         how often the class became another. Means over directions, and over folds where there are several.\n",
    );
    for (data, nodules, of_data) in tables {
        let rows = mean(&of_data).ok_or_else(|| {
            let reason = "the robustness tables are not of the same disturbances; make all with this program";
            Failure::File(format!("{data}: {reason}"))
        })?;
        let shown = escaped(&data);
        let which = if learned_from.contains(&format!(" {data} (sha256 ")) {
            format!("The models of {} fold(s) on their held-out nodules of {shown}, {nodules} in all", of_data.len())
        } else {
            format!("This model on {shown}, {nodules} nodule(s)")
        };
        out += &format!("\n{which}:\n\n{}", render(&rows));
    }
    Ok(out)
}

/// As a table for the terminal, or for a card.
pub fn render(rows: &[Row]) -> String {
    let number = |value: Option<f64>| value.map_or("-".into(), |v| format!("{v:.3}"));
    let mut out = String::from(
        "| disturbance | accuracy | macro AUC | AUC benign/malignant | other class |\n|---|---|---|---|---|\n",
    );
    for row in rows {
        out += &format!(
            "| {} | {:.3} | {} | {} | {:.1} % |\n",
            escaped(&row.disturbance),
            row.accuracy,
            number(row.macro_auc),
            number(row.benign_malignant_auc),
            row.changed * 100.0
        );
    }
    out
}
