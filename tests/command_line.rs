//! The command line as its users meet it: the verbs in a row, and bad input of every kind with its exit code.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::path::{Path, PathBuf};

use common::{ok, run, text};
use serde_json::Value;

/// Exit code and message of a failing call.
fn fails(arguments: &[&str]) -> (i32, String) {
    let out = run(arguments);
    let message = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!message.contains("panicked"), "{message}");
    (out.status.code().unwrap(), message)
}

fn is_bad_input(arguments: &[&str], part: &str) {
    let (code, message) = fails(arguments);
    assert_eq!(code, 3, "{arguments:?}: {message}");
    assert!(message.contains(part), "{arguments:?}: `{part}` is not in: {message}");
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        text(&self.path(name))
    }

    /// A small data set.
    fn data(&self) -> String {
        ok(&["phantom", "--limit", "40", "--out", &self.name("data")]);
        self.name("data")
    }

    /// A trained model on it.
    fn run(&self, method: &str, task: &str) -> String {
        let (data, out) = (self.data(), self.name("run"));
        ok(&[
            "train",
            "--data",
            &data,
            "--out",
            &out,
            "--method",
            method,
            "--task",
            task,
            "--epochs",
            "1",
            "--text-encoder",
            "random",
        ]);
        out
    }
}

fn npy(path: &Path, shape: &[u64], values: &[f32]) {
    use npyz::WriterBuilder;
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(shape).writer(&mut bytes).begin_nd().unwrap();
    writer.extend(values.iter().copied()).unwrap();
    writer.finish().unwrap();
    std::fs::write(path, bytes).unwrap();
}

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
        vec!["predict"],
    ] {
        let (code, message) = fails(&words);
        assert_eq!(code, 2, "{words:?}: {message}");
    }
    assert!(!Path::new("x").exists());
    for verb in ["demo", "phantom", "train", "evaluate", "predict", "explain", "export", "doctor"] {
        assert!(ok(&[verb, "--help"]).contains("Usage"), "{verb}");
    }
    assert!(json(&ok(&["doctor", "--json"]))["devices"]["cpu"]["ok"] == true);
}

/// A data set with one file changed.
fn spoiled(place: &Place, file: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let dir = place.path("spoiled");
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir(&dir).unwrap();
    for name in ["crops.safetensors", "nodules.csv", "dataset.json"] {
        std::fs::copy(place.path("data").join(name), dir.join(name)).unwrap();
    }
    std::fs::write(dir.join(file), change(std::fs::read(dir.join(file)).unwrap())).unwrap();
    text(&dir)
}

#[test]
fn bad_data_sets_exit_3_and_write_nothing() {
    let place = Place::new();
    place.data();
    let out = place.name("out");
    let bad = |data: &str, part: &str| {
        is_bad_input(&["train", "--data", data, "--out", &out, "--method", "ce", "--epochs", "1"], part);
        assert!(!Path::new(&out).exists(), "something was written");
    };
    bad(&place.name("nowhere"), "no such directory");
    std::fs::create_dir(place.path("empty")).unwrap();
    bad(&place.name("empty"), "crops.safetensors is missing");

    let edit = |from: &'static str, to: &'static str| {
        move |b: Vec<u8>| String::from_utf8(b).unwrap().replacen(from, to, 1).into_bytes()
    };
    bad(&spoiled(&place, "nodules.csv", edit("margin", "rand")), "column `margin` is missing");
    bad(&spoiled(&place, "nodules.csv", edit("4.75", "sharp")), "`sharp` in column");
    bad(&spoiled(&place, "nodules.csv", edit("4.75", "NaN")), "`NaN` in column");
    bad(&spoiled(&place, "nodules.csv", edit("malignant", "bad")), "benign, unsure or malignant");
    let shorter = |b: Vec<u8>| {
        let text = String::from_utf8(b).unwrap();
        text.lines().take(40).collect::<Vec<_>>().join("\n").into_bytes()
    };
    bad(&spoiled(&place, "nodules.csv", shorter), "39 rows but");
    bad(&spoiled(&place, "nodules.csv", |b| [b, b"1,2\n".to_vec()].concat()), "not a readable CSV table");
    bad(&spoiled(&place, "dataset.json", edit("\"schema\"", "\"shema\"")), "unknown field `shema`");
    bad(&spoiled(&place, "dataset.json", edit("-1000.0", "900.0")), "hu_window");
    bad(&spoiled(&place, "crops.safetensors", |b| b[..b.len() / 2].to_vec()), "not a valid safetensors file");
    bad(
        &spoiled(&place, "crops.safetensors", |mut b| {
            b[..8].fill(0xff);
            b
        }),
        "not a valid safetensors file",
    );
    bad(&spoiled(&place, "crops.safetensors", |_| Vec::new()), "not a valid safetensors file");
    bad(&spoiled(&place, "crops.safetensors", edit_bytes("\"U8\"", "\"I8\"")), "dtype I8");
    bad(&spoiled(&place, "crops.safetensors", edit_bytes("5.490196", "     NaN")), "hu_slope");
    bad(
        &spoiled(&place, "crops.safetensors", edit_bytes("[40,32,32,32]", "[40,16,64,32]")),
        "expected [40, 32, 32, 32]",
    );
}

