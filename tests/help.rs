//! The help texts and the README's commands, with what they print. A line `...` stands for any lines, `[..]` for any characters.
//!
//! `SNAPSHOTS=overwrite cargo test --release -p clip-lung --test help` writes both anew: read the difference before it is committed.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};

use common::{Place, ok, program, text};
use snapbox::assert::DEFAULT_ACTION_ENV;
use snapbox::{Assert, Data};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A text with what the commands of its `console` blocks print now, run in the order of the text in one folder.
fn renewed(markdown: &str, folder: &Path) -> String {
    let mut out = String::new();
    let mut lines = markdown.lines().peekable();
    let mut inside = false;
    while let Some(line) = lines.next() {
        out += &format!("{line}\n");
        inside = line == "```console" || (inside && line != "```");
        let Some(command) = line.strip_prefix("$ clip-lung").filter(|_| inside) else { continue };
        let words: Vec<&str> = command.split_whitespace().collect();
        let done = program(&words).current_dir(folder).output().unwrap();
        assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
        out += &String::from_utf8(done.stdout).unwrap();
        while lines.next_if(|l| *l != "```" && !l.starts_with("$ ")).is_some() {}
    }
    out
}

/// Runs the commands of a text, and compares or, where `SNAPSHOTS` says so, rewrites it.
fn holds(file: &Path) {
    let place = Place::new();
    let now = renewed(&std::fs::read_to_string(file).unwrap(), &place.path(""));
    Assert::new().action_env(DEFAULT_ACTION_ENV).normalize_paths(false).eq(now, Data::read_from(file, None));
}

#[test]
fn help_of_every_verb() {
    let texts = repository().join("tests/help");
    holds(&texts.join("clip-lung.md"));
    let help = ok(&["--help"]);
    let verbs = help.lines().skip_while(|l| *l != "Commands:").skip(1).take_while(|l| !l.is_empty());
    let names: Vec<&str> = verbs.filter_map(|l| l.split_whitespace().next()).filter(|v| *v != "help").collect();
    assert!(names.contains(&"train"), "{help}");
    for name in names {
        let file = texts.join(format!("{name}.md"));
        assert!(file.is_file(), "{}: write `$ clip-lung {name} --help` into a block `console`", text(&file));
        holds(&file);
    }
}

/// The blocks marked `console`, in an empty folder.
#[test]
fn commands_of_the_readme() {
    holds(&repository().join("README.md"));
}

#[test]
fn what_changed_is_found() {
    let place = Place::new();
    let text = "a\n```console\n$ clip-lung --version\nclip-lung 0.0.0\n```\nb\n";
    let now = renewed(text, &place.path(""));
    assert_eq!(now, format!("a\n```console\n$ clip-lung --version\nclip-lung {}\n```\nb\n", env!("CARGO_PKG_VERSION")));
    assert!(Assert::new().action_env("no variable").try_eq(None, now.into(), text.into()).is_err());
}
