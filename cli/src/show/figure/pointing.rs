//! How much of the heat lies inside the readers' outlines, a row a method.

use clip_lung_core::metrics::intervals::percentile;

use super::axes::{Axes, Scale};
use super::panel::{Anchor, Figure, Panel};

const ROW: f64 = 22.0;
const WIDTH: f64 = 460.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 110.0;
const TOP: f64 = 30.0;

/// One method's nodules.
#[derive(Clone, Debug)]
pub struct Pointing {
    pub name: String,
    /// A nodule's heat inside and its area, both as shares of all.
    pub shares: Vec<[f64; 2]>,
}

/// The methods of a task; `None` without one.
pub fn figure(task: &str, methods: &[Pointing]) -> Option<Figure> {
    (!methods.is_empty()).then(|| Figure {
        name: format!("pointing.{task}"),
        title: format!("{task}: heat inside the readers' outlines"),
        caption: "Share of a Grad-CAM map's heat that lies where at least half of the readers have the nodule, seen along z (the map is \
                  one for all slices): median and quartiles of the test nodules. Hollow: the share of the plane that this is, which heat \
                  spread evenly would have."
            .into(),
        panels: vec![panel(methods)],
        columns: 1,
    })
}

fn panel(methods: &[Pointing]) -> Panel {
    let bottom = TOP + ROW * methods.len() as f64;
    let mut panel = Panel::new("median and quartiles", [WIDTH, bottom + 36.0]);
    let axes =
        Axes { x: Scale::new([0.0, 100.0], [LEFT, WIDTH - RIGHT]), y: Scale::new([0.0, 1.0], [bottom, TOP - 6.0]) };
    axes.draw_x(&mut panel, "heat inside, %", 5);
    for (i, method) in methods.iter().enumerate() {
        let y = TOP + ROW * (i as f64 + 0.5);
        let at = |share: f64| [axes.x.at(100.0 * share), y];
        panel.text("", Anchor::End, [LEFT - 6.0, y + 4.0], &method.name);
        let (Some([low, median, high]), Some([_, area, _])) = (quartiles(method, 0), quartiles(method, 1)) else {
            continue;
        };
        panel.line("whisker s0", at(low), at(high));
        panel.circle("f0", at(median), 4.5);
        panel.circle("hollow s1", at(area), 3.5);
        let text = format!("{:.1} %, n = {}", 100.0 * median, method.shares.len());
        panel.text("small", Anchor::Start, [WIDTH - RIGHT + 12.0, y + 4.0], &text);
    }
    panel
}

/// Of a column of the shares.
fn quartiles(method: &Pointing, column: usize) -> Option<[f64; 3]> {
    let mut values: Vec<f64> = method.shares.iter().map(|s| s[column]).collect();
    values.sort_by(f64::total_cmp);
    Some([percentile(&values, 0.25)?, percentile(&values, 0.5)?, percentile(&values, 0.75)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_a_row() {
        let shares = vec![[0.25, 0.125], [0.5, 0.25], [1.0, 0.5]];
        let methods = [Pointing { name: "ce".into(), shares }];
        let file = figure("lidc-a", &methods).unwrap().file();
        // 0 to 100 % over 90 to 350 pixels: quartiles 37.5 and 75 %, medians 50 and 25 %
        assert!(file.contains(r#"x1="187.5" y1="41.0" x2="285.0" y2="41.0""#), "{file}");
        assert!(
            file.contains(r#"cx="220.0""#) && file.contains(r#"cx="155.0""#) && file.contains("50.0 %, n = 3"),
            "{file}"
        );
        assert!(figure("lidc-a", &[]).is_none());
    }
}
