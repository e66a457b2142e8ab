//! Paired differences with their intervals, a row a method.

use clip_lung_core::study::measures::Measure;
use clip_lung_core::study::numbers;
use clip_lung_core::study::paired::Difference;
use clip_lung_core::study::summary::choice::LEVEL;
use clip_lung_core::study::summary::cohorts::{Compared, Family};

use super::axes::{Axes, Scale};
use super::panel::{Anchor, Figure, Panel};

const MEASURES: [Measure; 3] = [Measure::Accuracy, Measure::MacroAuc, Measure::BenignMalignantAuc];
const ROW: f64 = 22.0;
const WIDTH: f64 = 330.0;
/// Room for names.
const LEFT: f64 = 130.0;
const TOP: f64 = 30.0;

/// The name of a family's figure: a reference may have a family of methods and one of its own variants.
pub fn name(task: &str, family: &Family) -> String {
    let rows = if family.is_of_variants() { ".variants" } else { "" };
    format!("forest.{task}.{}{rows}", family.reference)
}

/// The differences of a family from its reference; `None` where nothing was compared.
pub fn figure(task: &str, family: &Family) -> Option<Figure> {
    let panels: Vec<Panel> = MEASURES.iter().filter_map(|m| panel(family, *m)).collect();
    let reference = numbers::shown(&family.reference);
    let rows = if family.is_of_variants() { "differences of its variants from" } else { "differences from" };
    (!panels.is_empty()).then(|| Figure {
        name: name(task, family),
        title: format!("{task}: {rows} {reference}"),
        caption: format!(
            "Paired differences from {reference} on the same nodules with 95 % intervals of the bootstrap over patients; right of the \
             line is better than {reference}. Filled: p below {LEVEL} after Holm's correction."
        ),
        panels,
        columns: 3,
    })
}

fn panel(family: &Family, measure: Measure) -> Option<Panel> {
    let of = |c: &Compared| -> Option<(String, Difference, bool)> {
        let d = c.comparison.differences.iter().find(|d| d.measure == measure)?.clone();
        let sure = c.holm_of(measure).is_some_and(|p| p < LEVEL);
        // of a variant of the reference its own word says enough
        let name = c.comparison.first.strip_prefix(&format!("{}.", family.reference)).unwrap_or(&c.comparison.first);
        Some((numbers::shown(name).to_owned(), d, sure))
    };
    let rows: Vec<(String, Difference, bool)> = family.comparisons.iter().filter_map(of).collect();
    let scale = if measure == Measure::Accuracy { 100.0 } else { 1.0 };
    let ends = |d: &Difference| d.interval.map_or([d.difference; 2], |i| [i.low, i.high]);
    let reach = rows.iter().flat_map(|r| ends(&r.1)).fold(0.0f64, |reach, v| reach.max(v.abs() * scale)).max(1e-3);
    let bottom = TOP + ROW * rows.len() as f64;
    let unit = if measure == Measure::Accuracy { "accuracy, percentage points".into() } else { numbers::name(measure) };
    let mut panel = Panel::new(&unit, [WIDTH, bottom + 36.0]);
    let axes = Axes {
        x: Scale::new([-reach * 1.05, reach * 1.05], [LEFT, WIDTH - 22.0]),
        y: Scale::new([0.0, 1.0], [bottom, TOP - 6.0]),
    };
    axes.draw_x(&mut panel, "difference", 4);
    panel.line("dashed", axes.at(0.0, 0.0), axes.at(0.0, 1.0));
    for (i, (name, d, sure)) in rows.iter().enumerate() {
        let y = TOP + ROW * (i as f64 + 0.5);
        let colour = if d.difference < 0.0 { 1 } else { 0 };
        let [low, high] = ends(d).map(|v| axes.x.at(v * scale));
        panel.text("", Anchor::End, [LEFT - 6.0, y + 4.0], name);
        panel.line(&format!("whisker s{colour}"), [low, y], [high, y]);
        let class = if *sure { format!("f{colour}") } else { format!("hollow s{colour}") };
        panel.circle(&class, [axes.x.at(d.difference * scale), y], 4.5);
    }
    (!rows.is_empty()).then_some(panel)
}
