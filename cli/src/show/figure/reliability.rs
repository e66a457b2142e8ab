//! Reliability: how often answers are right, by the probability they came with.

use clip_lung_core::study::measures::Measure;
use clip_lung_core::study::numbers;
use clip_lung_core::study::summary::reliability::Reliability;
use clip_lung_core::study::summary::task::TaskSummary;

use super::axes::{Axes, Scale};
use super::panel::{Figure, Panel};

const SIDE: f64 = 220.0;

/// The methods of a task; `None` without one.
pub fn figure(task: &TaskSummary) -> Option<Figure> {
    let panels: Vec<Panel> = task.reliability.iter().map(|r| panel(task, r)).collect();
    (!panels.is_empty()).then(|| Figure {
        name: format!("reliability.{}", task.task.name()),
        title: format!("{}: reliability", task.task.name()),
        caption: "The share of right answers by their probability in 15 bins, with Wilson's 95 % interval; the area of a point goes with \
                  the number of answers. On the dashed line probabilities mean what they say. Beside the name the calibration error, all \
                  folds pooled."
            .into(),
        panels,
        columns: 3,
    })
}

fn panel(task: &TaskSummary, reliability: &Reliability) -> Panel {
    let error = task.row(&reliability.name).and_then(|r| r.level(Measure::Ece)).and_then(|l| l.pooled);
    let error = error.map_or(String::new(), |e| format!("  {e:.3}"));
    let mut panel = Panel::new(&(numbers::shown(&reliability.name).to_owned() + &error), [SIDE, SIDE + 40.0]);
    let axes = Axes { x: Scale::new([0.0, 1.0], [32.0, SIDE - 8.0]), y: Scale::new([0.0, 1.0], [SIDE, 40.0]) };
    axes.draw(&mut panel, "probability of the answer", "right answers", 4);
    panel.line("dashed", axes.at(0.0, 0.0), axes.at(1.0, 1.0));
    let all: u64 = reliability.bins.iter().map(|b| b.answers).sum();
    for bin in &reliability.bins {
        let share = bin.answers as f64 / all.max(1) as f64;
        panel.line("whisker s0", axes.at(bin.confidence, bin.interval.low), axes.at(bin.confidence, bin.interval.high));
        panel.circle("f0", axes.at(bin.confidence, bin.right), 2.0 + 14.0 * share.sqrt());
    }
    panel
}
