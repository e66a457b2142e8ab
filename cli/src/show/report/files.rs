//! The files of a report.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use clip_lung_core::study::summary::document::Summary;

use super::drawn::{Drawn, figures};
use super::{latex, markdown, page, results};

/// All of them by name; `study` is where its commands find the study.
pub fn files(summary: &Summary, drawn: &Drawn, study: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut json = serde_json::to_vec_pretty(summary)?;
    json.push(b'\n');
    let figures = figures(summary, drawn)?;
    let mut files: BTreeMap<String, Vec<u8>> = [
        ("report.html", page::page(summary, &figures, drawn, study).into_bytes()),
        ("results.csv", results::csv(summary)?),
        ("summary.json", json),
        ("table.md", markdown::document(summary, study).into_bytes()),
        ("table.tex", latex::document(summary).into_bytes()),
    ]
    .into_iter()
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .collect();
    files.extend(figures.iter().map(|(_, f)| (format!("figures/{}.svg", f.name), f.file().into_bytes())));
    Ok(files)
}
