//! Test sets of one's own: `train --test`, and what it refuses.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::ops::Range;
use std::path::Path;

use clip_lung_core::dataset::class::Thresholds;
use clip_lung_core::dataset::crops::{Dataset, Voxels};
use clip_lung_core::dataset::table::Row;
use clip_lung_core::phantom::phantom;
use clip_lung_core::volume::crop::VOXELS;
use clip_lung_core::volume::geometry::{CropGeometry, Extent};
use common::{Place, fails, is_bad_input, json, ok, text};

/// Nodules of the phantom as a data set of its own, its rows changed.
fn part(dir: &Path, nodules: Range<usize>, change: impl Fn(&mut Row)) -> Dataset {
    let source = phantom(Thresholds::Inclusive, Some(nodules.end)).unwrap();
    let (mut voxels, mut hu) = (Vec::new(), vec![0.0; VOXELS]);
    for i in nodules.clone() {
        source.write_hu(i, &mut hu);
        voxels.extend(hu.iter().map(|v| *v as i16));
    }
    let mut rows = source.rows[nodules].to_vec();
    rows.iter_mut().for_each(change);
    let data = Dataset::new(source.header, rows, Voxels::I16(voxels), 1.0, 0.0).unwrap();
    write(dir, &data);
    data
}

fn write(dir: &Path, data: &Dataset) {
    std::fs::create_dir_all(dir).unwrap();
    for (name, bytes) in data.to_files().unwrap() {
        std::fs::write(dir.join(name), bytes).unwrap();
    }
}

/// Other patients than the training's, without ratings.
fn others(row: &mut Row) {
    row.patient_id = format!("other {}", row.patient_id);
    (row.ratings, row.mean_malignancy, row.malignancy_sum, row.readers) = (None, None, None, None);
}

#[test]
fn everything_trains_and_the_test_set_is_scored() {
    let place = Place::new();
    let (data, out) = (place.data(), place.name("run"));
    let test = part(&place.path("test"), 40..60, others);
    let words = ["train", "--data", &data, "--test", &place.name("test"), "--out", &out, "--epochs", "1"];
    let words = [&words[..], &["--method", "clip-lung", "--text-encoder", "random", "--json"]].concat();
    let metrics = json(&ok(&words));
    assert_eq!((&metrics["model"]["nodules"], &metrics["held_out"]), (&20.into(), &"none".into()));
    assert_eq!(metrics["test"]["sha256"].as_str().unwrap(), test.digest().unwrap());
    assert!(metrics["size_only"]["accuracy"].is_object(), "fitted on the training's diameters: {metrics}");
    let predictions = std::fs::read_to_string(place.path("run/predictions.csv")).unwrap();
    assert_eq!(predictions.lines().filter(|line| line.contains("other ")).count(), 20);
    let card = std::fs::read_to_string(place.path("run/model/README.md")).unwrap();
    assert!(card.contains("40 nodules (nothing left out)") && card.contains("Tested on "), "{card}");

    // the run is scored again on its test set, and on no other
    let again = json(&ok(&["evaluate", &out, "--data", &place.name("test"), "--json"]));
    assert_eq!(again["model"]["nodules"], 20);
    is_bad_input(&["evaluate", &out, "--data", &data], "it was tested on");
    // the same run goes on from its directory alone
    let resumed = json(&ok(&["train", "--resume", "--out", &out, "--json"]));
    assert_eq!(resumed, metrics);
}

#[test]
fn what_can_t_be_tested_on_is_refused() {
    let place = Place::new();
    let data = place.data();
    let train = |test: &str, more: &[&str]| -> Vec<String> {
        let (test, out) = (place.name(test), place.name("run"));
        let words = ["train", "--data", &data, "--test", &test, "--out", &out, "--epochs", "1", "--method", "ce"];
        [&words[..], more].concat().iter().map(|word| (*word).to_owned()).collect()
    };
    let refused = |test: &str, more: &[&str], part: &str| {
        is_bad_input(&train(test, more).iter().map(String::as_str).collect::<Vec<_>>(), part);
        assert!(!place.path("run/model").exists());
    };
    let shared = part(&place.path("shared"), 30..50, |_| ());
    let known: std::collections::BTreeSet<&str> = shared.rows[..10].iter().map(|r| r.patient_id.as_str()).collect();
    let first = known.first().unwrap();
    refused("shared", &[], &format!("{} patients train too ({first}", known.len()));

    let mut other = part(&place.path("box"), 40..60, others);
    other.header.crop = CropGeometry::cube(Extent::mm(32.0).unwrap());
    write(&place.path("box"), &other);
    refused("box", &[], "give crops of the same geometry");
    part(&place.path("no diameters"), 40..60, |row| {
        others(row);
        row.diameter_mm = None;
    });
    refused("no diameters", &["--diameter"], "has no diameter");
    part(&place.path("unsure"), 40..60, |row| {
        others(row);
        row.class = clip_lung_core::dataset::class::Class::Unsure;
    });
    refused("unsure", &["--task", "lidc-b"], "no nodule to score on lidc-b");
    refused("nowhere", &[], "nowhere");
    let usage = |more: &[&str]| {
        let words = train("shared", more);
        fails(&words.iter().map(String::as_str).collect::<Vec<_>>()).0
    };
    assert_eq!((usage(&["--fold", "1"]), usage(&["--held-out", "val"])), (2, 2));

    let words = train("shared", &["--allow-leaks"]);
    let out = common::run(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success() && said.contains("warning") && said.contains("patients train too"), "{said}");
    assert!(text(&place.path("run/model")).ends_with("model") && place.path("run/model").is_dir());
    // the same, typed from the directory beside it: the run goes on from anywhere, and keeps what it says of the leak
    let near = |word: String| word.replace(&place.name("shared"), "shared").replace(&place.name("run"), "again");
    let words: Vec<String> = words.into_iter().map(near).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert!(common::program(&words).current_dir(place.path("")).output().unwrap().status.success());
    let leak = || common::json(&std::fs::read_to_string(place.path("again/metrics.json")).unwrap())["leak"].clone();
    let before = leak();
    assert!(before.as_str().unwrap().starts_with("shared: "), "{before}");
    common::ok(&["train", "--resume", "--out", &place.name("again"), "--device", "cpu"]);
    assert_eq!(leak(), before);
}
