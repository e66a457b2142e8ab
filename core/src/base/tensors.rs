//! Tensors by name: safetensors in and out.

use std::collections::BTreeMap;

use half::f16;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::error::{Error, Result, check_finite};

/// A tensor in memory: shape and f32 values.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

impl Array {
    /// The transpose of a matrix.
    pub fn transposed(self) -> Self {
        let [rows, columns] = [self.shape[0], self.shape[1]];
        let mut values = Vec::with_capacity(self.values.len());
        for c in 0..columns {
            values.extend((0..rows).map(|r| self.values[r * columns + c]));
        }
        Self { shape: vec![columns, rows], values }
    }
}

/// Tensors by name, in name order.
pub type Arrays = BTreeMap<String, Array>;

/// How weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    F32,
    F16,
    /// Whole numbers, such as indices.
    I32,
}

/// All whole numbers up to here are f32 numbers.
const EXACT: u32 = 1 << 24;

/// Reads every tensor of a safetensors file; `file` names it in errors. Integers must be those that f32 holds exactly.
///
/// # Errors
/// A damaged file, another dtype than F32, F16, BF16 or I32, or a value that is not finite.
pub fn read(bytes: &[u8], file: &str) -> Result<Arrays> {
    read_some(bytes, file, |_| true)
}

/// [`read`], but only the tensors that `wanted` names.
///
/// # Errors
/// As [`read`].
pub fn read_some(bytes: &[u8], file: &str, wanted: impl Fn(&str) -> bool) -> Result<Arrays> {
    let bad = |e: safetensors::SafeTensorError| Error::BadSafetensors { file: file.into(), reason: e.to_string() };
    let tensors = SafeTensors::deserialize(bytes).map_err(bad)?;
    let mut out = Arrays::new();
    for (name, view) in tensors.iter().filter(|(name, _)| wanted(name)) {
        let values = floats(view.dtype(), view.data()).ok_or_else(|| Error::Dtype {
            file: file.into(),
            name: name.into(),
            expected: "F32, F16, BF16 or I32",
            found: format!("{:?}", view.dtype()),
        })?;
        check_finite(file, &format!("tensor `{name}`"), &values)?;
        out.insert(name.to_owned(), Array { shape: view.shape().to_vec(), values });
    }
    Ok(out)
}

fn floats(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    match dtype {
        Dtype::F32 => Some(converted(bytes, f32::from_le_bytes)),
        Dtype::F16 => Some(converted(bytes, |b| widen(u16::from_le_bytes(b)))),
        Dtype::BF16 => Some(converted(bytes, |b| half::bf16::from_le_bytes(b).to_f32())),
        Dtype::I32 => Some(converted(bytes, |b| match i32::from_le_bytes(b) {
            exact if exact.unsigned_abs() <= EXACT => exact as f32,
            _ => f32::NAN,
        })),
        _ => None,
    }
}

/// Values of `N` bytes as f32; in pieces, because a browser replaces a function by its fast version between calls, not within one.
fn converted<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    #[inline(never)]
    fn extend<const N: usize>(out: &mut Vec<f32>, bytes: &[u8], value: &impl Fn([u8; N]) -> f32) {
        out.extend(bytes.as_chunks().0.iter().map(|b| value(*b)));
    }
    let mut out = Vec::with_capacity(bytes.len() / N);
    bytes.chunks(1 << 14).for_each(|piece| extend(&mut out, piece, &value));
    out
}

/// An f16's bits as f32. Unlike `half`'s conversion compilers make vectors of it, also where processors have no instruction for it:
/// the difference of the exponents' offsets, 127 - 15, is a product.
fn widen(bits: u16) -> f32 {
    const EXPONENT: u32 = 0x7c00;
    let (sign, rest) = (u32::from(bits & 0x8000) << 16, u32::from(bits & 0x7fff));
    let finite = (f32::from_bits(rest << 13) * f32::from_bits((127 + 112) << 23)).to_bits();
    let magnitude = if rest >= EXPONENT { rest << 13 | 0xff << 23 } else { finite };
    f32::from_bits(sign | magnitude)
}

/// A safetensors file in one precision, byte-stable: tensors in name order, metadata in key order.
///
/// # Errors
/// Never on memory.
pub fn write(arrays: &Arrays, precision: Precision, metadata: &[(String, String)]) -> Result<Vec<u8>> {
    write_each(arrays, |_| precision, metadata)
}

/// [`write()`] with a precision for each tensor.
///
/// # Errors
/// Never on memory.
pub fn write_each(
    arrays: &Arrays,
    precision: impl Fn(&str) -> Precision,
    metadata: &[(String, String)],
) -> Result<Vec<u8>> {
    let bad = |reason: String| Error::BadSafetensors { file: "weights".into(), reason };
    let stored: Vec<(&str, &Array, Dtype, Vec<u8>)> = arrays
        .iter()
        .map(|(name, a)| {
            let (dtype, bytes) = match precision(name) {
                Precision::F32 => (Dtype::F32, a.values.iter().flat_map(|v| v.to_le_bytes()).collect()),
                Precision::F16 => (Dtype::F16, a.values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect()),
                Precision::I32 => (Dtype::I32, a.values.iter().flat_map(|v| (*v as i32).to_le_bytes()).collect()),
            };
            (name.as_str(), a, dtype, bytes)
        })
        .collect();
    let mut views = Vec::new();
    for (name, array, dtype, bytes) in &stored {
        let view = TensorView::new(*dtype, array.shape.clone(), bytes).map_err(|e| bad(e.to_string()))?;
        views.push((*name, view));
    }
    serialize(views, metadata.iter().cloned()).map_err(bad)
}

/// safetensors' own writer keeps metadata in a hash map of random order; with several keys the header is written again sorted.
pub(crate) fn serialize<'a>(
    views: impl IntoIterator<Item = (&'a str, TensorView<'a>)>,
    metadata: impl IntoIterator<Item = (String, String)>,
) -> std::result::Result<Vec<u8>, String> {
    let sorted: BTreeMap<String, String> = metadata.into_iter().collect();
    let bytes = safetensors::serialize(views, Some(sorted.clone().into_iter().collect())).map_err(|e| e.to_string())?;
    let header_len = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().map_err(|_| "short file")?))
        .map_err(|e| e.to_string())?;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + header_len]).map_err(|e| e.to_string())?;
    // serde_json's map is ordered by key
    let mut text = header.to_string().into_bytes();
    text.resize(header_len.max(text.len()).next_multiple_of(8), b' ');
    let mut out = Vec::with_capacity(bytes.len());
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text);
    out.extend(&bytes[8 + header_len..]);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f16_is_widened_exactly() {
        for bits in 0..=u16::MAX {
            let (ours, theirs) = (widen(bits), f16::from_bits(bits).to_f32());
            assert!(ours.to_bits() == theirs.to_bits() || (ours.is_nan() && theirs.is_nan()), "{bits:#x}");
        }
    }
}
