//! `table.tex`: the tables for a paper, with the packages `booktabs` and `adjustbox`.

use clip_lung_core::study::summary::document::Summary;

use super::levels::TICK;
use super::table::{Table, TableCell};
use super::tables;

/// A `table` environment a table, to be put into a document with `\input`.
pub fn document(summary: &Summary) -> String {
    let mut out = format!(
        "% Research software, not a medical device. Data: {} (SHA-256 {}), {} of {} cells.\n% \\usepackage{{booktabs,adjustbox}}\n",
        escaped(&summary.data.name),
        summary.data.sha256,
        summary.finished,
        summary.planned
    );
    for note in &summary.notes {
        out += &format!("% {}\n", escaped(note));
    }
    let audit = summary.audit.iter().flat_map(tables::of_audit);
    for table in summary.tasks.iter().flat_map(tables::of_task).chain(audit) {
        out += &latex(&table);
    }
    out
}

fn latex(table: &Table) -> String {
    let line = |cells: Vec<String>| format!("    {} \\\\\n", cells.join(" & "));
    let cell = |c: &TableCell| match &c.beside {
        Some(beside) => format!("{} [{}]", escaped(&c.text), escaped(beside)),
        None => escaped(&c.text),
    };
    let columns = "l".repeat(2.min(table.columns.len())) + &"r".repeat(table.columns.len().saturating_sub(2));
    let mut out = format!(
        "\n\\begin{{table}}\n  \\caption{{{}. {}}}\n  \\begin{{adjustbox}}{{max width=\\textwidth}}\n  \\begin{{tabular}}{{{columns}}}\n    \\toprule\n",
        escaped(&table.title),
        escaped(&table.legend)
    );
    out += &line(table.columns.iter().map(|c| escaped(c)).collect());
    out += "    \\midrule\n";
    table.rows.iter().for_each(|row| out += &line(row.iter().map(cell).collect()));
    out + "    \\bottomrule\n  \\end{tabular}\n  \\end{adjustbox}\n\\end{table}\n"
}

/// Foreign text stays text.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => out.extend(['\\', c]),
            '\\' => out += "\\textbackslash{}",
            '|' => out += "\\textbar{}",
            '~' => out += "\\textasciitilde{}",
            '^' => out += "\\textasciicircum{}",
            '<' | '>' => out += &format!("${c}$"),
            '±' => out += "$\\pm$",
            // \checkmark would ask for another package
            TICK => out += "$\\surd$",
            '\u{2212}' => out += "$-$",
            '[' => out += "{[}",
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
