//! `clip-lung explain`: what a prediction rests on, as a picture.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clip_lung_core::base::unicode::line;
use clip_lung_core::dataset::class::Class;
use clip_lung_core::dataset::table::RATING_COLUMNS;
use clip_lung_core::model::explain::gradcam::CELLS;
use clip_lung_core::model::predict::Model;
use clip_lung_core::volume::crop::Crop;

use crate::failure::Failure;
use crate::io::default_model::ModelChoice;
use crate::io::files;
use crate::io::input::{self, OtherCrop};
use crate::io::nodules::Place;
use crate::io::targets::Request;
use crate::io::word::word;
use crate::machine::device;
use crate::show::picture;
use crate::show::predictions::add_judgement;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    choice: ModelChoice,
    /// A .npy file in HU, a data set directory with --index, a NIfTI, NRRD or MetaImage file, the folder of a DICOM series, or a ZIP
    /// archive of a scan
    input: PathBuf,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    other: OtherCrop,
    /// Which crop of the input, counted from 0
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    index: usize,
    /// The picture, a PNG: the name must end in .png
    #[arg(long, value_parser = png)]
    out: PathBuf,
    /// The class to explain; the predicted one if not given
    #[arg(long, value_parser = word::<Class>)]
    class: Option<Class>,
    #[command(flatten)]
    on: device::Choice,
    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
}

/// A PNG under another name would only mislead whoever opens it.
fn png(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("png"));
    if is { Ok(path) } else { Err("the picture is a PNG; give a name that ends in .png".into()) }
}

pub fn run(args: Args) -> Result<()> {
    let (device, _) = args.on.open()?;
    let place = args.choice.place()?;
    let model = input::model(&place, &device)?;
    let request = Request { place: &args.place, model: &model, model_dir: &place, other: args.other, several: false };
    let mut found = request.targets(&args.input)?;
    let count = found.targets.len();
    let input = args.input.display();
    let chosen = std::mem::take(&mut found.targets).into_iter().nth(args.index);
    let target =
        chosen.ok_or_else(|| Failure::Usage(format!("--index {}: {input} holds {count} crops", args.index)))?;
    found.warnings.retain(|said| said.nodule.as_ref().is_none_or(|id| *id == target.id));
    let mut document = draw(&model, &target.id, &target.crop, target.diameter_mm, args.class, &args.out)?;
    if let Some(geometry) = target.geometry {
        document["crop"] = geometry;
    }
    document["warnings"] = found.warnings.iter().map(|said| serde_json::json!(said.warning)).collect();
    if args.json {
        println!("{document}");
    } else {
        println!(
            "{}: Grad-CAM of {} for {}",
            args.out.display(),
            line(&target.id),
            document["explained"].as_str().unwrap_or("")
        );
        if let Some(reason) = document["reason"].as_str() {
            println!("{reason}");
        }
        println!("{}", model.about());
        for said in &found.warnings {
            eprintln!("{}", line(&format!("warning: {input}: {}", said.warning)));
        }
    }
    Ok(())
}

/// Draws one explanation and gives its numbers.
pub fn draw(
    model: &Model,
    id: &str,
    crop: &Crop,
    diameter_mm: Option<f64>,
    class: Option<Class>,
    out: &Path,
) -> Result<serde_json::Value> {
    let e = model.explain(crop, diameter_mm, class)?;
    let shares = |values: &mut dyn Iterator<Item = (String, f64)>| {
        values.map(|(n, v)| format!("{n} {v:.2}")).collect::<Vec<_>>().join("  ")
    };
    let probabilities =
        || model.config.classes.iter().zip(&e.prediction.probabilities).map(|(c, p)| (c.name().to_owned(), *p));
    let attributes: Vec<(String, f64)> = e
        .attributes
        .iter()
        .flatten()
        .zip(RATING_COLUMNS)
        .map(|(s, name)| (name.replace('_', " "), f64::from(*s)))
        .collect();
    let mut caption = vec![
        format!("{id}: predicted {} ({})", e.prediction.class.name(), shares(&mut probabilities())),
        format!(
            "heat: evidence for {}, on {CELLS} x {CELLS} cells; one map for all 32 slices, which are channels",
            e.class.name()
        ),
    ];
    if model.config.diameter {
        caption.push("the diameter is an input beside the image: what it contributes is not in the map".into());
    }
    if let Some(reason) = e.prediction.out_of_place {
        caption.push(reason.words().into());
    }
    if !attributes.is_empty() {
        caption.push("closest words (lobulation and spiculation were rated inconsistently in LIDC-IDRI):".into());
        for part in attributes.chunks(4) {
            caption.push(format!("  {}", shares(&mut part.iter().cloned())));
        }
    }
    caption.push(format!("text encoder of the training: {}", model.config.metadata.text_encoder));
    caption.push(model.about());
    files::write(out, &picture::explanation(crop, model.config.input.hu_window, &e.heat, &caption)?)?;
    let mut said = serde_json::json!({
        "id": id, "class": e.prediction.class, "explained": e.class,
        "probabilities": probabilities().collect::<std::collections::BTreeMap<_, _>>(),
        "attributes": attributes.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "heat": e.heat, "heat_shape": [32, 32], "text_encoder": model.config.metadata.text_encoder, "about": model.about(),
        "intended_use": "research",
    });
    add_judgement(&mut said, &model.config, &e.prediction);
    Ok(said)
}
