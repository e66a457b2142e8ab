//! Predictions and explanations of crops by a loaded model.

use burn::tensor::{Device, Tensor, TensorData, read_sync};

use super::answer::{Explanation, Prediction};
use super::average;
use super::config::ModelConfig;
use super::explain::{attributes, gradcam};
use super::guard::Surroundings;
use super::network::ImageNet;
use crate::dataset::class::Class;
use crate::error::{Error, Result};
use crate::methods::heads::trunk::{Pass, log_diameter};
use crate::methods::readout::{Probabilities, Readout, ReadoutKind};
use crate::volume::crop::{Crop, Normalisation, SIDE, VOXELS};

/// Crops computed at once.
const BATCH: usize = 32;

/// The words of the attribute read-out.
pub(super) struct Words {
    /// Unit rows, `[8 * 512]`.
    pub features: Vec<f32>,
    /// 1/tau.
    pub scale: f32,
}

/// A model ready to predict.
///
/// A browser's GPU can only be read asynchronously: every function that reads the device is `async`, with a blocking form beside it.
pub struct Model {
    pub config: ModelConfig,
    pub(super) net: ImageNet,
    pub(super) norm: Normalisation,
    pub(super) readout: Readout,
    /// Of the calibration: log-probabilities are divided by it.
    pub(super) temperature: f64,
    pub(super) words: Option<Words>,
    /// What Grad-CAM needs, `[512]` for each of the classifier's outputs.
    pub(super) output_weights: Vec<Vec<f32>>,
    pub(super) device: Device,
    /// The other members of an ensemble, whose first member this is; empty for a model of its own.
    pub(super) others: Vec<Model>,
}

impl Model {
    /// The pass of a batch; the diameters have been checked.
    fn forward(&self, crops: &[Crop], diameters_mm: &[f64]) -> (Tensor<4>, Pass) {
        let mut values = Vec::with_capacity(crops.len() * VOXELS);
        crops.iter().for_each(|c| values.extend(c.hu().iter().map(|v| self.norm.apply(*v))));
        let input = Tensor::from_data(TensorData::new(values, [crops.len(), SIDE, SIDE, SIDE]), &self.device);
        let column = self.config.diameter.then(|| {
            let logs: Vec<f32> = diameters_mm.iter().map(|d| log_diameter(*d)).collect();
            Tensor::from_data(TensorData::new(logs, [crops.len(), 1]), &self.device)
        });
        self.net.forward(input, column)
    }

    /// That there is a diameter for each crop, where the model needs them.
    fn check_diameters(&self, crops: &[Crop], diameters_mm: &[f64]) -> Result<()> {
        let bad = |value: String| {
            let expected = "a positive number of mm for each crop: this model reads the diameter beside the image";
            Err(Error::OutOfRange { what: "the nodule's diameter".into(), value, expected: expected.into() })
        };
        if !self.config.diameter {
            return Ok(());
        }
        if diameters_mm.len() != crops.len() {
            return bad(if diameters_mm.is_empty() {
                "not given".into()
            } else {
                format!("{} of them", diameters_mm.len())
            });
        }
        match diameters_mm.iter().find(|d| !(d.is_finite() && **d > 0.0)) {
            Some(wrong) => bad(format!("{wrong} mm")),
            None => Ok(()),
        }
    }

    /// Predicts crops, a few at a time. `diameters_mm`: one a crop where `config.diameter`, otherwise not looked at.
    ///
    /// # Errors
    /// When a diameter is needed and missing, or the device fails.
    pub fn predict(&self, crops: &[Crop], diameters_mm: &[f64]) -> Result<Vec<Prediction>> {
        read_sync(self.predict_async(crops, diameters_mm))
    }

    /// [`Model::predict`] where blocking is not possible.
    ///
    /// # Errors
    /// As [`Model::predict`].
    pub async fn predict_async(&self, crops: &[Crop], diameters_mm: &[f64]) -> Result<Vec<Prediction>> {
        let own = self.own_predictions(crops, diameters_mm).await?;
        let mut members = vec![own];
        for other in &self.others {
            members.push(other.own_predictions(crops, diameters_mm).await?);
        }
        Ok(average::predictions(|p| self.decide(p), members))
    }

