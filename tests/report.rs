//! The report of a study: known numbers, and that it rests on kept predictions alone.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
mod made_study;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use clip_lung_core::base::tensors::{Array, Precision, write};
use clip_lung_core::methods::Method;
use clip_lung_core::study::cells::{Cell, Study};
use clip_lung_core::study::pooled::Predictions;
use clip_lung_core::train::config::{DataId, TrainConfig};
use common::{Place, fails, is_bad_input, json, ok, text};
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
    let summary = json(&ok(&["report", &text(&study), "--out", &place.name("third"), "--json"]));
    assert_eq!(summary, json(&String::from_utf8(first["summary.json"].clone()).unwrap()));
    assert_eq!((summary["planned"].as_u64(), summary["finished"].as_u64()), (Some(48), Some(48)));
    let lines = String::from_utf8(first["results.csv"].clone()).unwrap().lines().count();
    // a line a cell, one a fold of each of the four anchors of three tasks, and the header
    assert_eq!(lines, 48 + 4 * 2 * 3 + 1);
}

/// udm's answer is the median of its distribution, where the run does not say how it decided.
#[test]
fn a_method_decides_its_own_way() {
    let place = Place::new();
    made_study::write(&place.path("study"), &Plan::default());
    let of = |out: &str| {
        let summary = json(&String::from_utf8(report(&place, out)["summary.json"].clone()).unwrap());
        let cells = summary["cells"].as_array().unwrap().clone();
        cells.iter().find(|c| c["cell"] == "udm.lidc-a.f0.s2").unwrap()["measures"]["accuracy"].clone()
    };
    let median = of("first");
    let metrics = cell(&place.path("study"), "udm.lidc-a.f0.s2").join("metrics.json");
    let mut known = json(&std::fs::read_to_string(&metrics).unwrap());
    known["decision"] = "median".into();
    std::fs::write(&metrics, known.to_string()).unwrap();
    assert_eq!(of("second"), median);
    known["decision"] = "argmax".into();
    std::fs::write(&metrics, known.to_string()).unwrap();
    assert_ne!(of("third"), median);
}

#[test]
fn what_was_touched_is_refused_by_name() {
    let place = Place::new();
    let study = place.path("study");
    made_study::write(&study, &Plan::default());
    let arguments = ["report", &place.name("study"), "--out", &place.name("out")];
    let file = |id: &str, name: &str| cell(&study, id).join(name);
    let refused = |path: &Path, from: &str, to: &str, words: &[&str]| {
        let before = std::fs::read_to_string(path).unwrap();
        let after = before.replacen(from, to, 1);
        assert_ne!(before, after, "{from}");
        std::fs::write(path, after).unwrap();
        words.iter().for_each(|word| is_bad_input(&arguments, word));
        std::fs::write(path, before).unwrap();
        assert!(!place.path("out").exists());
    };
    let csv = file("udm.lidc-a.f1.s2", "predictions.csv");
    refused(&csv, "benign", "unsure", &["udm.lidc-a.f1.s2/predictions.csv", "SHA-256"]);
    let config = file("ce.lidc-a.f0.s2", "config.json");
    refused(&config, "\"epochs\":100", "\"epochs\":7", &["ce.lidc-a.f0.s2 is stale", "`epochs` is 7, planned is 100"]);
    refused(&config, "5e5e", "5f5e", &["ce.lidc-a.f0.s2 is stale", "SHA-256"]);
    let metrics = file("clip-lung.lidc-a.f0.s2", "metrics.json");
    refused(&metrics, "\"fold\":0", "\"fold\":1", &["clip-lung.lidc-a.f0.s2 is stale", "metrics.json"]);
    refused(&metrics, "5e5e", "5f5e", &["clip-lung.lidc-a.f0.s2 is stale", "SHA-256"]);
    let program = "{\"program\":{\"version\":\"0.0.9\",\"git_commit\":\"abc\",\"arithmetic\":0},";
    refused(&metrics, "{", program, &["clip-lung.lidc-a.f0.s2 is stale", "clip-lung 0.0.9 (abc)", "number 0"]);
    refused(&study.join("study.json"), "\"schema\": 1", "\"schema\": 9", &["schema 9"]);
    report(&place, "out");
}

