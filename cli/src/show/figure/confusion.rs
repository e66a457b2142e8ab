//! Confusion matrices, a panel a method.

use clip_lung_core::study::numbers;
use clip_lung_core::study::summary::entry::Kind;
use clip_lung_core::study::summary::level::Row;
use clip_lung_core::study::summary::task::TaskSummary;

use super::panel::{Anchor, Figure, Panel};

const CELL: [f64; 2] = [58.0, 40.0];
const LEFT: f64 = 70.0;
const TOP: f64 = 44.0;

/// Methods and size alone; `None` without a row.
pub fn figure(task: &TaskSummary) -> Option<Figure> {
    let drawn = task.rows.iter().filter(|r| r.kind == Kind::Method || r.name == "size-only");
    let panels: Vec<Panel> = drawn.map(|r| panel(task, r)).collect();
    (!panels.is_empty()).then(|| Figure {
        name: format!("confusion.{}", task.task.name()),
        title: format!("{}: confusion", task.task.name()),
        caption:
            "Rows: true class; columns: answer. The share of the row's nodules, and their number, all folds and seeds."
                .into(),
        panels,
        columns: 3,
    })
}

fn panel(task: &TaskSummary, row: &Row) -> Panel {
    let classes = task.task.classes();
    let tested = task.task.tested();
    let width = LEFT + CELL[0] * classes.len() as f64 + 4.0;
    let mut panel = Panel::new(numbers::shown(&row.name), [width, TOP + CELL[1] * tested.len() as f64 + 4.0]);
    for (j, class) in classes.iter().enumerate() {
        panel.text("small", Anchor::Middle, [LEFT + CELL[0] * (j as f64 + 0.5), TOP - 6.0], class.name());
    }
    for (i, &truth) in tested.iter().enumerate() {
        let y = TOP + CELL[1] * i as f64;
        panel.text("small", Anchor::End, [LEFT - 6.0, y + CELL[1] / 2.0 + 4.0], classes[truth].name());
        let Some(counts) = row.confusion.get(truth) else { continue };
        let all: u64 = counts.iter().sum();
        for (j, n) in counts.iter().enumerate() {
            let share = *n as f64 / all.max(1) as f64;
            let x = LEFT + CELL[0] * j as f64;
            // faint enough for the text over it
            panel.rect("f0", [x + 1.0, y + 1.0], CELL.map(|v| v - 2.0), 0.05 + 0.5 * share);
            let centre = x + CELL[0] / 2.0;
            panel.text("", Anchor::Middle, [centre, y + 18.0], &format!("{:.0} %", 100.0 * share));
            panel.text("small", Anchor::Middle, [centre, y + 33.0], &n.to_string());
        }
    }
    panel
}
