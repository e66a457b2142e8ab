//! What one CT slice says of itself.

use std::collections::BTreeMap;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::elements::{DataSet, short, text};
use super::syntax::Syntax;
use crate::error::DicomFault;

/// Tags of a slice's header. No name, date or other identifier of a person is read.
const WANTED: [Tag; 30] = [
    tags::IMAGE_TYPE,
    tags::ACQUISITION_TIME,
    tags::CONTENT_TIME,
    tags::SERIES_DESCRIPTION,
    tags::CONVOLUTION_KERNEL,
    tags::ACQUISITION_NUMBER,
    tags::INSTANCE_NUMBER,
    tags::MODALITY,
    tags::PATIENT_ID,
    tags::STUDY_INSTANCE_UID,
    tags::SERIES_INSTANCE_UID,
    tags::SOP_INSTANCE_UID,
    tags::ROWS,
    tags::COLUMNS,
    tags::BITS_ALLOCATED,
    tags::BITS_STORED,
    tags::HIGH_BIT,
    tags::PIXEL_REPRESENTATION,
    tags::SAMPLES_PER_PIXEL,
    tags::PHOTOMETRIC_INTERPRETATION,
    tags::NUMBER_OF_FRAMES,
    tags::IMAGE_POSITION_PATIENT,
    tags::IMAGE_ORIENTATION_PATIENT,
    tags::PIXEL_SPACING,
    tags::SLICE_THICKNESS,
    tags::RESCALE_SLOPE,
    tags::RESCALE_INTERCEPT,
    tags::RESCALE_TYPE,
    tags::PIXEL_PADDING_VALUE,
    tags::PIXEL_PADDING_RANGE_LIMIT,
];

/// The header of one CT slice.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceHeader {
    pub patient_id: String,
    pub study_uid: String,
    pub series_uid: String,
    pub sop_uid: String,
    pub rows: u16,
    pub columns: u16,
    /// Centre of the first pixel, patient coordinates (LPS), mm.
    pub position: [f64; 3],
    /// Directions of increasing column and increasing row.
    pub orientation: [[f64; 3]; 2],
    /// Distance of neighbouring rows and of neighbouring columns, mm.
    pub pixel_spacing: [f64; 2],
    /// Nominal slice thickness in mm; never used as spacing.
    pub slice_thickness: Option<f64>,
    /// SeriesDescription, empty where there is none.
    pub description: String,
    /// A scout view: ImageType names it so.
    pub localizer: bool,
    pub(super) labels: Labels,
    pub(super) format: Format,
}

/// What tells acquisitions apart that share a SeriesInstanceUID; empty where the file does not say.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Labels {
    pub kernel: String,
    pub image_type: String,
    pub acquisition_number: String,
    pub acquisition_time: String,
    pub content_time: String,
    pub instance_number: String,
}

/// How stored values become HU.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Format {
    pub syntax: Syntax,
    pub bits_allocated: u16,
    pub bits_stored: u16,
    pub high_bit: u16,
    pub signed: bool,
    pub slope: f64,
    /// `None` where the file has none: its values are taken as HU.
    pub intercept: Option<f64>,
    /// What the rescaled values are, where the file says that they are something else than HU.
    pub other_unit: Option<String>,
    /// Stored values that mean "nothing was measured here", both ends included.
    pub padding: Option<(i32, i32)>,
}

/// A file as the search for CT sees it.
#[derive(Clone, Debug, PartialEq)]
pub enum File {
    /// A CT slice.
    Ct(Box<SliceHeader>),
    /// DICOM of another kind: its modality.
    Other(String),
}

/// Reads a file's header. The bytes may end anywhere after the header: [`DicomFault::Truncated`] says that more are needed.
///
/// # Errors
/// When it is not DICOM, is damaged, or lacks what a CT slice needs.
pub fn read_file(bytes: &[u8]) -> Result<File, DicomFault> {
    File::of(&DataSet::open(bytes)?)
}

impl File {
    pub(super) fn of(data: &DataSet) -> Result<Self, DicomFault> {
        let v = data.values(&WANTED)?;
        let modality = text(&v, tags::MODALITY).unwrap_or_else(|| "none".into());
        if modality != "CT" {
            return Ok(Self::Other(modality));
        }
        header(&v, data.syntax).map(|h| Self::Ct(Box::new(h)))
    }
}

