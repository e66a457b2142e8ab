//! `clip-lung`: train CLIP-Lung and its baselines, and predict the malignancy of lung nodules. Research software, not a medical
//! device.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod failure;
mod io;
mod machine;
mod run;
mod show;
mod verbs;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use clip_lung_core::base::unicode::line;

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
    /// Turn LIDC-IDRI as downloaded (DICOM, XML) into a dataset directory; continues where it stopped
    Prepare(verbs::prepare::Args),
    /// Draw a data set as an HTML page: three planes a nodule, ratings, class, and what was left out; or say what is read of a scan
    Inspect(verbs::inspect::Args),
    /// Train one fold; continues where an interrupted run stopped
    Train(verbs::train::Args),
    /// Many runs as one study: every method, task and fold, on one machine or many
    #[command(subcommand)]
    Sweep(verbs::sweep::Verb),
    /// Score a run or a model on a data set
    Evaluate(verbs::evaluate::Args),
    /// Compare two runs, methods of a study or files of predictions: paired differences with intervals
    Compare(verbs::compare::Args),
    /// Write a study's tables and figures, from its kept predictions alone
    Report(verbs::report::Args),
    /// Predict crops
    Predict(verbs::predict::Args),
    /// Draw what a prediction rests on (Grad-CAM)
    Explain(verbs::explain::Args),
    /// Write a run's model as a model directory
    Export(verbs::export::Args),
    /// Serve the demo page, the browser package and a model on this machine
    Serve(verbs::serve::Args),
    /// Show versions, devices and caches, and what is missing
    Doctor(verbs::doctor::Args),
}

impl Verb {
    /// Whether it takes thousands of training steps, for which memory is kept.
    fn trains(&self) -> bool {
        match self {
            Self::Demo(_) | Self::Train(_) => true,
            Self::Sweep(verb) => verb.trains(),
            _ => false,
        }
    }
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { failure::USAGE } else { 0 });
        }
    };
    if cli.verb.trains() {
        machine::memory::keep();
    }
    let outcome = failure::catch(|| match cli.verb {
        Verb::Demo(args) => verbs::demo::run(args),
        Verb::Phantom(args) => verbs::phantom::run(args),
        Verb::Prepare(args) => verbs::prepare::run(args),
        Verb::Inspect(args) => verbs::inspect::run(args),
        Verb::Train(args) => verbs::train::run(args).map(drop),
        Verb::Sweep(verb) => verbs::sweep::run(verb),
        Verb::Evaluate(args) => verbs::evaluate::run(args),
        Verb::Compare(args) => verbs::compare::run(args),
        Verb::Report(args) => verbs::report::run(args),
        Verb::Predict(args) => verbs::predict::run(args),
        Verb::Explain(args) => verbs::explain::run(args),
        Verb::Export(args) => verbs::export::run(args),
        Verb::Serve(args) => verbs::serve::run(args),
        Verb::Doctor(args) => verbs::doctor::run(args),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // names of files and nodules are in it, whoever gave them
            let message = format!("{error:#}");
            eprintln!("error: {}", message.lines().map(line).collect::<Vec<_>>().join("\n"));
            ExitCode::from(failure::code(&error))
        }
    }
}
