//! The tables of one task.

use clip_lung_core::study::audit::document::Audit;
use clip_lung_core::study::measures::Measure;
use clip_lung_core::study::numbers;
use clip_lung_core::study::paired::Difference;
use clip_lung_core::study::summary::cohorts::{Compared, Family};
use clip_lung_core::study::summary::stability::{MethodRanks, Ranks};
use clip_lung_core::study::summary::subgroups::{Subgroup, Subgroups};
use clip_lung_core::study::summary::task::TaskSummary;

use super::levels;
use super::table::{Table, TableCell};
use crate::show::audit::rule;
use crate::show::figure::forest;

/// The measures that methods are compared by in tables; `summary.json` has all.
const COMPARED: [Measure; 3] = [Measure::Accuracy, Measure::MacroAuc, Measure::BenignMalignantAuc];

/// All tables of a task.
pub fn of_task(task: &TaskSummary) -> Vec<Table> {
    let against = [&task.against_ce, &task.against_size_only].into_iter().flatten();
    let families = against.chain(&task.variants).filter(|f| !f.comparisons.is_empty());
    let mut all = levels::of_task(task);
    all.extend(families.map(|f| differences(task, f)));
    all.extend(ranks(task));
    all.extend(task.subgroups.as_ref().map(|s| subgroups(task, s)));
    all
}

fn differences(task: &TaskSummary, family: &Family) -> Table {
    let of_measure = |compared: &Compared, measure: Measure| {
        let d = compared.comparison.differences.iter().find(|d| d.measure == measure)?.clone();
        Some(difference(compared, &d))
    };
    let rows = family.comparisons.iter().flat_map(|c| COMPARED.iter().filter_map(move |m| of_measure(c, *m)));
    let columns = [
        "",
        "folds",
        "measure",
        "difference",
        "95 % interval",
        "p",
        "p (Holm)",
        "p (corrected t)",
        "p (McNemar, DeLong)",
    ];
    let rows_are = if family.is_of_variants() { "variants against" } else { "against" };
    let name = task.task.name();
    Table {
        title: format!("{name}: {rows_are} {}", numbers::shown(&family.reference)),
        legend: "First minus reference on the same nodules, all folds pooled; shares in percentage points. Interval and p: paired \
                 bootstrap over patients. Holm's correction over the rows of one measure. Corrected t: Nadeau and Bengio, over the \
                 folds. McNemar's mid-p for accuracy, DeLong for the AUC of benign and malignant, both as if nodules were independent, \
                 of rows with one seed."
            .into(),
        columns: columns.map(Into::into).into(),
        rows: rows.collect(),
        figures: vec![forest::name(name, family)],
    }
}

fn difference(compared: &Compared, d: &Difference) -> Vec<TableCell> {
    let number = |p: Option<f64>| p.map_or("-".into(), numbers::p);
    let single = match d.measure {
        Measure::Accuracy => compared.comparison.mcnemar.map(|m| m.mid_p),
        Measure::BenignMalignantAuc => compared.comparison.delong.and_then(|d| d.p),
        _ => None,
    };
    [
        numbers::shown(&compared.comparison.first).to_owned(),
        numbers::numbers(&compared.shared_folds),
        numbers::name(d.measure),
        numbers::signed(d.measure, d.difference),
        d.interval.map_or("-".into(), |i| numbers::range(d.measure, i)),
        number(d.p),
        number(compared.holm_of(d.measure)),
        number(d.corrected_t.map(|t| t.p)),
        number(single),
    ]
    .map(Into::into)
    .into()
}