fn header(v: &BTreeMap<Tag, Vec<u8>>, syntax: Syntax) -> Result<SliceHeader, DicomFault> {
    let uid = |tag, name| text(v, tag).ok_or(DicomFault::Missing(name));
    let size = |tag, name: &'static str| match short(v, tag).ok_or(DicomFault::Missing(name))? {
        0 => Err(DicomFault::Value { name, value: "0".into(), expected: "positive" }),
        n => Ok(n),
    };
    let samples = short(v, tags::SAMPLES_PER_PIXEL).unwrap_or(1);
    if samples != 1 {
        return Err(DicomFault::Colour(samples));
    }
    let frames = text(v, tags::NUMBER_OF_FRAMES).and_then(|t| t.parse().ok()).unwrap_or(1);
    if frames != 1 {
        return Err(DicomFault::MultiFrame { frames });
    }
    let photometric = text(v, tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_else(|| "MONOCHROME2".into());
    if photometric != "MONOCHROME2" {
        let name = "PhotometricInterpretation";
        return Err(DicomFault::Value { name, value: photometric, expected: "MONOCHROME2" });
    }
    let position = numbers::<3>(v, tags::IMAGE_POSITION_PATIENT, "ImagePositionPatient")?
        .ok_or(DicomFault::Missing("ImagePositionPatient"))?;
    let o = numbers::<6>(v, tags::IMAGE_ORIENTATION_PATIENT, "ImageOrientationPatient")?
        .ok_or(DicomFault::Missing("ImageOrientationPatient"))?;
    let pixel_spacing =
        numbers::<2>(v, tags::PIXEL_SPACING, "PixelSpacing")?.ok_or(DicomFault::Missing("PixelSpacing"))?;
    if pixel_spacing.iter().any(|s| !(0.01..=100.0).contains(s)) {
        let value = format!("{pixel_spacing:?}");
        return Err(DicomFault::Value { name: "PixelSpacing", value, expected: "between 0.01 and 100 mm" });
    }
    Ok(SliceHeader {
        patient_id: text(v, tags::PATIENT_ID).unwrap_or_else(|| "unknown".into()),
        study_uid: text(v, tags::STUDY_INSTANCE_UID).unwrap_or_default(),
        series_uid: uid(tags::SERIES_INSTANCE_UID, "SeriesInstanceUID")?,
        sop_uid: uid(tags::SOP_INSTANCE_UID, "SOPInstanceUID")?,
        rows: size(tags::ROWS, "Rows")?,
        columns: size(tags::COLUMNS, "Columns")?,
        position,
        orientation: [[o[0], o[1], o[2]], [o[3], o[4], o[5]]],
        pixel_spacing,
        slice_thickness: numbers::<1>(v, tags::SLICE_THICKNESS, "SliceThickness")?.map(|t| t[0]),
        description: text(v, tags::SERIES_DESCRIPTION).unwrap_or_default(),
        localizer: text(v, tags::IMAGE_TYPE).is_some_and(|t| t.to_ascii_uppercase().contains("LOCALIZER")),
        labels: labels(v),
        format: format(v, syntax)?,
    })
}

fn labels(v: &BTreeMap<Tag, Vec<u8>>) -> Labels {
    let label = |tag| text(v, tag).unwrap_or_default();
    Labels {
        kernel: label(tags::CONVOLUTION_KERNEL),
        image_type: label(tags::IMAGE_TYPE),
        acquisition_number: label(tags::ACQUISITION_NUMBER),
        acquisition_time: label(tags::ACQUISITION_TIME),
        content_time: label(tags::CONTENT_TIME),
        instance_number: label(tags::INSTANCE_NUMBER),
    }
}

fn format(v: &BTreeMap<Tag, Vec<u8>>, syntax: Syntax) -> Result<Format, DicomFault> {
    let bits_allocated = short(v, tags::BITS_ALLOCATED).ok_or(DicomFault::Missing("BitsAllocated"))?;
    if bits_allocated != 8 && bits_allocated != 16 {
        let value = bits_allocated.to_string();
        return Err(DicomFault::Value { name: "BitsAllocated", value, expected: "8 or 16" });
    }
    let bits_stored = short(v, tags::BITS_STORED).unwrap_or(bits_allocated);
    let high_bit = short(v, tags::HIGH_BIT).unwrap_or(bits_stored.saturating_sub(1));
    if bits_stored == 0 || bits_stored > bits_allocated || high_bit >= bits_allocated || high_bit + 1 < bits_stored {
        let value = format!("{bits_stored} of {bits_allocated} (high bit {high_bit})");
        return Err(DicomFault::Value { name: "BitsStored", value, expected: "a part of the allocated bits" });
    }
    let signed = short(v, tags::PIXEL_REPRESENTATION).unwrap_or(0) == 1;
    let slope = numbers::<1>(v, tags::RESCALE_SLOPE, "RescaleSlope")?.map_or(1.0, |s| s[0]);
    if slope == 0.0 {
        return Err(DicomFault::Value { name: "RescaleSlope", value: "0".into(), expected: "other than 0" });
    }
    let intercept = numbers::<1>(v, tags::RESCALE_INTERCEPT, "RescaleIntercept")?.map(|s| s[0]);
    // HU_MOD: HU of a scanner's own way, such as those of one energy
    let other_unit = text(v, tags::RESCALE_TYPE).filter(|t| !["HU", "HU_MOD"].contains(&t.as_str()));
    let value = |tag| short(v, tag).map(|raw| if signed { i32::from(raw as i16) } else { i32::from(raw) });
    let padding = value(tags::PIXEL_PADDING_VALUE).map(|a| {
        let b = value(tags::PIXEL_PADDING_RANGE_LIMIT).unwrap_or(a);
        (a.min(b), a.max(b))
    });
    Ok(Format { syntax, bits_allocated, bits_stored, high_bit, signed, slope, intercept, other_unit, padding })
}

/// A DS value of exactly `N` finite numbers; `None` when absent or empty.
fn numbers<const N: usize>(
    v: &BTreeMap<Tag, Vec<u8>>,
    tag: Tag,
    name: &'static str,
) -> Result<Option<[f64; N]>, DicomFault> {
    let Some(value) = text(v, tag) else { return Ok(None) };
    let bad = || DicomFault::Value { name, value: value.chars().take(80).collect(), expected: "finite numbers" };
    let mut out = [0.0; N];
    let mut parts = value.split('\\');
    for o in &mut out {
        let number: f64 = parts.next().and_then(|p| p.trim().parse().ok()).ok_or_else(bad)?;
        *o = if number.is_finite() { number } else { return Err(bad()) };
    }
    if parts.next().is_some() { Err(bad()) } else { Ok(Some(out)) }
}
