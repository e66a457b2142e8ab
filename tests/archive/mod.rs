//! CT archives that the tests write themselves: ellipsoids of known volume, as DICOM with its annotation XML.

#![allow(dead_code)]

mod codecs;
pub mod nifti;

use std::fmt::Write;
use std::path::Path;

use dicom_core::value::{PixelFragmentSequence, Value};
use dicom_core::{DataElement, PrimitiveValue, VR, dicom_value};
use dicom_dictionary_std::tags;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

pub const IMPLICIT: &str = "1.2.840.10008.1.2";
pub const EXPLICIT: &str = "1.2.840.10008.1.2.1";
pub const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
pub const RLE: &str = "1.2.840.10008.1.2.5";
pub const JPEG_BASELINE: &str = "1.2.840.10008.1.2.4.50";
pub const JPEG_LOSSLESS: &str = "1.2.840.10008.1.2.4.70";
/// Only for the usual scan at 0.9 mm and 2.5 mm, signed: its codestreams are golden files.
pub const JPEG_2000: &str = "1.2.840.10008.1.2.4.90";

/// A ball or ellipsoid: centre in (columns, rows) times spacing and patient z, semi-axes (x, y, z), all in mm.
#[derive(Clone, Copy)]
pub struct Ellipsoid {
    pub centre: [f64; 3],
    pub radii: [f64; 3],
}

impl Ellipsoid {
    pub fn volume(&self) -> f64 {
        4.0 / 3.0 * std::f64::consts::PI * self.radii.iter().product::<f64>()
    }

    pub fn diameter(&self) -> f64 {
        (6.0 * self.volume() / std::f64::consts::PI).cbrt()
    }

    /// The share of the semi-axes that a plane at z leaves; none outside.
    fn section(&self, z: f64) -> Option<f64> {
        let t = (z - self.centre[2]) / self.radii[2];
        (t.abs() < 1.0).then(|| (1.0 - t * t).sqrt())
    }

    fn contains(&self, x: f64, y: f64, z: f64) -> bool {
        let d = [x - self.centre[0], y - self.centre[1], z - self.centre[2]];
        (0..3).map(|i| (d[i] / self.radii[i]).powi(2)).sum::<f64>() < 1.0
    }
}

/// One series.
#[derive(Clone)]
pub struct Scan {
    pub patient: String,
    pub series: String,
    pub syntax: &'static str,
    pub signed: bool,
    pub side: u16,
    pub slices: usize,
    pub spacing: f64,
    pub thickness: f64,
    pub nodules: Vec<Ellipsoid>,
    /// The order in which file names are given to slices.
    pub order: Order,
    /// Slices left out.
    pub missing: Vec<usize>,
    /// Directions of increasing column and row, LPS.
    pub orientation: [[f64; 3]; 2],
    /// The way from a slice's first pixel to the next one's, LPS, mm. Nodules and outlines keep to columns, rows and slices.
    pub step: [f64; 3],
    pub frame_of_reference: Option<String>,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Order {
    Ascending,
    Reversed,
    Shuffled,
}

pub const INSIDE_HU: i32 = 40;
pub const OUTSIDE_HU: i32 = -850;
/// Patient coordinates of the first pixel.
pub const ORIGIN: [f64; 3] = [-45.0, -30.0, -200.0];

impl Scan {
    pub fn new(number: usize, spacing: f64, thickness: f64) -> Self {
        let slices = (70.0 / thickness).ceil() as usize;
        let side = (90.0 / spacing).ceil() as u16;
        // on a slice, so that the sections lie symmetrically
        let z = ORIGIN[2] + (slices / 2) as f64 * thickness;
        Self {
            patient: format!("TEST-{number:04}"),
            series: format!("1.2.826.0.1.3680043.8.498.7.{}", 10_000 + number),
            syntax: EXPLICIT,
            signed: true,
            side,
            slices,
            spacing,
            thickness,
            nodules: vec![Ellipsoid { centre: [45.0, 44.0, z], radii: [16.25; 3] }],
            order: Order::Shuffled,
            missing: Vec::new(),
            orientation: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
            step: [0.0, 0.0, thickness],
            frame_of_reference: Some(format!("1.2.826.0.1.3680043.8.498.8.{}", 10_000 + number)),
        }
    }

    fn z(&self, k: usize) -> f64 {
        ORIGIN[2] + k as f64 * self.thickness
    }

    fn sop(&self, k: usize) -> String {
        format!("{}.{k}", self.series)
    }

    /// Writes the series and its XML below `dir`.
    pub fn write(&self, dir: &Path) {
        std::fs::create_dir_all(dir).unwrap();
        for k in (0..self.slices).filter(|k| !self.missing.contains(k)) {
            let name = match self.order {
                Order::Ascending => k,
                Order::Reversed => self.slices - k,
                Order::Shuffled => (k * 7919 + 13) % 10007,
            };
            std::fs::write(dir.join(format!("{name:06}.dcm")), self.slice(k)).unwrap();
        }
        std::fs::write(dir.join("annotations.xml"), self.xml()).unwrap();
    }

    /// Stored values of slice k.
    pub fn values(&self, k: usize) -> Vec<i32> {
        let n = usize::from(self.side);
        let shift = if self.signed { 0 } else { 1024 };
        let at = |i: usize| i as f64 * self.spacing;
        (0..n * n)
            .map(|i| {
                let (x, y) = (at(i % n), at(i / n));
                let inside = self.nodules.iter().any(|e| e.contains(x, y, self.z(k)));
                shift + if inside { INSIDE_HU } else { OUTSIDE_HU }
            })
            .collect()
    }

