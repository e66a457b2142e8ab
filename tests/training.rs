//! What `train` does beside a fold: all nodules, weights to start from, validation, events for TensorBoard.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::{fails, is_bad_input, ok, run, text};
use serde_json::Value;

fn data(dir: &Path) -> PathBuf {
    let data = dir.join("data");
    ok(&["phantom", "--limit", "60", "--out", &text(&data)]);
    data
}

/// Trains two epochs of few steps; what it said.
fn train(data: &Path, out: &Path, more: &[&str]) -> String {
    let (data, out) = (text(data), text(out));
    let words = ["train", "--data", &data, "--out", &out, "--epochs", "2", "--batch-size", "16", "--device", "cpu"];
    let words: Vec<&str> = words.iter().chain(more).copied().collect();
    let done = run(&words);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap() + &String::from_utf8_lossy(&done.stderr)
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn log(run: &Path) -> Vec<Value> {
    let lines = std::fs::read_to_string(run.join("log.jsonl")).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn all_nodules_train_and_none_is_scored() {
    let dir = tempfile::tempdir().unwrap();
    let (data, out) = (data(dir.path()), dir.path().join("run"));
    let said = train(&data, &out, &["--method", "ce", "--fold", "all"]);
    assert!(said.contains("60 nodules train, 0 are held out") && said.contains("none is held out"), "{said}");
    assert!(!out.join("predictions.csv").exists());
    assert!(json(&out.join("metrics.json")).get("model").is_none());
    assert!(std::fs::read_to_string(out.join("model/README.md")).unwrap().contains("nothing left out"));
    ok(&["predict", "--model", &text(&out), &text(&data), "--device", "cpu", "--json"]);
    let (code, message) = fails(&["evaluate", &text(&out), "--data", &text(&data)]);
    assert!(code == 2 && message.contains("trained on all nodules"), "{message}");
    is_bad_input(&["compare", &text(&out), &text(&out)], "trained on all nodules");
    // its model on any data, disturbed too
    let model = text(&out.join("model"));
    let said = ok(&["evaluate", &model, "--data", &text(&data), "--robustness", "--json", "--device", "cpu"]);
    let found: Value = serde_json::from_str(&said).unwrap();
    let rows = found["robustness"].as_array().unwrap();
    assert_eq!((rows.len(), rows[0]["changed"].as_f64().unwrap()), (16, 0.0));
    let difference = rows[0]["accuracy"].as_f64().unwrap() - found["model"]["accuracy"]["value"].as_f64().unwrap();
    assert!(difference.abs() < 1e-12);
    for (fold, part) in [("5", "below 5"), ("-1", "a fold's number"), ("some", "`all`")] {
        let words = ["train", "--data", &text(&data), "--out", &text(&out), "--method", "ce", "--fold", fold];
        let (code, message) = fails(&words);
        assert!(code == 2 && message.contains(part), "{message}");
    }
}

/// Numbers are read a step later: what a step without a finite loss made is not saved, and the log ends before it.
#[test]
fn a_loss_that_is_not_finite_stops_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let (data, out) = (data(dir.path()), dir.path().join("run"));
    for (save_every, saved) in [("60", false), ("0", true)] {
        let (data, out) = (text(&data), text(&out));
        let words =
            ["train", "--data", &data, "--out", &out, "--method", "ce", "--batch-size", "16", "--device", "cpu"];
        let words: Vec<&str> = words.iter().copied().chain(["--lr", "1e30", "--save-every", save_every]).collect();
        let (code, message) = fails(&words);
        assert!(code == 3 && message.contains("step 2") && message.contains("lower --lr"), "{code}: {message}");
        assert_eq!(Path::new(&out).join("state.safetensors").exists(), saved);
    }
    let log = log(&out);
    assert_eq!(log.len(), 1);
    assert!(log[0]["loss"].as_f64().unwrap().is_finite());
}

#[test]
fn validation_is_logged_and_the_best_epoch_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (data, out) = (data(dir.path()), dir.path().join("run"));
    train(&data, &out, &["--method", "ce", "--validate", "inner", "--lr", "0.01", "--tensorboard"]);
    let log = log(&out);
    let validated: Vec<_> = log.iter().filter(|line| line.get("validation").is_some()).collect();
    assert_eq!(validated.len(), 2);
    assert_eq!(validated[1]["step"], log.last().unwrap()["step"]);
    assert!(validated.iter().all(|line| line["validation"]["loss"].as_f64().unwrap() > 0.0));
    let svg = std::fs::read_to_string(out.join("curves.svg")).unwrap();
    assert!(svg.contains("validation"));
    let events = out.join("events.out.tfevents.clip-lung");
    let count = |tag: &[u8]| {
        let events = std::fs::read(&events).unwrap();
        events.windows(tag.len()).filter(|part| part == &tag).count()
    };
    assert_eq!((count(b"training/loss"), count(b"validation/loss")), (log.len(), 2));
    // a run that is continued by its directory alone keeps them
    std::fs::remove_file(&events).unwrap();
    ok(&["train", "--resume", "--out", &text(&out), "--device", "cpu"]);
    assert_eq!((count(b"training/loss"), count(b"validation/loss")), (log.len(), 2));

    // another data set: its own losses, and the training patients stay whole
    let other = dir.path().join("other");
    ok(&["phantom", "--limit", "30", "--out", &text(&other)]);
    let own = dir.path().join("own");
    let said = train(&data, &own, &["--method", "ce", "--validate", &text(&other), "--choose-epoch", "best"]);
    assert!(said.contains("validation loss"), "{said}");
    let config = json(&own.join("config.json"));
    assert_eq!(config["validation"]["data"]["name"], "lidc-phantom");
    assert_eq!(config["choose"], "best");

    let words = ["train", "--data", &text(&data), "--out", &text(&own.join("x")), "--choose-epoch", "best"];
    let (code, message) = fails(&words);
    assert!(code == 2 && message.contains("validated"), "{message}");
}

