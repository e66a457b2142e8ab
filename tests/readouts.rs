//! Models of every readout against PyTorch (`golden/readouts.py`): 8 crops through a model directory, as any program reads one.

#![allow(clippy::unwrap_used, clippy::panic)]

mod reference;
mod seeded;

use burn::tensor::Device;
use clip_lung_core::methods::readout::ReadoutKind;
use clip_lung_core::model::predict::Model;
use reference::close;

#[test]
fn log_probabilities_of_eight_crops_equal_pytorch() {
    let (cases, norm) = seeded::cases();
    let crops = seeded::crops(8);
    for case in cases {
        let what = format!("{} after {:?}, diameters {:?}", case.readout.name(), case.pool, case.diameter_mm);
        let files = seeded::directory(&case, &norm);
        let model = Model::load(&files, "model", &Device::flex()).unwrap();
        let found = model.predict(&crops, &case.diameter_mm).unwrap();
        for (prediction, (u, logs)) in found.iter().zip(case.u.iter().zip(&case.log_probs)) {
            let own: Vec<f64> = prediction.probabilities.iter().map(|p| p.ln()).collect();
            close(&own, logs, 1e-5, &what);
            // softmax shows its logits, every other readout log-probabilities
            close(&prediction.logits, if case.readout == ReadoutKind::Softmax { u } else { logs }, 1e-5, &what);
        }
    }
}
