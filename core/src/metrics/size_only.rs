//! The anchor that every table carries: multinomial logistic regression on log diameter alone, and the majority class.

use super::Scored;

/// Fits softmax(a_c + b_c x) by Newton's method on (x, class) and gives the probabilities at `at`.
///
/// x is standardised first; a small ridge (1e-4) keeps separable data finite.
pub fn logistic(x: &[f64], class: &[usize], classes: usize, at: &[f64]) -> Vec<Vec<f64>> {
    let n = x.len().max(1) as f64;
    let mean = x.iter().sum::<f64>() / n;
    let sd = (x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt().max(1e-12);
    let z = |v: f64| (v - mean) / sd;
    // class 0 is the reference: 2 (C - 1) parameters
    let p = 2 * (classes - 1);
    let mut theta = vec![0.0; p];
    for _ in 0..30 {
        let (mut gradient, mut hessian) = (vec![0.0; p], vec![vec![0.0; p]; p]);
        for (&v, &t) in x.iter().zip(class) {
            let q = softmax(&theta, z(v));
            let basis = [1.0, z(v)];
            for a in 0..p {
                let (ca, fa) = (a / 2 + 1, basis[a % 2]);
                gradient[a] += (q[ca] - f64::from(u8::from(t == ca))) * fa;
                for b in 0..p {
                    let (cb, fb) = (b / 2 + 1, basis[b % 2]);
                    hessian[a][b] += q[ca] * (f64::from(u8::from(ca == cb)) - q[cb]) * fa * fb;
                }
            }
        }
        for a in 0..p {
            gradient[a] += 1e-4 * n * theta[a];
            hessian[a][a] += 1e-4 * n;
        }
        let step = solve(hessian, gradient);
        theta.iter_mut().zip(&step).for_each(|(t, s)| *t -= s);
        if step.iter().all(|s| s.abs() < 1e-10) {
            break;
        }
    }
    at.iter().map(|&v| softmax(&theta, z(v))).collect()
}

fn softmax(theta: &[f64], z: f64) -> Vec<f64> {
    let logits: Vec<f64> = std::iter::once(0.0).chain(theta.chunks_exact(2).map(|t| t[0] + t[1] * z)).collect();
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let e: Vec<f64> = logits.iter().map(|l| (l - top).exp()).collect();
    let sum: f64 = e.iter().sum();
    e.into_iter().map(|v| v / sum).collect()
}

/// Gaussian elimination with pivoting; the matrix is positive definite.
fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for i in 0..n {
        let pivot = (i..n).max_by(|&p, &q| a[p][i].abs().total_cmp(&a[q][i].abs())).unwrap_or(i);
        a.swap(i, pivot);
        b.swap(i, pivot);
        for r in i + 1..n {
            let f = a[r][i] / a[i][i];
            for c in i..n {
                a[r][c] -= f * a[i][c];
            }
            b[r] -= f * b[i];
        }
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|c| a[i][c] * b[c]).sum();
        b[i] = (b[i] - known) / a[i][i];
    }
    b
}

/// The share of the most frequent class.
pub fn majority(scored: &Scored) -> f64 {
    let count = |c: usize| scored.truth.iter().filter(|t| **t == c).count();
    let most = scored.truth.iter().map(|&t| count(t)).max().unwrap_or(0);
    most as f64 / scored.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two Gaussians of one variance: the fitted boundary is the optimal one, log-odds linear with slope d / sd^2.
    #[test]
    fn recovers_the_known_law() {
        let mut r = crate::base::random::Stream::new(4, 0);
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for i in 0..40_000 {
            x.push(r.normal() + 2.0 * f64::from(i % 2));
            y.push(i as usize % 2);
        }
        let p = logistic(&x, &y, 2, &[0.0, 1.0, 2.0]);
        let odds = |p: &Vec<f64>| (p[1] / p[0]).ln();
        assert!(odds(&p[1]).abs() < 0.06 && (odds(&p[2]) - 2.0).abs() < 0.1 && (odds(&p[0]) + 2.0).abs() < 0.1);
    }

    #[test]
    fn separable_data_stay_finite() {
        let p = logistic(&[0.0, 1.0, 10.0, 11.0, 20.0, 21.0], &[0, 0, 1, 1, 2, 2], 3, &[0.5, 10.5, 20.5]);
        for (k, row) in p.iter().enumerate() {
            assert!(row.iter().all(|v| v.is_finite()) && super::super::argmax(row) == k);
        }
    }
}
