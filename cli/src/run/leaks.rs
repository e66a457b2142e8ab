//! Patients who are scored although they trained: a score on them is too good.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::train::config::TrainConfig;
use clip_lung_core::train::split::{Split, split};

use crate::failure::Failure;
use crate::io::predictions::CONFIG;
use crate::io::run_dir::RunDir;

/// Goes on only where that is allowed; then what leaks is said, and returned for what the run leaves.
pub fn allowed(leak: Option<String>, hint: &str, allow: bool) -> Result<Option<String>> {
    match leak {
        Some(leak) if !allow => Err(Failure::File(format!("{leak}; {hint}, or ask for --allow-leaks")).into()),
        leak => Ok(leak.inspect(|leak| eprintln!("warning: {leak}"))),
    }
}

/// The training patients who are in another data set too, in words; `None` where there are none.
pub fn of_sets(data: &Dataset, other: &Dataset, place: &str) -> Option<String> {
    let shared = shared(&patients(data, 0..data.len()), &patients(other, 0..other.len()), "train too")?;
    Some(format!("{place}: {shared}"))
}

/// The patients whom a run scores and who trained the model at `place`, called `name`, that it starts from, in words, or that this
/// is not known: the settings of the run that made the model say it, where they lie beside it and the data are the same.
pub fn of_init(
    (place, name): (&Path, &str),
    data: &Dataset,
    config: &TrainConfig,
    split_now: &Split,
    test: Option<&Dataset>,
) -> Result<Leak> {
    let scored = match test {
        Some(test) => patients(test, 0..test.len()),
        None => patients(data, split_now.held_out.iter().copied()),
    };
    if scored.is_empty() {
        return Ok(Leak::None);
    }
    let is_run = |dir: &&Path| dir.join(CONFIG).is_file() && dir.join("model").is_dir();
    let Some(run) =
        [Some(place), place.parent().filter(|_| place.ends_with("model"))].into_iter().flatten().find(is_run)
    else {
        return Ok(Leak::Unknown(format!("whether {name} trained on patients who are scored is not known")));
    };
    let before = RunDir::config(run)?;
    if before.data.sha256 != config.data.sha256 {
        let on = &before.data.name;
        return Ok(Leak::Unknown(format!(
            "whether patients who are scored are among those of {on}, which {name} trained on, is not known"
        )));
    }
    let rows = split(&data.rows, &before)?;
    // what it started from itself may have trained on whatever it did not score
    let trained = match &before.init {
        None => rows.train,
        Some(_) => (0..data.len()).filter(|i| !rows.held_out.contains(i)).collect(),
    };
    let shared = shared(&patients(data, trained.into_iter()), &scored, "who are scored trained it");
    Ok(shared.map_or(Leak::None, |shared| Leak::Known(format!("{name}: {shared}"))))
}

/// What is known of a leak.
pub enum Leak {
    None,
    Known(String),
    Unknown(String),
}

fn patients(data: &Dataset, rows: impl Iterator<Item = usize>) -> BTreeSet<&str> {
    rows.map(|i| data.rows[i].patient_id.as_str()).collect()
}

/// How many are in both, with some of their names.
fn shared(first: &BTreeSet<&str>, second: &BTreeSet<&str>, do_what: &str) -> Option<String> {
    let shared: Vec<&str> = first.intersection(second).copied().collect();
    let some = &shared[..shared.len().min(5)];
    let more = if shared.len() > some.len() { ", .." } else { "" };
    (!shared.is_empty()).then(|| format!("{} patients {do_what} ({}{more})", shared.len(), some.join(", ")))
}
