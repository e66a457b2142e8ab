//! Files, folders and disks as people have them: what must not matter does not, and what matters is said.

#![allow(clippy::unwrap_used, clippy::panic)]

mod archive;
mod common;

use std::path::Path;

use archive::nifti::nifti;
use archive::{ORIGIN, Scan};
use common::{Place, fails, files, json, npy, ok, program, run, text};
use serde_json::Value;

fn prepare(dicom: &Path, out: &Path, more: &[&str]) -> String {
    ok(&[&["prepare", "--dicom", &text(dicom), "--annotations", "xml", "--out", &text(out)], more].concat())
}

/// A small model.
fn model(place: &Place) -> String {
    place.run("ce", "lidc-a")
}

/// The nodule's place for `predict`.
fn at(scan: &Scan) -> [String; 2] {
    let [x, y, z] = scan.nodules[0].centre;
    [format!("--centre={},{},{z}", ORIGIN[0] + x, ORIGIN[1] + y), "--diameter=30".into()]
}

/// What `predict --json` printed, with its kinds of warnings.
fn predicted(model: &str, input: &Path, scan: &Scan) -> (Value, Vec<String>) {
    let [centre, diameter] = at(scan);
    let found = json(&ok(&["predict", "--model", model, &text(input), &centre, &diameter, "--json"]));
    let kinds = found["warnings"].as_array().unwrap().iter().map(|w| w["kind"].as_str().unwrap().to_owned()).collect();
    (found["predictions"][0].clone(), kinds)
}

/// An empty directory is taken, work and all; a second run continues nothing; one with files is refused.
#[test]
fn a_directory_that_is_there_already() {
    let place = Place::new();
    Scan::new(0, 0.9, 2.5).write(&place.path("dicom"));
    let (fresh, there) = (place.path("fresh"), place.path("there"));
    std::fs::create_dir_all(there.join("lost+found")).unwrap();
    prepare(&place.path("dicom"), &fresh, &[]);
    prepare(&place.path("dicom"), &there, &[]);
    std::fs::remove_dir(there.join("lost+found")).unwrap();
    assert_eq!(files(&fresh), files(&there));
    assert!(!place.path("there.preparing").exists());
    std::fs::create_dir(place.path("full")).unwrap();
    std::fs::write(place.path("full/mine.txt"), "mine").unwrap();
    let words = ["prepare", "--dicom", &place.name("dicom"), "--annotations", "xml", "--out", &place.name("full")];
    assert!(fails(&words).1.contains("was not made by this command"));
}

/// A data set within its own archive is no part of it, and neither is what a Mac or Windows puts beside files.
#[test]
fn what_is_no_part_of_an_archive() {
    let place = Place::new();
    let dicom = place.path("dicom");
    Scan::new(0, 0.9, 2.5).write(&dicom);
    prepare(&dicom, &place.path("outside"), &[]);
    let known = files(&place.path("outside"));
    std::fs::create_dir(dicom.join("__MACOSX")).unwrap();
    for name in ["._annotations.xml", "._000013.dcm", ".DS_Store", "Thumbs.db", "__MACOSX/._a.xml"] {
        std::fs::write(dicom.join(name), [0, 5, 0x16, 7, 0xff, 0xe9]).unwrap();
    }
    ok(&["prepare", "--dicom", &text(&dicom), "--annotations", "xml", "--check"]);
    prepare(&dicom, &dicom.join("set"), &[]);
    assert_eq!(files(&dicom.join("set")), known);
    assert!(prepare(&dicom, &dicom.join("set"), &[]).contains("complete already"));
}

#[test]
fn paths_that_are_not_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    let model = model(&place);
    let odd = OsStr::from_bytes(b"caf\xe9.npy");
    let crop = place.path("").join(odd);
    npy(&crop, &[32, 32, 32], &vec![-700.0; 32768]);
    let out = program(&["predict", "--model", &model]).arg(&crop).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let scan = Scan::new(0, 0.9, 2.5);
    let folder = place.path("").join(OsStr::from_bytes(b"s\xe9rie"));
    scan.write(&folder);
    let [centre, diameter] = at(&scan);
    let out = program(&["predict", "--model", &model, &centre, &diameter]).arg(&folder).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let set = place.path("").join(OsStr::from_bytes(b"d\xe9"));
    let out = program(&["prepare", "--annotations", "xml"])
        .arg("--dicom")
        .arg(&folder)
        .arg("--out")
        .arg(&set)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let out = program(&["inspect"]).arg(&set).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// A full disk behind the output is a matter of the disk, not of the program.
