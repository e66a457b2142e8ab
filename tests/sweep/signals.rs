//! Signals to a study: killed, stopped from the terminal, told to stop twice; it goes on as if nobody had disturbed it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clip_lung_core::base::random::Stream;

use crate::common::{program, text};
use crate::study::{ended, plan, plan_of, run, starts, states, undisturbed};

/// The command that runs a study with two workers, each of them in a group of processes with it, as a terminal starts it.
fn two_workers(study: &Path) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = program(&["sweep", "run", &text(study), "--jobs", "2", "--device", "cpu", "--save-every", "0"]);
    command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The processes that a process has started.
fn children(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let listed = threads.map(|thread| std::fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    listed.collect::<String>().split_whitespace().filter_map(|p| p.parse().ok()).collect()
}

/// A signal to a process, or to a group of them behind a minus.
fn signal(name: &str, to: &str) {
    let _ = Command::new("kill").args([name, "--", to]).stderr(Stdio::null()).status();
}

/// Waits until something holds, or the command has ended; for two minutes at most.
fn until(child: &mut Child, holds: impl Fn() -> bool) {
    for _ in 0..60_000 {
        if holds() || child.try_wait().unwrap().is_some() {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("it did not come to that");
}

/// The command ends with 4, and each cell is finished or waits with what it saved.
fn saves(child: &mut Child, study: &Path) {
    assert_eq!(child.wait().unwrap().code(), Some(4));
    let left = states(study);
    assert!(left.iter().all(|(_, state)| ["waiting", "done"].contains(&state.as_str())), "{left:?}");
}

/// kill -9 of everything, of the command alone (its workers then stop by themselves) and of a worker alone, ten times at random moments
/// while cells run.
#[test]
fn killed_at_random_moments_it_ends_bit_equal() {
    let dir = tempfile::tempdir().unwrap();
    let study = plan(dir.path(), "killed");
    let mut random = Stream::new(3, 1);
    let kill = |pid: u32| signal("-9", &pid.to_string());
    for round in 0..10 {
        let before = starts(&study, "");
        let mut child = two_workers(&study).spawn().unwrap();
        until(&mut child, || starts(&study, "") > before);
        std::thread::sleep(Duration::from_millis((random.uniform() * 700.0) as u64));
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
    assert_eq!(ended(&study), *undisturbed());
    // twelve cells that were started once each would not have been killed in their midst
    let interrupted = starts(&study, "") - 12;
    assert!(interrupted >= 3, "{interrupted} of ten kills met a running cell");
}

/// Ctrl-C reaches the command and its workers: they save, the command ends with 4, and the same command continues.
#[test]
fn stopped_from_the_terminal_it_ends_bit_equal() {
    let dir = tempfile::tempdir().unwrap();
    let study = plan(dir.path(), "stopped");
    let mut child = two_workers(&study).spawn().unwrap();
    until(&mut child, || starts(&study, "") > 0);
    signal("-INT", &format!("-{}", child.id()));
    saves(&mut child, &study);
    run(&study);
    assert!(starts(&study, "") > 12, "no running cell was stopped");
    assert_eq!(ended(&study), *undisturbed());
}

/// Ctrl-C reaches a busy worker after its command has told it to stop: that is one interruption, not a second one that ends it at once.
#[test]
fn a_worker_that_is_told_to_stop_twice_saves() {
    let dir = tempfile::tempdir().unwrap();
    let study = plan_of(&["--methods", "ce", "--tasks", "lidc-a", "--folds", "0"], dir.path(), "study");
    let mut child = two_workers(&study).spawn().unwrap();
    let pid = child.id();
    until(&mut child, || starts(&study, "") > 0);
    let workers = children(pid);
    assert!(!workers.is_empty(), "no worker was there to be told");
    signal("-INT", &pid.to_string());
    std::thread::sleep(Duration::from_millis(250));
    workers.iter().for_each(|worker| signal("-INT", &worker.to_string()));
    saves(&mut child, &study);
}

/// A worker that is killed before it runs a cell is replaced: the same command ends the study.
#[test]
fn a_worker_killed_at_its_start_takes_no_other_along() {
    let dir = tempfile::tempdir().unwrap();
    let study = plan(dir.path(), "study");
    let mut child = two_workers(&study).stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    until(&mut child, || !children(pid).is_empty());
    children(pid).first().into_iter().for_each(|worker| signal("-9", &worker.to_string()));
    let out = child.wait_with_output().unwrap();
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.success(), "{said}");
    assert!(said.contains("signal: 9") && said.contains("ran no cell"), "{said}");
    assert_eq!(ended(&study), *undisturbed());
}
