//! `table.md`.

use std::path::Path;

use clip_lung_core::study::cells::CellId;
use clip_lung_core::study::summary::choice::Choice;
use clip_lung_core::study::summary::document::Summary;
use clip_lung_core::study::summary::task::TaskSummary;

use super::levels::skipped;
use super::table::{Table, TableCell};
use super::tables;
use crate::show::command::typed;
use crate::show::markdown::escaped;

/// All tables, with what a reader must know first.
pub fn document(summary: &Summary, study: &Path) -> String {
    let encoders: Vec<&str> = summary.text_encoders.iter().map(String::as_str).collect();
    let mut out = format!(
        "# {}\n\nResearch software, not a medical device. Data: {} (SHA-256 {}). Text encoder: {}. {} of {} cells. {}.\n\n",
        escaped(&summary.data.name),
        escaped(&summary.data.name),
        summary.data.sha256,
        if encoders.is_empty() { "none".into() } else { escaped(&encoders.join("; ")) },
        summary.finished,
        summary.planned,
        resamples(summary),
    );
    for recipe in &summary.recipes {
        out += &format!("- Recipe: {}.\n", escaped(recipe));
    }
    for note in &summary.notes {
        out += &format!("- {}\n", escaped(note));
    }
    out += &format!("- Published figures: {}.\n", escaped(summary.published));
    let [first, second] = once_more(study);
    out += &format!("- {NOT_KEPT} `{first}`, then `{second}`.\n");
    if let Some(audit) = &summary.audit {
        out += "\n## Data\n";
        tables::of_audit(audit).iter().for_each(|table| out += &markdown(table));
    }
    for task in &summary.tasks {
        out += &format!("\n## {}\n\n{}\n", task.task.name(), sizes(task));
        for table in tables::of_task(task) {
            out += &markdown(&table);
        }
        if let Some(choice) = &task.choice {
            out += &format!("\n{}\n\n", escaped(&choice.reason));
            commands(choice, study).iter().for_each(|line| out += &format!("    {line}\n"));
        }
    }
    out
}

/// How many nodules there are, in words.
pub fn sizes(task: &TaskSummary) -> String {
    let classes: Vec<String> = task.classes.iter().map(|(name, n)| format!("{n} {name}")).collect();
    format!("{} nodules of {} patients: {}.", task.nodules, task.patients, classes.join(", "))
}

/// How many resamples the intervals rest on, in words.
pub fn resamples(summary: &Summary) -> String {
    let rows = summary.tasks.iter().flat_map(|task| &task.rows);
    let (all, seed) = (summary.resamples, summary.bootstrap_seed);
    format!("{all} resamples of whole patients, seed {seed}, {}", skipped(rows))
}

/// What stands before the commands that make a model anew. The report does not look for models: it is the same without them.
pub const NOT_KEPT: &str = "Where a cell's model was not kept, running the cell again makes one, with --data DATASET (and --text-encoder, \
                            for a method with words) where the study was planned elsewhere. Do it in a copy of the study: it replaces the cell's \
                            predictions, and another kind of CPU rounds to other ones:";

/// The commands that run a cell again; one that is done is not run.
pub fn once_more(study: &Path) -> [String; 2] {
    let cell = study.join("cells").join("ID");
    [format!("rm -r {}", typed(&cell)), format!("clip-lung sweep run {} --cell ID", typed(study))]
}

/// The commands that use the models of choice.
pub fn commands(choice: &Choice, study: &Path) -> Vec<String> {
    let cell = |id: &CellId| typed(&study.join("cells").join(id.as_str()));
    let predict = |model: String| format!("clip-lung predict --model {model} SCAN --centre X,Y,Z --diameter MM");
    match &choice.models[..] {
        [only] => vec![predict(cell(only))],
        several => {
            let runs: Vec<String> = several.iter().map(cell).collect();
            vec![format!("clip-lung export {} --out best", runs.join(" ")), predict("best".into())]
        }
    }
}

fn markdown(table: &Table) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let cell = |c: &TableCell| match &c.beside {
        Some(beside) => format!("{} [{}]", escaped(&c.text), escaped(beside)),
        None => escaped(&c.text),
    };
    let mut out = format!("\n### {}\n\n{}\n\n", escaped(&table.title), escaped(&table.legend));
    out += &line(table.columns.iter().map(|c| escaped(c)).collect());
    out += &line(vec!["---".into(); table.columns.len()]);
    table.rows.iter().for_each(|row| out += &line(row.iter().map(cell).collect()));
    out
}
