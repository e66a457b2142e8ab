//! From rows of a data set to tensors.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use super::config::TrainConfig;
use crate::base::random::{Stream, key};
use crate::dataset::augment::Augment;
use crate::dataset::crops::Dataset;
use crate::volume::crop::{Normalisation, SIDE, VOXELS};

/// One training batch.
pub struct Batch {
    /// `[n, 32, 32, 32]`, normalised.
    pub images: Tensor<4>,
    /// One-hot, `[n, C]`.
    pub target: Tensor<2>,
    /// Eq. (1), `[n, 8]`.
    pub attribute_weights: Tensor<2>,
    /// Class indices.
    pub labels: Vec<usize>,
}

/// Mean and deviation of the training rows on the windowed 0..1 scale.
pub fn statistics(data: &Dataset, rows: &[usize]) -> Normalisation {
    let window = Normalisation::window(data.header.hu_window);
    let sums: Vec<(f64, f64)> = rows
        .par_iter()
        .map(|&row| {
            let mut hu = vec![0.0; VOXELS];
            data.write_hu(row, &mut hu);
            hu.iter().fold((0.0, 0.0), |(s, q), &v| {
                let u = f64::from(window.apply(v));
                (s + u, q + u * u)
            })
        })
        .collect();
    // summed in row order: the same whatever the thread count
    let (sum, squares) = sums.iter().fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
    let n = (rows.len() * VOXELS) as f64;
    let mean = sum / n;
    let std = (squares / n - mean * mean).max(1e-12).sqrt();
    Normalisation { mean: mean as f32, std: std as f32, ..window }
}

/// The batches of an epoch: the training rows, in an order that is a pure function of seed and epoch, in as few batches of at most
/// `size` as hold them. Their sizes differ by one at most: a short last batch would move the running statistics as far as a full
/// one, and with four samples far off.
pub fn epoch_batches(train: &[usize], size: usize, seed: u64, epoch: usize) -> Vec<Vec<usize>> {
    let mut order = train.to_vec();
    Stream::new(key(&[seed, epoch as u64]), 8).shuffle(&mut order);
    let (rows, batches) = (order.len(), order.len().div_ceil(size));
    (0..batches).map(|b| order[b * rows / batches..(b + 1) * rows / batches].to_vec()).collect()
}

/// Normalised crops, `[n, 32, 32, 32]`; `epoch` is `None` without augmentation.
pub fn images(
    data: &Dataset,
    rows: &[usize],
    norm: &Normalisation,
    augment: Option<(Augment, u64, usize)>,
    device: &Device,
) -> Tensor<4> {
    let mut values = vec![0.0f32; rows.len() * VOXELS];
    values.par_chunks_mut(VOXELS).zip(rows).for_each(|(out, &row)| {
        match augment {
            None => data.write_hu(row, out),
            Some((kind, seed, epoch)) => {
                let margin = data.header.margin;
                let mut hu = vec![0.0; margin.voxels()];
                data.write_with_margin(row, &mut hu);
                kind.apply(seed, epoch as u64, row as u64, &hu, margin, out);
            }
        }
        out.iter_mut().for_each(|v| *v = norm.apply(*v));
    });
    Tensor::from_data(TensorData::new(values, [rows.len(), SIDE, SIDE, SIDE]), device)
}

/// A training batch of these rows in this epoch.
pub fn batch(
    data: &Dataset,
    rows: &[usize],
    norm: &Normalisation,
    config: &TrainConfig,
    epoch: usize,
    device: &Device,
) -> Batch {
    let classes = config.task.classes().len();
    let labels: Vec<usize> = rows.iter().map(|&i| config.task.label(data.rows[i].class).unwrap_or(0)).collect();
    let one_hot =
        labels.iter().flat_map(|&l| (0..classes).map(move |c| f32::from(u8::from(c == l)))).collect::<Vec<_>>();
    let kind = config.losses.attribute_weights;
    let weights = rows.iter().flat_map(|&i| kind.of(&data.rows[i].ratings)).map(|w| w as f32).collect::<Vec<_>>();
    let n = rows.len();
    Batch {
        images: images(data, rows, norm, Some((config.augment, config.seed, epoch)), device),
        target: Tensor::from_data(TensorData::new(one_hot, [n, classes]), device),
        attribute_weights: Tensor::from_data(TensorData::new(weights, [n, 8]), device),
        labels,
    }
}

#[cfg(test)]
mod tests {
    use super::epoch_batches;

    #[test]
    fn batches_hold_every_row_once_and_are_even() {
        for (rows, size, batches) in [(484, 32, 16), (64, 32, 2), (33, 32, 2), (5, 32, 1), (7, 1, 7)] {
            let train: Vec<usize> = (100..100 + rows).collect();
            let parts = epoch_batches(&train, size, 2, 3);
            assert_eq!(parts.len(), batches);
            let sizes = || parts.iter().map(Vec::len);
            assert!(sizes().max().unwrap() <= size && sizes().max().unwrap() - sizes().min().unwrap() <= 1);
            let mut all = parts.concat();
            all.sort_unstable();
            assert_eq!(all, train);
            assert_eq!(parts, epoch_batches(&train, size, 2, 3));
        }
        let train: Vec<usize> = (0..64).collect();
        assert_ne!(epoch_batches(&train, 32, 2, 3), epoch_batches(&train, 32, 2, 4));
        assert_ne!(epoch_batches(&train, 32, 2, 3), epoch_batches(&train, 32, 3, 3));
    }
}
