//! Predictions on single scans: the same nodule through a data set, a DICOM series and NIfTI files of several layouts.

#![allow(clippy::unwrap_used, clippy::panic)]

mod archive;
mod common;

use std::path::{Path, PathBuf};

use archive::nifti::nifti;
use archive::{Ellipsoid, Scan};
use common::{is_bad_input, ok, run, text};
use serde_json::{Value, json};

struct Place {
    dir: tempfile::TempDir,
    scan: Scan,
}

impl Place {
    /// A scan with two nodules, an ellipsoid and a ball, and a model.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut scan = Scan::new(0, 0.8, 2.0);
        let z = scan.nodules[0].centre[2];
        scan.nodules = vec![
            Ellipsoid { centre: [32.0, 30.4, z], radii: [9.0, 6.0, 7.0] },
            Ellipsoid { centre: [60.0, 56.0, z + 8.0], radii: [3.0, 10.0, 4.0] },
        ];
        let place = Self { dir, scan };
        place.scan.write(&place.path("dicom"));
        let data = place.name("data");
        ok(&["phantom", "--limit", "40", "--out", &data]);
        ok(&[
            "train",
            "--data",
            &data,
            "--out",
            &place.name("run"),
            "--method",
            "ce",
            "--epochs",
            "10",
            "--lr",
            "0.05",
            "--ema",
            "0.5",
        ]);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        text(&self.path(name))
    }

    fn predict(&self, more: &[&str]) -> Vec<Value> {
        let model = self.name("run/model");
        let out = ok(&[&["predict", "--model", &model, "--json"], more].concat());
        serde_json::from_str::<Value>(&out).unwrap()["predictions"].as_array().unwrap().clone()
    }

    fn fails(&self, more: &[&str]) -> (i32, String) {
        let model = self.name("run/model");
        let out = run(&[&["predict", "--model", &model], more].concat());
        (out.status.code().unwrap(), String::from_utf8_lossy(&out.stderr).into_owned())
    }

    /// The scan as NIfTI.
    fn nifti(&self, name: &str, flip: [bool; 3], quaternion: bool) -> String {
        let (path, bytes) = (self.path(name), nifti(&self.scan, flip, quaternion));
        if name.ends_with(".gz") {
            let mut gz =
                flate2::write::GzEncoder::new(std::fs::File::create(&path).unwrap(), flate2::Compression::fast());
            std::io::Write::write_all(&mut gz, &bytes).unwrap();
            gz.finish().unwrap();
        } else {
            std::fs::write(&path, bytes).unwrap();
        }
        text(&path)
    }

    /// The model with another geometry in its configuration.
    fn model_of(&self, name: &str, schema: u32, crop: &Value) -> String {
        let dir = self.path(name);
        std::fs::create_dir(&dir).unwrap();
        for file in ["config.json", "model.safetensors", "golden.safetensors"] {
            std::fs::copy(self.path("run/model").join(file), dir.join(file)).unwrap();
        }
        let path = dir.join("config.json");
        let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        config["schema"] = schema.into();
        config["input"]["crop"] = crop.clone();
        std::fs::write(path, config.to_string()).unwrap();
        text(&dir)
    }
}

