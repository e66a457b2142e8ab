//! A run that is killed, interrupted or starved of disk goes on as if nothing had happened.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clip_lung_core::base::random::Stream;
use common::{ok, program, run, text};
use serde_json::Value;

/// What is trained: a method without state of its own, one whose leaves follow each epoch, one with prompts, one whose best
/// epoch is kept.
const METHODS: [&[&str]; 4] = [
    &["ce"],
    &["corf"],
    &["cocoop", "--text-encoder", "random:minilm"],
    &["nsb", "--validate", "inner", "--choose-epoch", "best"],
];

/// Four steps of sixteen crops of `ce`, the state saved after each.
fn arguments(data: &Path, out: &Path) -> Vec<String> {
    arguments_of(METHODS[0], data, out)
}

/// The same of a method, its options behind it.
fn arguments_of(method: &[&str], data: &Path, out: &Path) -> Vec<String> {
    let words = [
        "train",
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
    let last = [text(data), "--out".into(), text(out), "--method".into()];
    let words = words.iter().map(|w| (*w).to_owned()).chain(last);
    words.chain(method.iter().map(|w| (*w).to_owned())).collect()
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
    train_of(METHODS[0], data, out);
}

fn train_of(method: &[&str], data: &Path, out: &Path) {
    let words = arguments_of(method, data, out);
    ok(&words.iter().map(String::as_str).collect::<Vec<_>>());
}

/// Steps done, of a run's saved state: from the file's header, 0 while there is none.
fn saved_step(run: &Path) -> u64 {
    use std::io::Read;
    let Ok(mut file) = std::fs::File::open(run.join("state.safetensors")) else { return 0 };
    let mut length = [0; 8];
    file.read_exact(&mut length).unwrap();
    let mut header = vec![0; u64::from_le_bytes(length) as usize];
    file.read_exact(&mut header).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["__metadata__"]["step"].as_str().unwrap().parse().unwrap()
}

/// That two runs ended alike.
fn same(run: &Path, other: &Path, what: &str) {
    assert!(weights(run) == weights(other), "{what}: other weights");
    for file in ["predictions.csv", "log.jsonl"] {
        let read = |run: &Path| std::fs::read(run.join(file)).unwrap();
        assert!(read(run) == read(other), "{what}: {file} differs");
    }
}

/// Same seed, any number of threads: bit-equal weights.
#[test]
fn thread_count_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(dir.path());
    let of = |method: &[&str], threads: &str| {
        let out = dir.path().join(format!("{}-{threads}", method[0]));
        let words = arguments_of(method, &data, &out);
        let status = program(&words.iter().map(String::as_str).collect::<Vec<_>>())
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .unwrap();
        assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
        weights(&out)
    };
    for method in METHODS {
        let one = of(method, "1");
        let others: &[&str] = if method == METHODS[0] { &["2", "3"] } else { &["2"] };
        for threads in others {
            assert!(one == of(method, threads), "{method:?}: {threads} threads give other weights than one");
        }
    }
}

/// kill -9 with the state of each step saved: in the middle of an epoch (steps 1 and 3), and right after its end (step 2), where a
/// forest's leaves have just been updated.
#[test]
fn runs_continue_bit_equal_from_every_step() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(dir.path());
    for method in &METHODS[1..] {
        let reference = dir.path().join(method[0]);
        train_of(method, &data, &reference);
        for step in 1..=3 {
            let out = dir.path().join(format!("{}-{step}", method[0]));
            let words = arguments_of(method, &data, &out);
            // a machine may be too busy to kill in time: again, then
            for attempt in 0.. {
                assert!(attempt < 50, "{method:?}: never killed after step {step}");
                let _ = std::fs::remove_dir_all(&out);
                let mut child = program(&words.iter().map(String::as_str).collect::<Vec<_>>())
                    .stdout(std::process::Stdio::null())
                    .stderr(std::process::Stdio::null())
                    .spawn()
                    .unwrap();
                while saved_step(&out) < step && child.try_wait().unwrap().is_none() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                child.kill().unwrap();
                child.wait().unwrap();
                if saved_step(&out) == step {
                    break;
                }
            }
            assert!(!out.join("model").exists());
            train_of(method, &data, &out);
            same(&out, &reference, &format!("{method:?} killed after step {step}"));
            std::fs::remove_dir_all(&out).unwrap();
        }
    }
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
        same(&out, &reference, &format!("killed after {moment:.2} s of {whole:.2} s"));
        std::fs::remove_dir_all(&out).unwrap();
    }
}

/// SIGTERM, also twice as from a scheduler: the step is finished, the state saved, exit code 4; the same command continues.
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
    for _ in 0..2 {
        std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
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
    let lr = other.iter().position(|w| w == "0.01").unwrap();
    other[lr] = "0.02".into();
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
        .filter(|f| f.as_ref().unwrap().file_name().to_string_lossy().starts_with(".clip-lung-writing-"))
        .count();
    assert_eq!(leftovers, 0, "a half-written file was left");
    train(&data, &out);
    assert!(weights(&out) == weights(&whole));
}
