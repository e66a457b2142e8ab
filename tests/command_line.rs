//! The command line as its users meet it: the verbs in a row, and wrong usage.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::path::Path;

use common::{Place, fails, is_bad_input, json, npy, ok, skipped, text};
use serde_json::Value;

/// train -> evaluate -> explain -> export -> predict, and what each writes.
#[test]
fn the_verbs_in_a_row() {
    let place = Place::new();
    let out = place.run("clip-lung", "lidc-a");
    for file in [
        "config.json",
        "log.jsonl",
        "state.safetensors",
        "predictions.csv",
        "metrics.json",
        "curves.svg",
        "model/README.md",
    ] {
        assert!(Path::new(&out).join(file).is_file(), "{file}");
    }
    let table = std::fs::read_to_string(place.path("run/predictions.csv")).unwrap();
    assert!(table.starts_with("nodule_id,patient_id,fold,true_class,p_benign,p_unsure,p_malignant\n"));
    let metrics = json(&std::fs::read_to_string(place.path("run/metrics.json")).unwrap());
    assert_eq!(metrics["text_encoder"], "random tower (seed 2, not pretrained)");
    assert_eq!(metrics["synthetic_images"], true);

    let scored = json(&ok(&["evaluate", &out, "--data", &place.name("data"), "--json"]));
    assert_eq!(scored["model"]["confusion"], metrics["model"]["confusion"]);
    assert_eq!(scored["size_only"]["accuracy"], metrics["size_only"]["accuracy"]);

    ok(&["export", &out, "--out", &place.name("half"), "--dtype", "f16"]);
    let size = |name: &str| std::fs::metadata(place.path(name).join("model.safetensors")).unwrap().len() as f64;
    assert!((size("half") / size("run/model") - 0.5).abs() < 0.01);

    // predictions of the data set equal the run's, and those of f16 weights are close
    let predicted = |model: &str| json(&ok(&["predict", "--model", &place.name(model), &place.name("data"), "--json"]));
    let (full, half) = (predicted("run/model"), predicted("half"));
    assert_eq!(full["model"]["text_encoder"], "random tower (seed 2, not pretrained)");
    let of =
        |all: &Value, id: &str| all["predictions"].as_array().unwrap().iter().find(|p| p["id"] == id).unwrap().clone();
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let malignant = of(&full, cells[0])["probabilities"]["malignant"].as_f64().unwrap();
        assert!((malignant - cells[6].parse::<f64>().unwrap()).abs() < 1e-5);
        assert!((malignant - of(&half, cells[0])["probabilities"]["malignant"].as_f64().unwrap()).abs() < 1e-2);
    }
    let first = &full["predictions"][0];
    assert!(
        first["class"].is_string()
            && first["logits"].as_array().unwrap().len() == 3
            && first["ms"].as_f64().unwrap() > 0.0
    );

    let heat = place.name("heat.png");
    let words = [
        "explain",
        "--model",
        &place.name("half"),
        &place.name("data"),
        "--index",
        "3",
        "--out",
        &heat,
        "--class",
        "malignant",
        "--json",
    ];
    let explained = json(&ok(&words));
    assert_eq!(explained["heat"].as_array().unwrap().len(), 1024);
    let sum: f64 = explained["attributes"].as_object().unwrap().values().map(|v| v.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-5);
    assert!(std::fs::read(&heat).unwrap().starts_with(b"\x89PNG"));

    npy(&place.path("two.npy"), &[2, 32, 32, 32], &vec![-500.0; 65536]);
    let two = json(&ok(&["predict", "--model", &place.name("half"), &place.name("two.npy"), "--json"]));
    assert_eq!(two["predictions"][1]["id"], "two[1]");
}

/// The two-class task has two outputs, and predictions.csv a zero for "unsure".
#[test]
fn two_classes() {
    let place = Place::new();
    let out = place.run("ce", "lidc-c");
    let table = std::fs::read_to_string(Path::new(&out).join("predictions.csv")).unwrap();
    assert!(table.lines().skip(1).all(|l| l.split(',').nth(5) == Some("0.0000000") && !l.contains("unsure")));
    is_bad_input(
        &["evaluate", &place.name("run/model"), "--data", &place.name("data"), "--task", "lidc-a"],
        "the task lidc-a needs",
    );
}

