//! Everything needed to repeat a run.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::dataset::augment::Augment;
use crate::dataset::table::Row;
use crate::dataset::task::Task;
use crate::error::{Error, Result};
use crate::methods::pool::Pool;
use crate::methods::{Method, MethodConfig, Setup};
use crate::nn::text::products::Products;
use crate::nn::text::side::TextSide;

/// How nodules are dealt to folds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grouping {
    /// All nodules of a patient share a fold.
    #[default]
    Patient,
    /// Nodules are dealt one by one, as in the paper; most test nodules then have a patient-mate in training.
    Nodule,
}

/// Which nodules a run is scored on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeldOut {
    /// The fold; everything else trains.
    #[default]
    Test,
    /// An eighth of the training patients, for choosing a recipe; the fold stays untouched.
    Val,
    /// Nothing: all nodules train, as for a model that is shipped. Folds don't matter then.
    None,
}

/// What the averaged network is scored on after each epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValidateOn {
    /// An eighth of the training patients, who then don't train.
    Inner,
    /// Another data set.
    Data(DataId),
}

/// Which epoch's weights a run ends with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choose {
    #[default]
    Last,
    /// The one with the lowest validation loss.
    Best,
}

/// The running statistics of the averaged weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmaBn {
    /// Those of the trained weights, copied at the end of each epoch.
    #[default]
    Copy,
    /// Measured with the averaged weights in one more pass over the training data.
    Recompute,
}

/// The settings of a run, echoed into its `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// The method with its own settings.
    pub method: MethodConfig,
    pub task: Task,
    /// How layer4 becomes the classifier's features.
    pub pool: Pool,
    /// Whether the classifier also gets ln De - ln 8.
    pub diameter: bool,
    pub folds: usize,
    pub fold: usize,
    pub grouping: Grouping,
    pub held_out: HeldOut,
    pub epochs: usize,
    pub batch_size: usize,
    pub lr: f64,
    pub momentum: f64,
    pub weight_decay: f64,
    /// Decay of the exponential moving average a step.
    pub ema: f64,
    pub ema_bn: EmaBn,
    /// The largest norm of a step's gradient, which a longer one is scaled to; `None` leaves every gradient as it is.
    pub clip_norm: Option<f64>,
    /// Of weights, order and augmentation; the folds don't depend on it.
    pub seed: u64,
    /// Of the folds: runs that are compared share it.
    pub fold_seed: u64,
    pub augment: Augment,
    /// The text encoder in words, with its digest or seed, for methods that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_encoder: Option<String>,
    /// Of the text encoder's products.
    #[serde(skip_serializing_if = "is_default")]
    pub precision: Products,
    /// The data set's name and SHA-256.
    pub data: DataId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<ValidateOn>,
    /// Another data set, which the run is scored on; then nothing of its own is held out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<DataId>,
    #[serde(skip_serializing_if = "is_default")]
    pub choose: Choose,
    /// The model that the weights start from, with its digest; at random where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<String>,
    /// Which patients are scored although they trained, where that was allowed or isn't known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leak: Option<String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Which data a run saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataId {
    pub name: String,
    pub sha256: String,
}

/// Version 0.1 named the method by a word, had clip-lung's settings in every run, and always pooled by the view.
fn from_first_version(fields: &mut Map<String, Value>) {
    let Some(Value::String(name)) = fields.get("method").cloned() else { return };
    let mut method = match fields.remove("losses") {
        Some(Value::Object(losses)) if name == Method::ClipLung.name() => losses,
        _ => Map::new(),
    };
    method.insert("name".into(), name.into());
    fields.insert("method".into(), method.into());
    fields.insert("pool".into(), json!(Pool::View));
    if fields.get("text_encoder").is_some_and(|t| t == "none") {
        fields.remove("text_encoder");
    }
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            method: Method::ClipLung.into(),
            task: Task::default(),
            pool: Pool::View,
            diameter: false,
            folds: 5,
            fold: 0,
            grouping: Grouping::default(),
            held_out: HeldOut::default(),
            epochs: 100,
            batch_size: 32,
            lr: 1e-3,
            momentum: 0.9,
            weight_decay: 1e-4,
            ema: 0.999,
            ema_bn: EmaBn::default(),
            clip_norm: None,
            seed: 2,
            fold_seed: 2,
            augment: Augment::default(),
            text_encoder: None,
            precision: Products::default(),
            data: DataId::default(),
            validation: None,
            test: None,
            choose: Choose::default(),
            init: None,
            leak: None,
        }
    }
}

