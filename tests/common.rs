//! What the command line's tests share.

#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The program with these arguments, run to its end.
pub fn run(arguments: &[&str]) -> Output {
    program(arguments).output().unwrap()
}

/// The program with these arguments.
pub fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clip-lung"));
    command.args(arguments);
    command
}

/// Runs to success; what it printed.
pub fn ok(arguments: &[&str]) -> String {
    let out = run(arguments);
    assert!(out.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// Says why a test did nothing, past the capture of a test's output: a test that skips must not look like one that passed.
pub fn skipped(why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// A path as text.
pub fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Every file of a directory, by name.
pub fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap())
        .map(|e| (e.file_name().to_string_lossy().into_owned(), std::fs::read(e.path()).unwrap()))
        .collect();
    all.sort();
    all
}

/// Exit code and message of a failing call.
pub fn fails(arguments: &[&str]) -> (i32, String) {
    let out = run(arguments);
    let message = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!message.contains("panicked"), "{message}");
    (out.status.code().unwrap(), message)
}

/// A call that must exit 3 and say `part`.
pub fn is_bad_input(arguments: &[&str], part: &str) {
    let (code, message) = fails(arguments);
    assert_eq!(code, 3, "{arguments:?}: {message}");
    assert!(message.contains(part), "{arguments:?}: `{part}` is not in: {message}");
}

/// What `--json` printed.
pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A folder to work in, gone afterwards.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn name(&self, name: &str) -> String {
        text(&self.path(name))
    }

    /// A small data set.
    pub fn data(&self) -> String {
        ok(&["phantom", "--limit", "40", "--out", &self.name("data")]);
        self.name("data")
    }

    /// A trained model on it.
    pub fn run(&self, method: &str, task: &str) -> String {
        self.run_as("run", method, task)
    }

    /// A trained model of this name on it.
    pub fn run_as(&self, name: &str, method: &str, task: &str) -> String {
        let (data, out) = (self.data(), self.name(name));
        ok(&[
            "train",
            "--data",
            &data,
            "--out",
            &out,
            "--method",
            method,
            "--task",
            task,
            "--epochs",
            "1",
            "--text-encoder",
            "random",
        ]);
        out
    }
}

/// Writes an `.npy` file.
pub fn npy(path: &Path, shape: &[u64], values: &[f32]) {
    use npyz::WriterBuilder;
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(shape).writer(&mut bytes).begin_nd().unwrap();
    writer.extend(values.iter().copied()).unwrap();
    writer.finish().unwrap();
    std::fs::write(path, bytes).unwrap();
}
