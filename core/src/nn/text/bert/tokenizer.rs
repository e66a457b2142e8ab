//! BERT's tokenizer: lower-cased words in pieces (WordPiece), by the crate `tokenizers`.

use std::io::Read;

use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{ModelWrapper, Tokenizer as Inner};

use crate::error::{Error, Result, TextFault};

const VOCABULARY: &str = "vocab.txt";

/// A WordPiece tokenizer with BERT's special tokens.
pub struct WordPieceTokenizer {
    inner: Inner,
    file: String,
    cls: u32,
    sep: u32,
    unknown: u32,
}

impl WordPieceTokenizer {
    /// With BERT's own lower-cased English vocabulary, which all-MiniLM-L6-v2 uses (`assets/bert/README.md` has source and licence).
    ///
    /// # Errors
    /// Only when the build embedded a damaged file.
    pub fn english() -> Result<Self> {
        let bad = |reason: String| Error::Asset(VOCABULARY, reason);
        let mut text = Vec::new();
        let bytes: &[u8] = include_bytes!("../../../../assets/bert/vocab.txt.gz");
        flate2::read::GzDecoder::new(bytes).read_to_end(&mut text).map_err(|e| bad(e.to_string()))?;
        let vocabulary = WordPiece::read_bytes(&text).map_err(|e| bad(e.to_string()))?;
        let pieces = WordPiece::builder().vocab(vocabulary).build().map_err(|e| bad(e.to_string()))?;
        let mut inner = Inner::new(pieces);
        inner
            .with_normalizer(Some(BertNormalizer::default()))
            .map_err(|e| bad(e.to_string()))?
            .with_pre_tokenizer(Some(BertPreTokenizer));
        Self::with_special_tokens(inner, VOCABULARY)
    }

    /// From a `tokenizer.json`; its padding and truncation are off.
    ///
    /// # Errors
    /// A damaged file, another model than WordPiece, or one without \[CLS\], \[SEP\] and \[UNK\].
    pub fn from_json(json: &[u8], file: &str) -> Result<Self> {
        let bad = |reason: String| Error::Text { file: file.into(), fault: TextFault::Tokenizer(reason) };
        let mut inner = Inner::from_bytes(json).map_err(|e| bad(e.to_string()))?;
        if !matches!(inner.get_model(), ModelWrapper::WordPiece(_)) {
            return Err(bad("its model is another".into()));
        }
        inner.with_padding(None).with_truncation(None).map_err(|e| bad(e.to_string()))?;
        Self::with_special_tokens(inner, file)
    }

    fn with_special_tokens(inner: Inner, file: &str) -> Result<Self> {
        let id = |token: &str| {
            let fault = || TextFault::Tokenizer(format!("it has no {token}"));
            inner.token_to_id(token).ok_or_else(|| Error::Text { file: file.into(), fault: fault() })
        };
        Ok(Self { cls: id("[CLS]")?, sep: id("[SEP]")?, unknown: id("[UNK]")?, file: file.into(), inner })
    }

    /// The ids of a text between \[CLS\] and \[SEP\].
    ///
    /// # Errors
    /// A word that the vocabulary has no pieces for.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let bad = |fault: TextFault| Error::Text { file: self.file.clone(), fault };
        let encoding = self.inner.encode(text, false).map_err(|e| bad(TextFault::Tokenizer(e.to_string())))?;
        let ids = encoding.get_ids();
        if let Some(at) = ids.iter().position(|&id| id == self.unknown) {
            let (from, to) = encoding.get_offsets()[at];
            return Err(bad(TextFault::UnknownWord(text.get(from..to).unwrap_or(text).into())));
        }
        Ok([&[self.cls][..], ids, &[self.sep]].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::text::prompts::{ATTRIBUTE_PHRASES, MALIGNANCY, attribute_prompt, class_prompt};

    /// The 12 prompts' pieces by all-MiniLM-L6-v2's own tokenizer, padding off; "nodule" is `nod` `##ule`.
    #[test]
    fn pieces_of_the_prompts() {
        let classes: [(&str, &[u32]); 3] = [("benign", &[28378]), ("unsure", &[12422]), ("malignant", &[16007, 27881])];
        let attributes: [&[u32]; 9] = [
            &[11259, 3723],
            &[4722, 3252],
            &[10250, 6895, 10803],
            &[11867, 5886, 28775, 3723],
            &[7785],
            &[8840, 28507, 3508],
            &[11867, 2594, 9513],
            &[14902],
            &[16007, 28207, 5666],
        ];
        let tokenizer = WordPieceTokenizer::english().unwrap();
        let encode = |text: &str| tokenizer.encode(text).unwrap();
        for (class, pieces) in classes {
            assert_eq!(
                encode(&class_prompt(class)),
                [&[101, 1037, 7293, 9307, 3746, 1997], pieces, &[1012, 102]].concat()
            );
        }
        for (word, pieces) in ATTRIBUTE_PHRASES.into_iter().chain([MALIGNANCY]).zip(attributes) {
            assert_eq!(
                encode(&attribute_prompt(word)),
                [&[101, 1996, 7293, 9307, 2003], pieces, &[1012, 102]].concat()
            );
        }
    }

    const SMALL: &str = r###"{"version": "1.0", "truncation": {"max_length": 3, "strategy": "LongestFirst", "stride": 0,
        "direction": "Right"}, "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
        "pad_type_id": 0, "pad_token": "[PAD]"}, "added_tokens": [], "normalizer": {"type": "BertNormalizer", "clean_text": true,
        "handle_chinese_chars": true, "strip_accents": null, "lowercase": true}, "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": null, "decoder": null, "model": {"type": "WordPiece", "unk_token": "[UNK]",
        "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2,
        "[SEP]": 3, "a": 4, "nod": 5, "##ule": 6}}}"###;

    /// A file's own padding and truncation are off; what it can't say is an error.
    #[test]
    fn tokenizer_files() {
        let from = |json: &str| WordPieceTokenizer::from_json(json.as_bytes(), "tokenizer.json");
        let tokenizer = from(SMALL).unwrap();
        assert_eq!(tokenizer.encode("A nodule a nodule").unwrap(), [2, 4, 5, 6, 4, 5, 6, 3]);
        let error = tokenizer.encode("a spiculation").unwrap_err();
        assert!(error.to_string().contains("no pieces for `spiculation`"), "{error}");
        for (found, put, said) in
            [("\"[CLS]\"", "\"[A]\"", "it has no [CLS]"), ("\"WordPiece\"", "\"?\"", "not a usable")]
        {
            let error = from(&SMALL.replace(found, put)).err().unwrap().to_string();
            assert!(error.contains(said), "{error}");
        }
        let bpe = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": null, "post_processor": null, "decoder": null,
            "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}"#;
        assert!(from(bpe).err().unwrap().to_string().contains("its model is another"));
    }
}
