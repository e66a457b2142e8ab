//! CLIP's tokenizer: lower-cased byte-level BPE with 49408 entries, built on the crate `tokenizers` from CLIP's own merges
//! (`assets/clip/README.md` has their source and licence).

use std::io::Read;

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::{Lowercase, NFC, Replace, Sequence as Normalizers, replace::ReplacePattern};
use tokenizers::pre_tokenizers::{
    byte_level::ByteLevel,
    sequence::Sequence as PreTokenizers,
    split::{Split, SplitPattern},
};
use tokenizers::{SplitDelimiterBehavior, Tokenizer as Inner};

use crate::error::{Error, Result};

/// Start of text.
pub const SOT: u32 = 49406;
/// End of text; the row where the text tower's output is read.
pub const EOT: u32 = 49407;
/// Positions of the text tower.
pub const CONTEXT: usize = 77;

/// Entries of the vocabulary that are merges: 49152 - 256 - 2.
const MERGES: usize = 48_894;
const NAME: &str = "bpe_simple_vocab_16e6.txt";

/// CLIP's tokenizer.
pub struct ClipTokenizer(Inner);

impl ClipTokenizer {
    /// From the embedded merges.
    ///
    /// # Errors
    /// Only when the build embedded a damaged file.
    pub fn new() -> Result<Self> {
        Self::build().map_err(|e| Error::Asset(NAME, e.to_string()))
    }

    fn build() -> std::result::Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let mut text = String::new();
        let bytes: &[u8] = include_bytes!("../../../../assets/clip/bpe_simple_vocab_16e6.txt.gz");
        flate2::read::GzDecoder::new(bytes).read_to_string(&mut text)?;
        let merges: Vec<(String, String)> = text
            .lines()
            .skip(1)
            .take(MERGES)
            .filter_map(|l| l.split_once(' '))
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .collect();
        let letters: Vec<String> = byte_letters().iter().map(char::to_string).collect();
        let words = letters.iter().cloned().chain(letters.iter().map(|l| format!("{l}</w>")));
        let words = words.chain(merges.iter().map(|(a, b)| format!("{a}{b}")));
        let words = words.chain(["<|startoftext|>".to_owned(), "<|endoftext|>".to_owned()]);
        let vocab: Vocab = words.enumerate().map(|(i, w)| (w, i as u32)).collect();
        let bpe = BPE::builder().vocab_and_merges(vocab, merges).end_of_word_suffix("</w>".into()).build()?;

        let mut inner = Inner::new(bpe);
        let spaces = Replace::new(ReplacePattern::Regex(r"\s+".into()), " ")?;
        inner.with_normalizer(Some(Normalizers::new(vec![NFC.into(), spaces.into(), Lowercase.into()])))?;
        let words = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";
        let split = Split::new(SplitPattern::Regex(words.into()), SplitDelimiterBehavior::Removed, true)?;
        inner.with_pre_tokenizer(Some(PreTokenizers::new(vec![
            split.into(),
            ByteLevel::new(false, true, false).into(),
        ])));
        Ok(Self(inner))
    }

    /// The ids of a text with start and end, at most [`CONTEXT`] (the end is kept).
    ///
    /// # Errors
    /// When the tokenizer can't split the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.0.encode(text, false).map_err(|e| Error::Asset(NAME, e.to_string()))?;
        let mut ids = vec![SOT];
        ids.extend(encoding.get_ids().iter().take(CONTEXT - 2));
        ids.push(EOT);
        Ok(ids)
    }
}

/// The letter that stands for each byte, in the order of CLIP's vocabulary: printable bytes first.
fn byte_letters() -> Vec<char> {
    let printable = |b: u32| matches!(b, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let shown = (0..256).filter(|b| printable(*b)).filter_map(char::from_u32);
    let others = (0..256).filter(|b| !printable(*b)).enumerate().filter_map(|(n, _)| char::from_u32(256 + n as u32));
    shown.chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The prompts of the method further strings, tokenized by open_clip's copy of CLIP's tokenizer
    /// (`tests/golden/tokenizer.py`).
    #[test]
    fn equal_to_clip() {
        let golden: Vec<(String, Vec<u32>)> =
            serde_json::from_str(include_str!("../../../../../tests/golden/tokenizer.json")).unwrap();
        let tokenizer = ClipTokenizer::new().unwrap();
        assert_eq!(golden.len(), 1013);
        for (text, ids) in golden {
            assert_eq!(tokenizer.encode(&text).unwrap(), ids, "{text:?}");
        }
    }
}
