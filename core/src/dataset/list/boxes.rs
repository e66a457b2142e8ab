//! Boxes that detectors write.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::listed::{Listed, Size, file_stem};
use crate::volume::frame::Frame;

type Found = Result<Vec<Listed>, String>;

/// One image of MONAI's detection lists. A box is the centre and the sides (x, y, z), in mm of the scanner's own frame, as LUNA16 has them
/// (LPS).
#[derive(Deserialize)]
struct Image {
    image: String,
    #[serde(rename = "box")]
    boxes: Vec<[f64; 6]>,
}

/// `{"training": [{"image", "box": [[x, y, z, w, h, d], ...], "label"}, ...], "validation": [...]}`: `None` where it is another document.
pub fn monai(object: &Map<String, Value>) -> Option<Found> {
    let parts = ["training", "validation", "testing", "test"].map(|part| object.get(part));
    if parts.iter().all(Option::is_none) {
        return None;
    }
    let mut list = Vec::new();
    for image in parts.into_iter().flatten().filter_map(Value::as_array).flatten() {
        let found: Image = match serde_json::from_value(image.clone()) {
            Ok(found) => found,
            Err(e) => return Some(Err(e.to_string())),
        };
        for [x, y, z, w, h, d] in found.boxes {
            let diameter = (w * h * d).cbrt();
            let (size, scan) = (Some(Size::Diameter(diameter)), Some(found.image.clone()));
            list.push(Listed { frame: Some(Frame::Lps), size, scan, ..Listed::at([x, y, z]) });
        }
    }
    Some(Ok(list))
}

/// One instance of nnDetection's `CASE_boxes.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Instance {
    /// Ends before and after the nodule, in voxels: low and high along slices, low and high along rows (each pair apart: z, y, Z, Y), then
    /// along columns (x, X).
    #[serde(rename = "box")]
    ends: [f64; 6],
    #[serde(rename = "score")]
    _score: Option<f64>,
    #[serde(rename = "label")]
    _label: Option<i64>,
}

/// `{"1": {"box": [z, y, Z, Y, x, X], "score", "label"}, ...}` of the case that the file is named after; `None` where it is another
/// document.
pub fn nndetection(object: &Map<String, Value>, file: &str) -> Option<Found> {
    if object.is_empty() || !object.values().all(|v| v.get("box").is_some()) {
        return None;
    }
    let stem = file_stem(file);
    let scan = stem.strip_suffix("_boxes").unwrap_or(stem);
    let mut list = Vec::new();
    for (name, value) in object {
        let instance: Instance = match serde_json::from_value(value.clone()) {
            Ok(instance) => instance,
            Err(e) => return Some(Err(format!("{name}: {e}"))),
        };
        let [z, y, zz, yy, x, xx] = instance.ends;
        let (low, high) = ([x, y, z], [xx, yy, zz]);
        list.push(Listed {
            id: Some(format!("{scan}-{name}")),
            frame: Some(Frame::Voxel),
            size: Some(Size::Voxels([0, 1, 2].map(|i| high[i] - low[i] - 1.0))),
            scan: Some(scan.into()),
            ..Listed::at([0, 1, 2].map(|i| (low[i] + high[i]) / 2.0))
        });
    }
    Some(Ok(list))
}
