//! Which annotations of a scan describe the same nodule: single linkage on contour distance in mm.

use std::collections::HashSet;

use super::annotations::{Annotation, Scan};

/// Slack of the tolerance comparison in mm: z values such as -122.544998 make an exact gap come out as 2.5000000000000142.
const SLACK_MM: f64 = 1e-6;
/// The tolerance never falls below this, in mm.
const FLOOR_MM: f64 = 0.1;
/// A nodule has at most this many readers; a larger component makes the tolerance shrink.
const MAX_READERS: usize = 4;

/// Groups the annotations of a scan into nodules: indices into `scan.annotations`, each group ascending.
///
/// Annotations connect when their contours come within the nominal slice thickness; while a component has more than four
/// members the tolerance shrinks by a tenth, down to 0.1 mm.
pub fn cluster(scan: &Scan) -> Vec<Vec<usize>> {
    let clouds: Vec<Cloud> = scan.annotations.iter().map(|a| Cloud::new(a, scan.pixel_spacing)).collect();
    let n = clouds.len();
    let mut distance = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in i + 1..n {
            let d = clouds[i].distance(&clouds[j], scan.slice_thickness + 1.0);
            distance[i][j] = d;
            distance[j][i] = d;
        }
    }
    shrink_to_readers(&distance, scan.slice_thickness)
}

fn shrink_to_readers(distance: &[Vec<f64>], tolerance_mm: f64) -> Vec<Vec<usize>> {
    let mut tolerance = tolerance_mm;
    let mut groups = components(distance, tolerance);
    while groups.iter().any(|g| g.len() > MAX_READERS) {
        tolerance *= 0.9;
        if tolerance < FLOOR_MM {
            break;
        }
        groups = components(distance, tolerance);
    }
    groups
}

/// Connected components of the graph "distance within tolerance", ordered by their first member.
fn components(distance: &[Vec<f64>], tolerance: f64) -> Vec<Vec<usize>> {
    let mut seen = vec![false; distance.len()];
    let mut groups = Vec::new();
    for start in 0..distance.len() {
        if seen[start] {
            continue;
        }
        seen[start] = true;
        let (mut group, mut open) = (Vec::new(), vec![start]);
        while let Some(k) = open.pop() {
            group.push(k);
            for j in 0..distance.len() {
                if !seen[j] && distance[k][j] <= tolerance + SLACK_MM {
                    seen[j] = true;
                    open.push(j);
                }
            }
        }
        group.sort_unstable();
        groups.push(group);
    }
    groups
}

/// The contour points of one annotation in mm, with their bounding box.
struct Cloud {
    points: Vec<[f64; 3]>,
    /// The same points as exact keys: pixels, and z in micrometres.
    keys: HashSet<(i32, i32, i64)>,
    low: [f64; 3],
    high: [f64; 3],
}

impl Cloud {
    fn new(annotation: &Annotation, pixel: f64) -> Self {
        let contours = || annotation.contours.iter().flat_map(|c| c.points.iter().map(move |&(x, y)| (x, y, c.z)));
        let points: Vec<[f64; 3]> =
            contours().map(|(x, y, z)| [f64::from(x) * pixel, f64::from(y) * pixel, z]).collect();
        let keys = contours().map(|(x, y, z)| (x, y, (z * 1e3).round() as i64)).collect();
        let fold = |start: f64, pick: fn(f64, f64) -> f64| {
            points.iter().fold([start; 3], |a, p| [pick(a[0], p[0]), pick(a[1], p[1]), pick(a[2], p[2])])
        };
        let (low, high) = (fold(f64::INFINITY, f64::min), fold(f64::NEG_INFINITY, f64::max));
        Self { points, keys, low, high }
    }

    /// The smallest distance of two points, where it lies between the floor of the tolerance and `far`; outside of that, a number
    /// on the same side.
    fn distance(&self, other: &Self, far: f64) -> f64 {
        let gap = |i: usize| (self.low[i].max(other.low[i]) - self.high[i].min(other.high[i])).max(0.0);
        let boxes = (0..3).map(|i| gap(i).powi(2)).sum::<f64>().sqrt();
        if boxes > far {
            return boxes;
        }
        // readers of one nodule nearly always share a point
        if !self.keys.is_disjoint(&other.keys) {
            return 0.0;
        }
        let (mine, others) = (self.near(other, far), other.near(self, far));
        let mut best = f64::INFINITY;
        for a in &mine {
            for b in &others {
                let d = (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2) + (a[2] - b[2]).powi(2);
                best = best.min(d);
            }
        }
        best.sqrt()
    }

    /// The points within `far` of the other's box.
    fn near(&self, other: &Self, far: f64) -> Vec<[f64; 3]> {
        let within = |p: &&[f64; 3]| (0..3).all(|i| p[i] >= other.low[i] - far && p[i] <= other.high[i] + far);
        self.points.iter().filter(within).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference values: minima d(a,b) = .8, d(b,c) = 1.1, d(a,c) = 3: one nodule at 1.25 mm, two at 1.0 mm.
    #[test]
    fn single_linkage_golden() {
        let d = vec![vec![0.0, 0.8, 3.0], vec![0.8, 0.0, 1.1], vec![3.0, 1.1, 0.0]];
        assert_eq!(shrink_to_readers(&d, 1.25), vec![vec![0, 1, 2]]);
        assert_eq!(shrink_to_readers(&d, 1.0), vec![vec![0, 1], vec![2]]);
    }

    #[test]
    fn five_readers_shrink_the_tolerance() {
        let d: Vec<Vec<f64>> =
            (0..5).map(|i: i32| (0..5).map(|j: i32| if (i < 3) == (j < 3) { 0.1 } else { 0.9 }).collect()).collect();
        assert_eq!(shrink_to_readers(&d, 1.0), vec![vec![0, 1, 2], vec![3, 4]]);
    }
}
