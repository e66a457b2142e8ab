//! What the cells of a study share: data and text encoders, loaded once.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use burn::tensor::Device;
use clip_lung_core::Error;
use clip_lung_core::dataset::class::Class;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::nn::text::products::Products;
use clip_lung_core::nn::text::side::TextSide;
use clip_lung_core::study::cells::Study;
use clip_lung_core::train::config::TrainConfig;

use super::{anchors, audit, encoder};
use crate::failure::Failure;
use crate::io::input;
use crate::io::places::{Encoder, Places};
use crate::io::study_dir::StudyDir;

/// The data of a study, and the text encoders that were asked for so far.
pub struct Shared {
    pub data: Dataset,
    encoders: Vec<Encoder>,
    loaded: Vec<Loaded>,
}

/// A text encoder by what it was loaded for.
struct Loaded {
    name: String,
    task: Task,
    precision: Products,
    side: Arc<TextSide>,
}

impl Shared {
    /// Reads the data, and checks that they are the study's; what the report needs of
    /// them is kept beside the cells.
    pub fn load(dir: &StudyDir) -> Result<Self> {
        let places = Places::read(&dir.path)?.ok_or_else(|| planned_elsewhere(&dir.path))?;
        let data = input::dataset(&places.data)?;
        check_data(&data, &places.data, &dir.study)?;
        anchors::keep(dir, &data)?;
        audit::keep(dir, &data)?;
        Ok(Self { data, encoders: places.text_encoders, loaded: Vec::new() })
    }

    /// The text encoder of a run, for methods that need one.
    pub fn text(&mut self, config: &TrainConfig, device: &Device) -> Result<Option<Arc<TextSide>>> {
        let Some(name) = config.text_encoder.as_deref().filter(|_| config.method.needs_text()) else { return Ok(None) };
        let same = |known: &&Loaded| {
            known.name == name && known.task.classes() == config.task.classes() && known.precision == config.precision
        };
        if let Some(known) = self.loaded.iter().find(same) {
            return Ok(Some(Arc::clone(&known.side)));
        }
        let missing =
            || Failure::File(format!("nothing says where the text encoder `{name}` lies; give it with --text-encoder"));
        let encoder = self.encoders.iter().find(|e| e.name == name).ok_or_else(missing)?;
        let classes: Vec<&str> = config.task.classes().iter().map(|c| c.name()).collect();
        let side = encoder::load(&encoder.choice, &classes, encoder.seed, device)?.in_precision(config.precision)?;
        let side = Arc::new(side);
        if side.name() != name {
            let reason = format!("it is {}, not {name}", side.name());
            return Err(Error::OtherRun { file: encoder.choice.clone(), reason }.into());
        }
        let TrainConfig { task, precision, .. } = *config;
        self.loaded.push(Loaded { name: name.to_owned(), task, precision, side: Arc::clone(&side) });
        Ok(Some(side))
    }
}

/// That data are those of a study.
fn check_data(data: &Dataset, place: &str, study: &Study) -> Result<()> {
    let found = data.digest()?;
    if found == study.data.sha256 {
        return Ok(());
    }
    let wanted = &study.data;
    let reason = format!("the study is of {} ({}), not of {} ({found})", wanted.name, wanted.sha256, data.header.name);
    Err(Error::OtherRun { file: place.to_owned(), reason }.into())
}

/// Where data and text encoder of a study lie here, when it was planned elsewhere.
#[derive(clap::Args)]
pub struct Here {
    /// Where the data lie, when the study was planned elsewhere
    #[arg(long)]
    data: Option<String>,
    /// A text encoder of the study, when it was planned elsewhere
    #[arg(long)]
    text_encoder: Option<String>,
    /// Of a text encoder with random weights
    #[arg(long, default_value_t = 2)]
    text_seed: u64,
}

impl Here {
    /// Keeps what was said, for this run and later ones.
    pub fn keep(&self, study: &Path, device: &Device) -> Result<()> {
        let mut places = Places::read(study)?.unwrap_or_default();
        if let Some(data) = &self.data {
            places.data = input::whole_place(data);
        }
        if let Some(choice) = &self.text_encoder {
            let choice = encoder::whole_choice(choice);
            let name = encoder::load(&choice, &Class::ALL.map(Class::name), self.text_seed, device)?.name().to_owned();
            places.set(Encoder { name, choice, seed: self.text_seed });
        }
        if self.data.is_some() || self.text_encoder.is_some() {
            places.write(study)?;
        }
        Ok(())
    }

    /// That the data's place is known, or said now.
    pub fn check(&self, study: &Path) -> Result<()> {
        let known = self.data.is_some() || Places::read(study)?.is_some_and(|places| !places.data.is_empty());
        if known { Ok(()) } else { Err(planned_elsewhere(study).into()) }
    }
}

fn planned_elsewhere(study: &Path) -> Failure {
    Failure::Usage(format!(
        "{}: nothing says where its data lie on this machine; give --data, and --text-encoder where its methods need one",
        study.display()
    ))
}
