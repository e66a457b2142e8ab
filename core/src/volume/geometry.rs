//! How large the box is that a crop covers: its side in the axial plane and along z, in diameters of the nodule or in mm.
//!
//! A crop in diameters hides the nodule's size, as published; one in mm shows it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use super::grid::{Margin, SIDE};
use crate::error::{Error, Result};

/// The longest side in mm, and in diameters: longer than any scan of a person.
const MOST_MM: f64 = 10_000.0;
const MOST_DIAMETERS: f64 = 100.0;

/// A side's length: above 0, and no longer than a scan can be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unit", into = "Unit")]
pub struct Extent(Unit);

/// `{"diameters": 2}` or `{"mm": 32}`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Unit {
    Diameters(f64),
    Mm(f64),
}

impl Extent {
    /// So many equivalent diameters of the nodule.
    ///
    /// # Errors
    /// When the number is not positive.
    pub fn diameters(number: f64) -> Result<Self> {
        Unit::Diameters(number).try_into()
    }

    /// The same number of mm for all nodules.
    ///
    /// # Errors
    /// When the number is not positive.
    pub fn mm(number: f64) -> Result<Self> {
        Unit::Mm(number).try_into()
    }

    /// The side in mm, where it is the same for all nodules.
    pub fn in_mm(self) -> Option<f64> {
        if let Unit::Mm(side) = self.0 { Some(side) } else { None }
    }

    fn of(self, diameter_mm: f64) -> f64 {
        match self.0 {
            Unit::Diameters(number) => number * diameter_mm,
            Unit::Mm(side) => side,
        }
    }
}

impl TryFrom<Unit> for Extent {
    type Error = Error;

    fn try_from(unit: Unit) -> Result<Self> {
        let (number, most) = match unit {
            Unit::Diameters(number) => (number, MOST_DIAMETERS),
            Unit::Mm(number) => (number, MOST_MM),
        };
        if number > 0.0 && number <= most {
            return Ok(Self(unit));
        }
        let (what, expected) = ("a crop's side".into(), format!("above 0 and at most {most}"));
        Err(Error::OutOfRange { what, value: number.to_string(), expected })
    }
}

impl From<Extent> for Unit {
    fn from(extent: Extent) -> Self {
        extent.0
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unit::Diameters(number) => write!(f, "{number} diameters"),
            Unit::Mm(side) => write!(f, "{side} mm"),
        }
    }
}

/// The box of a crop: its side in the axial plane, along x and y alike, and its side along z.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CropGeometry {
    pub in_plane: Extent,
    pub through_plane: Extent,
}

impl CropGeometry {
    /// The published cube of twice the nodule's equivalent diameter.
    pub const PUBLISHED: Self =
        Self { in_plane: Extent(Unit::Diameters(2.0)), through_plane: Extent(Unit::Diameters(2.0)) };

    /// A cube of this side.
    pub fn cube(side: Extent) -> Self {
        Self { in_plane: side, through_plane: side }
    }

    /// The box around a nodule of this equivalent diameter.
    ///
    /// # Errors
    /// When the diameter is not positive.
    pub fn size(self, diameter_mm: f64) -> Result<CropSize> {
        let diameter = positive("the nodule's diameter", diameter_mm, " mm")?;
        let sides = [self.in_plane, self.through_plane].map(|side| side.of(diameter));
        if let Some(side) = sides.iter().find(|side| !(**side > 0.0 && **side <= MOST_MM)) {
            return Err(Error::OutOfRange {
                what: "the nodule's diameter".into(),
                value: format!("{diameter_mm:?} mm"),
                expected: format!("that of a nodule; the crop around it would be {side} mm wide"),
            });
        }
        CropSize::new(sides[0], sides[1])
    }

    /// How many of a crop's cells a diameter covers, along z and in the plane, for a nodule of this equivalent diameter.
    pub fn cells_a_diameter(self, diameter_mm: f64) -> [f64; 2] {
        [self.through_plane, self.in_plane].map(|side| SIDE as f64 * diameter_mm / side.of(diameter_mm))
    }

