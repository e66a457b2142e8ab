//! Axes of a panel: values to pixels, ticks, grid.

use super::panel::{Anchor, Panel};

/// Values along one direction.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    values: [f64; 2],
    pixels: [f64; 2],
}

impl Scale {
    /// `values` onto `pixels`, end to end; a range without extent is widened.
    pub fn new([low, high]: [f64; 2], pixels: [f64; 2]) -> Self {
        let values = if high > low { [low, high] } else { [low - 0.5, high + 0.5] };
        Self { values, pixels }
    }

    /// The pixel of a value.
    pub fn at(&self, value: f64) -> f64 {
        let share = (value - self.values[0]) / (self.values[1] - self.values[0]);
        self.pixels[0] + share * (self.pixels[1] - self.pixels[0])
    }

    /// Round values within the range, about `count` of them, with the digits that they need.
    pub fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        let [low, high] = self.values;
        let rough = (high - low) / count.max(1) as f64;
        let power = 10f64.powf(rough.log10().floor());
        let ends = |step: f64| ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
        // one value alone says nothing of the scale
        let several = |step: &f64| {
            let (first, last) = ends(*step);
            last > first
        };
        let steps = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0].map(|s| s * power);
        let start = steps.iter().position(|s| *s >= rough * 0.999).unwrap_or(steps.len() - 1);
        let step = steps[..=start].iter().rev().copied().find(several).unwrap_or(rough);
        let digits = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
        let (first, last) = ends(step);
        let text = |v: f64| if v == 0.0 { "0".into() } else { format!("{v:.digits$}").replace('-', "\u{2212}") };
        (first..=last).map(|i| i as f64 * step).map(|v| (v, text(v))).collect()
    }
}

/// Two scales of a panel.
#[derive(Clone, Copy, Debug)]
pub struct Axes {
    pub x: Scale,
    pub y: Scale,
}

impl Axes {
    /// A point's pixels.
    pub fn at(&self, x: f64, y: f64) -> [f64; 2] {
        [self.x.at(x), self.y.at(y)]
    }

    /// Grid lines with their values and the names of both directions.
    pub fn draw(&self, panel: &mut Panel, x_name: &str, y_name: &str, ticks: usize) {
        let ([left, right], [bottom, top]) = (self.x.pixels, self.y.pixels);
        self.draw_x(panel, x_name, ticks);
        for (value, text) in self.y.ticks(ticks) {
            let y = self.y.at(value);
            panel.line("grid", [left, y], [right, y]);
            panel.text("small", Anchor::End, [left - 4.0, y + 4.0], &text);
        }
        panel.line("axis", [left, bottom], [left, top]);
        panel.text("small", Anchor::Start, [2.0, top - 8.0], y_name);
    }

    /// The horizontal direction alone.
    pub fn draw_x(&self, panel: &mut Panel, name: &str, ticks: usize) {
        let ([left, right], [bottom, top]) = (self.x.pixels, self.y.pixels);
        for (value, text) in self.x.ticks(ticks) {
            let x = self.x.at(value);
            panel.line("grid", [x, bottom], [x, top]);
            panel.text("small", Anchor::Middle, [x, bottom + 14.0], &text);
        }
        panel.line("axis", [left, bottom], [right, bottom]);
        panel.text("small", Anchor::Middle, [(left + right) / 2.0, bottom + 28.0], name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        let texts = |range: [f64; 2], count| -> Vec<String> {
            Scale::new(range, [0.0, 100.0]).ticks(count).into_iter().map(|t| t.1).collect()
        };
        assert_eq!(texts([0.0, 1.0], 4), ["0", "0.5", "1.0"]);
        assert_eq!(texts([0.0, 1.0], 5), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(texts([-0.013, 0.021], 4), ["\u{2212}0.01", "0", "0.01", "0.02"]);
        assert_eq!(texts([3.0, 27.0], 5), ["5", "10", "15", "20", "25"]);
        assert_eq!(texts([-3.2, 4.8], 3), ["\u{2212}2", "0", "2", "4"]);
        let scale = Scale::new([2.0, 2.0], [0.0, 10.0]);
        assert_eq!(scale.at(2.0), 5.0);
    }
}
