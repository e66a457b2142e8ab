//! `config.json` of a model directory: what the network expects, and where it comes from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::answer_set::AnswerSet;
use super::guard::Guard;
use crate::base::unicode::line;
use crate::dataset::class::Class;
use crate::dataset::task::Task;
use crate::error::{Error, Result};
use crate::methods::Method;
use crate::methods::pool::Pool;
use crate::methods::readout::{Decision, ReadoutKind};
use crate::volume::crop::{Normalisation, SIDE};
use crate::volume::geometry::CropGeometry;

/// `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    pub schema: u32,
    pub method: Method,
    pub task: Task,
    pub classes: Vec<Class>,
    /// How layer4 becomes the classifier's features. Schema 1 knew the view alone.
    #[serde(default)]
    pub pool: Pool,
    /// How the classifier's outputs become probabilities. Schema 1 knew softmax alone.
    #[serde(default)]
    pub readout: ReadoutKind,
    /// How a class is decided on.
    #[serde(default)]
    pub decision: Decision,
    /// Whether the classifier also gets ln De - ln 8: every crop then comes with its nodule's diameter.
    #[serde(default)]
    pub diameter: bool,
    pub input: Input,
    pub metadata: Metadata,
    /// Which crops are no lung nodule, where the model was given a rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<Guard>,
    /// Which classes an answer leaves open, where the model was given a rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_set: Option<AnswerSet>,
    /// SHA-256 of the other files.
    #[serde(default)]
    pub sha256: BTreeMap<String, String>,
}

/// What the network expects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    pub shape: [usize; 3],
    pub hu_window: [f32; 2],
    pub mean: f32,
    pub std: f32,
    /// The box of the crops it was trained on; schema 1 has it in words.
    #[serde(deserialize_with = "CropGeometry::deserialize_or_words")]
    pub crop: CropGeometry,
}

/// Where the model comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    pub version: String,
    pub created: String,
    pub intended_use: String,
    pub training_data: String,
    /// Trained on drawn images: its answers say nothing about CT.
    #[serde(default)]
    pub synthetic: bool,
    pub text_encoder: String,
    /// The attributes' mean scores over the nodules it was trained on, by name, where the model has the words: the average nodule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute_means: Option<BTreeMap<String, f32>>,
    #[serde(default)]
    pub metrics: serde_json::Value,
    pub git_commit: String,
    pub seed: u64,
}

/// The schema that is written; 1 is read too.
pub const SCHEMA: u32 = 2;

impl ModelConfig {
    /// Reads a file of either schema, as one of schema 2; `file` names it in errors.
    ///
    /// # Errors
    /// When a field is missing, unknown or of no use.
    pub fn parse(json: &[u8], file: &str) -> Result<Self> {
        let bad = |reason: String| Error::BadJson { file: file.into(), reason };
        let config: Self = serde_json::from_slice(json).map_err(|e| bad(e.to_string()))?;
        config.check(file)?;
        Ok(Self { schema: SCHEMA, metadata: config.metadata.in_lines(), ..config })
    }

    pub(super) fn check(&self, file: &str) -> Result<()> {
        let bad = |reason: String| Error::BadJson { file: file.into(), reason };
        if !(1..=SCHEMA).contains(&self.schema) {
            return Err(bad(format!("schema {} is not supported, only 1 and 2", self.schema)));
        }
        if self.input.shape != [SIDE; 3] {
            return Err(bad(format!("input shape {:?} is not supported, only [32, 32, 32]", self.input.shape)));
        }
        let named = |e: Error| bad(e.to_string());
        self.task.check(&self.classes).map_err(named)?;
        if !self.method.readouts().contains(&self.readout) {
            let (method, readout) = (self.method.name(), self.readout.name());
            return Err(bad(format!("a model of the method {method} can't have the readout {readout}")));
        }
        self.input.normalisation().check().map_err(named)?;
        self.answer_set.map_or(Ok(()), |set| set.check()).map_err(named)?;
        self.guard.map_or(Ok(()), |guard| guard.check()).map_err(named)
    }
}

impl ModelConfig {
    /// What the model is, what it learned from and what it is for, in one sentence: it stands wherever an answer does.
    pub fn about(&self) -> String {
        let (method, task) = (self.method.name(), self.task.name());
        format!("{method} on {task}, {}; research use only, not a medical device", self.metadata.trained_on())
    }
}

impl Metadata {
    /// With every text on a line of its own: whatever a file says, a terminal is told words and nothing else.
    fn in_lines(self) -> Self {
        let Self { version, created, intended_use, training_data, text_encoder, git_commit, .. } = self;
        Self {
            version: line(&version),
            created: line(&created),
            intended_use: line(&intended_use),
            training_data: line(&training_data),
            text_encoder: line(&text_encoder),
            git_commit: line(&git_commit),
            ..self
        }
    }

