//! A crop as it would be had its nodule been marked a little beside its place, or measured otherwise: what a data set's margin allows.

use super::grid::{Margin, SIDE};

/// Where a crop is looked at from: its own place and size, or others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Displaced {
    /// Of the centre, in cells of the crop, (z, y, x).
    pub shift: [f64; 3],
    /// Of the box's sides, (z, y, x); above 1 the nodule looks smaller.
    pub scale: [f64; 3],
}

impl Default for Displaced {
    fn default() -> Self {
        Self { shift: [0.0; 3], scale: [1.0; 3] }
    }
}

/// Two neighbouring samples and the second's weight.
type Between = (usize, usize, f32);

impl Displaced {
    /// The crop, (z, y, x), from itself with its margin, trilinear; beyond the margin the border repeats. In its own place and size the
    /// crop comes out bit by bit.
    pub fn resample(&self, patch: &[f32], margin: Margin, out: &mut [f32]) {
        let [zs, ys, xs] = [0, 1, 2].map(|axis| self.axis(axis, margin));
        let [_, height, width] = margin.shape();
        let mix = |a: f32, b: f32, t: f32| if t == 0.0 { a } else { a + (b - a) * t };
        let row = |z: usize, y: usize| &patch[(z * height + y) * width..][..width];
        for (plane, &(z0, z1, tz)) in out.chunks_exact_mut(SIDE * SIDE).zip(&zs) {
            for (line, &(y0, y1, ty)) in plane.chunks_exact_mut(SIDE).zip(&ys) {
                let corners = [row(z0, y0), row(z0, y1), row(z1, y0), row(z1, y1)];
                for (value, &(x0, x1, tx)) in line.iter_mut().zip(&xs) {
                    let [a, b, c, d] = corners.map(|r| mix(r[x0], r[x1], tx));
                    *value = mix(mix(a, b, ty), mix(c, d, ty), tz);
                }
            }
        }
    }

    fn axis(&self, axis: usize, margin: Margin) -> Vec<Between> {
        let (middle, cells) = ((SIDE as f64 - 1.0) / 2.0, margin.cells()[axis] as f64);
        let last = (margin.shape()[axis] - 1) as f64;
        let at = |i: usize| middle + (i as f64 - middle) * self.scale[axis] + self.shift[axis] + cells;
        let between = |place: f64| {
            let place = place.clamp(0.0, last);
            let first = place.floor();
            (first as usize, (first + 1.0).min(last) as usize, (place - first) as f32)
        };
        (0..SIDE).map(|i| between(at(i))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::grid::VOXELS;

    /// A linear field over crop and margin, which trilinear sampling meets exactly.
    fn patch(margin: Margin) -> Vec<f32> {
        let [depth, height, width] = margin.shape();
        let at = |i: usize, axis: usize| i as f32 - margin.cells()[axis] as f32;
        (0..depth * height * width)
            .map(|i| {
                let (z, y, x) = (i / (height * width), i / width % height, i % width);
                field([at(z, 0), at(y, 1), at(x, 2)])
            })
            .collect()
    }

    fn field([z, y, x]: [f32; 3]) -> f32 {
        3.0 * z - 5.0 * y + 0.5 * x
    }

    #[test]
    fn its_own_place_is_itself() {
        let margin = Margin::new([0, 8, 8]).unwrap();
        let patch: Vec<f32> = patch(margin).iter().map(|v| (v * 7919.0).sin()).collect();
        let mut out = vec![0.0; VOXELS];
        Displaced::default().resample(&patch, margin, &mut out);
        for (i, line) in out.chunks_exact(SIDE).enumerate() {
            let start = margin.line(i / SIDE, i % SIDE);
            assert_eq!(line, &patch[start..start + SIDE]);
        }
    }

    #[test]
    fn shifts_and_scales_meet_a_linear_field_within_the_margin() {
        let margin = Margin::new([8; 3]).unwrap();
        let displaced = Displaced { shift: [1.25, -2.5, 3.0], scale: [1.1, 0.8, 1.2] };
        let mut out = vec![0.0; VOXELS];
        displaced.resample(&patch(margin), margin, &mut out);
        for (i, found) in out.iter().enumerate() {
            let at = [i / 1024, i / 32 % 32, i % 32];
            let place = [0, 1, 2].map(|a| 15.5 + (at[a] as f64 - 15.5) * displaced.scale[a] + displaced.shift[a]);
            let expected = field(place.map(|v| v as f32));
            assert!((found - expected).abs() < 1e-3, "sample {i}: {found} for {expected}");
        }
    }

    #[test]
    fn beyond_the_margin_the_border_repeats() {
        let margin = Margin::default();
        let mut out = vec![0.0; VOXELS];
        Displaced { shift: [100.0, 0.0, 0.0], ..Displaced::default() }.resample(&patch(margin), margin, &mut out);
        for (i, found) in out.iter().enumerate() {
            assert_eq!(*found, field([31.0, (i / 32 % 32) as f32, (i % 32) as f32]));
        }
    }
}
