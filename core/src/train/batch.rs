//! From rows of a data set to tensors.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use super::config::TrainConfig;
use crate::base::random::{Stream, key};
use crate::dataset::augment::Augment;
use crate::dataset::crops::Dataset;
use crate::dataset::jitter::Jitter;
use crate::error::Result;
use crate::methods::Truth;
use crate::methods::heads::trunk::log_diameter;
use crate::volume::crop::{Normalisation, SIDE, VOXELS};
use crate::volume::grid::Margin;

/// One training batch.
#[derive(Clone)]
pub struct Batch {
    /// `[n, 32, 32, 32]`, normalised.
    pub images: Tensor<4>,
    /// ln De - ln 8, `[n, 1]`, where the classifier gets it.
    pub log_diameter: Option<Tensor<2>>,
    pub truth: Truth,
}

impl Batch {
    /// The batch of these rows in this epoch, whose images they are, on their device.
    ///
    /// # Errors
    /// When the task does not know a row's class.
    pub fn new(images: Tensor<4>, data: &Dataset, rows: &[usize], config: &TrainConfig, epoch: usize) -> Result<Self> {
        let device = images.device();
        // methods that read them have checked that they are there
        let ratings = rows.iter().map(|&i| data.rows[i].ratings.unwrap_or([f64::NAN; 8])).collect();
        let malignancy = rows.iter().map(|&i| data.rows[i].mean_malignancy.unwrap_or(f64::NAN)).collect();
        let (classes, labels) = (config.task.classes().len(), config.task.labels(&data.rows, rows)?);
        let augment = Some((config.augment, config.seed, epoch));
        Ok(Self {
            images,
            log_diameter: config.diameter.then(|| log_diameters(data, rows, augment, &device)),
            truth: Truth::new(labels, classes, ratings, malignancy, &device),
        })
    }
}

/// ln De - ln 8 of these rows, `[n, 1]`; De as augmentation misjudges it, where that is given. That each row has a diameter is checked
/// before the first step.
pub fn log_diameters(
    data: &Dataset,
    rows: &[usize],
    augment: Option<(Augment, u64, usize)>,
    device: &Device,
) -> Tensor<2> {
    let factor = |row: usize| {
        let jitter = augment.and_then(|(kind, seed, epoch)| jitter(data, row, kind, seed, epoch));
        jitter.map_or(1.0, |jitter| jitter.diameter)
    };
    let known = |row: usize| data.rows[row].diameter_mm.unwrap_or(f64::NAN);
    let values: Vec<f32> = rows.iter().map(|&i| log_diameter(known(i) * factor(i))).collect();
    Tensor::from_data(TensorData::new(values, [rows.len(), 1]), device)
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
                match jitter(data, row, kind, seed, epoch) {
                    Some(jitter) => {
                        let mut crop = vec![0.0; VOXELS];
                        jitter.displaced.resample(&hu, margin, &mut crop);
                        jitter.disturb(&mut crop);
                        kind.apply(seed, epoch as u64, row as u64, &crop, Margin::default(), out);
                    }
                    None => kind.apply(seed, epoch as u64, row as u64, &hu, margin, out),
                }
            }
        }
        out.iter_mut().for_each(|v| *v = norm.apply(*v));
    });
    Tensor::from_data(TensorData::new(values, [rows.len(), SIDE, SIDE, SIDE]), device)
}

/// How a nodule is displaced in this epoch, where the augmentation does that.
fn jitter(data: &Dataset, row: usize, kind: Augment, seed: u64, epoch: usize) -> Option<Jitter> {
    // as above, where the augmentation asks for it
    let diameter = data.rows[row].diameter_mm.unwrap_or(f64::NAN);
    (kind == Augment::Jitter).then(|| Jitter::draw(seed, epoch as u64, row as u64, data.header.crop, diameter))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::task::Task;

    /// A class that the task does not have is no class 0.
    #[test]
    fn a_nodule_without_a_label_is_refused() {
        let data = crate::phantom::phantom(crate::dataset::class::Thresholds::Inclusive, Some(20)).unwrap();
        let config = TrainConfig { task: Task::LidcC, ..Default::default() };
        let (device, norm) = (Device::flex(), Normalisation::window(data.header.hu_window));
        let of = |rows: &[usize]| {
            let images = images(&data, rows, &norm, None, &device);
            Batch::new(images, &data, rows, &config, 0).map(|batch| batch.truth.labels)
        };
        let (unsure, sure): (Vec<usize>, Vec<usize>) =
            (0..data.len()).partition(|&i| data.rows[i].class.name() == "unsure");
        assert!(of(&sure).unwrap().iter().all(|l| *l < 2));
        let error = of(&[sure[0], unsure[0]]).unwrap_err().to_string();
        assert!(error.contains(&data.rows[unsure[0]].nodule_id) && error.contains("lidc-c"), "{error}");
    }

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
