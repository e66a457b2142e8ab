//! A BERT's weights by Hugging Face's names, also below the prefixes of other files, checked for presence and shape.

use burn::tensor::Device;

use super::config::{BertConfig, Pooling};
use crate::base::tensors::{Array, Arrays};
use crate::error::{Error, Result};
use crate::nn::text::tokens::TokenTable;

/// What stands before `embeddings.` and `encoder.`: nothing in a BertModel (all-MiniLM-L6-v2), `bert.` below a task's head,
/// `text.transformer.` in open_clip's files (BiomedCLIP).
const PREFIXES: [&str; 3] = ["", "bert.", OPEN_CLIP];
const OPEN_CLIP: &str = "text.transformer.";
const TABLE: &str = "embeddings.word_embeddings.weight";

/// Whether a tensor of a file belongs to the text tower.
pub fn is_bert(name: &str) -> bool {
    // an index, not a weight
    let own = !name.ends_with("position_ids");
    let part = |rest: &str| rest.starts_with("embeddings.") || rest.starts_with("encoder.layer.");
    own && (name.starts_with("text.proj.") || PREFIXES.iter().any(|p| name.strip_prefix(p).is_some_and(part)))
}

/// A file's tensors, with what its names say about the features.
pub struct BertArrays<'a> {
    arrays: &'a Arrays,
    prefix: &'static str,
    config: BertConfig,
    file: &'a str,
}

impl<'a> BertArrays<'a> {
    /// open_clip's files read \[CLS\], whatever `config` says.
    ///
    /// # Errors
    /// When no token table is there.
    pub fn new(arrays: &'a Arrays, config: BertConfig, file: &'a str) -> Result<Self> {
        let known = |p: &&'static str| arrays.contains_key(&format!("{p}{TABLE}"));
        let prefix = PREFIXES.into_iter().find(|p| known(p)).ok_or_else(|| missing(file, TABLE))?;
        let pooling = if prefix == OPEN_CLIP { Pooling::Cls } else { config.pooling };
        Ok(Self { arrays, prefix, config: BertConfig { pooling, ..config }, file })
    }

    /// The tower's dimensions.
    pub fn config(&self) -> BertConfig {
        self.config
    }

    /// The rows `used` of the token table.
    ///
    /// # Errors
    /// A table of another width, or too short for an id.
    pub fn tokens(&self, used: &[u32], device: &Device) -> Result<TokenTable> {
        let name = format!("{}{TABLE}", self.prefix);
        let table = self.get(&name)?;
        if !matches!(table.shape[..], [_, width] if width == self.config.width) {
            let rows = *table.shape.first().unwrap_or(&0);
            return Err(self.shape(&name, &[rows, self.config.width], table));
        }
        TokenTable::of(table, used, self.file, &name, device)
    }

    /// Positions with the first type's row on each, `[positions, width]`: all tokens of a prompt are of that type.
    ///
    /// # Errors
    /// A tensor that is missing or has another shape.
    pub fn positions(&self) -> Result<Array> {
        let BertConfig { width, positions, .. } = self.config;
        let name = format!("{}embeddings.token_type_embeddings.weight", self.prefix);
        let types = self.get(&name)?;
        let first = types.values.get(..width).filter(|_| matches!(types.shape[..], [_, w] if w == width));
        let first = first.ok_or_else(|| self.shape(&name, &[2, width], types))?;
        let mut sum = self.top("embeddings.position_embeddings.weight", &[positions, width])?;
        sum.values.chunks_mut(width).for_each(|row| row.iter_mut().zip(first).for_each(|(v, t)| *v += t));
        Ok(sum)
    }

    /// A tensor below the prefix.
    ///
    /// # Errors
    /// When it is missing or has another shape.
    pub fn top(&self, name: &str, expected: &[usize]) -> Result<Array> {
        self.shaped(&format!("{}{name}", self.prefix), expected)
    }

    /// A tensor of a layer.
    ///
    /// # Errors
    /// When it is missing or has another shape.
    pub fn layer(&self, layer: usize, name: &str, expected: &[usize]) -> Result<Array> {
        self.top(&format!("encoder.layer.{layer}.{name}"), expected)
    }

    /// Queries, keys and values of a layer, one below the other: `[3 width, width]`, `[3 width]`.
    ///
    /// # Errors
    /// When one is missing or has another shape.
    pub fn qkv(&self, layer: usize) -> Result<[Array; 2]> {
        let w = self.config.width;
        let mut joined = [vec![3 * w, w], vec![3 * w]].map(|shape| Array { shape, values: Vec::new() });
        for side in ["query", "key", "value"] {
            for (array, (kind, shape)) in joined.iter_mut().zip([("weight", &[w, w][..]), ("bias", &[w])]) {
                array.values.extend(self.layer(layer, &format!("attention.self.{side}.{kind}"), shape)?.values);
            }
        }
        Ok(joined)
    }

    /// open_clip's projection head, two matrices `[hidden, width]`, `[output, hidden]` with GELU between, where the file has one.
    ///
    /// # Errors
    /// When one of the two is missing, or their shapes don't follow on each other.
    pub fn projection(&self) -> Result<Option<[Array; 2]>> {
        let [first, second] = ["text.proj.0.weight", "text.proj.2.weight"];
        if self.prefix != OPEN_CLIP {
            return Ok(None);
        }
        let hidden = *self.get(first)?.shape.first().unwrap_or(&0);
        let output = *self.get(second)?.shape.first().unwrap_or(&0);
        Ok(Some([self.shaped(first, &[hidden, self.config.width])?, self.shaped(second, &[output, hidden])?]))
    }

    fn get(&self, name: &str) -> Result<&'a Array> {
        self.arrays.get(name).ok_or_else(|| missing(self.file, name))
    }

    fn shaped(&self, name: &str, expected: &[usize]) -> Result<Array> {
        let array = self.get(name)?;
        if array.shape != expected { Err(self.shape(name, expected, array)) } else { Ok(array.clone()) }
    }

    fn shape(&self, name: &str, expected: &[usize], found: &Array) -> Error {
        let (file, name) = (self.file.into(), name.into());
        Error::Shape { file, name, expected: expected.to_vec(), found: found.shape.clone() }
    }
}

fn missing(file: &str, name: &str) -> Error {
    Error::MissingTensor { file: file.into(), name: name.into() }
}
