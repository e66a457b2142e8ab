//! Metrics as a table on the terminal.

use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::metrics::report::{Estimate, Report};

/// What stands beside a model's own numbers.
pub struct Anchors<'a> {
    /// Logistic regression on log diameter, trained on the same nodules.
    pub size_only: Option<&'a Report>,
}

/// The numbers of a report, ready to print.
pub fn render(report: &Report, anchors: &Anchors<'_>, heading: &str, text_encoder: &str, data: &str) -> String {
    let mut out = format!("{heading}\n  data: {data}\n  text encoder: {text_encoder}\n");
    out += &format!("  {} held-out nodules of {} patients\n\n", report.nodules, report.patients);
    out += &format!(
        "  {:<24}{:>8}  {:<18}{}\n",
        "",
        "model",
        "95 % interval",
        if anchors.size_only.is_some() { "size alone" } else { "" }
    );
    let mut row = |name: &str, value: Option<Estimate>, size: Option<f64>| {
        let number = value.map_or("-".into(), |v| format!("{:.3}", v.value));
        let interval =
            value.and_then(|v| v.interval).map_or(String::new(), |i| format!("{:.3} - {:.3}", i.low, i.high));
        let size = size.map_or(String::new(), |s| format!("{s:.3}"));
        out += format!("  {name:<24}{number:>8}  {interval:<18}{size}").trim_end();
        out += "\n";
    };
    let size = anchors.size_only;
    row("accuracy", Some(report.accuracy), size.map(|s| s.accuracy.value));
    row("macro AUC", report.macro_auc, size.and_then(|s| s.macro_auc).map(|e| e.value));
    row(
        "AUC benign/malignant",
        report.benign_malignant_auc,
        size.and_then(|s| s.benign_malignant_auc).map(|e| e.value),
    );
    row("macro F1", Some(report.macro_f1), size.map(|s| s.macro_f1.value));
    row("balanced accuracy", Some(report.balanced_accuracy), size.map(|s| s.balanced_accuracy.value));
    let plain = |value: f64| Some(Estimate { value, interval: None });
    let ordinal = |r: &Report, k: usize| r.auc_ordinal.get(k).copied().flatten();
    if report.classes.len() > 2 {
        row("AUC above benign", ordinal(report, 0).and_then(plain), size.and_then(|s| ordinal(s, 0)));
        row("AUC above unsure", ordinal(report, 1).and_then(plain), size.and_then(|s| ordinal(s, 1)));
    }
    row("quadratic kappa", report.quadratic_kappa.and_then(plain), size.and_then(|s| s.quadratic_kappa));
    row("mean absolute error", plain(report.mae), size.map(|s| s.mae));
    row("calibration error", plain(report.ece), size.map(|s| s.ece));
    row("majority class", plain(report.majority), None);
    out += &format!("\n  {:<12}{:>8}{:>8}   answers\n", "class", "recall", "F1");
    for (i, class) in report.classes.iter().enumerate() {
        let number = |v: Option<f64>| v.map_or("-".into(), |v| format!("{v:.3}"));
        let answers: Vec<String> =
            report.classes.iter().zip(&report.confusion[i]).map(|(c, n)| format!("{c} {n}")).collect();
        out += &format!(
            "  {class:<12}{:>8}{:>8}   {}\n",
            number(report.rates.recall[i]),
            number(report.rates.f1[i]),
            answers.join(", ")
        );
    }
    out += "\n  Research use only, not a medical device.\n";
    out
}

/// The data set's name, with a warning where the images are synthetic.
pub fn shown(data: &Dataset) -> String {
    let name = &data.header.name;
    if data.header.synthetic { format!("{name} (synthetic images: not evidence about CT)") } else { name.clone() }
}
