//! What the cells of a study share: data and text encoders, loaded once.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use burn::tensor::Device;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::nn::text::encoder::identity;
use clip_lung_core::nn::text::products::Products;
use clip_lung_core::nn::text::side::TextSide;
use clip_lung_core::study::cells::{Cell, Study};
use clip_lung_core::train::config::TrainConfig;

use super::{anchors, audit, encoder};
use crate::failure::Failure;
use crate::io::input;
use crate::io::places::{Encoder, Places};
use crate::io::study_dir::{CellState, StudyDir};

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
        audit::keep(dir, &data, None)?;
        Ok(Self { data, encoders: places.text_encoders, loaded: Vec::new() })
    }

    /// What the report needs of the data, where no cell is left whose run would write it.
    pub fn keep(dir: &StudyDir) -> Result<()> {
        if anchors::are_kept(dir) && audit::is_kept(dir) { Ok(()) } else { Self::load(dir).map(drop) }
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
        let encoder = self.encoders.iter().find(|e| e.name == name).ok_or_else(|| Failure::File(unknown(name)))?;
        let classes: Vec<&str> = config.task.classes().iter().map(|c| c.name()).collect();
        let side = encoder::load(&encoder.choice, &classes, encoder.seed, device)?.in_precision(config.precision)?;
        let side = Arc::new(side);
        if identity(side.name()) != identity(name) {
            let (choice, found) = (&encoder.choice, side.name());
            let message = format!(
                "{choice} is the text encoder `{found}`, not the study's `{name}`; give that with --text-encoder"
            );
            return Err(Failure::File(message).into());
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
    let (wanted, name) = (&study.data, &data.header.name);
    Err(Failure::File(format!(
        "{place} holds {name} (sha256 {found}), but the study is of {} (sha256 {}); name that data set with --data",
        wanted.name, wanted.sha256
    ))
    .into())
}

/// That nobody has said how a text encoder is loaded here.
fn unknown(name: &str) -> String {
    let choice = match name {
        _ if name.starts_with("random tower of BERT") => " random:minilm",
        _ if name.starts_with("random tower") => " random",
        _ => "",
    };
    format!("nothing says where the text encoder `{name}` lies; give it with --text-encoder{choice}")
}

/// What is to be said before the cells of a study run: text encoders of which the place is not known.
pub fn warnings(study: &StudyDir) -> Result<Vec<String>> {
    let known = Places::read(&study.path)?.map(|places| places.text_encoders).unwrap_or_default();
    let mut missing = BTreeSet::new();
    for cell in &study.study.cells {
        let config = cell.config()?;
        let name = config.text_encoder.filter(|name| !known.iter().any(|e| e.name == *name));
        if config.method.needs_text() && study.state(cell)? != CellState::Done {
            missing.extend(name);
        }
    }
    Ok(missing.iter().map(|name| unknown(name)).collect())
}

/// Where data and text encoders of a study lie here, when it was planned elsewhere.
#[derive(clap::Args)]
pub struct Here {
    /// Where the data lie, when the study was planned elsewhere
    #[arg(long)]
    data: Option<String>,
    /// The text encoders of the study, when it was planned elsewhere: with commas between them, or the option again for each
    #[arg(long, value_delimiter = ',')]
    text_encoder: Vec<String>,
    /// Of a text encoder with random weights
    #[arg(long, default_value_t = 2)]
    text_seed: u64,
}

impl Here {
    /// That data which were named are the study's.
    pub fn check_data(&self, study: &StudyDir) -> Result<()> {
        let Some(place) = &self.data else { return Ok(()) };
        check_data(&input::dataset(place)?, place, &study.study)
    }

    /// Keeps what was said, for this run and later ones.
    ///
    /// # Errors
    /// A text encoder that no cell of the study has, by name.
    pub fn keep(&self, study: &StudyDir, device: &Device) -> Result<()> {
        let mut places = Places::read(&study.path)?.unwrap_or_default();
        if let Some(data) = &self.data {
            places.data = input::whole_place(data);
        }
        for choice in &self.text_encoder {
            let name = encoder::name(choice, self.text_seed, &places, device)?;
            let name = named_in(study, &name).map_err(|known| {
                Failure::Usage(format!("--text-encoder {choice} is `{name}`; the study has {known}"))
            })?;
            places.set(Encoder { name, choice: encoder::whole_choice(choice), seed: self.text_seed });
        }
        if self.data.is_some() || !self.text_encoder.is_empty() {
            places.write(&study.path)?;
        }
        Ok(())
    }

    /// That the data's place is known, or said now.
    pub fn check(&self, study: &Path) -> Result<()> {
        let known = self.data.is_some() || Places::read(study)?.is_some_and(|places| !places.data.is_empty());
        if known { Ok(()) } else { Err(planned_elsewhere(study).into()) }
    }
}

/// The name under which the study has a text encoder; those it has, in words, where it has another.
fn named_in(study: &StudyDir, name: &str) -> std::result::Result<String, String> {
    let of = |cell: &Cell| cell.config().ok().and_then(|config| config.text_encoder);
    let known: BTreeSet<String> = study.study.cells.iter().filter_map(of).collect();
    let same = known.iter().find(|known| identity(known) == identity(name));
    same.cloned().ok_or_else(|| {
        let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
        if known.is_empty() { "none".into() } else { known.join(", ") }
    })
}

fn planned_elsewhere(study: &Path) -> Failure {
    Failure::Usage(format!(
        "{}: nothing says where its data lie on this machine; give --data, and --text-encoder where its methods need one",
        study.display()
    ))
}
