//! A study: planned, run by workers that are killed, continued on another machine; it ends as one that nobody disturbed.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
mod study;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use clip_lung_core::base::random::Stream;
use common::{fails, is_bad_input, ok, program, text};
use study::{plan, run, same, states};

/// kill -9 of everything, of the command alone (its workers then stop by themselves) and of a worker alone, ten times at random moments.
#[cfg(target_os = "linux")]
#[test]
fn killed_at_random_moments_it_ends_bit_equal() {
    let dir = tempfile::tempdir().unwrap();
    let undisturbed = plan(dir.path(), "undisturbed");
    run(&undisturbed);
    let study = plan(dir.path(), "killed");
    let mut random = Stream::new(3, 1);
    let children = |pid: u32| -> Vec<u32> {
        let listed = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        listed.split_whitespace().filter_map(|p| p.parse().ok()).collect()
    };
    let kill = |pid: u32| {
        let _ = std::process::Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
    };
    for round in 0..10 {
        let words = ["sweep", "run", &text(&study), "--jobs", "2", "--device", "cpu", "--save-every", "0"];
        let mut child = program(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(300 + (random.uniform() * 1700.0) as u64));
        let workers = children(child.id());
        match round % 3 {
            0 => {
                workers.iter().for_each(|w| kill(*w));
                kill(child.id());
            }
            1 => kill(child.id()),
            _ => {
                workers.first().into_iter().for_each(|w| kill(*w));
                std::thread::sleep(Duration::from_millis(200));
                kill(child.id());
            }
        }
        child.wait().unwrap();
        // workers whose command is gone save and end
        for _ in 0..600 {
            if workers.iter().all(|w| !Path::new(&format!("/proc/{w}")).exists()) {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    run(&study);
    same(&study, &undisturbed);
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
    let undisturbed = plan(dir.path(), "undisturbed");
    run(&undisturbed);
    // and what it trained for itself equals what it would have taken over
    let cell = Path::new("cells/corf.lidc-b.f0.s2");
    assert!(study.join(cell).join("model").exists() && !undisturbed.join(cell).join("model").exists());
    for file in ["predictions.csv", "metrics.json"] {
        let read = |study: &Path| std::fs::read(study.join(cell).join(file)).unwrap();
        assert!(read(&study) == read(&undisturbed), "{file}");
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
    // another program
    let metrics = clone.join(cell).join("metrics.json");
    let kept = std::fs::read_to_string(&metrics).unwrap();
    std::fs::write(&metrics, kept.replace("\"arithmetic\": 1", "\"arithmetic\": 0")).unwrap();
    assert_eq!(state(), "stale");
    std::fs::write(&metrics, kept).unwrap();
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
        (["--variants", "ica"], "random-text"),
    ] {
        let (code, message) = fails(&["sweep", "plan", &study, "--data", &data, words[0], words[1]]);
        assert!(code == 2 && message.contains(part), "{words:?}: {message}");
    }
    let other = ["sweep", "plan", &study, "--data", &data, "--methods", "ce", "--fold-count", "3"];
    is_bad_input(&other, "ce.lidc-a.f0.s2 with other settings");
    is_bad_input(&["sweep", "plan", &study, "--data", "phantom", "--methods", "ce"], "plan another study");
    is_bad_input(&["sweep", "run", &data], "sweep plan");
    // more cells of the same study
    let more = ["--methods", "nsb", "--folds", "0", "--fold-count", "3", "--epochs", "1"];
    let head = ["sweep", "plan", study.as_str(), "--data", data.as_str()];
    assert!(ok(&head.iter().chain(&more).copied().collect::<Vec<_>>()).contains("13 cells, 1 of them new"));
}
