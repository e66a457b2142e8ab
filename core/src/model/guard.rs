//! Crops that are no lung nodule: a rule on two numbers, the HU at the middle and the share of tissue around, with limits from the nodules
//! that the model was trained on.
//!
//! A nodule is tissue with lung around it. Air, in the lung or outside the body, has no tissue at the middle; muscle, bone and fat have no
//! lung around. The rule says nothing of what else may be wrong.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check_share};
use crate::volume::crop::Crop;
use crate::volume::geometry::CropGeometry;
use crate::volume::grid::SIDE;

/// Nearer than so many radii to the centre is the middle; farther than so many is around.
const MIDDLE: f64 = 0.6;
const AROUND: f64 = 1.4;
/// What counts as tissue, in HU.
const TISSUE_HU: f32 = -200.0;
/// What a mean of HU can be: from air to metal.
const MIDDLE_HU: std::ops::RangeInclusive<f64> = -1024.0..=3071.0;
/// The share of the training nodules with less HU at the middle than the limit.
const BEYOND_MIDDLE: f64 = 0.005;
/// The share with more tissue around than the limit, of nodules below and from [`LARGE_MM`]: large ones lie against the chest wall or the
/// mediastinum more often, and there are few to take a limit from.
const BEYOND_AROUND: [f64; 2] = [0.015, 0.035];
/// Equivalent diameter in mm.
const LARGE_MM: f64 = 15.0;

/// The limits, as `config.json` holds them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// The mean HU of the middle must be above this.
    pub middle_hu: f64,
    /// The share of samples around above -200 HU must be below this.
    pub tissue_around: f64,
    /// The same of nodules of 15 mm and more, where there were such nodules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tissue_around_large: Option<f64>,
    /// The share of held-out nodules that limits of the others would have flagged.
    pub false_alarms: f64,
    /// Nodules that the limits come from.
    pub nodules: usize,
}

/// Why a crop is none that the model can answer for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutOfPlace {
    NoTissue,
    NoLung,
}

impl OutOfPlace {
    /// All reasons.
    pub const ALL: [Self; 2] = [Self::NoTissue, Self::NoLung];

    /// In a plain sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoTissue => "There is hardly any tissue at the middle: this looks like air, not like a nodule.",
            Self::NoLung => {
                "There is hardly any lung around: this looks like tissue outside the lungs, not like a nodule."
            }
        }
    }
}

/// The two numbers of a crop, and whether they are those of a large nodule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Surroundings {
    middle_hu: f64,
    tissue_around: f64,
    large: bool,
}

impl Surroundings {
    /// Of a crop of this geometry around a nodule of this equivalent diameter, which crops in diameters don't need; `None` where the crop
    /// holds no samples of the one or the other.
    pub fn of(crop: &Crop, geometry: CropGeometry, diameter_mm: Option<f64>) -> Option<Self> {
        let scales = geometry.scales_with_diameter().iter().all(|scales| *scales);
        let diameter = diameter_mm.or(scales.then_some(1.0))?;
        let [cells_z, cells_xy] = geometry.cells_a_diameter(diameter);
        let radii = |i: usize, cells: f64| (2.0 * (i as f64 - (SIDE as f64 - 1.0) / 2.0) / cells).powi(2);
        let (mut sum, mut middle, mut tissue, mut around) = (0.0, 0u32, 0u32, 0u32);
        for (i, &hu) in crop.hu().iter().enumerate() {
            let (z, y, x) = (i / (SIDE * SIDE), i / SIDE % SIDE, i % SIDE);
            let squared = radii(z, cells_z) + radii(y, cells_xy) + radii(x, cells_xy);
            if squared < MIDDLE * MIDDLE {
                (sum, middle) = (sum + f64::from(hu), middle + 1);
            } else if squared > AROUND * AROUND {
                (tissue, around) = (tissue + u32::from(hu > TISSUE_HU), around + 1);
            }
        }
        let known = middle > 0 && around > 0;
        known.then(|| Self {
            middle_hu: sum / f64::from(middle),
            tissue_around: f64::from(tissue) / f64::from(around.max(1)),
            large: diameter_mm.is_some_and(|d| d >= LARGE_MM),
        })
    }
}

impl Guard {
    /// The limits of nodules, each with the fold that it would be held out in; `None` without any.
    pub fn fit(nodules: &[(Surroundings, usize)]) -> Option<Self> {
        let limits = Self::limits(nodules.iter().map(|n| n.0))?;
        let folds = nodules.iter().map(|n| n.1 + 1).max().unwrap_or(0);
        let flagged: usize = (0..folds)
            .filter_map(|fold| {
                let others = Self::limits(nodules.iter().filter(|n| n.1 != fold).map(|n| n.0))?;
                let held_out = nodules.iter().filter(|n| n.1 == fold);
                Some(held_out.filter(|n| others.judge(n.0).is_some()).count())
            })
            .sum();
        Some(Self { false_alarms: flagged as f64 / nodules.len() as f64, ..limits })
    }

    fn limits(nodules: impl Iterator<Item = Surroundings>) -> Option<Self> {
        let nodules: Vec<Surroundings> = nodules.collect();
        let quantile = |values: &mut dyn Iterator<Item = f64>, share: f64| {
            let mut sorted: Vec<f64> = values.collect();
            sorted.sort_by(f64::total_cmp);
            sorted.get((share * (sorted.len() as f64 - 1.0)).round() as usize).copied()
        };
        let around = |large: bool| {
            let of_size = &mut nodules.iter().filter(|n| n.large == large).map(|n| n.tissue_around);
            quantile(of_size, 1.0 - BEYOND_AROUND[usize::from(large)])
        };
        let (small, large) = (around(false), around(true));
        Some(Self {
            middle_hu: quantile(&mut nodules.iter().map(|n| n.middle_hu), BEYOND_MIDDLE)?,
            tissue_around: small.or(large)?,
            tissue_around_large: large,
            false_alarms: 0.0,
            nodules: nodules.len(),
        })
    }

