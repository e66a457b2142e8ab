//! The text towers by kind.

use burn::tensor::Tensor;

use super::bert::tower::BertTower;
use super::clip::tower::ClipTower;
use super::products::Products;

/// A frozen text tower: token embeddings in, features out.
// one of them is held at a time
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug)]
pub enum TextTower {
    /// CLIP's, causal, read at the end token.
    Clip(ClipTower),
    /// BERT's, every token seeing all.
    Bert(BertTower),
}

impl TextTower {
    /// With the products of matrices in this precision, but for attention's.
    pub fn in_precision(self, precision: Products) -> Self {
        match self {
            Self::Clip(tower) => Self::Clip(tower.in_precision(precision)),
            Self::Bert(tower) => Self::Bert(tower.in_precision(precision)),
        }
    }

    /// Values of a token's embedding.
    pub fn token_width(&self) -> usize {
        match self {
            Self::Clip(tower) => tower.geometry().width,
            Self::Bert(tower) => tower.config().width,
        }
    }

    /// Values of a feature.
    pub fn feature_width(&self) -> usize {
        match self {
            Self::Clip(tower) => tower.geometry().output,
            Self::Bert(tower) => tower.feature_width(),
        }
    }

    /// The features of prompts, not normalised.
    ///
    /// # Shapes
    /// `prefix` `[n, P, width]` that a sample's prompts share, `suffix` `[n, C, S, width]`, `ends` the end tokens' positions in
    /// 0..S -> `[n, C, d]`
    pub fn encode(&self, prefix: Tensor<3>, suffix: Tensor<4>, ends: &[usize]) -> Tensor<3> {
        match self {
            Self::Clip(tower) => tower.encode(prefix, suffix, ends),
            Self::Bert(tower) => tower.encode(prefix, suffix, ends),
        }
    }
}