#[test]
fn weights_to_start_from() {
    let dir = tempfile::tempdir().unwrap();
    let (data, first) = (data(dir.path()), dir.path().join("first"));
    train(&data, &first, &["--method", "ce", "--lr", "0.01"]);
    // so small a rate that nothing moves: what comes out is what went in
    let second = dir.path().join("second");
    let first_name = text(&first);
    train(&data, &second, &["--method", "ce", "--lr", "1e-12", "--init", &first_name]);
    let read = |run: &Path| std::fs::read_to_string(run.join("predictions.csv")).unwrap();
    let numbers = |text: String| -> Vec<f64> { text.split([',', '\n']).filter_map(|cell| cell.parse().ok()).collect() };
    let (before, after) = (numbers(read(&first)), numbers(read(&second)));
    assert!(before.len() > 30 && before.len() == after.len());
    assert!(json(&second.join("config.json"))["init"].as_str().unwrap().starts_with("first (sha256 "));
    // the running statistics go on, so predictions are close, not equal
    let furthest = before.iter().zip(&after).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(furthest < 0.1, "{furthest}");
    // another fold: patients who are scored trained the model
    let (third, data_name) = (dir.path().join("leaks"), text(&data));
    let other =
        ["train", "--data", &data_name, "--method", "ce", "--fold", "1", "--init", &first_name, "--out", &text(&third)];
    is_bad_input(&other, "who are scored trained it");
    let allowed = train(&data, &third, &["--method", "ce", "--fold", "1", "--init", &first_name, "--allow-leaks"]);
    assert!(allowed.contains("warning: first (sha256 ") && allowed.contains("who are scored trained it"), "{allowed}");
    let card = std::fs::read_to_string(third.join("model/README.md")).unwrap();
    assert!(card.contains("The score may be too good: first") && !card.contains("other patients: accuracy"), "{card}");
    assert!(json(&third.join("metrics.json"))["leak"].as_str().unwrap().contains("trained it"));
    // what that one trained on is all but what it scored, and it scored what the first trained on
    let chain = dir.path().join("chain");
    let second = text(&third);
    is_bad_input(
        &["train", "--data", &data_name, "--method", "ce", "--fold", "2", "--init", &second, "--out", &text(&chain)],
        "who are scored trained it",
    );
    // weights that are not those that were written
    let touched = dir.path().join("touched");
    std::fs::create_dir(&touched).unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(first.join("model").join(file), touched.join(file)).unwrap();
    }
    let weights = touched.join("model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    is_bad_input(&["train", "--data", &data_name, "--out", &text(&chain), "--init", &text(&touched)], "SHA-256");
    // another head: its own tensors start at random, and that is said
    let third = dir.path().join("third");
    let said = train(&data, &third, &["--method", "udm", "--init", &text(&first.join("model"))]);
    assert!(said.contains("at random") && said.contains("fc.weight"), "{said}");
    let broken = dir.path().join("broken");
    std::fs::create_dir(&broken).unwrap();
    is_bad_input(
        &["train", "--data", &text(&data), "--out", &text(&third), "--init", &text(&broken)],
        "model.safetensors",
    );
}

