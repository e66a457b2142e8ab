//! `clip-lung predict`: probabilities of crops.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use clip_lung_core::model::answer::Prediction;
use clip_lung_core::model::predict::Model;
use clip_lung_core::volume::crop::Crop;

use crate::failure::Failure;
use crate::io::default_model::ModelChoice;
use crate::io::dicomweb::Server;
use crate::io::files;
use crate::io::input::{self, OtherCrop};
use crate::io::nodules::Place;
use crate::io::targets::{Request, Target};
use crate::machine::device;
use crate::run::structured_reports;
use crate::show::predictions::{Failed, Predicted, Predictions, Warned};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    choice: ModelChoice,
    /// Data set directories; .npy files of 32x32x32 or Nx32x32x32 values in HU; NIfTI, NRRD and MetaImage files; folders of a DICOM
    /// series; ZIP archives of a scan
    #[arg(required_unless_present = "dicomweb")]
    inputs: Vec<PathBuf>,
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
    /// Print the predictions as CSV, or write them to a file: --csv=FILE
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, conflicts_with = "json")]
    csv: Option<Option<PathBuf>>,
}

pub fn run(args: Args) -> Result<()> {
    if let (Some(None), Some(table)) = (&args.csv, args.inputs.iter().find(|input| is_table(input))) {
        let table = table.display();
        return Err(Failure::Usage(format!("{table} is no input; --csv={table} writes the table there")).into());
    }
    let server = args.dicomweb.as_deref().map(Server::new).transpose()?;
    let (device, device_name) = args.on.open()?;
    let place = args.choice.place()?;
    let model = input::model(&place, &device)?;
    // the folder of what was fetched, which is gone with it
    let fetched = match (&server, &args.study, &args.place.series) {
        (Some(server), Some(study), Some(series)) => Some(server.series(study, series)?),
        _ => None,
    };
    let mut inputs: Vec<(String, &Path)> =
        args.inputs.iter().map(|path| (path.display().to_string(), path.as_path())).collect();
    // a folder that will be gone is named by where it came from
    inputs.extend(fetched.iter().map(|dir| (args.dicomweb.clone().unwrap_or_default(), dir.path())));
    let several = inputs.len() > 1;
    let request = Request { place: &args.place, model: &model, model_dir: &place, other: args.other, several };
    let mut all = Predictions::new(&model, &place, device_name);
    let (mut used, mut answers) = (Vec::new(), Vec::new());
    for (input, path) in inputs {
        let found = match request.targets(path) {
            Ok(found) => found,
            // one bad scan of many costs itself alone
            Err(error) if several && !matches!(error.downcast_ref(), Some(Failure::Usage(_))) => {
                all.failed.push(Failed { input, id: None, message: error.to_string() });
                continue;
            }
            Err(error) => return Err(error),
        };
        used.extend(&found.used);
        let warned = |said: &crate::io::targets::Said| Warned {
            input: input.clone(),
            id: said.nodule.clone(),
            warning: said.warning.clone(),
        };
        all.warnings.extend(found.warnings.iter().map(warned));
        let failed = found.failed.iter().map(|(id, e)| Failed {
            input: input.clone(),
            id: Some(id.clone()),
            message: e.to_string(),
        });
        all.failed.extend(failed);
        answers.extend(predicted(&model, found.targets)?.into_iter().map(|answer| (input.clone(), answer)));
    }
    if several {
        all.failed.extend(args.place.unused(&used)?.into_iter().map(|id| Failed {
            input: "--nodules".into(),
            id: Some(id),
            message: "it lies in none of the inputs".into(),
        }));
    }
    report(&args, &model, server.as_ref(), &answers, &mut all)?;
    all.rows = answers.into_iter().map(|(input, answer)| answer.row(input)).collect();
    if all.rows.is_empty() {
        let reasons: Vec<String> = all.failed.iter().map(Failed::to_string).collect();
        return Err(Failure::File(format!("nothing could be predicted: {}", reasons.join("; "))).into());
    }
    match &args.csv {
        Some(Some(path)) => {
            files::write(path, &all.csv()?)?;
            all.warn();
            println!("{}: {} predictions; {}", path.display(), all.rows.len(), model.about());
        }
        Some(None) => {
            print!("{}", String::from_utf8_lossy(&all.csv()?));
            eprintln!("{}", model.about());
            all.warn();
        }
        None if args.json => println!("{}", all.document()),
        None => {
            print!("{}", all.text());
            all.warn();
        }
    }
    match all.failed.len() {
        0 => Ok(()),
        n => {
            let reasons: Vec<String> = all.failed.iter().map(Failed::to_string).collect();
            Err(Failure::File(format!("{n} could not be predicted: {}", reasons.join("; "))).into())
        }
    }
}

/// Whether a path is that of a table, which is never an input.
fn is_table(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
}

/// Writes and stores structured reports where that is asked for.
fn report(
    args: &Args,
    model: &Model,
    server: Option<&Server>,
    answers: &[(String, Answer)],
    all: &mut Predictions<'_>,
) -> Result<()> {
    let store = server.filter(|_| args.store);
    if args.sr.is_none() && store.is_none() {
        return Ok(());
    }
    let found = answers.iter().map(|(_, answer)| (&answer.target, &answer.prediction));
    let made = structured_reports::reports(model, found)?;
    all.reports = args.sr.as_ref().map(|dir| structured_reports::write(dir, &made)).transpose()?;
    if let Some(server) = store {
        made.iter().try_for_each(|report| server.store(&report.study_uid, &report.document.bytes))?;
        all.stored.clone_from(&args.dicomweb);
    }
    Ok(())
}

/// What the model says of a crop.
struct Answer {
    target: Target,
    prediction: Prediction,
    ms: f64,
}

impl Answer {
    fn row(self, input: String) -> Predicted {
        let Target { id, diameter_mm, geometry, .. } = self.target;
        Predicted { input, id, geometry, diameter_mm, prediction: self.prediction, ms: self.ms }
    }
}

/// The answers for what one input gave.
fn predicted(model: &Model, targets: Vec<Target>) -> Result<Vec<Answer>> {
    let mut all = Vec::with_capacity(targets.len());
    let mut targets = targets.into_iter().peekable();
    while targets.peek().is_some() {
        let part: Vec<Target> = targets.by_ref().take(32).collect();
        let start = Instant::now();
        let batch: Vec<Crop> = part.iter().map(|t| t.crop.clone()).collect();
        let diameters: Vec<f64> = part.iter().filter_map(|t| t.diameter_mm).collect();
        let found = model.predict(&batch, &diameters)?;
        let ms = start.elapsed().as_secs_f64() * 1e3 / part.len() as f64;
        all.extend(part.into_iter().zip(found).map(|(target, prediction)| Answer { target, prediction, ms }));
    }
    Ok(all)
}
