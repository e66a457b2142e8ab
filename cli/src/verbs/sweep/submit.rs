//! `clip-lung sweep submit`: a study's cells as tasks of a cluster's scheduler.

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;

use super::engines::task::{Job, LOGS, Needs};
use super::engines::{hyperqueue, slurm};
use crate::failure::Failure;
use crate::io::files;
use crate::io::study_dir::StudyDir;
use crate::machine::device;
use crate::run::shared::Here;
use crate::show::command::typed;

/// Who runs the cells.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Engine {
    /// HyperQueue, by its program hq or its Python package
    Hyperqueue,
    /// Slurm, as an array job
    Slurm,
}

#[derive(clap::Args)]
pub struct Args {
    /// The study's directory, where all nodes see it
    study: PathBuf,
    /// Who runs the cells
    #[arg(long)]
    engine: Engine,
    /// Print what would be written and run
    #[arg(long)]
    dry_run: bool,
    /// CPUs of a cell
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    cpus: u16,
    /// GPUs of a cell, 0 or 1 [default: 1 where the program is built with CUDA, unless --device is cpu; else 0]
    #[arg(long, value_parser = clap::value_parser!(u16).range(..=1))]
    gpus: Option<u16>,
    /// Where a cell computes [default: cuda with a GPU, cpu without]
    #[arg(long, value_parser = ["cpu", "cuda", "wgpu"])]
    device: Option<String>,
    /// Seconds between saved states: what a lost node costs at most
    #[arg(long, default_value_t = 60)]
    save_every: u64,
    #[command(flatten)]
    here: Here,
    #[command(flatten)]
    slurm: slurm::Options,
}

pub fn run(args: Args) -> Result<()> {
    if args.engine != Engine::Slurm && args.slurm != slurm::Options::default() {
        let message =
            "--time, --partition, --account and --at-once are Slurm's; HyperQueue's workers are started with theirs";
        return Err(Failure::Usage(message.into()).into());
    }
    let study = StudyDir::open(&args.study)?;
    args.here.check(&study.path)?;
    let (gpus, device) = place(args.gpus, args.device, device::features().contains(&"cuda"));
    if !device::features().contains(&device.as_str()) {
        // the tasks run this file
        let missing = device::missing(&device);
        if !args.dry_run {
            return Err(missing);
        }
        eprintln!("warning: {missing:#}");
    }
    let needs = Needs { cpus: args.cpus, gpus, device, save_every: args.save_every };
    let job = Job::new(&study, needs)?;
    if job.tasks.is_empty() {
        println!("{}: no cell is waiting", study.path.display());
        return Ok(());
    }
    let written = match args.engine {
        Engine::Hyperqueue => hyperqueue::files(&job)?,
        Engine::Slurm => slurm::files(&job, &args.slurm)?,
    };
    if args.dry_run {
        for (name, text) in &written {
            println!("# {}\n{text}", job.study.join(name).display());
        }
        match args.engine {
            Engine::Hyperqueue => {
                println!("# hq job submit-file {0}, or: python3 {1}", hyperqueue::DEFINITION, hyperqueue::SCRIPT);
            }
            Engine::Slurm => {
                slurm::arrays(&job, &args.slurm, "JOB")
                    .iter()
                    .for_each(|words| println!("# sbatch {}", words.join(" ")));
            }
        }
        return Ok(());
    }
    args.here.keep(&study, &device::select("cpu")?.0)?;
    files::create_dir(&job.study.join(LOGS))?;
    for (name, text) in &written {
        files::write(&job.study.join(name), text.as_bytes())?;
    }
    match args.engine {
        Engine::Hyperqueue => hyperqueue::submit(&job)?,
        Engine::Slurm => println!("Slurm has them as job {}", slurm::submit(&job, &args.slurm)?.join(" and ")),
    }
    println!("{}: {} cells submitted", args.study.display(), job.tasks.len());
    println!("  see where they stand with: clip-lung sweep status {}", typed(&args.study));
    Ok(())
}

/// How many GPUs a cell takes, and where it computes: a program that is built for GPUs takes one.
fn place(gpus: Option<u16>, device: Option<String>, cuda: bool) -> (u16, String) {
    let gpus = gpus.unwrap_or_else(|| u16::from(cuda && device.as_deref() != Some("cpu")));
    (gpus, device.unwrap_or_else(|| if gpus > 0 { "cuda" } else { "cpu" }.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_for_gpus_takes_one() {
        let cpu = || Some("cpu".to_owned());
        for (gpus, device, cuda, expected) in [
            (None, None, true, (1, "cuda")),
            (None, None, false, (0, "cpu")),
            (None, cpu(), true, (0, "cpu")),
            (Some(0), None, true, (0, "cpu")),
            (Some(1), None, false, (1, "cuda")),
            (Some(1), cpu(), true, (1, "cpu")),
        ] {
            assert_eq!(place(gpus, device, cuda), (expected.0, expected.1.to_owned()));
        }
    }
}