/// Ids with commas, quotes and line breaks come through a run's table as they went in.
#[test]
fn ids_survive_the_table_of_predictions() {
    let place = Place::new();
    let data = place.path("data");
    place.data();
    let awkward = |id: &str| format!("{id}, \"second\"\nline");
    let nodules = data.join("nodules.csv");
    let mut reader = csv::Reader::from_path(&nodules).unwrap();
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|h| h == name).unwrap();
    let (nodule, patient) = (column("nodule_id"), column("patient_id"));
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let mut writer = csv::Writer::from_path(&nodules).unwrap();
    writer.write_record(&header).unwrap();
    for record in &records {
        let cells = record.iter().enumerate();
        let cells = cells.map(|(i, c)| if i == nodule || i == patient { awkward(c) } else { c.to_owned() });
        writer.write_record(cells).unwrap();
    }
    writer.flush().unwrap();
    let (data, run) = (text(&data), place.name("run"));
    ok(&["train", "--data", &data, "--out", &run, "--method", "ce", "--epochs", "1"]);
    let mut found = csv::Reader::from_path(place.path("run/predictions.csv")).unwrap();
    let found: Vec<csv::StringRecord> = found.records().map(Result::unwrap).collect();
    assert!(!found.is_empty());
    for row in &found {
        let source = records.iter().find(|r| awkward(&r[nodule]) == row[0]).unwrap();
        assert_eq!((row.len(), &row[1], &row[3]), (7, awkward(&source[patient]).as_str(), &source[column("class")]));
        let sum: f64 = (4..7).map(|i| row[i].parse::<f64>().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-6);
    }
}

#[test]
fn usage_errors_exit_2() {
    let place = Place::new();
    let data = place.data();
    for words in [
        vec!["train", "--no-such-flag"],
        vec!["no-such-verb"],
        vec!["train", "--data", &data, "--out", "x", "--fold", "5"],
        vec!["train", "--data", &data, "--out", "x", "--method", "vit"],
        vec!["train", "--data", &data, "--out", "x", "--method", "ce", "--epochs", "0"],
        vec!["train", "--data", &data, "--out", "x", "--method", "ce", "--device", "tpu"],
        vec!["train", "--data", &data, "--out", "x", "--method", "ce", "--device", "cpu:7"],
        vec!["train", "--data", &data, "--out", "x", "--method", "ce", "--precision", "bf16"],
        vec!["sweep", "plan", "x", "--data", &data, "--methods", "ce,udm", "--precision", "bf16"],
        vec![
            "train",
            "--data",
            &data,
            "--out",
            "x",
            "--method",
            "clip",
            "--text-encoder",
            "random:minilm",
            "--precision",
            "bf16",
        ],
        vec!["train", "--data", &data, "--out", "x", "--method", "clip", "--precision", "f8"],
        vec!["doctor", "--warm", "--device", "cpu"],
        vec!["doctor", "--warm", "--json"],
        vec!["predict"],
        vec!["explain", "--model", "m", &data, "--out", "picture.svg"],
        vec!["explain", "--model", "m", &data, "--out", "picture"],
    ] {
        let (code, message) = fails(&words);
        assert_eq!(code, 2, "{words:?}: {message}");
    }
    assert!(!Path::new("x").exists() && !Path::new("picture.svg").exists() && !Path::new("picture").exists());
    for verb in ["demo", "phantom", "train", "evaluate", "predict", "explain", "export", "doctor"] {
        assert!(ok(&[verb, "--help"]).contains("Usage"), "{verb}");
    }
    assert!(json(&ok(&["doctor", "--json"]))["devices"]["cpu"]["ok"] == true);
}

/// Kernels are chosen by time on NVIDIA GPUs alone: a program without CUDA says how to get one.
#[test]
fn warming_needs_cuda() {
    let (code, message) = fails(&["doctor", "--warm", "--device", "cuda:99"]);
    assert_eq!(code, 5, "{message}");
    let part = if cfg!(feature = "cuda") { "CUDA device 99 can't be used" } else { "--features cuda" };
    assert!(message.contains(part), "{message}");
}

/// A text encoder in bf16: the losses are nearly those of f32, every output says so, and a run goes on as it began.
#[test]
fn text_encoders_in_bf16() {
    let place = Place::new();
    let data = place.data();
    let trained = |name: &str, more: &[&str]| {
        let out = place.name(name);
        let words = ["train", "--data", &data, "--out", &out, "--method", "cocoop", "--epochs", "1", "--json"];
        let metrics = json(&ok(&[&words[..], &["--text-encoder", "random:minilm"], more].concat()));
        let log = std::fs::read_to_string(place.path(name).join("log.jsonl")).unwrap();
        let first = json(log.lines().find(|line| line.contains("\"loss\"")).unwrap())["loss"].as_f64().unwrap();
        (metrics["text_encoder"].as_str().unwrap().to_owned(), first, out)
    };
    let (plain, coarse) = (trained("f32", &[]), trained("bf16", &["--precision", "bf16"]));
    assert!(!plain.0.contains("bf16") && coarse.0.ends_with(", in bf16"), "{} / {}", plain.0, coarse.0);
    assert!(plain.1 != coarse.1 && (plain.1 / coarse.1 - 1.0).abs() < 0.01, "{} / {}", plain.1, coarse.1);
    let read = |run: &str, file: &str| std::fs::read_to_string(Path::new(run).join(file)).unwrap();
    assert!(!read(&plain.2, "config.json").contains("precision"));
    assert!(read(&coarse.2, "config.json").contains("\"precision\": \"bf16\""));
    assert!(read(&coarse.2, "model/README.md").contains(", in bf16"));
    ok(&["train", "--out", &coarse.2, "--resume"]);
    let (code, message) = fails(&[
        "train",
        "--data",
        &data,
        "--out",
        &coarse.2,
        "--method",
        "cocoop",
        "--epochs",
        "1",
        "--text-encoder",
        "random:minilm",
    ]);
    assert!(code == 3 && message.contains("its precision is"), "{code}: {message}");
}

