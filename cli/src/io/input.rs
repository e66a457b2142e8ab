//! What a verb reads: data sets and models.

use std::path::Path;

use anyhow::Result;
use burn::tensor::Device;
use clip_lung_core::dataset::class::Thresholds;
use clip_lung_core::dataset::crops::{CROPS, Dataset, HEADER, NODULES};
use clip_lung_core::model::directory::{CARD, CONFIG, GOLDEN, WEIGHTS};
use clip_lung_core::model::ensemble::{ENSEMBLE, EnsembleFile};
use clip_lung_core::model::predict::Model;
use clip_lung_core::phantom;
use clip_lung_core::volume::warning::Warning;

use crate::failure::Failure;
use crate::io::files;
use crate::io::model_dir::model_dir;

/// The embedded data set's name on the command line, whatever is called so on the disk.
pub const PHANTOM: &str = "phantom";

/// `--data DIR|phantom` as another working directory understands it.
pub fn whole_place(place: &str) -> String {
    if place == PHANTOM { place.to_owned() } else { files::whole(place) }
}

/// Whether a place is a data set's: the embedded one's name, or a directory with a table or a header.
pub fn is_dataset(place: &Path) -> bool {
    place == Path::new(PHANTOM) || place.join(NODULES).is_file() || place.join(HEADER).is_file()
}

/// `--data DIR|phantom`.
pub fn dataset(place: impl AsRef<Path>) -> Result<Dataset> {
    let dir = place.as_ref();
    if dir == Path::new(PHANTOM) {
        return Ok(phantom::phantom(Thresholds::Inclusive, None)?);
    }
    let place = dir.display();
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
    Ok(Dataset::parse(&place.to_string(), &crops, &nodules, &header)?)
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
    /// That the data set at `place` has the model's crops, or need not: then what its answers must be read with.
    pub fn check(self, data: &Dataset, place: &Path, model: &Model, dir: &Path) -> Result<Option<Warning>> {
        let (crop, input) = (data.header.crop, &model.config.input);
        if self.allow_other_crop {
            let other = Warning::OtherCrop { crops: crop.to_string(), model: input.crop.to_string() };
            return Ok((crop != input.crop).then_some(other));
        }
        input.check_crop(crop, &place.display().to_string(), &dir.display().to_string())?;
        Ok(None)
    }
}
