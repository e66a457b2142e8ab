//! Numbers in words: shares in percent, p-values, ranges of folds.

use crate::metrics::intervals::Interval;
use crate::study::measures::Measure;

/// Whether a measure is a share that papers give in percent.
fn in_percent(measure: Measure) -> bool {
    use Measure::*;
    matches!(measure, Accuracy | BalancedAccuracy | MacroF1 | Recall(_) | F1(_) | AccuracyTwoWay)
}

/// A value as tables show it: a share in percent with one decimal, anything else with three.
pub fn value(measure: Measure, value: f64) -> String {
    if in_percent(measure) { format!("{:.1}", 100.0 * value) } else { format!("{value:.3}") }
}

/// With its sign; a share's difference in percentage points. What rounds to nothing has none.
pub fn signed(measure: Measure, difference: f64) -> String {
    let digits = value(measure, difference.abs());
    let nothing = digits.bytes().all(|b| matches!(b, b'0' | b'.'));
    let sign = if nothing {
        ""
    } else if difference < 0.0 {
        "\u{2212}"
    } else {
        "+"
    };
    format!("{sign}{digits}")
}

/// A difference's interval.
pub fn range(measure: Measure, interval: Interval) -> String {
    format!("{} to {}", signed(measure, interval.low), signed(measure, interval.high))
}

/// A p-value with two significant digits, at least `<0.001`.
pub fn p(p: f64) -> String {
    match p {
        p if p < 0.001 => "<0.001".into(),
        p if p < 0.1 => format!("{p:.3}"),
        p => format!("{p:.2}"),
    }
}

/// Numbers in ascending order, neighbours joined: `0-2, 4`.
pub fn numbers(all: &[usize]) -> String {
    let parts = all.chunk_by(|a, b| a + 1 == *b).map(|run| match run {
        [one] => one.to_string(),
        [first, second] => format!("{first}, {second}"),
        [first, .., last] => format!("{first}-{last}"),
        [] => String::new(),
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// A row's name as people read it.
pub fn shown(name: &str) -> &str {
    match name {
        "size-only" => "size alone",
        "ratings-and-size" => "ratings + size",
        name => name,
    }
}

/// A measure's name in words.
pub fn name(measure: Measure) -> String {
    use Measure::*;
    match measure {
        Accuracy => "accuracy, %".into(),
        BalancedAccuracy => "balanced accuracy, %".into(),
        MacroF1 => "macro F1, %".into(),
        MacroAuc => "macro AUC".into(),
        BenignMalignantAuc => "AUC benign/malignant".into(),
        QuadraticKappa => "quadratic kappa".into(),
        Nll => "NLL".into(),
        Brier => "Brier".into(),
        Rps => "RPS".into(),
        Ece => "ECE".into(),
        Recall(class) => format!("recall {}, %", class.name()),
        F1(class) => format!("F1 {}, %", class.name()),
        AccuracyTwoWay => "two-class accuracy, %".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_words() {
        assert_eq!((value(Measure::Accuracy, 0.6072), value(Measure::Nll, 0.8124)), ("60.7".into(), "0.812".into()));
        assert_eq!(signed(Measure::Accuracy, -0.0123), "\u{2212}1.2");
        assert_eq!(
            (signed(Measure::MacroAuc, 0.0104), signed(Measure::MacroAuc, -0.0004)),
            ("+0.010".into(), "0.000".into())
        );
        assert_eq!([p(0.0002), p(0.0312), p(0.4)], ["<0.001", "0.031", "0.40"]);
        assert_eq!([numbers(&[0, 1, 2, 4]), numbers(&[3]), numbers(&[0, 1])], ["0-2, 4", "3", "0, 1"]);
    }
}