    /// What the model learned from, in plain words: the data without their digest, and whether they were CT at all.
    pub fn trained_on(&self) -> String {
        let data = self.training_data.split(" (sha256 ").next().unwrap_or_default();
        let images = if self.synthetic { "synthetic drawings, not on CT" } else { "real CT" };
        format!("trained on {images}: {data}")
    }
}

impl Input {
    /// Crops of this geometry with these statistics.
    pub fn new(norm: &Normalisation, crop: CropGeometry) -> Self {
        Self { shape: [SIDE; 3], hu_window: norm.hu_window, mean: norm.mean, std: norm.std, crop }
    }

    /// That crops have the geometry that the model was trained on; `data` and `model` name both in the error.
    ///
    /// # Errors
    /// When they have another.
    pub fn check_crop(&self, crop: CropGeometry, data: &str, model: &str) -> Result<()> {
        if crop == self.crop {
            return Ok(());
        }
        let (data_crop, model_crop) = (crop.to_string(), self.crop.to_string());
        Err(Error::Geometry { data: data.into(), data_crop, model: model.into(), model_crop })
    }

    /// As a normalisation.
    pub fn normalisation(&self) -> Normalisation {
        Normalisation { hu_window: self.hu_window, mean: self.mean, std: self.std }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_model_learned_from_is_said_in_plain_words() {
        let of = |training_data: &str, synthetic| {
            Metadata { training_data: training_data.into(), synthetic, ..Metadata::default() }.trained_on()
        };
        let data = "12 LIDC-IDRI nodules of 7 patients, data set lidc";
        assert_eq!(of(&format!("{data} (sha256 01ab)"), false), format!("trained on real CT: {data}"));
        assert_eq!(of("lidc-phantom (sha256 9f)", true), "trained on synthetic drawings, not on CT: lidc-phantom");
        assert_eq!(of("one's own (scans)", false), "trained on real CT: one's own (scans)");
    }

    /// A configuration of which a test changes one field.
    const CONFIG: &str = r#"{"schema":2,"method":"ce","task":"lidc-a","classes":["benign","unsure","malignant"],"pool":"mean",
        "readout":"softmax","input":{"shape":[32,32,32],"hu_window":[-1000,400],"mean":0.4,"std":0.3,
        "crop":{"in_plane":{"diameters":2},"through_plane":{"diameters":1}}},
        "metadata":{"version":"1","created":"2026","intended_use":"research","training_data":"drawn","text_encoder":"none",
        "git_commit":"0","seed":2},"guard":{"middle_hu":-700,"tissue_around":0.6,"false_alarms":0.02,"nodules":9},
        "answer_set":{"coverage":0.9,"threshold":0.2,"measured":0.91}}"#;

    #[test]
    fn numbers_that_can_t_be_are_refused_and_the_file_is_named() {
        assert!(ModelConfig::parse(CONFIG.as_bytes(), "m/config.json").is_ok());
        for (from, to, part) in [
            (r#""threshold":0.2"#, r#""threshold":7"#, "answer_set.threshold is 7"),
            (r#""coverage":0.9"#, r#""coverage":-1"#, "answer_set.coverage"),
            (r#""measured":0.91"#, r#""measured":1.01"#, "answer_set.measured"),
            (r#""middle_hu":-700"#, r#""middle_hu":-70000"#, "guard.middle_hu"),
            (r#""tissue_around":0.6"#, r#""tissue_around":6"#, "guard.tissue_around"),
            (r#""false_alarms":0.02"#, r#""false_alarms":2"#, "guard.false_alarms"),
            (r#"{"diameters":2}"#, r#"{"diameters":1e12}"#, "a crop's side"),
            ("[-1000,400]", "[400,-1000]", "hu_window"),
            (r#""std":0.3"#, r#""std":0"#, "mean/std"),
            (r#""unsure","malignant""#, r#""malignant""#, "lidc-a"),
        ] {
            let message =
                ModelConfig::parse(CONFIG.replace(from, to).as_bytes(), "m/config.json").unwrap_err().to_string();
            assert!(message.starts_with("m/config.json: ") && message.contains(part), "{message}");
        }
    }

    #[test]
    fn a_model_tells_the_terminal_words_alone() {
        let odd = CONFIG.replace("drawn", r"drawn\u001b[2J\nuse it on patients");
        let about = ModelConfig::parse(odd.as_bytes(), "config.json").unwrap().about();
        assert!(about.contains("drawn [2J use it") && !about.contains(char::is_control), "{about}");
    }
}
