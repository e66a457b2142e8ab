//! Exact t-SNE in the plane (van der Maaten & Hinton, JMLR 9, 2008), started from the first two principal components.
//!
//! Every sum has a fixed order, so the picture is the same to the bit on any number of threads.

use rayon::prelude::*;

use super::affinities::affinities;
use super::principal::{components, standardised};
use crate::error::{Error, Result};

/// Principal components that go in.
const COMPONENTS: usize = 50;
/// Neighbours that a point is meant to have.
pub const PERPLEXITY: f64 = 30.0;
const ITERATIONS: usize = 1000;
/// Iterations with exaggerated affinities and the lower momentum.
const EARLY: usize = 250;
const EXAGGERATION: f64 = 12.0;
/// Deviation of the first coordinate at the start.
const START: f64 = 1e-4;

/// Points of the plane and what they lose.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    pub points: Vec<[f64; 2]>,
    /// Kullback-Leibler divergence of the picture from the affinities.
    pub divergence: f64,
}

/// The picture of rows of features: standardised, their 50 principal components, perplexity [`PERPLEXITY`].
///
/// # Errors
/// Features that are not finite, or no more rows than neighbours.
pub fn embed(features: &[Vec<f64>]) -> Result<Embedding> {
    if let Some(index) = features.iter().flatten().position(|v| !v.is_finite()) {
        return Err(Error::NonFinite { file: "features".into(), what: "a row".into(), index });
    }
    let rows = components(&standardised(features), COMPONENTS);
    let joint = affinities(&rows, PERPLEXITY)?.joint;
    let start: Vec<[f64; 2]> = rows.iter().map(|r| [r[0], r.get(1).copied().unwrap_or(0.0)]).collect();
    // the components have no mean
    let spread = (start.iter().map(|p| p[0] * p[0]).sum::<f64>() / start.len() as f64).sqrt();
    let scale = if spread > 0.0 { START / spread } else { 0.0 };
    let points = descend(&joint, start.into_iter().map(|p| p.map(|v| v * scale)).collect());
    let divergence = gradient(&joint, &points, 1.0).0;
    Ok(Embedding { points, divergence })
}

/// Gradient descent with momentum and a gain for each coordinate.
fn descend(joint: &[f64], mut points: Vec<[f64; 2]>) -> Vec<[f64; 2]> {
    let rate = (points.len() as f64 / EXAGGERATION / 4.0).max(50.0);
    let mut moves = vec![[0.0f64; 2]; points.len()];
    let mut gains = vec![[1.0f64; 2]; points.len()];
    for iteration in 0..ITERATIONS {
        let (momentum, exaggeration) = if iteration < EARLY { (0.5, EXAGGERATION) } else { (0.8, 1.0) };
        let slopes = gradient(joint, &points, exaggeration).1;
        for i in 0..points.len() {
            for k in 0..2 {
                let onwards = moves[i][k] * slopes[i][k] < 0.0;
                gains[i][k] = (if onwards { gains[i][k] + 0.2 } else { gains[i][k] * 0.8 }).max(0.01);
                moves[i][k] = momentum * moves[i][k] - rate * gains[i][k] * slopes[i][k];
                points[i][k] += moves[i][k];
            }
        }
    }
    points
}

