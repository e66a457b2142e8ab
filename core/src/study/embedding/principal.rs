//! Standardised columns and their principal components.

use nalgebra::{DMatrix, SymmetricEigen};

/// Each column less its mean, over its standard deviation (ddof 0); a column without spread becomes 0.
pub fn standardised(rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let n = rows.len() as f64;
    let width = rows.first().map_or(0, Vec::len);
    let scales: Vec<(f64, f64)> = (0..width)
        .map(|k| {
            let mean = rows.iter().map(|r| r[k]).sum::<f64>() / n;
            let sd = (rows.iter().map(|r| (r[k] - mean).powi(2)).sum::<f64>() / n).sqrt();
            (mean, if sd > 1e-12 * mean.abs() { sd } else { f64::INFINITY })
        })
        .collect();
    rows.iter().map(|r| r.iter().zip(&scales).map(|(v, (mean, sd))| (v - mean) / sd).collect()).collect()
}

/// The rows in the coordinates of the `count` directions of largest variance, in falling order; fewer where there are fewer
/// columns. The largest weight of each direction is positive, so that the signs are always the same.
pub fn components(rows: &[Vec<f64>], count: usize) -> Vec<Vec<f64>> {
    let width = rows.first().map_or(0, Vec::len);
    let mean: Vec<f64> = (0..width).map(|k| rows.iter().map(|r| r[k]).sum::<f64>() / rows.len() as f64).collect();
    let centred = DMatrix::from_fn(rows.len(), width, |i, k| rows[i][k] - mean[k]);
    let eigen = SymmetricEigen::new(centred.tr_mul(&centred));
    let mut order: Vec<usize> = (0..width).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    order.truncate(count);
    let direction = |k: usize| {
        let weights = eigen.eigenvectors.column(k);
        let largest = weights.iter().fold(0.0f64, |most, w| if w.abs() > most.abs() { *w } else { most });
        weights * if largest < 0.0 { -1.0 } else { 1.0 }
    };
    let scores: Vec<_> = order.into_iter().map(|k| &centred * direction(k)).collect();
    (0..rows.len()).map(|i| scores.iter().map(|s| s[i]).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::tests::{golden, near, numbers};

    fn rows(value: &serde_json::Value) -> Vec<Vec<f64>> {
        value.as_array().unwrap().iter().map(numbers).collect()
    }

    /// scikit-learn's StandardScaler and PCA, whose signs are its own.
    #[test]
    fn agree_with_scikit_learn() {
        let golden = golden();
        let case = &golden["embedding"];
        let standard = standardised(&rows(&case["features"]));
        let close = |a: &[Vec<f64>], b: &[Vec<f64>]| {
            assert_eq!((a.len(), a[0].len()), (b.len(), b[0].len()));
            a.iter().flatten().zip(b.iter().flatten()).for_each(|(a, b)| near(*a, *b, 1e-9));
        };
        close(&standard, &rows(&case["standardised"]));
        let size: Vec<Vec<f64>> =
            components(&standard, 4).iter().map(|r| r.iter().map(|v| v.abs()).collect()).collect();
        close(&size, &rows(&case["pca"]));
    }

    #[test]
    fn signs_are_fixed_and_counts_limited() {
        let points = vec![vec![-1.0, -2.0], vec![0.0, 0.0], vec![1.0, 2.0]];
        let mirrored: Vec<Vec<f64>> = points.iter().rev().cloned().collect();
        let (a, b) = (components(&points, 50), components(&mirrored, 50));
        assert_eq!(a[0].len(), 2);
        near(a[2][0], 5f64.sqrt(), 1e-12);
        near(b[0][0], a[2][0], 1e-12);
    }
}
