//! `clip-lung demo`: synthetic data -> train -> evaluate -> explain -> export -> predict, in minutes.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use clip_lung_core::dataset::class::Thresholds;
use clip_lung_core::phantom;
use clip_lung_core::volume::npy;

use super::{explain, export, predict, serve, train};
use crate::io::{files, input};
use crate::machine::device;
use crate::run::hub;

#[derive(clap::Args)]
pub struct Args {
    /// Where to put the run, the picture and the model
    #[arg(long, default_value = "demo")]
    out: PathBuf,
    /// A few nodules and steps: shows that everything works, not that it learns
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    on: device::Choice,
}

/// A verb's arguments as if typed.
#[derive(Parser)]
struct Typed<A: clap::Args> {
    #[command(flatten)]
    args: A,
}

fn typed<A: clap::Args>(words: &[&str]) -> Result<A> {
    let all = std::iter::once("clip-lung").chain(words.iter().copied());
    Ok(Typed::<A>::try_parse_from(all)?.args)
}

pub fn run(args: Args) -> Result<()> {
    let start = Instant::now();
    let limit = args.quick.then_some(160);
    println!("1. data: drawing {} synthetic nodules from the LIDC-IDRI annotations", limit.unwrap_or(2651));
    let data = phantom::phantom(Thresholds::Inclusive, limit)?;
    println!("   done in {:.1} s\n", start.elapsed().as_secs_f64());

    let run = args.out.join("run");
    let encoder = if hub::CLIP.cached().is_some() { "clip" } else { "random" };
    let epochs = if args.quick { "1" } else { EPOCHS };
    println!("2. training clip-lung on lidc-a ({epochs} epochs, text encoder: {encoder})");
    let run_name = run.display().to_string();
    let words = [
        "--data",
        "phantom",
        "--out",
        &run_name,
        "--text-encoder",
        encoder,
        "--epochs",
        epochs,
        "--lr",
        "0.02",
        "--ema",
        EMA,
        "--ema-bn",
        "recompute",
        "--device",
        &args.on.device,
    ];
    let training = Instant::now();
    let outcome = train::run_on(typed(&words)?, &data)?;
    println!("   trained and scored in {:.0} s\n", training.elapsed().as_secs_f64());

    println!("3. result on patients the model never saw: drawings too, so that it says nothing of CT");
    let Some(scores) = &outcome.scores else { anyhow::bail!("the demo holds a fold out, and none was scored") };
    let Some(size_only) = &scores.size_only else {
        anyhow::bail!("the demo's nodules have diameters, and none was read")
    };
    let (accuracy, majority, size) = (scores.report.accuracy.value, scores.report.majority, size_only.accuracy.value);
    println!(
        "   accuracy {:.1} %: {:+.1} points against the majority class ({:.1} %)",
        100.0 * accuracy,
        100.0 * (accuracy - majority),
        100.0 * majority
    );
    println!(
        "   for comparison, the diameter alone: {:.1} % (the crop hides size: side = 2 x diameter)\n",
        100.0 * size
    );

    let picture = args.out.join("explanation.png");
    let (device, _) = args.on.open()?;
    let model = input::model(&outcome.model, &device)?;
    let row = outcome.held_out.first().copied().unwrap_or(0);
    let id = format!("nodule {}", data.rows[row].nodule_id);
    explain::draw(&model, &id, &data.crop(row)?, data.rows[row].diameter_mm, None, &picture)?;
    println!("4. explanation of the synthetic {id}: {}\n", picture.display());

    println!("5. export");
    let exported = args.out.join("model");
    export::run(typed(&[&run_name, "--out", &exported.display().to_string(), "--dtype", "f16"])?)?;

    let class = data.rows[row].class.name();
    println!("\n6. prediction of the same {id} with the exported model; the readers' ratings make it {class}");
    let crop = args.out.join("crop.npy");
    files::write(&crop, &npy::written(&data.crop(row)?))?;
    predict::run(typed(&[
        "--model",
        &exported.display().to_string(),
        &crop.display().to_string(),
        "--device",
        &args.on.device,
    ])?)?;
    println!(
        "\nAll in {:.0} s. Synthetic images: this shows that the program learns, not how well it reads CT.",
        start.elapsed().as_secs_f64()
    );
    serve::offer(&exported)
}

/// Full epochs of the demo: within six minutes on two slow cores.
const EPOCHS: &str = "2";
/// An average over some twenty steps, of 134; over fifty (0.98) the first ones still weigh, and the result is the majority class.
const EMA: &str = "0.95";
