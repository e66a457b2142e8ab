//! What three steps of every method give, from the same nodules and seed as when the arithmetic of this number began: a change
//! of weights, order, augmentation or losses that does not raise `train::ARITHMETIC` is seen here.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fmt::Write;
use std::path::Path;

use clip_lung_core::methods::Method;
use clip_lung_core::train::ARITHMETIC;
use common::{Place, ok};

/// Beyond what another processor's rounding makes of three steps.
const TOLERANCE: f64 = 2e-3;
/// Held-out nodules whose probabilities are kept.
const NODULES: usize = 6;

/// After a change that is meant to give other weights: raise `ARITHMETIC`, then `SNAPSHOTS=overwrite cargo test --release
/// --test arithmetic`.
#[test]
fn the_same_settings_give_the_same_predictions() {
    let place = Place::new();
    let data = place.name("data");
    ok(&["phantom", "--limit", "60", "--out", &data]);
    let mut found = format!("# arithmetic {ARITHMETIC}\n");
    for method in Method::ALL.map(Method::name) {
        let run = place.name(method);
        ok(&[
            "train",
            "--data",
            &data,
            "--out",
            &run,
            "--method",
            method,
            "--text-encoder",
            "random:minilm",
            "--epochs",
            "1",
            "--batch-size",
            "16",
            "--lr",
            "0.01",
            "--ema",
            "0.5",
            "--ema-bn",
            "recompute",
            "--device",
            "cpu",
        ]);
        let predictions = std::fs::read_to_string(Path::new(&run).join("predictions.csv")).unwrap();
        for line in predictions.lines().skip(1).take(NODULES) {
            let fields: Vec<&str> = line.split(',').collect();
            writeln!(found, "{method},{},{}", fields[0], fields[4..].join(",")).unwrap();
        }
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/arithmetic.csv");
    if std::env::var("SNAPSHOTS").is_ok_and(|v| v == "overwrite") {
        std::fs::write(&golden, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap();
    assert_eq!(found.lines().count(), expected.lines().count());
    for (found, expected) in found.lines().zip(expected.lines()) {
        let numbers = |line: &str| line.split(',').skip(2).map(|v| v.parse().unwrap()).collect::<Vec<f64>>();
        let words = |line: &str| line.split(',').take(2).collect::<Vec<_>>().join(",");
        let far = numbers(found).iter().zip(numbers(expected)).any(|(f, e)| (f - e).abs() > TOLERANCE);
        assert!(
            words(found) == words(expected) && !far,
            "other weights, {found}, than before, {expected}: see train::ARITHMETIC"
        );
    }
}
