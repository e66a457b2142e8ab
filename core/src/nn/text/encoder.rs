//! A text encoder: token embeddings and the tower that reads them.

use burn::tensor::{Device, Tensor};

use super::bert::config::BertConfig;
use super::bert::tower::BertTower;
use super::bert::weights::BertArrays;
use super::clip::geometry::Geometry;
use super::clip::tower::ClipTower;
use super::clip::weights::TowerArrays;
use super::tokens::{TokenTable, sorted};
use super::tower::TextTower;
use crate::base::tensors::Arrays;
use crate::error::Result;

/// A frozen text encoder, with the token rows in use.
#[derive(Clone, Debug)]
pub struct TextEncoder {
    pub tower: TextTower,
    pub tokens: TokenTable,
}

/// What tells text encoders apart by their names: the digest of the weights, wherever those lie, or the whole name where it has none.
pub fn identity(name: &str) -> &str {
    name.split_once("(sha256 ").map_or(name, |(_, digest)| digest)
}

impl TextEncoder {
    /// CLIP's, from named weights (Hugging Face's or OpenAI's names); `heads`: CLIP's rule width / 64 when `None`. Of the token
    /// table only the rows `used` are kept.
    ///
    /// # Errors
    /// A tensor that is missing or has the wrong shape, or a token table too short for an id.
    pub fn clip(arrays: &Arrays, heads: Option<usize>, used: &[u32], file: &str, device: &Device) -> Result<Self> {
        let source = TowerArrays::new(arrays, heads, file)?;
        Ok(Self { tokens: source.tokens(used, device)?, tower: TextTower::Clip(ClipTower::load(&source, device)?) })
    }

    /// CLIP's with seeded weights that were never trained; results must say so.
    pub fn random_clip(geometry: Geometry, seed: u64, used: &[u32], device: &Device) -> Self {
        let ids = sorted(used);
        let rows = ClipTower::random_rows(geometry, seed, &ids);
        Self {
            tokens: TokenTable::new(ids, rows, geometry.width, device),
            tower: TextTower::Clip(ClipTower::random(geometry, seed, device)),
        }
    }

    /// BERT's, from named weights (Hugging Face's or open_clip's names). Of the token table only the rows `used` are kept.
    ///
    /// # Errors
    /// A tensor that is missing or has another shape, or a token table too short for an id.
    pub fn bert(arrays: &Arrays, config: BertConfig, used: &[u32], file: &str, device: &Device) -> Result<Self> {
        let source = BertArrays::new(arrays, config, file)?;
        Ok(Self { tokens: source.tokens(used, device)?, tower: TextTower::Bert(BertTower::load(&source, device)?) })
    }

    /// BERT's with seeded weights that were never trained; results must say so.
    pub fn random_bert(config: BertConfig, seed: u64, used: &[u32], device: &Device) -> Self {
        let ids = sorted(used);
        let rows = BertTower::random_rows(config, seed, &ids);
        Self {
            tokens: TokenTable::new(ids, rows, config.width, device),
            tower: TextTower::Bert(BertTower::random(config, seed, device)),
        }
    }

    /// The features of whole prompts (start and end included), at least one, not normalised.
    ///
    /// # Shapes
    /// `[n, d]`
    ///
    /// # Errors
    /// An id that is not among those in use.
    pub fn encode_ids(&self, prompts: &[Vec<u32>]) -> Result<Tensor<2>> {
        let tails: Vec<&[u32]> = prompts.iter().map(|p| p.get(1..).unwrap_or_default()).collect();
        let ends: Vec<usize> = tails.iter().map(|t| t.len().saturating_sub(1)).collect();
        let start = prompts.first().and_then(|p| p.get(..1)).unwrap_or_default();
        let (prefix, suffix) = (self.tokens.embed(&[start])?, self.tokens.embed(&tails)?.unsqueeze_dim(0));
        Ok(self.tower.encode(prefix, suffix, &ends).squeeze_dim(0))
    }
}
