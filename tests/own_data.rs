//! Data of one's own: lists with DICOM series, NIfTI volumes and blocks; arrays of a challenge; many scans at once.

#![allow(clippy::unwrap_used, clippy::panic)]

mod archive;
mod common;

use std::path::{Path, PathBuf};

use archive::nifti::nifti;
use archive::{ORIGIN, Scan};
use clip_lung_core::dataset::class::Class;
use clip_lung_core::dataset::crops::Dataset;
use common::{fails, files, is_bad_input, json, npy, ok, run, text};
use serde_json::Value;

fn load(dir: &Path) -> Dataset {
    let read = |name: &str| std::fs::read(dir.join(name)).unwrap();
    Dataset::parse(&text(dir), &read("crops.safetensors"), &read("nodules.csv"), &read("dataset.json")).unwrap()
}

/// The nodule's centre, LPS, mm.
fn centre(scan: &Scan) -> [f64; 3] {
    let [x, y, z] = scan.nodules[0].centre;
    [ORIGIN[0] + x, ORIGIN[1] + y, z]
}

/// A folder with a DICOM series, a NIfTI volume and a block of one, each of another scan with one ball.
fn folder(place: &Path) -> (PathBuf, [Scan; 3]) {
    let root = place.join("scans");
    let scans = [0, 1, 2].map(|i| Scan::new(i, 0.9, 2.5));
    scans[0].write(&root.join("ct"));
    std::fs::create_dir_all(root.join("block/image")).unwrap();
    std::fs::create_dir_all(root.join("block/metadata")).unwrap();
    std::fs::write(root.join("case1.nii"), nifti(&scans[1], [true, false, false], false)).unwrap();
    let side = usize::from(scans[2].side);
    let hu: Vec<f32> = (0..scans[2].slices).flat_map(|k| scans[2].values(k)).map(|v| v as f32).collect();
    npy(&root.join("block/image/7_1.npy"), &[scans[2].slices as u64, side as u64, side as u64], &hu);
    let at = serde_json::json!({"spacing": [2.5, 0.9, 0.9], "origin": [ORIGIN[2], ORIGIN[1], ORIGIN[0]]});
    std::fs::write(root.join("block/metadata/7_1.json"), at.to_string()).unwrap();
    // what a Mac leaves
    std::fs::write(root.join("._case1.nii"), b"\0\x05\x16\x07").unwrap();
    (root, scans)
}

fn prepare(root: &Path, list: &Path, out: &Path, more: &[&str]) -> Value {
    let words = ["prepare", "--dicom", &text(root), "--nodules", &text(list), "--out", &text(out), "--json"];
    json(&ok(&[&words[..], more].concat()))
}

