//! The engines themselves, where they can be had: HyperQueue from Python's package index, Slurm from the system.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::common::{program, skipped, text};
use crate::study::{ended, plan, starts, states, undisturbed};

/// The package that was tried.
const HYPERQUEUE: &str = "hyperqueue==0.27.0";

/// A file beside this one.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cluster").join(name)
}

/// Python with HyperQueue, kept in the target directory.
fn python() -> Result<PathBuf, String> {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hyperqueue");
    let python = place.join("bin/python3");
    let quiet = |command: &mut Command| command.stdout(Stdio::null()).output();
    let is_there = || quiet(Command::new(&python).args(["-c", "import hyperqueue"])).is_ok_and(|o| o.status.success());
    if is_there() {
        return Ok(python);
    }
    let make = |command: &mut Command| match quiet(command) {
        Ok(out) if out.status.success() => Ok(()),
        Ok(out) => Err(String::from_utf8_lossy(&out.stderr).lines().last().unwrap_or_default().to_owned()),
        Err(e) => Err(e.to_string()),
    };
    make(Command::new("python3").args(["-m", "venv", &text(&place)]))?;
    make(Command::new(&python).args(["-m", "pip", "install", "--quiet", HYPERQUEUE]))?;
    Ok(python)
}

fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// A worker is killed while it runs a cell; another one takes the cell over.
#[test]
fn hyperqueue_loses_a_worker() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => return skipped(&format!("HyperQueue can't be installed ({why})")),
    };
    let dir = tempfile::tempdir().unwrap();
    let study = plan(dir.path(), "it's a \"study\"");
    let server = dir.path().join("server");
    let mut command = Command::new(&python);
    command.arg(file("lose_a_worker.py")).args([env!("CARGO_BIN_EXE_clip-lung"), &text(&study), &text(&server)]);
    let out = command.output().unwrap();
    assert!(out.status.success(), "{}", said(&out));
    // the server introduces itself first
    let cell = String::from_utf8(out.stdout).unwrap().lines().last().unwrap().to_owned();
    assert!(starts(&study, &cell) >= 2, "{cell}");
    // lidc-b waits for lidc-a, and takes its training over
    assert!(!study.join("cells/ce.lidc-b.f0.s2/model").exists());
    assert_eq!(ended(&study), *undisturbed());
}

/// One task is queued anew by Slurm's own command, others are told that their time is up.
#[test]
fn slurm_queues_tasks_anew() {
    let there = |name: &str| ["/usr/sbin", "/usr/bin"].iter().any(|dir| Path::new(dir).join(name).is_file());
    if let Some(missing) = ["sbatch", "slurmctld", "slurmd", "munged"].iter().find(|name| !there(name)) {
        return skipped(&format!("Slurm is not installed: there is no {missing} (./setup.sh slurm)"));
    }
    let dir = tempfile::tempdir().unwrap();
    let study = plan(dir.path(), "it's a \"study\"");
    let slurm = Slurm::start(dir.path());
    let words = ["sweep", "submit", &text(&study), "--engine", "slurm", "--save-every", "0"];
    let out = slurm.of(&mut program(&words)).output().unwrap();
    assert!(out.status.success(), "{}", said(&out));
    // tasks that begin at once take numbers of their own
    assert!(said(&out).contains("Slurm has them as job 1 and "), "{}", said(&out));

    // the first job's tasks, in order
    let cells: Vec<_> = states(&study).into_iter().map(|(id, _)| id).filter(|id| id.contains("lidc-a")).collect();
    slurm.until("the first cell runs", || starts(&study, &cells[0]) == 1);
    slurm.ask("scontrol", &["requeue", "1_0"]).unwrap();
    // a task may be over before it is told, and scancel tries again where the controller is busy: each other task is told, one is enough
    for (task, cell) in cells.iter().enumerate().skip(1) {
        slurm.until("the next cell runs", || starts(&study, cell) >= 1);
        let _ = slurm.ask("scancel", &["--batch", "--signal=TERM", &format!("1_{task}")]);
    }
    slurm.until("all tasks end", || slurm.ask("squeue", &["--noheader"]).is_ok_and(|left| left.is_empty()));
    assert!(starts(&study, &cells[0]) >= 2, "{}", slurm.log());
    assert!(cells[1..].iter().any(|cell| starts(&study, cell) >= 2), "{}", slurm.log());
    assert!(!study.join("cells/ce.lidc-b.f0.s2/model").exists());
    assert_eq!(ended(&study), *undisturbed());
}

/// A cluster of this machine alone, gone with this value.
struct Slurm {
    place: PathBuf,
}

impl Slurm {
    fn start(dir: &Path) -> Self {
        let slurm = Self { place: dir.join("slurm") };
        let free = || TcpListener::bind("127.0.0.1:0").unwrap();
        let ports = [free(), free()].map(|l| l.local_addr().unwrap().port().to_string());
        let mut command = Command::new("bash");
        let out = command.arg(file("slurm.sh")).arg("start").arg(&slurm.place).args(ports).output().unwrap();
        assert!(out.status.success(), "{}", said(&out));
        slurm.until("the node is idle", || {
            slurm.ask("sinfo", &["--noheader", "--format=%T"]).is_ok_and(|state| state.trim() == "idle")
        });
        slurm
    }

    /// A command that speaks to this cluster.
    fn of<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("SLURM_CONF", self.place.join("slurm.conf"))
    }

    /// What a command of Slurm printed; an error where it failed.
    fn ask(&self, name: &str, words: &[&str]) -> Result<String, String> {
        let out = self.of(Command::new(name).args(words)).output().unwrap();
        if out.status.success() { Ok(String::from_utf8(out.stdout).unwrap()) } else { Err(said(&out)) }
    }

    /// What its controller did.
    fn log(&self) -> String {
        std::fs::read_to_string(self.place.join("slurmctld.log")).unwrap_or_default()
    }

    /// Waits, for five minutes at most.
    fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < Duration::from_secs(300), "not so: {what}; {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        let _ = Command::new("bash").arg(file("slurm.sh")).arg("stop").arg(&self.place).status();
    }
}
