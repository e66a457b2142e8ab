//! `clip-lung`: train CLIP-Lung and its baselines, and predict the malignancy of lung nodules. Research software, not a medical
//! device.

#![forbid(unsafe_code)]

mod bundle;
mod card;
mod curves;
mod device;
mod failure;
mod files;
mod input;
mod memory;
mod picture;
mod run_dir;
mod scoring;
mod table;
mod text;
mod verbs;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Malignancy of lung nodules from CT crops: CLIP-Lung (MICCAI 2023) and its baselines.
///
/// Research software, not a medical device.
#[derive(Parser)]
#[command(name = "clip-lung", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Train on the embedded synthetic data, evaluate, explain, export and predict
    Demo(verbs::demo::Args),
    /// Write the embedded synthetic data set as a dataset directory
    Phantom(verbs::phantom::Args),
    /// Train one fold; continues where an interrupted run stopped
    Train(verbs::train::Args),
    /// Score a run or a model on a data set
    Evaluate(verbs::evaluate::Args),
    /// Predict crops
    Predict(verbs::predict::Args),
    /// Draw what a prediction rests on (Grad-CAM)
    Explain(verbs::explain::Args),
    /// Write a run's model as a model directory
    Export(verbs::export::Args),
    /// Show versions, devices and caches, and what is missing
    Doctor(verbs::doctor::Args),
}

fn main() -> ExitCode {
    memory::keep();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { failure::USAGE } else { 0 });
        }
    };
    let outcome = failure::catch(|| match cli.verb {
        Verb::Demo(args) => verbs::demo::run(args),
        Verb::Phantom(args) => verbs::phantom::run(args),
        Verb::Train(args) => verbs::train::run(args).map(drop),
        Verb::Evaluate(args) => verbs::evaluate::run(args),
        Verb::Predict(args) => verbs::predict::run(args),
        Verb::Explain(args) => verbs::explain::run(args),
        Verb::Export(args) => verbs::export::run(args),
        Verb::Doctor(args) => verbs::doctor::run(args),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(failure::code(&error))
        }
    }
}