/// Replaces text of the same length in a binary file.
fn edit_bytes(from: &'static str, to: &'static str) -> impl FnOnce(Vec<u8>) -> Vec<u8> {
    move |mut bytes| {
        assert_eq!(from.len(), to.len());
        let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        bytes
    }
}

#[test]
fn bad_models_and_crops_exit_3() {
    let place = Place::new();
    place.run("ce", "lidc-a");
    let crop = place.name("crop.npy");
    npy(&place.path("crop.npy"), &[32, 32, 32], &vec![-500.0; 32768]);
    let model = place.path("run/model");
    ok(&["predict", "--model", &text(&model), &crop]);

    let bad = |part: &str| is_bad_input(&["predict", "--model", &text(&model), &crop], part);
    let swap = |file: &str, change: &dyn Fn(Vec<u8>) -> Vec<u8>, part: &str| {
        let path = model.join(file);
        let before = std::fs::read(&path).unwrap();
        std::fs::write(&path, change(before.clone())).unwrap();
        bad(part);
        std::fs::write(&path, before).unwrap();
    };
    swap(
        "config.json",
        &|b| String::from_utf8(b).unwrap().replacen("\"schema\": 1", "\"schema\": 1, \"colour\": 2", 1).into_bytes(),
        "unknown field `colour`",
    );
    swap("config.json", &|b| b[..b.len() / 2].to_vec(), "config.json");
    swap(
        "config.json",
        &|b| String::from_utf8(b).unwrap().replacen("lidc-a", "lidc-c", 1).into_bytes(),
        "the task lidc-c needs",
    );
    swap(
        "model.safetensors",
        &|mut b| {
            let n = b.len();
            b[n - 3] ^= 1;
            b
        },
        "SHA-256",
    );
    swap("model.safetensors", &|b| b[..1000].to_vec(), "SHA-256");
    swap("golden.safetensors", &|_| vec![0xff; 64], "SHA-256");
    let aside = place.path("aside");
    std::fs::rename(model.join("model.safetensors"), &aside).unwrap();
    bad("model.safetensors");
    std::fs::rename(&aside, model.join("model.safetensors")).unwrap();

    let input = |shape: &[u64], value: f32, part: &str| {
        let mut values = vec![-500.0; shape.iter().product::<u64>() as usize];
        values[5] = value;
        npy(&place.path("bad.npy"), shape, &values);
        is_bad_input(&["predict", "--model", &text(&model), &place.name("bad.npy")], part);
    };
    input(&[32, 32, 32], f32::NAN, "NaN or infinity at element 5");
    input(&[32, 32, 32], f32::INFINITY, "NaN or infinity at element 5");
    input(&[32, 32, 31], 0.0, "expected [32, 32, 32]");
    input(&[2, 32, 32], 0.0, "expected [32, 32, 32]");
    let whole = std::fs::read(&crop).unwrap();
    std::fs::write(place.path("bad.npy"), &whole[..whole.len() - 9]).unwrap();
    is_bad_input(&["predict", "--model", &text(&model), &place.name("bad.npy")], "not a readable .npy file");
    std::fs::write(place.path("bad.npy"), b"hello").unwrap();
    is_bad_input(&["predict", "--model", &text(&model), &place.name("bad.npy")], "not a readable .npy file");
    is_bad_input(&["predict", "--model", &text(&model), &place.name("none.npy")], "can't be read");
    is_bad_input(&["predict", "--model", &text(&model), &place.name("none.xyz")], "no such file");
    is_bad_input(&["predict", "--model", &place.name("nowhere"), &crop], "no such directory");

    is_bad_input(
        &[
            "train",
            "--data",
            &place.name("data"),
            "--out",
            &place.name("new"),
            "--text-encoder",
            &place.name("none.safetensors"),
        ],
        "can't be read",
    );
    is_bad_input(
        &["train", "--data", &place.name("data"), "--out", &place.name("new"), "--text-encoder", &crop],
        "not a valid safetensors file",
    );
    is_bad_input(
        &["train", "--data", &place.name("data"), "--out", &place.name("new"), "--method", "ce", "--resume"],
        "no state to continue from",
    );
}

/// Real crops, where they are at hand: the compressed form loads and a model predicts them.
#[test]
fn real_crops_load() {
    let crops = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/lidc-crops");
    if !crops.is_dir() {
        println!("skipped: {} is not there", crops.display());
        return;
    }
    let place = Place::new();
    place.run("ce", "lidc-a");
    let scored = json(&ok(&["evaluate", &place.name("run/model"), "--data", &text(&crops), "--json"]));
    assert_eq!(scored["model"]["nodules"], 754);
    assert_eq!(scored["model"]["majority"].as_f64().unwrap(), 484.0 / 754.0);
    assert_eq!(scored["includes_training_nodules"], false);
}
