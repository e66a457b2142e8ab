//! A cube of 32 x 32 x 32 numbers with Gaussian blur, and smooth random fields.

use crate::base::random::Stream;
use crate::volume::crop::{SIDE, VOXELS};

/// What lies beyond the border of a blurred axis.
#[derive(Clone, Copy)]
pub enum Border {
    Nearest,
    Periodic,
}

/// A cube of numbers, (z, y, x).
#[derive(Clone)]
pub struct Grid(Vec<f32>);

impl Grid {
    /// A cube from a function of the position in units of the nodule's radius R = 8 voxels, 0 at the centre.
    pub fn from_position(mut value: impl FnMut([f64; 3]) -> f64) -> Self {
        let at = |i: usize| (i as f64 + 0.5 - SIDE as f64 / 2.0) / 8.0;
        let mut out = Vec::with_capacity(VOXELS);
        for z in 0..SIDE {
            for y in 0..SIDE {
                out.extend((0..SIDE).map(|x| value([at(z), at(y), at(x)]) as f32));
            }
        }
        Self(out)
    }

    pub fn from_values(values: Vec<f32>) -> Self {
        Self(values)
    }

    pub fn values(&self) -> &[f32] {
        &self.0
    }

    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }

    pub fn map(mut self, f: impl Fn(f32) -> f32) -> Self {
        self.0.iter_mut().for_each(|v| *v = f(*v));
        self
    }

    /// hu += (target - hu) * weight.
    pub fn mix(&mut self, target: &Self, weight: &Self) {
        for ((v, t), w) in self.0.iter_mut().zip(&target.0).zip(&weight.0) {
            *v += (t - *v) * w;
        }
    }

    pub fn add_scaled(&mut self, other: &Self, scale: f32) {
        self.0.iter_mut().zip(&other.0).for_each(|(v, o)| *v += o * scale);
    }

    /// Separable Gaussian of `sigma` voxels an axis (z, y, x), truncated at 4 sigma.
    pub fn blur(mut self, sigma: [f64; 3], border: Border) -> Self {
        for (axis, s) in sigma.into_iter().enumerate() {
            if s > 0.0 {
                self.blur_axis(axis, &blur_matrix(s, border));
            }
        }
        self
    }

    fn blur_axis(&mut self, axis: usize, matrix: &[[f32; SIDE]; SIDE]) {
        const PLANE: usize = SIDE * SIDE;
        if axis == 2 {
            // transposed weights: the inner loop runs over outputs and vectorises
            for line in self.0.chunks_exact_mut(SIDE) {
                let mut out = [0.0f32; SIDE];
                for (i, &v) in line.iter().enumerate() {
                    for (o, row) in out.iter_mut().zip(matrix) {
                        *o += row[i] * v;
                    }
                }
                line.copy_from_slice(&out);
            }
            return;
        }
        let (block, stride) = if axis == 0 { (VOXELS, PLANE) } else { (PLANE, SIDE) };
        let mut out = vec![0.0f32; block];
        for part in self.0.chunks_exact_mut(block) {
            out.fill(0.0);
            for (target, row) in out.chunks_exact_mut(stride).zip(matrix) {
                for (source, &w) in part.chunks_exact(stride).zip(row) {
                    if w != 0.0 {
                        target.iter_mut().zip(source).for_each(|(t, s)| *t += w * s);
                    }
                }
            }
            part.copy_from_slice(&out);
        }
    }
}

/// The blur of one axis as a matrix, what falls beyond the border folded back in.
fn blur_matrix(sigma: f64, border: Border) -> [[f32; SIDE]; SIDE] {
    let radius = (4.0 * sigma + 0.5) as isize;
    let weight = |k: isize| (-0.5 * (k as f64 / sigma).powi(2)).exp();
    let total: f64 = (-radius..=radius).map(weight).sum();
    let mut matrix = [[0.0f64; SIDE]; SIDE];
    let n = SIDE as isize;
    for i in 0..n {
        for k in -radius..=radius {
            let j = match border {
                Border::Nearest => (i + k).clamp(0, n - 1),
                Border::Periodic => (i + k).rem_euclid(n),
            };
            matrix[i as usize][j as usize] += weight(k) / total;
        }
    }
    matrix.map(|row| row.map(|v| v as f32))
}

/// White noise of the stream, blurred with periodic borders, then centred and scaled to sd 1.
pub fn field(key: u64, stream: u64, sigma: f64) -> Grid {
    let mut random = Stream::new(key, stream);
    let white = (0..VOXELS).map(|_| (random.uniform() - 0.5) as f32).collect();
    standardise(Grid(white).blur([sigma; 3], Border::Periodic))
}

/// The same in one plane of 32 x 32.
pub fn plane_field(key: u64, stream: u64, sigma: f64) -> Vec<f32> {
    let mut random = Stream::new(key, stream);
    let mut plane: Vec<f32> = (0..SIDE * SIDE).map(|_| (random.uniform() - 0.5) as f32).collect();
    let matrix = blur_matrix(sigma, Border::Periodic);
    for _ in 0..2 {
        // blur the rows, transpose, twice: both axes
        let mut next = vec![0.0; SIDE * SIDE];
        for (y, line) in plane.chunks_exact(SIDE).enumerate() {
            for (x, row) in matrix.iter().enumerate() {
                next[x * SIDE + y] = row.iter().zip(line).map(|(w, v)| w * v).sum();
            }
        }
        plane = next;
    }
    standardise(Grid(plane)).0
}

fn standardise(mut grid: Grid) -> Grid {
    let n = grid.0.len() as f64;
    let mean = grid.0.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let sd = (grid.0.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n).sqrt().max(1e-12);
    grid.0.iter_mut().for_each(|v| *v = ((f64::from(*v) - mean) / sd) as f32);
    grid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blur_keeps_a_constant_and_spreads_a_point() {
        let flat = Grid(vec![3.0; VOXELS]).blur([2.0, 9.0, 0.5], Border::Nearest);
        assert!(flat.0.iter().all(|v| (v - 3.0).abs() < 1e-4));
        let mut point = vec![0.0; VOXELS];
        point[(16 * SIDE + 16) * SIDE + 16] = 1.0;
        let blurred = Grid(point).blur([1.0; 3], Border::Periodic);
        let peak = (1.0f64 / (-4..=4).map(|k| (-0.5 * f64::from(k * k)).exp()).sum::<f64>()).powi(3) as f32;
        assert!((blurred.0[(16 * SIDE + 16) * SIDE + 16] - peak).abs() < 1e-6);
        assert!((blurred.0.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        let step = |d: [usize; 3]| blurred.0[((16 + d[0]) * SIDE + 16 + d[1]) * SIDE + 16 + d[2]];
        assert!((step([1, 0, 0]) - step([0, 0, 1])).abs() < 1e-7 && (step([1, 0, 0]) - step([0, 1, 0])).abs() < 1e-7);
    }
}
