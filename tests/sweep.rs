//! A study: planned, run by workers of which some fail, continued on another machine; it ends as one that nobody disturbed.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
#[cfg(target_os = "linux")]
#[path = "sweep/signals.rs"]
mod signals;
mod study;

use std::collections::BTreeMap;
use std::path::Path;

use common::{fails, files, is_bad_input, ok, program, text};
use serde_json::Value;
use study::{ended, plan, plan_of, run, states, undisturbed};

/// Workers that can't begin say why, and the command ends.
#[test]
fn workers_that_cannot_begin_end_the_command() {
    let dir = tempfile::tempdir().unwrap();
    let study = plan(dir.path(), "study");
    std::fs::rename(dir.path().join("data"), dir.path().join("elsewhere")).unwrap();
    let (code, message) = fails(&["sweep", "run", &text(&study), "--jobs", "2", "--device", "cpu"]);
    // as the workers ended
    assert_eq!(code, 3, "{message}");
    assert!(message.contains("before it ran a cell") && message.contains("12 of 12 cells"), "{message}");
    assert!(message.contains(&text(&dir.path().join("data"))), "{message}");
}

/// A cell that can't run keeps its error, takes no other along, and is tried again.
#[test]
fn a_failing_cell_takes_no_other_along() {
    let dir = tempfile::tempdir().unwrap();
    let study = plan(dir.path(), "study");
    // a state that is none, where the second cell would write its own
    let broken = study.join("cells/corf.lidc-a.f0.s2");
    std::fs::create_dir_all(&broken).unwrap();
    std::fs::write(broken.join("state.safetensors"), b"not a state").unwrap();
    let (code, message) = fails(&["sweep", "run", &text(&study), "--device", "cpu"]);
    assert_eq!(code, 1, "{message}");
    assert!(message.contains("corf.lidc-a.f0.s2") && message.contains("state.safetensors"), "{message}");
    let failed: Vec<_> = states(&study).into_iter().filter(|(_, state)| state != "done").collect();
    // the cell that trains alike failed for itself, with its own directory: it trained
    assert_eq!(failed, [("corf.lidc-a.f0.s2".to_owned(), "failed".to_owned())]);
    std::fs::remove_file(broken.join("state.safetensors")).unwrap();
    run(&study);
    // and what it trained for itself equals what it would have taken over
    assert!(study.join("cells/corf.lidc-b.f0.s2/model").exists());
    assert_eq!(ended(&study), *undisturbed());
}

/// What stands in the table of `sweep status`, where a cell's settings can't be read: they are no other cell's trouble.
#[test]
fn a_damaged_cell_takes_no_other_along() {
    let dir = tempfile::tempdir().unwrap();
    let study = plan_of(&["--methods", "ce,nsb", "--tasks", "lidc-a", "--folds", "0-2"], dir.path(), "study");
    let name = text(&study);
    let cell = |id: &str| study.join("cells").join(id);
    ok(&["sweep", "run", &name, "--device", "cpu", "--cell", "ce.lidc-a.f0.s2"]);
    let damaged = cell("ce.lidc-a.f1.s2");
    for (place, file, content) in
        [(&damaged, "config.json", "{\"method\""), (&cell("nsb.lidc-a.f0.s2"), "error.txt", "no\nmore")]
    {
        std::fs::create_dir_all(place).unwrap();
        std::fs::write(place.join(file), content).unwrap();
    }
    std::fs::create_dir_all(cell("nsb.lidc-a.f1.s2")).unwrap();
    let lock = std::fs::File::create(cell("nsb.lidc-a.f1.s2").join("lock")).unwrap();
    lock.lock().unwrap();
    let told = ok(&["sweep", "status", &name]);
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].starts_with("ce.lidc-a.f0.s2   done      ") && lines[0].ends_with(" s"), "{told}");
    assert!(lines[2].starts_with("ce.lidc-a.f1.s2   stale     "), "{told}");
    assert!(lines[2].contains(&text(&damaged.join("config.json"))) && lines[2].ends_with("to run it again"), "{told}");
    assert_eq!((lines[1], lines[3]), ("nsb.lidc-a.f0.s2  failed    no", "nsb.lidc-a.f1.s2  running   step 0 of 0"));
    assert_eq!(lines[4..6], ["ce.lidc-a.f2.s2   waiting", "nsb.lidc-a.f2.s2  waiting"]);
    assert_eq!(lines[6..], ["1 done, 1 running, 1 failed, 1 stale, 2 waiting"]);
    let locked = ["sweep", "run", &name, "--device", "cpu", "--cell", "nsb.lidc-a.f1.s2"];
    is_bad_input(&locked, "another process runs the cell; wait for it with --wait");
    drop(lock);
    // what can be run is run, and what can be submitted is
    let tasks = ok(&["sweep", "submit", &name, "--engine", "slurm", "--dry-run"]);
    assert!(tasks.contains("    nsb.lidc-a.f2.s2\n") && !tasks.contains("ce.lidc-a.f1.s2"), "{tasks}");
    let (code, message) = fails(&["sweep", "run", &name, "--device", "cpu"]);
    assert!(code == 1 && message.contains("1 of 6 cells") && message.contains("config.json"), "{message}");
    std::fs::remove_dir_all(damaged).unwrap();
    ok(&["sweep", "run", &name, "--device", "cpu"]);
    // what a report compares with is written again, though no cell is left to run
    let anchors = study.join("anchors");
    let kept = files(&anchors);
    std::fs::remove_dir_all(&anchors).unwrap();
    ok(&["sweep", "run", &name, "--device", "cpu"]);
    assert!(!kept.is_empty() && files(&anchors) == kept);
}

