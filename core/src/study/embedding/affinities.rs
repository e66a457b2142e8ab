//! Who is near whom in the original space: the joint probabilities of t-SNE (van der Maaten & Hinton, JMLR 9, 2008).

use rayon::prelude::*;

use crate::error::{Error, Result};

/// How close the entropy must come to ln(perplexity).
const TOLERANCE: f64 = 1e-10;
/// Steps of a search: doublings, then halvings down to the last bits.
const STEPS: usize = 200;

/// Probabilities that two points are neighbours.
#[derive(Clone, Debug, PartialEq)]
pub struct Affinities {
    /// Precision 1 / (2 sigma^2) of the Gaussian around each point.
    pub precisions: Vec<f64>,
    /// `[n, n]`, symmetric, with the sum 1 and a diagonal of 0.
    pub joint: Vec<f64>,
}

/// (p_j|i + p_i|j) / 2n, each row's Gaussian as wide as gives the perplexity.
///
/// # Errors
/// When the perplexity is not below the number of a point's neighbours.
pub fn affinities(points: &[Vec<f64>], perplexity: f64) -> Result<Affinities> {
    let n = points.len();
    if !(perplexity >= 1.0 && perplexity < n as f64 - 1.0) {
        let expected = format!("from 1 to below {}, the neighbours that each of {n} points has", n.saturating_sub(1));
        return Err(Error::OutOfRange { what: "perplexity".into(), value: perplexity.to_string(), expected });
    }
    let row = |i: usize| {
        let squared: Vec<f64> = points.iter().map(|p| squared_distance(&points[i], p)).collect();
        conditional(&squared, i, perplexity.ln())
    };
    let (precisions, rows): (Vec<f64>, Vec<Vec<f64>>) = (0..n).into_par_iter().map(row).unzip();
    let both = |i: usize, j: usize| (rows[i][j] + rows[j][i]) / (2 * n) as f64;
    Ok(Affinities { precisions, joint: (0..n * n).map(|k| both(k / n, k % n)).collect() })
}

/// The precision around point `i` whose entropy is `wanted`, by bisection, and p_j|i.
fn conditional(squared: &[f64], i: usize, wanted: f64) -> (f64, Vec<f64>) {
    let others = || squared.iter().enumerate().filter(|(j, _)| *j != i);
    // distances from the nearest one: the same probabilities, and none vanishes
    let nearest = others().map(|(_, d)| *d).fold(f64::INFINITY, f64::min);
    let law = |precision: f64| {
        let weight = |(j, d): (usize, &f64)| if j == i { 0.0 } else { (-precision * (d - nearest)).exp() };
        let p: Vec<f64> = squared.iter().enumerate().map(weight).collect();
        let sum: f64 = p.iter().sum();
        let moment: f64 = others().map(|(j, d)| p[j] * (d - nearest)).sum();
        (sum.ln() + precision * moment / sum, p, sum)
    };
    let (mut precision, mut low, mut high) = (1.0, 0.0, f64::INFINITY);
    for _ in 0..STEPS {
        let apart = law(precision).0 - wanted;
        if apart.abs() < TOLERANCE {
            break;
        }
        *(if apart > 0.0 { &mut low } else { &mut high }) = precision;
        precision = if high.is_infinite() { precision * 2.0 } else { (low + high) / 2.0 };
    }
    let (_, p, sum) = law(precision);
    (precision, p.into_iter().map(|v| v / sum).collect())
}

/// The squared Euclidean distance.
pub fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::tests::{close, golden, near, number, numbers};

    /// Reference values of the method.
    #[test]
    fn goldens() {
        let points = [[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [3.0, 3.0]].map(Vec::from);
        let a = affinities(&points, 2.0).unwrap();
        for (value, golden) in a.precisions.iter().zip([0.234626, 0.261856, 0.678148, 0.374461]) {
            close(*value, golden);
        }
        let upper = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)];
        for ((i, j), golden) in upper.into_iter().zip([0.172275, 0.122849, 0.006075, 0.073072, 0.033430, 0.092299]) {
            close(a.joint[i * 4 + j], golden);
            assert_eq!(a.joint[i * 4 + j], a.joint[j * 4 + i]);
        }
        close(a.joint.iter().sum(), 1.0);
    }

    /// Precisions that scipy's root finder gives for 60 points, beside which scikit-learn's are the same to its tolerance.
    #[test]
    fn agrees_with_scipy() {
        let golden = golden();
        let case = &golden["tsne"];
        let points: Vec<Vec<f64>> = case["points"].as_array().unwrap().iter().map(numbers).collect();
        let a = affinities(&points, number(&case["perplexity"])).unwrap();
        a.precisions.iter().zip(numbers(&case["precisions"])).for_each(|(p, g)| near(*p, g, 1e-7));
        a.joint.iter().zip(numbers(&case["first_row"])).for_each(|(p, g)| near(*p, g, 1e-9));
    }

    #[test]
    fn equal_points_stay_finite_and_too_wide_is_refused() {
        let mut points = vec![vec![1.0]; 6];
        points.extend([vec![2.0], vec![1e6]]);
        let a = affinities(&points, 3.0).unwrap();
        assert!(a.joint.iter().chain(&a.precisions).all(|v| v.is_finite()));
        assert!(affinities(&points, 7.0).is_err() && affinities(&points, f64::NAN).is_err());
        assert!(affinities(&[], 1.0).is_err());
    }
}
