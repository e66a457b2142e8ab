//! `dataset.json`: what a data set is, and the geometry of its crops.

use serde::{Deserialize, Serialize};

use super::class::Thresholds;
use crate::error::{Error, Result};
use crate::volume::geometry::CropGeometry;
use crate::volume::grid::Margin;

/// The header's file.
pub const HEADER: &str = "dataset.json";
/// The schema that is written; 1 is read too.
pub const SCHEMA: u32 = 2;
/// The only data set of schema 1 whose images were synthetic: it was known by its name.
const SYNTHETIC_OF_SCHEMA_1: &str = "lidc-phantom";

/// `dataset.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct DatasetHeader {
    pub schema: u32,
    pub name: String,
    pub source: String,
    pub license: String,
    pub citation: String,
    /// HU clipped to this window before scaling to 0..1.
    pub hu_window: [f32; 2],
    pub thresholds: Thresholds,
    /// The box that a crop covers.
    pub crop: CropGeometry,
    /// Cells beyond the crop that are stored too; only augmentation sees them.
    pub margin: Margin,
    /// Drawn images: results on them say nothing about CT.
    pub synthetic: bool,
    pub notes: String,
}

/// The file of either schema.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    schema: u32,
    name: String,
    source: String,
    license: String,
    citation: String,
    hu_window: [f32; 2],
    thresholds: Thresholds,
    crop: Option<CropGeometry>,
    margin: Option<Margin>,
    synthetic: Option<bool>,
    #[serde(default)]
    notes: String,
}

impl TryFrom<Written> for DatasetHeader {
    type Error = String;

    fn try_from(w: Written) -> Result<Self, String> {
        let (crop, synthetic) = match (w.schema, w.crop) {
            (1, None) if w.margin.is_none() && w.synthetic.is_none() => {
                (CropGeometry::of_notes(&w.notes), w.name == SYNTHETIC_OF_SCHEMA_1)
            }
            (1, _) => return Err("`crop`, `margin` and `synthetic` are fields of schema 2, but the schema is 1".into()),
            (SCHEMA, Some(crop)) => (crop, w.synthetic.unwrap_or(false)),
            (SCHEMA, None) => return Err("`crop` is missing, which schema 2 needs".into()),
            (other, _) => return Err(format!("schema {other} is not supported, only 1 and 2")),
        };
        Ok(Self {
            schema: SCHEMA,
            name: w.name,
            source: w.source,
            license: w.license,
            citation: w.citation,
            hu_window: w.hu_window,
            thresholds: w.thresholds,
            crop,
            margin: w.margin.unwrap_or_default(),
            synthetic,
            notes: w.notes,
        })
    }
}

/// The fields of schema 1, in its order.
#[derive(Serialize)]
struct Schema1<'a> {
    schema: u32,
    name: &'a str,
    source: &'a str,
    license: &'a str,
    citation: &'a str,
    hu_window: [f32; 2],
    thresholds: Thresholds,
    notes: &'a str,
}

impl DatasetHeader {
    /// The file's bytes.
    ///
    /// # Errors
    /// Never: every field has a JSON form.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        json(self)
    }

    /// The bytes that a data set's digest is made of: the file as schema 1 wrote it, where schema 1 could say the same. So a run
    /// knows its data again, whichever schema wrote them.
    ///
    /// # Errors
    /// Never: every field has a JSON form.
    pub fn identity(&self) -> Result<Vec<u8>> {
        if self.margin != Margin::default()
            || self.crop != CropGeometry::of_notes(&self.notes)
            || self.synthetic != (self.name == SYNTHETIC_OF_SCHEMA_1)
        {
            return self.to_json();
        }
        json(&Schema1 {
            schema: 1,
            name: &self.name,
            source: &self.source,
            license: &self.license,
            citation: &self.citation,
            hu_window: self.hu_window,
            thresholds: self.thresholds,
            notes: &self.notes,
        })
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    let file = HEADER.into();
    serde_json::to_vec_pretty(value).map_err(|e| Error::BadJson { file, reason: e.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &str = r#""source":"s","license":"l","citation":"c","hu_window":[-1000,400],"thresholds":"inclusive""#;

    fn parse(more: &str) -> Result<DatasetHeader, serde_json::Error> {
        serde_json::from_str(&format!("{{{REST},{more}}}"))
    }

    #[test]
    fn schema_1_says_its_geometry_in_its_notes() {
        let plain = parse(r#""schema":1,"name":"a""#).unwrap();
        assert_eq!((plain.crop, plain.synthetic, plain.schema), (CropGeometry::PUBLISHED, false, 2));
        let cube = parse(r#""schema":1,"name":"lidc-phantom","notes":"fixed 32 mm cube""#).unwrap();
        assert_eq!((cube.crop.to_string().as_str(), cube.synthetic), ("32 mm", true));
        for (header, start) in [(&plain, 1), (&cube, 1)] {
            let identity: serde_json::Value = serde_json::from_slice(&header.identity().unwrap()).unwrap();
            assert_eq!((&identity["schema"], identity.as_object().unwrap().len()), (&start.into(), 8));
        }
    }

    #[test]
    fn schema_2_says_it_in_its_fields() {
        let crop = r#""crop":{"in_plane":{"diameters":2},"through_plane":{"diameters":1}}"#;
        let header = parse(&format!(r#""schema":2,"name":"lidc-phantom",{crop},"margin":[0,8,8]"#)).unwrap();
        assert_eq!((header.crop.to_string().as_str(), header.synthetic), ("2 x 1 diameters", false));
        assert_eq!(header.margin.shape(), [32, 48, 48]);
        let again: DatasetHeader = serde_json::from_slice(&header.to_json().unwrap()).unwrap();
        assert_eq!(again, header);
        assert_eq!(header.identity().unwrap(), header.to_json().unwrap());
        for (bad, part) in [
            (r#""schema":2,"name":"a""#.into(), "`crop` is missing"),
            (format!(r#""schema":1,"name":"a",{crop}"#), "fields of schema 2"),
            (format!(r#""schema":3,"name":"a",{crop}"#), "schema 3 is not supported"),
            (format!(r#""schema":2,"name":"a",{crop},"margin":[0,8]"#), "length 3"),
            (format!(r#""schema":2,"name":"a",{crop},"margins":[0,8,8]"#), "unknown field `margins`"),
        ] {
            let message = parse(&bad).unwrap_err().to_string();
            assert!(message.contains(part), "{bad}: {message}");
        }
    }
}
