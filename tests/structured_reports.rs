//! Structured reports: what `predict --sr` writes is valid DICOM, says what `predict --json` says, and takes from the source series the
//! patient and study modules alone. dciodvfy (Debian: dicom3tools), highdicom and dcmqi (PyPI, the interpreter in CLIP_LUNG_PYTHON)
//! check it where they are installed.

#![allow(clippy::unwrap_used, clippy::panic)]

mod archive;
mod common;

use std::process::Command;

use archive::{Ellipsoid, IMPLICIT, ORIGIN, Scan};
use common::{Place, fails, files, is_bad_input, json, ok, skipped, text};
use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, InMemDicomObject, from_reader};
use serde_json::{Value, json};

/// Of the scans that the archive writes.
const CANARY: &str = "Secret^Name";

/// A series with three nodules, one at the border between slices, and their list.
fn series(place: &Place, number: usize, change: impl Fn(&mut Scan)) -> (String, String) {
    let mut scan = Scan::new(number, 0.9, 2.5);
    let z = scan.nodules[0].centre[2];
    let at = |x, y, z| Ellipsoid { centre: [x, y, z], radii: [4.0, 5.0, 6.0] };
    scan.nodules = vec![at(25.0, 30.0, z), at(60.0, 30.5, z + 1.25), at(45.0, 60.0, z - 10.0)];
    change(&mut scan);
    let dir = place.path(&format!("series-{number}"));
    scan.write(&dir);
    let list: Vec<Value> = scan
        .nodules
        .iter()
        .enumerate()
        .map(|(i, e)| {
            let along = |axis: usize| ORIGIN[axis] + e.centre[axis] * scan.orientation[axis][axis];
            let centre = [along(0), along(1), e.centre[2]];
            json!({"id": format!("nodule {number}.{i}"), "frame": "lps", "centre": centre, "diameter_mm": e.diameter()})
        })
        .collect();
    let nodules = place.path(&format!("nodules-{number}.json"));
    std::fs::write(&nodules, json!(list).to_string()).unwrap();
    (text(&dir), text(&nodules))
}

/// Predicts with a report; the predictions, and the report's bytes with its path.
fn reported(place: &Place, model: &str, (dir, nodules): &(String, String)) -> (Vec<Value>, String, Vec<u8>) {
    let out = tempfile::Builder::new().tempdir_in(place.path("")).unwrap().keep();
    let said = json(&ok(&["predict", "--model", model, dir, "--nodules", nodules, "--sr", &text(&out), "--json"]));
    let [(name, bytes)] = files(&out).try_into().unwrap();
    let path = text(&out.join(name));
    assert_eq!(said["reports"], json!([path]));
    (said["predictions"].as_array().unwrap().clone(), path, bytes)
}

fn items(object: &InMemDicomObject, tag: Tag) -> &[InMemDicomObject] {
    object.get(tag).and_then(|e| e.items()).unwrap_or(&[])
}

fn value(object: &InMemDicomObject, tag: Tag) -> String {
    object.get(tag).map(|e| e.to_str().unwrap().trim_matches(['\0', ' ']).to_owned()).unwrap_or_default()
}

/// The measurement groups of a report, each as its items.
fn groups(report: &DefaultDicomObject) -> Vec<&[InMemDicomObject]> {
    let content = items(report, tags::CONTENT_SEQUENCE);
    items(content.last().unwrap(), tags::CONTENT_SEQUENCE).iter().map(|g| items(g, tags::CONTENT_SEQUENCE)).collect()
}

/// A group's numbers by the code of their name.
fn numbers(group: &[InMemDicomObject]) -> Vec<(String, f64)> {
    let number = |item: &InMemDicomObject| {
        let name = value(&items(item, tags::CONCEPT_NAME_CODE_SEQUENCE)[0], tags::CODE_VALUE);
        let [measured] = items(item, tags::MEASURED_VALUE_SEQUENCE) else { return None };
        Some((name, value(measured, tags::NUMERIC_VALUE).parse().unwrap()))
    };
    group.iter().filter_map(number).collect()
}

