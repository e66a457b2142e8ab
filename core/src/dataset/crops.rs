//! A data set: crops, their table and a header, as one directory of three files (README, "Data set format").

use std::io::Read;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::class::Thresholds;
use super::table::{self, Row};
use crate::base::digest::hex;
use crate::error::{Error, Result};
use crate::volume::crop::{Crop, SIDE, Side, VOXELS};

/// The crops' file.
pub const CROPS: &str = "crops.safetensors";
/// The table's file.
pub const NODULES: &str = "nodules.csv";
/// The header's file.
pub const HEADER: &str = "dataset.json";

/// No compressed crops file may unpack to more: 100,000 crops of two bytes.
const MAX_UNPACKED: u64 = 100_000 * VOXELS as u64 * 2;

/// `dataset.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetHeader {
    pub schema: u32,
    pub name: String,
    pub source: String,
    pub license: String,
    pub citation: String,
    /// HU clipped to this window before scaling to 0..1.
    pub hu_window: [f32; 2],
    pub thresholds: Thresholds,
    #[serde(default)]
    pub notes: String,
}

/// The voxels as stored.
#[derive(Clone, Debug, PartialEq)]
pub enum Voxels {
    U8(Vec<u8>),
    I16(Vec<i16>),
}

/// Crops with their nodules. HU = stored value * slope + intercept.
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
        if parsed.schema != 1 {
            return Err(Error::BadJson {
                file: path(HEADER),
                reason: format!("schema {} is not supported, only 1", parsed.schema),
            });
        }
        let rows = table::parse(nodules, &path(NODULES))?;
        let unpacked;
        let bytes = if crops.starts_with(&[0x1f, 0x8b]) {
            unpacked = gunzip(crops, &path(CROPS))?;
            unpacked.as_slice()
        } else {
            crops
        };
        let (voxels, slope, intercept) = parse_crops(bytes, &path(CROPS))?;
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
        crate::volume::crop::Normalisation::window(self.header.hu_window).check()
    }

    /// The side of its crops, as its notes name it.
    pub fn side(&self) -> Side {
        Side::parse(&self.header.notes)
    }

    fn stored(&self) -> usize {
        match &self.voxels {
            Voxels::U8(v) => v.len() / VOXELS,
            Voxels::I16(v) => v.len() / VOXELS,
        }
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
        let range = index * VOXELS..(index + 1) * VOXELS;
        let (a, b) = (self.slope, self.intercept);
        match &self.voxels {
            Voxels::U8(v) => out.iter_mut().zip(&v[range]).for_each(|(o, &v)| *o = f32::from(v) * a + b),
            Voxels::I16(v) => out.iter_mut().zip(&v[range]).for_each(|(o, &v)| *o = f32::from(v) * a + b),
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
        match &mut self.voxels {
            Voxels::U8(v) => v.truncate(n * VOXELS),
            Voxels::I16(v) => v.truncate(n * VOXELS),
        }
        self
    }

    /// SHA-256 over voxels, table and header: what a run's state is bound to.
    ///
    /// # Errors
    /// Never on memory.
    pub fn digest(&self) -> Result<String> {
        let mut hash = Sha256::new();
        for (_, bytes) in self.to_files()? {
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
        let (dtype, bytes) = match &self.voxels {
            Voxels::U8(v) => (Dtype::U8, v.clone()),
            Voxels::I16(v) => (Dtype::I16, v.iter().flat_map(|x| x.to_le_bytes()).collect()),
        };
        let bad = |reason: String| Error::BadSafetensors { file: CROPS.into(), reason };
        let view =
            TensorView::new(dtype, vec![self.len(), SIDE, SIDE, SIDE], &bytes).map_err(|e| bad(e.to_string()))?;
        // sorted by the map: byte-stable
        let metadata =
            [("hu_intercept".to_owned(), self.intercept.to_string()), ("hu_slope".to_owned(), self.slope.to_string())];
        let crops = crate::base::tensors::serialize([("crops", view)], metadata).map_err(bad)?;
        let header = serde_json::to_vec_pretty(&self.header)
            .map_err(|e| Error::BadJson { file: HEADER.into(), reason: e.to_string() })?;
        Ok(vec![(CROPS, crops), (NODULES, table::write(&self.rows)?), (HEADER, header)])
    }
}

fn gunzip(bytes: &[u8], file: &str) -> Result<Vec<u8>> {
    let bad = |reason: String| Error::BadGzip { file: file.into(), limit: MAX_UNPACKED, reason };
    let mut out = Vec::new();
    let mut reader = flate2::read::GzDecoder::new(bytes).take(MAX_UNPACKED + 1);
    reader.read_to_end(&mut out).map_err(|e| bad(e.to_string()))?;
    if out.len() as u64 > MAX_UNPACKED { Err(bad("too large".into())) } else { Ok(out) }
}

fn parse_crops(bytes: &[u8], file: &str) -> Result<(Voxels, f32, f32)> {
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
    if crops.shape().len() != 4 || crops.shape()[1..] != [SIDE; 3] {
        return Err(Error::Shape {
            file: file.into(),
            name: "crops".into(),
            expected: vec![crops.shape().first().copied().unwrap_or(0), SIDE, SIDE, SIDE],
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
