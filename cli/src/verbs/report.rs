//! `clip-lung report`: a study's tables and figures, from kept predictions alone.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clip_lung_core::study::summary::document::summarise;
use clip_lung_core::study::summary::subgroups::Groups;

use crate::failure::Failure;
use crate::io::files;
use crate::io::study_dir;
use crate::io::study_results::StudyResults;
use crate::run::drawn::drawn;
use crate::show::report;

#[derive(clap::Args)]
pub struct Args {
    /// The study's directory (`sweep plan`)
    study: PathBuf,
    /// Where report.html, results.csv, table.md, table.tex, summary.json and the figures are written
    #[arg(long)]
    out: PathBuf,
    /// Also score groups of nodules: a table with the column nodule_id and the column that makes the groups, as `lidc/nodules.csv:readers`
    #[arg(long, value_name = "TABLE:COLUMN")]
    by: Option<String>,
    /// Open the page in the browser
    #[arg(long)]
    open: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> Result<()> {
    study_dir::is_free(&args.out)?;
    let study = StudyResults::read(&args.study)?;
    let groups = args.by.as_deref().map(groups).transpose()?;
    let summary = summarise(&study.dir.study, &study.finished, &study.anchors, groups.as_ref())?;
    let summary = summary.with_audit(study.audit.clone());
    let written = report::files(&summary, &drawn(&study, &summary)?, &args.study)?;
    files::write_dir(&args.out, &written)?;
    if args.json {
        println!("{}", serde_json::to_string(&summary)?);
        return Ok(());
    }
    println!("{}: {} of {} cells", args.out.display(), summary.finished, summary.planned);
    summary.notes.iter().for_each(|note| println!("  {note}"));
    for task in &summary.tasks {
        if let Some(choice) = &task.choice {
            println!("  {}: {}", task.task.name(), choice.reason);
        }
    }
    println!("  research use only, not a medical device");
    let page = args.out.join("report.html");
    println!("  the report: {}", page.display());
    if args.open && open::that_detached(&page).is_err() {
        println!("  no browser could be opened here");
    }
    Ok(())
}

fn groups(by: &str) -> Result<Groups> {
    let Some((table, column)) = by.rsplit_once(':') else {
        return Err(
            Failure::Usage(format!("--by {by}: give a table and its column, as lidc/nodules.csv:readers")).into()
        );
    };
    Ok(Groups::read(&files::read(Path::new(table))?, table, column)?)
}
