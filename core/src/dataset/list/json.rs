//! Lists as JSON: our own, or a detector's boxes.

use serde::Deserialize;
use serde_json::Value;

use super::boxes;
use super::listed::{Listed, Size};
use crate::dataset::class::Class;
use crate::error::{Error, Result};
use crate::volume::frame::Frame;

/// A nodule of our own list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nodule {
    #[serde(alias = "nodule_id")]
    id: Option<String>,
    frame: Option<Frame>,
    #[serde(alias = "center")]
    centre: [f64; 3],
    #[serde(alias = "diameter")]
    diameter_mm: Option<f64>,
    #[serde(alias = "file", alias = "image", alias = "scan", alias = "seriesuid")]
    series_uid: Option<String>,
    patient_id: Option<String>,
    class: Option<Class>,
    malignancy: Option<f64>,
    fold: Option<usize>,
}

impl From<Nodule> for Listed {
    fn from(n: Nodule) -> Self {
        Self {
            id: n.id,
            frame: n.frame,
            size: n.diameter_mm.map(Size::Diameter),
            scan: n.series_uid,
            patient_id: n.patient_id,
            class: n.class,
            malignancy: n.malignancy,
            fold: n.fold,
            ..Self::at(n.centre)
        }
    }
}

pub fn parse(text: &str, file: &str) -> Result<Vec<Listed>> {
    let bad = |e: serde_json::Error| Error::BadJson { file: file.into(), reason: e.to_string() };
    let known =
        "a list of {id, centre, diameter_mm, frame}, MONAI's {training: [{image, box, label}]} or nnDetection's boxes";
    let unknown = || Error::BadJson { file: file.into(), reason: format!("not {known}") };
    match serde_json::from_str(text).map_err(bad)? {
        Value::Array(list) => {
            let nodule = |value| serde_json::from_value::<Nodule>(value).map(Listed::from).map_err(bad);
            list.into_iter().map(nodule).collect()
        }
        Value::Object(object) => boxes::monai(&object)
            .or_else(|| boxes::nndetection(&object, file))
            .unwrap_or_else(|| Err(unknown().to_string()))
            .map_err(|reason| Error::BadJson { file: file.into(), reason }),
        _ => Err(unknown()),
    }
}
