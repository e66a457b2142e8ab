//! Learning curves of several runs or methods in one picture.

use clip_lung_core::train::log::StepLog;

use super::axes::{Axes, Scale};
use super::panel::{Anchor, COLOURS, Figure, Panel};
use crate::show::curves::by_epoch;

const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 220.0;
const LINE: f64 = 16.0;
/// The most characters of a name.
const LONGEST: usize = 48;

/// Means an epoch of one run, or of all of a method's.
#[derive(Clone, Debug)]
pub struct Curve {
    name: String,
    /// (epoch from 1, value).
    loss: Vec<(f64, f64)>,
    accuracy: Vec<(f64, f64)>,
    /// Macro AUC on the validation nodules, where there were some.
    validation: Vec<(f64, f64)>,
}

impl Curve {
    /// Of the steps of one or more runs; `None` without a step.
    pub fn new(name: &str, steps: &[StepLog]) -> Option<Self> {
        let (loss, accuracy) = (by_epoch(steps, &|s| Some(s.loss)), by_epoch(steps, &|s| Some(s.accuracy)));
        let validation = by_epoch(steps, &|s| s.validation.as_ref()?.macro_auc);
        (!loss.is_empty()).then(|| Self { name: name.into(), loss, accuracy, validation })
    }
}

/// Loss and accuracy of all curves, and their validation where one has it; `None` without a curve.
pub fn figure(name: &str, title: &str, curves: &[Curve]) -> Option<Figure> {
    let epochs = curves.iter().flat_map(|c| &c.loss).map(|p| p.0).fold(1.0, f64::max);
    let highest = curves.iter().flat_map(|c| &c.loss).map(|p| p.1).fold(0.1, f64::max);
    let mut panels = vec![
        panel("training loss", curves, epochs, highest * 1.05, |c| &c.loss),
        panel("training accuracy", curves, epochs, 1.0, |c| &c.accuracy),
    ];
    if curves.iter().any(|c| !c.validation.is_empty()) {
        panels.push(panel("validation, macro AUC", curves, epochs, 1.0, |c| &c.validation));
    }
    (!curves.is_empty()).then(|| Figure {
        name: name.into(),
        title: title.into(),
        caption: "Means an epoch, of the training over its batches; the sums of the methods' own losses have no common scale."
            .into(),
        panels,
        columns: 3,
    })
}

fn panel(title: &str, curves: &[Curve], epochs: f64, top: f64, of: fn(&Curve) -> &Vec<(f64, f64)>) -> Panel {
    let legend = HEIGHT + 44.0;
    let mut panel = Panel::new(title, [WIDTH, legend + LINE * curves.len() as f64]);
    let axes =
        Axes { x: Scale::new([1.0, epochs.max(2.0)], [44.0, WIDTH - 8.0]), y: Scale::new([0.0, top], [HEIGHT, 30.0]) };
    axes.draw(&mut panel, "epoch", "", 5);
    for (i, curve) in curves.iter().enumerate() {
        let dashes = ["", " second", " third"][(i / COLOURS).min(2)];
        let class = format!("s{}{dashes}", i % COLOURS);
        let points: Vec<[f64; 2]> = of(curve).iter().map(|(e, v)| axes.at(*e, *v)).collect();
        if points.len() > 1 {
            panel.path(&class, &points);
        }
        if let [only] = points[..] {
            panel.circle(&format!("f{}", i % COLOURS), only, 3.0);
        }
        let y = legend + LINE * i as f64;
        panel.path(&class, &[[6.0, y - 4.0], [30.0, y - 4.0]]);
        panel.text("small", Anchor::Start, [36.0, y], &shortened(&curve.name));
    }
    panel
}

/// The end of a name that is too long: of a path it says most.
fn shortened(name: &str) -> String {
    let length = name.chars().count();
    if length <= LONGEST {
        return name.into();
    }
    "\u{2026}".chars().chain(name.chars().skip(length - LONGEST + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clip_lung_core::train::log::Validated;

    #[test]
    fn curves_meet_in_one_picture() {
        let step = |epoch: usize, loss: f64| StepLog {
            epoch,
            step: 1,
            lr: 0.1,
            loss,
            terms: Default::default(),
            watched: Default::default(),
            gradient_norm: 1.0,
            accuracy: 0.5,
            samples: 10,
            validation: (loss < 2.0).then_some(Validated { loss: 1.0, accuracy: 0.5, macro_auc: Some(0.75) }),
        };
        let long = "x".repeat(60);
        let curves = [
            Curve::new("a <run>", &[step(0, 2.0), step(0, 4.0), step(1, 1.0)]).unwrap(),
            Curve::new(&long, &[step(0, 1.0)]).unwrap(),
        ];
        assert_eq!((curves[0].loss.clone(), Curve::new("none", &[]).is_none()), (vec![(1.0, 3.0), (2.0, 1.0)], true));
        let svg = figure("curves", "two", &curves).unwrap().file();
        // loss and accuracy: a curve, a point for the single epoch, two lines of the legend; validation: two points and the legend
        assert_eq!((svg.matches("<polyline").count(), svg.matches("<circle").count()), (3 + 3 + 2, 1 + 1 + 2));
        assert_eq!(svg.matches("a &lt;run&gt;").count(), 3);
        let bare = figure("curves", "one", &[Curve::new("bare", &[step(0, 2.0)]).unwrap()]).unwrap().file();
        assert!(!bare.contains("validation"));
        assert!(svg.contains(&format!("\u{2026}{}<", "x".repeat(47))), "{svg}");
        assert!(figure("curves", "none", &[]).is_none());
    }
}
