//! Slurm: an array script that lists the cells, one a task. `sbatch` keeps a copy, so that planning and submitting again changes nothing
//! of what is queued. Cells that wait for others are a second array of the same script.

use std::io::ErrorKind;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::task::{Job, LOGS};

/// For `sbatch`.
pub const SCRIPT: &str = "slurm.sh";

/// What Slurm is asked beside what every scheduler is.
#[derive(clap::Args, Clone, Debug, Default, PartialEq)]
#[command(next_help_heading = "Slurm's own")]
pub struct Options {
    /// Time that a cell gets before it is queued anew, in Slurm's words, as 4:00:00
    #[arg(long, value_parser = word)]
    pub time: Option<String>,
    /// Partition of the nodes
    #[arg(long, value_parser = word)]
    pub partition: Option<String>,
    /// Account that pays
    #[arg(long, value_parser = word)]
    pub account: Option<String>,
    /// Cells at the same time, at most
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub at_once: Option<u16>,
}

/// One word of a directive of `sbatch`.
fn word(text: &str) -> std::result::Result<String, String> {
    let plain = |c: char| c.is_alphanumeric() || "-_.:,+/@".contains(c);
    if !text.is_empty() && text.chars().all(plain) { Ok(text.into()) } else { Err("it is not one plain word".into()) }
}

/// The files, by name.
pub fn files(job: &Job, options: &Options) -> Result<Vec<(&'static str, String)>> {
    Ok(vec![(SCRIPT, script(job, options)?)])
}

/// The arguments of `sbatch` in the study's directory: the cells that wait for no other, and those that wait for them. `first` is the
/// job of the former.
pub fn arrays(job: &Job, options: &Options, first: &str) -> Vec<Vec<String>> {
    let mut all = vec![vec!["--parsable".to_owned(), SCRIPT.to_owned()]];
    if job.free() < job.tasks.len() {
        let array = format!("--array={}", range(job.free(), job.tasks.len(), options));
        // whatever becomes of a cell that others wait for: they take its training over, or train for themselves
        let after = format!("--dependency=afterany:{first}");
        all.push(vec!["--parsable".into(), array, after, SCRIPT.into()]);
    }
    all
}

/// Submits; the files are written. The numbers of the jobs.
pub fn submit(job: &Job, options: &Options) -> Result<Vec<String>> {
    let mut jobs: Vec<String> = Vec::new();
    for at in 0..arrays(job, options, "").len() {
        let first = jobs.first().cloned().unwrap_or_default();
        jobs.push(sbatch(job, &arrays(job, options, &first)[at])?);
    }
    Ok(jobs)
}

/// The number of the job; the cluster's name follows it where there are many.
fn sbatch(job: &Job, arguments: &[String]) -> Result<String> {
    let script = job.study.join(SCRIPT);
    let mut command = Command::new("sbatch");
    let out = match command.args(arguments).current_dir(&job.study).stderr(Stdio::inherit()).output() {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            anyhow::bail!("the program sbatch is not here; run the same command where it is")
        }
        out => out.context("sbatch can't be started")?,
    };
    anyhow::ensure!(out.status.success(), "sbatch has refused {}; see its message above", script.display());
    let said = String::from_utf8_lossy(&out.stdout);
    Ok(said.trim().split(';').next().unwrap_or_default().to_owned())
}

/// An array of these tasks.
fn range(from: usize, to: usize, options: &Options) -> String {
    let at_once = options.at_once.map(|n| format!("%{n}")).unwrap_or_default();
    format!("{from}-{}{at_once}", to - 1)
}

fn script(job: &Job, options: &Options) -> Result<String> {
    let needs = &job.needs;
    let optional = |name: &str, value: &Option<String>| value.as_ref().map(|value| format!("--{name}={value}"));
    let directives = [
        Some("--job-name=clip-lung".into()),
        Some(format!("--array={}", range(0, job.free(), options))),
        Some(format!("--output={LOGS}/slurm-%A_%a.txt")),
        Some("--open-mode=append".into()),
        Some("--requeue".into()),
        Some("--signal=B:TERM@120".into()),
        Some(format!("--cpus-per-task={}", needs.cpus)),
        (needs.gpus > 0).then(|| format!("--gres=gpu:{}", needs.gpus)),
        optional("time", &options.time),
        optional("partition", &options.partition),
        optional("account", &options.account),
    ];
    let directives: String = directives.into_iter().flatten().map(|line| format!("#SBATCH {line}\n")).collect();
    let cells: String = job.tasks.iter().map(|task| format!("    {}\n", task.cell)).collect();
    let [before, behind] = job.command().map(|words| shlex::try_join(words.iter().map(String::as_str)));
    Ok(format!(
        r#"#!/bin/bash
{directives}
# One cell of the study a task.
cells=(
{cells})
cell=${{cells[SLURM_ARRAY_TASK_ID]}}
[ -n "$cell" ] || {{ echo "there is no cell $SLURM_ARRAY_TASK_ID" >&2; exit 1; }}
echo "$cell on $(hostname), start ${{SLURM_RESTART_COUNT:-0}}"
# When the time is nearly up, Slurm tells this script alone. The program finishes its step, saves, and ends with 4.
trap 'stopped=1; kill -TERM "$!"' TERM
export RAYON_NUM_THREADS={cpus}
{before} "$cell" {behind} &
code=0
while stopped=; wait "$!"; code=$?; [ -n "$stopped" ]; do :; done

# It goes on when it is queued anew; a task that someone cancels or requeues is no longer running.
task="${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
if [ "$code" = 4 ] && [ "$(squeue --noheader --jobs="$task" --format=%T)" = RUNNING ]; then
    scontrol requeue "$task"
fi
exit "$code"
"#,
        cpus = needs.cpus,
        before = before?,
        behind = behind?,
    ))
}
