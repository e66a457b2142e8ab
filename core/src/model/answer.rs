//! What a model says of a crop.

use super::guard::OutOfPlace;
use crate::dataset::class::Class;

/// The probabilities of one crop.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// One a class, in the order of `config.classes`: the classifier's logits for the readout softmax, log-probabilities for every other.
    pub logits: Vec<f64>,
    pub probabilities: Vec<f64>,
    /// The class decided on.
    pub class: Class,
    /// The classes that the answer leaves open, the decided one among them; where the model has a rule for it.
    pub set: Option<Vec<Class>>,
    /// Why the crop is no lung nodule, where the model has a rule for it and the rule says so.
    pub out_of_place: Option<OutOfPlace>,
}

/// Why a crop was predicted as it was.
pub struct Explanation {
    pub prediction: Prediction,
    /// The class explained.
    pub class: Class,
    /// Grad-CAM, 32 x 32, 0..1.
    pub heat: Vec<f32>,
    /// The scores of the eight attributes, where the model has the words.
    pub attributes: Option<Vec<f32>>,
}
