//! The prompts: classes and attributes in words, as token ids, and with an opening that learnable context replaces.

use burn::tensor::Tensor;

use super::tokens::TokenTable;
use crate::error::{Error, Result};

/// Learnable context tokens, one a channel group.
pub const CONTEXT_TOKENS: usize = 4;

/// The attributes' words in the prompts, in the order of the rating columns. The second is one word in the published code's
/// prompts, which CLIP's tokenizer takes apart as `internal` `structure`.
pub const ATTRIBUTE_WORDS: [&str; 8] =
    ["subtlety", "internalstructure", "calcification", "sphericity", "margin", "lobulation", "spiculation", "texture"];

/// The attributes' words as English has them, for tokenizers of words.
pub const ATTRIBUTE_PHRASES: [&str; 8] =
    ["subtlety", "internal structure", "calcification", "sphericity", "margin", "lobulation", "spiculation", "texture"];

/// What the published code counts among the attributes, as the ninth.
pub const MALIGNANCY: &str = "malignancy";

/// The prompt of a class.
pub fn class_prompt(class: &str) -> String {
    format!("a nodule image of {class}.")
}

/// The prompt of an attribute.
pub fn attribute_prompt(word: &str) -> String {
    format!("the nodule is {word}.")
}

/// The token ids of a run's prompts, each with its start and end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompts {
    pub classes: Vec<Vec<u32>>,
    /// Of the eight attributes.
    pub attributes: Vec<Vec<u32>>,
    /// Of the published code's ninth.
    pub malignancy: Vec<u32>,
}

impl Prompts {
    /// In the tokens of `encode`.
    ///
    /// # Errors
    /// Those of `encode`.
    pub fn new(classes: &[&str], attributes: &[&str], encode: impl Fn(&str) -> Result<Vec<u32>>) -> Result<Self> {
        Ok(Self {
            classes: classes.iter().map(|c| encode(&class_prompt(c))).collect::<Result<_>>()?,
            attributes: attributes.iter().map(|w| encode(&attribute_prompt(w))).collect::<Result<_>>()?,
            malignancy: encode(&attribute_prompt(MALIGNANCY))?,
        })
    }

    /// All ids in use.
    pub fn ids(&self) -> Vec<u32> {
        self.classes.iter().chain(&self.attributes).chain([&self.malignancy]).flatten().copied().collect()
    }
}

/// Embeddings of prompts whose first four tokens after the start are open to be replaced: "\[SOT\] l1 l2 l3 l4 image of benign .
/// \[EOT\]" with CLIP, where "a nodule" is four tokens, "\[CLS\] l1 l2 l3 l4 of benign . \[SEP\]" with BERT's word pieces.
#[derive(Clone, Debug)]
pub struct OpenPrompts {
    /// Embeddings of the fixed tail of each prompt, cut after the last one's end, `[C, S, width]`.
    tail: Tensor<3>,
    /// Position of the end token in each tail.
    ends: Vec<usize>,
    /// Embeddings of the start token, `[1, 1, width]`.
    start: Tensor<3>,
    /// Embeddings of the four opening tokens of the first prompt, `[4, width]`.
    opening: Tensor<2>,
}

impl OpenPrompts {
    /// From the ids of whole prompts, at least one.
    ///
    /// # Errors
    /// A prompt without a token after the opening, or an id that `table` does not have.
    pub fn new(table: &TokenTable, prompts: &[Vec<u32>]) -> Result<Self> {
        let first = 1 + CONTEXT_TOKENS;
        let shortest = prompts.iter().map(Vec::len).min().unwrap_or(0);
        if shortest <= first {
            return Err(Error::OutOfRange {
                what: "number of tokens of a prompt".into(),
                value: shortest.to_string(),
                expected: format!(
                    "more than {first}: start, {CONTEXT_TOKENS} for the context, and a tail; use another tokenizer"
                ),
            });
        }
        let tails: Vec<&[u32]> = prompts.iter().map(|p| &p[first..]).collect();
        Ok(Self {
            tail: table.embed(&tails)?,
            ends: tails.iter().map(|t| t.len() - 1).collect(),
            start: table.embed(&[&prompts[0][..1]])?,
            opening: table.embed(&[&prompts[0][1..first]])?.squeeze_dim(0),
        })
    }

    /// What the learnable context starts from, `[4, width]`.
    pub fn opening(&self) -> Tensor<2> {
        self.opening.clone()
    }

    /// Position of the end token in each tail.
    pub fn ends(&self) -> &[usize] {
        &self.ends
    }

    /// Embeddings of each sample's prompts with its own context: what they share, and their tails.
    ///
    /// # Shapes
    /// `context` `[n, 4, width]` -> `[n, 5, width]`, `[n, C, S, width]`
    pub fn with(&self, context: Tensor<3>) -> (Tensor<3>, Tensor<4>) {
        let [n, _, width] = context.dims();
        let [count, length, _] = self.tail.dims();
        let prefix = Tensor::cat(vec![self.start.clone().expand([n, 1, width]), context], 1);
        let suffix = self.tail.clone().reshape([1, count, length, width]).expand([n, count, length, width]);
        (prefix, suffix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::text::clip::{geometry::Geometry, tokenizer::ClipTokenizer};
    use crate::nn::text::encoder::TextEncoder;
    use burn::tensor::Device;

    /// Cutting four tokens leaves "image of {class}." and "is {attribute}.".
    #[test]
    fn the_cut_keeps_the_word() {
        let tokenizer = ClipTokenizer::new().unwrap();
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
        let tokenizer = ClipTokenizer::new().unwrap();
        let classes = ["benign", "unsure", "malignant"];
        let prompts = Prompts::new(&classes, &ATTRIBUTE_WORDS, |t| tokenizer.encode(t)).unwrap();
        let geometry = Geometry { width: 64, layers: 2, heads: 4, output: 32 };
        let encoder = TextEncoder::random_clip(geometry, 3, &prompts.ids(), &Device::flex());
        let open = OpenPrompts::new(&encoder.tokens, &prompts.classes).unwrap();
        let (prefix, suffix) = open.with(open.opening().unsqueeze::<3>().expand([2, 4, 64]));
        let conditional: Vec<f32> =
            encoder.tower.encode(prefix, suffix, open.ends()).into_data().iter::<f32>().collect();
        let fixed: Vec<f32> = encoder.encode_ids(&prompts.classes).unwrap().into_data().iter::<f32>().collect();
        for (i, v) in conditional.iter().enumerate() {
            assert!((v - fixed[i % fixed.len()]).abs() < 1e-5);
        }
    }

    /// A prompt that ends within the opening has no tail to keep.
    #[test]
    fn short_prompts_are_errors() {
        let encoder = TextEncoder::random_clip(
            Geometry { width: 64, layers: 1, heads: 1, output: 8 },
            3,
            &[1, 2, 3, 4, 5],
            &Device::flex(),
        );
        let error = OpenPrompts::new(&encoder.tokens, &[vec![1, 2, 3, 4, 5]]).unwrap_err();
        assert!(matches!(error, Error::OutOfRange { .. }), "{error}");
    }
}