#[test]
fn a_report_says_what_was_predicted_and_takes_nothing_else() {
    let place = Place::new();
    let model = place.run("clip-lung", "lidc-a");
    let given = series(&place, 1, |_| ());
    let before = files(given.0.as_ref());
    let (predictions, _, bytes) = reported(&place, &model, &given);
    assert_eq!(files(given.0.as_ref()), before, "the source is unchanged");

    let report = from_reader(bytes.as_slice()).unwrap();
    let source = from_reader(before[1].1.as_slice()).unwrap();
    let found = groups(&report);
    assert_eq!((found.len(), predictions.len()), (3, 3));
    for (group, p) in found.iter().zip(&predictions) {
        let numbers = numbers(group);
        let names: Vec<&str> = numbers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[..4], ["81827009", "P-BENIGN", "P-UNSURE", "P-MALIGNANT"]);
        assert_eq!((names.len(), names[4], names[11]), (12, "A-SUBTLETY", "A-TEXTURE"));
        for ((_, found), class) in numbers[1..4].iter().zip(["benign", "unsure", "malignant"]) {
            assert!((found - p["probabilities"][class].as_f64().unwrap()).abs() <= 5e-7);
        }
        assert!((numbers[4..].iter().map(|n| n.1).sum::<f64>() - 1.0).abs() < 1e-5, "scores sum to 1");
        assert_eq!(value(&group[0], tags::TEXT_VALUE), p["id"].as_str().unwrap());
    }
    // the attributes' scores are those that `explain` gives
    let explain = ["explain", "--model", &model, &given.0, "--nodules", &given.1, "--index", "1", "--json", "--out"];
    let explained = json(&ok(&[&explain[..], &[&place.name("heat.png")]].concat()));
    for ((_, found), name) in numbers(found[1])[4..].iter().zip(["subtlety", "internal structure", "calcification"]) {
        assert!((found - explained["attributes"][name].as_f64().unwrap()).abs() < 1e-5, "{name}");
    }

    // the name once, the pixels never, and each element of the source's that is repeated as it was
    let times = |part: &[u8]| bytes.windows(part.len()).filter(|w| *w == part).count();
    assert_eq!(times(CANARY.as_bytes()), 1);
    assert_eq!(value(&report, tags::PATIENT_NAME), CANARY);
    assert!(report.get(tags::PIXEL_DATA).is_none() && bytes.len() < 40_000, "{} bytes", bytes.len());
    for tag in [tags::PATIENT_NAME, tags::PATIENT_ID, tags::STUDY_INSTANCE_UID] {
        assert_eq!(value(&report, tag), value(&source, tag));
    }
    assert_ne!(value(&report, tags::SERIES_INSTANCE_UID), value(&source, tags::SERIES_INSTANCE_UID));
    let moved = report.iter().filter(|e| source.get(e.header().tag).is_some_and(|s| s.value() == e.value()));
    let repeated: Vec<Tag> = moved.map(|e| e.header().tag).collect();
    assert_eq!(repeated, [tags::PATIENT_NAME, tags::PATIENT_ID, tags::STUDY_INSTANCE_UID]);
}

#[test]
fn what_has_no_series_has_no_report() {
    let place = Place::new();
    let model = place.run("ce", "lidc-a");
    let (code, message) = fails(&["predict", "--model", &model, &place.name("data"), "--sr", &place.name("out")]);
    assert_eq!(code, 2, "{message}");
    assert!(message.contains("is no nodule of a DICOM series"), "{message}");
    let (dir, nodules) = series(&place, 2, |scan| scan.frame_of_reference = None);
    let call = ["predict", "--model", &model, &dir, "--nodules", &nodules];
    ok(&call);
    is_bad_input(&[&call[..], &["--sr", &place.name("out")]].concat(), "FrameOfReferenceUID is missing");
}

/// The report of an ensemble names the weights of all its members.
#[test]
fn every_members_weights() {
    let place = Place::new();
    let members = ["one", "two"].map(|name| place.run_as(name, if name == "one" { "ce" } else { "poisson" }, "lidc-a"));
    let ensemble = place.path("ensemble");
    let mut digests = Vec::new();
    for (run, name) in members.iter().zip(["one", "two"]) {
        std::fs::create_dir_all(ensemble.join(name)).unwrap();
        for (file, bytes) in files(format!("{run}/model").as_ref()) {
            std::fs::write(ensemble.join(name).join(file), bytes).unwrap();
        }
        let config = json(&std::fs::read_to_string(format!("{run}/model/config.json")).unwrap());
        digests.push(config["sha256"]["model.safetensors"].as_str().unwrap().to_owned());
    }
    std::fs::write(ensemble.join("ensemble.json"), json!({"schema": 1, "members": ["one", "two"]}).to_string())
        .unwrap();
    let (predictions, _, bytes) = reported(&place, &text(&ensemble), &series(&place, 1, |_| ()));
    let report = from_reader(bytes.as_slice()).unwrap();
    let said: Vec<String> = groups(&report)[0].iter().map(|item| value(item, tags::TEXT_VALUE)).collect();
    for digest in &digests {
        assert!(said.contains(&format!("SHA-256 of model.safetensors: {digest}")), "{digest} in {said:?}");
    }
    assert!(!digests.contains(&value(&report, tags::DEVICE_SERIAL_NUMBER)), "neither is the whole");
    assert!(
        (numbers(groups(&report)[0])[1].1 - predictions[0]["probabilities"]["benign"].as_f64().unwrap()).abs() <= 5e-7
    );
}

