//! What a verb reads: data sets, models, crops.

use std::path::Path;

use anyhow::Result;
use burn::tensor::Device;
use clip_lung_core::dataset::class::Thresholds;
use clip_lung_core::dataset::crops::{CROPS, Dataset, HEADER, NODULES};
use clip_lung_core::error::Error;
use clip_lung_core::model::directory::{CARD, CONFIG, GOLDEN, WEIGHTS};
use clip_lung_core::model::ensemble::{ENSEMBLE, EnsembleFile};
use clip_lung_core::model::predict::Model;
use clip_lung_core::phantom;
use clip_lung_core::volume::crop::{Crop, SIDE, VOXELS};

use crate::failure::Failure;
use crate::io::files;
use crate::io::nodules::Place;
use crate::io::run_dir::model_dir;
use crate::io::scan::{self, Target};

/// The embedded data set's name on the command line, whatever is called so on the disk.
const PHANTOM: &str = "phantom";

/// `--data DIR|phantom` as another working directory understands it.
pub fn whole_place(place: &str) -> String {
    if place == PHANTOM { place.to_owned() } else { files::whole(place) }
}

/// `--data DIR|phantom`.
pub fn dataset(place: &str) -> Result<Dataset> {
    if place == PHANTOM {
        return Ok(phantom::phantom(Thresholds::Inclusive, None)?);
    }
    let dir = Path::new(place);
    let packed = format!("{CROPS}.gz");
    let mut found = files::read_some(dir, &[CROPS, &packed, NODULES, HEADER])?;
    let mut take = |names: &[&str]| {
        names.iter().find_map(|n| found.remove(*n)).ok_or_else(|| {
            Failure::File(format!(
                "{place}: {} is missing; a data set is a directory of {CROPS}, {NODULES} and {HEADER}",
                names[0]
            ))
        })
    };
    let (crops, nodules, header) = (take(&[CROPS, &packed])?, take(&[NODULES])?, take(&[HEADER])?);
    Ok(Dataset::parse(place, &crops, &nodules, &header)?)
}

/// A model directory, the one of a finished run, or an ensemble.
pub fn model(dir: &Path, device: &Device) -> Result<Model> {
    let file = dir.join(ENSEMBLE);
    if !file.is_file() {
        return single(dir, device);
    }
    let names = EnsembleFile::parse(&files::read(&file)?, &file.display().to_string())?.members;
    let members = names.iter().map(|name| single(&dir.join(name), device)).collect::<Result<Vec<_>>>()?;
    Ok(Model::ensemble(members, &names)?)
}

fn single(dir: &Path, device: &Device) -> Result<Model> {
    let dir = model_dir(dir)?;
    let found = files::read_some(&dir, &[WEIGHTS, CONFIG, GOLDEN, CARD])?;
    Ok(Model::load(&found, &dir.display().to_string(), device)?)
}

/// Whether a data set may have other crops than the model was trained on.
#[derive(clap::Args, Clone, Copy, Default)]
pub struct OtherCrop {
    /// Go on with a data set whose crops have another geometry than the model was trained on
    #[arg(long)]
    allow_other_crop: bool,
}

impl OtherCrop {
    /// That the data set at `place` has the model's crops, or need not.
    pub fn check(self, data: &Dataset, place: &str, model: &Model, dir: &Path) -> Result<()> {
        if self.allow_other_crop {
            return Ok(());
        }
        Ok(model.config.input.check_crop(data.header.crop, place, &dir.display().to_string())?)
    }
}

