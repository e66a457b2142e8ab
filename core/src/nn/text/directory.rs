//! A text encoder's directory: which kind `config.json` describes, and its prompts and weights.

use burn::tensor::Device;
use serde::Deserialize;

use super::bert::config::BertConfig;
use super::bert::tokenizer::WordPieceTokenizer;
use super::bert::weights::is_bert;
use super::clip::tokenizer::ClipTokenizer;
use super::clip::weights::is_text;
use super::encoder::TextEncoder;
use super::prompts::{ATTRIBUTE_PHRASES, ATTRIBUTE_WORDS, Prompts};
use super::side::TextSide;
use crate::base::tensors::read_some;
use crate::error::{Error, Result, TextFault};

/// What a `config.json` describes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Description {
    /// With the tower's heads, where the file has them.
    Clip(Option<usize>),
    Bert(BertConfig),
}

/// A file's name and bytes.
pub type Named<'a> = (&'a str, &'a [u8]);

/// The fields of `config.json` by which the kind is known.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Stored {
    model_type: Option<String>,
    architectures: Option<Vec<String>>,
    num_attention_heads: Option<usize>,
    text_config: Option<Heads>,
}

#[derive(Deserialize)]
struct Heads {
    num_attention_heads: Option<usize>,
}

impl Description {
    /// From the bytes of `config.json`.
    ///
    /// # Errors
    /// Another architecture, or settings that the tower here does not have.
    pub fn parse((file, json): Named) -> Result<Self> {
        let bad = |e: serde_json::Error| Error::BadJson { file: file.into(), reason: e.to_string() };
        let stored: Stored = serde_json::from_slice(json).map_err(bad)?;
        let name = stored.model_type.or_else(|| stored.architectures.unwrap_or_default().into_iter().next());
        match name.as_deref() {
            Some("clip" | "clip_text_model" | "CLIPModel" | "CLIPTextModel" | "CLIPTextModelWithProjection") => {
                Ok(Self::Clip(stored.text_config.map_or(stored.num_attention_heads, |t| t.num_attention_heads)))
            }
            Some("bert" | "BertModel" | "BertForMaskedLM") => Ok(Self::Bert(BertConfig::parse(json, file)?)),
            other => {
                let fault = TextFault::Architecture(other.unwrap_or("not named").into());
                Err(Error::Text { file: file.into(), fault })
            }
        }
    }
}

/// CLIP's text side from a safetensors file.
///
/// # Errors
/// A damaged file, or a tensor that is missing or has another shape.
pub fn clip(weights: Named, heads: Option<usize>, classes: &[&str], name: String, device: &Device) -> Result<TextSide> {
    let arrays = read_some(weights.1, weights.0, is_text)?;
    let tokenizer = ClipTokenizer::new()?;
    let prompts = Prompts::new(classes, &ATTRIBUTE_WORDS, |text| tokenizer.encode(text))?;
    let encoder = TextEncoder::clip(&arrays, heads, &prompts.ids(), weights.0, device)?;
    TextSide::new(encoder, &prompts, name, true)
}

/// The text side of BERT's kind from `model.safetensors` and `tokenizer.json`.
///
/// # Errors
/// A damaged file, a tensor that is missing or has another shape, a vocabulary without the prompts' words.
pub fn bert(
    weights: Named,
    tokenizer: Named,
    config: BertConfig,
    classes: &[&str],
    name: String,
    device: &Device,
) -> Result<TextSide> {
    let tokenizer = WordPieceTokenizer::from_json(tokenizer.1, tokenizer.0)?;
    let prompts = Prompts::new(classes, &ATTRIBUTE_PHRASES, |text| tokenizer.encode(text))?;
    let arrays = read_some(weights.1, weights.0, is_bert)?;
    let encoder = TextEncoder::bert(&arrays, config, &prompts.ids(), weights.0, device)?;
    TextSide::new(encoder, &prompts, name, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_their_names() {
        let parse = |json: &str| Description::parse(("config.json", json.as_bytes()));
        let clip = r#"{"model_type": "clip", "text_config": {"num_attention_heads": 8}, "num_attention_heads": 12}"#;
        assert_eq!(parse(clip).unwrap(), Description::Clip(Some(8)));
        assert_eq!(parse(r#"{"architectures": ["CLIPTextModel"]}"#).unwrap(), Description::Clip(None));
        let bert = r#"{"architectures": ["BertModel"], "hidden_size": 384, "intermediate_size": 1536,
            "max_position_embeddings": 512, "num_attention_heads": 12, "num_hidden_layers": 6}"#;
        assert_eq!(parse(bert).unwrap(), Description::Bert(BertConfig::MINILM));
        for (json, said) in [(r#"{"model_type": "gpt2"}"#, "gpt2"), ("{}", "not named")] {
            let error = parse(json).unwrap_err();
            assert!(
                matches!(&error, Error::Text { fault: TextFault::Architecture(found), .. } if found == said),
                "{error}"
            );
        }
        assert!(matches!(parse("["), Err(Error::BadJson { .. })));
    }
}