    /// Whether the box grows with the nodule, along z and in the plane.
    pub fn scales_with_diameter(self) -> [bool; 2] {
        [self.through_plane, self.in_plane].map(|side| matches!(side.0, Unit::Diameters(_)))
    }

    /// The box around a nodule whose diameter may not be known; `None` where it is needed and is not.
    ///
    /// # Errors
    /// When the diameter is not positive.
    pub fn size_of(self, diameter_mm: Option<f64>) -> Result<Option<CropSize>> {
        match (diameter_mm, self.in_plane.0, self.through_plane.0) {
            (Some(diameter), ..) => self.size(diameter).map(Some),
            (None, Unit::Mm(in_plane), Unit::Mm(through_plane)) => CropSize::new(in_plane, through_plane).map(Some),
            (None, ..) => Ok(None),
        }
    }

    /// The geometry that the notes of a data set of schema 1 name: a cube of N mm where they say `fixed N mm cube`, else the published one.
    pub fn of_notes(notes: &str) -> Self {
        notes.split("fixed ").skip(1).find_map(fixed).unwrap_or(Self::PUBLISHED)
    }

    /// The geometry of a model's configuration: an object, or the words of schema 1 (`2x equivalent diameter`, `fixed N mm cube`).
    ///
    /// # Errors
    /// When it is neither.
    pub fn deserialize_or_words<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let unknown = |e: String| serde::de::Error::custom(format!("crop: {e}"));
        match serde_json::Value::deserialize(from)? {
            serde_json::Value::String(words) if words == "2x equivalent diameter" => Ok(Self::PUBLISHED),
            serde_json::Value::String(words) => {
                let found = words.strip_prefix("fixed ").and_then(fixed);
                found.ok_or_else(|| unknown(format!("`{words}` is no geometry that is known")))
            }
            object => serde_json::from_value(object).map_err(|e| unknown(e.to_string())),
        }
    }
}

/// The cube of a text that starts `N mm cube`.
fn fixed(text: &str) -> Option<CropGeometry> {
    let (number, unit) = text.split_once(' ')?;
    let side = Extent::mm(number.parse().ok()?).ok()?;
    unit.starts_with("mm cube").then(|| CropGeometry::cube(side))
}

impl fmt::Display for CropGeometry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.in_plane.0, self.through_plane.0) {
            (Unit::Mm(a), Unit::Mm(b)) if a == b => write!(f, "{a} mm"),
            (Unit::Mm(a), Unit::Mm(b)) => write!(f, "{a} x {b} mm"),
            (Unit::Diameters(a), Unit::Diameters(b)) => write!(f, "{a} x {b} diameters"),
            _ => write!(f, "{} in plane, {} along z", self.in_plane, self.through_plane),
        }
    }
}

/// The command line's `2x1`: diameters in the plane and along z.
impl FromStr for CropGeometry {
    type Err = String;

    fn from_str(words: &str) -> Result<Self, String> {
        let side = |number: &str| Extent::diameters(number.trim().parse().ok()?).ok();
        let sides = words.split_once('x').and_then(|(a, b)| Some((side(a)?, side(b)?)));
        let (in_plane, through_plane) =
            sides.ok_or("give diameters in the plane and along z, as in 2x1 (both above 0 and at most 100)")?;
        Ok(Self { in_plane, through_plane })
    }
}

/// The sides of one crop in mm: positive and finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CropSize {
    in_plane: f64,
    through_plane: f64,
}

impl CropSize {
    /// A box of these sides in mm.
    ///
    /// # Errors
    /// When one of them is not positive.
    pub fn new(in_plane: f64, through_plane: f64) -> Result<Self> {
        let side = |v| positive("the crop's side", v, " mm");
        Ok(Self { in_plane: side(in_plane)?, through_plane: side(through_plane)? })
    }

    /// mm, (z, y, x).
    pub fn sides(self) -> [f64; 3] {
        [self.through_plane, self.in_plane, self.in_plane]
    }

    /// The offsets in mm of the cell centres from the middle, an axis each (z, y, x), those of the margin included.
    pub fn offsets(self, margin: Margin) -> [Vec<f64>; 3] {
        let sides = self.sides();
        [0, 1, 2].map(|axis| margin.offsets(axis, sides[axis]).collect())
    }
}

