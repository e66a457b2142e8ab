//! What is predicted: the crops of data sets and arrays, and nodules of scans.

use std::path::Path;

use anyhow::Result;
use clip_lung_core::Error;
use clip_lung_core::model::predict::Model;
use clip_lung_core::volume::crop::Crop;
use clip_lung_core::volume::frame::Frame;
use clip_lung_core::volume::grid::Margin;
use clip_lung_core::volume::npy;
use clip_lung_core::volume::warning::{Warning, not_a_nodules, not_hu};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::io::archive::search::Archive;
use crate::io::files;
use crate::io::input::{self, OtherCrop};
use crate::io::nodules::{Nodule, Place};
use crate::io::opened::Opened;
use crate::io::scan::{Origin, Scan};

/// A crop to predict: its name, and where it was cut.
pub struct Target {
    pub id: String,
    pub crop: Crop,
    /// Where it is known.
    pub diameter_mm: Option<f64>,
    pub geometry: Option<Value>,
    /// Of a DICOM series: what a report tells of its place.
    pub origin: Option<Origin>,
}

/// A warning of an input, or of one of its nodules.
pub struct Said {
    pub nodule: Option<String>,
    pub warning: Warning,
}

/// What an input gave.
#[derive(Default)]
pub struct Found {
    pub targets: Vec<Target>,
    pub warnings: Vec<Said>,
    /// Nodules that could not be cut, and why.
    pub failed: Vec<(String, Error)>,
    /// Nodules of the list that lie in this scan, by their number in the list.
    pub used: Vec<usize>,
}

/// How the inputs are read.
pub struct Request<'a> {
    pub place: &'a Place,
    pub model: &'a Model,
    /// The model's directory, for messages.
    pub model_dir: &'a Path,
    pub other: OtherCrop,
    /// Whether there are several inputs: a list must then say which nodule lies where.
    pub several: bool,
}

