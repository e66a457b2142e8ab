//! The audit of a data set: leaks are found and refused unless asked for, readers are known again.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::path::Path;

use clip_lung_core::dataset::class::Thresholds;
use clip_lung_core::dataset::crops::{Dataset, Voxels};
use clip_lung_core::dataset::folds::by_patient;
use clip_lung_core::dataset::table::Row;
use clip_lung_core::phantom::phantom;
use clip_lung_core::volume::crop::VOXELS;
use common::{Place, fails, is_bad_input, json, ok, run, skipped, text};

#[test]
fn a_clean_split_passes_and_a_leaking_one_is_refused() {
    let place = Place::new();
    let data = place.data();
    let said = ok(&["inspect", &data, "--audit"]);
    for words in [
        "40 nodules, 5 folds of seed 2",
        "patients in two folds or more: 0",
        "median, strict, 3 or more readers",
        "a further reader",
    ] {
        assert!(said.contains(words), "`{words}` is not in: {said}");
    }
    let single = ["inspect", &data, "--audit", "--grouping", "nodule"];
    is_bad_input(&single, "patients are on both sides");
    // what was found is printed all the same
    let json_too = [&single[..], &["--json"]].concat();
    let out = run(&json_too);
    assert_eq!(out.status.code(), Some(3));
    let found = json(&String::from_utf8(out.stdout).unwrap());
    assert!(!found["leakage"]["patients"].as_array().unwrap().is_empty());
    assert_eq!(found["scored"].as_u64(), Some(40));
    ok(&[&single[..], &["--allow-leaks"]].concat());
    assert_eq!(fails(&["inspect", &data, "--folds", "3"]).0, 2);
    assert_eq!(fails(&["inspect", &data, "--audit", "--folds", "1"]).0, 2);
    assert!(!place.path("data/inspect.html").exists());
}

/// A crop of one patient under another patient's name, in coarser grey steps.
#[test]
fn a_copied_crop_is_refused_where_it_is_in_another_fold() {
    let source = phantom(Thresholds::Inclusive, Some(40)).unwrap();
    let (mut rows, mut voxels, mut hu) = (source.rows.clone(), Vec::new(), vec![0.0; VOXELS]);
    for (i, step) in (0..source.len()).map(|i| (i, 1.0)).chain([(0, 23.0)]) {
        source.write_hu(i, &mut hu);
        voxels.extend(hu.iter().map(|v| ((v / step).round() * step) as i16));
    }
    rows.push(Row { nodule_id: "copy".into(), patient_id: "another".into(), ..rows[0].clone() });
    let apart = |seed: &u64| {
        let folds = by_patient(&rows, 5, *seed).unwrap();
        folds[0] != folds[rows.len() - 1]
    };
    let seed = (0..20).find(apart).unwrap().to_string();
    let place = Place::new();
    std::fs::create_dir(place.path("data")).unwrap();
    for (name, bytes) in Dataset::new(source.header, rows, Voxels::I16(voxels), 1.0, 0.0).unwrap().to_files().unwrap() {
        std::fs::write(place.path("data").join(name), bytes).unwrap();
    }
    let (data, refused) = (place.name("data"), "nodules 0 and copy");
    // a study of them is refused too, before anything of it is written
    let study = place.name("study");
    let plan = ["sweep", "plan", &study, "--data", &data, "--methods", "ce", "--fold-seed", &seed];
    is_bad_input(&plan, refused);
    assert!(!place.path("study").exists());
    assert!(ok(&[&plan[..], &["--allow-leaks"]].concat()).contains("5 cells"));
    // what was found stays with the study
    let kept = json(&std::fs::read_to_string(place.path("study/audit.json")).unwrap());
    assert_eq!(kept["leakage"]["twins"][0]["second"], "copy");
    let audit = ["inspect", &data, "--audit", "--fold-seed", &seed];
    is_bad_input(&audit, refused);
    assert!(ok(&[&audit[..], &["--allow-leaks"]].concat()).contains("0 and copy: 0.99"));
}

/// Folds of the table's own that part a patient's nodules.
#[test]
fn a_study_of_patients_on_two_sides_is_refused() {
    let place = Place::new();
    let (data, study) = (place.data(), place.name("study"));
    let table = place.path("data/nodules.csv");
    let rows = std::fs::read_to_string(&table).unwrap();
    let dealt = |(i, row): (usize, &str)| if i == 0 { format!("{row},fold\n") } else { format!("{row},{}\n", i % 3) };
    std::fs::write(&table, rows.lines().enumerate().map(dealt).collect::<String>()).unwrap();
    let plan = ["sweep", "plan", &study, "--data", &data, "--methods", "ce", "--folds", "0-2"];
    is_bad_input(&plan, "of the table; deal whole patients");
    let single = [&plan[..], &["--grouping", "nodule"]].concat();
    is_bad_input(&single, "patients are on both sides");
    is_bad_input(&single, "--allow-leaks");
    assert!(!place.path("study").exists());
    assert!(ok(&[&single[..], &["--allow-leaks"]].concat()).contains("3 cells"));
}

/// Real crops, whose readers the program knows from their ratings.
#[test]
fn real_nodules_find_their_readers() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/lidc-context");
    if !dir.is_dir() {
        skipped(&format!("{} is not there", dir.display()));
        return;
    }
    let found = json(&ok(&["inspect", &text(&dir), "--audit", "--json"]));
    let (nodules, scored) = (found["nodules"].as_u64().unwrap(), found["scored"].as_u64().unwrap());
    assert!(nodules == 2034 && scored > 1900, "{scored} of {nodules}");
    assert_eq!(found["leakage"], serde_json::json!({"patients": [], "twins": []}));
    // the class by its own rule is that of the table
    let policy = &found["policies"][0];
    assert_eq!((&policy["counts"], &policy["min_readers"]), (&[917, 772, 345].into(), &1.into()));
}
