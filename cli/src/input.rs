//! What a verb reads: data sets, models, crops.

use std::path::Path;

use anyhow::Result;
use burn::tensor::Device;
use clip_lung_core::data::class::Thresholds;
use clip_lung_core::data::crop::{Crop, SIDE, VOXELS};
use clip_lung_core::data::dataset::{CROPS, Dataset, HEADER, NODULES};
use clip_lung_core::data::phantom;
use clip_lung_core::error::Error;
use clip_lung_core::model::directory::{CARD, CONFIG, GOLDEN, Model, WEIGHTS};

use crate::failure::Failure;
use crate::files;

/// `--data DIR|phantom`.
pub fn dataset(place: &str) -> Result<Dataset> {
    if place == "phantom" {
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

/// A model directory.
pub fn model(dir: &Path, device: &Device) -> Result<Model> {
    let found = files::read_some(dir, &[WEIGHTS, CONFIG, GOLDEN, CARD])?;
    Ok(Model::load(&found, &dir.display().to_string(), device)?)
}

/// Crops to predict, each with its name: a data set directory, or a `.npy` of `[32,32,32]` or `[N,32,32,32]` in HU.
pub fn crops(place: &str) -> Result<Vec<(String, Crop)>> {
    let path = Path::new(place);
    if place == "phantom" || path.is_dir() {
        let data = dataset(place)?;
        return (0..data.len()).map(|i| Ok((data.rows[i].nodule_id.clone(), data.crop(i)?))).collect();
    }
    if path.extension().is_some_and(|e| e == "npy") {
        return npy(path);
    }
    let advice = "give a data set directory or a .npy file of [32,32,32] or [N,32,32,32] in HU";
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
