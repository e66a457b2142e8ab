//! The measures that methods are compared by, computed over rows that count several times or not at all.
//!
//! A resample of patients, a fold and the whole set differ in the weights of the rows alone, so what does not depend on the
//! weights (the order of the scores, the loss of a row) is computed once.

use serde::Serialize;

use super::ranking::Ranking;
use crate::dataset::class::Class;
use crate::dataset::task::Task;
use crate::metrics::Scored;
use crate::metrics::calibration::{bin, brier, confidences, negative_log_likelihood};
use crate::metrics::classification::{Confusion, benign_malignant, rates, two_way};
use crate::metrics::ordinal::{ranked_probability_score, weighted_kappa};

/// Bins of the calibration error.
const BINS: usize = 15;

/// One number that says how good predictions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub enum Measure {
    Accuracy,
    BalancedAccuracy,
    MacroF1,
    /// Macro one-versus-rest; the plain AUC for two classes.
    MacroAuc,
    /// Benign against malignant nodules by P(malignant) / (P(benign) + P(malignant)).
    BenignMalignantAuc,
    QuadraticKappa,
    Nll,
    Brier,
    Rps,
    /// Expected calibration error, 15 equal-width bins.
    Ece,
    Recall(Class),
    F1(Class),
    /// Accuracy when only benign and malignant are allowed answers; where "unsure" is an answer and not tested.
    AccuracyTwoWay,
}

impl Measure {
    /// Those of a task.
    pub fn of(task: Task) -> Vec<Self> {
        use Measure::*;
        let mut all = vec![Accuracy, BalancedAccuracy, MacroF1, MacroAuc, BenignMalignantAuc, QuadraticKappa];
        all.extend([Nll, Brier, Rps, Ece]);
        let tested = || Class::ALL.into_iter().filter(|c| task.tests(*c));
        all.extend(tested().map(Recall).chain(tested().map(F1)));
        all.extend((task.tested().len() < task.classes().len()).then_some(AccuracyTwoWay));
        all
    }

    /// Those of any task, each once.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for measure in Task::ALL.into_iter().flat_map(Self::of) {
            if !all.contains(&measure) {
                all.push(measure);
            }
        }
        all
    }

    /// The name in files, such as `macro_auc` or `recall_benign`.
    pub fn name(self) -> String {
        use Measure::*;
        match self {
            Accuracy => "accuracy".into(),
            BalancedAccuracy => "balanced_accuracy".into(),
            MacroF1 => "macro_f1".into(),
            MacroAuc => "macro_auc".into(),
            BenignMalignantAuc => "benign_malignant_auc".into(),
            QuadraticKappa => "quadratic_kappa".into(),
            Nll => "nll".into(),
            Brier => "brier".into(),
            Rps => "rps".into(),
            Ece => "ece".into(),
            Recall(class) => format!("recall_{}", class.name()),
            F1(class) => format!("f1_{}", class.name()),
            AccuracyTwoWay => "accuracy_two_way".into(),
        }
    }

    /// Whether more is better; of losses and errors less is.
    pub fn higher_is_better(self) -> bool {
        !matches!(self, Self::Nll | Self::Brier | Self::Rps | Self::Ece)
    }
}

impl From<Measure> for String {
    fn from(measure: Measure) -> Self {
        measure.name()
    }
}

/// Predictions made ready to be measured again and again.
pub struct Measured {
    task: Task,
    /// Classes that can be true.
    tested: Vec<usize>,
    truth: Vec<usize>,
    answers: Vec<usize>,
    /// Each class against the rest; of two classes only the second.
    one_vs_rest: Vec<Ranking>,
    benign_malignant: Ranking,
    /// Of the benign and malignant rows, whether the two-way decision is right.
    two_way: Vec<(usize, bool)>,
    losses: Vec<Loss>,
}

/// What a row adds to the measures that are means.
struct Loss {
    nll: f64,
    brier: f64,
    rps: f64,
    /// Bin of its confidence, and confidence - right.
    calibration: (usize, f64),
}

impl Measured {
    /// Of predictions on a task.
    pub fn new(scored: &Scored, task: Task) -> Self {
        let confidences = confidences(scored);
        let (classes, n) = (task.classes().len(), scored.len());
        let against_rest =
            |c: usize| Ranking::new((0..n).map(|i| (i, scored.truth[i] == c, scored.probabilities[i][c])));
        let loss = |i: usize| {
            let row = scored.select(&[i]);
            let (confidence, right) = confidences[i];
            Loss {
                nll: negative_log_likelihood(&row),
                brier: brier(&row),
                rps: ranked_probability_score(&row),
                calibration: (bin(confidence, BINS), confidence - f64::from(u8::from(right))),
            }
        };
        Self {
            task,
            tested: task.tested(),
            one_vs_rest: (if classes == 2 { 1 } else { 0 }..classes).map(against_rest).collect(),
            benign_malignant: Ranking::new(benign_malignant(scored, classes)),
            two_way: two_way(scored, classes).collect(),
            losses: (0..n).map(loss).collect(),
            truth: scored.truth.clone(),
            answers: scored.answers(),
        }
    }

    /// The measures of the rows, each counted `weights[row]` times; `None` where a measure is undefined.
    pub fn values(&self, measures: &[Measure], weights: &[u32]) -> Vec<Option<f64>> {
        let table = self.confusion(weights);
        measures.iter().map(|m| self.value(*m, &table, weights)).collect()
    }

    /// Counts of (true class, answer).
    pub fn confusion(&self, weights: &[u32]) -> Confusion {
        let classes = self.task.classes().len();
        let mut table = vec![vec![0; classes]; classes];
        for ((&t, &a), &w) in self.truth.iter().zip(&self.answers).zip(weights) {
            table[t][a] += u64::from(w);
        }
        table
    }