fn positive(what: &str, value: f64, unit: &str) -> Result<f64> {
    if value.is_finite() && value > 0.0 {
        return Ok(value);
    }
    Err(Error::OutOfRange { what: what.into(), value: format!("{value}{unit}"), expected: "positive".into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(json: &str) -> Result<CropGeometry, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn reads_and_writes_the_contract() {
        let mixed = geometry(r#"{"in_plane": {"diameters": 2}, "through_plane": {"mm": 32}}"#).unwrap();
        assert_eq!(mixed.size(6.0).unwrap().sides(), [32.0, 12.0, 12.0]);
        assert_eq!(geometry(&serde_json::to_string(&mixed).unwrap()).unwrap(), mixed);
        for bad in [
            r#"{"in_plane": {"diameters": 2}}"#,
            r#"{"in_plane": {"diameters": 0}, "through_plane": {"mm": 32}}"#,
            r#"{"in_plane": {"diameters": 1e12}, "through_plane": {"mm": 32}}"#,
            r#"{"in_plane": {"diameters": 2}, "through_plane": {"mm": 1e9}}"#,
            r#"{"in_plane": {"diameters": 2}, "through_plane": {"mm": -1}}"#,
            r#"{"in_plane": {"voxels": 2}, "through_plane": {"mm": 1}}"#,
            r#"{"in_plane": {"mm": 2, "diameters": 2}, "through_plane": {"mm": 1}}"#,
            r#"{"in_plane": {"mm": 2}, "through_plane": {"mm": 1}, "side": 3}"#,
        ] {
            assert!(geometry(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn words() {
        let cube = CropGeometry::cube(Extent::mm(32.0).unwrap());
        for (text, words) in
            [("2x1", "2 x 1 diameters"), ("2x2", "2 x 2 diameters"), ("1.5x0.75", "1.5 x 0.75 diameters")]
        {
            assert_eq!(text.parse::<CropGeometry>().unwrap().to_string(), words);
        }
        assert_eq!(cube.to_string(), "32 mm");
        let mixed = CropGeometry { in_plane: Extent::diameters(2.0).unwrap(), ..cube };
        assert_eq!(mixed.to_string(), "2 diameters in plane, 32 mm along z");
        for bad in ["2", "2x", "x2", "2x0", "-2x1", "2x1x1", "NaNx1", "infx1"] {
            assert!(bad.parse::<CropGeometry>().is_err(), "{bad}");
        }
        assert!(CropGeometry::PUBLISHED.size(0.0).is_err() && cube.size(f64::NAN).is_err());
        for mm in [1e9, 1e308] {
            let message = CropGeometry::PUBLISHED.size(mm).unwrap_err().to_string();
            assert!(message.starts_with("the nodule's diameter is"), "{message}");
        }
    }

    /// The prose that schema 1 wrote, and what must not be taken for it.
    #[test]
    fn words_of_schema_1() {
        let mm = |side| CropGeometry::cube(Extent::mm(side).unwrap());
        for (notes, known) in [
            ("Crops: 2x equivalent diameter, trilinear", CropGeometry::PUBLISHED),
            ("Crops: fixed 37.5 mm cube, around", mm(37.5)),
            ("Masked, fixed 32 mm cube at 1 mm instead of 2x equivalent diameter", mm(32.0)),
            ("fixed -1 mm cube, fixed up", CropGeometry::PUBLISHED),
            ("", CropGeometry::PUBLISHED),
        ] {
            assert_eq!(CropGeometry::of_notes(notes), known, "{notes}");
        }
        let model = |json: &str| CropGeometry::deserialize_or_words(&mut serde_json::Deserializer::from_str(json));
        assert_eq!(model("\"2x equivalent diameter\"").unwrap(), CropGeometry::PUBLISHED);
        assert_eq!(model("\"fixed 50 mm cube\"").unwrap(), mm(50.0));
        assert_eq!(model(r#"{"in_plane": {"mm": 50}, "through_plane": {"mm": 50}}"#).unwrap(), mm(50.0));
        for bad in ["\"fixed 0 mm cube\"", "\"a cube\"", "2", "{}"] {
            assert!(model(bad).is_err(), "{bad}");
        }
    }
}
