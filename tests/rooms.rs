//! The rooms of `core` and `cli`: imports run downwards only, without a circle of rooms, folders or files, and no source file is long.
//!
//! A path belongs to the file of its longest known module, so what a `mod.rs` re-exports counts as the `mod.rs`'s own.

#![allow(clippy::unwrap_used)]

#[path = "rooms/imports.rs"]
mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use imports::{Module, Names};

/// From the ground up; a room takes only from rooms before it.
const CORE: &[&str] =
    &["error", "base", "volume", "dataset", "lidc", "phantom", "nn", "methods", "metrics", "train", "model", "study"];
const CLI: &[&str] = &["failure", "show", "io", "machine", "run", "verbs"];
/// Rooms that could take from more, but know only these: numbers in, numbers out.
const ONLY: &[(&str, &[&str])] = &[("metrics", &["error", "base"])];
/// Lines of a source file.
const LONGEST: usize = 320;

/// A crate: modules that are files, with their text.
type Files = BTreeMap<Module, String>;

/// What each file takes from others; files that only tests have are left out.
fn graph(files: &Files) -> BTreeMap<Module, BTreeSet<Module>> {
    let read = |(module, text): (&Module, &String)| {
        let mut names = Names::default();
        names.read(text.parse().unwrap(), module);
        (module.clone(), names)
    };
    let all: BTreeMap<Module, Names> = files.iter().map(read).collect();
    let tests: BTreeSet<&Module> = all.values().flat_map(|n| &n.tests).collect();
    let macros: BTreeMap<&String, &Module> =
        all.iter().flat_map(|(module, n)| n.macros.iter().map(move |name| (name, module))).collect();
    let owner = |path: &Module| match path.as_slice() {
        [name] if macros.contains_key(name) => macros[name].clone(),
        _ => (0..=path.len()).rev().map(|n| path[..n].to_vec()).find(|m| files.contains_key(m)).unwrap_or_default(),
    };
    all.iter()
        .filter(|(module, _)| !(1..=module.len()).any(|n| tests.contains(&module[..n].to_vec())))
        .map(|(module, n)| (module.clone(), n.paths.iter().map(owner).filter(|m| m != module).collect()))
        .collect()
}

/// What is wrong with a crate whose rooms, from the ground up, are `rooms`.
fn faults(files: &Files, rooms: &[&str]) -> Vec<String> {
    let edges = graph(files);
    // the root lies above every room
    let floor = |m: &Module| m.first().map_or(Some(rooms.len()), |room| rooms.iter().position(|r| r == room));
    let shown = |m: &Module| if m.is_empty() { "the crate's root".to_owned() } else { m.join("::") };
    let mut found = Vec::new();
    for (from, taken) in &edges {
        if floor(from).is_none() {
            found.push(format!("{} is in no room", shown(from)));
        }
        found.extend(
            taken
                .iter()
                .filter(|to| floor(to) > floor(from))
                .map(|to| format!("{} takes from {}, which lies above it", shown(from), shown(to))),
        );
    }
    for (from, to) in edges.iter().flat_map(|(from, taken)| taken.iter().map(move |to| (from, to))) {
        let known = ONLY.iter().find(|(room, _)| from.first().is_some_and(|r| r == room));
        if known.is_some_and(|(room, rooms)| to.first().is_some_and(|r| r != room && !rooms.contains(&r.as_str()))) {
            found.push(format!("{} takes from {}, which its room does not know", shown(from), shown(to)));
        }
    }
    let folders: BTreeSet<&[String]> = edges.keys().flat_map(|m| (1..=m.len()).map(|n| &m[..n])).collect();
    found.extend(folders.iter().filter_map(|folder| circle(folder, &edges)));
    found
}

/// A circle among the files and folders directly in a folder; its `mod.rs` goes by the folder's own name.
fn circle(folder: &[String], edges: &BTreeMap<Module, BTreeSet<Module>>) -> Option<String> {
    let member = |m: &Module| m.starts_with(folder).then(|| m[..m.len().min(folder.len() + 1)].join("::"));
    let mut inside: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, taken) in edges {
        if let Some(from) = member(from) {
            let others = taken.iter().filter_map(member).filter(|to| *to != from);
            inside.entry(from.clone()).or_default().extend(others);
        }
    }
    // what takes from nothing that is left can't be in a circle
    while let Some(free) = inside.iter().find(|(_, taken)| taken.is_empty()).map(|(m, _)| m.clone()) {
        inside.remove(&free);
        inside.values_mut().for_each(|taken| {
            taken.remove(&free);
        });
    }
    let mut at = inside.keys().next()?;
    let mut way = Vec::new();
    while !way.contains(&at) {
        way.push(at);
        at = inside[at].first()?;
    }
    let start = way.iter().position(|m| *m == at)?;
    let names: Vec<&str> = way[start..].iter().map(|m| m.as_str()).chain([at.as_str()]).collect();
    Some(format!("a circle: {}", names.join(" -> ")))
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files below a folder with one of these endings.
fn below(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    walk(&repository().join(folder), &mut found);
    found.retain(|p| p.extension().is_some_and(|e| endings.iter().any(|known| e == *known)));
    found
}

fn crate_files(folder: &str) -> Files {
    let root = repository().join(folder);
    let module = |path: &Path| -> Module {
        let path = path.strip_prefix(&root).unwrap().with_extension("");
        let mut module: Module = path.iter().map(|s| s.to_str().unwrap().to_owned()).collect();
        module.pop_if(|last| ["mod", "lib", "main"].contains(&last.as_str()));
        module
    };
    below(folder, &["rs"]).iter().map(|p| (module(p), std::fs::read_to_string(p).unwrap())).collect()
}