    fn value(&self, measure: Measure, table: &Confusion, weights: &[u32]) -> Option<f64> {
        use Measure::*;
        let total: u64 = table.iter().flatten().sum();
        if total == 0 {
            return None;
        }
        let mean = |of: fn(&Loss) -> f64| {
            let sum: f64 = self.losses.iter().zip(weights).map(|(l, w)| of(l) * f64::from(*w)).sum();
            Some(sum / total as f64)
        };
        let rate = || rates(table, &self.tested);
        match measure {
            Accuracy => Some(rate().accuracy),
            BalancedAccuracy => Some(rate().balanced_accuracy),
            MacroF1 => Some(rate().macro_f1),
            MacroAuc => {
                let areas: Vec<f64> = self.one_vs_rest.iter().filter_map(|r| r.area(weights)).collect();
                (!areas.is_empty()).then(|| areas.iter().sum::<f64>() / areas.len() as f64)
            }
            BenignMalignantAuc => self.benign_malignant.area(weights),
            QuadraticKappa => weighted_kappa(table, 2),
            Nll => mean(|l| l.nll),
            Brier => mean(|l| l.brier),
            Rps => mean(|l| l.rps),
            Ece => {
                let mut gaps = [0.0f64; BINS];
                for (Loss { calibration: (bin, gap), .. }, w) in self.losses.iter().zip(weights) {
                    gaps[*bin] += gap * f64::from(*w);
                }
                Some(gaps.iter().map(|g| g.abs()).sum::<f64>() / total as f64)
            }
            Recall(class) => rate().recall[self.task.label(class)?],
            F1(class) => rate().f1[self.task.label(class)?],
            AccuracyTwoWay => {
                let (mut right, mut rows) = (0, 0);
                for (row, is_right) in &self.two_way {
                    rows += u64::from(weights[*row]);
                    right += u64::from(weights[*row]) * u64::from(*is_right);
                }
                (rows > 0).then(|| right as f64 / rows as f64)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::decision::Decision;
    use crate::metrics::calibration::calibration_error;
    use crate::metrics::classification::{auc, confusion, macro_auc};
    use crate::metrics::report::report;
    use crate::metrics::tests::near;
    use crate::study::pooled::tests::made_up;

    /// The same as the metrics of the rows written out, on every task and however a class is decided on.
    #[test]
    fn equal_the_metrics_of_repeated_rows() {
        for (task, decision) in Task::ALL.into_iter().flat_map(|t| [(t, Decision::Argmax), (t, Decision::Median)]) {
            let scored = Scored { decision, ..made_up(task, 60, 1.0, 4).scored() };
            let measured = Measured::new(&scored, task);
            for salt in 0..4 {
                let weights: Vec<u32> = (0..scored.len()).map(|i| (i * i + salt) as u32 % 4).collect();
                let rows: Vec<usize> =
                    (0..scored.len()).flat_map(|i| std::iter::repeat_n(i, weights[i] as usize)).collect();
                let repeated = scored.select(&rows);
                let classes = task.classes().len();
                let table = confusion(&repeated.truth, &repeated.answers(), classes);
                assert_eq!(measured.confusion(&weights), table);
                let of = |measure: Measure| measured.values(&[measure], &weights)[0];
                assert_eq!(of(Measure::Accuracy), Some(rates(&table, &task.tested()).accuracy));
                assert_eq!(of(Measure::Recall(Class::Malignant)), rates(&table, &task.tested()).recall[classes - 1]);
                assert_eq!(of(Measure::QuadraticKappa), weighted_kappa(&table, 2));
                assert_eq!(of(Measure::MacroAuc), macro_auc(&repeated, classes));
                let ends: Vec<usize> =
                    (0..repeated.len()).filter(|&i| [0, classes - 1].contains(&repeated.truth[i])).collect();
                let ends = repeated.select(&ends);
                let positive: Vec<bool> = ends.truth.iter().map(|t| *t > 0).collect();
                let score: Vec<f64> =
                    ends.probabilities.iter().map(|p| p[classes - 1] / (p[0] + p[classes - 1])).collect();
                assert_eq!(of(Measure::BenignMalignantAuc), auc(&positive, &score));
                if Measure::of(task).contains(&Measure::AccuracyTwoWay) {
                    let names = Class::ALL.map(Class::name);
                    let report = report(&repeated, &names, &task.tested(), 0).unwrap();
                    assert_eq!(of(Measure::AccuracyTwoWay), report.accuracy_two_way);
                }
                near(of(Measure::Nll).unwrap(), negative_log_likelihood(&repeated), 1e-12);
                near(of(Measure::Brier).unwrap(), brier(&repeated), 1e-12);
                near(of(Measure::Rps).unwrap(), ranked_probability_score(&repeated), 1e-12);
                near(of(Measure::Ece).unwrap(), calibration_error(&repeated, BINS), 1e-12);
            }
            assert!(measured.values(&Measure::of(task), &vec![0; scored.len()]).iter().all(Option::is_none));
        }
    }

    #[test]
    fn names_are_unique_and_follow_the_task() {
        let names = |task| Measure::of(task).into_iter().map(Measure::name).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(names(Task::LidcA).len(), Measure::of(Task::LidcA).len());
        assert!(names(Task::LidcA).contains("recall_unsure") && !names(Task::LidcC).contains("recall_unsure"));
        let two_way = Task::ALL.map(|task| names(task).contains("accuracy_two_way"));
        assert_eq!((two_way, Measure::all().len()), ([false, true, false], Measure::of(Task::LidcA).len() + 1));
        assert_eq!(serde_json::to_string(&Measure::F1(Class::Benign)).unwrap(), "\"f1_benign\"");
    }
}
