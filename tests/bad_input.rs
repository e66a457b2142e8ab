//! Bad data sets, models and crops: each with its message and exit code 3, and nothing written.

#![allow(clippy::unwrap_used, clippy::panic)]

mod archive;
mod common;

use std::path::Path;

use archive::Scan;
use common::{Place, files, is_bad_input, npy, ok, text};

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
        &|b| String::from_utf8(b).unwrap().replacen("\"schema\": 2", "\"schema\": 2, \"colour\": 2", 1).into_bytes(),
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

/// A finished data set knows its archive: copied or laid out otherwise it is the same; grown, shrunk or changed it is another.
#[test]
fn a_finished_data_set_knows_its_archive() {
    let place = Place::new();
    let (dicom, out) = (place.path("dicom"), place.name("out"));
    (0..2).for_each(|i| Scan::new(i, 0.9, 2.5).write(&dicom.join(i.to_string())));
    let from = |dicom: &str| ["prepare", "--annotations", "xml", "--out", &out, "--dicom", dicom].map(str::to_owned);
    let again = |dicom: &str| ok(&from(dicom).each_ref().map(String::as_str));
    again(&text(&dicom));
    let before = files(Path::new(&out));
    assert!(again(&text(&dicom)).contains("complete already"));
    let copy = place.path("copy");
    std::fs::create_dir(&copy).unwrap();
    for folder in ["0", "1"] {
        for (name, bytes) in files(&dicom.join(folder)) {
            std::fs::write(copy.join(format!("{folder}-{name}")), bytes).unwrap();
        }
    }
    assert!(again(&text(&copy)).contains("complete already"));

    let refused = |part: &str| is_bad_input(&from(&text(&dicom)).each_ref().map(String::as_str), part);
    Scan::new(2, 0.9, 2.5).write(&dicom.join("2"));
    refused("series: 1 new (");
    std::fs::remove_dir_all(dicom.join("2")).unwrap();
    let (slice, _) = files(&dicom.join("1")).into_iter().find(|f| f.0.ends_with(".dcm")).unwrap();
    std::fs::remove_file(dicom.join("1").join(slice)).unwrap();
    refused("series: 1 changed (");
    std::fs::remove_dir_all(dicom.join("1")).unwrap();
    refused("series: 1 gone (");
    assert_eq!(files(Path::new(&out)), before, "the data set is as it was");
    std::fs::remove_file(Path::new(&out).join("archive.json")).unwrap();
    refused("does not say which archive");
}
