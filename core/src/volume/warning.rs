//! What a reader of a prediction should know of its input: it was read, but not all of it is beyond doubt. Text, JSON and page show the
//! same list.

use serde::Serialize;

/// Air and lung, in HU: between these lies part of every scan of a chest. The lower end is what padding is read as.
const AIR_HU: std::ops::Range<f32> = -1000.0..-500.0;
/// Diameters that a nodule can have, mm: with room around those that LIDC-IDRI's readers outlined, 2.5 to 39 mm.
const NODULE_MM: std::ops::RangeInclusive<f64> = 2.0..=60.0;

/// Something to know of a scan or a crop.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize)]
#[serde(into = "Said")]
#[non_exhaustive]
pub enum Warning {
    #[error(
        "no value lies between -1000 and -500 HU: there is no air in it, so these may not be Hounsfield units, and then the answer means nothing"
    )]
    NotHu,
    #[error("RescaleIntercept is missing: the stored values were taken as Hounsfield units (HU)")]
    NoRescale,
    #[error("RescaleType says that the values are `{0}`, not Hounsfield units (HU): then the answer means nothing")]
    RescaleType(String),
    #[error("sform and qform disagree by up to {mm:.1} mm; the sform was used, as its code is set")]
    Forms { mm: f64 },
    #[error("the file does not say how its axes lie: they were taken to run to the left, to the back and to the head")]
    Orientation,
    #[error(
        "{count} acquisitions share the series, told apart by {by}; {chosen} with {slices} slices was used, {others} slices of the others were not"
    )]
    Acquisitions { by: &'static str, count: usize, chosen: String, slices: usize, others: usize },
    #[error("{count} file(s) left aside: {first}{}", if *count > 1 { ", ..." } else { "" })]
    LeftAside { first: String, count: usize },
    #[error("slices are missing between z {below} and {above} mm")]
    MissingSlices { below: f64, above: f64 },
    #[error("slices are missing between z {below} and {above} mm, within the crop: its values there are interpolated")]
    MissingWithinCrop { below: f64, above: f64 },
    #[error(
        "{mm:.1} mm can't be a nodule's diameter (those of LIDC-IDRI are 2.5 to 39 mm wide): the answer means nothing"
    )]
    Diameter { mm: f64 },
    #[error("the crops are of {crops}, the model was trained on {model}: the answer means little")]
    OtherCrop { crops: String, model: String },
    #[error("{0} slices lie at the place of another and were not used")]
    Duplicates(usize),
}

/// How a document has it.
#[derive(Serialize)]
struct Said {
    kind: &'static str,
    message: String,
}

impl From<Warning> for Said {
    fn from(warning: Warning) -> Self {
        Self { kind: warning.kind(), message: warning.to_string() }
    }
}

impl Warning {
    /// The kind's name in documents.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotHu => "not_hu",
            Self::NoRescale => "no_rescale",
            Self::RescaleType(_) => "rescale_type",
            Self::Forms { .. } => "sform_qform",
            Self::Orientation => "orientation",
            Self::Acquisitions { .. } => "acquisitions",
            Self::LeftAside { .. } => "left_aside",
            Self::MissingSlices { .. } => "missing_slices",
            Self::MissingWithinCrop { .. } => "missing_within_crop",
            Self::Diameter { .. } => "diameter",
            Self::OtherCrop { .. } => "other_crop",
            Self::Duplicates(_) => "duplicates",
        }
    }
}

/// Whether values are not HU by the look of them: nothing is air or lung. Padding, which is read as exactly -1000 HU, is no air.
pub fn not_hu(values: impl IntoIterator<Item = f32>) -> Option<Warning> {
    let air = |v: f32| v > AIR_HU.start && v < AIR_HU.end;
    (!values.into_iter().any(air)).then_some(Warning::NotHu)
}

/// Whether a diameter in mm is none that a nodule can have.
pub fn not_a_nodules(diameter_mm: f64) -> Option<Warning> {
    (!NODULE_MM.contains(&diameter_mm)).then_some(Warning::Diameter { mm: diameter_mm })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// HU, HU with padding alone, HU + 1024, a window of 8 bits, 0 to 1, and deviations of a mean.
    #[test]
    fn values_that_are_not_hu_have_no_air() {
        let hu = [-1000.0, -870.0, -20.0, 40.0, 300.0];
        assert_eq!(not_hu(hu), None);
        for other in [
            [-1000.0, -1000.0, -20.0, 40.0, 300.0],
            hu.map(|v| v + 1024.0),
            hu.map(|v| (v + 1000.0) / 1400.0 * 255.0),
            hu.map(|v| (v + 1000.0) / 1400.0),
            hu.map(|v| (v + 310.0) / 500.0),
        ] {
            assert_eq!(not_hu(other), Some(Warning::NotHu), "{other:?}");
        }
    }

    #[test]
    fn diameters_of_nodules() {
        for mm in [2.0, 5.9, 39.0, 60.0] {
            assert_eq!(not_a_nodules(mm), None);
        }
        for mm in [0.1, 1.99, 60.1, 512.0, f64::NAN] {
            assert!(not_a_nodules(mm).is_some_and(|w| w.to_string().contains("can't be a nodule's diameter")), "{mm}");
        }
    }

    #[test]
    fn a_document_has_kind_and_words() {
        let aside = Warning::LeftAside { first: "a.dcm (size)".into(), count: 2 };
        let said = serde_json::to_value(aside).unwrap();
        assert_eq!(
            said,
            serde_json::json!({"kind": "left_aside", "message": "2 file(s) left aside: a.dcm (size), ..."})
        );
    }
}
