//! ROC curves with bands, a panel a method, size alone behind each.

use clip_lung_core::study::anchors::Anchor as NoImage;
use clip_lung_core::study::measures::Measure;
use clip_lung_core::study::numbers;
use clip_lung_core::study::summary::roc::{Roc, STEPS};
use clip_lung_core::study::summary::task::TaskSummary;

use super::axes::{Axes, Scale};
use super::panel::{Figure, Panel};

const SIDE: f64 = 220.0;

/// The curves of a task; `None` without one.
pub fn figure(task: &TaskSummary) -> Option<Figure> {
    let size = task.roc.iter().find(|r| r.name == NoImage::SizeOnly.name());
    let panels: Vec<Panel> = task.roc.iter().map(|r| panel(task, r, size)).collect();
    (!panels.is_empty()).then(|| Figure {
        name: format!("roc.{}", task.task.name()),
        title: format!("{}: ROC curves, malignant against benign", task.task.name()),
        caption: "All folds pooled, 95 % bands of the bootstrap over patients, point by point; beside the name the area. Dashed: size \
                  alone."
            .into(),
        panels,
        columns: 3,
    })
}

fn panel(task: &TaskSummary, roc: &Roc, size: Option<&Roc>) -> Panel {
    let area = task.row(&roc.name).and_then(|r| r.level(Measure::BenignMalignantAuc)).and_then(|l| l.pooled);
    let area = area.map_or(String::new(), |a| format!("  {a:.3}"));
    let mut panel = Panel::new(&(numbers::shown(&roc.name).to_owned() + &area), [SIDE, SIDE + 40.0]);
    let axes = Axes { x: Scale::new([0.0, 1.0], [32.0, SIDE - 8.0]), y: Scale::new([0.0, 1.0], [SIDE, 40.0]) };
    axes.draw(&mut panel, "1 \u{2212} specificity", "sensitivity", 4);
    let points = |values: &[f64]| -> Vec<[f64; 2]> {
        values.iter().enumerate().map(|(k, v)| axes.at(k as f64 / STEPS as f64, *v)).collect()
    };
    let band: Vec<[f64; 2]> = points(&roc.high).into_iter().chain(points(&roc.low).into_iter().rev()).collect();
    panel.area("band f0", &band);
    if let Some(size) = size.filter(|s| s.name != roc.name) {
        panel.path("s7 second", &points(&size.sensitivity));
    }
    panel.path("s0", &points(&roc.sensitivity));
    panel
}