fn logits(p: &Value) -> Vec<f64> {
    p["logits"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

/// The largest difference of a logit.
fn apart(a: &Value, b: &Value) -> f64 {
    logits(a).iter().zip(logits(b)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn close(a: &Value, b: &Value, what: &str) {
    assert!(apart(a, b) < 0.01, "{what}: {}\n{a}\n{b}", apart(a, b));
}

#[test]
fn one_nodule_every_way() {
    let place = Place::new();
    let dicom = place.name("dicom");
    ok(&["prepare", "--dicom", &dicom, "--annotations", "xml", "--out", &place.name("set")]);
    let known = place.predict(&[&place.name("set")]);
    assert_eq!(known.len(), 2);
    let between = apart(&known[0], &known[1]);
    assert!(between > 0.1, "two nodules that differ: {between}");

    // nodules.csv of a data set says where its nodules lie
    let table = place.name("set/nodules.csv");
    let many = place.predict(&[&dicom, "--nodules", &table]);
    (0..2).for_each(|i| close(&known[i], &many[i], "DICOM by nodules.csv"));
    assert_eq!(many[0]["id"], known[0]["id"]);
    let crop = &many[0]["crop"];
    assert_eq!((crop["frame"].as_str(), crop["shape"].as_array().unwrap().len()), (Some("LPS"), 3));
    for side in ["in_plane_mm", "through_plane_mm"] {
        assert!((crop[side].as_f64().unwrap() - 2.0 * crop["diameter_mm"].as_f64().unwrap()).abs() < 1e-9);
    }

    let centre: Vec<f64> = crop["centre_mm"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    let voxel: Vec<f64> = crop["centre_voxel"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    let triple = |v: &[f64]| format!("{},{},{}", v[0], v[1], v[2]);
    let diameter = crop["diameter_mm"].to_string();
    let by_mm = place.predict(&[&dicom, "--centre", &triple(&centre), "--diameter", &diameter]);
    close(&known[0], &by_mm[0], "DICOM by mm");
    let by_voxel = place.predict(&[&dicom, "--centre", &triple(&voxel), "--diameter", &diameter, "--voxel"]);
    close(&known[0], &by_voxel[0], "DICOM by voxel");

    let ras = [-centre[0], -centre[1], centre[2]];
    let layouts = [
        place.nifti("plain.nii", [false; 3], false),
        place.nifti("packed.nii.gz", [false; 3], false),
        place.nifti("flipped.nii", [true, false, true], false),
        place.nifti("quaternion.nii", [false; 3], true),
    ];
    for file in &layouts {
        let found = place.predict(&[file, "--centre", &triple(&ras), "--diameter", &diameter]);
        close(&known[0], &found[0], file);
        assert_eq!(found[0]["crop"]["frame"], "RAS");
    }
    // the same table for NIfTI: its mm are LPS
    let found = place.predict(&[&layouts[2], "--nodules", &table]);
    (0..2).for_each(|i| close(&known[i], &found[i], "NIfTI by nodules.csv"));
    let stored = found[0]["crop"]["centre_voxel"].clone();
    for (scan, own, other) in [(&dicom, "lps", "ras"), (&layouts[2], "ras", "lps")] {
        let (mm, turned) = if own == "lps" { (&centre[..], &ras[..]) } else { (&ras[..], &centre[..]) };
        for (frame, at) in [(own, mm), (other, turned)] {
            let found = place.predict(&[scan, "--centre", &triple(at), "--diameter", &diameter, "--frame", frame]);
            close(&known[0], &found[0], &format!("{scan} in {frame}"));
            assert_eq!(found[0]["crop"]["frame"], own.to_uppercase());
        }
    }
    // lists that name their frame, nodule by nodule
    let list = place.name("list.json");
    let here = |id: &str, frame: &str, centre: &Value| json!({"id": id, "frame": frame, "centre": centre, "diameter_mm": crop["diameter_mm"]});
    let nodules = [
        json!({"id": "plain", "centre": centre, "diameter_mm": crop["diameter_mm"]}),
        here("ras", "ras", &json!(ras)),
        here("lps", "lps", &json!(centre)),
        here("voxel", "voxel", &stored),
    ];
    std::fs::write(&list, json!(nodules).to_string()).unwrap();
    for (i, id) in ["plain", "ras", "lps", "voxel"].into_iter().enumerate() {
        let found = place.predict(&[&layouts[2], "--nodules", &list]);
        close(&known[0], &found[i], &format!("NIfTI by JSON, {id}"));
        assert_eq!(found[i]["id"], id);
    }
    let named = place.name("named.csv");
    let row = format!("{},{diameter},RAS", triple(&ras));
    std::fs::write(&named, format!("centre_x_mm,centre_y_mm,centre_z_mm,diameter_mm,frame\n{row}\n")).unwrap();
    close(&known[0], &place.predict(&[&dicom, "--nodules", &named])[0], "DICOM by a CSV in RAS");

    let picture = place.name("heat.png");
    let model = place.name("run/model");
    let told = ok(&[
        "explain",
        "--model",
        &model,
        &dicom,
        "--centre",
        &triple(&centre),
        "--diameter",
        &diameter,
        "--out",
        &picture,
        "--json",
    ]);
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap()["crop"]["frame"], "LPS");
    assert!(Path::new(&picture).is_file());

    let refused = |more: &[&str], code: i32, part: &str| {
        let (found, message) = place.fails(more);
        assert_eq!((found, message.contains(part)), (code, true), "{more:?}: {message}");
    };
    refused(&[&dicom], 2, "--centre");
    refused(&[&dicom, "--centre", "1,2"], 2, "x,y,z");
    refused(&[&dicom, "--centre", "1,2,3"], 2, "--diameter");
    refused(&[&dicom, "--centre", "9000,2,3", "--diameter", "5"], 3, "off the scan");
    refused(&[&dicom, "--centre", &triple(&centre), "--diameter", "-5"], 3, "must be positive");
    refused(&[&layouts[0], "--centre", &triple(&ras), "--diameter", "0"], 3, "must be positive");
    refused(&[&layouts[0], "--centre", "9000,2,3", "--diameter", "5"], 3, "off the scan");
    refused(&[&dicom, "--nodules", &named, "--frame", "lps"], 2, "names the frame RAS, but LPS was asked for");
    refused(&[&dicom, "--centre", "1,2,3", "--diameter", "5", "--frame", "mni"], 2, "lps, ras or voxel");
    std::fs::write(&named, "centre_x_mm,centre_y_mm,centre_z_mm,diameter_mm,frame\n1,2,3,4,mni\n").unwrap();
    refused(&[&dicom, "--nodules", &named], 3, "`mni` in column `frame` is not lps, ras or voxel");
    refused(&[&dicom, "--nodules", &table, "--series", "1.2"], 3, "no series 1.2");
    refused(&[&place.name("set"), "--centre", "1,2,3", "--diameter", "5"], 2, "holds crops already");
    refused(&[&place.name("run")], 3, "no CT slice");
    std::fs::write(place.path("bad.csv"), "centre_x_mm,centre_y_mm,diameter_mm\n1,2,3\n").unwrap();
    refused(&[&dicom, "--nodules", &place.name("bad.csv")], 3, "centre_z_mm");
    std::fs::write(place.path("bad.csv"), "centre_x_mm,centre_y_mm,centre_z_mm,diameter_mm\n1,2,here,3\n").unwrap();
    refused(&[&dicom, "--nodules", &place.name("bad.csv")], 3, "`here`");
    Scan::new(1, 0.9, 2.5).write(&place.path("dicom/second"));
    refused(&[&dicom, "--centre", &triple(&centre), "--diameter", "5"], 3, "choose one with --series");
    let chosen =
        place.predict(&[&dicom, "--centre", &triple(&centre), "--diameter", &diameter, "--series", &place.scan.series]);
    close(&known[0], &chosen[0], "one series of two");
}

/// Every verb cuts with the model's geometry, and refuses a data set of another.
#[test]
fn the_models_geometry() {
    let place = Place::new();
    let (dicom, volume) = (place.name("dicom"), place.nifti("plain.nii", [false; 3], false));
    let cases = [
        ("2x2", json!({"in_plane": {"diameters": 2}, "through_plane": {"diameters": 2}}), "2 x 2 diameters"),
        ("2x1", json!({"in_plane": {"diameters": 2}, "through_plane": {"diameters": 1}}), "2 x 1 diameters"),
        ("32mm", json!({"in_plane": {"mm": 32}, "through_plane": {"mm": 32}}), "32 mm"),
    ];
    let predict = |model: &str, more: &[&str]| -> Vec<Value> {
        let out = ok(&[&["predict", "--model", model, "--json"], more].concat());
        serde_json::from_str::<Value>(&out).unwrap()["predictions"].as_array().unwrap().clone()
    };
    let mut found = Vec::new();
    for (name, crop, _) in &cases {
        let (model, set) = (place.model_of(&format!("model-{name}"), 2, crop), place.name(&format!("set-{name}")));
        let option = if *name == "32mm" { ["--fov-mm", "32"] } else { ["--crop", name] };
        let words = ["prepare", "--dicom", &dicom, "--annotations", "xml", "--out", &set, "--margin", "2"];
        ok(&[&words[..], &option].concat());
        let known = predict(&model, &[&set]);
        let table = format!("{set}/nodules.csv");
        for scan in [&dicom, &volume] {
            let cut = predict(&model, &[scan, "--nodules", &table]);
            (0..2).for_each(|i| close(&known[i], &cut[i], &format!("{name}, {scan}")));
        }
        found.push(known);
    }
    assert!(apart(&found[0][0], &found[1][0]) > 0.05 && apart(&found[0][0], &found[2][0]) > 0.05, "they differ");

    // the words of schema 1
    let old = place.model_of("model-old", 1, &json!("fixed 32 mm cube"));
    let cut = predict(&old, &[&volume, "--nodules", &place.name("set-2x2/nodules.csv")]);
    (0..2).for_each(|i| close(&found[2][i], &cut[i], "schema 1"));
    assert_eq!((&cut[0]["crop"]["in_plane_mm"], &cut[0]["crop"]["through_plane_mm"]), (&json!(32.0), &json!(32.0)));
    let unknown = place.model_of("model-unknown", 1, &json!("a cube"));
    is_bad_input(&["predict", "--model", &unknown, &volume], "`a cube` is no geometry");

    let (model, set) = (place.name("model-2x1"), place.name("set-32mm"));
    let picture = place.name("heat.png");
    let calls: [&[&str]; 3] = [
        &["predict", "--model", &model, &set],
        &["explain", "--model", &model, &set, "--out", &picture],
        &["evaluate", &model, "--data", &set],
    ];
    for call in calls {
        for (_, _, words) in &cases[1..] {
            is_bad_input(call, words);
        }
        is_bad_input(call, &format!("{set} holds crops of 32 mm, but {model} was trained on"));
        let document: serde_json::Value =
            serde_json::from_str(&ok(&[call, &["--allow-other-crop", "--json"]].concat())).unwrap();
        assert_eq!(document["warnings"][0]["kind"], "other_crop", "{document}");
    }
}
