//! `clip-lung report`: a study's tables and figures, from kept predictions alone.

use std::path::PathBuf;

use anyhow::Result;
use clip_lung_core::study::summary::document::summarise;

use crate::io::files;
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
    /// Open the page in the browser
    #[arg(long)]
    open: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> Result<()> {
    let study = StudyResults::read(&args.study)?;
    let summary = summarise(&study.dir.study, &study.finished, &study.anchors)?.with_audit(study.audit.clone());
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
