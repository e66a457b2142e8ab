//! Progress over a study: cells done, steps of those that run, and the time left, learned from cells that are done.

use std::collections::BTreeMap;

use clip_lung_core::methods::Method;
use clip_lung_core::study::cells::CellId;
use indicatif::ProgressBar;

use super::progress;

/// What is known of a cell's cost.
#[derive(Clone, Debug)]
pub struct Cost {
    pub cell: CellId,
    pub method: Method,
    pub epochs: usize,
    pub done: bool,
    /// What it took so far.
    pub seconds: f64,
}

/// Over the cells of a study.
pub struct StudyProgress {
    bar: Option<ProgressBar>,
    costs: Vec<Cost>,
    /// What each worker runs: the cell, steps done and all steps.
    running: BTreeMap<usize, (CellId, u64, u64)>,
    jobs: usize,
}

impl StudyProgress {
    pub fn new(costs: Vec<Cost>, jobs: usize) -> Self {
        let bar = progress::bar(costs.len() as u64, "cells");
        let shown = Self { bar, costs, running: BTreeMap::new(), jobs };
        shown.draw();
        shown
    }

    /// A worker has begun a cell.
    pub fn start(&mut self, worker: usize, cell: CellId) {
        self.line(&format!("{cell}: started"));
        self.running.insert(worker, (cell, 0, 0));
        self.draw();
    }

    /// A worker is this far.
    pub fn step(&mut self, worker: usize, done: u64, total: u64) {
        if let Some((_, steps, all)) = self.running.get_mut(&worker) {
            (*steps, *all) = (done, total);
        }
        self.draw();
    }

    /// A worker is through with its cell, after these seconds or with this error.
    pub fn end(&mut self, worker: usize, outcome: Result<f64, &str>) {
        let Some((cell, ..)) = self.running.remove(&worker) else { return };
        let cost = self.costs.iter_mut().find(|c| c.cell == cell);
        match (outcome, cost) {
            (Ok(seconds), Some(cost)) => {
                (cost.done, cost.seconds) = (true, seconds);
                let (done, all) = (self.done(), self.costs.len());
                let left = self.left().map_or(String::new(), |s| format!(", {} left", hours(s)));
                self.line(&format!("{cell}: done in {}; {done} of {all} cells{left}", hours(seconds)));
            }
            (Err(error), _) => self.line(&format!("{cell}: failed: {error}")),
            _ => {}
        }
        self.draw();
    }

    fn done(&self) -> usize {
        self.costs.iter().filter(|c| c.done).count()
    }

    /// Seconds until all is done: what an epoch took in cells of the same method, or of any.
    fn left(&self) -> Option<f64> {
        let pace = |of: &dyn Fn(&Cost) -> bool| {
            let known: Vec<f64> = self
                .costs
                .iter()
                .filter(|c| c.done && c.seconds > 0.0 && of(c))
                .map(|c| c.seconds / c.epochs.max(1) as f64)
                .collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
        };
        let any = pace(&|_| true)?;
        let share = |cell: &CellId| {
            let running = self.running.values().find(|(c, ..)| c == cell);
            running.map_or(0.0, |(_, done, total)| *done as f64 / (*total).max(1) as f64)
        };
        let open = self.costs.iter().filter(|c| !c.done);
        let seconds: f64 = open
            .map(|c| pace(&|other| other.method == c.method).unwrap_or(any) * c.epochs as f64 * (1.0 - share(&c.cell)))
            .sum();
        Some(seconds.max(0.0) / self.jobs as f64)
    }

    fn draw(&self) {
        let Some(bar) = &self.bar else { return };
        let running = self.running.values().map(|(cell, done, total)| format!("{cell} {done}/{total}"));
        let left = self.left().map_or(String::new(), |s| format!("; about {} for all", hours(s)));
        bar.set_position(self.done() as u64);
        bar.set_message(running.collect::<Vec<_>>().join(", ") + &left);
    }

    /// A line above the bar.
    pub fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }
}

impl Drop for StudyProgress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// 45 s, 12 min, 3 h 5 min.
fn hours(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round() as u64;
    match minutes {
        0 | 1 => format!("{seconds:.0} s"),
        2..120 => format!("{minutes} min"),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(cell: &str, method: Method, seconds: f64) -> Cost {
        Cost { cell: cell.parse().unwrap(), method, epochs: 2, done: seconds > 0.0, seconds }
    }

    /// Reference: an epoch of ce took 5 s and one of clip-lung 20 s; left are two cells of ce, one half done, and one of udm, which has
    /// taken nothing yet: (10 + 5 + 2 * 12.5) / 2 workers.
    #[test]
    fn the_time_left_is_learned_from_cells_of_the_method() {
        let costs = vec![
            cost("ce.lidc-a.f0.s2", Method::Ce, 10.0),
            cost("clip-lung.lidc-a.f0.s2", Method::ClipLung, 40.0),
            cost("ce.lidc-a.f1.s2", Method::Ce, 0.0),
            cost("ce.lidc-a.f2.s2", Method::Ce, 0.0),
            cost("udm.lidc-a.f0.s2", Method::Udm, 0.0),
        ];
        let mut shown = StudyProgress::new(costs, 2);
        shown.start(0, "ce.lidc-a.f2.s2".parse().unwrap());
        shown.step(0, 50, 100);
        assert!((shown.left().unwrap() - 20.0).abs() < 1e-9);
        shown.end(0, Ok(10.0));
        assert!((shown.left().unwrap() - (10.0 + 2.0 * (5.0 + 5.0 + 20.0) / 3.0) / 2.0).abs() < 1e-9);
        assert!(StudyProgress::new(vec![cost("ce.lidc-a.f1.s2", Method::Ce, 0.0)], 1).left().is_none());
    }

    #[test]
    fn times_as_people_say_them() {
        assert_eq!([45.0, 720.0, 11_100.0].map(hours), ["45 s", "12 min", "3 h 5 min"]);
    }
}
