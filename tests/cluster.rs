//! A study on a cluster: what the schedulers are told, and that a study of which a worker dies or a task is queued anew ends as one
//! that nobody disturbed.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
mod study;

#[path = "cluster/engines.rs"]
mod engines;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{fails, ok, program, text};
use serde_json::Value;
use snapbox::assert::DEFAULT_ACTION_ENV;
use snapbox::{Assert, Data};
use study::{plan_of, states};

/// A name that no shell takes as it stands.
const NAME: &str = "it's a \"study\"";

/// Three cells of which the last waits for the first.
fn small(dir: &Path) -> PathBuf {
    plan_of(&["--methods", "ce", "--tasks", "lidc-b,lidc-a", "--folds", "0"], dir, NAME);
    // one of many steps, to be told to stop in the middle of
    plan_of(&["--methods", "nsb", "--tasks", "lidc-a", "--folds", "1", "--epochs", "6"], dir, NAME)
}

/// Programs that stand in for a cluster's, on a path of their own; each call is a line of the file `calls` beside them.
fn stand_ins(dir: &Path, programs: &[(&str, &str)]) -> PathBuf {
    let place = dir.join("programs");
    std::fs::create_dir_all(&place).unwrap();
    for (name, body) in programs {
        let calls = place.join("calls");
        let script = format!("#!/bin/sh\necho \"{name} $*\" >> '{}'\n{body}\n", calls.display());
        std::fs::write(place.join(name), script).unwrap();
        std::fs::set_permissions(place.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    place
}

fn calls(place: &Path) -> String {
    std::fs::read_to_string(place.join("calls")).unwrap_or_default()
}

/// `sweep submit` where these programs are; whether it succeeded, and what it said.
fn submit(study: &Path, words: &[&str], programs: &Path) -> (bool, String) {
    let mut command = program(&["sweep", "submit", &text(study)]);
    let out = command.args(words).env("PATH", programs).output().unwrap();
    let said = [out.stdout, out.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (out.status.success(), said)
}

/// `SNAPSHOTS=overwrite` writes the files of `cluster/` anew: read the difference before it is committed.
#[test]
fn what_schedulers_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    let study = text(&small(&root));
    let gpu = ["--gpus", "1", "--cpus", "4", "--save-every", "30"];
    let slurm = ["--time", "4:00:00", "--partition", "gpu", "--account", "lung", "--at-once", "2"];
    for (engine, own) in [("hyperqueue", &[][..]), ("slurm", &slurm[..])] {
        let words = ["sweep", "submit", &study, "--engine", engine, "--dry-run"];
        let told = ok(&[&words[..], &gpu, own].concat());
        let told = told.replace(env!("CARGO_BIN_EXE_clip-lung"), "/bin/clip-lung").replace(&text(&root), "/home");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/cluster/{engine}.txt"));
        Assert::new().action_env(DEFAULT_ACTION_ENV).normalize_paths(false).eq(told, Data::read_from(&file, None));
    }
    let left: Vec<_> = std::fs::read_dir(&study).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("slurm")), "{left:?}");
}

#[test]
fn submitted_with_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let study = small(dir.path());
    let none = stand_ins(&dir.path().join("none"), &[]);
    let hyperqueue = ["--engine", "hyperqueue"];
    let (done, said) = submit(&study, &hyperqueue, &none);
    assert!(!done && said.contains("pip install hyperqueue"), "{said}");
    let (done, said) = submit(&study, &["--engine", "slurm"], &none);
    assert!(!done && said.contains("sbatch"), "{said}");

    let python = stand_ins(&dir.path().join("python"), &[("python3", "exit 0")]);
    assert!(submit(&study, &hyperqueue, &python).0);
    assert!(calls(&python).ends_with("\npython3 hyperqueue_job.py\n"), "{}", calls(&python));
    let without = stand_ins(&dir.path().join("without"), &[("python3", "exit 1")]);
    let (done, said) = submit(&study, &hyperqueue, &without);
    assert!(!done && said.contains("pip install hyperqueue"), "{said}");
    let hq = stand_ins(&dir.path().join("hq"), &[("python3", "exit 0"), ("hq", "exit 0")]);
    assert!(submit(&study, &hyperqueue, &hq).0);
    assert_eq!(calls(&hq), "hq job submit-file hyperqueue.toml\n");
    let refusing = stand_ins(&dir.path().join("refusing"), &[("hq", "exit 1")]);
    let (done, said) = submit(&study, &hyperqueue, &refusing);
    assert!(!done && said.contains("hyperqueue.toml"), "{said}");

    // the number of a job may have the cluster's name behind it
    let sbatch = stand_ins(&dir.path().join("sbatch"), &[("sbatch", "echo '41;here'")]);
    let (done, said) = submit(&study, &["--engine", "slurm", "--at-once", "3"], &sbatch);
    assert!(done && said.contains("3 cells submitted"), "{said}");
    let second = "sbatch --parsable --array=2-2%3 --dependency=afterany:41 slurm.sh";
    assert_eq!(calls(&sbatch), format!("sbatch --parsable slurm.sh\n{second}\n"));

    // only what is not done
    for cell in ["ce.lidc-a.f0.s2", "ce.lidc-b.f0.s2"] {
        ok(&["sweep", "run", &text(&study), "--cell", cell, "--device", "cpu"]);
    }
    assert!(submit(&study, &["--engine", "slurm"], &sbatch).1.contains("1 cells submitted"));
    let script = std::fs::read_to_string(study.join("slurm.sh")).unwrap();
    assert!(script.contains("cells=(\n    nsb.lidc-a.f1.s2\n)\n"), "{script}");
    ok(&["sweep", "run", &text(&study), "--device", "cpu"]);
    assert!(submit(&study, &["--engine", "slurm"], &none).1.contains("no cell is waiting"));
}