/// Several models as one directory: the average of their probabilities, on the command line everywhere a model is taken.
#[test]
fn an_ensemble_averages() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(dir.path());
    let runs: Vec<PathBuf> = ["0", "1"]
        .into_iter()
        .map(|fold| {
            let out = dir.path().join(format!("fold{fold}"));
            train(&data, &out, &["--method", "nsb", "--lr", "0.01", "--fold", fold]);
            out
        })
        .collect();
    let both = text(&dir.path().join("both"));
    let said = ok(&["export", &text(&runs[0]), &text(&runs[1]), "--out", &both, "--dtype", "f32"]);
    assert!(said.contains("ensemble of 2"), "{said}");
    let (code, message) = fails(&["export", &text(&runs[0]), &text(&runs[0]), "--out", &both]);
    assert!(code == 2 && message.contains("named twice"), "{message}");
    let probabilities = |model: &str| -> Vec<f64> {
        let said = ok(&["predict", "--model", model, &text(&data), "--device", "cpu", "--json"]);
        let found: Value = serde_json::from_str(&said).unwrap();
        let of = |p: &Value| ["benign", "unsure", "malignant"].map(|c| p["probabilities"][c].as_f64().unwrap());
        found["predictions"].as_array().unwrap().iter().flat_map(of).collect()
    };
    let [a, b, mean] = [&text(&runs[0]), &text(&runs[1]), &both].map(|model| probabilities(model));
    assert_eq!(mean.len(), 180);
    for ((a, b), mean) in a.iter().zip(&b).zip(&mean) {
        assert!(((a + b) / 2.0 - mean).abs() < 1e-6, "{a} and {b} give {mean}");
    }
    assert!(a.iter().zip(&b).any(|(a, b)| (a - b).abs() > 1e-3));
    ok(&["evaluate", &both, "--data", &text(&data), "--device", "cpu", "--json"]);
    let picture = text(&dir.path().join("heat.png"));
    ok(&["explain", "--model", &both, &text(&data), "--index", "0", "--out", &picture, "--device", "cpu"]);
    // members that answer other questions
    let other = dir.path().join("other");
    train(&data, &other, &["--method", "ce", "--task", "lidc-c"]);
    is_bad_input(&["export", &text(&runs[0]), &text(&other), "--out", &text(&dir.path().join("mixed"))], "member1");
    assert!(!dir.path().join("mixed").exists());
    std::fs::remove_dir_all(Path::new(&both).join("member1")).unwrap();
    is_bad_input(&["predict", "--model", &both, &text(&data)], "member1");
}