/// What a cell takes over was trained by the program that trained it; where the best epoch is kept, each cell trains for itself, as its
/// settings in the study say.
#[test]
fn what_is_taken_over_says_who_trained_it() {
    let dir = tempfile::tempdir().unwrap();
    let study = plan_of(&["--methods", "ce", "--tasks", "lidc-a,lidc-b", "--folds", "0"], dir.path(), "study");
    let run = |cell: &str| drop(ok(&["sweep", "run", &text(&study), "--device", "cpu", "--cell", cell]));
    run("ce.lidc-a.f0.s2");
    let metrics = |cell: &str| study.join("cells").join(cell).join("metrics.json");
    let read = |cell: &str| -> Value { serde_json::from_slice(&std::fs::read(metrics(cell)).unwrap()).unwrap() };
    let mut trained = read("ce.lidc-a.f0.s2");
    trained["program"]["git_commit"] = "another".into();
    std::fs::write(metrics("ce.lidc-a.f0.s2"), trained.to_string()).unwrap();
    run("ce.lidc-b.f0.s2");
    assert_eq!(read("ce.lidc-b.f0.s2")["program"], trained["program"]);
    // what was changed since it was trained is not taken over
    std::fs::remove_dir_all(study.join("cells/ce.lidc-b.f0.s2")).unwrap();
    let predictions = study.join("cells/ce.lidc-a.f0.s2/predictions.csv");
    let kept = std::fs::read_to_string(&predictions).unwrap();
    std::fs::write(&predictions, kept + "\n").unwrap();
    is_bad_input(&["sweep", "run", &text(&study), "--device", "cpu", "--cell", "ce.lidc-b.f0.s2"], "predictions.csv");
}

/// Validation and the chosen epoch are settings of a cell, and make what `train` makes of them.
#[test]
fn the_best_epoch_of_a_cell() {
    let dir = tempfile::tempdir().unwrap();
    let best = ["--validate", "inner", "--choose-epoch", "best", "--epochs", "2"];
    let grid = [&["--methods", "ce", "--tasks", "lidc-a,lidc-b", "--folds", "0"][..], &best].concat();
    let study = plan_of(&grid, dir.path(), "study");
    ok(&["sweep", "run", &text(&study), "--device", "cpu"]);
    let (data, run) = (text(&dir.path().join("data")), text(&dir.path().join("run")));
    let recipe = ["--folds", "3", "--batch-size", "16", "--lr", "0.01", "--method", "ce", "--device", "cpu"];
    let train = ["train", "--data", &data, "--out", &run, "--task", "lidc-b"];
    ok(&[&train[..], &recipe, &best].concat());
    let read = |place: &Path, file: &str| std::fs::read_to_string(place.join(file)).unwrap();
    // lidc-b validates on other nodules than lidc-a, so that it takes nothing over
    let cell = study.join("cells/ce.lidc-b.f0.s2");
    for file in ["config.json", "predictions.csv", "log.jsonl"] {
        assert!(read(&cell, file) == read(Path::new(&run), file), "{file}");
    }
    assert!(read(&cell, "config.json").contains("\"choose\": \"best\"") && cell.join("model").exists());
    let plan = ["sweep", "plan", &text(&dir.path().join("none")), "--data", &data, "--methods", "ce"];
    for (words, part) in [
        (["--choose-epoch", "best"], "nothing is validated on"),
        (["--validate", data.as_str()], "[possible values: inner]"),
    ] {
        let (code, message) = fails(&[&plan[..], &words].concat());
        assert!(code == 2 && message.contains(part), "{message}");
    }
}