/// Twenty-seven nodules: models with attributes, without, and of two classes; axes either way; implicit VR; three nodules a series.
#[test]
fn others_read_the_same() {
    let python = std::env::var("CLIP_LUNG_PYTHON").unwrap_or_else(|_| "python3".into());
    let has =
        |program: &str, words: &[&str]| Command::new(program).args(words).output().is_ok_and(|o| o.status.success());
    let valid = Command::new("dciodvfy").output().is_ok();
    let highdicom = has(&python, &["-c", "import highdicom"]);
    let dcmqi = has("tid1500reader", &["--help"]);
    for (there, what) in [(valid, "dciodvfy (dicom3tools)"), (highdicom, "highdicom"), (dcmqi, "dcmqi's tid1500reader")]
    {
        if !there {
            skipped(&format!("{what} is not installed"));
        }
    }
    let place = Place::new();
    let scans = [
        series(&place, 1, |_| ()),
        series(&place, 2, |scan| scan.orientation = [[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]),
        series(&place, 3, |scan| scan.syntax = IMPLICIT),
    ];
    let mut seen = 0;
    for (name, method, task) in
        [("words", "clip-lung", "lidc-a"), ("none", "ce", "lidc-b"), ("two", "poisson", "lidc-c")]
    {
        let model = place.run_as(name, method, task);
        for scan in &scans {
            let (predictions, path, _) = reported(&place, &model, scan);
            seen += predictions.len();
            if valid {
                let out = Command::new("dciodvfy").arg(&path).output().unwrap();
                let said = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
                assert!(said.contains("Comprehensive3DSR") && !said.contains("Error"), "{said}");
            }
            if highdicom {
                let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/sr/read.py");
                let out = Command::new(&python).args([script, &path]).output().unwrap();
                assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
                let read = json(&String::from_utf8(out.stdout).unwrap());
                same(&read[0], &predictions, &model);
            }
            if dcmqi {
                let to = place.name("dcmqi.json");
                assert!(has("tid1500reader", &["--inputDICOM", &path, "--outputMetadata", &to]), "{path}");
                let read = json(&std::fs::read_to_string(to).unwrap());
                let values = |m: &Value| -> Vec<String> {
                    let items = m["measurementItems"].as_array().unwrap();
                    items.iter().map(|i| i["value"].as_str().unwrap().to_owned()).collect()
                };
                for (m, p) in read["Measurements"].as_array().unwrap().iter().zip(&predictions) {
                    assert_eq!(m["TrackingIdentifier"], p["id"]);
                    let known = p["probabilities"].as_object().unwrap();
                    known.values().for_each(|v| assert!(values(m).contains(&format!("{:.6}", v.as_f64().unwrap()))));
                }
            }
        }
    }
    assert_eq!(seen, 27);
}

/// That highdicom read the predictions.
fn same(read: &Value, predictions: &[Value], model: &str) {
    let config = json(&std::fs::read_to_string(format!("{model}/model/config.json")).unwrap());
    assert_eq!(read["patient"], CANARY);
    let groups = read["groups"].as_array().unwrap();
    assert_eq!(groups.len(), predictions.len());
    assert!(!read["evidence"].as_array().unwrap().is_empty());
    for (group, p) in groups.iter().zip(predictions) {
        assert_eq!((&group["id"], &group["finding"], &group["site"]), (&p["id"], &json!("Nodule"), &json!("Lung")));
        for i in 0..3 {
            let [found, known] = [&group["centre"][i], &p["crop"]["centre_mm"][i]].map(|v| v.as_f64().unwrap());
            assert!((found - known).abs() < 1e-4, "{found} {known}");
        }
        let number = |code: &str| group["measurements"][code].as_f64();
        assert!((number("81827009").unwrap() - p["crop"]["diameter_mm"].as_f64().unwrap()).abs() < 1e-4);
        assert_eq!((&group["units"]["81827009"], &group["units"]["P-BENIGN"]), (&json!("mm"), &json!("1")));
        for class in ["benign", "unsure", "malignant"] {
            let (code, known) = (format!("P-{}", class.to_uppercase()), p["probabilities"].get(class));
            match (number(&code), known.and_then(Value::as_f64)) {
                (Some(found), Some(known)) => assert!((found - known).abs() <= 5e-7, "{code}: {found} {known}"),
                (found, known) => assert_eq!(found, known, "{code}"),
            }
        }
        assert_eq!(number("A-SPICULATION").is_some(), config["method"] == "clip-lung");
        assert_eq!(group["evaluations"]["CLASS"], p["class"].as_str().unwrap().to_uppercase());
        assert_eq!(group["evaluations"]["INTENDED-USE"], "RESEARCH");
        assert!(group["comment"][0].as_str().unwrap().starts_with("Research use only"));
        let algorithm = group["algorithm"].to_string();
        for part in [&config["sha256"]["model.safetensors"], &config["method"], &config["metadata"]["version"]] {
            assert!(algorithm.contains(part.as_str().unwrap()), "{part} in {algorithm}");
        }
    }
}
