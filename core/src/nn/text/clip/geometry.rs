//! The dimensions of a text tower.

/// The tower's dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    pub width: usize,
    pub layers: usize,
    pub heads: usize,
    /// Width of the features after the projection.
    pub output: usize,
}

impl Geometry {
    /// The text tower of CLIP ViT-B/16.
    pub const VIT_B_16: Self = Self { width: 512, layers: 12, heads: 8, output: 512 };
}
