//! The tables of how good each row of a task is: over the folds, all folds as one set, and the paper's ablation.

use clip_lung_core::dataset::class::Class;
use clip_lung_core::metrics::intervals::RESAMPLES;
use clip_lung_core::study::measures::Measure;
use clip_lung_core::study::numbers;
use clip_lung_core::study::summary::ablation::Ablated;
use clip_lung_core::study::summary::level::Row;
use clip_lung_core::study::summary::task::TaskSummary;

use super::table::{Table, TableCell};

/// Classes in the order of the paper's columns.
const CLASSES: [Class; 3] = [Class::Benign, Class::Malignant, Class::Unsure];
/// Of a loss that is on.
pub const TICK: char = '✓';

/// All of them.
pub fn of_task(task: &TaskSummary) -> Vec<Table> {
    let mut all = vec![paper(task), further(task), pooled(task)];
    all.extend((!task.ablation.is_empty()).then(|| ablation(task)));
    all
}

/// The paper's layout, with the two-class decision last where the paper has none.
fn paper(task: &TaskSummary) -> Table {
    let tested = || CLASSES.into_iter().filter(|c| task.task.tests(*c));
    let mut measures = vec![Measure::Accuracy];
    measures.extend(tested().map(Measure::Recall).chain(tested().map(Measure::F1)));
    let mut legend =
        "Mean over the folds ± standard deviation (ddof 1), in percent; in brackets the published figure. \
                      Rows without an image first, variants last."
            .to_owned();
    if has_two_way(task) {
        measures.push(Measure::AccuracyTwoWay);
        legend += " An answer \"unsure\" counts as wrong in accuracy; two-class accuracy takes the likelier of benign and malignant.";
    }
    over_folds(task, "Accuracy, recall and F1", &legend, &measures, &["recall"])
}

/// Whether "unsure" is an answer that is never right.
fn has_two_way(task: &TaskSummary) -> bool {
    Measure::of(task.task).contains(&Measure::AccuracyTwoWay)
}

fn further(task: &TaskSummary) -> Table {
    use Measure::*;
    let measures = [MacroAuc, BenignMalignantAuc, QuadraticKappa, BalancedAccuracy, MacroF1, Nll, Ece];
    let legend = "Mean over the folds ± standard deviation (ddof 1). NLL and ECE (15 bins): less is better.";
    over_folds(task, "AUC, agreement and calibration", legend, &measures, &["roc", "reliability", "confusion"])
}

fn over_folds(task: &TaskSummary, title: &str, legend: &str, measures: &[Measure], figures: &[&str]) -> Table {
    let row = |row: &Row| measures.iter().map(|m| level(row, *m)).collect();
    Table {
        figures: figures.iter().map(|f| format!("{f}.{}", task.task.name())).collect(),
        ..table(task, title, legend, measures, row)
    }
}

/// All folds' predictions as one set.
fn pooled(task: &TaskSummary) -> Table {
    let mut measures = vec![Measure::Accuracy, Measure::MacroAuc, Measure::BenignMalignantAuc];
    measures.extend(has_two_way(task).then_some(Measure::AccuracyTwoWay));
    let legend = format!(
        "The predictions of all folds as one set; in brackets the 95 % interval of {RESAMPLES} resamples of whole patients, {}.",
        skipped(task.rows.iter())
    );
    let cell = |row: &Row, measure: Measure| -> Option<TableCell> {
        let level = row.level(measure)?;
        let shown = |v: f64| numbers::value(measure, v);
        Some(TableCell {
            text: shown(level.pooled?),
            beside: level.interval.map(|i| format!("{} to {}", shown(i.low), shown(i.high))),
        })
    };
    let row = |row: &Row| measures.iter().map(|m| cell(row, *m).unwrap_or("-".into())).collect();
    table(task, "All folds pooled", &legend, &measures, row)
}

/// How many resamples say nothing of these rows; rows on other folds have draws of their own.
pub fn skipped<'a>(rows: impl Iterator<Item = &'a Row> + Clone) -> String {
    let most = rows.clone().map(|r| r.skipped).max().unwrap_or(0);
    let up_to = if rows.clone().all(|r| r.skipped == most) { "" } else { "up to " };
    format!("of which {up_to}{most} lacked a class and were skipped")
}

/// A row for each of the task's, with its name, its folds and what `cells` makes of it.
fn table(
    task: &TaskSummary,
    title: &str,
    legend: &str,
    measures: &[Measure],
    cells: impl Fn(&Row) -> Vec<TableCell>,
) -> Table {
    let row = |row: &Row| {
        let head = [numbers::shown(&row.name).into(), rests_on(row).into()];
        head.into_iter().chain(cells(row)).collect()
    };
    Table {
        title: format!("{}: {title}", task.task.name()),
        legend: legend.into(),
        columns: ["".into(), "folds".into()].into_iter().chain(measures.iter().map(|m| numbers::name(*m))).collect(),
        rows: task.rows.iter().map(row).collect(),
        figures: Vec::new(),
    }
}

/// The paper's table of losses.
fn ablation(task: &TaskSummary) -> Table {
    let measures = [Measure::Accuracy, Measure::MacroAuc];
    let row = |ablated: &Ablated| {
        let row = task.row(&ablated.name)?;
        let ticks = ablated.losses().map(|on| if on { TICK.to_string() } else { String::new() });
        let levels = measures.map(|m| level(row, m));
        let head = [ablated.name.clone(), rests_on(row)].into_iter().chain(ticks).map(TableCell::from);
        Some(head.chain(levels).collect())
    };
    Table {
        title: format!("{}: ablation", task.task.name()),
        legend: "Every row is trained with cross-entropy; a tick is a loss beside it: IC aligns image and class, IA image and \
                 attributes, CA class and attributes. Mean over the folds ± standard deviation (ddof 1); in brackets the published \
                 figure. The paper has no row without any."
            .into(),
        columns: ["".into(), "folds".into()]
            .into_iter()
            .chain(["IC", "IA", "CA"].map(Into::into))
            .chain(measures.map(numbers::name))
            .collect(),
        rows: task.ablation.iter().filter_map(row).collect(),
        figures: Vec::new(),
    }
}

fn rests_on(row: &Row) -> String {
    let seeds = if row.seeds.len() > 1 { format!(" x {} seeds", row.seeds.len()) } else { String::new() };
    numbers::numbers(&row.folds) + &seeds
}

fn level(row: &Row, measure: Measure) -> TableCell {
    let Some(level) = row.level(measure) else { return "-".into() };
    let sd = level.sd.map_or(String::new(), |sd| format!(" ± {}", numbers::value(measure, sd)));
    // a measure that some folds don't define says how many do
    let some = if level.folds < row.folds.len() { format!(" (of {})", level.folds) } else { String::new() };
    TableCell {
        text: numbers::value(measure, level.mean) + &sd + &some,
        beside: level.published.map(|p| numbers::value(measure, p)),
    }
}
