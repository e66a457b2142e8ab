//! `clip-lung compare`: the paired difference of two files of predictions, runs, or methods of a study.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clip_lung_core::Error;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::study::summary::cohorts::{Cohorts, Compared};
use clip_lung_core::train::log::StepLog;

use crate::failure::Failure;
use crate::io::contender::Contender;
use crate::io::files;
use crate::io::run_dir;
use crate::show::comparison;
use crate::show::figure::learning::{self, Curve};

#[derive(clap::Args)]
pub struct Args {
    /// Two or more of: a predictions.csv, a run's directory, STUDY:METHOD, STUDY:METHOD.VARIANT, or what needs no image (STUDY:size-only,
    /// STUDY:ratings, STUDY:ratings-and-size, STUDY:majority); the first is compared with each other
    #[arg(required = true, num_args = 2..)]
    contenders: Vec<String>,
    /// Only this task; a file of predictions is taken to be of it
    #[arg(long, value_enum)]
    task: Option<Task>,
    /// Draw the learning curves of all of them as SVG, one each over all its runs, where they kept their logs (log.jsonl)
    #[arg(long, value_name = "SVG")]
    curves: Option<PathBuf>,
    /// Print the comparison as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> Result<()> {
    let contenders = args.contenders.iter().map(|name| Contender::read(name, args.task)).collect::<Result<Vec<_>>>()?;
    let [first, others @ ..] = &contenders[..] else { return Ok(()) };
    let mut all = Vec::new();
    for other in others {
        all.extend(compare(first, other)?);
    }
    let encoders: BTreeMap<&str, String> =
        contenders.iter().filter_map(|c| Some((c.name.as_str(), c.text_encoder()?))).collect();
    let synthetic = contenders.iter().any(|c| c.synthetic);
    if args.json {
        let comparisons = all.iter().map(|(task, c)| comparison::json(*task, c)).collect::<Result<Vec<_>>>()?;
        println!(
            "{}",
            serde_json::json!({
                "intended_use": "research", "synthetic_images": synthetic, "text_encoders": encoders, "comparisons": comparisons
            })
        );
    } else {
        all.iter().for_each(|(task, compared)| print!("{}", comparison::render(*task, compared)));
        encoders.iter().for_each(|(name, encoder)| println!("text encoder of {name}: {encoder}"));
        if synthetic {
            println!("synthetic images: not evidence about CT");
        }
        println!("research use only, not a medical device");
    }
    args.curves.as_ref().map_or(Ok(()), |out| draw(&contenders, out))
}

/// The learning curves of all contenders that kept their logs.
fn draw(contenders: &[Contender], out: &Path) -> Result<()> {
    let curve = |c: &Contender| {
        let steps: Vec<StepLog> = c.runs.iter().flat_map(|run| run_dir::steps(run)).collect();
        let curve = Curve::new(&c.name, &steps);
        if curve.is_none() {
            eprintln!("{}: there is no log of its training (log.jsonl)", c.name);
        }
        curve
    };
    let curves: Vec<Curve> = contenders.iter().filter_map(curve).collect();
    let nothing = || {
        Failure::File(format!(
            "{}: none of them has a log to draw; it stays with a run's directory, not with kept results",
            out.display()
        ))
    };
    let figure = learning::figure("curves", "learning curves", &curves).ok_or_else(nothing)?;
    files::write(out, figure.file().as_bytes())?;
    eprintln!("{}: {} learning curve(s)", out.display(), curves.len());
    Ok(())
}

/// Every task that both have, on the folds that both have.
fn compare(first: &Contender, second: &Contender) -> Result<Vec<(Task, Compared)>> {
    let mut all = Vec::new();
    let of_second = |task: Task| second.entries.iter().find(|e| e.task == task);
    let pairs = first.entries.iter().filter_map(|a| Some((a, of_second(a.task)?)));
    for (a, b) in pairs {
        let compared = Cohorts::default().compare(a, b)?;
        all.extend(compared.map(|c| (a.task, c)));
    }
    if all.is_empty() {
        let reason = "they share no task with a fold that both have".to_owned();
        return Err(Error::Unpaired { first: first.name.clone(), second: second.name.clone(), reason }.into());
    }
    Ok(all)
}
