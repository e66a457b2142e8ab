//! Reference values of the readouts (methods specification, sections 2.2 to 2.5), and their derivatives.

use super::*;
use crate::base::random::Stream;

fn close(found: &[f64], golden: &[f64]) {
    assert_eq!(found.len(), golden.len());
    for (f, g) in found.iter().zip(golden) {
        assert!((f - g).abs() < 2e-6 * g.abs().max(1.0), "{found:?} is not {golden:?}");
    }
}

fn probabilities(readout: &Readout, u: &[f32]) -> Vec<f64> {
    readout.log_probabilities(u).iter().map(|l| l.exp()).collect()
}

fn forest() -> Readout {
    let leaves = [[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.3, 0.4, 0.3], [0.1, 0.2, 0.7]].map(|q| q.to_vec());
    let reversed = leaves.iter().rev().cloned().collect();
    let splits = vec![vec![0, 1, 2], vec![3, 4, 5]];
    Readout::Forest(Forest::new(splits, vec![leaves.to_vec(), reversed], 6, "test").unwrap())
}

fn all() -> Vec<(Readout, usize)> {
    vec![
        (Readout::Softmax { classes: 3 }, 3),
        (Readout::Poisson { classes: 3, tau: 0.3 }, 1),
        (Readout::Binomial { classes: 3, tau: 0.5 }, 1),
        (Readout::Sticks { classes: 3 }, 2),
        (Readout::Cumulative { thresholds: vec![-1.0, 1.0] }, 1),
        (forest(), 6),
        (Readout::Poisson { classes: 2, tau: 1.0 }, 1),
        (Readout::Sticks { classes: 2 }, 1),
        (Readout::Cumulative { thresholds: vec![0.2] }, 1),
    ]
}

#[test]
fn poisson_and_binomial() {
    let (one, sharp) = (Readout::Poisson { classes: 3, tau: 1.0 }, Readout::Poisson { classes: 3, tau: 0.3 });
    for (a, p, q) in [
        (-1.0, [0.734038, 0.229946, 0.036017], [0.979507, 0.020450, 0.000042]),
        (0.0, [0.517231, 0.358517, 0.124252], [0.767257, 0.226131, 0.006612]),
        (1.0, [0.314902, 0.413549, 0.271549], [0.244460, 0.606335, 0.149205]),
        (2.5, [0.144839, 0.373523, 0.481638], [0.012594, 0.296206, 0.691200]),
    ] {
        close(&probabilities(&one, &[a]), &p);
        close(&probabilities(&sharp, &[a]), &q);
    }
    let binomial = |tau| Readout::Binomial { classes: 3, tau };
    close(&probabilities(&binomial(1.0), &[0.0]), &[0.25, 0.5, 0.25]);
    close(&probabilities(&binomial(0.5), &[0.0]), &[0.166667, 0.666667, 0.166667]);
    close(&probabilities(&binomial(1.0), &[0.8]), &[0.096116, 0.427819, 0.476065]);
}

#[test]
fn sticks() {
    let readout = Readout::Sticks { classes: 3 };
    close(&readout.log_probabilities(&[0.3, -0.8]), &[-0.554355, -2.025456, -1.225456]);
    close(&probabilities(&readout, &[5.0, -5.0]), &[0.993307, 0.000045, 0.006648]);
    let far = readout.log_probabilities(&[-30.0, -30.0]);
    close(&far[..2], &[-30.0, -30.0]);
    assert!((far[2] + 1.9e-13).abs() < 1e-14);
}

#[test]
fn cumulative() {
    let readout = Readout::Cumulative { thresholds: vec![-1.0, 1.0] };
    for (f, p) in [
        (-2.0, [0.731059, 0.221516, 0.047426]),
        (-0.3, [0.331812, 0.454023, 0.214165]),
        (0.4, [0.197816, 0.447840, 0.354344]),
        (1.7, [0.062973, 0.268839, 0.668188]),
    ] {
        close(&probabilities(&readout, &[f]), &p);
    }
    for f in [60.0, -60.0] {
        close(&readout.log_probabilities(&[f])[1..2], &[-59.145413]);
    }
}

#[test]
fn forests() {
    let u = [0.4, -0.6, 1.2, -0.5, 0.1, 0.9];
    close(&route(&[0.4, -0.6, 1.2]), &[0.212141, 0.386546, 0.308418, 0.092894]);
    close(&probabilities(&forest(), &u), &[0.307849, 0.414593, 0.277558]);
}

/// Probabilities sum to 1 and nothing is NaN, however far the outputs are; Poisson and binomial have one peak.
#[test]
fn probabilities_sum_to_one_everywhere() {
    let mut random = Stream::new(3, 0);
    for (readout, units) in all() {
        for scale in [1.0, 10.0, 60.0] {
            for _ in 0..50 {
                let u: Vec<f32> = (0..units).map(|_| random.between(-scale, scale) as f32).collect();
                let p = probabilities(&readout, &u);
                assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{readout:?} {u:?} {p:?}");
                if matches!(readout, Readout::Poisson { .. } | Readout::Binomial { .. }) && p.len() == 3 {
                    assert!(p[1] + 1e-12 >= p[0].min(p[2]), "{readout:?} {u:?} {p:?}");
                }
            }
        }
        for u in [60.0, -60.0] {
            assert!(readout.log_probabilities(&vec![u; units]).iter().all(|l| l.is_finite()), "{readout:?}");
        }
    }
}

/// The derivative that explanations use equals a central difference.
#[test]
fn derivatives_are_slopes() {
    for (readout, units) in all() {
        let u: Vec<f32> = (0..units).map(|k| 0.7 - 0.4 * k as f32).collect();
        for class in 0..readout.classes() {
            let found = readout.derivative(&u, class);
            if readout.kind() == ReadoutKind::Softmax {
                assert_eq!(found.iter().sum::<f64>(), 1.0);
                continue;
            }
            for k in 0..units {
                let step = 1.0 / 1024.0;
                let at = |by: f32| {
                    let mut moved = u.clone();
                    moved[k] += by;
                    readout.log_probabilities(&moved)[class]
                };
                let slope = (at(step) - at(-step)) / (2.0 * f64::from(step));
                assert!((slope - found[k]).abs() < 1e-5, "{readout:?} class {class} output {k}: {slope} {}", found[k]);
            }
        }
    }
}

#[test]
fn forests_that_are_none_are_refused() {
    let leaf = |q: f64| vec![q, 1.0 - q];
    let good = (vec![vec![1]], vec![vec![leaf(0.5), leaf(0.1)]]);
    assert!(Forest::new(good.0.clone(), good.1.clone(), 2, "m").is_ok());
    for (splits, leaves) in [
        (vec![vec![2]], good.1.clone()),
        (vec![vec![0, 0, 1]], vec![vec![leaf(0.5); 4]]),
        (vec![vec![0, 1]], vec![vec![leaf(0.5); 3]]),
        (vec![vec![1]], vec![vec![leaf(0.5), vec![0.5, 0.6]]]),
        (vec![vec![1]], vec![vec![leaf(0.5), vec![1.5, -0.5]]]),
        (vec![], vec![]),
        (good.0.clone(), vec![good.1[0].clone(); 2]),
    ] {
        let found = Forest::new(splits, leaves, 2, "m");
        assert!(matches!(found, Err(Error::OutOfRange { .. })), "{found:?}");
    }
}

use crate::error::Error;
