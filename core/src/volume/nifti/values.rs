//! Header and values of a NIfTI-1 file (nifti1.h).

use std::io::Read;

use nifti::{NiftiHeader, NiftiType};

use crate::error::NiftiFault;
use crate::volume::stored::Number;

/// No CT volume is larger: 1024 x 1024 x 1024 voxels.
const MAX_VOXELS: u64 = 1 << 30;
/// DT_RGB24 and DT_RGBA32.
const COLOURS: [i16; 2] = [128, 2304];

/// Header and voxels in HU, in stored order.
pub fn read(bytes: &[u8]) -> Result<(NiftiHeader, Vec<f32>), NiftiFault> {
    let unpacked;
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) {
        unpacked = gunzip(bytes)?;
        unpacked.as_slice()
    } else {
        bytes
    };
    let head = bytes.get(..348).ok_or_else(|| NiftiFault::NotNifti("shorter than its header".into()))?;
    if bytes.starts_with(&540i32.to_le_bytes()) || bytes.starts_with(&540i32.to_be_bytes()) {
        return Err(NiftiFault::Second);
    }
    if is_nifti_size(head) && head[344..348] == [0; 4] {
        return Err(NiftiFault::Analyze);
    }
    let mut h = NiftiHeader::from_reader(head).map_err(|e| NiftiFault::NotNifti(e.to_string()))?;
    if &h.magic[..3] == b"ni1" {
        return Err(NiftiFault::Pair);
    }
    h.fix();
    let dim: Vec<u16> = h.dim.iter().skip(1).take(usize::from(h.dim[0]).min(7)).copied().collect();
    // some writers leave the sizes of further axes 0
    if dim.len() < 3 || dim[3..].iter().any(|d| *d > 1) || dim[..3].contains(&0) {
        return Err(NiftiFault::Dimensions(dim));
    }
    if COLOURS.contains(&h.datatype) {
        return Err(NiftiFault::Colour(h.datatype));
    }
    let kind = h.data_type().map_err(|_| NiftiFault::Datatype(h.datatype))?;
    let count: u64 = dim[..3].iter().map(|d| u64::from(*d)).product();
    let start = if h.vox_offset.is_finite() && h.vox_offset >= 348.0 { h.vox_offset as usize } else { 352 };
    let body = bytes.get(start..).unwrap_or(&[]);
    let expected = count * kind.size_of() as u64;
    if count > MAX_VOXELS || (body.len() as u64) < expected {
        return Err(NiftiFault::Voxels { expected, found: body.len() as u64 });
    }
    let body = &body[..expected as usize];
    let scaled = h.scl_slope != 0.0 && h.scl_slope.is_finite() && h.scl_inter.is_finite();
    let (slope, intercept) = if scaled { (h.scl_slope, h.scl_inter) } else { (1.0, 0.0) };
    let number = match kind {
        NiftiType::Int8 => Number::I8,
        NiftiType::Uint8 => Number::U8,
        NiftiType::Int16 => Number::I16,
        NiftiType::Uint16 => Number::U16,
        NiftiType::Int32 => Number::I32,
        NiftiType::Uint32 => Number::U32,
        NiftiType::Int64 => Number::I64,
        NiftiType::Uint64 => Number::U64,
        NiftiType::Float32 => Number::F32,
        NiftiType::Float64 => Number::F64,
        _ => return Err(NiftiFault::Datatype(h.datatype)),
    };
    let values = number.read(body, matches!(h.endianness, nifti::Endianness::Big));
    Ok((h, values.into_iter().map(|v| v * slope + intercept).collect()))
}

/// The size that headers of NIfTI-1, and of Analyze before it, begin with.
fn is_nifti_size(head: &[u8]) -> bool {
    head.starts_with(&348i32.to_le_bytes()) || head.starts_with(&348i32.to_be_bytes())
}

fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, NiftiFault> {
    // the header says how much is needed; what follows is not unpacked
    let mut reader = flate2::read::MultiGzDecoder::new(bytes);
    let mut out = Vec::new();
    let bad = |e: std::io::Error| NiftiFault::Gzip(e.to_string());
    reader.by_ref().take(352).read_to_end(&mut out).map_err(bad)?;
    let Ok(h) = NiftiHeader::from_reader(out.as_slice()) else { return Ok(out) };
    let count = h.dim[1..4].iter().fold(1u64, |n, d| n.saturating_mul(u64::from((*d).max(1))));
    let size = h.data_type().map_or(1, |t| t.size_of() as u64);
    let limit = count.saturating_mul(size).min(MAX_VOXELS * 8).saturating_add(h.vox_offset.clamp(352.0, 1e7) as u64);
    reader.take(limit.saturating_sub(out.len() as u64)).read_to_end(&mut out).map_err(bad)?;
    Ok(out)
}
