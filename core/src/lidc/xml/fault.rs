//! What can be wrong with an annotation file, a variant a cause.

/// Why an annotation file can't be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum XmlFault {
    #[error("larger than {0} MB; no LIDC annotation file is")]
    TooLarge(usize),
    #[error("not text in UTF-8, UTF-16 or Latin-1; save it again in UTF-8")]
    Encoding,
    #[error("not well-formed XML near byte {at} ({reason}); fetch the file again")]
    Syntax { at: u64, reason: String },
    #[error("the entity `&{0};` is not expanded; LIDC files define none")]
    Entity(String),
    #[error("elements are nested deeper than {0} levels; the file is damaged or hostile")]
    Nesting(usize),
    #[error("the file ends within `{0}`; it is incomplete, fetch it again")]
    Truncated(String),
    #[error("`{name}` is `{value}` near byte {at}, but must be {expected}")]
    Value { name: &'static str, value: String, at: u64, expected: &'static str },
    #[error("`{0}` is missing; the file can't be matched with its CT series")]
    Missing(&'static str),
}
