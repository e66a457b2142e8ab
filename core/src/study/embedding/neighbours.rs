//! How well classes keep together in a space: the numbers that belong beside its picture.

use rayon::prelude::*;

use super::affinities::squared_distance;
use crate::base::decision::argmax;

/// The share of points whose `k` nearest others (without itself) vote for its class; ties of votes go to the lower class, of
/// distances to the earlier point.
pub fn leave_one_out(points: &[Vec<f64>], class: &[usize], k: usize) -> f64 {
    let classes = class.iter().max().map_or(0, |c| c + 1);
    let right = |i: usize| {
        let mut others: Vec<(f64, usize)> =
            (0..points.len()).filter(|j| *j != i).map(|j| (squared_distance(&points[i], &points[j]), j)).collect();
        others.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut votes = vec![0.0; classes];
        others.iter().take(k).for_each(|(_, j)| votes[class[*j]] += 1.0);
        argmax(&votes) == class[i]
    };
    let hits = (0..points.len()).into_par_iter().filter(|&i| right(i)).count();
    hits as f64 / points.len().max(1) as f64
}

/// The mean over the points of (b - a) / max(a, b): a the mean distance to the own class, b to the nearest other one
/// (Rousseeuw, 1987); 0 for a point alone in its class. `None` with one class.
pub fn silhouette(points: &[Vec<f64>], class: &[usize]) -> Option<f64> {
    let classes = class.iter().max().map_or(0, |c| c + 1);
    let mut sizes = vec![0usize; classes];
    class.iter().for_each(|c| sizes[*c] += 1);
    let one = |i: usize| {
        let mut sums = vec![0.0; classes];
        points.iter().zip(class).for_each(|(p, c)| sums[*c] += squared_distance(&points[i], p).sqrt());
        let own = class[i];
        let others = (0..classes).filter(|c| *c != own && sizes[*c] > 0).map(|c| sums[c] / sizes[c] as f64);
        let (a, b) = (sums[own] / (sizes[own].max(2) - 1) as f64, others.fold(f64::INFINITY, f64::min));
        if sizes[own] == 1 || a.max(b) == 0.0 { 0.0 } else { (b - a) / a.max(b) }
    };
    if sizes.iter().filter(|s| **s > 0).count() < 2 {
        return None;
    }
    let each: Vec<f64> = (0..points.len()).into_par_iter().map(one).collect();
    Some(each.iter().sum::<f64>() / points.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::tests::{golden, near, number, numbers};

    #[test]
    fn agree_with_scikit_learn() {
        let golden = golden();
        let case = &golden["embedding"];
        let points: Vec<Vec<f64>> = case["standardised"].as_array().unwrap().iter().map(numbers).collect();
        let label: Vec<usize> = numbers(&case["label"]).iter().map(|v| *v as usize).collect();
        near(leave_one_out(&points, &label, 10), number(&case["nearest"]), 1e-12);
        near(silhouette(&points, &label).unwrap(), number(&case["silhouette"]), 1e-12);
    }

    #[test]
    fn edges() {
        let line = [0.0, 1.0, 5.0].map(|v| vec![v]);
        assert_eq!(silhouette(&line, &[1, 1, 1]), None);
        // the last is alone in its class: (5 - 1) / 5 and (4 - 1) / 4 of the others
        near(silhouette(&line, &[0, 0, 1]).unwrap(), (0.8 + 0.75) / 3.0, 1e-12);
        assert_eq!(leave_one_out(&line, &[0, 0, 1], 1), 2.0 / 3.0);
        assert_eq!(leave_one_out(&[], &[], 1), 0.0);
    }
}
