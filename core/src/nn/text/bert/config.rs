//! The dimensions of a tower of BERT's kind, and what makes one feature of its tokens.

use serde::Deserialize;

use crate::error::{Error, Result, TextFault};

/// What makes one feature of the last layer's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The mean of all tokens, \[CLS\] and \[SEP\] included.
    Mean,
    /// The first token, \[CLS\].
    Cls,
}

/// The tower's dimensions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BertConfig {
    pub width: usize,
    pub layers: usize,
    pub heads: usize,
    /// Values between the two dense layers of a block.
    pub hidden: usize,
    /// The longest sequence.
    pub positions: usize,
    /// LayerNorm's.
    pub epsilon: f64,
    pub pooling: Pooling,
}

/// Hugging Face's `config.json` of a BERT; what it has beyond is of no weight here.
#[derive(Deserialize)]
struct Stored {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    max_position_embeddings: usize,
    #[serde(default = "epsilon")]
    layer_norm_eps: f64,
    hidden_act: Option<String>,
    position_embedding_type: Option<String>,
}

/// sentence-transformers' `1_Pooling/config.json`.
#[derive(Deserialize)]
struct StoredPooling {
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_mean_tokens: bool,
}

const fn epsilon() -> f64 {
    BertConfig::EPSILON
}

impl BertConfig {
    /// BERT's own.
    pub const EPSILON: f64 = 1e-12;

    /// all-MiniLM-L6-v2.
    pub const MINILM: Self = Self {
        width: 384,
        layers: 6,
        heads: 12,
        hidden: 1536,
        positions: 512,
        epsilon: Self::EPSILON,
        pooling: Pooling::Mean,
    };

    /// From `config.json`; the pooling is the mean, as sentence-transformers have it where nothing else is said.
    ///
    /// # Errors
    /// A field that is missing or out of bounds, another activation or kind of positions.
    pub fn parse(json: &[u8], file: &str) -> Result<Self> {
        let bad = |reason: String| Error::BadJson { file: file.into(), reason };
        let s: Stored = serde_json::from_slice(json).map_err(|e| bad(e.to_string()))?;
        for (setting, found, known) in
            [("hidden_act", s.hidden_act, "gelu"), ("position_embedding_type", s.position_embedding_type, "absolute")]
        {
            if let Some(found) = found.filter(|f| f != known) {
                let fault = TextFault::Setting { setting, found, known: known.into() };
                return Err(Error::Text { file: file.into(), fault });
            }
        }
        let config = Self {
            width: s.hidden_size,
            layers: s.num_hidden_layers,
            heads: s.num_attention_heads,
            hidden: s.intermediate_size,
            positions: s.max_position_embeddings,
            epsilon: s.layer_norm_eps,
            pooling: Pooling::Mean,
        };
        let counts = [config.width, config.layers, config.heads, config.hidden, config.positions];
        if counts.contains(&0) || !config.width.is_multiple_of(config.heads) {
            return Err(bad(format!(
                "sizes {counts:?} can't be those of a tower: width, layers, heads, hidden, positions"
            )));
        }
        if !(config.epsilon.is_finite() && config.epsilon > 0.0) {
            return Err(bad(format!("layer_norm_eps is {}, but must be above 0", config.epsilon)));
        }
        Ok(config)
    }

    /// With the pooling of sentence-transformers' `1_Pooling/config.json`.
    ///
    /// # Errors
    /// Another pooling than the mean or \[CLS\].
    pub fn with_pooling(self, json: &[u8], file: &str) -> Result<Self> {
        let stored: StoredPooling =
            serde_json::from_slice(json).map_err(|e| Error::BadJson { file: file.into(), reason: e.to_string() })?;
        let pooling = match (stored.pooling_mode_mean_tokens, stored.pooling_mode_cls_token) {
            (true, false) => Pooling::Mean,
            (false, true) => Pooling::Cls,
            (mean, cls) => {
                let found = format!("mean {mean}, cls {cls}");
                let fault = TextFault::Setting { setting: "pooling", found, known: "one of mean and cls".into() };
                return Err(Error::Text { file: file.into(), fault });
            }
        };
        Ok(Self { pooling, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINILM: &str = r#"{"model_type": "bert", "hidden_act": "gelu", "hidden_size": 384, "intermediate_size": 1536,
        "layer_norm_eps": 1e-12, "max_position_embeddings": 512, "num_attention_heads": 12, "num_hidden_layers": 6,
        "position_embedding_type": "absolute", "vocab_size": 30522}"#;

    #[test]
    fn settings_are_read_and_checked() {
        let parse = |json: &str| BertConfig::parse(json.as_bytes(), "config.json");
        assert_eq!(parse(MINILM).unwrap(), BertConfig::MINILM);
        let error = |from: &str, to: &str| parse(&MINILM.replace(from, to)).unwrap_err().to_string();
        assert!(error(r#""gelu""#, r#""relu""#).contains("`hidden_act` is relu"));
        assert!(error("absolute", "relative_key").contains("`position_embedding_type` is relative_key"));
        assert!(error("\"hidden_size\": 384", "\"hidden_size\": 385").contains("can't be those of a tower"));
        assert!(error("\"num_hidden_layers\": 6", "\"num_hidden_layers\": 0").contains("can't be those of a tower"));
        assert!(error("\"hidden_size\"", "\"d_model\"").contains("hidden_size"));
        assert!(error("1e-12", "-1").contains("layer_norm_eps"));
    }

    #[test]
    fn pooling_is_mean_or_cls() {
        let pooling = |mean: bool, cls: bool| {
            let json = format!(r#"{{"pooling_mode_mean_tokens": {mean}, "pooling_mode_cls_token": {cls}}}"#);
            BertConfig::MINILM.with_pooling(json.as_bytes(), "pooling").map(|c| c.pooling)
        };
        assert_eq!(pooling(true, false).unwrap(), Pooling::Mean);
        assert_eq!(pooling(false, true).unwrap(), Pooling::Cls);
        assert!(matches!(pooling(true, true), Err(Error::Text { fault: TextFault::Setting { .. }, .. })));
    }
}
