//! Predictions and explanations of crops by a loaded model.

use burn::tensor::{Device, Tensor, TensorData, read_sync};

use super::config::ModelConfig;
use super::explain::{attributes, gradcam};
use crate::dataset::class::Class;
use crate::error::{Error, Result};
use crate::nn::image_net::{Features, ImageNet};
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
    pub(super) words: Option<Words>,
    /// What Grad-CAM needs, one a class.
    pub(super) gradients: Vec<Vec<f32>>,
    pub(super) device: Device,
}

/// The probabilities of one crop.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// One a class, in the order of `config.classes`.
    pub logits: Vec<f32>,
    /// Softmax of the logits.
    pub probabilities: Vec<f64>,
    /// The most probable class.
    pub class: Class,
}

/// Why a crop was predicted as it was.
pub struct Explanation {
    pub prediction: Prediction,
    /// The class explained.
    pub class: Class,
    /// Grad-CAM, 32 x 32, 0..1.
    pub heat: Vec<f32>,
    /// The scores of the eight attributes, where the model has the words.
    pub attributes: Option<Vec<f32>>,
}

impl Model {
    fn features(&self, crops: &[Crop]) -> Features {
        let mut values = Vec::with_capacity(crops.len() * VOXELS);
        crops.iter().for_each(|c| values.extend(c.hu().iter().map(|v| self.norm.apply(*v))));
        let input = Tensor::from_data(TensorData::new(values, [crops.len(), SIDE, SIDE, SIDE]), &self.device);
        self.net.infer(input)
    }

    /// Predicts crops, a few at a time.
    ///
    /// # Errors
    /// When the device fails.
    pub fn predict(&self, crops: &[Crop]) -> Result<Vec<Prediction>> {
        read_sync(self.predict_async(crops))
    }

    /// [`Model::predict`] where blocking is not possible.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn predict_async(&self, crops: &[Crop]) -> Result<Vec<Prediction>> {
        let classes = self.config.classes.len();
        let mut out = Vec::with_capacity(crops.len());
        for part in crops.chunks(BATCH) {
            for logits in numbers(self.features(part).logits).await?.chunks_exact(classes) {
                out.push(self.prediction(logits));
            }
        }
        Ok(out)
    }

    fn prediction(&self, logits: &[f32]) -> Prediction {
        let probabilities = softmax(logits);
        let class = self.config.classes[crate::metrics::argmax(&probabilities)];
        Prediction { logits: logits.to_vec(), probabilities, class }
    }

    /// The prediction of a crop, its Grad-CAM for `class` (the predicted one when `None`; 32 x 32, 0..1), the class shown, and
    /// the scores of the eight attributes where the model has the words.
    ///
    /// # Errors
    /// When the model does not know the class or the device fails.
    pub fn explain(&self, crop: &Crop, class: Option<Class>) -> Result<Explanation> {
        let mut found = read_sync(self.explain_async(std::slice::from_ref(crop), class))?;
        found.pop().ok_or_else(|| Error::Device("it returned nothing".into()))
    }

    /// [`Model::explain`] for several crops at once, where blocking is not possible.
    ///
    /// # Errors
    /// As [`Model::explain`].
    pub async fn explain_async(&self, crops: &[Crop], class: Option<Class>) -> Result<Vec<Explanation>> {
        if let Some(class) = class.filter(|c| !self.config.classes.contains(c)) {
            let known: Vec<&str> = self.config.classes.iter().map(|c| c.name()).collect();
            return Err(Error::OutOfRange {
                what: "the class to explain".into(),
                value: class.name().into(),
                expected: format!("one of {}", known.join(", ")),
            });
        }
        let mut out = Vec::with_capacity(crops.len());
        for part in crops.chunks(BATCH) {
            let features = self.features(part);
            let groups: Tensor<2> = features.groups().flatten(1, 2);
            let layer4: Tensor<2> = features.layer4.flatten(1, 3);
            let (cells, words) = (layer4.dims()[1], groups.dims()[1]);
            // one read: each is a round trip on a GPU
            let rows = numbers(Tensor::cat(vec![layer4, groups, features.logits], 1)).await?;
            for row in rows.chunks_exact(cells + words + self.config.classes.len()) {
                let (layer4, rest) = row.split_at(cells);
                let (groups, logits) = rest.split_at(words);
                out.push(self.explanation(layer4, groups, logits, class));
            }
        }
        Ok(out)
    }

    fn explanation(&self, layer4: &[f32], groups: &[f32], logits: &[f32], class: Option<Class>) -> Explanation {
        let prediction = self.prediction(logits);
        let class = class.unwrap_or(prediction.class);
        // `class` is one of the model's
        let index = self.config.classes.iter().position(|c| *c == class).unwrap_or(0);
        Explanation {
            heat: gradcam::heat(layer4, &self.gradients[index]),
            attributes: self.words.as_ref().map(|w| attributes::scores(groups, &w.features, w.scale)),
            prediction,
            class,
        }
    }
}

/// A tensor's values.
///
/// # Errors
/// When the device fails.
async fn numbers<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let data = tensor.into_data_async().await.map_err(|e| Error::Device(e.to_string()))?;
    Ok(data.iter::<f32>().collect())
}

/// Softmax in f64.
pub fn softmax(logits: &[f32]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let e: Vec<f64> = logits.iter().map(|l| f64::from(l - top).exp()).collect();
    let sum: f64 = e.iter().sum();
    e.into_iter().map(|v| v / sum).collect()
}