impl Request<'_> {
    /// What to predict in `path`: a data set directory, a `.npy` of `[32,32,32]` or `[N,32,32,32]` in HU, or nodules of a scan (a volume's
    /// file, the folder of a DICOM series, or a ZIP archive of one), cut as the crops were that the model was trained on.
    pub fn targets(&self, path: &Path) -> Result<Found> {
        let shown = path.display();
        let pointless = || {
            let message = format!("{shown}: holds crops already; --centre, --diameter and --nodules are for scans");
            if self.place.given() { Err(Failure::Usage(message)) } else { Ok(()) }
        };
        if input::is_dataset(path) {
            pointless()?;
            return self.data_set(path);
        }
        match Opened::at(path)? {
            Opened::Array => {
                // a crop of an array has no diameter of its own
                if self.place.points() {
                    pointless()?;
                }
                self.array(path)
            }
            Opened::Series(archive) => self.series(&archive),
            Opened::Volume(scan) => self.volume(&scan, path),
        }
    }

    fn volume(&self, scan: &Scan, path: &Path) -> Result<Found> {
        let mut found = Found::default();
        self.cut(scan, path, &mut found)?;
        Ok(found)
    }

    fn data_set(&self, path: &Path) -> Result<Found> {
        let data = input::dataset(path)?;
        let other = self.other.check(&data, path, self.model, self.model_dir)?;
        let target = |i: usize| {
            let row = &data.rows[i];
            Ok(Target {
                id: row.nodule_id.clone(),
                crop: data.crop(i)?,
                diameter_mm: row.diameter_mm,
                geometry: None,
                origin: None,
            })
        };
        let targets = (0..data.len()).map(target).collect::<Result<Vec<_>>>()?;
        let warnings = other.map(|warning| Said { nodule: None, warning }).into_iter().collect();
        Ok(Found { targets, warnings, ..Found::default() })
    }

    fn array(&self, path: &Path) -> Result<Found> {
        if self.model.config.diameter && self.place.diameter().is_none() {
            let reason = "this model reads the nodule's diameter beside the image; give it with --diameter MM";
            return Err(Failure::File(format!("{}: {reason}", path.display())).into());
        }
        let crops = npy::crops(&files::read(path)?, &path.display().to_string())?;
        let stem = path.file_stem().map_or_else(|| "crop".into(), |s| s.to_string_lossy().into_owned());
        let several = crops.len() > 1;
        let mut found = Found::default();
        for (i, crop) in crops.into_iter().enumerate() {
            let id = if several { format!("{stem}[{i}]") } else { stem.clone() };
            let diameter_mm = self.place.diameter();
            let warnings = not_hu(crop.hu().iter().copied()).into_iter().chain(diameter_mm.and_then(not_a_nodules));
            found.warnings.extend(warnings.map(|warning| Said { nodule: Some(id.clone()), warning }));
            found.targets.push(Target { id, crop, diameter_mm, geometry: None, origin: None });
        }
        Ok(found)
    }

    /// The series of a folder or an archive that `--series` or the list names, or its only one.
    fn series(&self, archive: &Archive) -> Result<Found> {
        let dir = archive.store.path();
        archive.check()?;
        let nodules = self.place.nodules("nodule", Frame::Lps)?;
        let named: Vec<&String> = match &self.place.series {
            Some(uid) => vec![archive.named(uid)?],
            None if archive.series.len() == 1 => archive.series.keys().collect(),
            None => archive.series.keys().filter(|uid| nodules.iter().any(|n| n.lies_in(uid))).collect(),
        };
        if named.is_empty() {
            let (n, choices) = (archive.series.len(), archive.choices());
            let shown = dir.display();
            let message =
                format!("{shown}: {n} CT series; choose one with --series, or name it in the list: {choices}");
            return Err(Failure::File(message).into());
        }
        let mut found = Found::default();
        found.warnings.extend(archive.left_aside().map(|warning| Said { nodule: None, warning }));
        for uid in named {
            let scan = Scan::Dicom { store: &archive.store, uid, slices: &archive.series[uid] };
            self.cut(&scan, dir, &mut found)?;
        }
        Ok(found)
    }

    /// The nodules of one scan. One of several that can't be cut is named; the others are.
    fn cut(&self, scan: &Scan, path: &Path, found: &mut Found) -> Result<()> {
        let all = self.place.nodules(&scan.stem(), scan.frame())?;
        let several = all.len() > 1;
        let (used, nodules) = self.of_scan(scan, path, all)?;
        let cuts = scan.cut(&nodules, self.model.config.input.crop, Margin::default())?;
        found.used.extend(used);
        found.warnings.extend(cuts.warnings.into_iter().map(|warning| Said { nodule: None, warning }));
        for (nodule, cut) in nodules.into_iter().zip(cuts.cuts) {
            let cut = match cut {
                Ok(cut) => cut,
                Err(error) if several => {
                    found.failed.push((nodule.id, error));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let said = |warning: Warning| Said { nodule: Some(nodule.id.clone()), warning };
            found
                .warnings
                .extend(cut.warnings.iter().cloned().chain(cut.diameter_mm.and_then(not_a_nodules)).map(said));
            let mut geometry = scan.geometry(&cut);
            if !cuts.gaps.is_empty() {
                geometry["missing_slices_mm"] = json!(cuts.gaps);
            }
            let (crop, diameter_mm) = (cut.patch.crop()?, cut.diameter_mm);
            let (origin, geometry) = (cut.origin, Some(geometry));
            found.targets.push(Target { id: nodule.id, crop, diameter_mm, geometry, origin });
        }
        Ok(())
    }

    /// The nodules that lie in a scan, with their numbers: those that name it, and those that name none where there is one scan.
    fn of_scan(&self, scan: &Scan, path: &Path, all: Vec<Nodule>) -> Result<(Vec<usize>, Vec<Nodule>)> {
        let shown = path.display();
        if self.several && all.iter().any(|n| n.scan.is_none()) && self.place.listed() {
            let message =
                "the list does not say in which of the inputs each nodule lies; give it a column series_uid or file";
            return Err(Failure::File(message.into()).into());
        }
        let name = match scan {
            Scan::Dicom { uid, .. } => (*uid).to_owned(),
            Scan::Volume { path, .. } => path.to_string_lossy().into_owned(),
        };
        let here = |n: &Nodule| n.scan.is_none() || n.lies_in(&name);
        let one_other = all.windows(2).all(|w| w[0].scan == w[1].scan);
        // a NIfTI file made of a series has another name than the series
        let any = matches!(scan, Scan::Volume { .. }) && !self.several && one_other && !all.iter().any(here);
        let (used, nodules): (Vec<usize>, Vec<Nodule>) =
            all.into_iter().enumerate().filter(|(_, n)| any || here(n)).unzip();
        if nodules.is_empty() {
            let message = match scan {
                Scan::Dicom { uid, .. } => format!("{shown}: no nodule of --nodules lies in series {uid}"),
                Scan::Volume { .. } => format!("{shown}: no nodule of --nodules names this file"),
            };
            return Err(Failure::File(message).into());
        }
        Ok((used, nodules))
    }
}
