//! `clip-lung phantom`: the embedded data set as a dataset directory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clip_lung_core::dataset::class::Thresholds;
use clip_lung_core::dataset::table;
use clip_lung_core::phantom;
use clip_lung_core::volume::nifti::nifti_gz;

use crate::io::files;

#[derive(clap::Args)]
pub struct Args {
    /// Where to write the data set
    #[arg(long)]
    out: PathBuf,
    /// Only the first N nodules
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), allow_negative_numbers = true)]
    limit: Option<u32>,
    /// Literal class thresholds: mean malignancy below 2.5 benign, above 3.5 malignant
    #[arg(long)]
    strict: bool,
    /// Write a synthetic scan with several nodules too: volume.nii.gz, and volume.csv (LPS) for `predict --nodules`
    #[arg(long)]
    volume: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> Result<()> {
    let start = Instant::now();
    let thresholds = if args.strict { Thresholds::Strict } else { Thresholds::Inclusive };
    let data = phantom::phantom(thresholds, args.limit.map(|n| n as usize))?;
    let mut written: BTreeMap<String, Vec<u8>> = data.to_files()?.into_iter().map(|(n, b)| (n.to_owned(), b)).collect();
    if args.volume {
        let scan = phantom::scan(thresholds)?;
        written.insert("volume.nii.gz".into(), nifti_gz(&scan.volume, scan.first)?);
        written.insert("volume.csv".into(), table::write(&scan.nodules)?);
    }
    files::write_dir(&args.out, &written)?;
    let seconds = start.elapsed().as_secs_f64();
    if args.json {
        println!(
            "{}",
            serde_json::json!({"out": args.out, "nodules": data.len(), "synthetic": data.header.synthetic, "seconds": seconds})
        );
    } else {
        println!(
            "{}: {} synthetic nodules in {seconds:.1} s (drawn from annotations, not CT)",
            args.out.display(),
            data.len()
        );
    }
    Ok(())
}
