//! What can be wrong with a text encoder's files.

/// Why a text encoder can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextFault {
    /// Neither CLIP nor BERT.
    #[error(
        "the architecture is {0}; text towers of CLIP (model_type clip or clip_text_model) and of BERT (bert, or BiomedCLIP's) can be read"
    )]
    Architecture(String),
    /// A setting that the tower here does not have.
    #[error("`{setting}` is {found}, but the tower here has {known}; use weights with that")]
    Setting { setting: &'static str, found: String, known: String },
    /// A tokenizer of another kind, or a damaged one.
    #[error("not a usable WordPiece tokenizer ({0}); give the tokenizer.json that belongs to the weights")]
    Tokenizer(String),
    /// A text with a word that the vocabulary has no pieces for.
    #[error("the vocabulary has no pieces for `{0}`; it is too small or of another language, use another text encoder")]
    UnknownWord(String),
}
