//! What is known of a data set that is there, and what is told of one that was made.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use clip_lung_core::dataset::crops::Dataset;
use serde_json::Value;

use crate::failure::Failure;
use crate::io::archive::account::Account;
use crate::io::archive::work::Work;
use crate::io::files;

/// The file that says how a data set was made, and what it holds.
pub const ACCOUNT: &str = "prepare.json";

/// The account of a data set that is there already.
pub fn finished(out: &Path, described: &Value) -> Result<Option<Value>> {
    if !out.exists() || Work::is_blank(out) {
        return Ok(None);
    }
    let place = out.join(ACCOUNT);
    let account: Option<Value> =
        if place.is_file() { serde_json::from_slice(&files::read(&place)?).ok() } else { None };
    match account.filter(|a| a["settings"] == *described) {
        Some(account) => Ok(Some(account)),
        None => Err(Failure::File(format!(
            "{}: exists and was not made by this command with these settings; choose another --out, or remove it",
            out.display()
        ))
        .into()),
    }
}

pub fn data_files(data: &Dataset, prefix: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    Ok(data.to_files()?.into_iter().map(|(n, b)| (format!("{prefix}{n}"), b)).collect())
}

pub fn counted(others: &BTreeMap<String, usize>) -> String {
    if others.is_empty() {
        return "there are none".into();
    }
    others.iter().map(|(what, n)| format!("{n} {what}")).collect::<Vec<_>>().join(", ")
}

pub fn shown(document: &Value, as_json: bool, text: &str) {
    if as_json { println!("{document}") } else { println!("{text}") }
}

/// The account in words.
pub fn told(account: &Account, document: &Value, start: Instant, opening: &str) -> String {
    let classes = &document["classes"];
    let mut lines = vec![format!(
        "{opening} {} nodules of {} patients (benign {}, unsure {}, malignant {}) from {} annotated of {} series, {:.1} s",
        document["nodules"],
        document["patients"],
        classes["benign"],
        classes["unsure"],
        classes["malignant"],
        account.annotated,
        account.series,
        start.elapsed().as_secs_f64()
    )];
    if account.absent > 0 {
        lines.push(format!("  {} annotated series are not in the archive", account.absent));
    }
    lines.extend(account.reasons().into_iter().map(|(reason, n)| format!("  left out: {n} x {reason}")));
    if !account.others.is_empty() {
        lines.push(format!("  other files: {}", counted(&account.others)));
    }
    lines.push("  labels are the readers' impressions, not pathology; research use only".into());
    lines.join("\n")
}
