//! `clip-lung sweep status`: where a study's cells stand.

use std::path::PathBuf;

use anyhow::Result;

use crate::io::study_dir::{CellState, StudyDir};

#[derive(clap::Args)]
pub struct Args {
    /// The study's directory
    study: PathBuf,
    /// Print the states as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> Result<()> {
    let dir = StudyDir::open(&args.study)?;
    let states: Vec<CellState> = dir.study.cells.iter().map(|cell| dir.state(cell)).collect::<Result<_>>()?;
    let cells = || dir.study.cells.iter().zip(&states);
    if args.json {
        let cells: Vec<serde_json::Value> = cells()
            .map(|(cell, state)| {
                let mut value = serde_json::to_value(state)?;
                value["id"] = serde_json::to_value(&cell.id)?;
                value["seconds"] = dir.time(&cell.id).seconds.into();
                Ok(value)
            })
            .collect::<Result<_>>()?;
        println!("{}", serde_json::json!({ "data": dir.study.data, "cells": cells }));
        return Ok(());
    }
    let width = dir.study.cells.iter().map(|c| c.id.as_str().len()).max().unwrap_or(0);
    for (cell, state) in cells() {
        let seconds = dir.time(&cell.id).seconds;
        let words = match state {
            CellState::Done if seconds > 0.0 => format!("done      {seconds:.0} s"),
            CellState::Done => "done".into(),
            CellState::Running { step, steps } => format!("running   step {step} of {steps}"),
            CellState::Failed { error } => format!("failed    {}", error.lines().next().unwrap_or_default()),
            CellState::Stale { error } => format!("stale     {error}"),
            CellState::Waiting { step: 0, .. } => "waiting".into(),
            CellState::Waiting { step, steps } => format!("waiting   after step {step} of {steps}"),
        };
        println!("{:<width$}  {words}", cell.id.as_str());
    }
    let count = |wanted: fn(&CellState) -> bool| states.iter().filter(|s| wanted(s)).count();
    println!(
        "{} done, {} running, {} failed, {} stale, {} waiting",
        count(|s| matches!(s, CellState::Done)),
        count(|s| matches!(s, CellState::Running { .. })),
        count(|s| matches!(s, CellState::Failed { .. })),
        count(|s| matches!(s, CellState::Stale { .. })),
        count(|s| matches!(s, CellState::Waiting { .. })),
    );
    Ok(())
}