/// A study of two text encoders, picked up where nothing says how they are loaded.
#[test]
fn text_encoders_of_a_study_planned_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let grid = ["--methods", "clip-lung", "--tasks", "lidc-a", "--folds", "0", "--variants", "random-text"];
    let study = plan_of(&grid, dir.path(), "study");
    let places = study.join("places.json");
    let kept = std::fs::read(&places).unwrap();
    std::fs::remove_file(&places).unwrap();
    let (name, data) = (text(&study), text(&dir.path().join("data")));
    let run = ["sweep", "run", &name, "--device", "cpu", "--data", &data];
    // one that the study does not have is refused, and nothing of it kept
    let (code, message) = fails(&[&run[..], &["--text-encoder", "random", "--text-seed", "3"]].concat());
    assert!(code == 2 && message.contains("seed 3") && message.contains("random tower (seed 2"), "{message}");
    assert!(!places.exists());
    // one that is missing is named, with the option
    let cell = ["--cell", "clip-lung.lidc-a.f0.s2"];
    let (code, message) = fails(&[&run[..], &cell, &["--text-encoder", "random"]].concat());
    assert!(code == 3 && message.contains("BERT's kind") && message.contains("--text-encoder"), "{message}");
    for several in [
        &["--text-encoder", "random:minilm,random"][..],
        &["--text-encoder", "random", "--text-encoder", "random:minilm"],
    ] {
        std::fs::remove_file(&places).unwrap();
        let submit = ["sweep", "submit", &name, "--engine", "slurm", "--data", &data];
        let mut submit = program(&[&submit[..], several].concat());
        // there is no sbatch: what was said is kept before
        assert!(!submit.env("PATH", dir.path()).output().unwrap().status.success());
        let encoders = |bytes: &[u8]| {
            let places: Value = serde_json::from_slice(bytes).unwrap();
            let known = places["text_encoders"].as_array().unwrap().clone();
            known.iter().map(|e| (e["name"].to_string(), e["choice"].to_string())).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(encoders(&std::fs::read(&places).unwrap()), encoders(&kept));
    }
}

