//! The leaves of a soft decision tree by expectation maximisation, its splits held fixed (CORF, alternation of sections 3.3 and 3.4 of the
//! paper, on the class simplex).

use rayon::prelude::*;

use crate::methods::readout::route;

/// Fixed-point iterations an epoch.
pub const ROUNDS: usize = 20;
/// What every class gets in every leaf, so that none becomes exactly 0.
pub const EPSILON: f64 = 1e-2;

/// A tree's leaves, and how the samples are shared among them.
pub struct Leaves {
    /// omega, a row a sample.
    omega: Vec<Vec<f64>>,
    /// q, a row a leaf.
    shares: Vec<Vec<f64>>,
}

impl Leaves {
    /// From the activations of the tree's splits, a row a sample, breadth-first, and the leaves so far.
    pub fn new(activations: impl Iterator<Item = Vec<f64>>, shares: Vec<Vec<f64>>) -> Self {
        let activations: Vec<Vec<f64>> = activations.collect();
        Self { omega: activations.par_iter().map(|row| route(row)).collect(), shares }
    }

    /// g_y of every sample.
    fn of_truth<'a>(&'a self, labels: &'a [usize]) -> impl Iterator<Item = f64> + 'a {
        self.omega.iter().zip(labels).map(|(row, &y)| row.iter().zip(&self.shares).map(|(w, q)| w * q[y]).sum())
    }

    /// The mean of -log g_y.
    pub fn negative_log_likelihood(&self, labels: &[usize]) -> f64 {
        -self.of_truth(labels).map(f64::ln).sum::<f64>() / labels.len() as f64
    }

    /// The leaves after `rounds` of q_lc <- (epsilon + sum_i 1(y_i = c) omega_l(x_i) q_lc / g_c(x_i)) / normaliser over c. With an
    /// epsilon of 0 the likelihood never falls.
    pub fn updated(mut self, labels: &[usize], rounds: usize, epsilon: f64) -> Vec<Vec<f64>> {
        for _ in 0..rounds {
            self.round(labels, epsilon);
        }
        self.shares
    }

    fn round(&mut self, labels: &[usize], epsilon: f64) {
        let classes = self.shares[0].len();
        let mut next = vec![vec![epsilon; classes]; self.shares.len()];
        let g: Vec<f64> = self.of_truth(labels).collect();
        for ((row, &y), g) in self.omega.iter().zip(labels).zip(g) {
            for ((next, w), q) in next.iter_mut().zip(row).zip(&self.shares) {
                next[y] += w * q[y] / g.max(f64::MIN_POSITIVE);
            }
        }
        for leaf in &mut next {
            let sum: f64 = leaf.iter().sum();
            leaf.iter_mut().for_each(|q| *q /= sum.max(f64::MIN_POSITIVE));
        }
        self.shares = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Stream;

    fn golden() -> (Leaves, [usize; 4]) {
        let rows = [[0.4, -0.6, 1.2], [-1.0, 0.5, 0.3], [2.0, 0.2, -0.4], [-0.3, -1.1, -0.7]];
        (Leaves::new(rows.iter().map(|r| r.to_vec()), vec![vec![1.0 / 3.0; 3]; 4]), [0, 2, 1, 2])
    }

    fn close(found: &[Vec<f64>], expected: &[[f64; 3]]) {
        for (f, e) in found.iter().flatten().zip(expected.iter().flatten()) {
            assert!((f - e).abs() < 1e-6, "{found:?}");
        }
    }

    /// Reference values without epsilon: the likelihood and the leaves after one update, the likelihood after 20.
    #[test]
    fn pure_updates() {
        let (mut tree, y) = golden();
        let mut last = tree.negative_log_likelihood(&y);
        assert!((last - 1.098612).abs() < 1e-6);
        for round in 1..=20 {
            tree.round(&y, 0.0);
            let now = tree.negative_log_likelihood(&y);
            assert!(now <= last + 1e-12, "round {round}: {now} after {last}");
            last = now;
            if round == 1 {
                assert!((now - 0.828026).abs() < 1e-6);
                close(
                    &tree.shares,
                    &[
                        [0.218676, 0.499210, 0.282114],
                        [0.321087, 0.329360, 0.349553],
                        [0.319005, 0.049480, 0.631515],
                        [0.108116, 0.083060, 0.808824],
                    ],
                );
            }
        }
        assert!((last - 0.636985).abs() < 1e-6);
    }

    /// Reference values with epsilon .01.
    #[test]
    fn smoothed_updates() {
        let (mut tree, y) = golden();
        tree.round(&y, EPSILON);
        assert!((tree.negative_log_likelihood(&y) - 0.834448).abs() < 1e-6);
        close(&tree.shares[..1], &[[0.222115, 0.494234, 0.283651]]);
        let (tree, y) = golden();
        let leaves = tree.updated(&y, ROUNDS, EPSILON);
        close(
            &leaves,
            &[
                [0.022344, 0.960119, 0.017538],
                [0.912307, 0.053377, 0.034315],
                [0.079872, 0.011665, 0.908463],
                [0.011089, 0.010023, 0.978888],
            ],
        );
        let (mut tree, y) = golden();
        tree.shares = leaves;
        assert!((tree.negative_log_likelihood(&y) - 0.655619).abs() < 1e-6);
    }

    /// On random problems leaves stay distributions and the likelihood never falls.
    #[test]
    fn always_distributions() {
        let mut random = Stream::new(5, 0);
        for _ in 0..20 {
            let rows: Vec<Vec<f64>> = (0..30).map(|_| (0..7).map(|_| 3.0 * random.normal()).collect()).collect();
            let labels: Vec<usize> = (0..30).map(|_| random.below(3)).collect();
            let mut tree = Leaves::new(rows.into_iter(), vec![vec![1.0 / 3.0; 3]; 8]);
            for _ in 0..10 {
                let before = tree.negative_log_likelihood(&labels);
                tree.round(&labels, 0.0);
                assert!(tree.negative_log_likelihood(&labels) <= before + 1e-12);
                assert!(tree.shares.iter().all(|l| (l.iter().sum::<f64>() - 1.0).abs() < 1e-12));
            }
        }
    }
}
