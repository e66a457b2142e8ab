//! What a head is made for.

use std::sync::Arc;

use super::pool::Pool;
use crate::nn::text::side::TextSide;

/// The data, the settings and the text side that a head is made for.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Nodules of each class in the training fold, in the order of the outputs.
    pub class_counts: Vec<usize>,
    pub pool: Pool,
    /// Whether ln De - ln 8 is one more input of the classifier.
    pub diameter: bool,
    pub seed: u64,
    /// The text side, for methods that need one.
    pub text: Option<Arc<TextSide>>,
}

impl Setup {
    /// Classes C.
    pub fn classes(&self) -> usize {
        self.class_counts.len()
    }
}
