//! The words: class prompts with learnable context, and fixed attribute prompts.

use burn::tensor::Tensor;

use super::tokenizer::Tokenizer;
use super::tower::TextTower;
use crate::error::Result;

/// Learnable context tokens, one a channel group.
pub const CONTEXT_TOKENS: usize = 4;

/// The attributes' words in the prompts, in the order of the rating columns.
pub const ATTRIBUTE_WORDS: [&str; 8] =
    ["subtlety", "internalstructure", "calcification", "sphericity", "margin", "lobulation", "spiculation", "texture"];

/// The prompt of a class.
pub fn class_prompt(class: &str) -> String {
    format!("a nodule image of {class}.")
}

/// The prompt of an attribute.
pub fn attribute_prompt(word: &str) -> String {
    format!("the nodule is {word}.")
}

/// The class prompts, their first four tokens after the start open to be replaced: "\[SOT\] l1 l2 l3 l4 image of benign .
/// \[EOT\]", since "a nodule" is four tokens.
pub struct ClassPrompts {
    /// Embeddings of the fixed tail of each class, cut after the last class's EOT, `[C, S, width]`.
    tail: Tensor<3>,
    /// Position of EOT in each tail.
    eot: Vec<usize>,
    /// Embeddings of the start token, `[1, 1, width]`.
    start: Tensor<3>,
    /// Embeddings of the four opening tokens that the context starts from, `[4, width]`.
    opening: Tensor<2>,
}

/// The ids a set of classes needs.
pub fn class_ids(tokenizer: &Tokenizer, classes: &[&str]) -> Result<Vec<Vec<u32>>> {
    classes.iter().map(|c| tokenizer.encode(&class_prompt(c))).collect()
}

/// The ids of the eight attribute prompts.
pub fn attribute_ids(tokenizer: &Tokenizer) -> Result<Vec<Vec<u32>>> {
    ATTRIBUTE_WORDS.iter().map(|w| tokenizer.encode(&attribute_prompt(w))).collect()
}

impl ClassPrompts {
    /// From the ids of [`class_ids`].
    pub fn new(tower: &TextTower, ids: &[Vec<u32>]) -> Self {
        let first = 1 + CONTEXT_TOKENS;
        let tails: Vec<Vec<u32>> = ids.iter().map(|i| i[first..].to_vec()).collect();
        let opening = ids.first().map_or(&[][..], |i| &i[1..first]);
        Self {
            tail: tower.embed(&tails),
            eot: tails.iter().map(|t| t.len() - 1).collect(),
            start: tower.embed(&[ids[0][..1].to_vec()]),
            opening: tower.embed(&[opening.to_vec()]).squeeze_dim(0),
        }
    }

    /// What the learnable context starts from, `[4, width]`.
    pub fn opening(&self) -> Tensor<2> {
        self.opening.clone()
    }

    /// The class features of each sample, not normalised.
    ///
    /// The start and the context of a sample are the same for all its classes and, the tower being causal, so are their
    /// activations: they pass through the tower once a sample.
    ///
    /// # Shapes
    /// `context` `[n, 4, width]` -> `[n, C, width]`
    pub fn encode(&self, tower: &TextTower, context: Tensor<3>) -> Tensor<3> {
        let [n, _, width] = context.dims();
        let [classes, length, _] = self.tail.dims();
        let prefix = Tensor::cat(vec![self.start.clone().expand([n, 1, width]), context], 1);
        let suffix = self.tail.clone().reshape([1, classes, length, width]).expand([n, classes, length, width]);
        tower.encode(prefix, suffix, &self.eot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::text::geometry::Geometry;
    use burn::tensor::Device;

    /// Cutting four tokens leaves "image of {class}." and "is {attribute}.".
    #[test]
    fn the_cut_keeps_the_word() {
        let tokenizer = Tokenizer::new().unwrap();
        let tail = |text: &str| tokenizer.encode(text).unwrap()[5..].to_vec();
        let plain = |text: &str| tokenizer.encode(text).unwrap()[1..].to_vec();
        assert_eq!(tail("a nodule image of malignant."), plain("image of malignant."));
        for word in ATTRIBUTE_WORDS {
            assert_eq!(tail(&attribute_prompt(word)), plain(&format!("is {word}.")));
        }
    }

    /// The opening as context gives what encoding the whole prompts gives.
    #[test]
    fn unchanged_context_reproduces_the_fixed_prompts() {
        let tokenizer = Tokenizer::new().unwrap();
        let ids = class_ids(&tokenizer, &["benign", "unsure", "malignant"]).unwrap();
        let geometry = Geometry { width: 64, layers: 2, heads: 4, output: 32 };
        let tower = TextTower::random(geometry, 3, &ids.concat(), &Device::flex());
        let prompts = ClassPrompts::new(&tower, &ids);
        let context = prompts.opening().unsqueeze::<3>().expand([2, 4, 64]);
        let conditional: Vec<f32> = prompts.encode(&tower, context).into_data().iter::<f32>().collect();
        let fixed: Vec<f32> = tower.encode_ids(&ids).into_data().iter::<f32>().collect();
        for (i, v) in conditional.iter().enumerate() {
            assert!((v - fixed[i % fixed.len()]).abs() < 1e-5);
        }
    }
}