    /// Slice k as a DICOM file.
    pub fn slice(&self, k: usize) -> Vec<u8> {
        let values: Vec<u16> = self.values(k).iter().map(|v| *v as i16 as u16).collect();
        let mut object = InMemDicomObject::new_empty();
        let mut text = |tag, vr, value: String| object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
        text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.2".into());
        text(tags::SOP_INSTANCE_UID, VR::UI, self.sop(k));
        text(tags::MODALITY, VR::CS, "CT".into());
        text(tags::PATIENT_ID, VR::LO, self.patient.clone());
        text(tags::PATIENT_NAME, VR::PN, "Secret^Name".into());
        text(tags::STUDY_INSTANCE_UID, VR::UI, format!("{}.1", self.series));
        text(tags::SERIES_INSTANCE_UID, VR::UI, self.series.clone());
        if let Some(uid) = &self.frame_of_reference {
            text(tags::FRAME_OF_REFERENCE_UID, VR::UI, uid.clone());
        }
        text(tags::SLICE_THICKNESS, VR::DS, self.thickness.to_string());
        let numbers = |values: &[f64]| values.iter().map(f64::to_string).collect::<Vec<_>>().join("\\");
        let position = [0, 1, 2].map(|i| ORIGIN[i] + k as f64 * self.step[i]);
        text(tags::IMAGE_POSITION_PATIENT, VR::DS, numbers(&position));
        text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, numbers(&self.orientation.concat()));
        text(tags::PIXEL_SPACING, VR::DS, format!("{0}\\{0}", self.spacing));
        text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2".into());
        // eight bits hold an eighth of the range
        let eight = self.syntax == JPEG_BASELINE;
        text(tags::RESCALE_SLOPE, VR::DS, if eight { "8" } else { "1" }.into());
        text(tags::RESCALE_INTERCEPT, VR::DS, if self.signed { "0" } else { "-1024" }.into());
        let mut number = |tag, value: u16| object.put(DataElement::new(tag, VR::US, dicom_value!(U16, value)));
        number(tags::ROWS, self.side);
        number(tags::COLUMNS, self.side);
        number(tags::SAMPLES_PER_PIXEL, 1);
        let bits = if eight { 8 } else { 16 };
        number(tags::BITS_ALLOCATED, bits);
        number(tags::BITS_STORED, bits);
        number(tags::HIGH_BIT, bits - 1);
        number(tags::PIXEL_REPRESENTATION, u16::from(self.signed));
        let coded = match self.syntax {
            RLE => Some(codecs::rle(&values)),
            JPEG_LOSSLESS => Some(codecs::jpeg_lossless(&values, self.side)),
            JPEG_BASELINE => Some(codecs::jpeg_baseline(&values, self.side)),
            JPEG_2000 => Some(codecs::golden_jpeg_2000(k)),
            _ => None,
        };
        if let Some(mut coded) = coded {
            coded.resize(coded.len().next_multiple_of(2), 0);
            let fragments = PixelFragmentSequence::new(Vec::<u32>::new(), vec![coded]);
            object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, Value::from(fragments)));
        } else {
            object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(values.into())));
        }
        let meta = FileMetaTableBuilder::new().transfer_syntax(self.syntax);
        let file = object.with_meta(meta).unwrap();
        let mut bytes = Vec::new();
        file.write_all(&mut bytes).unwrap();
        bytes
    }

    /// The readers' XML: two readers who drew the same outlines.
    pub fn xml(&self) -> String {
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LidcReadMessage xmlns=\"http://www.nih.gov\"><ResponseHeader>\
             <SeriesInstanceUid>{}</SeriesInstanceUid></ResponseHeader>",
            self.series
        );
        for reader in 0..2 {
            xml.push_str("<readingSession>");
            for (n, e) in self.nodules.iter().enumerate() {
                write!(xml, "<unblindedReadNodule><noduleID>{reader}-{n}</noduleID><characteristics>").unwrap();
                for name in
                    ["subtlety", "internalStructure", "sphericity", "margin", "lobulation", "spiculation", "texture"]
                {
                    write!(xml, "<{name}>3</{name}>").unwrap();
                }
                write!(
                    xml,
                    "<calcification>6</calcification><malignancy>{}</malignancy></characteristics>",
                    4 + reader
                )
                .unwrap();
                for k in 0..self.slices {
                    if let Some(share) = e.section(self.z(k)) {
                        xml.push_str(&self.outline(k, e, share));
                    }
                }
                xml.push_str("</unblindedReadNodule>");
            }
            xml.push_str("</readingSession>");
        }
        xml + "</LidcReadMessage>\n"
    }

    fn outline(&self, k: usize, e: &Ellipsoid, share: f64) -> String {
        let mut xml = format!(
            "<roi><imageZposition>{}</imageZposition><imageSOP_UID>{}</imageSOP_UID><inclusion>TRUE</inclusion>",
            self.z(k),
            self.sop(k)
        );
        let mut points: Vec<(i32, i32)> = (0..720)
            .map(|step| {
                let angle = f64::from(step) * std::f64::consts::PI / 360.0;
                let at = |i: usize, f: f64| ((e.centre[i] + e.radii[i] * share * f) / self.spacing).round() as i32;
                (at(0, angle.cos()), at(1, angle.sin()))
            })
            .collect();
        points.dedup();
        if points.len() > 1 && points.first() == points.last() {
            points.pop();
        }
        for (x, y) in points {
            write!(xml, "<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>").unwrap();
        }
        xml + "</roi>"
    }
}