/// The same ball in a series, a volume and a block: the same crop; a semicolon list with decimal commas, classes of pathology, no ratings.
#[test]
fn scans_of_every_kind_with_a_list() {
    let place = tempfile::tempdir().unwrap();
    let (root, scans) = folder(place.path());
    let (list, out) = (place.path().join("own.csv"), place.path().join("out"));
    let row = |scan: &Scan, name: &str, id: &str, patient: &str, class: &str| {
        let [x, y, z] = centre(scan).map(|v| v.to_string().replace('.', ","));
        format!("{name};{x};{y};{z};32,5;{id};{patient};{class}\n")
    };
    let table = [
        "seriesuid;coordX;coordY;coordZ;diameter_mm;AnnotationID;PatientID;label\n".into(),
        row(&scans[0], &scans[0].series, "a", "", "0"),
        row(&scans[1], "case1", "b", "P1", "1"),
        row(&scans[2], "", "7_1", "P2", "unsure"),
        row(&scans[1], "case9", "gone", "P3", "1"),
    ];
    std::fs::write(&list, table.concat()).unwrap();
    let account = prepare(&root, &list, &out, &[]);
    assert_eq!((&account["nodules"], &account["left_out"]), (&3.into(), &1.into()), "{account}");
    let skipped = std::fs::read_to_string(out.join("skipped.csv")).unwrap();
    assert!(skipped.contains("its scan case9 is not in the folder"), "{skipped}");
    let data = load(&out);
    let rows: Vec<_> = data.rows.iter().map(|r| (r.nodule_id.as_str(), r.patient_id.as_str(), r.class)).collect();
    let known = [("a", "TEST-0000", Class::Benign), ("b", "P1", Class::Malignant), ("7_1", "P2", Class::Unsure)];
    assert_eq!(rows, known);
    assert!(data.rows.iter().all(|r| r.ratings.is_none() && r.readers.is_none() && r.diameter_mm == Some(32.5)));
    assert_eq!(data.crop(0).unwrap(), data.crop(1).unwrap(), "NIfTI");
    assert_eq!(data.crop(0).unwrap(), data.crop(2).unwrap(), "block");
    // absent is empty, not zero
    let nodules = std::fs::read_to_string(out.join("nodules.csv")).unwrap();
    assert!(nodules.lines().nth(1).unwrap().contains("a,,,,,,,,,,,,benign,32.5"), "{nodules}");

    // the same again, and another list
    let before = files(&out);
    prepare(&root, &list, &out, &[]);
    assert_eq!(files(&out), before);
    std::fs::write(root.join("case1.nii"), nifti(&scans[1], [false; 3], false)).unwrap();
    let words = ["prepare", "--dicom", &text(&root), "--nodules", &text(&list), "--out", &text(&out)];
    is_bad_input(&words, "1 changed (case1)");
    // a class that nobody gives
    std::fs::write(&list, "file,x,y,z,diameter\ncase1,1,2,3,4\n").unwrap();
    let words =
        ["prepare", "--dicom", &text(&root), "--nodules", &text(&list), "--out", &text(&place.path().join("no"))];
    is_bad_input(&words, "");
    assert!(!place.path().join("no").exists() && !place.path().join("no.preparing").exists());
}

/// Folds of one's own are the split; a method that reads ratings says that there are none; crops in mm need no diameter.
#[test]
fn folds_of_ones_own_and_no_ratings() {
    let place = tempfile::tempdir().unwrap();
    let (root, scans) = folder(place.path());
    let (list, out) = (place.path().join("own.json"), place.path().join("out"));
    let nodule = |i: usize| {
        let [x, y, z] = centre(&scans[1]);
        serde_json::json!({
            "id": format!("n{i}"), "file": "case1.nii", "centre": [x + i as f64, y, z], "patient_id": format!("P{i}"),
            "malignancy": 1.0 + i as f64, "fold": i % 2,
        })
    };
    std::fs::write(&list, Value::from_iter((0..5).map(nodule)).to_string()).unwrap();
    prepare(&root, &list, &out, &["--fov-mm", "40"]);
    let data = load(&out);
    assert_eq!(data.rows.iter().map(|r| r.fold.unwrap()).collect::<Vec<_>>(), [0, 1, 0, 1, 0]);
    assert_eq!(data.rows[2].class, Class::Unsure);
    assert!(data.rows.iter().all(|r| r.diameter_mm.is_none() && r.mean_malignancy.is_some()));
    let run_dir = text(&place.path().join("run"));
    let train = |more: &[&str]| {
        let data = text(&out);
        let words = ["train", "--data", &data, "--out", &run_dir, "--epochs", "1", "--fold", "1", "--folds", "2"];
        [&words[..], more].concat().iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()
    };
    let refused = |words: Vec<String>, part: &str| {
        is_bad_input(&words.iter().map(String::as_str).collect::<Vec<_>>(), part);
    };
    refused(train(&["--method", "clip-lung", "--text-encoder", "random"]), "has no readers' ratings");
    refused(train(&["--method", "ce", "--diameter"]), "has no diameter");
    let words = train(&["--method", "ce", "--json"]);
    let metrics = json(&ok(&words.iter().map(String::as_str).collect::<Vec<_>>()));
    assert_eq!((&metrics["model"]["nodules"], &metrics["size_only"]), (&2.into(), &Value::Null));
}

