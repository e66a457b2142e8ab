//! The state of a run as one file: model, average, momentum buffers and counters. Order and augmentation are functions of seed,
//! epoch and nodule, so there is no random state to keep.

use burn::tensor::Device;
use safetensors::SafeTensors;

use super::best::Best;
use super::config::TrainConfig;
use super::step::Trainer;
use crate::base::tensors::{Arrays, Precision, read, write};
use crate::error::{Error, Result};
use crate::methods::Setup;
use crate::nn::parameters::{apply, collect};
use crate::nn::text::encoder::identity;
use crate::volume::crop::Normalisation;

/// The layout of a state; the first had none to name, and its tensors are those of this one.
const LAYOUT: &str = "2";
const MODEL: &str = "model.";
const EMA: &str = "ema.";
const VELOCITY: &str = "velocity.";
const BEST: &str = "best.";

/// The state's bytes (safetensors).
///
/// # Errors
/// Never on memory.
pub fn save(trainer: &Trainer, norm: &Normalisation) -> Result<Vec<u8>> {
    let mut all = Arrays::new();
    let mut add =
        |prefix: &str, arrays: Arrays| all.extend(arrays.into_iter().map(|(k, v)| (format!("{prefix}{k}"), v)));
    add(MODEL, collect(&trainer.network));
    add(EMA, collect(&trainer.ema.module));
    add(VELOCITY, trainer.optimizer.buffers(&trainer.network, &trainer.names()));
    if let Some(best) = &trainer.best {
        add(BEST, collect(&best.network));
    }
    let json = |v: std::result::Result<String, serde_json::Error>| {
        v.map_err(|e| Error::BadJson { file: "state".into(), reason: e.to_string() })
    };
    let mut metadata = vec![
        ("layout".to_owned(), LAYOUT.to_owned()),
        ("config".to_owned(), json(serde_json::to_string(&trainer.config))?),
        ("normalisation".to_owned(), json(serde_json::to_string(norm))?),
        ("step".to_owned(), trainer.step.to_string()),
    ];
    if let Some(best) = &trainer.best {
        metadata.push(("best_epoch".to_owned(), best.epoch.to_string()));
        metadata.push(("best_loss".to_owned(), best.loss.to_string()));
    }
    write(&all, Precision::F32, &metadata)
}

/// Continues a run from its state; it must have been made with the same configuration and data.
///
/// # Errors
/// A damaged file, or one of another run: which setting differs.
pub fn load(
    bytes: &[u8],
    file: &str,
    config: TrainConfig,
    setup: &Setup,
    device: &Device,
) -> Result<(Trainer, Normalisation)> {
    let bad = |reason: String| Error::BadSafetensors { file: file.into(), reason };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| bad(e.to_string()))?;
    let text_of = |key: &str| {
        let value = header.metadata().as_ref().and_then(|m| m.get(key));
        value.cloned().ok_or_else(|| bad(format!("no `{key}` in its metadata")))
    };
    let layout = text_of("layout").unwrap_or_else(|_| "1".into());
    if !["1", LAYOUT].contains(&layout.as_str()) {
        let reason = format!("its state has layout {layout}, and this version continues layouts 1 and {LAYOUT}");
        return Err(Error::OtherRun { file: file.into(), reason });
    }
    let stored = TrainConfig::parse(text_of("config")?.as_bytes(), file)?;
    same_run(&stored, &config, file)?;
    let norm = serde_json::from_str(&text_of("normalisation")?)
        .map_err(|e| Error::BadJson { file: file.into(), reason: e.to_string() })?;
    let step = text_of("step")?.parse().map_err(|_| bad("`step` is not a number".into()))?;

    let arrays = read(bytes, file)?;
    let part = |prefix: &str| -> Arrays {
        arrays.iter().filter_map(|(k, v)| Some((k.strip_prefix(prefix)?.to_owned(), v.clone()))).collect()
    };
    let mut trainer = Trainer::new(config, setup, device)?;
    trainer.network = apply(trainer.network, part(MODEL), file)?;
    trainer.ema.module = apply(trainer.ema.module, part(EMA), file)?;
    let names = trainer.names();
    trainer.optimizer.restore(&trainer.network, &names, part(VELOCITY), device, file)?;
    trainer.step = step;
    if let Ok(epoch) = text_of("best_epoch") {
        let number = |what: &str| bad(format!("`{what}` is not a number"));
        let epoch = epoch.parse().map_err(|_| number("best_epoch"))?;
        let loss = text_of("best_loss")?.parse().map_err(|_| number("best_loss"))?;
        let network = apply(trainer.ema.module.clone(), part(BEST), file)?;
        trainer.best = Some(Best { epoch, loss, network });
    }
    Ok((trainer, norm))
}

/// The first setting in which two configurations differ, as an error.
///
/// # Errors
/// Names the setting, and `file` where the stored ones lie.
pub fn same_run(stored: &TrainConfig, wanted: &TrainConfig, file: &str) -> Result<()> {
    let encoder = |c: &TrainConfig| c.text_encoder.as_deref().map(|name| identity(name).to_owned());
    // what leaks follows from the other settings, and names places as they were typed
    let plain = |c: &TrainConfig| TrainConfig { text_encoder: encoder(c), leak: None, ..c.clone() };
    if plain(stored) == plain(wanted) {
        return Ok(());
    }
    let value = |c: &TrainConfig| serde_json::to_value(c).unwrap_or_default();
    let (a, b) = (value(stored), value(wanted));
    let mut fields = [&a, &b].into_iter().filter_map(|config| config.as_object()).flat_map(|fields| fields.keys());
    let differing = fields.find(|k| a[k.as_str()] != b[k.as_str()]);
    let reason = differing.map_or_else(String::new, |k| format!("its {k} is {}, not {}", a[k.as_str()], b[k.as_str()]));
    Err(Error::OtherRun { file: file.into(), reason })
}
