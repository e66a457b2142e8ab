//! The table of codes that the browser's package reads too.

use anyhow::{Context, Result};
use clip_lung_core::dataset::class::Class;
use serde::Deserialize;

const TABLE: &str = include_str!("../../../../web/js/sr/codes.ts");

/// Value, scheme and meaning.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Code(pub String, pub String, pub String);

/// A code for each class.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfClass {
    benign: Code,
    unsure: Code,
    malignant: Code,
}

impl OfClass {
    pub fn of(&self, class: Class) -> &Code {
        match class {
            Class::Benign => &self.benign,
            Class::Unsure => &self.unsure,
            Class::Malignant => &self.malignant,
        }
    }
}

/// The codes by what they stand for.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Codes {
    pub report: Code,
    pub language: Code,
    pub english: Code,
    pub observer_type: Code,
    pub device: Code,
    pub device_uid: Code,
    pub device_name: Code,
    pub procedure: Code,
    pub ct_chest: Code,
    pub library: Code,
    pub library_group: Code,
    pub modality: Code,
    pub ct: Code,
    pub frame_of_reference: Code,
    pub measurements: Code,
    pub group: Code,
    pub tracking_identifier: Code,
    pub tracking_uid: Code,
    pub finding: Code,
    pub nodule: Code,
    pub finding_site: Code,
    pub lung: Code,
    pub algorithm_name: Code,
    pub algorithm_version: Code,
    pub algorithm_parameters: Code,
    pub region: Code,
    pub diameter: Code,
    pub mm: Code,
    pub no_unit: Code,
    pub comment: Code,
    pub intended_use: Code,
    pub research: Code,
    pub class: Code,
    pub open: Code,
    pub classes: OfClass,
    pub probabilities: OfClass,
    pub attributes: [Code; 8],
}

/// The table: what stands between the outermost braces of the file.
pub fn codes() -> Result<Codes> {
    let json = TABLE.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')).map(|(inner, _)| inner);
    serde_json::from_str(&format!("{{{}}}", json.unwrap_or_default())).context("web/js/sr/codes.ts")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What DICOM's value representations hold: SH 16 characters, LO 64.
    #[test]
    fn codes_fit_their_fields() {
        codes().unwrap();
        let json = format!("{{{}", TABLE.split_once('{').unwrap().1.rsplit_once('}').unwrap().0) + "}";
        let mut seen = 0;
        let mut open = vec![serde_json::from_str::<serde_json::Value>(&json).unwrap()];
        while let Some(value) = open.pop() {
            match value {
                serde_json::Value::Object(map) => open.extend(map.into_iter().map(|(_, v)| v)),
                serde_json::Value::Array(list) if list[0].is_string() => {
                    let [value, scheme, meaning] = [0, 1, 2].map(|i| list[i].as_str().unwrap());
                    assert!(
                        value.len() <= 16 && scheme.len() <= 16 && meaning.len() <= 64 && list.len() == 3,
                        "{meaning}"
                    );
                    seen += 1;
                }
                serde_json::Value::Array(list) => open.extend(list),
                other => panic!("{other}"),
            }
        }
        assert_eq!(seen, 34 + 3 + 3 + 8);
    }
}