#[test]
fn imports_run_downwards() {
    for (folder, rooms) in [("core/src", CORE), ("cli/src", CLI)] {
        let files = crate_files(folder);
        assert!(files.len() > 20, "{folder}: only {} files were found", files.len());
        assert_eq!(faults(&files, rooms), Vec::<String>::new(), "{folder}");
    }
}

#[test]
fn no_source_file_is_long() {
    let rust = ["core/src", "cli/src", "web/src", "web/demo/scans/src"].map(|f| below(f, &["rs"])).concat();
    let script = ["web/js", "web/demo/src"].map(|f| below(f, &["ts"])).concat();
    let lines = |p: &Path| std::fs::read_to_string(p).unwrap().lines().count();
    let long: Vec<_> = [rust, script].concat().into_iter().filter(|p| lines(p) > LONGEST).collect();
    assert!(long.is_empty(), "more than {LONGEST} lines: {long:?}");
}

fn module(name: &str) -> Module {
    name.split("::").filter(|s| !s.is_empty()).map(str::to_owned).collect()
}

/// A crate of rooms `low` and `high`, in which `low::a` reads as given.
fn example(a: &str, more: &[(&str, &str)]) -> Vec<String> {
    let whole = [
        ("", "mod low; mod high;"),
        ("low", "pub mod a; pub mod b; pub mod c;"),
        ("low::a", a),
        ("low::b", "pub struct B;"),
        ("low::c", "use super::a::A;"),
        ("high", "use crate::low::{a::A, b::{self, B}}; pub struct High;"),
    ];
    let files = whole.iter().chain(more).map(|(name, text)| (module(name), (*text).to_owned())).collect();
    faults(&files, &["low", "high"])
}

#[test]
fn what_is_in_order_passes() {
    let fine = [
        "use super::b::B; use std::{fmt, low}; pub struct A; pub(crate) fn f(high: B) -> B { high::of(high) }",
        "// use crate::high::High;\n/* crate::high::High */ const S: &str = \"crate::high::High\";",
        "#[cfg(test)] mod tests { use crate::high::High; use crate::low::c; }",
        "#[cfg(test)] #[allow(unused)] use crate::high::High; #[cfg(all(test, unix))] fn f() -> crate::high::High {}",
        "pub mod inner { use super::A; use super::super::b::B; }",
    ];
    for a in fine {
        assert_eq!(example(a, &[]), Vec::<String>::new(), "{a}");
    }
    // files that only tests have
    let low = [("low", "mod a; mod b; mod c; #[cfg(test)] mod tests;"), ("low::tests", "use crate::high::High;")];
    assert_eq!(example("pub struct A;", &low), Vec::<String>::new());
    let beside = "#[cfg(test)] #[path = \"a_tests.rs\"] mod tests;";
    assert_eq!(example(beside, &[("low::a_tests", "use crate::high::High;")]), Vec::<String>::new());
    // a macro lies where it is defined, whatever path it is exported by
    let macros = [("low::b", "#[macro_export] macro_rules! list { () => {} } pub struct B;")];
    assert_eq!(example("use crate::list;", &macros), Vec::<String>::new());
}

#[test]
fn what_is_not_is_found() {
    let upward = "low::a takes from high, which lies above it";
    for a in [
        "use crate::high::High;",
        "use crate::{low::b, high};",
        "fn f() -> crate::high::High { todo!() }",
        "fn f() { assert_eq!(1, super::super::high::N); }",
        "#[cfg(feature = \"x\")] use crate::{high::High};",
    ] {
        assert_eq!(example(a, &[]), [upward], "{a}");
    }
    assert_eq!(
        example("use crate::High;", &[]),
        ["low::a takes from the crate's root, which lies above it"],
        "what the root re-exports"
    );
    for a in ["use super::c;", "pub use crate::low::{b::B, c::C};", "fn f() { super::c::f() }"] {
        assert_eq!(example(a, &[]), ["a circle: low::a -> low::c -> low::a"], "{a}");
    }
    let parent = [("low", "pub mod a; pub mod b; pub mod c; fn f() { a::f() } pub const N: usize = 1;")];
    assert_eq!(example("use super::N;", &parent), ["a circle: low -> low::a -> low"]);
    let macros = [("high", "#[macro_export] macro_rules! list { () => {} }")];
    assert_eq!(example("crate::list!();", &macros), [upward], "a macro");
    let undeclared = [("low::made", "use crate::high::High;")];
    let made = "low::made takes from high, which lies above it";
    assert_eq!(example("", &undeclared), [made], "a file that a macro declares");
    let folders =
        [("low::b", "pub mod deep;"), ("low::b::deep", "use crate::low::c::C;"), ("low::c", "use super::b::deep;")];
    assert_eq!(example("", &folders), ["a circle: low::b -> low::c -> low::b"]);
    let files =
        [("", "mod base; mod nn; mod metrics;"), ("base", ""), ("nn", ""), ("metrics", "use crate::{base, nn};")];
    let files = files.map(|(name, text)| (module(name), text.to_owned())).into();
    assert_eq!(faults(&files, CORE), ["metrics takes from nn, which its room does not know"]);
    assert_eq!(example("", &[("", "mod low; mod high; mod attic;"), ("attic", "")]), ["attic is in no room"]);
}
