//! A forest of soft decision trees: each split sends a share to the left, each leaf holds a distribution over the classes.

use super::numerics::sigmoid;
use crate::error::{Error, Result};

/// How far a leaf's probabilities may be from summing to 1.
const LEAF_TOLERANCE: f64 = 1e-3;
/// Probabilities below are taken for this one, so that their logarithms are finite.
pub const LEAST_SHARE: f64 = 1e-30;

/// Trees over the outputs of a linear layer. Output `splits[n][s]` decides split `s` (breadth-first) of tree n: d = sigmoid(u) goes
/// left.
#[derive(Clone, Debug, PartialEq)]
pub struct Forest {
    /// `[trees][2^depth - 1]`
    splits: Vec<Vec<usize>>,
    /// `[trees][2^depth][C]`
    leaves: Vec<Vec<Vec<f64>>>,
}

impl Forest {
    /// From `head.splits` and `head.leaves` of a model with `units` outputs; `file` names it in errors.
    ///
    /// # Errors
    /// When the shapes aren't those of full trees, an index is out of range or used twice in a tree, or a leaf is no distribution.
    pub fn new(splits: Vec<Vec<usize>>, leaves: Vec<Vec<Vec<f64>>>, units: usize, file: &str) -> Result<Self> {
        let bad = |what: &str, value: String, expected: String| {
            Err(Error::OutOfRange { what: format!("{file}: {what}"), value, expected })
        };
        let classes = leaves.first().and_then(|t| t.first()).map_or(0, Vec::len);
        if splits.is_empty() || splits.len() != leaves.len() || classes < 2 {
            let found = format!("{} and {} of {classes} classes", splits.len(), leaves.len());
            return bad(
                "trees of `head.splits` and `head.leaves`",
                found,
                "as many of both, two classes or more".into(),
            );
        }
        for (n, (tree, leaves)) in splits.iter().zip(&leaves).enumerate() {
            if !(tree.len() + 1).is_power_of_two() || leaves.len() != tree.len() + 1 || tree.is_empty() {
                let found = format!("{} splits and {} leaves", tree.len(), leaves.len());
                return bad(&format!("tree {n}"), found, "2^depth - 1 splits and 2^depth leaves".into());
            }
            let mut seen = vec![false; units];
            for &unit in tree {
                match seen.get_mut(unit) {
                    Some(seen) if !*seen => *seen = true,
                    _ => {
                        let expected = format!("an index below {units}, once a tree");
                        return bad(&format!("`head.splits` of tree {n}"), unit.to_string(), expected);
                    }
                }
            }
            for (l, leaf) in leaves.iter().enumerate() {
                let sum: f64 = leaf.iter().sum();
                let share = |q: &f64| (0.0..=1.0 + LEAF_TOLERANCE).contains(q);
                if leaf.len() != classes || !leaf.iter().all(share) || (sum - 1.0).abs() > LEAF_TOLERANCE {
                    let expected = "shares of the classes that sum to 1".into();
                    return bad(&format!("`head.leaves`, leaf {l} of tree {n}"), format!("{leaf:?}"), expected);
                }
            }
        }
        Ok(Self { splits, leaves })
    }

    /// Classes C.
    pub fn classes(&self) -> usize {
        self.leaves[0][0].len()
    }

    /// The splits' outputs by tree.
    pub fn splits(&self) -> &[Vec<usize>] {
        &self.splits
    }

    /// The leaves' distributions by tree.
    pub fn leaves(&self) -> &[Vec<Vec<f64>>] {
        &self.leaves
    }

    /// g_c: the mean over the trees of sum_l omega_l q_lc.
    fn mixture(&self, u: &[f64]) -> Vec<f64> {
        let mut g = vec![0.0; self.classes()];
        for (tree, leaves) in self.splits.iter().zip(&self.leaves) {
            let activations: Vec<f64> = tree.iter().map(|&s| u[s]).collect();
            for (omega, leaf) in route(&activations).iter().zip(leaves) {
                g.iter_mut().zip(leaf).for_each(|(g, q)| *g += omega * q / self.splits.len() as f64);
            }
        }
        g
    }

    pub(super) fn log_probabilities(&self, u: &[f64]) -> Vec<f64> {
        let g = self.mixture(u);
        let sum: f64 = g.iter().sum();
        g.iter().map(|g| (g / sum).max(LEAST_SHARE).ln()).collect()
    }

    /// d log g_c / d u.
    pub(super) fn derivative(&self, u: &[f64], class: usize) -> Vec<f64> {
        let g = self.mixture(u)[class].max(LEAST_SHARE) * self.splits.len() as f64;
        let mut out = vec![0.0; u.len()];
        for (tree, leaves) in self.splits.iter().zip(&self.leaves) {
            let activations: Vec<f64> = tree.iter().map(|&s| u[s]).collect();
            for (l, (omega, leaf)) in route(&activations).iter().zip(leaves).enumerate() {
                // up from the leaf: node k's children are 2k + 1, to the left, and 2k + 2
                let mut node = l + tree.len();
                while node > 0 {
                    let parent = (node - 1) / 2;
                    let left = sigmoid(activations[parent]);
                    let slope = if node % 2 == 1 { 1.0 - left } else { -left };
                    out[tree[parent]] += omega * leaf[class] * slope / g;
                    node = parent;
                }
            }
        }
        out
    }
}

/// The share omega of each leaf of one tree, from the activations of its splits, breadth-first.
pub fn route(activations: &[f64]) -> Vec<f64> {
    let mut level = vec![1.0];
    let mut next = activations.iter();
    while level.len() <= activations.len() {
        let splits = next.by_ref().take(level.len());
        level = level
            .iter()
            .zip(splits)
            .flat_map(|(share, u)| {
                let left = sigmoid(*u);
                [share * left, share * (1.0 - left)]
            })
            .collect();
    }
    level
}
