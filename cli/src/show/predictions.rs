//! Predictions as text, as a table and as a document.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clip_lung_core::base::unicode::line;
use clip_lung_core::model::answer::Prediction;
use clip_lung_core::model::config::ModelConfig;
use clip_lung_core::model::guard::OutOfPlace;
use clip_lung_core::model::predict::Model;
use clip_lung_core::volume::warning::Warning;
use serde_json::{Map, Value, json};

/// An answer, and for what.
pub struct Predicted {
    pub input: String,
    pub id: String,
    /// Where it was cut, where it is a scan's.
    pub geometry: Option<Value>,
    pub diameter_mm: Option<f64>,
    pub prediction: Prediction,
    pub ms: f64,
}

/// What is to know of an input, or of one nodule of it.
pub struct Warned {
    pub input: String,
    pub id: Option<String>,
    pub warning: Warning,
}

/// An input, or a nodule of one, that could not be predicted.
pub struct Failed {
    pub input: String,
    pub id: Option<String>,
    pub message: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => write!(f, "{}, nodule {id}: {}", self.input, self.message),
            // an input's own error names it
            None => f.write_str(&self.message),
        }
    }
}

/// All answers of a call.
pub struct Predictions<'a> {
    model: &'a Model,
    /// The model's directory.
    dir: &'a Path,
    device: String,
    pub rows: Vec<Predicted>,
    pub warnings: Vec<Warned>,
    pub failed: Vec<Failed>,
    /// Structured reports, where they were asked for.
    pub reports: Option<Vec<PathBuf>>,
    /// The server that has them, where they were stored.
    pub stored: Option<String>,
}

impl<'a> Predictions<'a> {
    pub fn new(model: &'a Model, dir: &'a Path, device: String) -> Self {
        let (rows, warnings, failed) = (Vec::new(), Vec::new(), Vec::new());
        Self { model, dir, device, rows, warnings, failed, reports: None, stored: None }
    }

    /// A line a prediction.
    pub fn text(&self) -> String {
        let config = &self.model.config;
        let names: String = config.classes.iter().map(|c| format!("{:>11}", c.name())).collect();
        let mut out = format!("{:<28}{:<11}{names}\n", "id", "class");
        for row in &self.rows {
            let shares: String = row.prediction.probabilities.iter().map(|v| format!("{v:>11.4}")).collect();
            out += &format!("{:<28}{:<11}{shares}\n", line(&row.id), row.prediction.class.name());
            if let Some(set) = row.prediction.set.as_ref().filter(|set| set.len() > 1) {
                let names: Vec<&str> = set.iter().map(|c| c.name()).collect();
                out += &format!("{:<28}open: {}\n", "", names.join(" or "));
            }
            if let Some(reason) = row.prediction.out_of_place {
                out += &format!("{:<28}{}\n", "", reason.words());
            }
        }
        for path in self.reports.iter().flatten() {
            out += &format!("structured report: {}\n", path.display());
        }
        if let Some(server) = &self.stored {
            out += &format!("structured report: stored at {server}\n");
        }
        out + &format!("text encoder of the training: {}\n{}\n", config.metadata.text_encoder, self.model.about())
    }

    /// The warnings, a line each, beside the output.
    pub fn warn(&self) {
        for w in &self.warnings {
            let nodule = w.id.as_ref().map_or(String::new(), |id| format!(", nodule {id}"));
            eprintln!("{}", line(&format!("warning: {}{nodule}: {}", w.input, w.warning)));
        }
    }

