//! The network in evaluation mode on rows of a data set: running statistics, no augmentation.

use burn::tensor::{Device, Tensor};

use super::batch::{images, log_diameters};
use super::config::TrainConfig;
use super::network::Network;
use crate::dataset::crops::Dataset;
use crate::error::{Error, Result};
use crate::methods::Outputs;
use crate::methods::heads::trunk::{Pass, Trunk};
use crate::methods::readout::Probabilities;
use crate::nn::backbone::Backbone;
use crate::nn::kernels::is_cpu;
use crate::volume::crop::Normalisation;

/// Crops computed at once: for each further number a GPU would have to choose and compile kernels of its own.
const BATCH: usize = 64;

/// What `of` gives for each of these rows, `BATCH` of them at a time; a GPU computes as many for the last, too, the CPU no more than
/// are asked for.
fn each(rows: &[usize], device: &Device, of: impl Fn(&[usize]) -> Option<Tensor<2>>) -> Result<Option<Vec<Vec<f32>>>> {
    let mut found = Vec::with_capacity(rows.len());
    for part in rows.chunks(BATCH) {
        let mut batch = part.to_vec();
        if !is_cpu(device) {
            batch.resize(BATCH, part[0]);
        }
        let Some(values) = of(&batch) else { return Ok(None) };
        found.extend(read(values)?.into_iter().take(part.len()));
    }
    Ok(Some(found))
}

/// One pass a batch, `backbone` folded.
fn pass(
    backbone: &Backbone,
    trunk: &Trunk,
    data: &Dataset,
    rows: &[usize],
    norm: &Normalisation,
    diameter: bool,
) -> Pass {
    let device = trunk.device();
    let layer4 = backbone.forward(images(data, rows, norm, None, &device), &mut Vec::new());
    trunk.forward(layer4, diameter.then(|| log_diameters(data, rows, None, &device)))
}

/// The classifier's outputs on these rows, and their labels.
///
/// # Errors
/// When the device fails or the task does not know a row's class.
pub fn outputs(
    backbone: Backbone,
    trunk: &Trunk,
    data: &Dataset,
    rows: &[usize],
    norm: &Normalisation,
    config: &TrainConfig,
) -> Result<Outputs> {
    let backbone = backbone.fold();
    let of = |batch: &[usize]| Some(pass(&backbone, trunk, data, batch, norm, config.diameter).outputs);
    let outputs = each(rows, &trunk.device(), of)?.unwrap_or_default();
    Ok(Outputs { outputs, labels: config.task.labels(&data.rows, rows)? })
}

/// The probabilities of a network's own readout.
///
/// # Errors
/// When the device fails.
pub fn probabilities(
    network: &Network,
    data: &Dataset,
    rows: &[usize],
    norm: &Normalisation,
    diameter: bool,
) -> Result<Vec<Vec<f64>>> {
    let (backbone, head) = (network.backbone.clone().fold(), &network.head);
    let of = |batch: &[usize]| Some(head.log_probs(&pass(&backbone, head.trunk(), data, batch, norm, diameter)));
    normalised(each(rows, &head.trunk().device(), of)?.unwrap_or_default())
}

/// The averaged network's probabilities by the text features, where the head can answer by them.
///
/// # Errors
/// When the device fails.
pub fn text_probabilities(
    network: &Network,
    data: &Dataset,
    rows: &[usize],
    norm: &Normalisation,
    diameter: bool,
) -> Result<Option<Vec<Vec<f64>>>> {
    let (backbone, head) = (network.backbone.clone().fold(), &network.head);
    let of = |batch: &[usize]| head.text_log_probs(|| pass(&backbone, head.trunk(), data, batch, norm, diameter));
    each(rows, &head.trunk().device(), of)?.map(normalised).transpose()
}

/// Rows of log-probabilities as probabilities that sum to 1.
fn normalised(logs: Vec<Vec<f32>>) -> Result<Vec<Vec<f64>>> {
    let probabilities = |row: Vec<f32>| {
        let logs: Vec<f64> = row.into_iter().map(f64::from).collect();
        Ok(Probabilities::of_logs(&logs, 1.0)?.values().to_vec())
    };
    logs.into_iter().map(probabilities).collect()
}

fn read(tensor: Tensor<2>) -> Result<Vec<Vec<f32>>> {
    let width = tensor.dims()[1];
    let data = tensor.try_into_data().map_err(|e| Error::Device(e.to_string()))?;
    let values: Vec<f32> = data.iter::<f32>().collect();
    Ok(values.chunks(width).map(<[f32]>::to_vec).collect())
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::nn::kernels::tests::device;

    /// Every row's own values in its own place, in passes of one size on a GPU and of no more rows than there are on the CPU.
    #[test]
    fn every_row_gets_its_own_values() {
        let sizes = RefCell::new(Vec::new());
        let rows: Vec<usize> = (0..130).map(|i| 3 * i % 131).collect();
        let of = |batch: &[usize]| {
            sizes.borrow_mut().push(batch.len());
            let values: Vec<f32> = batch.iter().flat_map(|row| [*row as f32, -1.0]).collect();
            Some(Tensor::<1>::from_floats(values.as_slice(), &device()).reshape([batch.len(), 2]))
        };
        let found = each(&rows, &device(), of).unwrap().unwrap();
        assert_eq!(found, rows.iter().map(|row| vec![*row as f32, -1.0]).collect::<Vec<_>>());
        assert_eq!(sizes.take(), [BATCH, BATCH, if is_cpu(&device()) { 2 } else { BATCH }]);
        assert!(each(&rows, &device(), |_| None).unwrap().is_none());
    }
}