impl TrainConfig {
    /// That every value is usable.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<()> {
        let bad = |what: &str, value: String, expected: &str| {
            Err(Error::OutOfRange { what: what.into(), value, expected: expected.into() })
        };
        let unit = |v: f64| (0.0..1.0).contains(&v);
        if self.folds < 2 {
            return bad("folds", self.folds.to_string(), "at least 2");
        }
        if self.fold >= self.folds {
            return bad("fold", self.fold.to_string(), &format!("below {}", self.folds));
        }
        if self.epochs == 0 || self.batch_size == 0 {
            return bad("epochs or batch size", "0".into(), "at least 1");
        }
        if !(self.lr.is_finite() && self.lr > 0.0) {
            return bad("lr", self.lr.to_string(), "above 0");
        }
        if !unit(self.momentum) || !unit(self.ema) {
            return bad("momentum or ema", format!("{} / {}", self.momentum, self.ema), "from 0 to below 1");
        }
        if let Some(norm) = self.clip_norm.filter(|n| !(n.is_finite() && *n > 0.0)) {
            return bad("clip norm", norm.to_string(), "above 0");
        }
        if !(self.weight_decay.is_finite() && self.weight_decay >= 0.0) {
            return bad("weight decay", self.weight_decay.to_string(), "0 or more");
        }
        if self.test.is_some() && self.held_out != HeldOut::None {
            return bad("what is held out", "a part of the training's data set".into(), "nothing, with a test set");
        }
        if self.choose == Choose::Best && self.validation.is_none() {
            return bad("the chosen epoch", "the best".into(), "the last: nothing is validated on (--validate)");
        }
        if self.precision != Products::F32 && !self.method.encodes_text() {
            return bad("precision", self.precision.name().into(), "f32: no frozen text encoder runs in its steps");
        }
        self.method.check(self.pool)
    }

    /// Of a method, with its own way of pooling and everything else by default.
    pub fn of(method: Method) -> Self {
        let method = MethodConfig::from(method);
        Self { pool: method.default_pool(), method, ..Self::default() }
    }

    /// What the method's head is made for, from the training rows.
    ///
    /// # Errors
    /// When the task does not know a row's class.
    pub fn setup(&self, rows: &[Row], train: &[usize], text: Option<Arc<TextSide>>) -> Result<Setup> {
        let lacks = |i: usize, what, remedy| Error::Lacks { nodule: rows[i].nodule_id.clone(), what, remedy };
        let unrated = |i: &&usize| rows[**i].ratings.is_none() || rows[**i].mean_malignancy.is_none();
        if let Some(&i) = train.iter().find(unrated).filter(|_| self.method.needs_ratings()) {
            return Err(lacks(
                i,
                "readers' ratings and malignancy",
                "this method learns from them: choose another, such as ce",
            ));
        }
        if let Some(i) = (0..rows.len())
            .find(|i| rows[*i].diameter_mm.is_none())
            .filter(|_| self.diameter || self.augment == Augment::Jitter)
        {
            return Err(lacks(
                i,
                "diameter",
                "leave --diameter and --augment jitter out, or fill in the column diameter_mm",
            ));
        }
        let mut class_counts = vec![0; self.task.classes().len()];
        for label in self.task.labels(rows, train)? {
            class_counts[label] += 1;
        }
        Ok(Setup { class_counts, pool: self.pool, diameter: self.diameter, seed: self.seed, text })
    }

    /// A run's `config.json`, of this version or of 0.1; `file` names it in errors.
    ///
    /// # Errors
    /// When it is not one.
    pub fn parse(bytes: &[u8], file: &str) -> Result<Self> {
        let bad = |e: serde_json::Error| Error::BadJson { file: file.into(), reason: e.to_string() };
        let mut value: Value = serde_json::from_slice(bytes).map_err(bad)?;
        if let Some(fields) = value.as_object_mut() {
            from_first_version(fields);
        }
        serde_json::from_value(value).map_err(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs of version 0.1: the method as a word, clip-lung's losses beside it.
    #[test]
    fn configurations_of_the_first_version_are_read() {
        let old = |method: &str| {
            format!(
                r#"{{"method":"{method}","task":"lidc-a","folds":5,"fold":1,"grouping":"patient","held_out":"test","epochs":3,
                "batch_size":32,"lr":0.001,"momentum":0.9,"weight_decay":0.0001,"ema":0.999,"ema_bn":"copy","clip_norm":null,
                "seed":2,"fold_seed":2,"augment":"default","losses":{{"ic":1.0,"ia":0.25,"ca":0.5,"ia_form":"soft",
                "ca_form":"class","attribute_weights":"range"}},"text_encoder":"none","data":{{"name":"d","sha256":"0"}}}}"#
            )
        };
        let ce = TrainConfig::parse(old("ce").as_bytes(), "config.json").unwrap();
        assert_eq!((ce.method.method(), ce.pool, ce.fold, ce.text_encoder.clone()), (Method::Ce, Pool::View, 1, None));
        let lung = TrainConfig::parse(old("clip-lung").as_bytes(), "config.json").unwrap();
        let MethodConfig::ClipLung(own) = &lung.method else { panic!("{:?}", lung.method) };
        assert_eq!((own.ia, own.start_tau), (0.25, 0.07));
        // what is written is read as it is, and holds nothing of another method
        for config in [ce, lung] {
            let json = serde_json::to_string(&config).unwrap();
            assert_eq!(TrainConfig::parse(json.as_bytes(), "config.json").unwrap(), config);
        }
        let ce = serde_json::to_string(&TrainConfig::of(Method::Ce)).unwrap();
        assert!(["attribute", "text_encoder", "precision"].iter().all(|later| !ce.contains(later)), "{ce}");
        assert!(TrainConfig::parse(br#"{"method":{"name":"ce","ic":1}}"#, "config.json").is_err());
    }

    #[test]
    fn every_method_is_usable_as_it_comes() {
        for method in Method::ALL {
            TrainConfig::of(method).check().unwrap();
        }
        let wrong = TrainConfig { pool: Pool::Mean, ..TrainConfig::of(Method::ClipLung) };
        assert!(wrong.check().unwrap_err().to_string().contains("view"));
    }
}