/// The divergence sum p ln(p / q) with `exaggeration` times p, and its gradient
/// 4 sum_j (p_ij - q_ij) (y_i - y_j) / (1 + |y_i - y_j|^2).
fn gradient(joint: &[f64], points: &[[f64; 2]], exaggeration: f64) -> (f64, Vec<[f64; 2]>) {
    let n = points.len();
    let row = |i: usize| {
        let (mut pull, mut push, mut sum, mut loss) = ([0.0; 2], [0.0; 2], 0.0, 0.0);
        for (j, y) in points.iter().enumerate().filter(|(j, _)| *j != i) {
            let apart = [points[i][0] - y[0], points[i][1] - y[1]];
            let near = 1.0 / (1.0 + apart[0] * apart[0] + apart[1] * apart[1]);
            let p = exaggeration * joint[i * n + j];
            for k in 0..2 {
                pull[k] += p * near * apart[k];
                push[k] += near * near * apart[k];
            }
            sum += near;
            loss += if p > 0.0 { p * (p / near).ln() } else { 0.0 };
        }
        (pull, push, sum, loss)
    };
    let rows: Vec<_> = (0..n).into_par_iter().map(row).collect();
    let sum: f64 = rows.iter().map(|r| r.2).sum();
    // ln(p / q) = ln(p / near) + ln(sum)
    let divergence = rows.iter().map(|r| r.3).sum::<f64>() + exaggeration * sum.ln();
    let slope =
        |(pull, push, _, _): &([f64; 2], [f64; 2], f64, f64)| std::array::from_fn(|k| 4.0 * (pull[k] - push[k] / sum));
    (divergence, rows.iter().map(slope).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Stream;
    use crate::metrics::tests::{close, golden, near, number, numbers};
    use crate::study::embedding::neighbours::leave_one_out;

    /// Reference values of the method.
    #[test]
    fn goldens() {
        let points = [[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [3.0, 3.0]].map(Vec::from);
        let joint = affinities(&points, 2.0).unwrap().joint;
        let (divergence, slopes) = gradient(&joint, &[[0.1, 0.0], [0.0, 0.2], [-0.1, 0.0], [0.3, -0.2]], 1.0);
        close(divergence, 0.234805);
        let expected = [[0.117236, -0.123094], [0.000891, 0.001612], [-0.041406, 0.021532], [-0.076721, 0.099950]];
        slopes.iter().flatten().zip(expected.iter().flatten()).for_each(|(a, b)| close(*a, *b));
    }

    /// scikit-learn's divergence and gradient, whose affinities sum to 1 over both halves.
    #[test]
    fn agrees_with_scikit_learn() {
        let golden = golden();
        let case = &golden["tsne"];
        let rows = |name: &str| case[name].as_array().unwrap().iter().map(numbers).collect::<Vec<_>>();
        let joint = affinities(&rows("points"), number(&case["perplexity"])).unwrap().joint;
        let at: Vec<[f64; 2]> = rows("at").iter().map(|p| [p[0], p[1]]).collect();
        let (divergence, slopes) = gradient(&joint, &at, 1.0);
        near(divergence, number(&case["divergence"]), 1e-8);
        slopes.iter().flatten().zip(rows("gradient").iter().flatten()).for_each(|(a, b)| near(*a, *b, 1e-8));
    }

    /// Three clouds of 40 points in 20 dimensions.
    fn clouds() -> (Vec<Vec<f64>>, Vec<usize>) {
        let mut random = Stream::new(8, 0);
        let centres: Vec<Vec<f64>> = (0..3).map(|_| (0..20).map(|_| 2.0 * random.normal()).collect()).collect();
        let label: Vec<usize> = (0..120).map(|i| i % 3).collect();
        let rows = label.iter().map(|l| centres[*l].iter().map(|c| c + random.normal()).collect()).collect();
        (rows, label)
    }

    #[test]
    fn clouds_stay_clouds_and_bits_stay_bits() {
        let (features, label) = clouds();
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| embed(&features).unwrap())
        };
        let (one, three) = (on(1), on(3));
        assert_eq!(one, three);
        let flat: Vec<Vec<f64>> = one.points.iter().map(|p| p.to_vec()).collect();
        assert!(leave_one_out(&flat, &label, 10) > 0.95 && one.divergence < 1.0, "{}", one.divergence);
    }

    #[test]
    fn unusable_features_are_refused() {
        assert!(matches!(embed(&[vec![1.0, f64::NAN]]), Err(Error::NonFinite { index: 1, .. })));
        assert!(matches!(embed(&vec![vec![1.0, 2.0]; 31]), Err(Error::OutOfRange { .. })));
        assert!(embed(&vec![vec![1.0, 2.0]; 40]).unwrap().points.iter().flatten().all(|v| v.is_finite()));
    }
}
