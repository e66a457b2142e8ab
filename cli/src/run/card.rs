//! The model card, in words.

use clip_lung_core::metrics::report::Report;
use clip_lung_core::model::config::ModelConfig;
use clip_lung_core::train::config::{Grouping, TrainConfig};

use crate::show::markdown::escaped;

/// The card of a model trained with `config` on `nodules` training nodules and scored as in `report`, where any were held out.
pub fn card(
    model: &ModelConfig,
    config: &TrainConfig,
    nodules: usize,
    chosen_epoch: Option<usize>,
    report: Option<&Report>,
) -> String {
    let method = model.method.name();
    let classes = config.task.classes().iter().map(|c| c.name()).collect::<Vec<_>>().join(", ");
    let images = if model.metadata.synthetic {
        "**Synthetic images** drawn from reader annotations: the numbers say that the program learns, not how well it reads CT."
    } else {
        "Labels are radiologists' impressions, not pathology."
    };
    let left_out = match report {
        Some(_) if config.test.is_some() => "nothing left out".into(),
        Some(_) => format!("fold {} of {} left out", config.fold, config.folds),
        None => "nothing left out".into(),
    };
    let start = config.init.as_ref().map_or(String::new(), |init| format!(", starting from {init}"));
    format!(
        "# {method} on {task}\n\n\
         Malignancy of a lung nodule ({classes}) from a 32x32x32 CT crop, {crop}.{diameter}\n\n\
         **Intended use: research. Not a medical device; not for diagnosis.**\n\n\
         - Training data: {data}, {nodules} nodules ({left_out}). {images}\n\
         - Text encoder: {text}\n\
         - Recipe: {recipe}{chosen}, seed {seed}{start}\n\
         - {tested}: {held}\n\n\
         `model.safetensors` holds PyTorch names and layouts; `config.json` the input's window and statistics; \
         `golden.safetensors` two crops with their probabilities, for checking a runtime.\n",
        crop = model.input.crop,
        diameter = if model.diameter { " The nodule's diameter is an input beside the image." } else { "" },
        task = config.task.name(),
        data = escaped(&config.data.name),
        text = config.encoder(),
        recipe = config.recipe(),
        chosen = chosen_epoch.map_or(String::new(), |epoch| format!(" (epoch {epoch})")),
        seed = config.seed,
        tested = config.test.as_ref().map_or("Held out".into(), |test| format!("Tested on {}", escaped(&test.name))),
        held = report.map_or_else(
            || "nothing, so this model has no score of its own; the folds of the same recipe have".into(),
            |report| held_out(report, config)
        ),
    )
}

fn held_out(report: &Report, config: &TrainConfig) -> String {
    let accuracy = report.accuracy.value;
    let interval =
        report.accuracy.interval.map_or(String::new(), |i| format!(" (95 % interval {:.3}-{:.3})", i.low, i.high));
    let auc = report.macro_auc.map_or("undefined".into(), |a| format!("{:.3}", a.value));
    let (other, leak) = match &config.leak {
        Some(leak) => ("", format!(". **The score may be too good: {leak}**")),
        None if config.grouping == Grouping::Nodule => {
            ("", ". Patients of theirs train, too: nodules were dealt one by one".into())
        }
        None => ("other ", String::new()),
    };
    format!(
        "{} nodules of {} {other}patients: accuracy {accuracy:.3}{interval}, macro AUC {auc}, majority class {:.3}{leak}",
        report.nodules, report.patients, report.majority
    )
}