    /// A row a prediction, which stands for itself: p_CLASS a class of the model, where the crop was cut (empty where it is not known), what the
    /// answer leaves open and whether the crop is a lung nodule's (empty where the model has no rule for it), and the model.
    pub fn csv(&self) -> Result<Vec<u8>> {
        let config = &self.model.config;
        let mut writer = csv::Writer::from_writer(Vec::new());
        let shares = config.classes.iter().map(|c| format!("p_{}", c.name()));
        let place = ["series_uid", "frame", "centre_x_mm", "centre_y_mm", "centre_z_mm", "diameter_mm"];
        let first = ["input", "nodule_id", "class"].map(String::from);
        let judged = ["set", "in_distribution", "reason", "model", "model_sha256"].map(String::from);
        writer.write_record(first.into_iter().chain(shares).chain(place.map(String::from)).chain(judged))?;
        let (about, weights) = (self.model.about(), self.model.weights().join(" "));
        for row in &self.rows {
            let geometry = |key: &str| row.geometry.as_ref().map_or(Value::Null, |g| g[key].clone());
            let word = |value: Value| value.as_str().map(str::to_owned).unwrap_or_default();
            let centre = geometry("centre_mm");
            let number = |v: &Value| v.as_f64().map(|v| v.to_string()).unwrap_or_default();
            let mut cells = vec![row.input.clone(), row.id.clone(), row.prediction.class.name().into()];
            cells.extend(row.prediction.probabilities.iter().map(|p| format!("{p:.7}")));
            cells.extend(["series_uid", "frame"].map(|key| word(geometry(key))));
            cells.extend((0..3).map(|i| number(&centre[i])));
            cells.push(row.diameter_mm.map(|v| v.to_string()).unwrap_or_default());
            let set = row.prediction.set.iter().flatten().map(|class| class.name());
            cells.push(set.collect::<Vec<_>>().join(" "));
            cells.push(in_distribution(config, &row.prediction).map(|is| is.to_string()).unwrap_or_default());
            cells.push(row.prediction.out_of_place.map_or("", OutOfPlace::words).into());
            cells.extend([about.clone(), weights.clone()]);
            writer.write_record(cells)?;
        }
        Ok(writer.into_inner()?)
    }

    /// Everything.
    pub fn document(&self) -> Value {
        let config = &self.model.config;
        let meta = &config.metadata;
        let about = json!({
            "method": config.method, "task": config.task, "classes": config.classes,
            "about": self.model.about(), "intended_use": meta.intended_use, "training_data": meta.training_data,
            "synthetic": meta.synthetic, "text_encoder": meta.text_encoder,
            "device": self.device, "path": self.dir, "weights_sha256": self.model.weights(),
        });
        let warning = |w: &Warned| {
            let mut said = json!({"input": w.input, "kind": w.warning.kind(), "message": w.warning.to_string()});
            if let Some(id) = &w.id {
                said["id"] = json!(id);
            }
            said
        };
        let failed = |f: &Failed| json!({"input": f.input, "id": f.id, "message": f.message});
        let mut all = json!({
            "model": about,
            "predictions": self.rows.iter().map(|row| self.row(row)).collect::<Vec<_>>(),
            "warnings": self.warnings.iter().map(warning).collect::<Vec<_>>(),
            "failed": self.failed.iter().map(failed).collect::<Vec<_>>(),
        });
        if let Some(reports) = &self.reports {
            all["reports"] = json!(reports);
        }
        if let Some(server) = &self.stored {
            all["stored"] = json!(server);
        }
        all
    }

    fn row(&self, row: &Predicted) -> Value {
        let p = &row.prediction;
        let shares = self.model.config.classes.iter().zip(&p.probabilities);
        let probabilities: Map<String, Value> = shares.map(|(c, v)| (c.name().to_owned(), json!(v))).collect();
        let mut said = json!({
            "id": row.id, "class": p.class, "probabilities": probabilities, "logits": p.logits, "ms": row.ms,
            "input": row.input,
        });
        add_judgement(&mut said, &self.model.config, p);
        if let Some(geometry) = &row.geometry {
            said["crop"] = geometry.clone();
        }
        said
    }
}

/// Whether the crop is a lung nodule's, where the model has a rule for it.
fn in_distribution(config: &ModelConfig, prediction: &Prediction) -> Option<bool> {
    config.guard.map(|_| prediction.out_of_place.is_none())
}

/// Adds to a document what the model's rules say of an answer: the classes left open, and whether the crop is a lung nodule's.
pub fn add_judgement(said: &mut Value, config: &ModelConfig, prediction: &Prediction) {
    if let Some(set) = &prediction.set {
        said["set"] = json!(set);
    }
    if let Some(is) = in_distribution(config, prediction) {
        said["in_distribution"] = is.into();
    }
    if let Some(reason) = prediction.out_of_place {
        said["reason"] = reason.words().into();
    }
}
