//! How a model's answers move when a nodule is marked a little beside its place, measured otherwise, or scanned otherwise: what a user's
//! click and another scanner do to a crop. Only what the data set's margin holds is seen beyond the crop.

use serde::Serialize;

use crate::base::random::{Stream, key};
use crate::dataset::crops::Dataset;
use crate::error::Result;
use crate::volume::crop::{Crop, VOXELS};
use crate::volume::displaced::Displaced;
use crate::volume::grid::SIDE;

/// What is done to a crop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Disturbance {
    /// Nothing.
    None,
    /// The centre moves in the plane, by so many diameters, to each of the four sides.
    Shift(f64),
    /// The diameter is taken to be so many times the true one.
    Diameter(f64),
    /// Noise of this standard deviation, in HU.
    Noise(f64),
    /// An offset in HU.
    Offset(f64),
    /// Slices so many cells thick: means of neighbouring planes, linear between their middles.
    ThickSlices(usize),
}

impl Disturbance {
    /// All that a card shows.
    pub const ALL: [Self; 15] = [
        Self::None,
        Self::Shift(0.06),
        Self::Shift(0.12),
        Self::Shift(0.25),
        Self::Diameter(0.8),
        Self::Diameter(0.9),
        Self::Diameter(1.1),
        Self::Diameter(1.2),
        Self::Noise(20.0),
        Self::Noise(50.0),
        Self::Offset(-30.0),
        Self::Offset(30.0),
        Self::ThickSlices(4),
        Self::ThickSlices(8),
        Self::ThickSlices(16),
    ];

    /// In words.
    pub fn words(self) -> String {
        match self {
            Self::None => "as it is".into(),
            Self::Shift(diameters) => format!("centre {diameters} diameters off"),
            Self::Diameter(factor) => format!("diameter {:+.0} %", (factor - 1.0) * 100.0),
            Self::Noise(hu) => format!("noise of {hu} HU"),
            Self::Offset(hu) => format!("HU {hu:+}"),
            Self::ThickSlices(cells) => format!("slices of 1/{} of the crop", SIDE / cells),
        }
    }

    /// How many times the true diameter it is taken for.
    pub fn misjudged(self) -> f64 {
        if let Self::Diameter(factor) = self { factor } else { 1.0 }
    }

    /// The centre's displacements, in diameters (y, x).
    pub fn directions(self) -> Vec<[f64; 2]> {
        match self {
            Self::Shift(by) => vec![[by, 0.0], [-by, 0.0], [0.0, by], [0.0, -by]],
            _ => vec![[0.0; 2]],
        }
    }

    /// A row's crop, disturbed, its centre displaced by `direction`.
    ///
    /// # Errors
    /// When the data set's slope and intercept lead out of the finite numbers.
    pub fn crop(self, data: &Dataset, row: usize, [dy, dx]: [f64; 2]) -> Result<Crop> {
        let (margin, geometry) = (data.header.margin, data.header.crop);
        let [_, cells] = geometry.cells_a_diameter(data.rows[row].diameter()?);
        let [scale_z, scale_xy] =
            geometry.scales_with_diameter().map(|scales| if scales { self.misjudged() } else { 1.0 });
        let displaced = Displaced { shift: [0.0, dy * cells, dx * cells], scale: [scale_z, scale_xy, scale_xy] };
        let mut patch = vec![0.0; margin.voxels()];
        data.write_with_margin(row, &mut patch);
        let mut hu = vec![0.0; VOXELS];
        displaced.resample(&patch, margin, &mut hu);
        match self {
            Self::Noise(deviation) => {
                let mut random = Stream::new(key(&[row as u64]), 11);
                hu.iter_mut().for_each(|v| *v += (random.normal() * deviation) as f32);
            }
            Self::Offset(offset) => hu.iter_mut().for_each(|v| *v += offset as f32),
            Self::ThickSlices(cells) => hu = thick(&hu, cells),
            _ => {}
        }
        Crop::new(hu, &format!("crop {row}"))
    }
}

/// Planes replaced by means over blocks of `cells` planes, linear between the blocks' middles, constant beyond the outer ones.
fn thick(hu: &[f32], cells: usize) -> Vec<f32> {
    let plane = SIDE * SIDE;
    let blocks: Vec<Vec<f32>> = hu
        .chunks_exact(plane * cells)
        .map(|block| {
            let mut mean = vec![0.0; plane];
            block.chunks_exact(plane).for_each(|p| mean.iter_mut().zip(p).for_each(|(m, v)| *m += v / cells as f32));
            mean
        })
        .collect();
    let last = blocks.len() - 1;
    (0..SIDE)
        .flat_map(|z| {
            let place = ((z as f32 + 0.5) / cells as f32 - 0.5).clamp(0.0, last as f32);
            let (first, t) = (place as usize, place.fract());
            let (a, b) = (&blocks[first], &blocks[(first + 1).min(last)]);
            (0..plane).map(move |i| a[i] + (b[i] - a[i]) * t)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::class::Thresholds;
    use crate::phantom::phantom;

    #[test]
    fn nothing_changes_nothing() {
        let data = phantom(Thresholds::Inclusive, Some(3)).unwrap();
        for row in 0..3 {
            assert_eq!(Disturbance::None.crop(&data, row, [0.0; 2]).unwrap().hu(), data.crop(row).unwrap().hu());
        }
    }

    /// Two diameters a side: a quarter of a diameter is four cells; the border repeats without a margin.
    #[test]
    fn a_shift_moves_by_cells() {
        let data = phantom(Thresholds::Inclusive, Some(1)).unwrap();
        let (plain, moved) = (data.crop(0).unwrap(), Disturbance::Shift(0.25).crop(&data, 0, [0.0, 0.25]).unwrap());
        for (line, shifted) in plain.hu().chunks(SIDE).zip(moved.hu().chunks(SIDE)) {
            (0..SIDE).for_each(|x| assert!((shifted[x] - line[(x + 4).min(SIDE - 1)]).abs() < 1e-3));
        }
    }

    #[test]
    fn thick_slices_keep_a_linear_field_and_blur_a_plane() {
        let field = |f: fn(usize) -> f32| (0..SIDE).flat_map(|z| vec![f(z); SIDE * SIDE]).collect::<Vec<f32>>();
        let slope = thick(&field(|z| z as f32), 4);
        (2..30).for_each(|z| assert!((slope[z * SIDE * SIDE] - z as f32).abs() < 1e-4, "{z}"));
        let one = thick(&field(|z| if z == 16 { 8.0 } else { 0.0 }), 8);
        assert!(one.iter().fold(0.0f32, |a, b| a.max(*b)) <= 1.0);
    }

    #[test]
    fn words_say_what_is_done() {
        let words: Vec<String> = Disturbance::ALL.iter().map(|d| d.words()).collect();
        assert_eq!(words[1], "centre 0.06 diameters off");
        assert_eq!(words[4], "diameter -20 %");
        assert_eq!(words[13], "slices of 1/4 of the crop");
    }
}
