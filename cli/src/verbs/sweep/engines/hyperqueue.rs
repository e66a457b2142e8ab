//! HyperQueue: a job definition file for its program `hq`, and the same job for its Python package, which has no `hq` but a client.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Serialize;

use super::task::{self, Job, LOGS};

/// For `hq job submit-file`.
pub const DEFINITION: &str = "hyperqueue.toml";
/// For Python. A script of the package's own name would be imported in its stead.
pub const SCRIPT: &str = "hyperqueue_job.py";
/// Whether Python has the package.
const LOOK: &str = "import importlib.util, sys; sys.exit(importlib.util.find_spec('hyperqueue') is None)";
/// A worker gives each task GPUs of its pool, and names them to the task in CUDA_VISIBLE_DEVICES.
const GPUS: &str = "gpus/nvidia";

#[derive(Serialize)]
struct Definition {
    name: String,
    task: Vec<Task>,
}

#[derive(Serialize)]
struct Task {
    id: usize,
    command: Vec<String>,
    cwd: String,
    stdout: &'static str,
    stderr: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deps: Vec<usize>,
    env: BTreeMap<&'static str, String>,
    request: [Request; 1],
}

#[derive(Serialize)]
struct Request {
    resources: BTreeMap<&'static str, u16>,
}

/// The files, by name.
pub fn files(job: &Job) -> Result<Vec<(&'static str, String)>> {
    Ok(vec![(DEFINITION, definition(job)?), (SCRIPT, script(job)?)])
}

/// Submits with `hq`, or else with Python; the files are written.
pub fn submit(job: &Job) -> Result<()> {
    let (definition, script) = (job.study.join(DEFINITION), job.study.join(SCRIPT));
    if let Some(done) = ran(job, "hq", &["job", "submit-file", DEFINITION])? {
        anyhow::ensure!(done, "hq has refused {}; see its message above", definition.display());
        return Ok(());
    }
    if ran(job, "python3", &["-c", LOOK])? == Some(true) {
        let done = ran(job, "python3", &[SCRIPT])?;
        anyhow::ensure!(done == Some(true), "{} has failed; see its message above", script.display());
        return Ok(());
    }
    anyhow::bail!(
        "neither the program hq nor Python's package hyperqueue is here; install one of them (pip install hyperqueue), or submit {} where it is",
        definition.display()
    )
}

/// Whether a program succeeded in the study's directory; `None` where there is no such program.
fn ran(job: &Job, program: &str, words: &[&str]) -> Result<Option<bool>> {
    match Command::new(program).args(words).current_dir(&job.study).status() {
        Ok(status) => Ok(Some(status.success())),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).with_context(|| format!("{program} can't be started")),
    }
}

/// What the job is called.
fn name(job: &Job) -> String {
    job.study.file_name().map_or_else(|| "clip-lung".into(), |name| name.display().to_string())
}

fn environment(job: &Job) -> BTreeMap<&'static str, String> {
    [("RAYON_NUM_THREADS", job.needs.cpus.to_string())].into()
}

fn gpus(job: &Job) -> BTreeMap<&'static str, u16> {
    (job.needs.gpus > 0).then_some((GPUS, job.needs.gpus)).into_iter().collect()
}

fn definition(job: &Job) -> Result<String> {
    let [before, behind] = job.command();
    let mut resources = gpus(job);
    resources.insert("cpus", job.needs.cpus);
    let task = |(id, task): (usize, &task::Task)| Task {
        id,
        command: before.iter().chain([&task.cell.to_string()]).chain(&behind).cloned().collect(),
        cwd: job.place(),
        stdout: "none",
        stderr: format!("%{{CWD}}/{LOGS}/{}.%{{INSTANCE_ID}}.txt", task.cell),
        deps: task.after.into_iter().collect(),
        env: environment(job),
        request: [Request { resources: resources.clone() }],
    };
    let definition = Definition { name: name(job), task: job.tasks.iter().enumerate().map(task).collect() };
    Ok(toml::to_string(&definition)?)
}

/// Strings, lists and maps of JSON are those of Python.
fn script(job: &Job) -> Result<String> {
    let text = |value: &str| serde_json::to_string(value);
    let cells = job.tasks.iter().map(|task| {
        let after = task.after.map_or(Ok("None".into()), |at| text(job.tasks[at].cell.as_str()))?;
        Ok(format!("    ({}, {after}),\n", text(task.cell.as_str())?))
    });
    let [before, behind] = job.command();
    Ok(format!(
        r#""""The cells of a study that were not done, as a job of HyperQueue: python3 {SCRIPT}

{DEFINITION} is the same job for the program hq. HQ_SERVER_DIR names the server's directory, where it is not the usual one.
"""

import os

from hyperqueue import Client, Job
from hyperqueue.ffi.protocol import ResourceRequest

# a cell, and the one whose training is its own too
CELLS = [
{cells}]

job = Job(name={name}, max_fails=None)
tasks = {{}}
for cell, after in CELLS:
    tasks[cell] = job.program(
        {before} + [cell] + {behind},
        name=cell,
        cwd={study},
        env={environment},
        stdout=None,
        stderr=f"%{{{{CWD}}}}/{LOGS}/{{cell}}.%{{{{INSTANCE_ID}}}}.txt",
        deps=[tasks[after]] if after else [],
        resources=ResourceRequest(cpus={cpus}, resources={gpus}),
    )
submitted = Client(os.environ.get("HQ_SERVER_DIR")).submit(job)
print(f"HyperQueue has them as job {{submitted.id}}")
"#,
        cells = cells.collect::<Result<String>>()?,
        name = text(&name(job))?,
        before = serde_json::to_string(&before)?,
        behind = serde_json::to_string(&behind)?,
        study = text(&job.place())?,
        environment = serde_json::to_string(&environment(job))?,
        cpus = job.needs.cpus,
        gpus = serde_json::to_string(&gpus(job))?,
    ))
}
