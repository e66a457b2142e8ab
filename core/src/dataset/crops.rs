//! A data set: crops, their table and a header, as one directory of three files (README, "Data set format").

use std::io::Read;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use sha2::{Digest, Sha256};

pub use super::header::{DatasetHeader, HEADER, SCHEMA};
use super::table::{self, Row};
use crate::base::digest::hex;
use crate::error::{Error, Result};
use crate::volume::crop::{Crop, Normalisation, SIDE, VOXELS};
use crate::volume::grid::Margin;

/// The crops' file.
pub const CROPS: &str = "crops.safetensors";
/// The table's file.
pub const NODULES: &str = "nodules.csv";

/// The voxels as stored.
#[derive(Clone, Debug, PartialEq)]
pub enum Voxels {
    U8(Vec<u8>),
    I16(Vec<i16>),
}

/// The most bytes that a crops file's own header takes.
const FILE_HEADER: u64 = 1 << 20;

/// Crops with their nodules; around each lies the header's margin. HU = stored value * slope + intercept.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    pub header: DatasetHeader,
    pub rows: Vec<Row>,
    voxels: Voxels,
    slope: f32,
    intercept: f32,
}

impl Dataset {
    /// A data set from its parts.
    ///
    /// # Errors
    /// When rows and crops don't pair up, or the header is not usable.
    pub fn new(header: DatasetHeader, rows: Vec<Row>, voxels: Voxels, slope: f32, intercept: f32) -> Result<Self> {
        let set = Self { header, rows, voxels, slope, intercept };
        set.check("data set")?;
        Ok(set)
    }

    /// Reads the three files; `crops` may be gzip-compressed. `dir` names the place in errors.
    ///
    /// # Errors
    /// Whatever is wrong in one of them, by file, row and field.
    pub fn parse(dir: &str, crops: &[u8], nodules: &[u8], header: &[u8]) -> Result<Self> {
        let path = |name: &str| format!("{dir}/{name}");
        let parsed: DatasetHeader =
            serde_json::from_slice(header).map_err(|e| Error::BadJson { file: path(HEADER), reason: e.to_string() })?;
        let rows = table::parse(nodules, &path(NODULES))?;
        let unpacked;
        let bytes = if crops.starts_with(&[0x1f, 0x8b]) {
            // two bytes a sample at most
            let limit = (rows.len() * parsed.margin.voxels() * 2) as u64 + FILE_HEADER;
            unpacked = gunzip(crops, limit, &path(CROPS))?;
            unpacked.as_slice()
        } else {
            crops
        };
        let (voxels, slope, intercept) = parse_crops(bytes, parsed.margin, &path(CROPS))?;
        let set = Self { header: parsed, rows, voxels, slope, intercept };
        set.check(dir)?;
        Ok(set)
    }

    fn check(&self, dir: &str) -> Result<()> {
        if self.rows.len() != self.stored() {
            return Err(Error::RowCount {
                csv: format!("{dir}/{NODULES}"),
                rows: self.rows.len(),
                crops_file: format!("{dir}/{CROPS}"),
                crops: self.stored(),
            });
        }
        if self.rows.is_empty() {
            return Err(Error::BadTable {
                file: format!("{dir}/{NODULES}"),
                reason: "there is no nodule in it".into(),
            });
        }
        Normalisation::window(self.header.hu_window).check()
    }

    fn stored(&self) -> usize {
        let samples = match &self.voxels {
            Voxels::U8(v) => v.len(),
            Voxels::I16(v) => v.len(),
        };
        samples.div_ceil(self.header.margin.voxels())
    }

    /// How many nodules.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Never true: an empty data set is refused.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The HU samples of crop `index`, (z, y, x), written over `out` (32768 values).
    pub fn write_hu(&self, index: usize, out: &mut [f32]) {
        let (margin, first) = (self.header.margin, index * self.header.margin.voxels());
        for (k, line) in out.chunks_exact_mut(SIDE).enumerate() {
            self.write_from(first + margin.line(k / SIDE, k % SIDE), line);
        }
    }

    /// The HU samples of crop `index` and its margin, (z, y, x), written over `out` (as many values as the margin makes them).
    pub fn write_with_margin(&self, index: usize, out: &mut [f32]) {
        self.write_from(index * self.header.margin.voxels(), out);
    }

    /// As many samples as `out` has, from that of this number on.
    fn write_from(&self, start: usize, out: &mut [f32]) {
        let range = start..start + out.len();
        match &self.voxels {
            Voxels::U8(v) => out.iter_mut().zip(&v[range]).for_each(|(o, &v)| *o = self.hu(v.into())),
            Voxels::I16(v) => out.iter_mut().zip(&v[range]).for_each(|(o, &v)| *o = self.hu(v.into())),
        }
    }

    fn hu(&self, stored: f32) -> f32 {
        stored * self.slope + self.intercept
    }

    /// The bytes of the voxels as stored.
    pub fn bytes(&self) -> usize {
        match &self.voxels {
            Voxels::U8(v) => v.len(),
            Voxels::I16(v) => 2 * v.len(),
        }
    }

    /// The HU of every value that a voxel can be stored as, by its bits: 256 or 65,536 of them.
    pub fn levels(&self) -> Vec<f32> {
        match &self.voxels {
            Voxels::U8(_) => (0..=u8::MAX).map(|bits| self.hu(bits.into())).collect(),
            Voxels::I16(_) => (0..=u16::MAX).map(|bits| self.hu(bits.cast_signed().into())).collect(),
        }
    }

