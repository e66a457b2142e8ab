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
    /// The same by so many mm.
    ShiftMm(f64),
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
    /// All that is asked of every data set.
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

    /// What needs a wide margin, as whoever cuts crops of whole scans can have.
    pub const WIDE: [Self; 5] =
        [Self::ShiftMm(1.0), Self::ShiftMm(2.0), Self::ShiftMm(4.0), Self::Diameter(0.6), Self::Diameter(1.4)];

    /// What a data set can be asked: all, and of the wide ones those that its margin holds for every nodule.
    ///
    /// # Errors
    /// When a nodule has no diameter.
    pub fn of(data: &Dataset) -> Result<Vec<Self>> {
        let mut of = Self::ALL.to_vec();
        for wide in Self::WIDE {
            if wide.held(data)? {
                of.push(wide);
            }
        }
        Ok(of)
    }

    /// Whether no sample of a disturbed crop lies beyond the margin.
    fn held(self, data: &Dataset) -> Result<bool> {
        let (margin, half) = (data.header.margin.cells(), SIDE as f64 / 2.0);
        for row in 0..data.len() {
            for direction in self.directions() {
                let Displaced { shift, scale } = self.displaced(data, row, direction)?;
                if (0..3).any(|axis| shift[axis].abs() + half * scale[axis] > half + margin[axis] as f64) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// In words.
    pub fn words(self) -> String {
        match self {
            Self::None => "as it is".into(),
            Self::Shift(diameters) => format!("centre {diameters} diameters off"),
            Self::ShiftMm(mm) => format!("centre {mm} mm off"),
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

    /// The centre's displacements, in diameters or in mm (y, x).
    pub fn directions(self) -> Vec<[f64; 2]> {
        match self {
            Self::Shift(by) | Self::ShiftMm(by) => vec![[by, 0.0], [-by, 0.0], [0.0, by], [0.0, -by]],
            _ => vec![[0.0; 2]],
        }
    }

    /// A row's crop, disturbed, its centre displaced by `direction`.
    ///
    /// # Errors
    /// When the data set's slope and intercept lead out of the finite numbers.
    pub fn crop(self, data: &Dataset, row: usize, direction: [f64; 2]) -> Result<Crop> {
        let margin = data.header.margin;
        let displaced = self.displaced(data, row, direction)?;
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

    /// Where the disturbed crop's samples lie among the row's own.
    fn displaced(self, data: &Dataset, row: usize, [dy, dx]: [f64; 2]) -> Result<Displaced> {
        let geometry = data.header.crop;
        let diameter = data.rows[row].diameter()?;
        let [_, a_diameter] = geometry.cells_a_diameter(diameter);
        let cells = if let Self::ShiftMm(_) = self { a_diameter / diameter } else { a_diameter };
        let [scale_z, scale_xy] =
            geometry.scales_with_diameter().map(|scales| if scales { self.misjudged() } else { 1.0 });
        Ok(Displaced { shift: [0.0, dy * cells, dx * cells], scale: [scale_z, scale_xy, scale_xy] })
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
    use crate::dataset::crops::Voxels;
    use crate::dataset::header::DatasetHeader;
    use crate::dataset::table::Row;
    use crate::phantom::phantom;
    use crate::volume::grid::Margin;

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

    /// A data set with this margin, in cells (z, y, x), of one nodule of 8 mm; two diameters a side.
    fn with_margin(cells: [usize; 3]) -> Dataset {
        let plain = phantom(Thresholds::Inclusive, Some(1)).unwrap();
        let margin = Margin::new(cells).unwrap();
        let header = DatasetHeader { margin, ..plain.header };
        let rows = vec![Row { diameter_mm: Some(8.0), ..plain.rows[0].clone() }];
        Dataset::new(header, rows, Voxels::U8(vec![0; margin.voxels()]), 1.0, 0.0).unwrap()
    }

    /// 16 cells a diameter: 4 mm are 8 cells, and 40 % more of 16 cells to a side are 6.4.
    #[test]
    fn what_a_margin_holds_is_asked() {
        let wide = |cells| Disturbance::of(&with_margin(cells)).unwrap().split_off(Disturbance::ALL.len());
        let words = |cells| wide(cells).into_iter().map(Disturbance::words).collect::<Vec<_>>();
        assert_eq!(words([0, 0, 0]), ["diameter -40 %"]);
        assert_eq!(words([0, 7, 7]), ["centre 1 mm off", "centre 2 mm off", "diameter -40 %"]);
        assert_eq!(wide([7, 8, 8]), Disturbance::WIDE);
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