/// The audit of the data, where the study keeps it, is in the report; a leak is said first.
#[test]
fn the_audit_is_in_the_report() {
    let place = Place::new();
    made_study::write(&place.path("study"), &Plan::default());
    let audit = ok(&["inspect", &place.data(), "--audit", "--folds", "2", "--json"]);
    std::fs::write(place.path("study/audit.json"), &audit).unwrap();
    let text = |files: &BTreeMap<String, Vec<u8>>, name: &str| String::from_utf8(files[name].clone()).unwrap();
    let files = report(&place, "out");
    assert!(text(&files, "table.md").contains("| mean, inclusive, 1 or more readers | "));
    assert!(text(&files, "report.html").contains("How far readers agree"));
    assert_eq!(json(&text(&files, "summary.json"))["audit"], json(&audit));
    let leaking = audit.replacen("\"patients\":[]", "\"patients\":[\"P007\"]", 1);
    std::fs::write(place.path("study/audit.json"), leaking).unwrap();
    let first = json(&text(&report(&place, "out"), "summary.json"))["notes"][0].clone();
    assert!(first.as_str().unwrap().contains("1 patients are on both sides (P007"), "{first}");
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
    for id in ["udm.lidc-a.f1.s2", "clip-lung.lidc-a.f0.s2"] {
        std::fs::remove_file(cell(&study, id).join("metrics.json")).unwrap();
    }
    std::fs::remove_dir_all(study.join("anchors")).unwrap();
    let files = report(&place, "out");
    let table = String::from_utf8(files["table.md"].clone()).unwrap();
    for words in ["| ce | 0-2 |", "| udm | 0, 2 |", "| clip-lung | 1, 2 |", "7 of 9 cells are finished", "anchors/"] {
        assert!(table.contains(words), "`{words}` is not in: {table}");
    }
    let summary = json(&String::from_utf8(files["summary.json"].clone()).unwrap());
    assert_eq!(summary["missing"], serde_json::json!(["udm.lidc-a.f1.s2", "clip-lung.lidc-a.f0.s2"]));
    let family = &summary["tasks"][0]["against_ce"]["comparisons"];
    assert_eq!((&family[0]["shared_folds"], &family[1]["shared_folds"]), (&[0, 2].into(), &[1, 2].into()));
    assert_eq!(summary["tasks"][0]["ranks"][0]["folds"], serde_json::json!([2]));
    // and where nothing is finished there is nothing to report
    std::fs::remove_dir_all(study.join("cells")).unwrap();
    is_bad_input(&["report", &text(&study), "--out", &place.name("none")], "none of 9 cells is finished");
    assert_eq!(fails(&["report", &place.name("absent"), "--out", &place.name("none")]).0, 3);
}

/// One file that asks for nothing, with foreign text as text.
#[test]
fn the_page_is_whole() {
    let place = Place::new();
    let study = place.path("study");
    made_study::write(&study, &Plan { methods: &Method::ALL, variants: &["ic"], tasks: &TASKS, ..Plan::default() });
    let plan = study.join("study.json");
    let text = std::fs::read_to_string(&plan).unwrap();
    std::fs::write(&plan, text.replacen("\"made up\"", "\"<img src=x>\"", 1)).unwrap();
    let files = report(&place, "out");
    let page = String::from_utf8(files["report.html"].clone()).unwrap();
    assert!(page.len() < 5 << 20, "{}", page.len());
    assert!(page.contains("not a medical device") && page.contains("&lt;img src=x&gt;") && !page.contains("<img"));
    for attribute in ["src=", "href=", "url(", "@import", "<script"] {
        for (at, _) in page.match_indices(attribute) {
            let value = &page[at + attribute.len()..(at + 24).min(page.len())];
            let inside = ["\"#", "\"data:", "x&gt;"].iter().any(|start| value.starts_with(start));
            assert!(inside, "{attribute}{value}");
        }
    }
    for name in [
        "forest.lidc-a.ce",
        "forest.lidc-a.size-only",
        "forest.lidc-b.clip-lung",
        "roc.lidc-c",
        "recall.lidc-b",
        "reliability.lidc-a",
        "confusion.lidc-a",
        "ranks.lidc-c",
        "learning.lidc-a",
    ] {
        let svg = String::from_utf8(files[&format!("figures/{name}.svg")].clone()).unwrap();
        assert!(svg.starts_with("<svg xmlns=") && !svg.contains("NaN"), "{name}");
    }
    assert!(
        page.contains("t-SNE: no cell kept")
            && page.contains("Grad-CAM of the worst errors: the cells of choice kept no")
    );
    // lidc-b has no models of its own
    let summary = json(&String::from_utf8(files["summary.json"].clone()).unwrap());
    for (i, trained) in ["lidc-a", "lidc-a", "lidc-c"].into_iter().enumerate() {
        let models: Vec<String> = serde_json::from_value(summary["tasks"][i]["choice"]["models"].clone()).unwrap();
        assert!(models.len() == 2 && models.iter().all(|m| m.contains(&format!(".{trained}."))), "{models:?}");
        let runs: Vec<String> = models.iter().map(|m| place.name(&format!("study/cells/{m}"))).collect();
        let commands = format!("clip-lung export {} --out best\nclip-lung predict --model best SCAN", runs.join(" "));
        assert!(page.contains(&commands), "{commands}");
    }
}

