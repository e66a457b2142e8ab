//! `report.html`: one file that asks for nothing, on a screen, a phone and paper.

use std::path::Path;

use clip_lung_core::study::measures::Measure;
use clip_lung_core::study::numbers;
use clip_lung_core::study::summary::document::Summary;
use clip_lung_core::study::summary::scores::CellScores;
use clip_lung_core::study::summary::task::TaskSummary;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::drawn::Drawn;
use super::markdown::{NOT_KEPT, commands, once_more, resamples, sizes};
use super::table::Table;
use super::tables;
use crate::show::figure::panel::{Figure, style};

/// The page; `drawn` are the figures that don't follow from the summary.
pub fn page(summary: &Summary, figures: &[(usize, Figure)], drawn: &Drawn, study: &Path) -> String {
    let encoders: Vec<&str> = summary.text_encoders.iter().map(String::as_str).collect();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width,initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { "clip-lung: " (summary.data.name) }
            style { (PreEscaped(STYLE)) (PreEscaped(style())) }
            header {
                h1 { "Study on " (summary.data.name) }
                p { b { "Research software, not a medical device." } " The labels are radiologists' impressions, not pathology." }
                @if summary.synthetic { p { b { "Synthetic images: these numbers are no evidence about CT." } } }
                dl {
                    dt { "Data" } dd { (summary.data.name) " " small { "SHA-256 " (summary.data.sha256) } }
                    dt { "Text encoder" } dd { @if encoders.is_empty() { "none" } @else { (encoders.join("; ")) } }
                    @for recipe in &summary.recipes { dt { "Recipe" } dd { (recipe) } }
                    dt { "Cells" } dd { (summary.finished) " of " (summary.planned) " finished" }
                    dt { "Intervals" } dd { "95 %, " (resamples(summary)) }
                    dt { "Published figures" } dd { (summary.published) }
                }
                @if !summary.notes.is_empty() { ul { @for note in &summary.notes { li { (note) } } } }
                nav { @for task in &summary.tasks { a href={ "#" (task.task.name()) } { (task.task.name()) } " " } a href="#cells" { "cells" } }
            }
            main {
                section {
                    h2 { "Which model to use now" }
                    @for task in &summary.tasks {
                        @if let Some(choice) = &task.choice {
                            h3 { (task.task.name()) ": " (choice.method) }
                            p { (choice.reason) }
                            pre { (commands(choice, study).join("\n")) }
                        }
                    }
                    p { (NOT_KEPT) }
                    pre { (once_more(study).join("\n")) }
                }
                @for (i, task) in summary.tasks.iter().enumerate() { (section(i, task, figures)) }
                @if let Some(audit) = &summary.audit {
                    section #data { h2 { "Data" } @for table in tables::of_audit(audit) { (markup(&table)) } }
                }
                @if !drawn.absent.is_empty() {
                    section { h2 { "Not shown" } ul { @for sentence in &drawn.absent { li { (sentence) } } } }
                }
                section #cells {
                    h2 { "Cells" }
                    p { "Every measure of every cell is in results.csv, everything on this page in summary.json." }
                    details { summary { (summary.cells.len()) " rows" } (cells(&summary.cells)) }
                }
            }
        }
    };
    page.into_string() + "\n"
}

fn section(index: usize, task: &TaskSummary, figures: &[(usize, Figure)]) -> Markup {
    let tables = tables::of_task(task);
    // a figure stands behind the last table that it belongs to
    let after = |figure: &Figure| tables.iter().rposition(|t| t.figures.contains(&figure.name));
    let own: Vec<(Option<usize>, &Figure)> =
        figures.iter().filter(|(of, _)| *of == index).map(|(_, f)| (after(f), f)).collect();
    html! {
        section id=(task.task.name()) {
            h2 { (task.task.name()) }
            p { (sizes(task)) }
            @for (i, table) in tables.iter().enumerate() {
                (markup(table))
                @for (_, figure) in own.iter().filter(|(at, _)| *at == Some(i)) { (figure.markup()) }
            }
            @for (_, figure) in own.iter().filter(|(at, _)| at.is_none()) { (figure.markup()) }
        }
    }
}

/// A column's name, which may break after a slash.
fn heading(name: &str) -> Markup {
    html! { @for (i, part) in name.split('/').enumerate() { @if i > 0 { "/" wbr; } (part) } }
}

fn markup(table: &Table) -> Markup {
    html! {
        h3 { (table.title) }
        p.legend { (table.legend) }
        .scroll {
            table {
                thead { tr { @for column in &table.columns { th scope="col" { (heading(column)) } } } }
                tbody {
                    @for row in &table.rows {
                        tr {
                            @for (i, cell) in row.iter().enumerate() {
                                @if i == 0 {
                                    th scope="row" { (cell.text) }
                                } @else {
                                    td { (cell.text) @if let Some(beside) = &cell.beside { " " small { "[" (beside) "]" } } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cells(cells: &[CellScores]) -> Markup {
    let shown =
        [Measure::Accuracy, Measure::MacroAuc, Measure::BenignMalignantAuc, Measure::QuadraticKappa, Measure::Nll];
    let value = |cell: &CellScores, m: Measure| {
        cell.measures.get(&m.name()).copied().flatten().map_or("-".into(), |v| numbers::value(m, v))
    };
    html! {
        .scroll {
            table {
                thead { tr { th { "" } th { "nodules" } @for m in shown { th { (heading(&numbers::name(m))) } } } }
                tbody {
                    @for cell in cells {
                        tr { th scope="row" { (cell.cell) } td { (cell.nodules) } @for m in shown { td { (value(cell, m)) } } }
                    }
                }
            }
        }
    }
}

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8885;--ink:#1a1a1a;--paper:#fff;--code:#8881}\
@media screen and (prefers-color-scheme:dark){:root{--ink:#e8e8e8;--paper:#161616}}\
*{box-sizing:border-box}body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;padding:1rem;max-width:80rem;color:var(--ink);background:var(--paper)}\
h1{font-size:1.6rem;overflow-wrap:anywhere}h2{margin-top:2.5rem;border-bottom:1px solid var(--line)}h3{margin:1.8rem 0 .3rem;font-size:1.05rem}\
h4{margin:1.5rem 0 .3rem;font-size:1.05rem}p,ul{max-width:48rem}.legend,figcaption{font-size:.875rem;max-width:48rem;opacity:.85}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:1rem 0}dt{font-weight:600}dd{margin:0;overflow-wrap:anywhere}\
nav a{margin-right:.8rem}a{color:inherit}small{opacity:.75}pre{padding:.6rem;background:var(--code);white-space:pre-wrap;overflow-wrap:anywhere;border-radius:4px}\
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}\
th,td{padding:.25rem .6rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}\
thead th{vertical-align:bottom;white-space:normal;max-width:8rem}th:first-child{text-align:left;position:sticky;left:0;background:var(--paper)}\
figure{margin:0 0 1rem}.panels{display:flex;flex-wrap:wrap;gap:.8rem 1.2rem}.panel{max-width:100%;height:auto}summary{cursor:pointer}\
@media screen and (max-width:40rem){dl{grid-template-columns:1fr}dt{margin-top:.4rem}\
.panels{flex-wrap:nowrap;overflow-x:auto}.panel{flex:none;max-width:calc(100vw - 3rem)}}\
@media print{body{font-size:10pt;max-width:none;padding:0}.scroll{overflow:visible}table{font-size:7pt}th,td{padding:1pt 3pt;white-space:normal}\
h2,h3,h4{break-after:avoid}tr,.panel{break-inside:avoid}nav{display:none}}\
";
