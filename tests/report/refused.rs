//! What is not as it was written, or of another study, is refused by name.

use std::path::Path;

use clip_lung_core::methods::Method;

use crate::common::{Place, fails, is_bad_input, json, ok, text};
use crate::made_study::{self, Plan, TASKS, cell};
use crate::report;

/// A study whose report is refused, with these words, while a file says something else.
struct Refused<'a> {
    place: &'a Place,
    arguments: [String; 4],
}

impl<'a> Refused<'a> {
    fn new(place: &'a Place) -> Self {
        let arguments = ["report".into(), place.name("study"), "--out".into(), place.name("refused")];
        Self { place, arguments }
    }

    fn while_changed(&self, path: &Path, change: &dyn Fn(&Path), words: &[&str]) {
        let before = std::fs::read(path).unwrap();
        change(path);
        assert_ne!(before, std::fs::read(path).unwrap_or_default(), "{}", path.display());
        words.iter().for_each(|word| is_bad_input(&self.arguments.each_ref().map(String::as_str), word));
        std::fs::write(path, before).unwrap();
        assert!(!self.place.path("refused").exists());
    }

    fn says_instead(&self, path: &Path, from: &str, to: &str, words: &[&str]) {
        let change = |path: &Path| {
            let text = std::fs::read_to_string(path).unwrap();
            std::fs::write(path, text.replacen(from, to, 1)).unwrap();
        };
        self.while_changed(path, &change, words);
    }
}

#[test]
fn cells() {
    let place = Place::new();
    let study = place.path("study");
    made_study::write(&study, &Plan::default());
    let refused = Refused::new(&place);
    let file = |id: &str, name: &str| cell(&study, id).join(name);
    let csv = file("udm.lidc-a.f1.s2", "predictions.csv");
    refused.says_instead(&csv, "benign", "unsure", &["udm.lidc-a.f1.s2/predictions.csv", "SHA-256"]);
    let config = file("ce.lidc-a.f0.s2", "config.json");
    let stale = "ce.lidc-a.f0.s2 is stale";
    refused.says_instead(&config, "\"epochs\":100", "\"epochs\":7", &[stale, "`epochs` is 7, planned is 100"]);
    refused.says_instead(&config, "5e5e", "5f5e", &[stale, "SHA-256"]);
    let metrics = file("clip-lung.lidc-a.f0.s2", "metrics.json");
    let stale = "clip-lung.lidc-a.f0.s2 is stale";
    refused.says_instead(&metrics, "\"fold\":0", "\"fold\":1", &[stale, "metrics.json"]);
    refused.says_instead(&metrics, "5e5e", "5f5e", &[stale, "SHA-256"]);
    let program = "{\"program\":{\"version\":\"0.0.9\",\"git_commit\":\"abc\",\"arithmetic\":0},";
    refused.says_instead(&metrics, "{", program, &[stale, "clip-lung 0.0.9 (abc)", "number 0"]);
    // without its digest nothing would say that the predictions are the cell's
    refused.says_instead(&metrics, "\"predictions_sha256\"", "\"digest\"", &[stale, "no `predictions_sha256`"]);
    refused.says_instead(&study.join("study.json"), "\"schema\": 1", "\"schema\": 9", &["schema 9"]);
    let bad_settings = ["study.json, cell ce.lidc-a.f0.s2"];
    refused.says_instead(&study.join("study.json"), "\"batch_size\": 32", "\"batch_size\": 0", &bad_settings);
    report(&place, "out");
    // nor is a study or a run the place of its report
    for out in [place.name("study"), text(&cell(&study, "ce.lidc-a.f0.s2"))] {
        is_bad_input(&["report", &place.name("study"), "--out", &out], "give another place for --out");
    }
}

/// udm's answer is the median of its distribution unless its settings say otherwise, and what the metrics say must agree with them: every
/// accuracy follows from it.
#[test]
fn another_decision_than_the_method_s() {
    let place = Place::new();
    let study = place.path("study");
    made_study::write(&study, &Plan::default());
    let of = |out: &str| {
        let summary = json(&String::from_utf8(report(&place, out)["summary.json"].clone()).unwrap());
        let cells = summary["cells"].as_array().unwrap().clone();
        cells.iter().find(|c| c["cell"] == "udm.lidc-a.f0.s2").unwrap()["measures"]["accuracy"].clone()
    };
    let says = |id: &str, decision: &str| {
        let path = cell(&study, id).join("metrics.json");
        let mut known = json(&std::fs::read_to_string(&path).unwrap());
        known["decision"] = decision.into();
        std::fs::write(&path, known.to_string()).unwrap();
    };
    let median = of("silent");
    says("udm.lidc-a.f0.s2", "median");
    says("ce.lidc-a.f0.s2", "argmax");
    assert_eq!(of("median"), median);

    let arguments = ["report", &place.name("study"), "--out", &place.name("refused")];
    for (id, right, wrong) in [("udm.lidc-a.f0.s2", "median", "argmax"), ("ce.lidc-a.f0.s2", "argmax", "median")] {
        says(id, wrong);
        let method = id.split('.').next().unwrap();
        let words = format!("{id}/metrics.json: `decision` is \"{wrong}\", but {method} with the settings of this run");
        is_bad_input(&arguments, &words);
        let run = text(&cell(&study, id));
        is_bad_input(&["compare", &run, &run], &words);
        says(id, right);
    }
    // as planned with --udm-decision argmax
    let planned = study.join("study.json");
    let ran = ["f0", "f1"].map(|fold| cell(&study, &format!("udm.lidc-a.{fold}.s2")).join("config.json"));
    for path in ran.iter().chain([&planned]) {
        let text = std::fs::read_to_string(path).unwrap();
        let changed = text.replace("\"decision\":\"median\"", "\"decision\":\"argmax\"");
        let changed = changed.replace("\"decision\": \"median\"", "\"decision\": \"argmax\"");
        assert_ne!(text, changed);
        std::fs::write(path, changed).unwrap();
    }
    is_bad_input(&arguments, "udm.lidc-a.f0.s2/metrics.json: `decision` is \"median\"");
    says("udm.lidc-a.f0.s2", "argmax");
    assert_ne!(of("argmax"), median);
}

