//! The work on each series: annotations, nodules, crops; or only a check.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use clip_lung_core::base::digest::hex;
use clip_lung_core::error::Error;
use clip_lung_core::lidc::part::Part;
use clip_lung_core::lidc::prepare::{Prepared, Settings, Skipped, prepare};
use clip_lung_core::lidc::source::{Annotated, Database, from_xml};
use clip_lung_core::volume::dicom::{Series, SeriesReader};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::search::{Archive, SliceFile};
use super::work::Work;
use crate::failure::Failure;
use crate::show::progress;

/// What became of one series.
pub struct Outcome {
    pub part: Part,
    pub annotated: bool,
    pub failed: bool,
}

/// Everything that a worker needs.
pub struct SeriesJob<'a> {
    pub settings: &'a Settings,
    pub archive: &'a Archive,
    /// The annotation database; the archive's XML where there is none.
    pub source: Option<&'a Database>,
    /// Where parts are kept.
    pub work: Option<&'a Work>,
    /// Decode every slice and keep nothing.
    pub check: bool,
}

/// All series, a worker each, as many at a time as the thread pool has; one that fails never stops the others.
pub fn every_series(task: &SeriesJob) -> Result<Vec<Outcome>> {
    let archive = task.archive;
    let stop = progress::stop_signal()?;
    let progress = progress::Progress::new("series");
    let done = AtomicU64::new(0);
    let series: Vec<(&String, &Vec<SliceFile>)> = archive.series.iter().collect();
    let outcomes = series
        .par_iter()
        .with_max_len(1)
        .map(|(uid, slices)| {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let outcome = one_series(task, uid, slices)?;
            let n = done.fetch_add(1, Ordering::Relaxed) + 1;
            progress.set(n, archive.series.len() as u64);
            Ok(Some(outcome))
        })
        .collect::<Result<Vec<Option<Outcome>>>>();
    drop(progress);
    let outcomes = outcomes?;
    if stop.load(Ordering::Relaxed) {
        let n = done.into_inner();
        let message = format!("stopped after {n} of {} series; the same command continues", series.len());
        return Err(Failure::Interrupted(message).into());
    }
    Ok(outcomes.into_iter().flatten().collect())
}

/// One series from its files, or from a part that an earlier run kept. Only a disk that can't be written to is an error.
fn one_series(task: &SeriesJob, uid: &str, slices: &[SliceFile]) -> Result<Outcome> {
    let SeriesJob { settings, archive, source, work, .. } = *task;
    let mut problems = Vec::new();
    let name = |i: usize| slices[i].path.display().to_string();
    let ordered = Series::order(slices.iter().map(|s| s.header.clone()).enumerate().collect(), &name);
    let about = |reason: String| Skipped {
        patient_id: slices.first().map(|s| s.header.patient_id.clone()).unwrap_or_default(),
        series_uid: uid.into(),
        reason,
        ..Skipped::default()
    };
    let empty = |skipped: Vec<Skipped>, annotated: bool, failed: bool| Outcome {
        part: Part::new(Prepared { skipped, ..Prepared::default() }, String::new()),
        annotated,
        failed,
    };
    let series = match ordered {
        Ok(series) => series,
        Err(fault) => return Ok(empty(vec![about(fault.to_string())], false, true)),
    };
    let annotated = match (source, archive.readings.get(uid)) {
        (Some(database), _) => database.annotated(&series),
        (None, Some((_, readings))) => {
            problems.extend(
                readings.unrated.iter().map(|(label, why)| about(format!("{why} (a reader's nodule {label})"))),
            );
            from_xml(readings, &series).map(Some)
        }
        (None, None) => Ok(None),
    };
    let annotated = match annotated {
        Ok(Some(annotated)) => annotated,
        Ok(None) => {
            let reason = if source.is_some() { "not in the annotation database" } else { "no XML annotates it" };
            return Ok(empty(vec![about(reason.into())], false, false));
        }
        Err(error) => return Ok(empty(vec![about(bare(&error))], true, true)),
    };
    problems.extend(series.warnings.iter().map(|warning| about(warning.to_string())));
    let fingerprint = fingerprint(slices, archive.readings.get(uid).map(|r| format!("{:?}", r.1)));
    if let Some(part) = work.and_then(|w| w.part(uid, &fingerprint)) {
        return Ok(Outcome { part, annotated: true, failed: false });
    }
    let fetch = |file: usize| slices[file].read(&archive.store);
    let result = if task.check {
        verify(&series, &annotated, settings, fetch)
    } else {
        prepare(&series, &annotated, settings, fetch)
    };
    let (prepared, failed) = match result {
        Ok(prepared) => (prepared, false),
        Err(error) => (Prepared { skipped: vec![about(bare(&error))], ..Prepared::default() }, true),
    };
    let skipped = [problems, prepared.skipped].concat();
    let part = Part::new(Prepared { skipped, ..prepared }, fingerprint);
    if let Some(work) = work.filter(|_| !failed) {
        work.keep(uid, &part)?;
    }
    Ok(Outcome { part, annotated: true, failed })
}

/// Decodes every slice, whether a nodule needs it or not.
fn verify<F>(
    series: &Series,
    annotated: &Annotated,
    settings: &Settings,
    mut fetch: F,
) -> clip_lung_core::Result<Prepared>
where
    F: FnMut(usize) -> clip_lung_core::Result<(String, Vec<u8>)>,
{
    let mut reader = SeriesReader::new(series, &mut fetch);
    for z in 0..series.slices.len() {
        reader.slice(z)?;
        reader.clear();
    }
    prepare(series, annotated, settings, fetch)
}

/// A series' fault without its UID, which has a column of its own.
fn bare(error: &Error) -> String {
    if let Error::Series { fault, .. } = error { fault.to_string() } else { error.to_string() }
}

/// Changes when a file of the series does.
fn fingerprint(slices: &[SliceFile], readings: Option<String>) -> String {
    let mut hash = Sha256::new();
    for s in slices {
        hash.update(format!("{}\0{}\0{:?}\0{:?}\n", s.path.display(), s.bytes, s.modified, s.header));
    }
    hash.update(readings.unwrap_or_default());
    hex(&hash.finalize())
}
