//! An audit on the terminal.

use clip_lung_core::dataset::class::{Class, Thresholds};
use clip_lung_core::study::audit::document::Audit;
use clip_lung_core::study::audit::labels::Statistic;
use clip_lung_core::study::audit::leakage::NEAR_IDENTICAL;

/// Pairs of crops that are named.
const NAMED: usize = 10;

/// Folds, leaks, label policies and reader agreement, ready to print.
pub fn render(audit: &Audit) -> String {
    let mut out = format!(
        "{}: {} nodules, {} folds of seed {}\n\n",
        audit.data,
        audit.nodules,
        audit.folds.len(),
        audit.fold_seed
    );
    out += &format!("  {:<10}{:>8}{:>8}{:>11}\n", "fold", "benign", "unsure", "malignant");
    for (i, [benign, unsure, malignant]) in audit.folds.iter().enumerate() {
        out += &format!("  {i:<10}{benign:>8}{unsure:>8}{malignant:>11}\n");
    }
    let [benign, unsure, malignant] = Class::ALL.map(|c| audit.count(c));
    out += &format!("  {:<10}{benign:>8}{unsure:>8}{malignant:>11}\n\n", "all");
    out += &format!("  patients in two folds or more: {}\n", audit.leakage.patients.len());
    out += &format!(
        "  pairs of nearly the same crops in different folds (correlation from {NEAR_IDENTICAL}): {}\n",
        audit.leakage.twins.len()
    );
    for twins in audit.leakage.twins.iter().take(NAMED) {
        out += &format!("    {} and {}: {:.4}\n", twins.first, twins.second, twins.correlation);
    }
    out += &format!(
        "\n  classes under other rules\n  {:<38}{:>8}{:>8}{:>11}{:>7}\n",
        "", "benign", "unsure", "malignant", "all"
    );
    for policy in &audit.policies {
        let [benign, unsure, malignant] = policy.counts;
        out += &format!(
            "  {:<38}{benign:>8}{unsure:>8}{malignant:>11}{:>7}\n",
            rule(policy.statistic, policy.thresholds, policy.min_readers),
            benign + unsure + malignant
        );
    }
    match &audit.readers {
        Some(readers) => {
            let number = |v: Option<f64>| v.map_or("-".into(), |v| format!("{v:.3}"));
            out += &format!(
                "\n  readers, on the {} nodules with two or more of them\n  one reader against the mean of the others, as a further reader would be: {:.1} %, quadratic kappa {}\n  two readers: the same score {:.1} %, the same class {:.1} %, linear kappa {}, quadratic {}\n  standard deviation within a nodule: {:.2} points\n",
                readers.nodules,
                100.0 * readers.with_the_others,
                number(readers.quadratic_kappa_with_the_others),
                100.0 * readers.same_score,
                100.0 * readers.same_class,
                number(readers.linear_kappa),
                number(readers.quadratic_kappa),
                readers.sd_within
            );
        }
        None => out += "\n  readers: their single scores are not known of these nodules\n",
    }
    if audit.scored < audit.nodules {
        out += &format!("  of {} nodules the program does not know the single scores\n", audit.nodules - audit.scored);
    }
    out
}

/// A label policy in words.
pub fn rule(statistic: Statistic, thresholds: Thresholds, min_readers: u32) -> String {
    let statistic = match statistic {
        Statistic::Mean => "mean",
        Statistic::Median => "median",
    };
    let thresholds = match thresholds {
        Thresholds::Inclusive => "inclusive",
        Thresholds::Strict => "strict",
    };
    format!("{statistic}, {thresholds}, {min_readers} or more readers")
}