    /// The voxels as stored, four or two in a word of 32 bits, the first in the lowest bits; no word holds voxels of two crops, for
    /// with any margin a crop has a multiple of eight.
    pub fn words(&self) -> Vec<i32> {
        match &self.voxels {
            Voxels::U8(v) => v.chunks_exact(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
            Voxels::I16(v) => v.chunks_exact(2).map(|b| (i32::from(b[1]) << 16) | (i32::from(b[0]) & 0xffff)).collect(),
        }
    }

    /// Crop `index` in HU.
    ///
    /// # Errors
    /// When slope and intercept lead out of the finite numbers.
    pub fn crop(&self, index: usize) -> Result<Crop> {
        let mut hu = vec![0.0; VOXELS];
        self.write_hu(index, &mut hu);
        Crop::new(hu, &format!("crop {index}"))
    }

    /// The first `limit` nodules.
    pub fn truncated(mut self, limit: usize) -> Self {
        let n = limit.clamp(1, self.len());
        self.rows.truncate(n);
        let samples = n * self.header.margin.voxels();
        match &mut self.voxels {
            Voxels::U8(v) => v.truncate(samples),
            Voxels::I16(v) => v.truncate(samples),
        }
        self
    }

    /// SHA-256 over voxels, table and header: what a run's state is bound to.
    ///
    /// # Errors
    /// Never on memory.
    pub fn digest(&self) -> Result<String> {
        let mut hash = Sha256::new();
        for bytes in [self.crops_file()?, table::write(&self.rows)?, self.header.identity()?] {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(&bytes);
        }
        Ok(hex(&hash.finalize()))
    }

    /// The three files (name, bytes) that [`Self::parse`] reads.
    ///
    /// # Errors
    /// Never on memory.
    pub fn to_files(&self) -> Result<Vec<(&'static str, Vec<u8>)>> {
        let (crops, nodules) = (self.crops_file()?, table::write(&self.rows)?);
        Ok(vec![(CROPS, crops), (NODULES, nodules), (HEADER, self.header.to_json()?)])
    }

    fn crops_file(&self) -> Result<Vec<u8>> {
        let (dtype, bytes) = match &self.voxels {
            Voxels::U8(v) => (Dtype::U8, v.clone()),
            Voxels::I16(v) => (Dtype::I16, v.iter().flat_map(|x| x.to_le_bytes()).collect()),
        };
        let bad = |reason: String| Error::BadSafetensors { file: CROPS.into(), reason };
        let [depth, height, width] = self.header.margin.shape();
        let shape = vec![self.len(), depth, height, width];
        let view = TensorView::new(dtype, shape, &bytes).map_err(|e| bad(e.to_string()))?;
        // sorted by the map: byte-stable
        let metadata =
            [("hu_intercept".to_owned(), self.intercept.to_string()), ("hu_slope".to_owned(), self.slope.to_string())];
        crate::base::tensors::serialize([("crops", view)], metadata).map_err(bad)
    }
}

fn gunzip(bytes: &[u8], limit: u64, file: &str) -> Result<Vec<u8>> {
    let bad = |reason: String| Error::BadGzip { file: file.into(), limit, reason };
    let mut out = Vec::new();
    let mut reader = flate2::read::GzDecoder::new(bytes).take(limit + 1);
    reader.read_to_end(&mut out).map_err(|e| bad(e.to_string()))?;
    let more = || bad(format!("that is more than the nodules of {NODULES} need"));
    if out.len() as u64 > limit { Err(more()) } else { Ok(out) }
}

fn parse_crops(bytes: &[u8], margin: Margin, file: &str) -> Result<(Voxels, f32, f32)> {
    let bad = |reason: String| Error::BadSafetensors { file: file.into(), reason };
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| bad(e.to_string()))?;
    let number = |key: &str, default: f32| -> Result<f32> {
        let text = metadata.metadata().as_ref().and_then(|m| m.get(key));
        let value = text.map_or(Ok(default), |t| t.parse::<f32>()).map_err(|e| bad(format!("metadata {key}: {e}")))?;
        if value.is_finite() {
            Ok(value)
        } else {
            Err(Error::NonFinite { file: file.into(), what: format!("metadata {key}"), index: 0 })
        }
    };
    let (slope, intercept) = (number("hu_slope", 1.0)?, number("hu_intercept", 0.0)?);
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| bad(e.to_string()))?;
    let crops =
        tensors.tensor("crops").map_err(|_| Error::MissingTensor { file: file.into(), name: "crops".into() })?;
    let [depth, height, width] = margin.shape();
    if crops.shape().len() != 4 || crops.shape()[1..] != [depth, height, width] {
        return Err(Error::Shape {
            file: file.into(),
            name: "crops".into(),
            expected: vec![crops.shape().first().copied().unwrap_or(0), depth, height, width],
            found: crops.shape().to_vec(),
        });
    }
    let voxels = match crops.dtype() {
        Dtype::U8 => Voxels::U8(crops.data().to_vec()),
        Dtype::I16 => Voxels::I16(crops.data().chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect()),
        other => {
            return Err(Error::Dtype {
                file: file.into(),
                name: "crops".into(),
                expected: "U8 or I16",
                found: format!("{other:?}"),
            });
        }
    };
    Ok((voxels, slope, intercept))
}
