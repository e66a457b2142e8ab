//! The pixels of one slice, decoded to HU.

use std::io::Cursor;

use super::elements::{DataSet, PixelElement};
use super::header::{Format, SliceHeader};
use super::padding;
use super::syntax::Syntax;
use crate::error::DicomFault;
use crate::volume::voxels::OUTSIDE_HU;

/// The largest slice that is decoded, a side. CT has 512 or 1024; a claim of more than this is damage.
const MAX_SIDE: u16 = 4096;
/// No scanner measures less; what is stored below it marks the outside of the field of view.
const LOWEST_HU: f32 = -1024.0;

/// The slice in HU, `rows x columns`, row by row. Padding and whatever lies below -1024 HU read as air (-1000).
///
/// # Errors
/// When the pixels are missing, shorter than Rows x Columns x bits, or can't be decoded.
pub fn slice_hu(file: &[u8], header: &SliceHeader) -> Result<Vec<f32>, DicomFault> {
    decode(&DataSet::open(file)?, header)
}

pub(super) fn decode(data: &DataSet, header: &SliceHeader) -> Result<Vec<f32>, DicomFault> {
    let format = &header.format;
    for (name, side) in [("Rows", header.rows), ("Columns", header.columns)] {
        if side > MAX_SIDE {
            return Err(DicomFault::Value { name, value: side.to_string(), expected: "at most 4096" });
        }
    }
    let count = usize::from(header.rows) * usize::from(header.columns);
    let bytes = usize::from(format.bits_allocated / 8);
    let stored = data.pixels()?.ok_or(DicomFault::NoPixels)?;
    let raw: Vec<u16> = match (&stored, format.syntax) {
        (PixelElement::Native(pixels), s) if !s.encapsulated() => {
            if pixels.is_empty() {
                return Err(DicomFault::NoPixels);
            }
            if pixels.len() < count * bytes {
                return Err(DicomFault::PixelBytes { expected: (count * bytes) as u64, found: pixels.len() as u64 });
            }
            words(&pixels[..count * bytes], bytes)
        }
        (PixelElement::Fragments(parts), Syntax::Rle) => {
            let [_, fragment] = parts.as_slice() else { return Err(fragments("RLE", parts.len())) };
            words(&rle(fragment, count, bytes)?, bytes)
        }
        (PixelElement::Fragments(parts), Syntax::Jpeg) => jpeg(&joined("JPEG", parts)?, header, count)?,
        (PixelElement::Fragments(parts), Syntax::Jpeg2000) => jpeg2000(&joined("JPEG 2000", parts)?, header, count)?,
        _ => return Err(DicomFault::Damaged("the pixels are not stored as the transfer syntax says".into())),
    };
    let stored: Vec<i32> = raw.into_iter().map(|v| value(v, format)).collect();
    let outside = format.padding.map(|range| padding::outside(&stored, header, range));
    let outside = |i: usize| outside.as_ref().is_some_and(|o| o[i]);
    Ok(stored.iter().enumerate().map(|(i, v)| if outside(i) { OUTSIDE_HU } else { hu(*v, format) }).collect())
}

fn words(bytes: &[u8], width: usize) -> Vec<u16> {
    if width == 1 {
        bytes.iter().map(|b| u16::from(*b)).collect()
    } else {
        bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect()
    }
}

/// The stored bits, sign-extended.
fn value(raw: u16, f: &Format) -> i32 {
    let low = f.high_bit + 1 - f.bits_stored;
    let bits = (u32::from(raw) >> low) & ((1u32 << f.bits_stored) - 1);
    let negative = f.signed && bits >> (f.bits_stored - 1) == 1;
    if negative { bits as i32 - (1i32 << f.bits_stored) } else { bits as i32 }
}

/// A stored value after Rescale Slope and Intercept.
fn hu(value: i32, f: &Format) -> f32 {
    let hu = (f64::from(value) * f.slope + f.intercept.unwrap_or(0.0)) as f32;
    if hu < LOWEST_HU || !hu.is_finite() { OUTSIDE_HU } else { hu }
}

fn fragments(codec: &'static str, found: usize) -> DicomFault {
    if found < 2 {
        return DicomFault::NoPixels;
    }
    DicomFault::Codec { codec, reason: format!("{} fragments where one is expected", found - 1) }
}

/// The fragments after the offset table as one stream.
fn joined(codec: &'static str, parts: &[&[u8]]) -> Result<Vec<u8>, DicomFault> {
    let all = parts.get(1..).unwrap_or_default().concat();
    if all.is_empty() { Err(fragments(codec, 0)) } else { Ok(all) }
}

/// RLE Lossless (DICOM PS3.5 annex G): one PackBits segment a byte plane, the most significant first.
fn rle(fragment: &[u8], count: usize, planes: usize) -> Result<Vec<u8>, DicomFault> {
    let bad = |reason: &str| DicomFault::Codec { codec: "RLE", reason: reason.into() };
    let head = fragment.get(..64).ok_or_else(|| bad("its header is cut short"))?;
    let word = |i: usize| u32::from_le_bytes([head[i * 4], head[i * 4 + 1], head[i * 4 + 2], head[i * 4 + 3]]) as usize;
    if word(0) != planes {
        return Err(bad(&format!("{} segments where {planes} are expected", word(0))));
    }
    let mut out = vec![0u8; count * planes];
    for plane in 0..planes {
        let end = if plane + 1 < planes { word(plane + 2) } else { fragment.len() };
        let segment = fragment.get(word(plane + 1)..end).ok_or_else(|| bad("a segment lies outside of the data"))?;
        let place = planes - 1 - plane;
        let written = unpack_bits(segment, count, |i, value| out[i * planes + place] = value);
        if written < count {
            return Err(bad(&format!("a segment holds {written} of {count} bytes")));
        }
    }
    Ok(out)
}

