//! What the command line's tests share.

#![allow(dead_code)]

use std::path::Path;
use std::process::{Command, Output};

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

/// A path as text.
pub fn text(path: &Path) -> String {
    path.display().to_string()
}
