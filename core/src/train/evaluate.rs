//! The network in evaluation mode on rows of a data set: running statistics, no augmentation.

use burn::tensor::Tensor;

use super::batch::{images, log_diameters};
use super::config::TrainConfig;
use super::network::Network;
use crate::dataset::crops::Dataset;
use crate::error::{Error, Result};
use crate::methods::Outputs;
use crate::methods::heads::trunk::{Pass, Trunk};
use crate::methods::readout::Probabilities;
use crate::nn::backbone::Backbone;
use crate::volume::crop::Normalisation;

/// Crops computed at once.
const BATCH: usize = 64;

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
    let mut found = Vec::with_capacity(rows.len());
    for part in rows.chunks(BATCH) {
        found.extend(read(pass(&backbone, trunk, data, part, norm, config.diameter).outputs)?);
    }
    Ok(Outputs { outputs: found, labels: config.task.labels(&data.rows, rows)? })
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
    let mut found = Vec::with_capacity(rows.len());
    for part in rows.chunks(BATCH) {
        let logs = head.log_probs(&pass(&backbone, head.trunk(), data, part, norm, diameter));
        found.extend(normalised(logs)?);
    }
    Ok(found)
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
    let mut found = Vec::with_capacity(rows.len());
    for part in rows.chunks(BATCH) {
        let Some(logs) = head.text_log_probs(|| pass(&backbone, head.trunk(), data, part, norm, diameter)) else {
            return Ok(None);
        };
        found.extend(normalised(logs)?);
    }
    Ok(Some(found))
}

/// Rows of log-probabilities as probabilities that sum to 1.
fn normalised(logs: Tensor<2>) -> Result<Vec<Vec<f64>>> {
    let probabilities = |row: Vec<f32>| {
        let logs: Vec<f64> = row.into_iter().map(f64::from).collect();
        Ok(Probabilities::of_logs(&logs, 1.0)?.values().to_vec())
    };
    read(logs)?.into_iter().map(probabilities).collect()
}

fn read(tensor: Tensor<2>) -> Result<Vec<Vec<f32>>> {
    let width = tensor.dims()[1];
    let data = tensor.try_into_data().map_err(|e| Error::Device(e.to_string()))?;
    let values: Vec<f32> = data.iter::<f32>().collect();
    Ok(values.chunks(width).map(<[f32]>::to_vec).collect())
}