/// A number below zero is judged as the option's value, not taken for an option of its own.
#[test]
fn negative_numbers_are_refused_by_the_option_s_name() {
    for (words, option) in [
        (vec!["phantom", "--out", "x"], "--limit"),
        (vec!["inspect", "phantom"], "--limit"),
        (vec!["explain", "phantom", "--model", "m", "--out", "x.png"], "--index"),
        (vec!["prepare", "--dicom", ".", "--out", "x"], "--min-readers"),
        (vec!["prepare", "--dicom", ".", "--out", "x"], "--max-slice-thickness"),
        (vec!["prepare", "--dicom", ".", "--out", "x"], "--fov-mm"),
        (vec!["prepare", "--dicom", ".", "--out", "x"], "--jobs"),
        (vec!["serve"], "--port"),
    ] {
        let (code, message) = fails(&[&words[..], &[option, "-1"]].concat());
        assert!(code == 2 && message.contains(&format!("invalid value '-1' for '{option}")), "{code}: {message}");
    }
}

/// A run does as a model once it has one; before, every verb says what it is and how it goes on.
#[test]
fn a_run_stands_for_its_model_and_one_without_says_so() {
    let place = Place::new();
    let run = place.run("ce", "lidc-a");
    let (data, out) = (place.name("data"), place.name("half"));
    let of_run = json(&ok(&["predict", "--model", &run, &data, "--json"]));
    let of_model = json(&ok(&["predict", "--model", &place.name("run/model"), &data, "--json"]));
    assert_eq!(of_run["predictions"][0]["probabilities"], of_model["predictions"][0]["probabilities"]);
    ok(&["export", &place.name("run/model"), "--out", &out, "--dtype", "f16"]);

    // the run's own directory is no place for its model
    is_bad_input(&["export", &run, "--out", &run], "is a training run; give another place for --out");

    std::fs::remove_dir_all(place.path("run/model")).unwrap();
    let picture = place.name("picture.png");
    let all = [
        vec!["predict", "--model", &run, &data],
        vec!["evaluate", &run, "--data", &data],
        vec!["explain", "--model", &run, &data, "--out", &picture],
        vec!["export", &run, "--out", &picture],
    ];
    for words in &all {
        is_bad_input(words, &format!("{run}: the run is finished, but its model was not kept"));
    }
    std::fs::remove_file(place.path("run/predictions.csv")).unwrap();
    for words in &all {
        is_bad_input(words, &format!("{run} is a training run that has not finished"));
    }
}

/// Only verbs that train start the program anew with the allocator's setting.
#[test]
#[cfg(target_os = "linux")]
fn only_training_starts_the_program_again() {
    let place = Place::new();
    let out = place.name("out");
    for (words, again) in [
        (vec!["phantom", "--out", &out], false),
        (vec!["train", "--data", "phantom", "--out", &out, "--method", "ce", "--epochs", "1"], true),
    ] {
        let mut command = common::program(&words);
        command.env_remove("MIMALLOC_PURGE_DELAY").stdout(std::process::Stdio::null());
        let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
        let about = |file: &str| std::fs::read(format!("/proc/{}/{file}", child.id())).unwrap();
        // workers that draw the data come after
        while !String::from_utf8_lossy(&about("status"))
            .lines()
            .any(|l| l.starts_with("Threads:") && !l.ends_with("\t1"))
        {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let found = String::from_utf8_lossy(&about("environ")).contains("MIMALLOC_PURGE_DELAY=-1");
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found, again, "{words:?}");
    }
}

/// Real crops, where they are at hand: the compressed form loads and a model predicts them.
#[test]
fn real_crops_load() {
    let crops = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/lidc-crops");
    if !crops.is_dir() {
        skipped(&format!("{} is not there", crops.display()));
        return;
    }
    let place = Place::new();
    place.run("ce", "lidc-a");
    let (model, crops) = (place.name("run/model"), text(&crops));
    is_bad_input(&["evaluate", &model, "--data", &crops], "crops of 32 mm, but");
    let scored = json(&ok(&["evaluate", &model, "--data", &crops, "--json", "--allow-other-crop"]));
    assert_eq!(scored["model"]["nodules"], 754);
    assert_eq!(scored["model"]["majority"].as_f64().unwrap(), 484.0 / 754.0);
    assert_eq!(scored["includes_training_nodules"], false);
}
