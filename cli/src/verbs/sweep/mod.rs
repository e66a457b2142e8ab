//! `clip-lung sweep`: a study's cells, planned, run, looked at and handed to a cluster.

mod engines;
mod plan;
mod run;
mod status;
mod submit;
mod team;
mod worker;

use anyhow::Result;
use clap::Subcommand;

#[derive(Subcommand)]
#[allow(clippy::large_enum_variant)] // one of them is held at a time
pub enum Verb {
    /// Write a study: every method on every task, fold and seed; planning again adds cells
    Plan(plan::Args),
    /// Run the cells that are not done; running again continues where it stopped
    Run(run::Args),
    /// Which cells are done, running, failed and waiting
    Status(status::Args),
    /// Hand the cells that are not done to a cluster: HyperQueue or Slurm
    Submit(submit::Args),
}

pub fn run(verb: Verb) -> Result<()> {
    match verb {
        Verb::Plan(args) => plan::run(args),
        Verb::Run(args) => run::run(args),
        Verb::Status(args) => status::run(args),
        Verb::Submit(args) => submit::run(args),
    }
}

impl Verb {
    /// Whether it takes thousands of training steps in this process.
    pub fn trains(&self) -> bool {
        matches!(self, Self::Run(args) if args.trains())
    }
}
