//! What one series gave, as bytes: the unit of work that a stopped preparation keeps, and how units become a data set.

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::CITATION;
use super::prepare::{Cut, Prepared, Settings, Skipped};
use crate::dataset::crops::{Dataset, DatasetHeader, SCHEMA, Voxels};
use crate::dataset::table::{self, Row};
use crate::error::{Error, Result};

/// Nodules with their crops, and the margins around these, in whole HU.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stored {
    pub rows: Vec<Row>,
    hu: Vec<i16>,
}

impl Stored {
    fn new(cut: Cut) -> Self {
        let hu = cut.patches.iter().flat_map(|p| p.hu()).map(|v| v.round().clamp(-32768.0, 32767.0) as i16).collect();
        Self { rows: cut.rows, hu }
    }

    fn append(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.hu.extend(other.hu);
    }
}

/// One series' share of a data set, with the account of what was left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    pub kept: Stored,
    pub dropped: Stored,
    pub skipped: Vec<Skipped>,
    /// Says of which files this was made.
    pub fingerprint: String,
}

impl Part {
    pub fn new(prepared: Prepared, fingerprint: String) -> Self {
        let (kept, dropped) = (Stored::new(prepared.kept), Stored::new(prepared.dropped));
        Self { kept, dropped, skipped: prepared.skipped, fingerprint }
    }

    /// # Errors
    /// Never on memory.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let bad = |reason: String| Error::BadSafetensors { file: "part".into(), reason };
        let bytes = |s: &Stored| s.hu.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        let (kept, dropped) = (bytes(&self.kept), bytes(&self.dropped));
        let view = |s: &Stored, bytes| {
            let samples = s.hu.len() / s.rows.len().max(1);
            TensorView::new(Dtype::I16, vec![s.rows.len(), samples], bytes).map_err(|e| bad(e.to_string()))
        };
        let rows = |s: &Stored| String::from_utf8(table::write(&s.rows)?).map_err(|e| bad(e.to_string()));
        let metadata = [
            ("fingerprint", self.fingerprint.clone()),
            ("kept", rows(&self.kept)?),
            ("dropped", rows(&self.dropped)?),
            ("skipped", serde_json::to_string(&self.skipped).map_err(|e| bad(e.to_string()))?),
        ];
        let views = [("kept", view(&self.kept, &kept)?), ("dropped", view(&self.dropped, &dropped)?)];
        crate::base::tensors::serialize(views, metadata.map(|(k, v)| (k.to_owned(), v))).map_err(bad)
    }

    /// # Errors
    /// When the file is damaged.
    pub fn parse(bytes: &[u8], file: &str) -> Result<Self> {
        let bad = |reason: String| Error::BadSafetensors { file: file.into(), reason };
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| bad(e.to_string()))?;
        let text = |key: &str| {
            let found = metadata.metadata().as_ref().and_then(|m| m.get(key)).cloned();
            found.ok_or_else(|| bad(format!("metadata {key} is missing")))
        };
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| bad(e.to_string()))?;
        let stored = |name: &str| {
            let crops = tensors.tensor(name).map_err(|e| bad(e.to_string()))?;
            let hu: Vec<i16> = crops.data().chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
            let rows = table::parse(text(name)?.as_bytes(), file)?;
            let whole = crops.dtype() == Dtype::I16 && crops.shape().first() == Some(&rows.len());
            if whole { Ok(Stored { rows, hu }) } else { Err(bad("rows and crops differ".into())) }
        };
        let skipped = serde_json::from_str(&text("skipped")?).map_err(|e| bad(e.to_string()))?;
        Ok(Self { kept: stored("kept")?, dropped: stored("dropped")?, skipped, fingerprint: text("fingerprint")? })
    }
}

/// The data set of what all parts kept, in their order, and that of what they dropped, if anything.
///
/// # Errors
/// When there is not a single nodule.
pub fn datasets(parts: Vec<Part>, settings: &Settings, source: &str) -> Result<(Dataset, Option<Dataset>)> {
    let (mut kept, mut dropped) = (Stored::default(), Stored::default());
    for part in parts {
        kept.append(part.kept);
        dropped.append(part.dropped);
    }
    let header = |name: &str, more: &str| DatasetHeader {
        schema: SCHEMA,
        name: name.into(),
        source: format!("LIDC-IDRI CT; {source}"),
        license: "CC BY 3.0".into(),
        citation: CITATION.into(),
        hu_window: [-1000.0, 400.0],
        thresholds: settings.thresholds,
        crop: settings.crop,
        margin: settings.margin,
        synthetic: false,
        notes: format!(
            "Crops around the nodule's centre, 32 samples an axis, trilinear. Labels are the readers' impressions.{more}"
        ),
    };
    let build = |header, s: Stored| Dataset::new(header, s.rows, Voxels::I16(s.hu), 1.0, 0.0);
    let left = if dropped.rows.is_empty() {
        None
    } else {
        Some(build(header("lidc-idri-dropped", " Nodules left out of the data set; skipped.csv says why."), dropped)?)
    };
    Ok((build(header("lidc-idri", ""), kept)?, left))
}
