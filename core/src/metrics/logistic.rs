//! Multinomial logistic regression on a few columns: what the anchors of every table are made with.

/// Fits softmax(a_c + b_c . z) by Newton's method to rows of columns with their classes, and gives the probabilities at other rows.
///
/// Every column is standardised by its mean and deviation over `rows` first; a small ridge (1e-4) keeps separable data finite.
pub fn probabilities(rows: &[Vec<f64>], class: &[usize], classes: usize, at: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let n = rows.len().max(1) as f64;
    let width = rows.first().map_or(0, Vec::len);
    let scales: Vec<(f64, f64)> = (0..width)
        .map(|k| {
            let mean = rows.iter().map(|r| r[k]).sum::<f64>() / n;
            let sd = (rows.iter().map(|r| (r[k] - mean).powi(2)).sum::<f64>() / n).sqrt().max(1e-12);
            (mean, sd)
        })
        .collect();
    // the intercept is the first of the basis
    let basis = |row: &Vec<f64>| -> Vec<f64> {
        std::iter::once(1.0).chain(row.iter().zip(&scales).map(|(v, (mean, sd))| (v - mean) / sd)).collect()
    };
    let known: Vec<Vec<f64>> = rows.iter().map(basis).collect();
    let theta = fit(&known, class, classes);
    at.iter().map(|row| softmax(&theta, &basis(row))).collect()
}

/// The coefficients, those of the basis for each class but the first, which is the reference.
fn fit(rows: &[Vec<f64>], class: &[usize], classes: usize) -> Vec<f64> {
    let n = rows.len().max(1) as f64;
    let width = rows.first().map_or(1, Vec::len);
    let p = width * (classes - 1);
    let mut theta = vec![0.0; p];
    for _ in 0..30 {
        let (mut gradient, mut hessian) = (vec![0.0; p], vec![vec![0.0; p]; p]);
        for (basis, &t) in rows.iter().zip(class) {
            let q = softmax(&theta, basis);
            for a in 0..p {
                let (ca, fa) = (a / width + 1, basis[a % width]);
                gradient[a] += (q[ca] - f64::from(u8::from(t == ca))) * fa;
                for b in 0..p {
                    let (cb, fb) = (b / width + 1, basis[b % width]);
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
    theta
}

fn softmax(theta: &[f64], basis: &[f64]) -> Vec<f64> {
    let logit = |t: &[f64]| t[1..].iter().zip(&basis[1..]).fold(t[0], |sum, (t, z)| sum + t * z);
    let logits: Vec<f64> = std::iter::once(0.0).chain(theta.chunks_exact(basis.len()).map(logit)).collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::tests::{golden, near, numbers};

    /// scipy's minimum of the same penalised likelihood, three classes and four correlated columns of unlike scale.
    #[test]
    fn agrees_with_scipy() {
        let golden = golden();
        let case = &golden["logistic"];
        let rows = |name: &str| case[name].as_array().unwrap().iter().map(numbers).collect::<Vec<_>>();
        let class: Vec<usize> = numbers(&case["class"]).iter().map(|v| *v as usize).collect();
        let fitted = probabilities(&rows("rows"), &class, 3, &rows("at"));
        for (value, reference) in fitted.iter().flatten().zip(rows("probabilities").iter().flatten()) {
            near(*value, *reference, 1e-8);
        }
    }

    /// A column without spread tells nothing and breaks nothing.
    #[test]
    fn a_constant_column_is_harmless() {
        let class = [0, 0, 1, 0, 1, 1];
        let x = [1.0, 2.0, 2.5, 3.0, 3.5, 4.0];
        let alone: Vec<Vec<f64>> = x.iter().map(|&v| vec![v]).collect();
        let beside: Vec<Vec<f64>> = x.iter().map(|&v| vec![v, 7.0]).collect();
        let (a, b) = (probabilities(&alone, &class, 2, &alone), probabilities(&beside, &class, 2, &beside));
        a.iter().flatten().zip(b.iter().flatten()).for_each(|(a, b)| near(*a, *b, 1e-12));
    }
}