    /// That its limits can be those of nodules.
    ///
    /// # Errors
    /// The first that can't.
    pub fn check(&self) -> Result<()> {
        if !MIDDLE_HU.contains(&self.middle_hu) {
            let expected = format!("HU, from {:.0} to {:.0}", MIDDLE_HU.start(), MIDDLE_HU.end());
            return Err(Error::OutOfRange {
                what: "guard.middle_hu".into(),
                value: self.middle_hu.to_string(),
                expected,
            });
        }
        check_share("guard.tissue_around", self.tissue_around)?;
        check_share("guard.tissue_around_large", self.tissue_around_large.unwrap_or(0.0))?;
        check_share("guard.false_alarms", self.false_alarms)
    }

    /// What is wrong with these surroundings, if anything.
    pub fn judge(&self, of: Surroundings) -> Option<OutOfPlace> {
        if of.middle_hu < self.middle_hu {
            Some(OutOfPlace::NoTissue)
        } else if of.tissue_around > self.tissue_around_large.filter(|_| of.large).unwrap_or(self.tissue_around) {
            Some(OutOfPlace::NoLung)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::grid::VOXELS;

    /// A ball of tissue of one nodule's size in lung, or all of one HU.
    fn crop(of: impl Fn(f64) -> f32) -> Crop {
        let hu = (0..VOXELS).map(|i| {
            let at = |i: usize| (i as f64 - 15.5) / 8.0;
            let (z, y, x) = (at(i / 1024), at(i / 32 % 32), at(i % 32));
            of((z * z + y * y + x * x).sqrt())
        });
        Crop::new(hu.collect(), "crop").unwrap()
    }

    fn surroundings(crop: &Crop) -> Surroundings {
        Surroundings::of(crop, CropGeometry::PUBLISHED, None).unwrap()
    }

    /// Large nodules have more tissue around: they have a limit of their own, and small ones keep theirs.
    #[test]
    fn large_nodules_have_their_own_limit() {
        // lung above a plane of tissue, which comes nearer
        let beside = |wall: f64, mm: f64| {
            let at = |i: usize| (i as f64 - 15.5) / 8.0;
            let hu = (0..VOXELS).map(|i| {
                let [z, y, x] = [at(i / 1024), at(i / 32 % 32), at(i % 32)];
                if z * z + y * y + x * x < 1.0 || y > wall { 40.0 } else { -850.0 }
            });
            Surroundings::of(&Crop::new(hu.collect(), "crop").unwrap(), CropGeometry::PUBLISHED, Some(mm)).unwrap()
        };
        let small = (0..200).map(|n| (beside(1.5 - 0.002 * f64::from(n), 6.0), n as usize % 5));
        let large = (0..60).map(|n| (beside(0.7 - 0.004 * f64::from(n), 20.0), n as usize % 5));
        let guard = Guard::fit(&small.chain(large).collect::<Vec<_>>()).unwrap();
        assert!(guard.tissue_around_large.unwrap() > guard.tissue_around, "{guard:?}");
        assert_eq!(guard.judge(beside(0.6, 20.0)), None);
        assert_eq!(guard.judge(beside(0.6, 6.0)), Some(OutOfPlace::NoLung));
        assert_eq!(guard.judge(beside(-2.0, 20.0)), Some(OutOfPlace::NoLung));
        // a model that was made before has one limit
        let one = Guard { tissue_around_large: None, ..guard };
        assert_eq!(one.judge(beside(0.6, 20.0)), Some(OutOfPlace::NoLung));
    }

    #[test]
    fn a_ball_in_lung_is_a_nodule_and_air_muscle_and_bone_are_none() {
        let ball = |tissue: f32, lung: f32| surroundings(&crop(|r| if r < 1.0 { tissue } else { lung }));
        let nodules: Vec<_> = (0..200).map(|n| (ball(-600.0 + 3.0 * n as f32, -850.0), n % 5)).collect();
        let guard = Guard::fit(&nodules).unwrap();
        assert!(guard.false_alarms <= 0.05 && guard.nodules == 200);
        let of = |hu: f32| guard.judge(surroundings(&crop(|_| hu)));
        assert_eq!(of(-1000.0), Some(OutOfPlace::NoTissue));
        assert_eq!(of(-850.0), Some(OutOfPlace::NoTissue));
        assert_eq!(of(50.0), Some(OutOfPlace::NoLung));
        assert_eq!(of(350.0), Some(OutOfPlace::NoLung));
        assert_eq!(guard.judge(ball(0.0, -850.0)), None);
        assert!(Guard::fit(&[]).is_none());
    }

    /// A box in mm shows nothing without the diameter, and one that the nodule fills has no surroundings.
    #[test]
    fn a_box_in_mm_needs_the_diameter() {
        let geometry = CropGeometry::cube(crate::volume::geometry::Extent::mm(32.0).unwrap());
        let all = crop(|_| 0.0);
        assert!(Surroundings::of(&all, geometry, None).is_none());
        assert!(Surroundings::of(&all, geometry, Some(8.0)).is_some());
        assert!(Surroundings::of(&all, geometry, Some(60.0)).is_none());
    }
}
