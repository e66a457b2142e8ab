//! Arrays of NumPy (`numpy.lib.format`, versions 1 to 3): values in C order, as f32.
//!
//! The header is read here because a shape from anywhere must not be multiplied unchecked.

use super::crop::{Crop, SIDE, VOXELS};
use super::stored::Number;
use crate::error::{Error, Result};

/// How a file begins.
pub const MAGIC: &[u8] = b"\x93NUMPY";
/// No array of scans is larger.
const MOST: usize = 1 << 31;

/// An array with its shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    pub shape: Vec<usize>,
    /// In C order: the last axis runs fastest.
    pub values: Vec<f32>,
}

/// Reads an array; `file` names it in errors. Values are numbers of either byte order, stored in C or in Fortran order.
///
/// # Errors
/// When it is damaged, incomplete, or holds something else than numbers.
pub fn read(bytes: &[u8], file: &str) -> Result<Array> {
    let bad = |reason: &str| Error::BadNpy { file: file.into(), reason: reason.into() };
    let (head, body) = header(bytes).ok_or_else(|| bad("its header can't be read"))?;
    let value = |key: &str| head.split_once(&format!("'{key}':")).map(|(_, rest)| rest.trim_start());
    let descr = value("descr").and_then(|v| v.strip_prefix('\'')?.split_once('\'')).map(|(descr, _)| descr);
    let descr = descr.ok_or_else(|| bad("its type is no single number"))?;
    let fortran = value("fortran_order").is_some_and(|v| v.starts_with("True"));
    let dims = value("shape").and_then(|v| v.strip_prefix('(')?.split_once(')'));
    let (dims, _) = dims.ok_or_else(|| bad("it has no shape"))?;
    let dims = dims.split(',').map(str::trim).filter(|d| !d.is_empty()).map(str::parse::<usize>);
    let shape = dims.collect::<Result<Vec<_>, _>>().map_err(|_| bad("its shape is not of whole numbers"))?;
    let count = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d)).filter(|n| *n <= MOST);
    let count = count.ok_or_else(|| bad("it is larger than any scan"))?;
    let (order, kind) = descr.split_at_checked(1).unwrap_or(("", descr));
    let known = || Error::Dtype {
        file: file.into(),
        name: "array".into(),
        expected: "float32, float64, float16 or an integer of up to 64 bits (HU)",
        found: descr.chars().take(40).collect(),
    };
    if !["<", ">", "|", "="].contains(&order) {
        return Err(known());
    }
    let number = match kind {
        "f2" => Number::F16,
        "f4" => Number::F32,
        "f8" => Number::F64,
        "i1" => Number::I8,
        "u1" => Number::U8,
        "i2" => Number::I16,
        "u2" => Number::U16,
        "i4" => Number::I32,
        "u4" => Number::U32,
        "i8" => Number::I64,
        "u8" => Number::U64,
        _ => return Err(known()),
    };
    let stored = number.read(body, order == ">");
    if stored.len() < count {
        return Err(bad(&format!("{} values where {count} are declared", stored.len())));
    }
    let values = if fortran { turned(&stored[..count], &shape) } else { stored[..count].to_vec() };
    Ok(Array { shape, values })
}

/// Crops of `[32, 32, 32]` or `[N, 32, 32, 32]` HU samples, (z, y, x).
///
/// # Errors
/// As [`read`], for another shape, and when a value is not finite.
pub fn crops(bytes: &[u8], file: &str) -> Result<Vec<Crop>> {
    let Array { shape, values } = read(bytes, file)?;
    match shape[..] {
        [SIDE, SIDE, SIDE] => {}
        [n, SIDE, SIDE, SIDE] if n > 0 => {}
        _ => {
            let (name, expected) = ("array".into(), vec![SIDE; 3]);
            return Err(Error::Shape { file: file.into(), name, expected, found: shape });
        }
    }
    values.chunks_exact(VOXELS).map(|v| Crop::new(v.to_vec(), file)).collect()
}

/// A crop's HU samples as an array of `[32, 32, 32]`, (z, y, x), byte for byte as `numpy.save` writes it.
pub fn written(crop: &Crop) -> Vec<u8> {
    let head = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({SIDE}, {SIDE}, {SIDE}), }}");
    // the values begin at a multiple of 64 bytes
    let head = format!("{head:<117}\n");
    let length = (head.len() as u16).to_le_bytes();
    let values = crop.hu().iter().flat_map(|v| v.to_le_bytes());
    [MAGIC, &[1, 0], &length, head.as_bytes()].concat().into_iter().chain(values).collect()
}

