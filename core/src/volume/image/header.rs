//! What both formats share: fields by name, data by the file's own rules, a place.

use std::collections::BTreeMap;
use std::io::Read;

use crate::error::{Error, ImageFault, Result};
use crate::volume::placed::{Affine, PlacedVolume};
use crate::volume::stored::Number;
use crate::volume::warning::Warning;

/// No CT volume has more voxels.
const MAX_VOXELS: usize = 1 << 30;

/// The fields of a header by their names.
pub struct Fields(pub BTreeMap<String, String>);

impl Fields {
    /// The first field of these names that is there.
    pub fn get(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.0.get(*name)).map(String::as_str)
    }

    pub fn needed(&self, name: &'static str, names: &[&str]) -> Result<&str, ImageFault> {
        self.get(names).ok_or(ImageFault::Missing(name))
    }
}

/// Exactly `N` numbers of a text.
pub fn numbers<const N: usize>(name: &'static str, text: &str) -> Result<[f64; N], ImageFault> {
    let split = |c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')');
    let found: Vec<f64> = text.split(split).filter_map(|v| v.parse().ok()).collect();
    let count = text.split(split).filter(|v| !v.is_empty()).count();
    let bad = |_| field(name, text, "that many finite numbers");
    let found = <[f64; N]>::try_from(found).map_err(bad)?;
    if count == N && found.iter().all(|v| v.is_finite()) { Ok(found) } else { Err(bad(Vec::new())) }
}

pub fn field(name: &'static str, value: &str, expected: &'static str) -> ImageFault {
    ImageFault::Field { name, value: value.chars().take(80).collect(), expected }
}

/// Three sizes of an axis, with their product within reason.
pub fn sizes(name: &'static str, text: &str) -> Result<[usize; 3], ImageFault> {
    let found = numbers::<3>(name, text)?;
    let whole = found.iter().all(|v| v.fract() == 0.0 && (1.0..=65535.0).contains(v));
    let sizes = found.map(|v| v as usize);
    let count = sizes.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
    let usable = whole && count.is_some_and(|n| n <= MAX_VOXELS);
    if usable { Ok(sizes) } else { Err(field(name, text, "three whole numbers of voxels")) }
}

/// Voxels as a file has them.
pub struct Body<'a> {
    pub number: Number,
    pub big: bool,
    pub bytes: &'a [u8],
}

impl Body<'_> {
    /// The first `count` values.
    pub fn values(&self, count: usize) -> Result<Vec<f32>, ImageFault> {
        let expected = count.saturating_mul(self.number.bytes());
        let body = self.bytes.get(..expected);
        let short = || ImageFault::Voxels { expected: expected as u64, found: self.bytes.len() as u64 };
        Ok(self.number.read(body.ok_or_else(short)?, self.big))
    }
}

/// The first `count` values of voxels that are written as words.
pub fn of_text(body: &[u8], count: usize) -> Result<Vec<f32>, ImageFault> {
    let text = String::from_utf8_lossy(body);
    let read: Result<Vec<f32>, _> = text.split_ascii_whitespace().take(count).map(str::parse).collect();
    let read = read.map_err(|_| ImageFault::Packed("not numbers".into()))?;
    let found = read.len() as u64;
    if read.len() == count { Ok(read) } else { Err(ImageFault::Voxels { expected: count as u64, found }) }
}

/// Unpacks as many bytes as the voxels need.
pub fn unpacked(reader: impl Read, needed: usize) -> Result<Vec<u8>, ImageFault> {
    let mut out = Vec::new();
    reader.take(needed as u64).read_to_end(&mut out).map_err(|e| ImageFault::Packed(e.to_string()))?;
    Ok(out)
}

/// A volume of values whose axes go these ways (a vector an axis, LPS, mm a voxel) from this first voxel.
pub fn placed(
    values: &[f32],
    size: [usize; 3],
    steps: [[f64; 3]; 3],
    first: [f64; 3],
    assumed: bool,
    file: &str,
    format: &'static str,
) -> Result<PlacedVolume> {
    // LPS to RAS+
    let row = |r: usize| {
        let sign = if r == 2 { 1.0 } else { -1.0 };
        [sign * steps[0][r], sign * steps[1][r], sign * steps[2][r], sign * first[r]]
    };
    let affine: Affine = [row(0), row(1), row(2)];
    let mut volume = PlacedVolume::new(values, size, affine, file, format)?;
    volume.warnings.splice(..0, assumed.then_some(Warning::Orientation));
    Ok(volume)
}

/// A fault with the file's name.
pub fn named(file: &str) -> impl Fn(ImageFault) -> Error {
    move |fault| Error::Image { file: file.into(), fault }
}