#[test]
fn output_that_can_t_be_written() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        return common::skipped("there is no /dev/full");
    }
    let place = Place::new();
    let file = std::fs::File::options().write(true).open(full).unwrap();
    let out = program(&["phantom", "--limit", "2", "--out", &place.name("set")]).stdout(file).output().unwrap();
    let message = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(3), "{message}");
    assert!(message.contains("No space left") && !message.contains("report"), "{message}");
}

/// Values that are not HU are predicted with a warning; files are what they hold, whatever their name.
#[test]
fn warnings_and_names_that_lie() {
    let place = Place::new();
    let model = model(&place);
    let warned = |name: &str, values: &[f32]| {
        npy(&place.path(name), &[32, 32, 32], values);
        let out = run(&["predict", "--model", &model, &place.name(name)]);
        assert!(out.status.success());
        String::from_utf8_lossy(&out.stderr).contains("may not be Hounsfield units")
    };
    let hu: Vec<f32> = (0..32768).map(|i| if i % 7 == 0 { 40.0 } else { -850.0 }).collect();
    assert!(!warned("hu.npy", &hu));
    assert!(warned("unit.npy", &hu.iter().map(|v| (v + 1000.0) / 1400.0).collect::<Vec<_>>()));

    let scan = Scan::new(0, 0.9, 2.5);
    let plain = nifti(&scan, [false; 3], false);
    let packed = {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gz, &plain).unwrap();
        gz.finish().unwrap()
    };
    let [x, y, z] = scan.nodules[0].centre;
    let centre = format!("--centre={},{},{z}", -ORIGIN[0] - x, -ORIGIN[1] - y);
    let answer = |name: &str, bytes: &[u8]| {
        std::fs::write(place.path(name), bytes).unwrap();
        let words = ["predict", "--model", &model, &place.name(name), &centre, "--diameter", "30", "--json"];
        json(&ok(&words))["predictions"][0]["logits"].clone()
    };
    let known = answer("a.nii", &plain);
    for (name, bytes) in [("b.nii", &packed), ("c.nii.gz", &plain), ("d.nii (1).gz", &packed), ("e", &packed)] {
        assert_eq!(answer(name, bytes), known, "{name}");
    }
    // the same volume of ITK's and Slicer's kinds, whose world is LPS
    let (side, raw) = (scan.side, &plain[352..]);
    let sizes = format!("{side} {side} {}", scan.slices);
    let mha = format!(
        "ObjectType = Image\nNDims = 3\nDimSize = {sizes}\nElementType = MET_SHORT\nElementSpacing = 0.9 0.9 2.5\nOffset = {} {} {}\nElementDataFile = LOCAL\n",
        ORIGIN[0], ORIGIN[1], ORIGIN[2]
    );
    let nrrd = format!(
        "NRRD0004\ntype: short\ndimension: 3\nspace: LPS\nsizes: {sizes}\nspace directions: (0.9,0,0) (0,0.9,0) (0,0,2.5)\nendian: little\nencoding: raw\nspace origin: ({},{},{})\n\n",
        ORIGIN[0], ORIGIN[1], ORIGIN[2]
    );
    let close = |found: &Value| {
        let both = known.as_array().unwrap().iter().zip(found.as_array().unwrap());
        both.map(|(a, b)| (a.as_f64().unwrap() - b.as_f64().unwrap()).abs()).fold(0.0, f64::max) < 1e-4
    };
    assert!(close(&answer("f.mha", &[mha.as_bytes(), raw].concat())));
    assert!(close(&answer("g.nrrd", &[nrrd.as_bytes(), raw].concat())));
    for (name, bytes, part) in [
        ("a.zip", &b"PK\x03\x04"[..], "not a readable ZIP archive"),
        ("a.nrrd", b"NRRD0004\n", "`dimension` is missing"),
        ("a.mhd", b"ObjectType = Image\n", "`ElementDataFile` is missing"),
        ("a.npz", b"PK\x03\x04", "numpy.save"),
        ("a.dcm", &scan.slice(0), "give the folder of its series"),
        ("a.txt", b"hello", "not a kind of file"),
    ] {
        std::fs::write(place.path(name), bytes).unwrap();
        let (code, message) = fails(&["predict", "--model", &model, &place.name(name)]);
        assert!(code == 3 && message.contains(part), "{name}: {message}");
    }
}

