//! `clip-lung predict`: probabilities of crops.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clip_lung_core::model::answer::Prediction;
use clip_lung_core::model::predict::Model;
use clip_lung_core::volume::crop::Crop;
use serde_json::{Map, Value, json};

use crate::io::dicomweb::Server;
use crate::io::input::{self, OtherCrop};
use crate::io::nodules::Place;
use crate::io::scan::Target;
use crate::machine::device;
use crate::run::structured_reports;

#[derive(clap::Args)]
pub struct Args {
    /// A model directory, or a finished run's
    #[arg(long)]
    model: PathBuf,
    /// Data set directories; .npy files of 32x32x32 or Nx32x32x32 values in HU; NIfTI files; folders of a DICOM series
    #[arg(required_unless_present = "dicomweb")]
    inputs: Vec<String>,
    /// The address of a DICOMweb server, to read the series --series of --study from; the variable CLIP_LUNG_DICOMWEB_AUTHORIZATION
    /// is sent to it as the header Authorization
    #[arg(long, value_name = "URL", requires_all = ["study", "series"], conflicts_with = "inputs")]
    dicomweb: Option<String>,
    /// The StudyInstanceUID of a series on the DICOMweb server
    #[arg(long, value_name = "UID", requires = "dicomweb")]
    study: Option<String>,
    /// Store the structured report in its study on the DICOMweb server
    #[arg(long, requires = "dicomweb")]
    store: bool,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    other: OtherCrop,
    /// Write a DICOM structured report of each series into this folder
    #[arg(long, value_name = "DIR")]
    sr: Option<PathBuf>,
    #[command(flatten)]
    on: device::Choice,
    /// Print the predictions as one JSON document
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> Result<()> {
    let server = args.dicomweb.as_deref().map(Server::new).transpose()?;
    let (device, device_name) = args.on.open()?;
    let model = input::model(&args.model, &device)?;
    // the folder of what was fetched, which is gone with it
    let fetched = match (&server, &args.study, &args.place.series) {
        (Some(server), Some(study), Some(series)) => Some(server.series(study, series)?),
        _ => None,
    };
    let places: Vec<String> =
        args.inputs.iter().cloned().chain(fetched.iter().map(|dir| dir.path().display().to_string())).collect();
    let mut targets = Vec::new();
    for place in &places {
        targets.extend(input::targets(place, &args.place, &model, &args.model, args.other)?);
    }
    let mut predictions = Vec::new();
    for part in targets.chunks(32) {
        let start = Instant::now();
        let batch: Vec<Crop> = part.iter().map(|t| t.crop.clone()).collect();
        let diameters: Vec<f64> = part.iter().filter_map(|t| t.diameter_mm).collect();
        let found = model.predict(&batch, &diameters)?;
        let ms = start.elapsed().as_secs_f64() * 1e3 / part.len() as f64;
        predictions.extend(part.iter().zip(found).map(|(target, p)| (target, p, ms)));
    }
    let written = report(&args, &model, server.as_ref(), &predictions)?;
    if args.json {
        let rows: Vec<Value> = predictions.iter().map(|(target, p, ms)| document(&model, target, p, *ms)).collect();
        let meta = &model.config.metadata;
        let about = json!({
            "method": model.config.method, "task": model.config.task, "classes": model.config.classes,
            "intended_use": meta.intended_use, "training_data": meta.training_data, "text_encoder": meta.text_encoder,
            "device": device_name,
        });
        let mut all = json!({"model": about, "predictions": rows});
        if args.sr.is_some() {
            all["reports"] = json!(written);
        }
        if args.store {
            all["stored"] = json!(args.dicomweb);
        }
        println!("{all}");
        return Ok(());
    }
    let names: Vec<&str> = model.config.classes.iter().map(|c| c.name()).collect();
    println!("{:<28}{:<11}{}", "id", "class", names.iter().map(|n| format!("{n:>11}")).collect::<String>());
    for (target, p, _) in &predictions {
        let id = &target.id;
        let shares: String = p.probabilities.iter().map(|v| format!("{v:>11.4}")).collect();
        println!("{id:<28}{:<11}{shares}", p.class.name());
        if let Some(set) = p.set.as_ref().filter(|set| set.len() > 1) {
            println!("{:<28}open: {}", "", set.iter().map(|c| c.name()).collect::<Vec<_>>().join(" or "));
        }
        if let Some(reason) = p.out_of_place {
            println!("{:<28}{}", "", reason.words());
        }
    }
    written.iter().for_each(|path| println!("structured report: {}", path.display()));
    if let Some(url) = args.dicomweb.filter(|_| args.store) {
        println!("structured report: stored at {url}");
    }
    println!(
        "text encoder of the training: {}; research use only, not a medical device",
        model.config.metadata.text_encoder
    );
    Ok(())
}

/// Writes and stores reports where that is asked for; the paths of the files.
fn report(
    args: &Args,
    model: &Model,
    server: Option<&Server>,
    predictions: &[(&Target, Prediction, f64)],
) -> Result<Vec<PathBuf>> {
    let store = server.filter(|_| args.store);
    if args.sr.is_none() && store.is_none() {
        return Ok(Vec::new());
    }
    let made = structured_reports::reports(model, predictions.iter().map(|(target, p, _)| (*target, p)))?;
    let written = args.sr.as_ref().map(|dir| structured_reports::write(dir, &made)).transpose()?;
    if let Some(server) = store {
        made.iter().try_for_each(|report| server.store(&report.study_uid, &report.document.bytes))?;
    }
    Ok(written.unwrap_or_default())
}

fn document(model: &Model, target: &Target, p: &Prediction, ms: f64) -> Value {
    let probabilities: Map<String, Value> =
        model.config.classes.iter().zip(&p.probabilities).map(|(c, v)| (c.name().to_owned(), json!(v))).collect();
    let mut row =
        json!({"id": target.id, "class": p.class, "probabilities": probabilities, "logits": p.logits, "ms": ms});
    if let Some(set) = &p.set {
        row["set"] = json!(set);
    }
    if model.config.guard.is_some() {
        row["in_distribution"] = p.out_of_place.is_none().into();
    }
    if let Some(reason) = p.out_of_place {
        row["reason"] = reason.words().into();
    }
    if let Some(geometry) = &target.geometry {
        row["crop"] = geometry.clone();
    }
    row
}