/// Test features and maps of errors are drawn where a cell kept them.
#[test]
fn what_cells_kept_is_drawn() {
    let place = Place::new();
    let study = place.path("study");
    made_study::write(&study, &Plan::default());
    let id = "clip-lung.lidc-a.f0.s2";
    let predictions = std::fs::read(cell(&study, id).join("predictions.csv")).unwrap();
    let predictions = Predictions::read("kept", &predictions, Default::default()).unwrap();
    let n = predictions.nodules.len();
    let keep = |name: &str, tensor: &str, shape: &[usize], metadata: &[(String, String)]| {
        let values = (0..shape.iter().product()).map(|i| (i * i % 97) as f32 / 97.0).collect();
        let arrays = [(tensor.to_owned(), Array { shape: shape.into(), values })].into();
        std::fs::write(cell(&study, id).join(name), write(&arrays, Precision::F32, metadata).unwrap()).unwrap();
    };
    keep("features.safetensors", "features", &[n, 512], &[]);
    let ids: Vec<&str> = predictions.nodules.iter().map(|n| n.nodule_id.as_str()).collect();
    let metadata = [("nodules".to_owned(), serde_json::to_string(&ids).unwrap())];
    keep("maps.safetensors", "maps", &[n, 32, 32], &metadata);
    let pointing = cell(&study, id).join("pointing.csv");
    let kept =
        |energy: &str| std::fs::write(&pointing, format!("nodule_id,energy,area\n{},{energy},0.25\n", ids[0])).unwrap();
    kept("0.75");
    let files = report(&place, "out");
    let picture = String::from_utf8(files["figures/tsne.lidc-a.f0.svg"].clone()).unwrap();
    let benign = predictions.nodules.iter().filter(|n| n.class.name() == "benign").count();
    // and one in the legend
    assert_eq!(picture.matches("<circle").count(), benign + 1);
    let heat = String::from_utf8(files[&format!("figures/gradcam.{id}.svg")].clone()).unwrap();
    let answers = predictions.scored().answers();
    let wrong = predictions.nodules.iter().zip(answers).filter(|(n, a)| n.class as usize != *a).count();
    assert_eq!(heat.matches("<image").count(), wrong.min(8));
    assert!(!String::from_utf8(files["report.html"].clone()).unwrap().contains("t-SNE: no cell kept"));
    let pointing = String::from_utf8(files["figures/pointing.lidc-a.svg"].clone()).unwrap();
    assert!(pointing.contains("75.0 % of 1") && pointing.contains(">clip-lung<"), "{pointing}");
    assert_eq!(files, report(&place, "out"));

    let arguments = ["report", &place.name("study"), "--out", &place.name("out")];
    kept("1.5");
    is_bad_input(&arguments, "pointing.csv: not a readable CSV table: row 1");
    kept("x");
    is_bad_input(&arguments, "pointing.csv");
    kept("0.75");
    keep("features.safetensors", "features", &[n - 1, 512], &[]);
    is_bad_input(&arguments, "tensor `features` has shape");
    keep("features.safetensors", "features", &[n, 512], &[]);
    keep("maps.safetensors", "maps", &[n, 32, 32], &[]);
    is_bad_input(&arguments, "maps.safetensors");
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

/// The README's table of the eight methods is what `report` makes of the kept predictions.
#[test]
fn the_readme_has_the_figures_of_the_study() {
    let place = Place::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    ok(&["report", &text(&root.join("docs/results/lidc-context")), "--out", &place.name("report")]);
    let table = std::fs::read_to_string(place.path("report/table.md")).unwrap();
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let section = readme.split_once("**The eight methods**").unwrap().1.split_once("**The model").unwrap().0;
    let rows: Vec<Vec<&str>> = section
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('±'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), 4 + Method::ALL.len());
    for row in rows {
        let [name, accuracy, auc, two] = row[..] else { panic!("{row:?}") };
        for figures in [format!("| {accuracy} |"), format!("| {auc} | {two} |")] {
            let line = format!("| {name} | 0-4 {figures}");
            assert!(table.lines().any(|found| found.starts_with(&line)), "report has no {line}");
        }
    }
}
