//! `clip-lung inspect`: a data set as a page to look at.

use std::path::PathBuf;

use anyhow::Result;

use super::prepare::DROPPED;
use crate::io::files;
use crate::io::input;
use crate::show::gallery::{self, LeftOut};

#[derive(clap::Args)]
pub struct Args {
    /// A dataset directory, or `phantom`
    dataset: String,
    /// The page; `inspect.html` within the data set if not given
    #[arg(long)]
    out: Option<PathBuf>,
    /// Only the first N nodules
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), allow_negative_numbers = true)]
    limit: Option<u32>,
    /// Print a summary as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> Result<()> {
    let mut data = input::dataset(&args.dataset)?;
    let all = data.len();
    if let Some(limit) = args.limit {
        data = data.truncated(limit as usize);
    }
    let dir = PathBuf::from(&args.dataset);
    let skipped = dir.join("skipped.csv");
    let left_out = if skipped.is_file() { LeftOut::read(&files::read(&skipped)?, &skipped)? } else { Vec::new() };
    let dropped = dir.join(DROPPED);
    let dropped = if dropped.is_dir() { Some(input::dataset(&dropped.display().to_string())?) } else { None };
    let out = match args.out {
        Some(out) => out,
        None if dir.is_dir() => dir.join("inspect.html"),
        None => PathBuf::from("inspect.html"),
    };
    files::write(&out, gallery::page(&data, all, dropped.as_ref(), &left_out)?.as_bytes())?;
    if args.json {
        println!(
            "{}",
            serde_json::json!({"page": out, "shown": data.len(), "nodules": all, "left_out": left_out.len()})
        );
    } else {
        println!(
            "{}: {} of {all} nodules, {} entries left out; open it in a browser",
            out.display(),
            data.len(),
            left_out.len()
        );
    }
    Ok(())
}
