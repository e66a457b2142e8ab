//! A run that is killed, interrupted or starved of disk goes on as if nothing had happened.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clip_lung_core::base::random::Stream;
use common::{ok, program, run, text};

/// Four steps of eight crops, the state saved after each.
fn arguments(data: &Path, out: &Path) -> Vec<String> {
    let words = [
        "train",
        "--method",
        "ce",
        "--epochs",
        "2",
        "--batch-size",
        "16",
        "--lr",
        "0.01",
        "--device",
        "cpu",
        "--save-every",
        "0",
        "--data",
    ];
    words.iter().map(|w| (*w).to_owned()).chain([text(data), "--out".into(), text(out)]).collect()
}

fn weights(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("model/model.safetensors")).unwrap()
}

fn data(dir: &Path) -> PathBuf {
    let data = dir.join("data");
    ok(&["phantom", "--limit", "40", "--out", &text(&data)]);
    data
}

fn train(data: &Path, out: &Path) {
    let words = arguments(data, out);
    ok(&words.iter().map(String::as_str).collect::<Vec<_>>());
}

/// Same seed, any number of threads: bit-equal weights.
#[test]
fn thread_count_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(dir.path());
    let of = |threads: &str| {
        let out = dir.path().join(threads);
        let words = arguments(&data, &out);
        let status = program(&words.iter().map(String::as_str).collect::<Vec<_>>())
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .unwrap();
        assert!(status.status.success());
        weights(&out)
    };
    let one = of("1");
    assert!(one == of("2"), "two threads give other weights than one");
    assert!(one == of("3"), "three threads give other weights than one");
}

/// kill -9 at 20 random moments, each resumed: final weights, predictions and log as if never killed.
#[test]
fn killed_runs_continue_bit_equal() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(dir.path());
    let reference = dir.path().join("whole");
    let start = Instant::now();
    train(&data, &reference);
    let whole = start.elapsed().as_secs_f64();
    let mut random = Stream::new(std::process::id().into(), 0);
    for round in 0..20 {
        let out = dir.path().join(format!("killed-{round}"));
        let words = arguments(&data, &out);
        let mut child = program(&words.iter().map(String::as_str).collect::<Vec<_>>())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let moment = random.between(0.05, whole);
        std::thread::sleep(Duration::from_secs_f64(moment));
        child.kill().unwrap();
        child.wait().unwrap();
        train(&data, &out);
        assert!(weights(&out) == weights(&reference), "killed after {moment:.2} s of {whole:.2} s: other weights");
        for file in ["predictions.csv", "log.jsonl"] {
            let read = |run: &Path| std::fs::read(run.join(file)).unwrap();
            assert!(read(&out) == read(&reference), "killed after {moment:.2} s: {file} differs");
        }
        std::fs::remove_dir_all(&out).unwrap();
    }
}

/// SIGTERM: the step is finished, the state saved, exit code 4; the same command continues.
#[cfg(unix)]
#[test]
fn a_signal_saves_and_exits_4() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(dir.path());
    let (whole, out) = (dir.path().join("whole"), dir.path().join("stopped"));
    train(&data, &whole);
    let mut words = arguments(&data, &out);
    let at = words.iter().position(|w| w == "--save-every").unwrap();
    words[at + 1] = "3600".into();
    let mut child = program(&words.iter().map(String::as_str).collect::<Vec<_>>())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    while !std::fs::read_to_string(out.join("log.jsonl")).is_ok_and(|l| !l.is_empty()) {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(4));
    assert!(out.join("state.safetensors").is_file() && !out.join("model").exists());
    train(&data, &out);
    assert!(weights(&out) == weights(&whole));
}

/// Another configuration or other data: refused, exit code 3, nothing changed. A second writer: refused.
#[test]
fn other_runs_and_second_writers_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(dir.path());
    let out = dir.path().join("run");
    train(&data, &out);
    let before = std::fs::read(out.join("state.safetensors")).unwrap();
    let refused = |words: Vec<String>, reason: &str| {
        let result = run(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let message = String::from_utf8_lossy(&result.stderr).into_owned();
        assert_eq!(result.status.code(), Some(3), "{message}");
        assert!(message.contains(reason), "{message}");
    };
    let mut other = arguments(&data, &out);
    other[8] = "0.02".into();
    refused(other, "its lr is 0.01, not 0.02");
    let second = dir.path().join("second");
    ok(&["phantom", "--limit", "41", "--out", &text(&second)]);
    refused(arguments(&second, &out), "its data is");
    assert!(std::fs::read(out.join("state.safetensors")).unwrap() == before);

    let held = std::fs::OpenOptions::new().append(true).open(out.join("lock")).unwrap();
    held.lock().unwrap();
    refused(arguments(&data, &out), "another process is writing");
}

/// A disk that is full while saving: exit code 3, and the previous state still loads and continues.
#[cfg(unix)]
#[test]
fn a_full_disk_keeps_the_previous_state() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(dir.path());
    let (whole, out) = (dir.path().join("whole"), dir.path().join("full"));
    train(&data, &whole);
    // two epochs' state of a run that was stopped after its first step
    let mut words = arguments(&data, &out);
    let mut child = program(&words.iter().map(String::as_str).collect::<Vec<_>>())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !out.join("state.safetensors").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = std::fs::read(out.join("state.safetensors")).unwrap();
    // no file may grow beyond 20 MB: writing the state fails halfway, as on a full disk
    words.insert(0, env!("CARGO_BIN_EXE_clip-lung").into());
    let script = format!("trap '' XFSZ; ulimit -f 20000; exec {}", words.join(" "));
    let result = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
    let message = String::from_utf8_lossy(&result.stderr).into_owned();
    assert_eq!(result.status.code(), Some(3), "{message}");
    assert!(message.contains("state.safetensors") && message.contains("free some space"), "{message}");
    assert!(std::fs::read(out.join("state.safetensors")).unwrap() == before, "the previous state was touched");
    let leftovers = std::fs::read_dir(&out)
        .unwrap()
        .filter(|f| f.as_ref().unwrap().file_name().to_string_lossy().starts_with(".writing"))
        .count();
    assert_eq!(leftovers, 0, "a half-written file was left");
    train(&data, &out);
    assert!(weights(&out) == weights(&whole));
}
