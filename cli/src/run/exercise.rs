//! Training steps and inference on made numbers, in the shapes of every method: to time them, and to have their kernels compiled.

use std::sync::Arc;

use anyhow::Result;
use burn::tensor::{Device, Tensor, TensorData};
use clip_lung_core::base::random::Stream;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::methods::heads::trunk::Shape;
use clip_lung_core::methods::pool::Pool;
use clip_lung_core::methods::{Method, Setup, Truth};
use clip_lung_core::model::network::ImageNet;
use clip_lung_core::nn::layers::Initial;
use clip_lung_core::nn::text::{bert::config::BertConfig, clip::geometry::Geometry, side::TextSide};
use clip_lung_core::train::batch::Batch;
use clip_lung_core::train::config::TrainConfig;
use clip_lung_core::train::numbers::Numbers;
use clip_lung_core::train::step::Trainer;
use clip_lung_core::train::steps::Steps;

/// What there is to train, by name, and whether MiniLM is its text encoder: ce through clip-lung's view, every method as it comes, and
/// clip-lung with MiniLM.
pub fn runs() -> Vec<(&'static str, TrainConfig, bool)> {
    let view = TrainConfig { pool: Pool::View, ..TrainConfig::of(Method::Ce) };
    let methods = Method::ALL.map(|method| (method.name(), TrainConfig::of(method), false));
    let minilm = ("clip-lung-minilm", TrainConfig::of(Method::ClipLung), true);
    [("ce-view", view, false)].into_iter().chain(methods).chain([minilm]).collect()
}

/// Crops of noise.
///
/// # Shapes
/// `[n, 32, 32, 32]`
pub fn images(n: usize, device: &Device) -> Tensor<4> {
    let mut random = Stream::new(0, 0);
    let values: Vec<f32> = (0..n * 32768).map(|_| random.normal() as f32).collect();
    Tensor::from_data(TensorData::new(values, [n, 32, 32, 32]), device)
}

/// The image network as it predicts, with random weights.
pub fn network(device: &Device) -> ImageNet {
    let shape = Shape { pool: Pool::View, units: 3, bias: true, diameter: false };
    ImageNet::new(shape, Initial::Uniform(Stream::new(0, 1)), device).fold()
}

/// A training on one batch again and again, its text tower with random weights.
pub struct Exercise {
    pub steps: Steps,
    pub batch: Batch,
}

impl Exercise {
    /// With a batch of `n` samples.
    pub fn new(config: TrainConfig, minilm: bool, n: usize, device: &Device) -> Result<Self> {
        let on = device.clone().autodiff();
        let classes: Vec<&str> = Task::LidcA.classes().iter().map(|c| c.name()).collect();
        let text = match (config.method.needs_text(), minilm) {
            (false, _) => None,
            (true, true) => Some(TextSide::random_bert(BertConfig::MINILM, 2, &classes, &on)?),
            (true, false) => Some(TextSide::random_clip(Geometry::VIT_B_16, 2, &classes, &on)?),
        };
        let text = text.map(|side| side.in_precision(config.precision)).transpose()?.map(Arc::new);
        let pool = config.pool;
        let setup = Setup { class_counts: vec![11, 11, 10], pool, diameter: false, seed: 2, text };
        let trainer = Trainer::new(config, &setup, device)?;
        let labels: Vec<usize> = (0..n).map(|i| i % 3).collect();
        let truth = Truth::new(labels, 3, vec![[3.0; 8]; n], vec![3.0; n], &on);
        let batch = Batch { images: images(n, &on), log_diameter: None, truth };
        Ok(Self { steps: Steps::launched(trainer), batch })
    }

    /// A step, of which nothing is read.
    pub fn queue(self) -> (Self, Numbers) {
        let (steps, numbers) = self.steps.queue(&self.batch, 0);
        (Self { steps, batch: self.batch }, numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A step of what is cheapest gives numbers, and so does the network on one crop.
    #[test]
    fn steps_and_predictions() {
        let device = Device::flex();
        let (_, config, minilm) = runs().remove(1);
        let (next, first) = Exercise::new(config, minilm, 3, &device).unwrap().queue();
        let (first, second) = (first.read().unwrap(), next.queue().1.read().unwrap());
        assert!(first.loss.is_finite() && second.loss != first.loss, "{first:?} {second:?}");
        assert_eq!(network(&device).forward(images(1, &device), None).1.outputs.dims(), [1, 3]);
    }
}
