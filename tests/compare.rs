//! Paired comparisons of files, runs and methods of a study.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
mod made_study;

use common::{Place, fails, is_bad_input, json, ok};
use made_study::{Plan, TASKS, cell};

const HEADER: &str = "nodule_id,patient_id,fold,true_class,p_benign,p_unsure,p_malignant\n";

/// Forty nodules: the first file is right on all, the second on all but every fourth.
fn two_files(place: &Place) -> [String; 2] {
    let row = |i: usize, wrong: bool| {
        let class = ["benign", "unsure", "malignant"][i % 3];
        let answer = if wrong { (i + 1) % 3 } else { i % 3 };
        let p = [0, 1, 2].map(|c| if c == answer { "0.8" } else { "0.1" }).join(",");
        format!("{i},P{i},{},{class},{p}\n", i % 2)
    };
    let file = |name: &str, wrong: &dyn Fn(usize) -> bool| {
        let rows: String = (0..40).map(|i| row(i, wrong(i))).collect();
        std::fs::write(place.path(name), format!("{HEADER}{rows}")).unwrap();
        place.name(name)
    };
    [file("a.csv", &|_| false), file("b.csv", &|i| i % 4 == 0)]
}

#[test]
fn two_files_with_known_answers() {
    let place = Place::new();
    let [a, b] = two_files(&place);
    let found = json(&ok(&["compare", &a, &b, "--json"]));
    let comparison = &found["comparisons"][0];
    let accuracy = &comparison["differences"][0];
    assert_eq!((accuracy["first"].as_f64(), accuracy["second"].as_f64()), (Some(1.0), Some(0.75)));
    assert_eq!((accuracy["difference"].as_f64(), &comparison["task"]), (Some(0.25), &"lidc-a".into()));
    let low = accuracy["interval"]["low"].as_f64().unwrap();
    // the binomial's 2.5 % point of 40 draws at 1/4 is 5/40
    assert!((0.1..0.15).contains(&low), "{low}");
    let test = &comparison["mcnemar"];
    assert_eq!((test["first_only"].as_u64(), test["second_only"].as_u64()), (Some(10), Some(0)));
    // 2 (1/2)^10 - (1/2)^10
    assert!((test["mid_p"].as_f64().unwrap() - 0.5f64.powi(10)).abs() < 1e-12);
    // a file alone says nothing of how it was made
    assert_eq!((&found["synthetic_images"], &found["text_encoders"]), (&false.into(), &serde_json::json!({})));
    let said = ok(&["compare", &a, &b]);
    assert!(said.contains("by +25.0 points of accuracy (95 % +") && said.contains("leave 0 out"), "{said}");
    assert!(said.contains("only the first is right on 10, only the second on 0"), "{said}");
    let same = ok(&["compare", &a, &a]);
    assert!(same.contains("do not tell the two apart"), "{same}");
}

/// A run's directory is its file; a method of a study is the pool of its cells.
#[test]
fn runs_and_methods_of_a_study() {
    let place = Place::new();
    let study = place.path("study");
    made_study::write(&study, &Plan { variants: &["ic"], tasks: &TASKS, ..Plan::default() });
    let run = |id: &str| common::text(&cell(&study, id));
    let file = |id: &str| common::text(&cell(&study, id).join("predictions.csv"));
    let (a, b) = ("clip-lung.lidc-a.f1.s2", "ce.lidc-a.f1.s2");
    let by_run = json(&ok(&["compare", &run(a), &run(b), "--json"]));
    let by_file = json(&ok(&["compare", &file(a), &file(b), "--json"]));
    assert_eq!(by_run["comparisons"][0]["differences"], by_file["comparisons"][0]["differences"]);

    let of = |name: &str| format!("{}:{name}", place.name("study"));
    let whole = json(&ok(&["compare", &of("clip-lung.ic"), &of("ce"), &of("size-only"), "--json"]));
    let comparisons = whole["comparisons"].as_array().unwrap();
    // three tasks against two
    assert_eq!(comparisons.len(), 6);
    assert_eq!(comparisons[0]["folds"].as_u64(), Some(2));
    let one = json(&ok(&["compare", &of("clip-lung"), &of("ce"), "--task", "lidc-c", "--json"]));
    assert_eq!((one["comparisons"].as_array().unwrap().len(), &one["comparisons"][0]["task"]), (1, &"lidc-c".into()));
    // the report's own figures
    ok(&["report", &place.name("study"), "--out", &place.name("out")]);
    let summary = json(&std::fs::read_to_string(place.path("out/summary.json")).unwrap());
    let third = &summary["tasks"][2]["against_ce"]["comparisons"][1];
    assert_eq!((&third["first"], &third["differences"]), (&"clip-lung".into(), &one["comparisons"][0]["differences"]));

    is_bad_input(
        &["compare", &of("nsb"), &of("ce")],
        "`nsb` is not planned in it; there are ce, clip-lung, clip-lung.ic,",
    );
    let (code, message) = fails(&["compare", &place.name("study"), &of("ce")]);
    assert!(code == 2 && message.contains("study:METHOD: ce, clip-lung, clip-lung.ic, udm"), "{message}");
    is_bad_input(&["compare", &run("ce.lidc-a.f0.s2"), &run(b)], "no task with a fold that both have");
    is_bad_input(&["compare", &run("ce.lidc-c.f0.s2"), &run("ce.lidc-a.f0.s2")], "no task with a fold that both have");
    is_bad_input(&["compare", &place.name("absent"), &run(b)], "neither a predictions.csv");
}

#[test]
fn learning_curves_in_one_picture() {
    let place = Place::new();
    let study = place.path("study");
    made_study::write(&study, &Plan::default());
    let run = common::text(&cell(&study, "ce.lidc-a.f0.s2"));
    let method = format!("{}:clip-lung", place.name("study"));
    ok(&["compare", &method, &run, "--curves", &place.name("curves.svg"), "--json"]);
    let svg = std::fs::read_to_string(place.path("curves.svg")).unwrap();
    // a curve and a line of the legend each, in two panels; a path shows its end
    assert_eq!((svg.matches("<polyline").count(), svg.matches("study/cells/ce.lidc-a.f0.s2<").count()), (8, 2));
    let [a, b] = two_files(&place);
    is_bad_input(&["compare", &a, &b, "--curves", &place.name("none.svg")], "none of them has a log");
    assert!(!place.path("none.svg").exists());
}

#[test]
fn files_of_other_nodules_are_refused() {
    let place = Place::new();
    let [a, b] = two_files(&place);
    let rows = std::fs::read_to_string(&b).unwrap();
    std::fs::write(&b, rows.replace("\n3,P3,", "\n3,P9,")).unwrap();
    is_bad_input(&["compare", &a, &b], "nodule 3 has another patient");
    std::fs::write(&b, rows.lines().take(40).collect::<Vec<_>>().join("\n")).unwrap();
    is_bad_input(&["compare", &a, &b], "lacks nodule 39");
}
