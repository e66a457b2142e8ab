//! Recall of each class, a row a method, beside the published figure.

use clip_lung_core::dataset::class::Class;
use clip_lung_core::study::measures::Measure;
use clip_lung_core::study::numbers;
use clip_lung_core::study::summary::entry::Kind;
use clip_lung_core::study::summary::level::{Level, Row};
use clip_lung_core::study::summary::task::TaskSummary;

use super::axes::{Axes, Scale};
use super::panel::{Anchor, Figure, Panel};

const ROW: f64 = 22.0;
const WIDTH: f64 = 330.0;
const LEFT: f64 = 130.0;
const TOP: f64 = 30.0;

/// Methods and anchors but the majority; `None` without a row.
pub fn figure(task: &TaskSummary) -> Option<Figure> {
    let drawn = |r: &&Row| r.kind == Kind::Method || (r.kind == Kind::Anchor && r.name != "majority");
    let rows: Vec<&Row> = task.rows.iter().filter(drawn).collect();
    let classes = Class::ALL.into_iter().filter(|c| task.task.tests(*c));
    (!rows.is_empty()).then(|| Figure {
        name: format!("recall.{}", task.task.name()),
        title: format!("{}: recall of each class", task.task.name()),
        caption: "Mean over the folds with one standard deviation. Hollow: the published figure, of other nodules and splits.".into(),
        panels: classes.map(|c| panel(&rows, c)).collect(),
        columns: 3,
    })
}

fn panel(rows: &[&Row], class: Class) -> Panel {
    let bottom = TOP + ROW * rows.len() as f64;
    let mut panel = Panel::new(class.name(), [WIDTH, bottom + 36.0]);
    let axes =
        Axes { x: Scale::new([0.0, 100.0], [LEFT, WIDTH - 10.0]), y: Scale::new([0.0, 1.0], [bottom, TOP - 6.0]) };
    axes.draw_x(&mut panel, "recall, %", 5);
    for (i, row) in rows.iter().enumerate() {
        let y = TOP + ROW * (i as f64 + 0.5);
        panel.text("", Anchor::End, [LEFT - 6.0, y + 4.0], numbers::shown(&row.name));
        let Some(Level { mean, sd, published, .. }) = row.level(Measure::Recall(class)) else { continue };
        let at = |share: f64| axes.x.at(100.0 * share.clamp(0.0, 1.0));
        let sd = sd.unwrap_or(0.0);
        panel.line("whisker s0", [at(mean - sd), y], [at(mean + sd), y]);
        panel.circle("f0", [at(*mean), y], 4.5);
        if let Some(published) = published {
            panel.circle("hollow s1", [at(*published), y], 3.5);
        }
    }
    panel
}
