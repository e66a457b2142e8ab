//! The figures of the CLIP-Lung paper (Lei et al., MICCAI 2023, arXiv 2304.08013, tables 1 and 2), in percent. Their nodules and
//! splits are not those of any run here, and they look like single splits: a level to stand beside, not one to test against.

use crate::dataset::class::Class;
use crate::dataset::task::Task;
use crate::methods::{Method, MethodConfig};
use crate::study::measures::Measure;
use crate::train::config::TrainConfig;

/// Where the figures are from.
pub const SOURCE: &str =
    "Lei et al., CLIP-Lung, MICCAI 2023, arXiv 2304.08013: other nodules and splits, so a level, not a test";

/// LIDC-A: accuracy, recall and F1 of benign, malignant, unsure. LIDC-B and -C: accuracy, recall and F1 of benign, malignant.
type Figures = (Method, [f64; 7], [f64; 5], [f64; 5]);

const METHODS: [Figures; 8] = [
    (
        Method::Ce,
        [54.2, 72.2, 64.4, 29.0, 62.0, 61.3, 36.6],
        [83.3, 92.4, 63.4, 88.4, 70.3],
        [85.5, 91.5, 72.3, 89.7, 75.6],
    ),
    (
        Method::Poisson,
        [52.7, 60.5, 58.4, 41.0, 56.8, 58.7, 44.1],
        [81.8, 94.2, 54.5, 87.7, 65.1],
        [84.0, 87.9, 75.2, 88.3, 74.5],
    ),
    (
        Method::Nsb,
        [53.4, 80.7, 67.3, 16.0, 63.0, 63.8, 24.2],
        [78.1, 90.6, 50.5, 85.8, 60.7],
        [84.9, 91.0, 71.3, 89.2, 74.6],
    ),
    (
        Method::Udm,
        [54.6, 76.7, 49.5, 32.5, 64.3, 53.5, 39.5],
        [79.3, 87.0, 62.4, 86.2, 67.7],
        [84.6, 88.8, 75.2, 88.8, 75.2],
    ),
    (
        Method::Corf,
        [56.8, 71.3, 61.3, 38.5, 63.3, 62.3, 44.3],
        [81.5, 95.9, 49.5, 87.8, 62.8],
        [83.0, 87.9, 72.3, 87.7, 72.6],
    ),
    (
        Method::Clip,
        [56.6, 59.5, 55.2, 53.9, 59.2, 60.0, 52.2],
        [83.6, 92.0, 64.4, 88.7, 70.4],
        [87.5, 92.0, 77.0, 91.0, 78.8],
    ),
    (
        Method::Cocoop,
        [56.8, 59.0, 55.2, 55.1, 59.2, 60.0, 52.8],
        [86.8, 94.5, 69.0, 90.9, 75.9],
        [88.2, 95.0, 72.4, 91.8, 78.8],
    ),
    (
        Method::ClipLung,
        [60.9, 67.5, 60.9, 53.4, 64.4, 66.3, 54.1],
        [87.5, 94.5, 72.3, 91.7, 79.0],
        [89.5, 94.0, 80.5, 92.8, 82.8],
    ),
];

/// Which of the losses IC, IA and CA are on, and the accuracy on LIDC-A, -B and -C. The paper's text shows only how many are on in a row;
/// which ones follows its discussion.
const ABLATION: [([bool; 3], [f64; 3]); 4] = [
    ([true, false, false], [56.8, 86.8, 88.2]),
    ([true, true, false], [59.4, 86.8, 86.7]),
    ([true, false, true], [58.1, 85.7, 87.5]),
    ([false, true, true], [56.9, 84.7, 84.0]),
];

/// A method's published share, from 0 to 1; `None` where the paper has none.
pub fn of_method(method: Method, task: Task, measure: Measure) -> Option<f64> {
    let (_, a, b, c) = METHODS.iter().find(|m| m.0 == method)?;
    let row: &[f64] = match task {
        Task::LidcA => a,
        Task::LidcB => b,
        Task::LidcC => c,
    };
    let classes = (row.len() - 1) / 2;
    let class = |c: Class| match c {
        Class::Benign => 1,
        Class::Malignant => 2,
        Class::Unsure => 3,
    };
    let at = match measure {
        Measure::Accuracy => 0,
        Measure::Recall(c) if class(c) <= classes => class(c),
        Measure::F1(c) if class(c) <= classes => classes + class(c),
        _ => return None,
    };
    Some(row[at] / 100.0)
}

/// The published accuracy of clip-lung with some of its losses off; `None` for other settings.
pub fn of_ablation(config: &TrainConfig) -> Option<f64> {
    let MethodConfig::ClipLung(own) = &config.method else { return None };
    let on = [own.ic, own.ia, own.ca].map(|weight| weight > 0.0);
    let accuracy = ABLATION.iter().find(|(losses, _)| *losses == on)?.1;
    Some(accuracy[config.task as usize] / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::clip_lung;

    /// In a table of one split, accuracy lies between the recalls, and F1 never above 1.
    #[test]
    fn figures_are_in_their_places() {
        for method in Method::ALL {
            for task in Task::ALL {
                let tested = Class::ALL.into_iter().filter(|c| task.tests(*c));
                let recalls: Vec<f64> = tested.map(|c| of_method(method, task, Measure::Recall(c)).unwrap()).collect();
                let accuracy = of_method(method, task, Measure::Accuracy).unwrap();
                let (low, high) = recalls.iter().fold((1.0f64, 0.0f64), |(l, h), r| (l.min(*r), h.max(*r)));
                assert!(low < accuracy && accuracy < high, "{method:?} {task:?}");
            }
        }
        let cell = |task, measure| of_method(Method::ClipLung, task, measure);
        assert_eq!(cell(Task::LidcA, Measure::F1(Class::Unsure)), Some(0.541));
        assert_eq!(cell(Task::LidcC, Measure::F1(Class::Malignant)), Some(0.828));
        assert_eq!(cell(Task::LidcB, Measure::Recall(Class::Unsure)), None);
        assert_eq!(cell(Task::LidcA, Measure::MacroAuc), None);
    }

    #[test]
    fn the_ablation_is_known_by_its_losses() {
        let of = |ic: f64, ia: f64, ca: f64, task| {
            let method = MethodConfig::ClipLung(clip_lung::Config { ic, ia, ca, ..Default::default() });
            of_ablation(&TrainConfig { method, task, ..TrainConfig::default() })
        };
        assert_eq!(of(1.0, 0.0, 0.5, Task::LidcB), Some(0.857));
        assert_eq!(of(0.0, 1.0, 0.5, Task::LidcA), Some(0.569));
        assert_eq!((of(0.0, 0.0, 0.0, Task::LidcA), of(1.0, 1.0, 0.5, Task::LidcA)), (None, None));
        assert_eq!(of_ablation(&TrainConfig::of(Method::Ce)), None);
    }
}