/// What held-out predictions and the training data teach an exported model.
#[test]
fn a_model_is_calibrated_and_guarded() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(dir.path());
    let folds: Vec<String> = ["0", "1"]
        .into_iter()
        .map(|fold| {
            let out = dir.path().join(format!("fold{fold}"));
            train(&data, &out, &["--method", "ce", "--lr", "0.01", "--fold", fold]);
            text(&out)
        })
        .collect();
    let all = dir.path().join("all");
    train(&data, &all, &["--method", "ce", "--lr", "0.01", "--fold", "all"]);
    let model = text(&dir.path().join("model"));
    let (data, run) = (text(&data), text(&all));
    let said = ok(&["export", &run, "--out", &model, "--calibrate", &folds[0], &folds[1], "--guard", &data]);
    assert!(said.contains("temperature ") && said.contains("% of held-out nodules"), "{said}");
    let config = json(&Path::new(&model).join("config.json"));
    assert_eq!(config["answer_set"]["coverage"], 0.9);
    assert_eq!(config["guard"]["nodules"], 60);

    let said = ok(&["predict", "--model", &model, &data, "--device", "cpu", "--json"]);
    let found: Value = serde_json::from_str(&said).unwrap();
    let predictions = found["predictions"].as_array().unwrap();
    let flagged = predictions.iter().filter(|p| p["in_distribution"] == false).count();
    assert!(flagged <= 6, "{flagged} of 60 nodules are taken for none");
    for p in predictions {
        let set: Vec<&str> = p["set"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
        assert!(set.contains(&p["class"].as_str().unwrap()));
    }
    // air all over
    let air = dir.path().join("air.npy");
    let mut bytes = Vec::new();
    {
        use npyz::WriterBuilder;
        let options = npyz::WriteOptions::new().default_dtype().shape(&[32, 32, 32]);
        let mut writer = options.writer(&mut bytes).begin_nd().unwrap();
        writer.extend(std::iter::repeat_n(-1000f32, 32 * 32 * 32)).unwrap();
        writer.finish().unwrap();
    }
    std::fs::write(&air, bytes).unwrap();
    let said = ok(&["predict", "--model", &model, &text(&air), "--device", "cpu", "--json"]);
    let found: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(found["predictions"][0]["in_distribution"], false);
    assert!(found["predictions"][0]["reason"].as_str().unwrap().contains("air"));
    let said = ok(&["predict", "--model", &model, &text(&air), "--device", "cpu"]);
    assert!(said.contains("looks like air"), "{said}");
    let table = ok(&["predict", "--model", &model, &text(&air), "--device", "cpu", "--csv"]);
    let row: Vec<BTreeMap<String, String>> =
        csv::Reader::from_reader(table.as_bytes()).deserialize().map(Result::unwrap).collect();
    assert_eq!(row[0]["in_distribution"], "false");
    assert_eq!(row[0]["reason"], found["predictions"][0]["reason"].as_str().unwrap());
    let set: Vec<&str> =
        found["predictions"][0]["set"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
    assert_eq!(row[0]["set"], set.join(" "));
    assert_eq!(row[0]["model"], found["model"]["about"].as_str().unwrap());
    assert_eq!(row[0]["model_sha256"], found["model"]["weights_sha256"][0].as_str().unwrap());
    assert_eq!((&found["model"]["path"], row[0]["model_sha256"].len()), (&model.as_str().into(), 64));
    let picture = text(&dir.path().join("heat.png"));
    let explain = ["explain", "--model", &model, &text(&air), "--out", &picture, "--device", "cpu"];
    assert!(ok(&explain).contains("looks like air"));
    let explained: Value = serde_json::from_str(&ok(&[&explain[..], &["--json"]].concat())).unwrap();
    for key in ["set", "in_distribution", "reason"] {
        assert_eq!(explained[key], found["predictions"][0][key], "{key}");
    }
    // folds twice
    is_bad_input(&["export", &run, "--out", &model, "--calibrate", &folds[0], &folds[0]], "give each fold once");
    is_bad_input(&["export", &run, "--out", &model, "--calibrate", &folds[0]], "of 1 fold(s) are too few to calibrate");
}

/// The card of a model that trained on all nodules says what its recipe's folds say.
#[test]
fn a_card_rests_on_the_folds_of_a_study() {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| text(&dir.path().join(name));
    let data = text(&data(dir.path()));
    let recipe = ["--lr", "0.01", "--ema", "0.9", "--ema-bn", "recompute", "--epochs", "1"];
    let plan = ["sweep", "plan", &place("study"), "--data", &data, "--methods", "ce,udm", "--fold-count", "2"];
    ok(&[&plan[..], &recipe].concat());
    ok(&["sweep", "run", &place("study"), "--device", "cpu"]);
    let train =
        ["train", "--data", &data, "--out", &place("all"), "--method", "ce", "--fold", "all", "--device", "cpu"];
    ok(&[&train[..], &recipe].concat());
    let robustness = ["0", "1"].map(|fold| {
        let run = place(&format!("study/cells/ce.lidc-a.f{fold}.s2"));
        let document = ok(&["evaluate", &run, "--data", &data, "--robustness", "--json", "--device", "cpu"]);
        let file = place(&format!("robustness{fold}.json"));
        std::fs::write(&file, document).unwrap();
        file
    });
    std::fs::write(place("notes.md"), "## What it can't do\n\nMuch.\n").unwrap();
    let export = ["export", &place("all"), "--out", &place("model"), "--dtype", "f16", "--study", &place("study")];
    // the same table as if it were of other data
    let other = place("other.json");
    let mut document = json(robustness[0].as_ref());
    let nodules = document["model"]["nodules"].as_u64().unwrap();
    document["data"] = "drawn".into();
    std::fs::write(&other, document.to_string()).unwrap();
    let more =
        ["--guard", &data, "--notes", &place("notes.md"), "--robustness", &robustness[0], &robustness[1], &other];
    ok(&[&export[..], &more].concat());
    let trained_otherwise =
        ["train", "--epochs", "2", "--lr", "0.02", "--data", &data, "--method", "ce", "--fold", "all"];
    ok(&[&trained_otherwise[..], &["--out", &place("otherwise"), "--device", "cpu", "--ema", "0.9"]].concat());
    let (code, message) = fails(&["export", &place("otherwise"), "--out", &place("none"), "--study", &place("study")]);
    assert!(code == 3 && message.contains("trained otherwise"), "{message}");

    let card = std::fs::read_to_string(dir.path().join("model/README.md")).unwrap();
    let headings: Vec<&str> = card.lines().filter(|l| l.starts_with("## ")).collect();
    let expected = [
        "## Held-out results of the recipe",
        "## Calibration",
        "## Crops that are no lung nodule",
        "## Robustness",
        "## What it can't do",
    ];
    assert_eq!(headings, expected, "{card}");
    assert!(["size alone", "ratings + size", "as it is"].iter().all(|words| card.contains(words)), "{card}");
    assert!(card.contains("The models of 2 fold(s) on their held-out nodules of lidc-phantom, 60 in all:"), "{card}");
    assert!(card.contains(&format!("This model on drawn, {nodules} nodule(s):")), "{card}");
    // the pooled accuracy is that of the folds' predictions
    let right: Vec<bool> = (0..2)
        .flat_map(|fold| {
            let csv =
                std::fs::read_to_string(place(&format!("study/cells/ce.lidc-a.f{fold}.s2/predictions.csv"))).unwrap();
            let is_right = |line: &str| {
                let fields: Vec<&str> = line.split(',').collect();
                let p: Vec<f64> = fields[4..7].iter().map(|v| v.parse().unwrap()).collect();
                let most = (0..3).max_by(|a, b| p[*a].total_cmp(&p[*b])).unwrap();
                fields[3] == ["benign", "unsure", "malignant"][most]
            };
            csv.lines().skip(1).map(is_right).collect::<Vec<bool>>()
        })
        .collect();
    let accuracy = right.iter().filter(|r| **r).count() as f64 / right.len() as f64;
    let metrics = &json(&dir.path().join("model/config.json"))["metadata"]["metrics"];
    assert!((metrics["accuracy"]["value"].as_f64().unwrap() - accuracy).abs() < 1e-9, "{metrics}");
    assert_eq!((metrics["held_out"].as_u64(), right.len()), (Some(60), 60));
    assert!(card.contains(&format!("| **this recipe** | {:.1} (", 100.0 * accuracy)), "{card}");
    // the same again, under another name, or what says nothing
    let refused = |part: &str| {
        is_bad_input(&["export", &place("all"), "--out", &place("no"), "--robustness", &robustness[0], &other], part);
    };
    std::fs::copy(&robustness[0], &other).unwrap();
    refused("give each fold once");
    for (key, value, part) in [
        ("/robustness/1/accuracy", 1.5.into(), "has a score that is not from 0 to 1"),
        ("/robustness", Value::Null, "there is no table in it"),
    ] {
        let mut document = json(robustness[0].as_ref());
        *document.pointer_mut(key).unwrap() = value;
        std::fs::write(&other, document.to_string()).unwrap();
        refused(part);
    }
    std::fs::write(place("binary.md"), [0xff, 0xfe, 0]).unwrap();
    is_bad_input(&["export", &place("all"), "--out", &place("no"), "--notes", &place("binary.md")], "no text in UTF-8");
    // written once, however often it is exported, and beside what was there
    ok(&["export", &place("model"), "--out", &place("again"), "--notes", &place("notes.md")]);
    let again = std::fs::read_to_string(dir.path().join("again/README.md")).unwrap();
    assert!(again.matches("## What it can't do").count() == 1 && again.contains("## Robustness"), "{again}");
    let other = ["train", "--data", &data, "--out", &place("other"), "--method", "ce", "--fold", "all", "--diameter"];
    ok(&[&other[..], &recipe, &["--device", "cpu"]].concat());
    is_bad_input(&["export", &place("other"), "--out", &place("no"), "--study", &place("study")], "pool and diameter");
}
