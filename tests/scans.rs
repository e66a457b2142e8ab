//! Predictions on single scans: the same nodule through a data set, a DICOM series and NIfTI files of several layouts.

#![allow(clippy::unwrap_used, clippy::panic)]

mod archive;
mod common;

use std::path::{Path, PathBuf};

use archive::{Ellipsoid, ORIGIN, Scan};
use common::{ok, run, text};
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

    /// The scan as NIfTI: `flip` stores an axis the other way round, `quaternion` places it by qform.
    fn nifti(&self, name: &str, flip: [bool; 3], quaternion: bool) -> String {
        let (n, slices) = (usize::from(self.scan.side), self.scan.slices);
        let (s, t) = (self.scan.spacing, self.scan.thickness);
        let size = [n, n, slices];
        let mut values = vec![0i16; n * n * slices];
        for k in 0..slices {
            for (i, v) in self.scan.values(k).into_iter().enumerate() {
                let at = [i % n, i / n, k];
                let stored = [0, 1, 2].map(|a| if flip[a] { size[a] - 1 - at[a] } else { at[a] });
                values[(stored[2] * n + stored[1]) * n + stored[0]] = v as i16;
            }
        }
        // DICOM is LPS, NIfTI RAS: x and y change sign
        let step = [-s, -s, t];
        let first = [-ORIGIN[0], -ORIGIN[1], ORIGIN[2]];
        let step = [0, 1, 2].map(|a| if flip[a] { -step[a] } else { step[a] });
        let origin = [0, 1, 2].map(|a| first[a] - if flip[a] { step[a] * (size[a] - 1) as f64 } else { 0.0 });
        let mut h = vec![0u8; 352];
        let mut put = |at: usize, bytes: &[u8]| h[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &348i32.to_le_bytes());
        [3, n, n, slices, 1, 1, 1, 1].iter().enumerate().for_each(|(i, d)| put(40 + 2 * i, &(*d as u16).to_le_bytes()));
        put(70, &4i16.to_le_bytes());
        put(72, &16i16.to_le_bytes());
        [1.0, s, s, t].iter().enumerate().for_each(|(i, v)| put(76 + 4 * i, &(*v as f32).to_le_bytes()));
        put(108, &352f32.to_le_bytes());
        put(112, &1f32.to_le_bytes());
        if quaternion {
            // half a turn about z: (a, b, c, d) = (0, 0, 0, 1)
            assert_eq!(flip, [false; 3]);
            put(252, &1i16.to_le_bytes());
            put(264, &1f32.to_le_bytes());
            origin.iter().enumerate().for_each(|(i, v)| put(268 + 4 * i, &(*v as f32).to_le_bytes()));
        } else {
            put(254, &1i16.to_le_bytes());
            for a in 0..3 {
                put(280 + 16 * a + 4 * a, &(step[a] as f32).to_le_bytes());
                put(280 + 16 * a + 12, &(origin[a] as f32).to_le_bytes());
            }
        }
        put(344, b"n+1\0");
        h.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        let path = self.path(name);
        if name.ends_with(".gz") {
            let mut gz =
                flate2::write::GzEncoder::new(std::fs::File::create(&path).unwrap(), flate2::Compression::fast());
            std::io::Write::write_all(&mut gz, &h).unwrap();
            gz.finish().unwrap();
        } else {
            std::fs::write(&path, h).unwrap();
        }
        text(&path)
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
    assert!((crop["side_mm"].as_f64().unwrap() - 2.0 * crop["diameter_mm"].as_f64().unwrap()).abs() < 1e-9);

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
    let list = place.path("list.json");
    std::fs::write(&list, json!([{"id": "here", "centre": ras, "diameter_mm": crop["diameter_mm"]}]).to_string())
        .unwrap();
    let found = place.predict(&[&layouts[0], "--nodules", &text(&list)]);
    close(&known[0], &found[0], "NIfTI by JSON");
    assert_eq!(found[0]["id"], "here");

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
