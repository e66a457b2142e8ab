//! NoduleMNIST3D of MedMNIST v2 (Yang et al., Scientific Data 2023): crops of 1 mm, bytes instead of HU, two classes, three parts.

use super::class::{Class, Thresholds};
use super::crops::{Dataset, DatasetHeader, SCHEMA, Voxels};
use super::table::Row;
use crate::error::{Error, Result};
use crate::volume::crop::{Patch, SIDE};
use crate::volume::geometry::{CropGeometry, Extent};
use crate::volume::grid::{Margin, cell_offset};
use crate::volume::npy::Array;
use crate::volume::voxels::Volume;

/// The parts, in the order of the folds that they become.
pub const PARTS: [&str; 3] = ["test", "val", "train"];

/// What the bytes and voxels stand for, which the file does not say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Meaning {
    /// HU of 0 and of 255.
    pub hu: [f32; 2],
    /// The side of a crop in mm.
    pub side_mm: f64,
}

/// A data set of the parts' images `[N, n, n, n]` and labels `[N, 1]` (0 benign, 1 malignant); part k is fold k. Crops are resampled to
/// 32 samples an axis of the same box. The file has no patients: each crop counts as one of its own.
///
/// # Errors
/// When images and labels don't belong together.
pub fn dataset(parts: [(Array, Array); 3], meaning: Meaning, file: &str) -> Result<Dataset> {
    let (mut rows, mut hu) = (Vec::new(), Vec::new());
    let [low, high] = meaning.hu;
    for (fold, (images, labels)) in parts.iter().enumerate() {
        let shape = |name: &str, array: &Array, expected: Vec<usize>| Error::Shape {
            file: file.into(),
            name: format!("{}_{name}", PARTS[fold]),
            expected,
            found: array.shape.clone(),
        };
        let side = match images.shape[..] {
            [_, z, y, x] if z == y && y == x && z > 1 => z,
            _ => return Err(shape("images", images, vec![labels.values.len(), 28, 28, 28])),
        };
        let count = images.shape[0];
        if labels.values.len() != count {
            return Err(shape("labels", labels, vec![count, 1]));
        }
        for (i, (image, label)) in images.values.chunks_exact(side.pow(3)).zip(&labels.values).enumerate() {
            let id = format!("{}-{i}", PARTS[fold]);
            let class = match *label {
                0.0 => Class::Benign,
                1.0 => Class::Malignant,
                other => {
                    let what = format!("the label of {id}");
                    return Err(Error::OutOfRange { what, value: other.to_string(), expected: "0 or 1".into() });
                }
            };
            let values = image.iter().map(|v| low + v / 255.0 * (high - low)).collect();
            let patch = resampled(values, side)?;
            hu.extend(patch.hu().iter().map(|v| v.round().clamp(-32768.0, 32767.0) as i16));
            rows.push(row(id, class, fold));
        }
    }
    let header = DatasetHeader {
        schema: SCHEMA,
        name: "nodulemnist3d".into(),
        source: format!("MedMNIST v2, NoduleMNIST3D ({file})"),
        license: "CC BY 4.0".into(),
        citation: "Yang J et al., MedMNIST v2, Scientific Data 10:41 (2023), doi:10.1038/s41597-022-01721-8".into(),
        hu_window: [-1000.0, 400.0],
        thresholds: Thresholds::Inclusive,
        crop: CropGeometry::cube(Extent::mm(meaning.side_mm)?),
        margin: Margin::default(),
        synthetic: false,
        notes: format!(
            "0 and 255 of the file are taken for {low} and {high} HU. Folds: 0 its test part, 1 its validation part, 2 its training part."
        ),
    };
    Dataset::new(header, rows, Voxels::I16(hu), 1.0, 0.0)
}

fn row(id: String, class: Class, fold: usize) -> Row {
    Row {
        patient_id: id.clone(),
        series_uid: String::new(),
        nodule_id: id,
        readers: None,
        ratings: None,
        malignancy_sum: None,
        mean_malignancy: None,
        class,
        diameter_mm: None,
        centre_mm: None,
        fold: Some(fold),
    }
}

/// A cube of `side` voxels an axis at the 32 cell centres of the same box, trilinear, its border repeated.
fn resampled(values: Vec<f32>, side: usize) -> Result<Patch> {
    let volume = Volume::new(values, [side; 3], [1.0; 3])?;
    let last = side as f64 - 1.0;
    let at = |i: usize| (last / 2.0 + cell_offset(i, SIDE, side as f64)).clamp(0.0, last);
    let axis: Vec<f64> = (0..SIDE).map(at).collect();
    Patch::sampled(&volume, &[axis.clone(), axis.clone(), axis], Margin::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_become_folds_and_bytes_hu() {
        // bytes that rise by 5 a voxel along z
        let image: Vec<f32> = (0..28 * 28 * 28).map(|i| (i / 784) as f32 * 5.0).collect();
        let part = |labels: &[f32]| {
            let n = labels.len();
            let images = Array { shape: vec![n, 28, 28, 28], values: image.repeat(n) };
            (images, Array { shape: vec![n, 1], values: labels.to_vec() })
        };
        let meaning = Meaning { hu: [-1024.0, 400.0], side_mm: 28.0 };
        let data = dataset([part(&[1.0]), part(&[0.0]), part(&[0.0, 1.0])], meaning, "a.npz").unwrap();
        let folds: Vec<_> = data.rows.iter().map(|r| (r.fold, r.class, r.nodule_id.as_str())).collect();
        assert_eq!(folds[0], (Some(0), Class::Malignant, "test-0"));
        assert_eq!(folds[2..], [(Some(2), Class::Benign, "train-0"), (Some(2), Class::Malignant, "train-1")]);
        assert_eq!(data.header.crop.to_string(), "28 mm");
        // the middle of the box, and one cell above: 28 / 32 of a voxel
        let crop = data.crop(0).unwrap();
        let along = |z: usize| f64::from(crop.hu()[z * 1024]);
        let known = |z: f64| -1024.0 + (13.5 + (z - 15.5) * 28.0 / 32.0) * 5.0 / 255.0 * 1424.0;
        assert!((along(15) - known(15.0)).abs() <= 0.5 && (along(16) - known(16.0)).abs() <= 0.5);
        assert_eq!(along(0), -1024.0);
        assert!(dataset([part(&[2.0]), part(&[0.0]), part(&[0.0])], meaning, "a").is_err());
        let (images, _) = part(&[1.0]);
        let odd = (images, Array { shape: vec![2, 1], values: vec![0.0; 2] });
        assert!(dataset([odd, part(&[0.0]), part(&[0.0])], meaning, "a").is_err());
    }
}
