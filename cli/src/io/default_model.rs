//! The model that answers where none is named.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clip_lung_core::model::directory::CONFIG;
use clip_lung_core::model::ensemble::ENSEMBLE;

use crate::failure::Failure;
use crate::io::installed;

/// The variable that names it.
const VARIABLE: &str = "CLIP_LUNG_MODEL";
/// The model that ships, in a checkout of the repository.
const SHIPPED: &str = "models/lidc-a";
/// What `--model` calls it, whatever is called so on the disk.
pub const DEFAULT: &str = "default";

/// Which model answers.
#[derive(clap::Args)]
pub struct ModelChoice {
    /// A model directory, or a finished run's [default: the one that the variable CLIP_LUNG_MODEL names, the one installed with the program, or
    /// models/lidc-a in this checkout]
    #[arg(long)]
    model: Option<PathBuf>,
}

impl ModelChoice {
    /// Where it lies.
    pub fn place(&self) -> Result<PathBuf> {
        place(self.model.as_deref())
    }
}

/// [`find`]; where no model was named, the one that answers is said beside the output.
pub fn place(named: Option<&Path>) -> Result<PathBuf> {
    let found = find(named)?;
    if named.is_none() {
        let how = variable().map_or_else(|| "none was named".to_owned(), |_| format!("named by {VARIABLE}"));
        eprintln!("model: {} ({how})", found.display());
    }
    Ok(found)
}

/// Where the model of this name lies, or the one that answers where none is named.
pub fn find(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(named) = named.filter(|named| *named != Path::new(DEFAULT)) {
        return Ok(named.into());
    }
    first(variable(), installed::places("model"), &env::current_dir()?)
}

/// What the variable names.
fn variable() -> Option<PathBuf> {
    env::var_os(VARIABLE).map(PathBuf::from).filter(|named| !named.as_os_str().is_empty())
}

/// That of the variable, whatever it names; else the first place that holds a model: with the program, or in the checkout around `folder`.
fn first(variable: Option<PathBuf>, installed: Vec<PathBuf>, folder: &Path) -> Result<PathBuf> {
    if let Some(named) = variable {
        return if named.is_dir() { Ok(named) } else { Err(Failure::NoModel { variable: VARIABLE, named }.into()) };
    }
    let checkouts = folder.ancestors().skip(1).filter(|parent| parent.join(".git").exists());
    let looked: Vec<PathBuf> = installed
        .into_iter()
        .chain(std::iter::once(folder).chain(checkouts).map(|place| place.join(SHIPPED)))
        .collect();
    let is_model = |dir: &&PathBuf| [CONFIG, ENSEMBLE].iter().any(|file| dir.join(file).is_file());
    let found = looked.iter().find(is_model).cloned();
    found.ok_or_else(|| Failure::NoDefaultModel { variable: VARIABLE, looked }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variable goes before the program's own folder, that before the checkout; what holds no model is passed over.
    #[test]
    fn the_order_of_places() {
        let dir = tempfile::tempdir().unwrap();
        let at = |place: &str| dir.path().join(place);
        let model = |place: &str| {
            std::fs::create_dir_all(at(place)).unwrap();
            std::fs::write(at(place).join(CONFIG), "{}").unwrap();
        };
        let find = |variable: Option<&str>| first(variable.map(at), vec![at("bin/model")], &at("checkout/src/deep"));
        for folder in ["bin/model", "own", "checkout/.git", "checkout/src/deep"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        // a parent that is no checkout is nobody's promise
        model("models/lidc-a");
        model("checkout/src/models/lidc-a");
        let message = find(None).unwrap_err().to_string();
        for part in [VARIABLE, &at("bin/model").display().to_string(), "checkout/models/lidc-a", "--model"] {
            assert!(message.contains(part), "{part}: {message}");
        }
        model("checkout/models/lidc-a");
        assert_eq!(find(None).unwrap(), at("checkout/models/lidc-a"));
        model("checkout/src/deep/models/lidc-a");
        assert_eq!(find(None).unwrap(), at("checkout/src/deep/models/lidc-a"));
        model("bin/model");
        assert_eq!(find(None).unwrap(), at("bin/model"));
        assert_eq!(find(Some("own")).unwrap(), at("own"));
        let message = find(Some("nowhere")).unwrap_err().to_string();
        assert!(message.contains(VARIABLE) && message.contains("nowhere"), "{message}");
    }
}
