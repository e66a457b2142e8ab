//! MetaImage (itk.org/Wiki/MetaIO), `.mha` and `.mhd`: the world is LPS, as ITK writes it.

use std::collections::BTreeMap;

use super::header::{Body, Fields, field, named, numbers, of_text, placed, sizes, unpacked};
use crate::error::{ImageFault, Result};
use crate::volume::placed::PlacedVolume;
use crate::volume::stored::Number;

/// What `fetch` gives.
type Fetch<'a> = &'a dyn Fn(&str) -> Option<Vec<u8>>;

pub fn parse(bytes: &[u8], file: &str, fetch: Fetch) -> Result<PlacedVolume> {
    let bad = named(file);
    let (fields, rest) = header(bytes).map_err(&bad)?;
    let dims = fields.needed("NDims", &["NDims"]).map_err(&bad)?;
    if dims != "3" {
        return Err(bad(field("NDims", dims, "3: one volume")));
    }
    let size = fields.needed("DimSize", &["DimSize"]).and_then(|text| sizes("DimSize", text)).map_err(&bad)?;
    let name = fields.needed("ElementDataFile", &["ElementDataFile"]).map_err(&bad)?;
    let fetched;
    let body = if name == "LOCAL" {
        rest
    } else {
        fetched = fetch(name).ok_or_else(|| bad(ImageFault::Detached(name.into())))?;
        &fetched
    };
    let values = values(&fields, body, size.iter().product()).map_err(&bad)?;
    let (steps, first) = way(&fields).map_err(&bad)?;
    placed(&values, size, steps, first, false, file, "MetaImage")
}

/// The fields up to `ElementDataFile`, which is the last, and what lies behind it.
fn header(bytes: &[u8]) -> Result<(Fields, &[u8]), ImageFault> {
    let mut fields = BTreeMap::new();
    let mut rest = bytes;
    while !rest.is_empty() && fields.len() <= 200 {
        let end = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        rest = rest.get(end + 1..).unwrap_or_default();
        let Some((name, value)) = line.split_once('=') else { continue };
        let name = name.trim().to_owned();
        let last = name == "ElementDataFile";
        fields.insert(name, value.trim().to_owned());
        if last {
            return Ok((Fields(fields), rest));
        }
    }
    Err(ImageFault::Missing("ElementDataFile"))
}

fn values(fields: &Fields, body: &[u8], count: usize) -> Result<Vec<f32>, ImageFault> {
    let yes = |names: &[&str]| fields.get(names).is_some_and(|v| v.eq_ignore_ascii_case("true"));
    let channels = fields.get(&["ElementNumberOfChannels"]).unwrap_or("1");
    if channels != "1" {
        return Err(field("ElementNumberOfChannels", channels, "1: colour images have no HU"));
    }
    let kind = fields.needed("ElementType", &["ElementType"])?;
    let number = match kind {
        "MET_CHAR" => Number::I8,
        "MET_UCHAR" => Number::U8,
        "MET_SHORT" => Number::I16,
        "MET_USHORT" => Number::U16,
        // four bytes in MetaIO, whatever the machine's own
        "MET_INT" | "MET_LONG" => Number::I32,
        "MET_UINT" | "MET_ULONG" => Number::U32,
        "MET_LONG_LONG" => Number::I64,
        "MET_ULONG_LONG" => Number::U64,
        "MET_FLOAT" => Number::F32,
        "MET_DOUBLE" => Number::F64,
        _ => return Err(field("ElementType", kind, "a number of up to 64 bits")),
    };
    if fields.get(&["BinaryData"]).is_some_and(|v| v.eq_ignore_ascii_case("false")) {
        return of_text(body, count);
    }
    let big = yes(&["BinaryDataByteOrderMSB", "ElementByteOrderMSB"]);
    let needed = count.saturating_mul(number.bytes());
    if yes(&["CompressedData"]) {
        let bytes = unpacked(flate2::read::ZlibDecoder::new(body), needed)?;
        return Body { number, big, bytes: &bytes }.values(count);
    }
    // -1: the voxels are the file's last bytes
    let skipped = match fields.get(&["HeaderSize"]) {
        None => 0,
        Some("-1") => body.len().saturating_sub(needed),
        Some(text) => text.parse().map_err(|_| field("HeaderSize", text, "a number of bytes"))?,
    };
    Body { number, big, bytes: body.get(skipped..).unwrap_or_default() }.values(count)
}

/// The ways along the axes, and the first voxel.
fn way(fields: &Fields) -> Result<([[f64; 3]; 3], [f64; 3]), ImageFault> {
    let spacing = fields.needed("ElementSpacing", &["ElementSpacing", "ElementSize"])?;
    let spacing = numbers::<3>("ElementSpacing", spacing)?;
    let first = fields.get(&["Offset", "Position", "Origin"]);
    let first = first.map_or(Ok([0.0; 3]), |text| numbers::<3>("Offset", text))?;
    let straight = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let matrix = fields.get(&["TransformMatrix", "Rotation", "Orientation"]);
    // three numbers an axis
    let m = matrix.map_or(Ok(straight), |text| numbers::<9>("TransformMatrix", text))?;
    Ok(([0, 1, 2].map(|i| [0, 1, 2].map(|r| m[3 * i + r] * spacing[i])), first))
}
