//! How often each method has each rank, as areas (after challengeR's blob plots).

use clip_lung_core::study::numbers;
use clip_lung_core::study::summary::stability::{MethodRanks, Ranks};
use clip_lung_core::study::summary::task::TaskSummary;

use super::panel::{Anchor, Figure, Panel};

const STEP: f64 = 26.0;
const LEFT: f64 = 90.0;
const TOP: f64 = 40.0;

/// The ranks of a task; `None` where nothing was ranked.
pub fn figure(task: &TaskSummary) -> Option<Figure> {
    let panels: Vec<Panel> = task.ranks.iter().map(panel).collect();
    let resamples = task.ranks.first()?.resamples;
    Some(Figure {
        name: format!("ranks.{}", task.task.name()),
        title: format!("{}: stability of the ranking", task.task.name()),
        caption: format!(
            "The area of a disc is the share of {resamples} resamples of the patients in which a method has the rank; the circle is its \
             rank among the nodules as they are."
        ),
        panels,
        columns: 2,
    })
}

fn panel(ranks: &Ranks) -> Panel {
    let mut methods: Vec<&MethodRanks> = ranks.methods.iter().collect();
    methods.sort_by_key(|m| m.rank);
    let n = methods.len() as f64;
    let name = numbers::name(ranks.measure);
    let mut panel =
        Panel::new(&format!("rank by {}", name.trim_end_matches(", %")), [LEFT + STEP * n + 8.0, TOP + STEP * n + 8.0]);
    let at = |rank: usize, row: usize| [LEFT + STEP * (rank as f64 - 0.5), TOP + STEP * (row as f64 + 0.5)];
    for rank in 1..=methods.len() {
        let [x, _] = at(rank, 0);
        panel.text("small", Anchor::Middle, [x, TOP - 6.0], &rank.to_string());
        panel.line("grid", [x, TOP], [x, TOP + STEP * n]);
    }
    for (row, method) in methods.iter().enumerate() {
        let y = at(1, row)[1];
        panel.text("", Anchor::End, [LEFT - 6.0, y + 4.0], &method.name);
        panel.line("grid", [LEFT, y], [LEFT + STEP * n, y]);
        for (i, share) in method.shares.iter().enumerate().filter(|(_, share)| **share > 0.0) {
            panel.circle("f0", at(i + 1, row), STEP / 2.0 * share.sqrt());
        }
        panel.circle("ring s1", at(method.rank, row), STEP / 2.0);
    }
    panel
}
