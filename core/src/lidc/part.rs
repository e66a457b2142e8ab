//! What one series gave, as bytes: the unit of work that a stopped preparation keeps, and how units become a data set.

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::prepare::{Prepared, Settings, Skipped};
use crate::data::crop::{Crop, SIDE, VOXELS};
use crate::data::dataset::{Dataset, Header, Voxels};
use crate::data::table::{self, Row};
use crate::error::{Error, Result};

/// The crops of one series in whole HU, with their rows and the account of what was left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub rows: Vec<Row>,
    pub skipped: Vec<Skipped>,
    hu: Vec<i16>,
    /// Says of which files this was made.
    pub fingerprint: String,
}

impl Part {
    pub fn new(prepared: Prepared, fingerprint: String) -> Self {
        let hu = prepared.crops.iter().flat_map(|c: &Crop| c.hu()).map(|v| v.round().clamp(-32768.0, 32767.0) as i16);
        Self { hu: hu.collect(), rows: prepared.rows, skipped: prepared.skipped, fingerprint }
    }

    /// # Errors
    /// Never on memory.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let bad = |reason: String| Error::BadSafetensors { file: "part".into(), reason };
        let bytes: Vec<u8> = self.hu.iter().flat_map(|v| v.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::I16, vec![self.rows.len(), SIDE, SIDE, SIDE], &bytes);
        let view = view.map_err(|e| bad(e.to_string()))?;
        let rows = String::from_utf8(table::write(&self.rows)?).map_err(|e| bad(e.to_string()))?;
        let skipped = serde_json::to_string(&self.skipped).map_err(|e| bad(e.to_string()))?;
        let metadata = [("fingerprint", self.fingerprint.clone()), ("rows", rows), ("skipped", skipped)];
        crate::model::weights::serialize([("crops", view)], metadata.map(|(k, v)| (k.to_owned(), v))).map_err(bad)
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
        let crops = tensors.tensor("crops").map_err(|e| bad(e.to_string()))?;
        let hu: Vec<i16> = crops.data().chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
        let rows = table::parse(text("rows")?.as_bytes(), file)?;
        let skipped = serde_json::from_str(&text("skipped")?).map_err(|e| bad(e.to_string()))?;
        if crops.dtype() != Dtype::I16 || hu.len() != rows.len() * VOXELS {
            return Err(bad("rows and crops differ".into()));
        }
        Ok(Self { rows, skipped, hu, fingerprint: text("fingerprint")? })
    }
}

/// The data set of all parts, in the order given.
///
/// # Errors
/// When there is not a single nodule.
pub fn dataset(parts: Vec<Part>, settings: &Settings, source: &str) -> Result<Dataset> {
    let (mut rows, mut hu) = (Vec::new(), Vec::new());
    for part in parts {
        rows.extend(part.rows);
        hu.extend(part.hu);
    }
    let header = Header {
        schema: 1,
        name: "lidc-idri".into(),
        source: format!("LIDC-IDRI CT; {source}"),
        license: "CC BY 3.0".into(),
        citation: "Armato SG III et al., Data From LIDC-IDRI, The Cancer Imaging Archive 2015, doi:10.7937/K9/TCIA.2015.LO9QL9SX; \
                   Medical Physics 38:915-931 (2011); Clark K et al., J Digit Imaging 26:1045-1057 (2013)"
            .into(),
        hu_window: [-1000.0, 400.0],
        thresholds: settings.thresholds,
        notes: format!(
            "Crops: {}, around the nodule's centre, 32 samples an axis, trilinear. Labels are the readers' impressions.",
            settings.side()
        ),
    };
    Dataset::new(header, rows, Voxels::I16(hu), 1.0, 0.0)
}
