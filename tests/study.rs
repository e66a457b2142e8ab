//! A small study, and that two of them ended alike: what the tests of sweeps and clusters share.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use clip_lung_core::base::digest::hex;
use serde_json::Value;

use crate::common::{ok, text};

/// Twelve cells of three steps: three methods, two folds, and lidc-b, which trains as lidc-a.
pub fn plan(dir: &Path, name: &str) -> PathBuf {
    plan_of(&["--methods", "ce,corf,clip", "--tasks", "lidc-a,lidc-b", "--folds", "0,1"], dir, name)
}

/// A study of this grid, with cells of three steps unless it says how many epochs.
pub fn plan_of(grid: &[&str], dir: &Path, name: &str) -> PathBuf {
    let (data, study) = (dir.join("data"), dir.join(name));
    if !data.exists() {
        ok(&["phantom", "--limit", "60", "--out", &text(&data)]);
    }
    let (data, out) = (text(&data), text(&study));
    let recipe = ["--fold-count", "3", "--batch-size", "16", "--lr", "0.01"];
    let epochs: &[&str] = if grid.contains(&"--epochs") { &[] } else { &["--epochs", "1"] };
    let head = ["sweep", "plan", out.as_str(), "--data", data.as_str(), "--text-encoder", "random:minilm"];
    ok(&head.iter().chain(grid).chain(&recipe).chain(epochs).copied().collect::<Vec<_>>());
    study
}

/// The cells, and where they stand.
pub fn states(study: &Path) -> Vec<(String, String)> {
    let status: Value = serde_json::from_str(&ok(&["sweep", "status", "--json", &text(study)])).unwrap();
    let word = |v: &Value| v.as_str().unwrap().to_owned();
    status["cells"].as_array().unwrap().iter().map(|c| (word(&c["id"]), word(&c["state"]))).collect()
}

/// Runs a study to its end.
pub fn run(study: &Path) {
    ok(&["sweep", "run", &text(study), "--jobs", "2", "--device", "cpu", "--save-every", "0"]);
}

/// How a study of twelve cells ended: the SHA-256 of what must not depend on how it was run, by file.
pub fn ended(study: &Path) -> BTreeMap<String, String> {
    let cells = states(study);
    assert_eq!(cells.len(), 12);
    let mut files = BTreeMap::new();
    for (id, state) in cells {
        assert_eq!(state, "done", "{id}");
        // what takes another cell's training over has no model of its own
        let trained = ["model/model.safetensors", "pointing.csv"].into_iter().filter(|_| id.contains("lidc-a"));
        for name in ["predictions.csv", "metrics.json", "config.json"].into_iter().chain(trained) {
            let file = format!("cells/{id}/{name}");
            let bytes = std::fs::read(study.join(&file)).unwrap();
            files.insert(file, hex(&bytes));
        }
    }
    files
}

/// How the study of twelve cells ends where nobody disturbs it.
pub fn undisturbed() -> &'static BTreeMap<String, String> {
    static ENDED: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    ENDED.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let study = plan(dir.path(), "undisturbed");
        run(&study);
        ended(&study)
    })
}

/// How often cells were started whose names begin so.
pub fn starts(study: &Path, cell: &str) -> usize {
    let log = std::fs::read_to_string(study.join("log.txt")).unwrap_or_default();
    log.lines().filter(|line| line.contains(&format!(" start {cell}"))).count()
}