/// PackBits: `n` in 0..=127 copies n + 1 bytes, -127..=-1 repeats one byte 1 - n times, -128 does nothing.
fn unpack_bits(segment: &[u8], count: usize, mut put: impl FnMut(usize, u8)) -> usize {
    let (mut at, mut written) = (0, 0);
    while written < count {
        let Some(&control) = segment.get(at) else { break };
        at += 1;
        let n = usize::from(control);
        if control < 128 {
            for &value in segment.iter().skip(at).take((n + 1).min(count - written)) {
                put(written, value);
                written += 1;
            }
            at += n + 1;
        } else if control > 128 {
            let Some(&value) = segment.get(at) else { break };
            at += 1;
            for _ in 0..(257 - n).min(count - written) {
                put(written, value);
                written += 1;
            }
        }
    }
    written
}

/// A check of what a compressed image says of itself, before it is decoded.
fn same_size(codec: &'static str, header: &SliceHeader, width: u32, height: u32) -> Result<(), DicomFault> {
    if (width, height) == (u32::from(header.columns), u32::from(header.rows)) {
        return Ok(());
    }
    let reason = format!("it is {width} x {height}, but Columns x Rows say {} x {}", header.columns, header.rows);
    Err(DicomFault::Codec { codec, reason })
}

fn jpeg(bytes: &[u8], header: &SliceHeader, count: usize) -> Result<Vec<u16>, DicomFault> {
    use jpeg_decoder::PixelFormat;
    let bad = |e: &dyn std::fmt::Display| DicomFault::Codec { codec: "JPEG", reason: e.to_string() };
    let mut decoder = jpeg_decoder::Decoder::new(Cursor::new(bytes));
    decoder.set_max_decoding_buffer_size(count * 2);
    decoder.read_info().map_err(|e| bad(&e))?;
    let info = decoder.info().ok_or_else(|| bad(&"no frame in it"))?;
    same_size("JPEG", header, info.width.into(), info.height.into())?;
    let decoded = decoder.decode().map_err(|e| bad(&e))?;
    let raw: Vec<u16> = match info.pixel_format {
        PixelFormat::L8 => decoded.iter().map(|v| u16::from(*v)).collect(),
        PixelFormat::L16 => decoded.chunks_exact(2).map(|b| u16::from_ne_bytes([b[0], b[1]])).collect(),
        other => return Err(bad(&format!("{other:?} pixels where grey ones are expected"))),
    };
    if raw.len() == count { Ok(raw) } else { Err(bad(&format!("{} of {count} pixels", raw.len()))) }
}

/// Where a codestream says precision and sign of its first component.
const SSIZ: usize = 42;

fn jpeg2000(bytes: &[u8], header: &SliceHeader, count: usize) -> Result<Vec<u16>, DicomFault> {
    let bad = |e: &dyn std::fmt::Display| DicomFault::Codec { codec: "JPEG 2000", reason: e.to_string() };
    let settings = hayro_jpeg2000::DecodeSettings { strict: true, ..Default::default() };
    let image = hayro_jpeg2000::Image::new(bytes, &settings).map_err(|e| bad(&e))?;
    same_size("JPEG 2000", header, image.width(), image.height())?;
    let mut context = hayro_jpeg2000::DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(|e| bad(&e))?;
    let [grey] = decoded.components() else { return Err(bad(&"more than one component")) };
    let samples = grey.samples();
    if samples.len() != count {
        return Err(bad(&format!("{} of {count} pixels", samples.len())));
    }
    // the decoder shifts every component by half its range, which only unsigned ones ask for (ISO 15444-1, SIZ: Ssiz)
    let signed = bytes.get(SSIZ).is_some_and(|s| s & 0x80 != 0);
    let shift = if signed { 2f32.powi(i32::from(grey.bit_depth()) - 1) } else { 0.0 };
    // two's complement where signed; the mask of the stored bits follows
    Ok(samples.iter().map(|v| (v.round() - shift).clamp(-32768.0, 65535.0) as i32 as u16).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(bits_stored: u16, signed: bool) -> Format {
        Format {
            syntax: Syntax::ExplicitLittle,
            bits_allocated: 16,
            bits_stored,
            high_bit: bits_stored - 1,
            signed,
            slope: 1.0,
            intercept: Some(-1024.0),
            other_unit: None,
            padding: None,
        }
    }

    #[test]
    fn stored_bits_and_signs() {
        let read = |raw: u16, f: &Format| hu(value(raw, f), f);
        assert_eq!(read(0x0fff, &format(12, false)), 4095.0 - 1024.0);
        // bits above the stored ones are overlays, not values
        assert_eq!(read(0xf001, &format(12, false)), 1.0 - 1024.0);
        let signed = Format { intercept: Some(0.0), ..format(16, true) };
        assert_eq!(read((-700i16) as u16, &signed), -700.0);
        // outside of the field of view
        assert_eq!(read((-2000i16) as u16, &signed), -1000.0);
    }

    #[test]
    fn pack_bits() {
        // the example of PackBits: three literals, a run, a no-op
        let mut out = [0u8; 8];
        let n = unpack_bits(&[2, 1, 2, 3, 0x80, 0xfc, 9], 8, |i, v| out[i] = v);
        assert_eq!((n, out), (8, [1, 2, 3, 9, 9, 9, 9, 9]));
        assert_eq!(unpack_bits(&[5, 1], 8, |_, _| ()), 1);
    }
}
