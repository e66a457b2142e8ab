//! The kernels of one card: every method's steps and predictions are run until the fastest of all sizes are known, and written as a
//! bundle for other machines with such a card.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use burn::tensor::Device;
use clip_lung_core::nn::text::products::Products;
use clip_lung_core::train::config::TrainConfig;

use super::exercise::{Exercise, images, network, runs};
use crate::failure::Failure;
use crate::io::installed;
use crate::machine::{device, kernel_bundles, tuning};

/// Samples of a batch: the default, and one of an epoch that it does not divide. A kernel's choice goes for others of about that many.
const SAMPLES: [usize; 2] = [32, 31];
/// Crops that are predicted at once.
const CROPS: [usize; 2] = [32, 1];

/// Compiles and times on the GPU of this choice (cuda or cuda:N); the bundle's place.
pub fn run(choice: &str, out: Option<PathBuf>) -> Result<PathBuf> {
    let (device, _) = device::select(choice)?;
    let index = device::parts(choice)?.1;
    let card = tuning::card(index).map_err(Failure::Device)?;
    let start = Instant::now();
    tuning::time_all();
    exercise(&device, |what, seconds| eprintln!("{card}: {what}: {seconds:.1} s"))?;
    tuning::set_timed(index)
        .map_err(|e| Failure::File(format!("{}: can't be written ({e})", tuning::cache().display())))?;
    let out = out.unwrap_or_else(|| kernel_bundles::name(&card).into());
    kernel_bundles::export(&card, &out).map_err(|e| {
        Failure::File(format!("{}: can't be written ({e}); name another file with --out", out.display()))
    })?;
    let folder = installed::places("kernels").first().map_or("kernels".into(), |place| place.display().to_string());
    eprintln!(
        "every kernel is kept in {} after {:.0} s; on other machines with such a card, {} belongs into {folder} or where {} says",
        tuning::cache().display(),
        start.elapsed().as_secs_f64(),
        out.display(),
        kernel_bundles::VARIABLE,
    );
    Ok(out)
}

/// Two steps of each training and two predictions: the first time kernels, the second is as all others will be. `done` hears of each.
fn exercise(device: &Device, mut done: impl FnMut(&str, f64)) -> Result<()> {
    let mut all = runs();
    if Products::Bf16.check(device).is_ok() {
        let with_text = runs().into_iter().filter(|(_, config, _)| config.method.encodes_text());
        let bf16 = |config| TrainConfig { precision: Products::Bf16, ..config };
        all.extend(with_text.map(|(name, config, minilm)| (name, bf16(config), minilm)));
    }
    for n in SAMPLES {
        for (name, config, minilm) in &all {
            let start = Instant::now();
            let (next, first) = Exercise::new(config.clone(), *minilm, n, device)?.queue();
            first.read()?;
            next.queue().1.read()?;
            done(&format!("{name} in {}, {n} samples", config.precision.name()), start.elapsed().as_secs_f64());
        }
    }
    let network = network(device);
    for n in CROPS {
        let start = Instant::now();
        for _ in 0..2 {
            let outputs = network.forward(images(n, device), None).1.outputs;
            outputs.try_into_data().map_err(|e| Failure::Device(e.to_string()))?;
        }
        done(&format!("prediction, {n} crops"), start.elapsed().as_secs_f64());
    }
    Ok(())
}
