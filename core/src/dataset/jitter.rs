//! Training as if users had marked the nodules by hand: centres a little off, diameters misjudged, other scanners' noise.

use crate::base::random::{Stream, key};
use crate::volume::displaced::Displaced;
use crate::volume::geometry::CropGeometry;

/// The furthest a centre moves along an axis in the plane, in diameters, and along z.
const IN_PLANE: f64 = 0.25;
const THROUGH_PLANE: f64 = 0.1;
/// The most by which a diameter is misjudged, up or down.
const DIAMETER: f64 = 1.2;
/// Standard deviations of a crop's offset and of each sample's noise, in HU.
const OFFSET_HU: f64 = 15.0;
const NOISE_HU: f64 = 20.0;

/// One draw; a pure function of (seed, epoch, nodule).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jitter {
    /// The diameter as misjudged, over the true one.
    pub diameter: f64,
    pub displaced: Displaced,
    offset_hu: f32,
    noise: u64,
}

impl Jitter {
    /// Of a nodule of this equivalent diameter, in crops of this geometry.
    pub fn draw(seed: u64, epoch: u64, nodule: u64, geometry: CropGeometry, diameter_mm: f64) -> Self {
        let mut random = Stream::new(key(&[seed, epoch, nodule]), 9);
        let most = DIAMETER.ln();
        let diameter = random.between(-most, most).exp();
        let [z, xy] = geometry.cells_a_diameter(diameter_mm);
        let shift = [
            random.between(-THROUGH_PLANE, THROUGH_PLANE) * z,
            random.between(-IN_PLANE, IN_PLANE) * xy,
            random.between(-IN_PLANE, IN_PLANE) * xy,
        ];
        // a box in diameters grows with the diameter that is taken for true, one in mm does not
        let [scale_z, scale_xy] = geometry.scales_with_diameter().map(|scales| if scales { diameter } else { 1.0 });
        let displaced = Displaced { shift, scale: [scale_z, scale_xy, scale_xy] };
        let offset_hu = (random.normal() * OFFSET_HU) as f32;
        Self { diameter, displaced, offset_hu, noise: random.bits() }
    }

    /// Adds the draw's offset and noise to a crop in HU.
    pub fn disturb(&self, hu: &mut [f32]) {
        let mut random = Stream::new(self.noise, 10);
        hu.iter_mut().for_each(|v| *v += self.offset_hu + (random.normal() * NOISE_HU) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::geometry::Extent;

    fn geometry(in_plane: Extent, through_plane: Extent) -> CropGeometry {
        CropGeometry { in_plane, through_plane }
    }

    #[test]
    fn draws_stay_within_their_bounds_and_are_pure() {
        // 2 diameters in the plane: 16 cells a diameter, 1 along z: 32
        let geometry = geometry(Extent::diameters(2.0).unwrap(), Extent::diameters(1.0).unwrap());
        let draws: Vec<Jitter> = (0..500).map(|n| Jitter::draw(2, 1, n, geometry, 8.0)).collect();
        assert_eq!(draws[7], Jitter::draw(2, 1, 7, geometry, 8.0));
        let furthest = |of: fn(&Jitter) -> f64| draws.iter().map(|d| of(d).abs()).fold(0.0, f64::max);
        assert!((3.8..=4.0).contains(&furthest(|d| d.displaced.shift[2])));
        assert!((3.0..=3.2).contains(&furthest(|d| d.displaced.shift[0])));
        assert!((1.19..=1.2).contains(&furthest(|d| d.diameter)));
        assert!(draws.iter().all(|d| d.displaced.scale == [d.diameter; 3] && d.diameter >= 1.0 / 1.2));
    }

    /// A box in mm moves by diameters all the same, and keeps its size.
    #[test]
    fn a_box_in_mm_keeps_its_size() {
        let geometry = geometry(Extent::mm(32.0).unwrap(), Extent::mm(32.0).unwrap());
        let jitter = Jitter::draw(2, 1, 3, geometry, 8.0);
        assert_eq!(jitter.displaced.scale, [1.0; 3]);
        assert!(jitter.displaced.shift[1].abs() <= 0.25 * 8.0);
    }

    #[test]
    fn offset_and_noise_have_their_deviations() {
        let geometry = CropGeometry::PUBLISHED;
        let mut all = vec![0.0f32; 32_768];
        Jitter::draw(2, 1, 3, geometry, 8.0).disturb(&mut all);
        let n = all.len() as f64;
        let mean = all.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let deviation = (all.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n).sqrt();
        assert!((deviation - 20.0).abs() < 0.5, "{deviation}");
        let offsets: Vec<f64> = (0..2000).map(|n| f64::from(Jitter::draw(2, 1, n, geometry, 8.0).offset_hu)).collect();
        let deviation = (offsets.iter().map(|v| v * v).sum::<f64>() / 2000.0).sqrt();
        assert!((deviation - 15.0).abs() < 1.0, "{deviation}");
    }
}
