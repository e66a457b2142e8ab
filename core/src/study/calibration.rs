//! What out-of-fold predictions teach a model that was trained on all nodules: the temperature of its probabilities, and which classes an
//! answer leaves open.

use super::pooled::Predictions;
use crate::methods::readout::Probabilities;
use crate::model::answer_set::{AnswerSet, HeldOut};

/// How often the true class is to be in the set.
const COVERAGE: f64 = 0.9;
/// Temperatures that are searched.
const RANGE: [f64; 2] = [0.2, 5.0];
/// The fewest nodules: of fewer, less than two would lie outside of nine sets in ten.
pub const LEAST_NODULES: usize = 20;
/// The fewest folds: what is learned from one is measured on another.
pub const LEAST_FOLDS: usize = 2;

/// Temperature and set of a method's out-of-fold predictions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// Log-probabilities are divided by it: above 1 the model was too sure. It is 1 where no other does better on held-out folds.
    pub temperature: f64,
    /// Mean -ln p(true class) with the temperature of the other folds, and without one.
    pub loss: f64,
    pub loss_before: f64,
    pub set: AnswerSet,
}

impl Calibration {
    /// From predictions of several folds; `None` of fewer than [`LEAST_NODULES`] or [`LEAST_FOLDS`].
    pub fn of(predictions: &Predictions) -> Option<Self> {
        let scored = predictions.scored();
        let folds: Vec<usize> = predictions.nodules.iter().map(|n| n.fold).collect();
        let logs: Vec<Vec<f64>> =
            scored.probabilities.iter().map(|p| p.iter().map(|v| v.max(1e-12).ln()).collect()).collect();
        let rows: Vec<(&Vec<f64>, usize, usize)> =
            logs.iter().zip(&scored.truth).zip(&folds).map(|((l, t), f)| (l, *t, *f)).collect();
        let temperature_without = |left_out: Option<usize>| {
            let kept: Vec<_> = rows.iter().filter(|r| Some(r.2) != left_out).copied().collect();
            minimum(|log| loss(&kept, log.exp()), RANGE.map(f64::ln)).exp()
        };
        if rows.len() < LEAST_NODULES || predictions.folds().len() < LEAST_FOLDS {
            return None;
        }
        let mut sum = 0.0;
        for fold in predictions.folds() {
            let own: Vec<_> = rows.iter().filter(|r| r.2 == fold).copied().collect();
            sum += loss(&own, temperature_without(Some(fold))) * own.len() as f64;
        }
        let (fitted, loss_before) = (sum / rows.len() as f64, loss(&rows, 1.0));
        let (temperature, loss) =
            if fitted < loss_before { (temperature_without(None), fitted) } else { (1.0, loss_before) };
        let nodules: Vec<HeldOut> = rows
            .iter()
            .filter_map(|(log, truth, fold)| {
                let p = Probabilities::of_logs(log, temperature).ok()?.values().to_vec();
                let others = p.iter().enumerate().filter(|(k, _)| k != truth).map(|(_, v)| *v).fold(0.0, f64::max);
                Some(HeldOut { truth: p[*truth], others, fold: *fold })
            })
            .collect();
        Some(Self { temperature, loss, loss_before, set: AnswerSet::fit(COVERAGE, &nodules)? })
    }
}

/// Mean -ln p(true class) of log-probabilities divided by a temperature.
fn loss(rows: &[(&Vec<f64>, usize, usize)], temperature: f64) -> f64 {
    let one = |(logs, truth, _): &(&Vec<f64>, usize, usize)| {
        let scaled: Vec<f64> = logs.iter().map(|l| l / temperature).collect();
        let most = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        most + scaled.iter().map(|v| (v - most).exp()).sum::<f64>().ln() - scaled[*truth]
    };
    rows.iter().map(one).sum::<f64>() / rows.len().max(1) as f64
}

/// Where a function with one minimum is least (golden section).
fn minimum(f: impl Fn(f64) -> f64, [mut low, mut high]: [f64; 2]) -> f64 {
    let golden = (5f64.sqrt() - 1.0) / 2.0;
    let (mut a, mut b) = (high - golden * (high - low), low + golden * (high - low));
    let (mut fa, mut fb) = (f(a), f(b));
    for _ in 0..60 {
        if fa < fb {
            (high, b, fb) = (b, a, fa);
            a = high - golden * (high - low);
            fa = f(a);
        } else {
            (low, a, fa) = (a, b, fb);
            b = low + golden * (high - low);
            fb = f(b);
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::decision::Decision;
    use crate::base::random::Stream;
    use crate::dataset::class::Class;
    use crate::dataset::task::Task;
    use crate::study::pooled::PredictedNodule;

    /// Classes drawn from known probabilities, which are then raised to a power, of this many nodules in so many folds.
    fn drawn(count: usize, folds: usize, power: f64) -> Predictions {
        let mut random = Stream::new(5, 1);
        let nodules = (0..count).map(|n| {
            let raw = [0, 1, 2].map(|_| random.uniform() + 0.05);
            let sum: f64 = raw.iter().sum();
            let true_p = raw.map(|v| v / sum);
            let draw = random.uniform();
            let class = if draw < true_p[0] { 0 } else { 1 + usize::from(draw >= true_p[0] + true_p[1]) };
            let sharp = true_p.map(|p| p.powf(power));
            let sum: f64 = sharp.iter().sum();
            PredictedNodule {
                nodule_id: n.to_string(),
                patient_id: n.to_string(),
                fold: n % folds,
                class: Class::ALL[class],
                probabilities: sharp.map(|v| v / sum),
            }
        });
        let nodules = nodules.collect();
        Predictions { name: "sharp".into(), task: Task::LidcA, nodules, decision: Decision::Argmax }
    }

    /// The temperature that undoes a sharpening is its power.
    #[test]
    fn the_temperature_undoes_what_sharpened() {
        let found = Calibration::of(&drawn(6000, 5, 2.0)).unwrap();
        assert!((found.temperature - 2.0).abs() < 0.15, "{found:?}");
        assert!(found.loss < found.loss_before);
        assert!((found.set.measured - 0.9).abs() < 0.015, "{found:?}");
    }

    /// Two nodules say nothing of a temperature, and of one fold nothing is left to judge it by.
    #[test]
    fn too_few_are_refused_and_a_temperature_that_does_harm_is_not_taken() {
        assert_eq!(Calibration::of(&drawn(19, 5, 1.0)), None);
        assert_eq!(Calibration::of(&drawn(200, 1, 1.0)), None);
        let few = (20..60).filter_map(|n| Calibration::of(&drawn(n, 2, 1.0))).collect::<Vec<_>>();
        assert!(few.iter().all(|c| c.loss < c.loss_before || (c.temperature, c.loss) == (1.0, c.loss_before)));
        assert!(few.iter().any(|c| c.temperature == 1.0), "{few:?}");
    }
}
