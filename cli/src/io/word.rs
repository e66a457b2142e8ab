//! Options by the names they have in files.

/// A value by the name it has in files.
pub fn word<T: serde::de::DeserializeOwned>(text: &str) -> std::result::Result<T, String> {
    serde_json::from_value(serde_json::Value::String(text.into())).map_err(|e| {
        let known = e.to_string();
        known.split_once("expected ").map_or(known.clone(), |(_, names)| format!("expected {names}"))
    })
}

/// A number of folds; patients are never dealt to more.
pub fn folds() -> clap::builder::RangedU64ValueParser<usize> {
    clap::builder::RangedU64ValueParser::new().range(2..=1000)
}