/// The script by itself: Slurm tells it that the time is nearly up, the program saves, the task is queued anew and goes on.
#[test]
fn a_task_of_slurm_saves_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let study = small(dir.path());
    let state = "cat \"$(dirname \"$0\")/state\"";
    let slurm = stand_ins(dir.path(), &[("sbatch", "echo 7"), ("squeue", state), ("scontrol", "exit 0")]);
    assert!(submit(&study, &["--engine", "slurm", "--save-every", "3600"], &slurm).0);
    let cell = study.join("cells/nsb.lidc-a.f1.s2");
    let task = |number: &str| {
        let mut command = Command::new("bash");
        command.arg(study.join("slurm.sh")).stdout(Stdio::null()).stderr(Stdio::null());
        command.env("PATH", format!("{}:/usr/bin:/bin", slurm.display()));
        command.env("SLURM_ARRAY_JOB_ID", "7").env("SLURM_ARRAY_TASK_ID", number);
        command.spawn().unwrap()
    };
    // once because the time is up, once because somebody cancels it
    for (state, requeued) in [("RUNNING", true), ("COMPLETING", false)] {
        let _ = std::fs::remove_dir_all(&cell);
        let _ = std::fs::remove_file(slurm.join("calls"));
        std::fs::write(slurm.join("state"), state).unwrap();
        let mut child = task("1");
        while !std::fs::read_to_string(cell.join("log.jsonl")).is_ok_and(|l| !l.is_empty()) {
            std::thread::sleep(Duration::from_millis(5));
        }
        Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(4));
        assert_eq!(calls(&slurm).contains("scontrol requeue 7_1"), requeued, "{}", calls(&slurm));
        assert!(cell.join("state.safetensors").is_file());
    }
    assert_eq!(task("1").wait().unwrap().code(), Some(0));
    assert!(states(&study).contains(&("nsb.lidc-a.f1.s2".into(), "done".into())));
    assert_eq!(task("3").wait().unwrap().code(), Some(1), "there is no such task");
}

/// A cell that a process still has, as one that a scheduler has just told to stop, is waited for when asked.
#[test]
fn a_cell_that_another_process_has() {
    let dir = tempfile::tempdir().unwrap();
    let study = small(dir.path());
    let cell = "ce.lidc-a.f0.s2";
    let place = study.join("cells").join(cell);
    std::fs::create_dir_all(&place).unwrap();
    let lock = std::fs::File::create(place.join("lock")).unwrap();
    lock.lock().unwrap();
    let name = text(&study);
    // neither it nor the cell that waits for it is submitted
    let told = ok(&["sweep", "submit", &name, "--engine", "slurm", "--dry-run"]);
    assert!(told.contains("cells=(\n    nsb.lidc-a.f1.s2\n)\n"), "{told}");
    let words = ["sweep", "run", name.as_str(), "--cell", cell, "--device", "cpu"];
    let (code, message) = fails(&words);
    assert!(code == 3 && message.contains("another process"), "{message}");
    let (code, message) = fails(&[&words[..], &["--wait", "1"]].concat());
    assert!(code == 3 && message.contains("another process"), "{message}");
    let mut waiting = program(&[&words[..], &["--wait", "600"]].concat());
    let mut waiting = waiting.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(700));
    assert!(waiting.try_wait().unwrap().is_none());
    drop(lock);
    assert!(waiting.wait().unwrap().success());
    assert!(states(&study).contains(&(cell.into(), "done".into())));
}

#[test]
fn submissions_that_are_none() {
    let dir = tempfile::tempdir().unwrap();
    let study = small(dir.path());
    let name = text(&study);
    for (words, part) in [
        (&["--engine", "pbs"][..], "hyperqueue, slurm"),
        (&["--engine", "hyperqueue", "--time", "1:00:00"], "Slurm's"),
        (&["--engine", "slurm", "--partition", "gpu\n#SBATCH --nodes=9"], "plain word"),
        (&["--engine", "slurm", "--gpus", "2"], "0..=1"),
        (&["--engine", "slurm", "--cpus", "0"], "--cpus"),
    ] {
        let (code, message) = fails(&[&["sweep", "submit", &name, "--dry-run"][..], words].concat());
        assert!(code == 2 && message.contains(part), "{words:?}: {message}");
    }
    let mut planned: Value = serde_json::from_slice(&std::fs::read(study.join("study.json")).unwrap()).unwrap();
    let config = &mut planned["cells"][0]["config"];
    config["lr"] = 0.5.into();
    let stale = study.join("cells/ce.lidc-b.f0.s2");
    std::fs::create_dir_all(&stale).unwrap();
    std::fs::write(stale.join("config.json"), config.to_string()).unwrap();
    let slurm = stand_ins(dir.path(), &[("sbatch", "echo 7")]);
    let (done, said) = submit(&study, &["--engine", "slurm"], &slurm);
    assert!(done && said.contains("2 cells submitted"), "{said}");
    assert!(said.contains("cells/ce.lidc-b.f0.s2 is of other settings"), "{said}");
    std::fs::remove_file(study.join("places.json")).unwrap();
    let (code, message) = fails(&["sweep", "submit", &name, "--engine", "slurm", "--dry-run"]);
    assert!(code == 2 && message.contains("--data"), "{message}");
}
