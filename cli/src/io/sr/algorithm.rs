//! What made the predictions.

use clip_lung_core::base::digest::hex;
use clip_lung_core::model::config::ModelConfig;
use sha2::{Digest, Sha256};

/// A model, or several that answer together.
pub struct Algorithm<'a> {
    /// Of an ensemble, the first member's.
    pub config: &'a ModelConfig,
    /// SHA-256 of the weights, one a member.
    pub weights: Vec<&'a str>,
}

impl Algorithm<'_> {
    /// One digest for all: the weights' own, or that of the members' digests.
    pub fn identity(&self) -> String {
        match self.weights[..] {
            [only] => only.to_owned(),
            _ => hex(&Sha256::digest(self.weights.join("\n"))),
        }
    }
}
