//! t-SNE of a fold's test features, a panel a method; every class has its colour and its shape.

use clip_lung_core::dataset::class::Class;

use super::axes::{Axes, Scale};
use super::panel::{Anchor, Figure, Panel};

const SIDE: f64 = 250.0;
const TOP: f64 = 36.0;

/// The picture of one method's features.
#[derive(Clone, Debug)]
pub struct Picture {
    pub name: String,
    pub points: Vec<[f64; 2]>,
    pub classes: Vec<Class>,
    /// Share of nodules whose 10 nearest others, in the space of the features, vote for their class.
    pub neighbours: f64,
}

/// The pictures of a fold; `None` without one.
pub fn figure(task: &str, fold: usize, pictures: &[Picture]) -> Option<Figure> {
    (!pictures.is_empty()).then(|| Figure {
        name: format!("tsne.{task}.f{fold}"),
        title: format!("{task}, fold {fold}: test features"),
        caption: "t-SNE (perplexity 30, started from the principal components) of the classifier's input. Distances between clusters mean \
                  nothing: beside the name stands the share of nodules whose 10 nearest others in the space of the features vote for \
                  their class."
            .into(),
        panels: pictures.iter().map(panel).collect(),
        columns: 3,
    })
}

fn panel(picture: &Picture) -> Panel {
    let title = format!("{}  {:.1} %", picture.name, 100.0 * picture.neighbours);
    let mut panel = Panel::new(&title, [SIDE, SIDE + TOP]);
    let range = |k: usize| {
        let values = picture.points.iter().map(|p| p[k]);
        values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], v| [low.min(v), high.max(v)])
    };
    let axes =
        Axes { x: Scale::new(range(0), [8.0, SIDE - 8.0]), y: Scale::new(range(1), [SIDE + TOP - 8.0, TOP + 8.0]) };
    for (i, class) in Class::ALL.into_iter().filter(|c| picture.classes.contains(c)).enumerate() {
        let x = 8.0 + 80.0 * i as f64;
        mark(&mut panel, class, [x, 27.0]);
        panel.text("small", Anchor::Start, [x + 8.0, 31.0], class.name());
    }
    for ([x, y], class) in picture.points.iter().zip(&picture.classes) {
        mark(&mut panel, *class, axes.at(*x, *y));
    }
    panel
}

fn mark(panel: &mut Panel, class: Class, [x, y]: [f64; 2]) {
    match class {
        Class::Benign => panel.circle("f0", [x, y], 2.4),
        Class::Unsure => panel.rect("f4", [x - 2.1, y - 2.1], [4.2, 4.2], 1.0),
        Class::Malignant => panel.area("f1", &[[x - 3.0, y + 2.5], [x + 3.0, y + 2.5], [x, y - 3.0]]),
    }
}