/// Slices that are damaged in their headers or their pixels, or missing, are named, in the text and in the document.
#[test]
fn damaged_and_missing_slices_are_named() {
    let place = Place::new();
    let model = model(&place);
    let mut scan = Scan::new(0, 0.9, 2.5);
    scan.order = archive::Order::Ascending;
    scan.write(&place.path("whole"));
    let (whole, none) = predicted(&model, &place.path("whole"), &scan);
    assert_eq!(none, [""; 0]);
    let middle = scan.slices / 2;
    let cut = |name: &str, k: usize, keep: usize| {
        scan.write(&place.path(name));
        let path = place.path(name).join(format!("{k:06}.dcm"));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..keep.min(bytes.len())]).unwrap();
    };
    cut("header", 1, 300);
    cut("pixels", middle, 3000);
    for (name, kinds) in [
        ("header", &["left_aside", "missing_slices"][..]),
        ("pixels", &["left_aside", "missing_slices", "missing_within_crop"]),
    ] {
        let (found, warnings) = predicted(&model, &place.path(name), &scan);
        assert_eq!(warnings, kinds, "{name}");
        if name == "header" {
            assert_eq!(found["logits"], whole["logits"], "a slice far from the nodule");
        }
        let [centre, diameter] = at(&scan);
        let out = run(&["predict", "--model", &model, &place.name(name), &centre, &diameter]);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        let file = format!("{:06}.dcm", if name == "header" { 1 } else { middle });
        assert!(said.contains(&file) && said.contains("slices are missing"), "{said}");
    }
    // several series are told apart by what their headers say
    Scan::new(1, 0.9, 2.5).write(&place.path("whole/second"));
    let [centre, diameter] = at(&scan);
    let (_, message) = fails(&["predict", "--model", &model, &place.name("whole"), &centre, &diameter]);
    assert!(message.contains("choose one with --series") && message.contains("28 slices, 2.5 mm"), "{message}");
}

/// A diameter that no nodule has is predicted with, and told, of each nodule for itself.
#[test]
fn diameters_that_no_nodule_has() {
    let place = Place::new();
    let model = model(&place);
    let scan = Scan::new(1, 0.9, 2.5);
    scan.write(&place.path("dicom"));
    let [x, y, z] = scan.nodules[0].centre;
    let rows = [1.5, 30.0, 61.0].map(|mm| format!("{mm},{},{},{z},{mm}\n", ORIGIN[0] + x, ORIGIN[1] + y));
    let table = format!("nodule_id,centre_x_mm,centre_y_mm,centre_z_mm,diameter_mm\n{}", rows.concat());
    std::fs::write(place.path("list.csv"), table).unwrap();
    let words = ["predict", "--model", &model, &place.name("dicom"), "--nodules", &place.name("list.csv"), "--json"];
    let found = json(&ok(&words));
    let told = found["warnings"].as_array().unwrap().iter().filter(|w| w["kind"] == "diameter");
    let ids: Vec<&str> = told.map(|w| w["id"].as_str().unwrap()).collect();
    assert_eq!((ids, found["predictions"].as_array().unwrap().len()), (vec!["1.5", "61"], 3));
}

/// A terminal that goes away stops a preparation as SIGTERM does; under nohup it goes on.
#[test]
fn a_hangup_saves_what_is_done() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    if ignored.is_some_and(|mask| mask.ends_with(['1', '3', '5', '7', '9', 'b', 'd', 'f'])) {
        return common::skipped("SIGHUP is ignored here, as under nohup");
    }
    let place = Place::new();
    let data = place.data();
    let words = ["train", "--data", &data, "--out", &place.name("hung"), "--method", "ce", "--epochs", "500"];
    let mut child = program(&words).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let log = place.path("hung/log.jsonl");
    while !std::fs::read(&log).is_ok_and(|b| !b.is_empty()) {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let kill = std::process::Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(4), "{status}");
    assert!(place.path("hung/state.safetensors").is_file());
}

/// One class alone trains, and is told.
#[test]
fn training_on_one_class_warns() {
    let place = Place::new();
    place.data();
    let table = std::fs::read_to_string(place.path("data/nodules.csv")).unwrap();
    let one: String = table.replace(",malignant,", ",benign,").replace(",unsure,", ",benign,");
    std::fs::write(place.path("data/nodules.csv"), one).unwrap();
    let words =
        ["train", "--data", &place.name("data"), "--out", &place.name("run"), "--method", "ce", "--epochs", "1"];
    let out = run(&words);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success() && said.contains("are benign: there is nothing to tell apart"), "{said}");
}