/// The header's text and what follows it.
fn header(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (version, rest) = rest.split_first_chunk::<2>()?;
    let (length, rest) = if version[0] == 1 {
        let (length, rest) = rest.split_first_chunk::<2>()?;
        (usize::from(u16::from_le_bytes(*length)), rest)
    } else {
        let (length, rest) = rest.split_first_chunk::<4>()?;
        (u32::from_le_bytes(*length) as usize, rest)
    };
    let (head, body) = rest.split_at_checked(length)?;
    Some((std::str::from_utf8(head).ok()?, body))
}

/// Values whose first axis runs fastest, in C order.
fn turned(values: &[f32], shape: &[usize]) -> Vec<f32> {
    let place = |mut i: usize| {
        // digits of i, the last axis first, each at its stride among the stored values
        let strides = shape.iter().scan(1, |stride, d| Some(std::mem::replace(stride, *stride * d)));
        let strides: Vec<usize> = strides.collect();
        shape.iter().zip(strides).rev().fold(0, |at, (d, stride)| {
            let digit = i % d;
            i /= d;
            at + digit * stride
        })
    };
    (0..values.len()).map(|i| values[place(i)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(descr: &str, fortran: &str, shape: &str, body: &[u8]) -> Vec<u8> {
        let head = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        [MAGIC, &[1, 0], &(head.len() as u16).to_le_bytes(), head.as_bytes(), body].concat()
    }

    #[test]
    fn types_orders_and_shapes() {
        let values = [1i16, -2, 3, 4, 5, 6];
        let little: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let big: Vec<u8> = values.iter().flat_map(|v| v.to_be_bytes()).collect();
        let known = Array { shape: vec![2, 3], values: vec![1.0, -2.0, 3.0, 4.0, 5.0, 6.0] };
        assert_eq!(read(&npy("<i2", "False", "(2, 3)", &little), "a").unwrap(), known);
        assert_eq!(read(&npy(">i2", "False", "(2, 3)", &big), "a").unwrap(), known);
        // numpy.asfortranarray([[1, 3, 5], [-2, 4, 6]])
        let turned = read(&npy("<i2", "True", "(2, 3)", &little), "a").unwrap();
        assert_eq!(turned.values, [1.0, 3.0, 5.0, -2.0, 4.0, 6.0]);
        assert_eq!(read(&npy("<f2", "False", "(1,)", &[0x00, 0xc0]), "a").unwrap().values, [-2.0]);
        assert_eq!(read(&npy("|u1", "False", "()", &[200]), "a").unwrap().values, [200.0]);
    }

    /// The head is what `numpy.save` of numpy 2.4 writes for `numpy.zeros((32, 32, 32), '<f4')`.
    #[test]
    fn a_crop_is_read_as_it_was_written() {
        let hu: Vec<f32> = (0..VOXELS).map(|i| i as f32 / 64.0 - 1000.0).collect();
        let bytes = written(&Crop::new(hu.clone(), "a").unwrap());
        let shape = "{'descr': '<f4', 'fortran_order': False, 'shape': (32, 32, 32), }";
        let head = [b"\x93NUMPY\x01\x00v\x00", shape.as_bytes(), &[b' '; 52], b"\n"].concat();
        assert_eq!(bytes[..128], head);
        assert_eq!(crops(&bytes, "a").unwrap()[0].hu(), hu);
    }

    #[test]
    fn bad_arrays() {
        let refused = |bytes: &[u8], part: &str| {
            let message = read(bytes, "a.npy").unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        };
        refused(b"hello", "header can't be read");
        refused(&npy("<i2", "False", "(2, 3)", &[0; 11]), "5 values where 6 are declared");
        refused(&npy("<i2", "False", "(4294967296, 4294967296, 3)", &[]), "larger than any scan");
        refused(&npy("<c8", "False", "(1,)", &[0; 8]), "dtype <c8");
        refused(&npy("<i2", "False", "(-1,)", &[0; 8]), "whole numbers");
        refused(&npy("|O", "False", "(1,)", &[0; 8]), "dtype |O");
        refused(&npy("", "False", "(1,)", &[0; 8]), "dtype");
        let crop = npy("|u1", "False", "(2, 32, 32, 32)", &[7; 65536]);
        assert_eq!(crops(&crop, "a").unwrap().len(), 2);
        assert!(crops(&npy("|u1", "False", "(1, 1, 32, 32, 32)", &[7; 32768]), "a").is_err());
    }
}
