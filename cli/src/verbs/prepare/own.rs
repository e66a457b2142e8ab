//! Data of one's own: a list of nodules with their scans, or an archive of crops.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::Result;
use clip_lung_core::Error;
use clip_lung_core::base::digest::hex;
use clip_lung_core::dataset::crops::{Dataset, DatasetHeader, SCHEMA, Voxels};
use clip_lung_core::dataset::list::{self, Found, Listed};
use clip_lung_core::dataset::table::Row;
use clip_lung_core::lidc::prepare::{Settings, Skipped};
use clip_lung_core::volume::crop::Patch;
use clip_lung_core::volume::frame::Frame;
use rayon::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::args::Args;
use super::report::{ACCOUNT, data_files, shown, told};
use crate::failure::Failure;
use crate::io::archive::account::Account;
use crate::io::archive::identity::{self, Identity};
use crate::io::archive::search::{Archive, search};
use crate::io::archive::work::Work;
use crate::io::files;
use crate::io::nodules::Nodule;
use crate::io::own::{self, OwnScan};
use crate::show::progress;

/// A list and its bytes' digest.
pub struct List<'a> {
    path: &'a Path,
    sha256: String,
    nodules: Vec<Listed>,
    frame: Frame,
}

impl<'a> List<'a> {
    /// `--nodules`.
    pub fn of(args: &'a Args) -> Result<Option<Self>> {
        let Some(path) = args.nodules.as_deref() else { return Ok(None) };
        let bytes = files::read(path)?;
        let nodules = list::parse(&bytes, &path.display().to_string())?;
        Ok(Some(Self { path, sha256: hex(&Sha256::digest(&bytes)), nodules, frame: args.frame }))
    }

    /// What a data set keeps of it.
    pub fn described(&self) -> Value {
        json!({"nodules_sha256": self.sha256, "frame": self.frame})
    }

    /// A nodule's name: the list's, or its number in the list.
    fn id(&self, i: usize) -> String {
        self.nodules[i].id.clone().unwrap_or_else(|| i.to_string())
    }

    fn name(&self) -> String {
        self.path.file_stem().map_or_else(|| "own".into(), |s| s.to_string_lossy().into_owned())
    }
}

/// The rows and crops of one scan, and what was left out of it.
#[derive(Default)]
struct Cut {
    rows: Vec<(usize, Row, Patch)>,
    left_out: Vec<Skipped>,
}

/// What the folder holds.
fn look(args: &Args) -> Result<Archive> {
    let progress = progress::Progress::new("files");
    search(args.root(), false, &args.own_places(), |done, all| progress.set(done as u64, all as u64))
}

/// That the folder still holds the scans that a finished data set was made of.
pub fn same_archive(args: &Args, out: &Path) -> Result<()> {
    let made_of = Identity::read(out)?;
    let listing = identity::listing(args.root(), &args.own_places())?;
    if listing == made_of.listing {
        return Ok(());
    }
    let archive = look(args)?;
    let found = own::identity(&own::scans(args.root(), &archive, &args.own_places()), &archive, listing)?;
    found.refuse_other(&made_of, args.root(), out)
}

pub fn work(args: &Args, list: &List, described: &Value, start: Instant) -> Result<()> {
    let work = args.target().map(|out| Work::open(out, described)).transpose()?;
    let listing = identity::listing(args.root(), &args.own_places())?;
    let archive = look(args)?;
    let scans = own::scans(args.root(), &archive, &args.own_places());
    let settings = args.settings();
    let (of_scan, homeless) = dealt(list, &scans);
    let done = AtomicUsize::new(0);
    let progress = progress::Progress::new("scans");
    let stop = progress::stop_signal()?;
    let jobs: Vec<(&usize, &Vec<usize>)> = of_scan.iter().collect();
    let cuts: Vec<Cut> = jobs
        .par_iter()
        .with_max_len(1)
        .map(|(scan, nodules)| {
            if stop.load(Ordering::Relaxed) {
                return Cut::default();
            }
            let cut = one_scan(&archive, list, &scans[**scan], nodules, &settings);
            progress.set(done.fetch_add(1, Ordering::Relaxed) as u64 + 1, jobs.len() as u64);
            cut
        })
        .collect();
    drop(progress);
    if stop.load(Ordering::Relaxed) {
        return Err(
            Failure::Interrupted("stopped before all scans were cut; the same command starts again".into()).into()
        );
    }
    let mut account = Account::of(&archive);
    (account.series, account.annotated) = (scans.len(), of_scan.len());
    let mut kept = Vec::new();
    for cut in cuts {
        account.left_out.extend(cut.left_out.into_iter().map(|s| (String::new(), s)));
        kept.extend(cut.rows);
    }
    account.left_out.extend(homeless.into_iter().map(|s| (list.path.display().to_string(), s)));
    // the list's own order
    kept.sort_by_key(|(i, ..)| *i);
    let rows: Vec<Row> = kept.iter().map(|(_, row, _)| row.clone()).collect();
    let document = account.document(&rows, described);
    let missing = list.nodules.len() - rows.len();
    if args.check {
        shown(&document, args.json, &told(&account, &document, start, "checked"));
        return match missing {
            0 => Ok(()),
            n => Err(Failure::File(format!("{n} nodules can't be cut; the reasons stand above")).into()),
        };
    }
    let (Some(work), Some(out)) = (work, args.target()) else { return Ok(()) };
    if rows.is_empty() {
        let reasons: BTreeSet<&str> = account.left_out.iter().map(|(_, s)| s.reason.as_str()).collect();
        let reasons: Vec<&str> = reasons.into_iter().take(5).collect();
        work.discard()?;
        let (list, folder) = (list.path.display(), args.root().display());
        let message = format!("{list}: not one of its nodules could be cut from {folder}: {}", reasons.join("; "));
        return Err(Failure::File(message).into());
    }
    let data = dataset(list, &settings, kept)?;
    let mut written = data_files(&data, "")?;
    written.insert("skipped.csv".into(), account.csv()?);
    written.insert(ACCOUNT.into(), format!("{document:#}\n").into_bytes());
    let made_of = own::identity(&scans, &archive, listing)?;
    written.insert(identity::FILE.into(), serde_json::to_vec_pretty(&made_of)?);
    work.finish(out, &written)?;
    shown(&document, args.json, &told(&account, &document, start, &format!("{}:", out.display())));
    Ok(())
}

