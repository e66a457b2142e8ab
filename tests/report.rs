//! The report of a study: known numbers, and that it rests on kept predictions alone.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
#[path = "report/kept.rs"]
mod kept;
mod made_study;
#[path = "report/page.rs"]
mod page;
#[path = "report/refused.rs"]
mod refused;
#[path = "report/tables.rs"]
mod tables;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use clip_lung_core::methods::Method;
use clip_lung_core::study::cells::{Cell, Study};
use clip_lung_core::study::pooled::Predictions;
use clip_lung_core::study::variants::{Group, VARIANTS};
use clip_lung_core::train::config::{DataId, TrainConfig};
use common::{Place, fails, is_bad_input, json, ok, program, text};
use made_study::{Plan, TASKS, cell};
use serde_json::Value;

/// Every file below a directory.
fn all_files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(dir: &Path, root: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else {
                found.insert(text(path.strip_prefix(root).unwrap()), std::fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(dir, dir, &mut found);
    found
}

fn report(place: &Place, out: &str) -> BTreeMap<String, Vec<u8>> {
    ok(&["report", &place.name("study"), "--out", &place.name(out)]);
    all_files(&place.path(out))
}

fn near(value: &Value, golden: f64) {
    let value = value.as_f64().unwrap();
    assert!((value - golden).abs() < 1e-6, "{value} is not {golden}");
}

/// Ten nodules whose measures are known, as fold 0; the same with the answers of two misses set right, as fold 1.
const TEN: [(&str, [&str; 3]); 10] = [
    ("benign", ["0.7", "0.2", "0.1"]),
    ("benign", ["0.5", "0.4", "0.1"]),
    ("benign", ["0.2", "0.5", "0.3"]),
    ("benign", ["0.6", "0.3", "0.1"]),
    ("unsure", ["0.3", "0.4", "0.3"]),
    ("unsure", ["0.45", "0.35", "0.2"]),
    ("unsure", ["0.1", "0.3", "0.6"]),
    ("malignant", ["0.1", "0.2", "0.7"]),
    ("malignant", ["0.2", "0.5", "0.3"]),
    ("malignant", ["0.05", "0.15", "0.8"]),
];

fn ten(fold: usize) -> Vec<u8> {
    let mut csv = "nodule_id,patient_id,fold,true_class,p_benign,p_unsure,p_malignant\n".to_owned();
    for (i, (class, p)) in TEN.iter().enumerate() {
        let p = match (fold, i) {
            (1, 2) => ["0.8", "0.1", "0.1"],
            (1, 8) => ["0.1", "0.1", "0.8"],
            _ => *p,
        };
        csv += &format!("{},P{fold}{i},{fold},{class},{}\n", 10 * fold + i, p.join(","));
    }
    csv.into_bytes()
}

#[test]
fn numbers_that_are_known() {
    let place = Place::new();
    let dir = place.path("study");
    let data = DataId { name: "ten | _nodules_".into(), sha256: "00".into() };
    let mut cells = Vec::new();
    for fold in 0..2 {
        let config = TrainConfig { fold, folds: 2, data: data.clone(), ..TrainConfig::of(Method::Ce) };
        let value = serde_json::to_value(&config).unwrap();
        let cell = Cell::new(Method::Ce, config.task, fold, 2, None, value).unwrap();
        made_study::write_cell(&dir, &cell, &config, &Predictions::read("ten", &ten(fold), config.task).unwrap());
        cells.push(cell);
    }
    std::fs::write(dir.join("study.json"), Study::new(data, cells).unwrap().write().unwrap()).unwrap();

    let files = report(&place, "out");
    let summary = json(&String::from_utf8(files["summary.json"].clone()).unwrap());
    for (name, golden) in [
        ("accuracy", 0.6),
        ("macro_auc", 0.790675),
        ("quadratic_kappa", 0.710145),
        ("nll", 0.812396),
        ("brier", 0.485),
        ("rps", 0.2725),
        ("recall_unsure", 0.333333),
        ("f1_malignant", 0.666667),
    ] {
        near(&summary["cells"][0]["measures"][name], golden);
    }
    let row = &summary["tasks"][0]["rows"][0];
    let accuracy = row["levels"].as_array().unwrap().iter().find(|l| l["measure"] == "accuracy").unwrap();
    near(&accuracy["mean"], 0.7);
    near(&accuracy["sd"], 0.141421);
    near(&accuracy["pooled"], 0.7);
    near(&accuracy["published"], 0.542);
    assert_eq!(row["confusion"], serde_json::json!([[7, 1, 0], [2, 2, 2], [0, 1, 5]]));
    let csv = String::from_utf8(files["results.csv"].clone()).unwrap();
    assert!(csv.lines().nth(1).unwrap().starts_with("ce.lidc-a.f0.s2,ce,,lidc-a,0,2,10,0.6000000,"), "{csv}");
    let table = String::from_utf8(files["table.md"].clone()).unwrap();
    assert!(table.contains("| ce | 0, 1 | 70.0 ± 14.1 [54.2] |"), "{table}");
    let interval = |level: &Value, end: &str| level["interval"][end].as_f64().unwrap();
    let (low, high) = (100.0 * interval(accuracy, "low"), 100.0 * interval(accuracy, "high"));
    assert!(low < 70.0 && high > 70.0);
    assert!(table.contains(&format!("| ce | 0, 1 | 70.0 [{low:.1} to {high:.1}] |")), "{table}");
    let skipped = format!("seed 0, of which {} lacked a class and were skipped", row["skipped"]);
    let page = String::from_utf8(files["report.html"].clone()).unwrap();
    assert!(table.contains(&skipped) && page.contains(&skipped), "{skipped}");
    // foreign text stays text
    assert!(table.contains("# ten \\| \\_nodules\\_"), "{table}");
    let tex = String::from_utf8(files["table.tex"].clone()).unwrap();
    assert!(
        tex.contains("ce & 0, 1 & 70.0 $\\pm$ 14.1 [54.2]") && tex.contains("ten \\textbar{} \\_nodules\\_"),
        "{tex}"
    );
}

#[test]
fn the_same_bytes_again_and_without_models() {
    let place = Place::new();
    let study = place.path("study");
    made_study::write(&study, &Plan { variants: &["ic"], seeds: &[2, 3], tasks: &TASKS, ..Plan::default() });
    let first = report(&place, "first");
    assert_eq!(first, report(&place, "first"));
    for dir in std::fs::read_dir(study.join("cells")).unwrap() {
        std::fs::remove_dir_all(dir.unwrap().path().join("model")).unwrap();
    }
    assert_eq!(first, report(&place, "second"));
    // and what has no model says what gives it one
    let (id, export) = ("clip-lung.lidc-a.f0.s2", |run: &Path| {
        let (run, out) = (text(run), place.name("model"));
        is_bad_input(&["export", &run, "--out", &out], "its model was not kept");
        fails(&["export", &run, "--out", &out]).1
    });
    let cell_dir = text(&cell(&study, id));
    let message = export(&cell(&study, id));
    let again = format!("`rm -r {cell_dir}`, then `clip-lung sweep run {} --cell {id}`", text(&study));
    assert!(message.contains(&again) && message.contains("--data"), "{message}");
    let message = export(&cell(&study, "clip-lung.lidc-b.f0.s2"));
    assert!(message.contains(&format!("name {cell_dir}, the cell that trained for both tasks")), "{message}");
    std::fs::rename(cell(&study, id), place.path("alone")).unwrap();
    let message = export(&place.path("alone"));
    assert!(message.contains("train again with the settings of its config.json"), "{message}");
    std::fs::rename(place.path("alone"), cell(&study, id)).unwrap();
    let summary = json(&ok(&["report", &text(&study), "--out", &place.name("third"), "--json"]));
    assert_eq!(summary, json(&String::from_utf8(first["summary.json"].clone()).unwrap()));
    assert_eq!((summary["planned"].as_u64(), summary["finished"].as_u64()), (Some(48), Some(48)));
    let lines = String::from_utf8(first["results.csv"].clone()).unwrap().lines().count();
    // a line a cell, one a fold of each of the four anchors of three tasks, and the header
    assert_eq!(lines, 48 + 4 * 2 * 3 + 1);
}

/// Groups of nodules: every row on each, and what is no table of groups is refused.
#[test]
fn groups_have_their_own_table() {
    let place = Place::new();
    let study = place.path("study");
    made_study::write(&study, &Plan::default());
    let mut table = "nodule_id,quality\n".to_owned();
    for fold in 0..2 {
        let csv =
            std::fs::read_to_string(cell(&study, &format!("ce.lidc-a.f{fold}.s2")).join("predictions.csv")).unwrap();
        for (i, line) in csv.lines().skip(1).enumerate() {
            table += &format!("{},{}\n", line.split(',').next().unwrap(), ["exact", "<estimated>"][i % 2]);
        }
    }
    std::fs::write(place.path("nodules.csv"), table).unwrap();
    let by = |column: &str| format!("{}:{column}", place.name("nodules.csv"));
    ok(&["report", &place.name("study"), "--out", &place.name("out"), "--by", &by("quality")]);
    let files = all_files(&place.path("out"));
    let summary = json(&String::from_utf8(files["summary.json"].clone()).unwrap());
    let groups = summary["tasks"][0]["subgroups"]["of"].as_array().unwrap();
    // three methods and four predictors without an image, two groups
    assert_eq!(
        (groups.len(), groups[0]["group"].as_str(), groups[0]["row"].as_str()),
        (14, Some("<estimated>"), Some("majority"))
    );
    let of_ce =
        |key: &str| groups.iter().filter(|g| g["row"] == "ce").map(|g| g[key].as_f64().unwrap()).collect::<Vec<_>>();
    assert_eq!(of_ce("nodules").iter().sum::<f64>(), summary["tasks"][0]["nodules"].as_f64().unwrap());
    let page = String::from_utf8(files["report.html"].clone()).unwrap();
    assert!(page.contains("by quality") && page.contains("&lt;estimated&gt;") && !page.contains("<estimated>"));
    let arguments = ["report", &place.name("study"), "--out", &place.name("no"), "--by"];
    is_bad_input(&[&arguments[..], &[&by("kernel")]].concat(), "no column `kernel`");
    let (code, message) = fails(&[&arguments[..], &["quality"]].concat());
    assert!(code == 2 && message.contains("--by quality"), "{message}");
    assert!(!place.path("no").exists());
}

/// Some folds of one method are missing: each row says what it rests on, and methods meet on the folds that both have.
#[test]
fn an_unfinished_study_is_reported_as_far_as_it_is() {
    let place = Place::new();
    let study = place.path("study");
    made_study::write(&study, &Plan { folds: 3, ..Plan::default() });
    let missing = [("udm.lidc-a.f1.s2", "metrics.json"), ("clip-lung.lidc-a.f0.s2", "config.json")];
    missing.iter().for_each(|(id, file)| std::fs::remove_file(cell(&study, id).join(file)).unwrap());
    std::fs::remove_dir_all(study.join("anchors")).unwrap();
    let files = report(&place, "out");
    let table = String::from_utf8(files["table.md"].clone()).unwrap();
    for words in ["| ce | 0-2 |", "| udm | 0, 2 |", "| clip-lung | 1, 2 |", "7 of 9 cells are finished", "anchors/"] {
        assert!(table.contains(words), "`{words}` is not in: {table}");
    }
    let summary = json(&String::from_utf8(files["summary.json"].clone()).unwrap());
    assert_eq!(summary["missing"], serde_json::json!(missing.map(|m| m.0)));
    // the sweep calls the same cells undone
    let status = json(&ok(&["sweep", "status", "--json", &text(&study)]));
    let undone = status["cells"].as_array().unwrap().iter().filter(|c| c["state"] != "done");
    assert_eq!(undone.map(|c| c["id"].as_str().unwrap()).collect::<Vec<_>>(), missing.map(|m| m.0));
    let family = &summary["tasks"][0]["against_ce"]["comparisons"];
    assert_eq!((&family[0]["shared_folds"], &family[1]["shared_folds"]), (&[0, 2].into(), &[1, 2].into()));
    assert_eq!(summary["tasks"][0]["ranks"][0]["folds"], serde_json::json!([2]));
    // and where nothing is finished there is nothing to report
    std::fs::remove_dir_all(study.join("cells")).unwrap();
    is_bad_input(&["report", &text(&study), "--out", &place.name("none")], "none of 9 cells is finished");
    assert_eq!(fails(&["report", &place.name("absent"), "--out", &place.name("none")]).0, 3);
}

/// The size of the whole table: eight methods, three tasks, five folds, 500 nodules a fold.
#[test]
fn a_hundred_and_twenty_cells_in_a_minute() {
    let place = Place::new();
    made_study::write(
        &place.path("study"),
        &Plan { methods: &Method::ALL, tasks: &TASKS, folds: 5, patients: 833, ..Plan::default() },
    );
    let start = Instant::now();
    report(&place, "out");
    let seconds = start.elapsed().as_secs_f64();
    println!("{seconds:.1} s");
    assert!(seconds < 60.0, "{seconds} s");
}

/// The README's table of the eight methods is what `report` makes of the kept predictions, and so are the tables kept beside them:
/// after cells were added, run this command and copy `table.md`.
#[test]
fn the_readme_has_the_figures_of_the_study() {
    let place = Place::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let study = "docs/results/lidc-context";
    let by = format!("{study}/hu_quality.csv:hu_quality");
    let mut command = program(&["report", study, "--out", &place.name("report"), "--by", &by]);
    assert!(command.current_dir(&root).output().unwrap().status.success());
    let table = std::fs::read_to_string(place.path("report/table.md")).unwrap();
    assert!(
        std::fs::read_to_string(root.join(study).with_extension("md")).unwrap() == table,
        "{study}.md is of other cells"
    );
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let between = |text: &str, start: &str, end: &str| -> String {
        text.split_once(start)
            .and_then(|(_, rest)| rest.split_once(end))
            .unwrap_or_else(|| panic!("no {start}"))
            .0
            .to_owned()
    };
    let variants = VARIANTS.iter().filter(|variant| variant.group != Group::Alone).count();
    for (start, end, task, next, count) in [
        ("**The eight methods**", "**Ablation", "## lidc-a", "\n## lidc-b", 4 + Method::ALL.len()),
        ("**Ablation and controls**", "**LIDC-C**", "## lidc-a", "\n## lidc-b", 1 + variants),
        ("**LIDC-C**", "**The model", "## lidc-c", "\n### lidc-c: against", 4 + 4),
    ] {
        let (section, own) = (between(&readme, start, end), between(&table, task, next));
        let rows: Vec<Vec<&str>> = section
            .lines()
            .filter(|line| line.starts_with("| ") && line.contains('±'))
            .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
            .collect();
        assert_eq!(rows.len(), count, "{start}");
        for row in rows {
            let [name, accuracy, auc, two] = row[..] else { panic!("{row:?}") };
            for figures in [format!("| {accuracy} |"), format!("| {auc} | {two} |")] {
                let line = format!("| {name} | 0-4 {figures}");
                assert!(own.lines().any(|found| found.starts_with(&line)), "report has no {line}");
            }
        }
    }
}
