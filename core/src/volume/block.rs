//! A block of a scan as challenges give them (LUNA25): an array of HU, and where it lies in a document beside it.

use serde::Deserialize;

use super::npy;
use super::placed::{Affine, PlacedVolume};
use crate::error::{Error, Result};

/// The document: three numbers an axis, in the array's order (z, y, x).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Where {
    /// mm of a voxel.
    spacing: [f64; 3],
    /// Centre of the first voxel in the scanner's frame (LPS), mm.
    origin: [f64; 3],
    /// The axes' directions, a column an axis; straight where there are none.
    transform: Option<[[f64; 3]; 3]>,
}

/// A block of `array` (`.npy`, (z, y, x)) and `place` (JSON of `spacing` and `origin`); `file` names it in errors.
///
/// # Errors
/// When one of them can't be read, or the array has not three axes.
pub fn parse(array: &[u8], place: &[u8], file: &str) -> Result<PlacedVolume> {
    let npy::Array { shape, values } = npy::read(array, file)?;
    let [nz, ny, nx] = shape[..] else {
        return Err(Error::Shape {
            file: file.into(),
            name: "block".into(),
            expected: vec![64, 128, 128],
            found: shape,
        });
    };
    let at: Where = serde_json::from_slice(place)
        .map_err(|e| Error::BadJson { file: format!("{file}, its place"), reason: e.to_string() })?;
    let straight = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    let directions = at.transform.unwrap_or(straight);
    // (z, y, x) to (x, y, z), and LPS to RAS+
    let row = |r: usize| {
        let sign = if r == 2 { 1.0 } else { -1.0 };
        let step = |c: usize| sign * directions[2 - r][2 - c] * at.spacing[2 - c];
        [step(0), step(1), step(2), sign * at.origin[2 - r]]
    };
    let affine: Affine = [row(0), row(1), row(2)];
    if values.is_empty() {
        return Err(Error::Shape {
            file: file.into(),
            name: "block".into(),
            expected: vec![64, 128, 128],
            found: shape,
        });
    }
    PlacedVolume::new(&values, [nx, ny, nz], affine, file, "block")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::frame::{Lps, Point};

    /// An array of values that say their place, (2, 3, 4) voxels of 2, 1 and 0.5 mm.
    #[test]
    fn a_block_lies_where_its_document_says() {
        let head = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 4), }";
        let values: Vec<u8> = (0..24).collect();
        let array = [npy::MAGIC, &[1, 0], &(head.len() as u16).to_le_bytes(), head.as_bytes(), &values].concat();
        let block = parse(&array, br#"{"spacing": [2, 1, 0.5], "origin": [-100, 20, -30]}"#, "a").unwrap();
        assert_eq!((block.volume().dims(), block.volume().spacing()), ([2, 3, 4], [2.0, 1.0, 0.5]));
        assert_eq!(block.first().unwrap().xyz(), [-30.0, 20.0, -100.0]);
        let at = Point::<Lps>::new([-29.0, 21.0, -98.0]).unwrap();
        assert_eq!(block.voxel(at.into()).unwrap().xyz(), [2.0, 1.0, 1.0]);
        assert_eq!(block.volume().sample([1.0, 1.0, 2.0]), 18.0);
        for bad in [r#"{"spacing": [2, 1, 0.5]}"#, r#"{"spacing": [2, 1, 0], "origin": [0, 0, 0]}"#, "[]"] {
            assert!(parse(&array, bad.as_bytes(), "a").is_err(), "{bad}");
        }
    }
}