fn ranks(task: &TaskSummary) -> Vec<Table> {
    let of = |ranks: &Ranks| {
        let mut methods: Vec<_> = ranks.methods.iter().collect();
        methods.sort_by_key(|m| m.rank);
        let row = |m: &&MethodRanks| {
            let interval = m.interval.map_or("-".into(), |i| format!("{:.0} to {:.0}", i.low, i.high));
            let first = m.shares.first().map_or(0.0, |s| 100.0 * s);
            vec![m.name.as_str().into(), m.rank.to_string().into(), interval.into(), format!("{first:.0} %").into()]
        };
        Table {
            title: format!("{}: ranks by {}", task.task.name(), numbers::name(ranks.measure).trim_end_matches(", %")),
            legend: format!(
                "Folds {} pooled; the middle 95 % of the ranks in {} resamples of the patients, and how often a method is first.",
                numbers::numbers(&ranks.folds),
                ranks.resamples
            ),
            columns: ["", "rank", "95 % of resamples", "first"].map(Into::into).into(),
            rows: methods.iter().map(row).collect(),
            figures: vec![format!("ranks.{}", task.task.name())],
        }
    };
    task.ranks.iter().map(of).collect()
}

fn subgroups(task: &TaskSummary, all: &Subgroups) -> Table {
    let row = |s: &Subgroup| {
        let value = |m: &Measure| s.measures.get(&m.name()).copied().flatten().map(|v| numbers::value(*m, v));
        let cells = COMPARED.iter().map(|m| value(m).unwrap_or("-".into()).into());
        let head = [numbers::shown(&s.row).into(), s.group.as_str().into(), s.nodules.to_string().into()];
        head.into_iter().chain(cells).collect()
    };
    let measures = COMPARED.iter().map(|m| numbers::name(*m));
    Table {
        title: format!("{}: by {}", task.task.name(), all.column),
        legend: "Methods, and rows without an image, on the nodules of one group, all folds pooled. Groups differ in their classes: compare rows within a group.".into(),
        columns: ["".into(), all.column.clone(), "nodules".into()].into_iter().chain(measures).collect(),
        rows: all.of.iter().map(row).collect(),
        figures: Vec::new(),
    }
}

/// Folds, leaks, label policies and readers.
pub fn of_audit(audit: &Audit) -> Vec<Table> {
    let table = |title: &str, legend: String, columns: &[&str], rows: Vec<Vec<TableCell>>| Table {
        title: title.into(),
        legend,
        columns: columns.iter().map(|c| (*c).to_owned()).collect(),
        rows,
        figures: Vec::new(),
    };
    let counts = |name: String, counts: [usize; 3]| {
        let all = counts.iter().sum::<usize>();
        [name].into_iter().chain(counts.into_iter().chain([all]).map(|n| n.to_string())).map(TableCell::from).collect()
    };
    let columns = ["", "benign", "unsure", "malignant", "all"];
    let (patients, twins) = (audit.leakage.patients.len(), audit.leakage.twins.len());
    let folds = audit.folds.iter().enumerate().map(|(f, n)| counts(format!("fold {f}"), *n)).collect();
    let policies = audit.policies.iter();
    let policies = policies.map(|p| counts(rule(p.statistic, p.thresholds, p.min_readers), p.counts)).collect();
    let mut all = vec![
        table(
            "Folds",
            format!(
                "Patients in two folds or more: {patients}; pairs of nearly the same crops in different folds: {twins}."
            ),
            &columns,
            folds,
        ),
        table(
            "Classes under other rules",
            "Thresholds 2.5 and 3.5, which are unsure where strict.".into(),
            &columns,
            policies,
        ),
    ];
    all.extend(audit.readers.as_ref().map(|r| {
        let kappa = |v: Option<f64>| v.map_or("-".into(), |v| format!("{v:.3}"));
        let share = |v: f64| format!("{:.1} %", 100.0 * v);
        let rows = [
            ("one reader against the mean of the others: class", share(r.with_the_others)),
            ("the same, quadratic kappa", kappa(r.quadratic_kappa_with_the_others)),
            ("two readers: class", share(r.same_class)),
            ("two readers: score of 1 to 5", share(r.same_score)),
            ("two readers: linear kappa of the classes", kappa(r.linear_kappa)),
            ("two readers: quadratic kappa of the classes", kappa(r.quadratic_kappa)),
        ];
        let legend = format!(
            "{} nodules with two readers or more. The first row is what a further reader would reach.",
            r.nodules
        );
        table("How far readers agree", legend, &["", "agreement"], rows.map(|(n, v)| vec![n.into(), v.into()]).into())
    }));
    all
}