/// One list for many scans: each nodule in its own; one that lies nowhere is named, the others are predicted; as a table, too.
#[test]
fn many_scans_with_one_list() {
    let place = tempfile::tempdir().unwrap();
    let (root, scans) = folder(place.path());
    let data = text(&place.path().join("data"));
    ok(&["phantom", "--limit", "24", "--out", &data]);
    let trained = text(&place.path().join("run"));
    ok(&["train", "--data", &data, "--out", &trained, "--method", "ce", "--epochs", "1"]);
    let list = place.path().join("list.csv");
    let row = |scan: &Scan, name: &str, x: f64| {
        let [_, y, z] = centre(scan);
        format!("{name},{x},{y},{z},32.5\n")
    };
    let table = [
        "\u{feff}file,x,y,z,diameter\n".into(),
        row(&scans[0], &scans[0].series, centre(&scans[0])[0]),
        row(&scans[1], "case1.nii", centre(&scans[1])[0]),
        row(&scans[1], "case1.nii", 900.0),
    ];
    std::fs::write(&list, table.concat()).unwrap();
    let (ct, volume) = (text(&root.join("ct")), text(&root.join("case1.nii")));
    let words = ["predict", "--model", &trained, &ct, &volume, "--nodules", &text(&list)];
    let out = run(&[&words[..], &["--json"]].concat());
    assert_eq!(out.status.code(), Some(3), "{}", String::from_utf8_lossy(&out.stderr));
    let found: Value = serde_json::from_slice(&out.stdout).unwrap();
    let predictions = found["predictions"].as_array().unwrap();
    assert_eq!(predictions.len(), 2);
    assert_eq!((&predictions[0]["input"], &predictions[1]["input"]), (&ct.clone().into(), &volume.clone().into()));
    let logits =
        |i: usize| predictions[i]["logits"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect::<Vec<_>>();
    assert!(logits(0).iter().zip(logits(1)).all(|(a, b)| (a - b).abs() < 1e-4), "one ball in two formats");
    assert_eq!(found["failed"].as_array().unwrap().len(), 1);
    assert!(found["failed"][0]["message"].as_str().unwrap().contains("off the scan"), "{found}");
    assert!(String::from_utf8_lossy(&out.stderr).contains("1 could not be predicted"));

    let out = run(&[&words[..], &["--csv"]].concat());
    let table = String::from_utf8(out.stdout).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("input,nodule_id,class,p_benign,p_unsure,p_malignant,series_uid,frame,centre_x_mm"));
    assert_eq!((lines.len(), lines[1].split(',').next()), (3, Some(ct.as_str())));
    // a list that names no scan can't be dealt
    std::fs::write(&list, "x,y,z,diameter\n1,2,3,4\n").unwrap();
    let (code, message) = fails(&words);
    assert!(code == 3 && message.contains("in which of the inputs"), "{message}");
}

/// NoduleMNIST3D as its archive has it, stored without compression: parts become folds.
#[test]
fn nodule_mnist() {
    let place = tempfile::tempdir().unwrap();
    let mut archive = zip::ZipWriter::new(std::fs::File::create(place.path().join("m.npz")).unwrap());
    for (part, n) in [("train", 4), ("val", 1), ("test", 2)] {
        for (name, shape, value) in
            [("images", format!("({n}, 28, 28, 28)"), 100u8), ("labels", format!("({n}, 1)"), 1)]
        {
            let count = if name == "images" { n * 21952 } else { n };
            let head = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n");
            let options = zip::write::SimpleFileOptions::default();
            archive.start_file(format!("{part}_{name}.npy"), options).unwrap();
            let bytes =
                [b"\x93NUMPY\x01\0", &(head.len() as u16).to_le_bytes()[..], head.as_bytes(), &vec![value; count]]
                    .concat();
            std::io::Write::write_all(&mut archive, &bytes).unwrap();
        }
    }
    archive.finish().unwrap();
    let (npz, out) = (text(&place.path().join("m.npz")), place.path().join("out"));
    ok(&["prepare", "--npz", &npz, "--out", &text(&out)]);
    let data = load(&out);
    assert_eq!(data.rows.iter().map(|r| r.fold.unwrap()).collect::<Vec<_>>(), [0, 0, 1, 2, 2, 2, 2]);
    assert!((data.crop(3).unwrap().hu()[0] - (-1024.0 + 100.0 / 255.0 * 1424.0)).abs() <= 0.5);
    assert!(ok(&["prepare", "--npz", &npz, "--out", &text(&out)]).contains("complete already"));
    std::fs::write(place.path().join("m.npz"), b"PK\x03\x04").unwrap();
    is_bad_input(&["prepare", "--npz", &npz, "--out", &text(&place.path().join("b"))], "not a readable .npz file");
}
