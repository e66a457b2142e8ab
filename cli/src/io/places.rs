//! Where a study's data and text encoders lie on this machine; the study itself knows them by their digests alone.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::io::files;

/// Of a study, on this machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Places {
    pub data: String,
    pub text_encoders: Vec<Encoder>,
}

/// A text encoder by the name that cells have it under, and how it is loaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoder {
    pub name: String,
    pub choice: String,
    pub seed: u64,
}

impl Places {
    const FILE: &str = "places.json";

    /// Of the study in this directory; `None` where it was planned on another machine.
    pub fn read(study: &Path) -> Result<Option<Self>> {
        files::read_json(&study.join(Self::FILE))
    }

    /// Into the study's directory.
    pub fn write(&self, study: &Path) -> Result<()> {
        files::write(&study.join(Self::FILE), &serde_json::to_vec_pretty(self)?)
    }

    /// Adds an encoder, or says anew how the one of this name is loaded.
    pub fn set(&mut self, encoder: Encoder) {
        self.text_encoders.retain(|known| known.name != encoder.name);
        self.text_encoders.push(encoder);
    }
}