/// What size and ratings alone tell is what every method is held against: a touched, removed or added table is named.
#[test]
fn anchors() {
    let place = Place::new();
    let study = place.path("study");
    made_study::write(&study, &Plan { methods: &[Method::Ce], tasks: &TASKS, ..Plan::default() });
    let refused = Refused::new(&place);
    let anchors = study.join("anchors");
    let size = anchors.join("lidc-b.size-only.csv");
    refused.says_instead(&size, "benign", "malignant", &["lidc-b.size-only.csv", "SHA-256", "sweep run"]);
    refused.while_changed(&size, &|path| std::fs::remove_file(path).unwrap(), &["lidc-b.size-only.csv: can't be read"]);
    let digests = anchors.join("sha256.json");
    let undeclared = ["lidc-c.ratings.csv: sha256.json beside it has no SHA-256", "sweep run", "writes all anew"];
    refused.says_instead(&digests, "lidc-c.ratings.csv", "lidc-c.other.csv", &undeclared);
    refused.says_instead(&digests, "{", "[", &["sha256.json", "sweep run"]);
    let without = ["lidc-a.majority.csv: sha256.json beside it has no SHA-256"];
    refused.while_changed(&digests, &|path| std::fs::remove_file(path).unwrap(), &without);
    // every reader of the study refuses it
    std::fs::remove_file(&digests).unwrap();
    let of = |method: &str| format!("{}:{method}", text(&study));
    let (code, message) = fails(&["compare", &of("ce"), &of("size-only")]);
    assert!(code == 3 && message.contains(without[0]), "{message}");
    // without any the report says what it lacks
    std::fs::remove_dir_all(&anchors).unwrap();
    let files = report(&place, "out");
    assert!(String::from_utf8(files["table.md"].clone()).unwrap().contains("are not kept in the study (anchors/)"));
}

/// The audit of the data, where the study keeps it, is in the report, a leak first; that of other data or another split is refused.
#[test]
fn the_audit_of_other_data() {
    let place = Place::new();
    made_study::write(&place.path("study"), &Plan::default());
    let found = json(&ok(&["inspect", &place.data(), "--audit", "--folds", "2", "--json"]));
    assert_eq!(found["sha256"].as_str().unwrap().len(), 64);
    let path = place.path("study/audit.json");
    let keep = |audit: &serde_json::Value| std::fs::write(&path, audit.to_string()).unwrap();
    let arguments = ["report", &place.name("study"), "--out", &place.name("refused")];
    keep(&found);
    is_bad_input(&arguments, "audit.json: it is of data of SHA-256");
    std::fs::write(&path, "{").unwrap();
    is_bad_input(&arguments, "remove it, and `clip-lung sweep run");
    // as of the study's data, and as versions without the digest kept it
    let mut own = found.clone();
    own["sha256"] = "5e".repeat(32).into();
    let mut named = found.clone();
    named.as_object_mut().unwrap().remove("sha256");
    keep(&named);
    is_bad_input(&arguments, "not of made up; remove it, and `clip-lung sweep run");
    named["data"] = "made up".into();
    for audit in [&own, &named] {
        keep(audit);
        let text = |name: &str| String::from_utf8(report(&place, "out")[name].clone()).unwrap();
        assert!(text("table.md").contains("| mean, inclusive, 1 or more readers | "));
        assert!(text("report.html").contains("How far readers agree"));
        assert_eq!(&json(&text("summary.json"))["audit"], audit);
    }
    let mut leaking = own.clone();
    leaking["leakage"]["patients"] = serde_json::json!(["P007"]);
    keep(&leaking);
    let summary = json(&String::from_utf8(report(&place, "out")["summary.json"].clone()).unwrap());
    let first = summary["notes"][0].as_str().unwrap();
    assert!(first.contains("1 patients are on both sides (P007"), "{first}");
    own["fold_seed"] = 9.into();
    keep(&own);
    is_bad_input(&arguments, "it is of 2 folds of patients with seed 9, not of 2 folds of patients with seed 2");
}