/// What to predict: a data set directory, a `.npy` of `[32,32,32]` or `[N,32,32,32]` in HU, or nodules of a scan (a NIfTI file, or
/// the folder of a DICOM series), cut as the crops were that the model, of directory `dir`, was trained on.
pub fn targets(place: &str, nodules: &Place, model: &Model, dir: &Path, other: OtherCrop) -> Result<Vec<Target>> {
    let path = Path::new(place);
    let ends = |end: &str| place.to_ascii_lowercase().ends_with(end);
    let pointless = || {
        let message = format!("{place}: holds crops already; --centre, --diameter and --nodules are for scans");
        if nodules.given() { Err(Failure::Usage(message)) } else { Ok(()) }
    };
    if place == PHANTOM || path.join(NODULES).is_file() || path.join(HEADER).is_file() {
        pointless()?;
        let data = dataset(place)?;
        other.check(&data, place, model, dir)?;
        let target = |i: usize| {
            let row = &data.rows[i];
            let (id, diameter_mm) = (row.nodule_id.clone(), Some(row.diameter_mm));
            Ok(Target { id, crop: data.crop(i)?, diameter_mm, geometry: None, origin: None })
        };
        return (0..data.len()).map(target).collect();
    }
    if path.is_dir() {
        return scan::dicom(path, nodules, model.config.input.crop);
    }
    if ends(".npy") {
        // a crop of an array has no diameter of its own
        if nodules.points() {
            pointless()?;
        }
        let diameter_mm = nodules.diameter();
        let target = |(id, crop)| Target { id, crop, diameter_mm, geometry: None, origin: None };
        return npy(path).map(|crops| crops.into_iter().map(target).collect());
    }
    if ends(".nii") || ends(".nii.gz") {
        return scan::nifti(path, nodules, model.config.input.crop);
    }
    let advice = "give a data set directory, a .npy file in HU, a NIfTI file, or the folder of a DICOM series";
    let reason =
        if path.exists() { "not a kind of file that can be predicted" } else { "there is no such file or directory" };
    Err(Failure::File(format!("{place}: {reason}; {advice}")).into())
}

fn npy(path: &Path) -> Result<Vec<(String, Crop)>> {
    let name = path.display().to_string();
    let bad = |reason: String| {
        Failure::File(format!("{name}: not a readable .npy file ({reason}); write it with numpy.save"))
    };
    let bytes = files::read(path)?;
    let file = npyz::NpyFile::new(bytes.as_slice()).map_err(|e| bad(e.to_string()))?;
    let shape: Vec<usize> = file.shape().iter().map(|d| *d as usize).collect();
    let stem = path.file_stem().map_or_else(|| name.clone(), |s| s.to_string_lossy().into_owned());
    let count = match shape[..] {
        [SIDE, SIDE, SIDE] => 1,
        [n, SIDE, SIDE, SIDE] if n > 0 => n,
        _ => {
            return Err(Error::Shape { file: name, name: "array".into(), expected: vec![SIDE; 3], found: shape }.into());
        }
    };
    if file.order() != npyz::Order::C {
        return Err(bad("Fortran order; save numpy.ascontiguousarray(a)".into()).into());
    }
    let descr = file.dtype().descr();
    let short = |e: std::io::Error| bad(e.to_string());
    let values: Vec<f32> = match descr.trim_matches('\'') {
        "<f4" => file.into_vec::<f32>().map_err(short)?,
        "<f8" => file.into_vec::<f64>().map_err(short)?.into_iter().map(|v| v as f32).collect(),
        "<i2" => file.into_vec::<i16>().map_err(short)?.into_iter().map(f32::from).collect(),
        "<i4" => file.into_vec::<i32>().map_err(short)?.into_iter().map(|v| v as f32).collect(),
        other => {
            let expected = "float32, float64, int16 or int32 (HU)";
            return Err(Error::Dtype { file: name, name: "array".into(), expected, found: other.to_owned() }.into());
        }
    };
    if values.len() != count * VOXELS {
        return Err(bad(format!("{} values where {} are declared", values.len(), count * VOXELS)).into());
    }
    let crops = values.chunks_exact(VOXELS).enumerate();
    crops
        .map(|(i, v)| {
            let id = if shape.len() == 3 { stem.clone() } else { format!("{stem}[{i}]") };
            Ok((id, Crop::new(v.to_vec(), &name)?))
        })
        .collect()
}
