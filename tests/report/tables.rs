//! Tables that only some studies have: the ablation, and the two-class decision of lidc-b.

use clip_lung_core::dataset::class::Class;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::methods::Method;

use crate::common::{Place, json};
use crate::made_study::{self, Plan, predictions};
use crate::{near, report};

/// The lines of a Markdown table by its title.
fn table<'a>(document: &'a str, title: &str) -> Vec<Vec<&'a str>> {
    let section =
        document.split_once(&format!("\n### {title}\n")).unwrap_or_else(|| panic!("no {title}: {document}")).1;
    let lines = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// The paper's rows in its order, with what our own and the full method reach.
#[test]
fn the_ablation_in_the_paper_s_form() {
    let place = Place::new();
    let study = place.path("study");
    let variants = ["none", "ia-ca", "ic-ca", "uniform", "ic-ia", "ic"];
    let plan = Plan { methods: &[Method::Ce, Method::ClipLung], variants: &variants, ..Plan::default() };
    made_study::write(&study, &plan);
    let files = report(&place, "out");
    let text = |name: &str| String::from_utf8(files[name].clone()).unwrap();
    let document = text("table.md");
    let rows = table(&document, "lidc-a: ablation");
    assert_eq!(rows[0], ["", "folds", "IC", "IA", "CA", "accuracy, %", "macro AUC"]);
    let ticks: Vec<(&str, [bool; 3])> = rows[2..].iter().map(|r| (r[0], [2, 3, 4].map(|c| r[c] == "✓"))).collect();
    let expected = [
        ("clip-lung.ic", [true, false, false], "[56.8]"),
        ("clip-lung.ic-ia", [true, true, false], "[59.4]"),
        ("clip-lung.ic-ca", [true, false, true], "[58.1]"),
        ("clip-lung.ia-ca", [false, true, true], "[56.9]"),
        ("clip-lung", [true, true, true], "[60.9]"),
        ("clip-lung.none", [false, false, false], ""),
    ];
    assert_eq!(ticks, expected.map(|(name, losses, _)| (name, losses)));
    // the same levels as in the other tables
    let levels = table(&document, "lidc-a: Accuracy, recall and F1");
    let areas = table(&document, "lidc-a: AUC, agreement and calibration");
    for (row, (name, _, published)) in rows[2..].iter().zip(expected) {
        let [accuracy, area] = [&levels, &areas].map(|all| all.iter().find(|r| r[0] == name).unwrap()[2]);
        assert_eq!((row[5], row[6]), (accuracy, area));
        assert!(row[5].contains('±') && row[5].ends_with(published), "{row:?}");
    }
    let tex = text("table.tex");
    assert!(tex.contains("clip-lung.ia-ca & 0, 1 &  & $\\surd$ & $\\surd$ & "), "{tex}");
    assert!(text("report.html").contains("lidc-a: ablation"));
    assert_eq!(json(&text("summary.json"))["tasks"][0]["ablation"].as_array().unwrap().len(), 6);

    // a study without the variants has no such table
    let place = Place::new();
    made_study::write(&place.path("study"), &Plan { variants: &["uniform"], ..plan });
    let document = String::from_utf8(report(&place, "out")["table.md"].clone()).unwrap();
    assert!(!document.contains(": ablation"));
}

/// A reference may have two families: the other methods, and its own variants. Neither takes the place of the other.
#[test]
fn methods_and_variants_against_one_reference() {
    let place = Place::new();
    let plan = Plan { methods: &[Method::ClipLung, Method::Ce], variants: &["diameter"], ..Plan::default() };
    made_study::write(&place.path("study"), &plan);
    let files = report(&place, "out");
    let text = |name: &str| String::from_utf8(files[name].clone()).unwrap();
    let (document, page) = (text("table.md"), text("report.html"));
    for (title, figure, row, shown) in [
        ("lidc-a: against ce", "forest.lidc-a.ce", "clip-lung", "clip-lung"),
        ("lidc-a: variants against ce", "forest.lidc-a.ce.variants", "ce.diameter", "diameter"),
    ] {
        let rows = table(&document, title);
        assert!(rows[2..].iter().all(|r| r[0] == row) && rows.len() == 2 + 3, "{title}: {rows:?}");
        assert!(text(&format!("figures/{figure}.svg")).contains(&format!(">{shown}<")), "{figure}");
        // the figure stands behind its own table
        let behind = page.split_once(&format!("<h3>{title}</h3>")).unwrap().1;
        let figure = behind.split_once("<figure").unwrap();
        assert!(
            !figure.0.contains("<h3>") && figure.1.split_once("</figure>").unwrap().0.contains(&format!(">{shown}<"))
        );
    }
}

/// lidc-b's answers may be "unsure", which is never right: what a choice between the two classes reaches stands beside.
#[test]
fn two_classes_where_three_are_answered() {
    let place = Place::new();
    let study = place.path("study");
    made_study::write(&study, &Plan { tasks: &[Task::LidcA, Task::LidcB], ..Plan::default() });
    let files = report(&place, "out");
    let text = |name: &str| String::from_utf8(files[name].clone()).unwrap();
    let document = text("table.md");
    let [a, b] = ["lidc-a", "lidc-b"].map(|task| table(&document, &format!("{task}: Accuracy, recall and F1")));
    assert!(a[0].len() == 9 && !a[0].contains(&"two-class accuracy, %"), "{:?}", a[0]);
    // behind the paper's columns, which stay where they are
    let columns = ["accuracy, %", "recall benign, %", "recall malignant, %", "F1 benign, %", "F1 malignant, %"];
    assert_eq!(b[0][2..], [&columns[..], &["two-class accuracy, %"]].concat());
    for name in ["table.md", "report.html", "table.tex"] {
        assert_eq!(text(name).matches("counts as wrong in accuracy").count(), 1, "{name}");
    }
    assert!(table(&document, "lidc-b: All folds pooled")[0].contains(&"two-class accuracy, %"));

    // by hand
    let id = "udm.lidc-b.f0.s2";
    let nodules = predictions(&study, id, Task::LidcB).nodules;
    let right = nodules.iter().filter(|n| (n.probabilities[2] > n.probabilities[0]) == (n.class == Class::Malignant));
    let share = right.count() as f64 / nodules.len() as f64;
    let summary = json(&text("summary.json"));
    let cells = summary["cells"].as_array().unwrap();
    let measures = |id: &str| &cells.iter().find(|c| c["cell"] == id).unwrap()["measures"];
    near(&measures(id)["accuracy_two_way"], share);
    assert!(measures(id)["accuracy"].as_f64().unwrap() < share);
    assert!(measures("udm.lidc-a.f0.s2").get("accuracy_two_way").is_none());
    // the last column of the table of all cells, empty for the other tasks
    let csv = text("results.csv");
    assert!(csv.lines().next().unwrap().ends_with(",f1_malignant,accuracy_two_way"), "{csv}");
    let line = |id: &str| csv.lines().find(|line| line.starts_with(id)).unwrap();
    assert!(line(id).ends_with(&format!(",{share:.7}")) && line("udm.lidc-a.f0.s2").ends_with(','), "{csv}");
}
