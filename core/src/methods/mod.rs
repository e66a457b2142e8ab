//! The methods: what is trained beside the image network, and the loss.

#[cfg(feature = "train")]
pub mod attributes;
#[cfg(feature = "train")]
pub mod clip_lung;
#[cfg(feature = "train")]
pub mod losses;

use serde::{Deserialize, Serialize};

/// A training method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Cross-entropy on the classifier alone.
    Ce,
    /// Channel-wise conditional prompts and three alignment losses beside cross-entropy (Lei et al., 2023).
    #[default]
    ClipLung,
}

impl Method {
    /// All methods.
    pub const ALL: [Self; 2] = [Self::Ce, Self::ClipLung];

    /// The name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ce => "ce",
            Self::ClipLung => "clip-lung",
        }
    }
}
