//! The running statistics of the averaged weights, measured on the training data instead of copied from the trained weights.

use burn::tensor::Device;

use super::batch::{epoch_batches, images};
use super::config::TrainConfig;
use crate::dataset::crops::Dataset;
use crate::nn::backbone::Backbone;
use crate::volume::crop::Normalisation;

/// One pass over the training rows, augmented as in training: every running statistic becomes the mean over the batches (as
/// PyTorch's `update_bn` does it).
#[must_use]
pub fn recompute(
    mut backbone: Backbone,
    data: &Dataset,
    train: &[usize],
    norm: &Normalisation,
    config: &TrainConfig,
    device: &Device,
) -> Backbone {
    // the epoch after the last
    let batches = epoch_batches(train, config.batch_size, config.seed, config.epochs);
    for (done, rows) in batches.iter().enumerate() {
        let mut statistics = Vec::new();
        let images = images(data, rows, norm, Some((config.augment, config.seed, config.epochs)), device);
        backbone.forward(images, &mut statistics);
        backbone.absorb(statistics, 1.0 / (done + 1) as f64);
    }
    backbone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Stream;
    use crate::dataset::augment::Augment;
    use crate::dataset::class::Thresholds;
    use crate::nn::layers::Initial;
    use crate::nn::parameters::collect;
    use crate::phantom::phantom;
    use crate::train::batch::statistics;

    /// Two halves of a batch each: the running mean of the first layer is the mean of both; a momentum of 0.1 would leave it near 0.
    #[test]
    fn statistics_are_means_over_the_batches() {
        let data = phantom(Thresholds::Inclusive, Some(8)).unwrap();
        let train: Vec<usize> = (0..8).collect();
        let norm = statistics(&data, &train);
        let device = Device::flex();
        let run = |batch_size| {
            let config = TrainConfig { batch_size, augment: Augment::None, ..Default::default() };
            let backbone = recompute(
                Backbone::new(&mut Initial::Uniform(Stream::new(1, 1)), &device),
                &data,
                &train,
                &norm,
                &config,
                &device,
            );
            collect(&backbone)
        };
        let (whole, halves) = (run(8), run(4));
        let (a, b) = (&whole["bn1.running_mean"].values, &halves["bn1.running_mean"].values);
        assert!(a.iter().any(|v| v.abs() > 0.05), "{a:?}");
        a.iter().zip(b).for_each(|(a, b)| assert!((a - b).abs() < 1e-5, "{a} {b}"));
        assert_ne!(whole["layer1.0.bn1.running_var"].values, vec![1.0; 64]);
    }
}