/// Predictions and metrics alone, as a repository keeps them, are done; the rest is run where the data lie elsewhere.
#[test]
fn what_was_kept_is_not_run_again() {
    let dir = tempfile::tempdir().unwrap();
    let study = plan(dir.path(), "study");
    ok(&["sweep", "run", &text(&study), "--device", "cpu", "--cell", "ce.lidc-a.f0.s2"]);
    let clone = dir.path().join("clone");
    let cell = "cells/ce.lidc-a.f0.s2";
    std::fs::create_dir_all(clone.join(cell)).unwrap();
    for file in ["study.json", "cells/ce.lidc-a.f0.s2/config.json"] {
        std::fs::copy(study.join(file), clone.join(file)).unwrap();
    }
    let state = || states(&clone)[0].1.clone();
    assert_eq!(state(), "waiting");
    for file in ["predictions.csv", "metrics.json"] {
        std::fs::copy(study.join(cell).join(file), clone.join(cell).join(file)).unwrap();
    }
    assert_eq!(state(), "done");
    // planned elsewhere: where are the data?
    let (code, message) = fails(&["sweep", "run", &text(&clone), "--cell", "ce.lidc-a.f1.s2"]);
    assert!(code == 2 && message.contains("--data"), "{message}");
    let data = text(&dir.path().join("data"));
    ok(&["sweep", "run", &text(&clone), "--cell", "ce.lidc-a.f1.s2", "--data", &data, "--device", "cpu"]);
    // other data are refused before their place is kept
    let (other, places) = (text(&dir.path().join("other")), clone.join("places.json"));
    ok(&["phantom", "--limit", "20", "--out", &other]);
    let said = std::fs::read(&places).unwrap();
    is_bad_input(&["sweep", "run", &text(&clone), "--data", &other], "name that data set with --data");
    assert_eq!(std::fs::read(&places).unwrap(), said);
    // nor is a finished cell the place of another run
    let train = ["train", "--data", &data, "--out", &text(&study.join(cell)), "--method", "ce", "--epochs", "3"];
    is_bad_input(&train, "belongs to another run");
    assert!(study.join(cell).join("model").exists());
    // another program
    let metrics = clone.join(cell).join("metrics.json");
    let kept = std::fs::read_to_string(&metrics).unwrap();
    std::fs::write(&metrics, kept.replace("\"arithmetic\": 1", "\"arithmetic\": 0")).unwrap();
    assert_eq!(state(), "stale");
    // another cell's metrics, and predictions that were changed
    std::fs::write(&metrics, kept.replace("\"fold\": 0", "\"fold\": 1")).unwrap();
    assert_eq!(state(), "stale");
    std::fs::write(&metrics, kept).unwrap();
    assert_eq!(state(), "done");
    let predictions = clone.join(cell).join("predictions.csv");
    let written = std::fs::read_to_string(&predictions).unwrap();
    std::fs::write(&predictions, written.replacen("benign", "unsure", 1)).unwrap();
    assert_eq!(state(), "stale");
    assert!(ok(&["sweep", "status", &text(&clone)]).contains("predictions.csv was changed"));
    // nor does running it by its name replace it
    is_bad_input(
        &["sweep", "run", &text(&clone), "--cell", cell.trim_start_matches("cells/")],
        "predictions.csv was changed",
    );
    assert_eq!(state(), "stale");
    std::fs::write(&predictions, written).unwrap();
    assert_eq!(state(), "done");
    // other settings
    let config = clone.join(cell).join("config.json");
    let other = std::fs::read_to_string(&config).unwrap().replace("\"lr\": 0.01", "\"lr\": 0.02");
    std::fs::write(&config, other).unwrap();
    assert_eq!(state(), "stale");
}

#[test]
fn plans_that_make_no_study() {
    let dir = tempfile::tempdir().unwrap();
    let study = text(&plan(dir.path(), "study"));
    let data = text(&dir.path().join("data"));
    for (words, part) in [
        (["--methods", "best"], "no method `best`"),
        (["--tasks", "lidc-d"], "no task `lidc-d`"),
        (["--folds", "4-2"], "0-4"),
        (["--fold-count", "0"], "2..=1000"),
        (["--fold-count", "1000000000000"], "2..=1000"),
        (["--variants", "ica"], "random-text"),
    ] {
        let (code, message) = fails(&["sweep", "plan", &study, "--data", &data, words[0], words[1]]);
        assert!(code == 2 && message.contains(part), "{words:?}: {message}");
    }
    let other = ["sweep", "plan", &study, "--data", &data, "--methods", "ce", "--fold-count", "3"];
    is_bad_input(&other, "ce.lidc-a.f0.s2 with other settings");
    is_bad_input(&["sweep", "plan", &study, "--data", "phantom", "--methods", "ce"], "plan another study");
    is_bad_input(&["sweep", "run", &data], "sweep plan");
    // a cell starts from nothing but its seed
    let file = Path::new(&study).join("study.json");
    let planned = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, planned.replacen("\"lr\"", "\"init\": \"a model\", \"lr\"", 1)).unwrap();
    is_bad_input(&["sweep", "run", &study, "--cell", "ce.lidc-a.f0.s2", "--device", "cpu"], "a model to start from");
    std::fs::write(&file, planned).unwrap();
    // more cells of the same study; what is named twice is meant once
    let more =
        ["--methods", "nsb,nsb", "--tasks", "lidc-a,lidc-a", "--folds", "0", "--fold-count", "3", "--epochs", "1"];
    let head = ["sweep", "plan", study.as_str(), "--data", data.as_str()];
    assert!(ok(&head.iter().chain(&more).copied().collect::<Vec<_>>()).contains("13 cells, 1 of them new"));
}
