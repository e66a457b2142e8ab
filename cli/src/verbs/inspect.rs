//! `clip-lung inspect`: a data set as a page to look at, or audited; a scan as it is read.

use std::path::PathBuf;

use anyhow::Result;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::study::audit::document::audit;
use clip_lung_core::train::config::{Grouping, TrainConfig};
use clip_lung_core::volume::frame::Point;

use super::prepare::DROPPED;
use crate::failure::Failure;
use crate::io::files;
use crate::io::input;
use crate::io::nodules::triple;
use crate::io::whole::Whole;
use crate::io::word::folds;
use crate::io::word::word;
use crate::show::audit::render;
use crate::show::gallery::{self, LeftOut};
use crate::show::scan::Shown;

#[derive(clap::Args)]
pub struct Args {
    /// A data set directory, or `phantom`; or a scan: a NIfTI, NRRD or MetaImage file, the folder of a DICOM series, or a ZIP archive
    place: PathBuf,
    /// The SeriesInstanceUID, where a folder holds several series
    #[arg(long, value_name = "UID", conflicts_with_all = ["out", "limit", "audit"])]
    series: Option<String>,
    /// HU of the voxel at a point of a scan: x,y,z in mm, LPS; as often as wanted
    #[arg(long, value_name = "X,Y,Z", value_parser = triple, allow_hyphen_values = true, conflicts_with_all = ["out", "limit", "audit"])]
    at: Vec<[f64; 3]>,
    /// The page; `inspect.html` within the data set if not given
    #[arg(long)]
    out: Option<PathBuf>,
    /// Only the first N nodules
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), allow_negative_numbers = true)]
    limit: Option<u32>,
    /// Audit instead of drawing: leaks between folds, classes under other label rules, how far readers agree
    #[arg(long, conflicts_with = "out")]
    audit: bool,
    #[command(flatten)]
    split: SplitArgs,
    /// Print a summary as JSON
    #[arg(long)]
    json: bool,
}

/// The split that is audited.
#[derive(clap::Args)]
struct SplitArgs {
    #[arg(long, default_value_t = 5, value_parser = folds(), requires = "audit")]
    folds: usize,
    /// Of the folds
    #[arg(long, default_value_t = 2, requires = "audit")]
    fold_seed: u64,
    /// Deal whole patients to folds, or single nodules (leaks patients)
    #[arg(long, value_parser = word::<Grouping>, default_value = "patient", requires = "audit")]
    grouping: Grouping,
    /// Exit with 0 though patients or nearly the same crops are in two folds
    #[arg(long, requires = "audit")]
    allow_leaks: bool,
}

pub fn run(args: Args) -> Result<()> {
    let about_data = args.out.is_some() || args.limit.is_some() || args.audit;
    if !input::is_dataset(&args.place) && !about_data {
        return scan(&args);
    }
    if args.series.is_some() || !args.at.is_empty() {
        let message = format!("{}: holds crops already; --series and --at are for scans", args.place.display());
        return Err(Failure::Usage(message).into());
    }
    let mut data = input::dataset(&args.place)?;
    let all = data.len();
    if let Some(limit) = args.limit {
        data = data.truncated(limit as usize);
    }
    if args.audit {
        return audited(&data, &args.split, args.json);
    }
    let dir = args.place;
    let skipped = dir.join("skipped.csv");
    let left_out = if skipped.is_file() { LeftOut::read(&files::read(&skipped)?, &skipped)? } else { Vec::new() };
    let dropped = dir.join(DROPPED);
    let dropped = if dropped.is_dir() { Some(input::dataset(&dropped)?) } else { None };
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

/// Says what is read of a scan.
fn scan(args: &Args) -> Result<()> {
    let whole = Whole::read(&args.place, args.series.as_deref())?;
    let points = args.at.iter().map(|xyz| Ok(Point::new(*xyz)?)).collect::<Result<Vec<_>>>()?;
    let name = args.place.display().to_string();
    let Whole { view, format, series_uid } = &whole;
    let shown = Shown { name, format, series_uid: series_uid.as_deref(), view, points: &points };
    if args.json {
        println!("{}", shown.document());
    } else {
        print!("{}", shown.text());
        view.warnings.iter().for_each(|warning| eprintln!("warning: {}: {warning}", shown.name));
    }
    Ok(())
}

/// Prints the audit, then refuses what leaks.
fn audited(data: &Dataset, split: &SplitArgs, json: bool) -> Result<()> {
    let config = TrainConfig {
        folds: split.folds,
        fold_seed: split.fold_seed,
        grouping: split.grouping,
        ..TrainConfig::default()
    };
    config.check().map_err(|e| Failure::Usage(e.to_string()))?;
    let audit = audit(data, &config)?;
    if json {
        println!("{}", serde_json::to_string(&audit)?);
    } else {
        print!("{}", render(&audit));
    }
    if split.allow_leaks {
        return Ok(());
    }
    Ok(audit.leakage.check()?)
}
