//! Damaged and hostile inputs: each of tests/hostile gives its error, quickly, and no panic.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use clip_lung_core::lidc::xml::{Document, parse};
use clip_lung_core::volume::dicom::{File, read_file, slice_hu};
use clip_lung_core::volume::nifti;
use common::{run, text};

/// What a case gave: an outcome and its words.
fn one_file(path: &Path) -> (&'static str, String) {
    let bytes = std::fs::read(path).unwrap();
    let name = path.file_name().unwrap().to_string_lossy();
    let outcome = if name.ends_with(".dcm") {
        read_file(&bytes)
            .and_then(|found| match found {
                File::Ct(header) => slice_hu(&bytes, &header).map(|_| String::new()),
                File::Other(modality) => Ok(modality),
            })
            .map_err(|e| e.to_string())
    } else if name.ends_with(".xml") {
        match parse(&bytes) {
            Ok(Document::Other(root)) => return ("other", root),
            Ok(Document::Ct(_)) => Ok(String::new()),
            Err(e) => Err(e.to_string()),
        }
    } else {
        nifti::parse(&bytes, &name).map(|_| String::new()).map_err(|e| e.to_string())
    };
    match outcome {
        Ok(words) => ("ok", words),
        Err(words) => ("error", words),
    }
}

/// A folder through the program: `kept` and how many nodules, or `skipped` and every reason.
fn folder(path: &Path) -> (&'static str, String) {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    let done = run(&["prepare", "--dicom", &text(path), "--annotations", "xml", "--out", &text(&out), "--json"]);
    let message = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!message.contains("panicked") && !message.contains("internal failure"), "{}: {message}", path.display());
    if done.status.success() {
        let account: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        return ("kept", account["nodules"].to_string());
    }
    assert_eq!(done.status.code(), Some(3), "{}: {message}", path.display());
    assert!(!out.exists(), "nothing half-written");
    ("skipped", message)
}

#[test]
fn every_hostile_input_gives_its_error() {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/hostile");
    let mut reader = csv::Reader::from_path(base.join("expected.csv")).unwrap();
    let mut count = 0;
    let mut wrong = Vec::new();
    for row in reader.records() {
        let row = row.unwrap();
        let path = base.join(&row[0]);
        let start = Instant::now();
        let (outcome, words) = if row[0].ends_with('/') { folder(&path) } else { one_file(&path) };
        assert!(start.elapsed() < Duration::from_secs(5), "{}: slow", &row[0]);
        if outcome != &row[1] || !words.contains(&row[2]) {
            wrong.push(format!("{}: {outcome}, {words}", &row[0]));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 100, "{count} cases");
}
