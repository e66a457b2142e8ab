//! The model card, in words.

use clip_lung_core::metrics::report::Report;
use clip_lung_core::model::config::ModelConfig;
use clip_lung_core::train::config::TrainConfig;

/// The card of a model trained with `config` on `nodules` training nodules and scored as in `report`.
pub fn card(model: &ModelConfig, config: &TrainConfig, nodules: usize, report: &Report) -> String {
    let method = model.method.name();
    let classes = config.task.classes().iter().map(|c| c.name()).collect::<Vec<_>>().join(", ");
    let accuracy = report.accuracy.value;
    let interval =
        report.accuracy.interval.map_or(String::new(), |i| format!(" (95 % interval {:.3}-{:.3})", i.low, i.high));
    let auc = report.macro_auc.map_or("undefined".into(), |a| format!("{:.3}", a.value));
    let images = if model.metadata.synthetic {
        "**Synthetic images** drawn from reader annotations: the numbers say that the program learns, not how well it reads CT."
    } else {
        "Labels are radiologists' impressions, not pathology."
    };
    format!(
        "# {method} on {task}\n\n\
         Malignancy of a lung nodule ({classes}) from a 32x32x32 CT crop, {crop}.{diameter}\n\n\
         **Intended use: research. Not a medical device; not for diagnosis.**\n\n\
         - Training data: {data}, {nodules} nodules (fold {fold} of {folds} left out). {images}\n\
         - Text encoder: {text}\n\
         - Recipe: {epochs} epochs, batch {batch}, lr {lr}, momentum {momentum}, weight decay {decay}, EMA {ema}, seed {seed}\n\
         - Held out: {held} nodules of {patients} other patients: accuracy {accuracy:.3}{interval}, macro AUC {auc}, \
         majority class {majority:.3}\n\n\
         `model.safetensors` holds PyTorch names and layouts; `config.json` the input's window and statistics; \
         `golden.safetensors` two crops with their probabilities, for checking a runtime.\n",
        crop = model.input.crop,
        diameter = if model.diameter { " The nodule's diameter is an input beside the image." } else { "" },
        task = config.task.name(),
        data = config.data.name,
        fold = config.fold,
        folds = config.folds,
        text = config.encoder(),
        epochs = config.epochs,
        batch = config.batch_size,
        lr = config.lr,
        momentum = config.momentum,
        decay = config.weight_decay,
        ema = config.ema,
        seed = config.seed,
        held = report.nodules,
        patients = report.patients,
        majority = report.majority,
    )
}
