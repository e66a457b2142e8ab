//! The text tower's weights by Hugging Face's names or OpenAI's, checked for presence and shape.

use burn::tensor::Device;

use super::geometry::Geometry;
use super::tokenizer::CONTEXT;
use crate::base::tensors::{Array, Arrays};
use crate::error::{Error, Result};
use crate::nn::text::tokens::TokenTable;

/// Whose names a file uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// `transformer.resblocks.N.attn.in_proj_weight`, `text_projection` used as x @ P.
    OpenAi,
    /// `text_model.encoder.layers.N.self_attn.q_proj.weight`, `text_projection.weight` its transpose.
    HuggingFace,
}

const HF_TABLE: &str = "text_model.embeddings.token_embedding.weight";
const OPENAI_TABLE: &str = "token_embedding.weight";

/// Whether a tensor of a CLIP file belongs to the text side.
pub fn is_text(name: &str) -> bool {
    ["text_model.", "text_projection", "transformer.resblocks.", "token_embedding", "positional_embedding", "ln_final"]
        .iter()
        .any(|p| name.starts_with(p))
}

impl Names {
    /// By the name of the token table.
    ///
    /// # Errors
    /// When neither is there.
    pub fn detect(arrays: &Arrays, file: &str) -> Result<Self> {
        if arrays.contains_key(HF_TABLE) {
            Ok(Self::HuggingFace)
        } else if arrays.contains_key(OPENAI_TABLE) {
            Ok(Self::OpenAi)
        } else {
            Err(Error::MissingTensor { file: file.into(), name: format!("{HF_TABLE}` or `{OPENAI_TABLE}") })
        }
    }

    fn projection(self) -> &'static str {
        if self == Self::OpenAi { "text_projection" } else { "text_projection.weight" }
    }
}

/// A tensor that must be there.
fn find<'a>(arrays: &'a Arrays, name: &str, file: &str) -> Result<&'a Array> {
    arrays.get(name).ok_or_else(|| Error::MissingTensor { file: file.into(), name: name.into() })
}

/// A file's tensors with the tower's dimensions read off their shapes.
pub struct TowerArrays<'a> {
    arrays: &'a Arrays,
    names: Names,
    geometry: Geometry,
    file: &'a str,
}

impl<'a> TowerArrays<'a> {
    /// `heads`: CLIP's rule width / 64 when `None`.
    ///
    /// # Errors
    /// When the dimensions can't be read off.
    pub fn new(arrays: &'a Arrays, heads: Option<usize>, file: &'a str) -> Result<Self> {
        let names = Names::detect(arrays, file)?;
        let table = find(arrays, if names == Names::OpenAi { OPENAI_TABLE } else { HF_TABLE }, file)?;
        let width = *table.shape.get(1).unwrap_or(&0);
        let stem = if names == Names::OpenAi { "transformer.resblocks" } else { "text_model.encoder.layers" };
        let layers = (0..).take_while(|n| arrays.keys().any(|k| k.starts_with(&format!("{stem}.{n}.")))).count();
        let heads = heads.unwrap_or(width / 64).max(1);
        if layers == 0 || width == 0 || !width.is_multiple_of(heads) {
            return Err(Error::MissingTensor { file: file.into(), name: format!("{stem}.0.*") });
        }
        let projection = find(arrays, names.projection(), file)?;
        let output = *projection.shape.get(usize::from(names == Names::OpenAi)).unwrap_or(&0);
        Ok(Self { arrays, names, geometry: Geometry { width, layers, heads, output }, file })
    }

    /// The tower's dimensions.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn get(&self, name: &str) -> Result<&'a Array> {
        find(self.arrays, name, self.file)
    }

    fn shaped(&self, name: &str, expected: &[usize]) -> Result<Array> {
        let array = self.get(name)?;
        if array.shape != expected {
            return Err(Error::Shape {
                file: self.file.into(),
                name: name.into(),
                expected: expected.to_vec(),
                found: array.shape.clone(),
            });
        }
        Ok(array.clone())
    }

    /// The rows `used` of the token table.
    ///
    /// # Errors
    /// A table too short for an id.
    pub fn tokens(&self, used: &[u32], device: &Device) -> Result<TokenTable> {
        let name = if self.names == Names::OpenAi { OPENAI_TABLE } else { HF_TABLE };
        TokenTable::of(self.get(name)?, used, self.file, name, device)
    }

    /// `[77, width]`
    pub fn positions(&self) -> Result<Array> {
        let name = if self.names == Names::OpenAi {
            "positional_embedding"
        } else {
            "text_model.embeddings.position_embedding.weight"
        };
        self.shaped(name, &[CONTEXT, self.geometry.width])
    }

    /// `[width, output]`
    pub fn projection(&self) -> Result<Array> {
        let Geometry { width, output, .. } = self.geometry;
        match self.names {
            Names::OpenAi => self.shaped(self.names.projection(), &[width, output]),
            Names::HuggingFace => self.shaped(self.names.projection(), &[output, width]).map(Array::transposed),
        }
    }

    /// A tensor outside of the layers, by OpenAI's name.
    pub fn top(&self, name: &str) -> Result<Array> {
        let own = match self.names {
            Names::OpenAi => name.to_owned(),
            Names::HuggingFace => name.replace("ln_final", "text_model.final_layer_norm"),
        };
        self.shaped(&own, &[self.geometry.width])
    }

    /// A tensor of a layer, by OpenAI's name.
    pub fn block(&self, layer: usize, name: &str) -> Result<Array> {
        let w = self.geometry.width;
        let shape: Vec<usize> = match name {
            "attn.in_proj_weight" => vec![3 * w, w],
            "attn.in_proj_bias" => vec![3 * w],
            "attn.out_proj.weight" => vec![w, w],
            "mlp.c_fc.weight" => vec![4 * w, w],
            "mlp.c_fc.bias" => vec![4 * w],
            "mlp.c_proj.weight" => vec![w, 4 * w],
            _ => vec![w],
        };
        if self.names == Names::OpenAi {
            return self.shaped(&format!("transformer.resblocks.{layer}.{name}"), &shape);
        }
        let stem = format!("text_model.encoder.layers.{layer}");
        if let Some(kind) = name.strip_prefix("attn.in_proj_") {
            // OpenAI stacks the rows of q, k and v
            let mut joined = Array { shape, values: Vec::new() };
            let part = if kind == "weight" { vec![w, w] } else { vec![w] };
            for side in ["q", "k", "v"] {
                joined.values.extend(self.shaped(&format!("{stem}.self_attn.{side}_proj.{kind}"), &part)?.values);
            }
            return Ok(joined);
        }
        let own = name
            .replace("attn.out_proj", "self_attn.out_proj")
            .replace("ln_1", "layer_norm1")
            .replace("ln_2", "layer_norm2")
            .replace("mlp.c_fc", "mlp.fc1")
            .replace("mlp.c_proj", "mlp.fc2");
        self.shaped(&format!("{stem}.{own}"), &shape)
    }
}