    async fn own_predictions(&self, crops: &[Crop], diameters_mm: &[f64]) -> Result<Vec<Prediction>> {
        self.check_diameters(crops, diameters_mm)?;
        let units = self.output_weights.len();
        let mut out = Vec::with_capacity(crops.len());
        for (part, diameters) in parts(crops, diameters_mm) {
            for outputs in numbers(self.forward(part, diameters).1.outputs).await?.chunks_exact(units) {
                out.push(self.prediction(outputs)?);
            }
        }
        self.judge(crops, diameters_mm, &mut out);
        Ok(out)
    }

    /// The classifier's input without the diameter, `[n * 512]`, a few crops at a time.
    ///
    /// # Errors
    /// As [`Model::predict`].
    pub fn features(&self, crops: &[Crop], diameters_mm: &[f64]) -> Result<Vec<f32>> {
        self.check_diameters(crops, diameters_mm)?;
        let mut out = Vec::new();
        for (part, diameters) in parts(crops, diameters_mm) {
            out.extend(read_sync(numbers(self.forward(part, diameters).1.features))?);
        }
        Ok(out)
    }

    fn prediction(&self, outputs: &[f32]) -> Result<Prediction> {
        // some readouts make certain answers of infinity
        if let Some(u) = outputs.iter().find(|u| !u.is_finite()) {
            let reason =
                format!("it returned {u} for an output of the classifier; try another device, or check the model");
            return Err(Error::Device(reason));
        }
        let logs = self.readout.log_probabilities(outputs);
        let probabilities = Probabilities::of_logs(&logs, self.temperature)?.values().to_vec();
        let (class, set) = self.decide(&probabilities);
        let logits = match self.readout.kind() {
            ReadoutKind::Softmax => outputs.iter().map(|u| f64::from(*u)).collect(),
            _ => probabilities.iter().map(|p| p.max(f64::MIN_POSITIVE).ln()).collect(),
        };
        Ok(Prediction { logits, probabilities, class, set, out_of_place: None })
    }

    /// The class decided on, and those that are left open.
    fn decide(&self, probabilities: &[f64]) -> (Class, Option<Vec<Class>>) {
        let classes = &self.config.classes;
        let decided = self.config.decision.decide(probabilities);
        let set = self.config.answer_set.map(|rule| rule.of(probabilities, decided));
        (classes[decided], set.map(|set| set.into_iter().map(|k| classes[k]).collect()))
    }

    /// Says of each crop whether it is a lung nodule's, where the model has a rule for it.
    fn judge(&self, crops: &[Crop], diameters_mm: &[f64], predictions: &mut [Prediction]) {
        let Some(guard) = self.config.guard else { return };
        for (n, (crop, prediction)) in crops.iter().zip(predictions).enumerate() {
            let surroundings = Surroundings::of(crop, self.config.input.crop, diameters_mm.get(n).copied());
            prediction.out_of_place = surroundings.and_then(|s| guard.judge(s));
        }
    }

    /// The prediction of a crop, its Grad-CAM for `class` (the predicted one when `None`; 32 x 32, 0..1), the class shown, and
    /// the scores of the eight attributes where the model has the words.
    ///
    /// # Errors
    /// When the model does not know the class, a diameter is needed and missing, or the device fails.
    pub fn explain(&self, crop: &Crop, diameter_mm: Option<f64>, class: Option<Class>) -> Result<Explanation> {
        let diameters: Vec<f64> = diameter_mm.into_iter().collect();
        let mut found = read_sync(self.explain_async(std::slice::from_ref(crop), &diameters, class))?;
        found.pop().ok_or_else(|| Error::Device("it returned nothing".into()))
    }