/// The nodules of each scan, by number, and those that lie in none or nobody knows where.
fn dealt(list: &List, scans: &[OwnScan]) -> (BTreeMap<usize, Vec<usize>>, Vec<Skipped>) {
    let (mut of_scan, mut homeless): (BTreeMap<usize, Vec<usize>>, Vec<Skipped>) = Default::default();
    for (i, nodule) in list.nodules.iter().enumerate() {
        let mut holding = (0..scans.len()).filter(|s| scans[*s].holds(nodule));
        let found = match (holding.next(), holding.next()) {
            (Some(one), None) => Ok(one),
            (Some(one), Some(other)) => {
                Err(format!("{} and {} both bear the name of its scan", scans[one].name, scans[other].name))
            }
            (None, _) if nodule.scan.is_none() && scans.len() == 1 => Ok(0),
            (None, _) => Err(match &nodule.scan {
                Some(name) => format!("its scan {name} is not in the folder"),
                None => "the list does not name its scan (column series_uid or file), and there are several".into(),
            }),
        };
        match found {
            Ok(scan) => of_scan.entry(scan).or_default().push(i),
            Err(reason) => homeless.push(Skipped {
                patient_id: nodule.patient_id.clone().unwrap_or_default(),
                series_uid: nodule.scan.clone().unwrap_or_default(),
                nodule_id: list.id(i),
                reason,
            }),
        }
    }
    (of_scan, homeless)
}

/// Cuts the nodules of one scan; what can't be cut is accounted for.
fn one_scan(archive: &Archive, list: &List, own: &OwnScan, numbers: &[usize], settings: &Settings) -> Cut {
    let mut out = Cut::default();
    let left = |id: String, reason: String| Skipped {
        series_uid: own.uid().into(),
        nodule_id: id,
        reason,
        ..Skipped::default()
    };
    let nodule = |i: &usize| {
        let l = &list.nodules[*i];
        let frame = l.frame.unwrap_or(list.frame);
        Nodule { id: list.id(*i), frame, centre: l.centre, size: l.size, scan: None }
    };
    let nodules: Vec<Nodule> = numbers.iter().map(nodule).collect();
    let cuts = own.open(archive).and_then(|scan| Ok(scan.cut(&nodules, settings.crop, settings.margin)?));
    let cuts = match cuts {
        Ok(cuts) => cuts,
        Err(error) => {
            out.left_out = nodules.into_iter().map(|n| left(n.id, error.to_string())).collect();
            return out;
        }
    };
    out.left_out.extend(cuts.warnings.iter().map(|warning| left(String::new(), warning.to_string())));
    let patient = cuts.patient_id.as_deref().unwrap_or(own.uid());
    for ((i, nodule), cut) in numbers.iter().zip(nodules).zip(cuts.cuts) {
        let row = cut.and_then(|cut| {
            let (id, series_uid, diameter_mm) = (&nodule.id, own.uid(), cut.diameter_mm);
            let found = Found { id, patient_id: patient, series_uid, centre: cut.centre, diameter_mm };
            Ok((list.nodules[*i].row(&found, settings.thresholds)?, cut))
        });
        match row {
            Ok((_, cut)) if !cut.warnings.is_empty() => out.left_out.push(left(nodule.id, cut.warnings[0].to_string())),
            Ok((row, cut)) => out.rows.push((*i, row, cut.patch)),
            Err(error) => out.left_out.push(left(nodule.id, bare(&error))),
        }
    }
    out
}

/// A series' fault without its UID, which has a column of its own.
fn bare(error: &Error) -> String {
    if let Error::Series { fault, .. } = error { fault.to_string() } else { error.to_string() }
}

fn dataset(list: &List, settings: &Settings, kept: Vec<(usize, Row, Patch)>) -> Result<Dataset> {
    let header = DatasetHeader {
        schema: SCHEMA,
        name: list.name(),
        source: format!("scans with the list {}", list.path.display()),
        license: "not stated".into(),
        citation: "not stated".into(),
        hu_window: [-1000.0, 400.0],
        thresholds: settings.thresholds,
        crop: settings.crop,
        margin: settings.margin,
        synthetic: false,
        notes: "Crops around the listed centres, 32 samples an axis, trilinear. Classes are the list's.".into(),
    };
    let whole = |v: &f32| v.round().clamp(-32768.0, 32767.0) as i16;
    let hu = kept.iter().flat_map(|(_, _, patch)| patch.hu()).map(whole).collect();
    let rows = kept.into_iter().map(|(_, row, _)| row).collect();
    Ok(Dataset::new(header, rows, Voxels::I16(hu), 1.0, 0.0)?)
}