    /// [`Model::explain`] for several crops at once, where blocking is not possible.
    ///
    /// # Errors
    /// As [`Model::explain`].
    pub async fn explain_async(
        &self,
        crops: &[Crop],
        diameters_mm: &[f64],
        class: Option<Class>,
    ) -> Result<Vec<Explanation>> {
        if let Some(class) = class.filter(|c| !self.config.classes.contains(c)) {
            let known: Vec<&str> = self.config.classes.iter().map(|c| c.name()).collect();
            return Err(Error::OutOfRange {
                what: "the class to explain".into(),
                value: class.name().into(),
                expected: format!("one of {}", known.join(", ")),
            });
        }
        if self.others.is_empty() {
            return self.own_explanations(crops, diameters_mm, class).await;
        }
        // all members explain one class: the one asked for, or each crop's own
        let mut out = Vec::with_capacity(crops.len());
        for (n, prediction) in self.predict_async(crops, diameters_mm).await?.into_iter().enumerate() {
            let (crop, diameter) = (&crops[n..=n], diameters_mm.get(n..=n).unwrap_or_default());
            let class = class.unwrap_or(prediction.class);
            let mut members = self.own_explanations(crop, diameter, Some(class)).await?;
            for other in &self.others {
                members.extend(other.own_explanations(crop, diameter, Some(class)).await?);
            }
            out.push(average::explanation(prediction, class, &members));
        }
        Ok(out)
    }

    /// Whether the model has the words of the attributes.
    pub fn has_words(&self) -> bool {
        self.words.is_some()
    }

    /// The scores of the eight attributes of each crop; none without the words.
    ///
    /// # Errors
    /// As [`Model::predict`].
    pub fn attributes(&self, crops: &[Crop], diameters_mm: &[f64]) -> Result<Vec<Vec<f32>>> {
        let explained = read_sync(self.own_explanations(crops, diameters_mm, None))?;
        Ok(explained.into_iter().filter_map(|e| e.attributes).collect())
    }

    async fn own_explanations(
        &self,
        crops: &[Crop],
        diameters_mm: &[f64],
        class: Option<Class>,
    ) -> Result<Vec<Explanation>> {
        self.check_diameters(crops, diameters_mm)?;
        let mut out = Vec::with_capacity(crops.len());
        for (part, diameters) in parts(crops, diameters_mm) {
            let (layer4, pass) = self.forward(part, diameters);
            // the words are compared with the channel groups, or with the one feature of a model without
            let groups: Tensor<2> = pass.groups.map_or(pass.features, |groups| groups.flatten(1, 2));
            let layer4: Tensor<2> = layer4.flatten(1, 3);
            let (cells, words, units) = (layer4.dims()[1], groups.dims()[1], self.output_weights.len());
            // one read: each is a round trip on a GPU
            let rows = numbers(Tensor::cat(vec![layer4, groups, pass.outputs], 1)).await?;
            for row in rows.chunks_exact(cells + words + units) {
                let (layer4, rest) = row.split_at(cells);
                let (groups, outputs) = rest.split_at(words);
                out.push(self.explanation(layer4, groups, outputs, class)?);
            }
        }
        for (n, (crop, one)) in crops.iter().zip(&mut out).enumerate() {
            let diameter = diameters_mm.get(n..=n).unwrap_or_default();
            self.judge(std::slice::from_ref(crop), diameter, std::slice::from_mut(&mut one.prediction));
        }
        Ok(out)
    }

    fn explanation(
        &self,
        layer4: &[f32],
        groups: &[f32],
        outputs: &[f32],
        class: Option<Class>,
    ) -> Result<Explanation> {
        let prediction = self.prediction(outputs)?;
        let class = class.unwrap_or(prediction.class);
        // `class` is one of the model's
        let index = self.config.classes.iter().position(|c| *c == class).unwrap_or(0);
        let weights = gradcam::chained(&self.output_weights, &self.readout.derivative(outputs, index));
        Ok(Explanation {
            heat: gradcam::heat(layer4, &weights),
            attributes: self.words.as_ref().map(|w| attributes::scores(groups, &w.features, w.scale)),
            prediction,
            class,
        })
    }
}

/// Crops with their diameters, if there are any, a few at a time.
fn parts<'a>(crops: &'a [Crop], diameters_mm: &'a [f64]) -> impl Iterator<Item = (&'a [Crop], &'a [f64])> {
    let diameters = diameters_mm.chunks(BATCH).map(Some).chain(std::iter::repeat(None));
    crops.chunks(BATCH).zip(diameters).map(|(crops, diameters)| (crops, diameters.unwrap_or_default()))
}

/// A tensor's values.
///
/// # Errors
/// When the device fails.
async fn numbers<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let data = tensor.into_data_async().await.map_err(|e| Error::Device(e.to_string()))?;
    Ok(data.iter::<f32>().collect())
}
