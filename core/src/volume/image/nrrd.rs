//! NRRD, versions 1 to 5 (teem.sourceforge.net/nrrd/format.html), attached or detached.

use std::collections::BTreeMap;

use super::header::{Body, Fields, field, named, numbers, of_text, placed, sizes, unpacked};
use crate::error::{ImageFault, Result};
use crate::volume::placed::PlacedVolume;
use crate::volume::stored::Number;

/// What `fetch` gives.
type Fetch<'a> = &'a dyn Fn(&str) -> Option<Vec<u8>>;

/// How a volume lies: a vector an axis, LPS, mm; the first voxel; whether the axes are only assumed.
type Way = ([[f64; 3]; 3], [f64; 3], bool);

pub fn parse(bytes: &[u8], file: &str, fetch: Fetch) -> Result<PlacedVolume> {
    let bad = named(file);
    let (fields, rest) = header(bytes).map_err(&bad)?;
    let dimension = fields.needed("dimension", &["dimension"]).map_err(&bad)?;
    if dimension != "3" {
        return Err(bad(field("dimension", dimension, "3: one volume, no colours")));
    }
    let size = fields.needed("sizes", &["sizes"]).and_then(|text| sizes("sizes", text)).map_err(&bad)?;
    let fetched;
    let body = match fields.get(&["data file", "datafile"]) {
        None => rest,
        Some(name) => {
            fetched = fetch(name).ok_or_else(|| bad(ImageFault::Detached(name.into())))?;
            &fetched
        }
    };
    let values = values(&fields, body, size.iter().product()).map_err(&bad)?;
    let (steps, first, assumed) = way(&fields).map_err(&bad)?;
    placed(&values, size, steps, first, assumed, file, "NRRD")
}

/// The fields, and what lies behind the empty line.
fn header(bytes: &[u8]) -> Result<(Fields, &[u8]), ImageFault> {
    let mut fields = BTreeMap::new();
    let mut rest = bytes;
    loop {
        let end = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
        let line = String::from_utf8_lossy(&rest[..end]);
        let line = line.trim_end_matches('\r').trim_end();
        let ended = end == rest.len();
        rest = rest.get(end + 1..).unwrap_or_default();
        if line.is_empty() || ended {
            return Ok((Fields(fields), rest));
        }
        // key:=value pairs and comments say nothing of the volume
        if let Some((name, value)) = line.split_once(':').filter(|(_, v)| !v.starts_with('=') && !line.starts_with('#'))
        {
            fields.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
        if fields.len() > 200 {
            return Err(ImageFault::Header("more than 200 fields".into()));
        }
    }
}

fn values(fields: &Fields, body: &[u8], count: usize) -> Result<Vec<f32>, ImageFault> {
    let kind = fields.needed("type", &["type"])?;
    let number = number(kind).ok_or_else(|| field("type", kind, "a number of up to 64 bits"))?;
    let big = |needed: bool| match fields.get(&["endian"]).map(str::to_ascii_lowercase).as_deref() {
        Some("big") => Ok(true),
        Some("little") => Ok(false),
        None if !needed => Ok(false),
        found => Err(field("endian", found.unwrap_or_default(), "little or big")),
    };
    let big = || big(number.bytes() > 1);
    let skip = |names: &[&str]| fields.get(names).map_or(Ok(0), str::parse::<i64>);
    let whole = |_| field("line skip or byte skip", "", "a whole number");
    let lines = skip(&["line skip", "lineskip"]).map_err(whole)?;
    let skipped = skip(&["byte skip", "byteskip"]).map_err(whole)?;
    let mut body = body;
    for _ in 0..lines {
        let next = body.iter().position(|b| *b == b'\n').map_or(body.len(), |at| at + 1);
        if next == 0 || body.is_empty() {
            break;
        }
        body = &body[next..];
    }
    let needed = count.saturating_mul(number.bytes());
    let encoding = fields.needed("encoding", &["encoding"])?;
    // -1: the voxels are the file's last bytes, in raw ones alone
    let start = |bytes: &[u8]| match usize::try_from(skipped) {
        Ok(n) => n.min(bytes.len()),
        Err(_) => bytes.len().saturating_sub(needed),
    };
    match encoding.to_ascii_lowercase().as_str() {
        "raw" => Body { number, big: big()?, bytes: &body[start(body)..] }.values(count),
        "gzip" | "gz" => {
            let big = big()?;
            let ahead = usize::try_from(skipped).unwrap_or(0).min(1 << 20);
            let bytes = unpacked(flate2::read::MultiGzDecoder::new(body), needed.saturating_add(ahead))?;
            Body { number, big, bytes: bytes.get(ahead..).unwrap_or_default() }.values(count)
        }
        "ascii" | "text" | "txt" => of_text(body, count),
        _ => Err(field("encoding", encoding, "raw, gzip or ascii; save it again without other compression")),
    }
}

fn number(kind: &str) -> Option<Number> {
    Some(match kind {
        "signed char" | "int8" | "int8_t" => Number::I8,
        "uchar" | "unsigned char" | "uint8" | "uint8_t" => Number::U8,
        "short" | "short int" | "signed short" | "signed short int" | "int16" | "int16_t" => Number::I16,
        "ushort" | "unsigned short" | "unsigned short int" | "uint16" | "uint16_t" => Number::U16,
        "int" | "signed int" | "int32" | "int32_t" => Number::I32,
        "uint" | "unsigned int" | "uint32" | "uint32_t" => Number::U32,
        "longlong"
        | "long long"
        | "long long int"
        | "signed long long"
        | "signed long long int"
        | "int64"
        | "int64_t" => Number::I64,
        "ulonglong" | "unsigned long long" | "unsigned long long int" | "uint64" | "uint64_t" => Number::U64,
        "float" => Number::F32,
        "double" => Number::F64,
        _ => return None,
    })
}

/// `space` with `space directions` and `space origin`; where they are not there, `spacings` along axes that are taken for the patient's.
fn way(fields: &Fields) -> Result<Way, ImageFault> {
    let origin = fields.get(&["space origin"]).map(|text| numbers::<3>("space origin", text)).transpose()?;
    let space = fields.get(&["space"]).map(str::to_ascii_lowercase);
    // towards left, back and head
    let signs = match space.as_deref() {
        Some("left-posterior-superior" | "lps") => Some([1.0, 1.0, 1.0]),
        Some("right-anterior-superior" | "ras") => Some([-1.0, -1.0, 1.0]),
        Some("left-anterior-superior" | "las") => Some([1.0, -1.0, 1.0]),
        _ => None,
    };
    let mm = millimetres(fields)?;
    let turned = |v: [f64; 3]| {
        let s = signs.unwrap_or([1.0; 3]);
        [0, 1, 2].map(|i| v[i] * s[i] * mm[i])
    };
    let first = turned(origin.unwrap_or_default());
    if let Some(text) = fields.get(&["space directions"]) {
        let all = numbers::<9>("space directions", text)?;
        let steps = [0, 1, 2].map(|i| turned([all[3 * i], all[3 * i + 1], all[3 * i + 2]]));
        return Ok((steps, first, signs.is_none()));
    }
    let spacings = fields.needed("space directions", &["spacings"])?;
    let [x, y, z] = numbers::<3>("spacings", spacings)?;
    Ok(([[x * mm[0], 0.0, 0.0], [0.0, y * mm[1], 0.0], [0.0, 0.0, z * mm[2]]], first, true))
}

/// How many mm the units of the axes are; files that name none are in mm.
fn millimetres(fields: &Fields) -> Result<[f64; 3], ImageFault> {
    let Some(text) = fields.get(&["space units", "units"]) else { return Ok([1.0; 3]) };
    let unit = |name: &str| match name {
        "m" => Some(1e3),
        "cm" => Some(10.0),
        "" | "mm" | "millimeter" | "millimeters" | "millimetre" => Some(1.0),
        "um" | "\u{b5}m" | "\u{3bc}m" | "micron" | "microns" | "micrometer" => Some(1e-3),
        _ => None,
    };
    let bad = || field("space units", text, "\"m\", \"cm\", \"mm\" or \"um\" for each of three axes");
    // quoted, so that one may be empty
    let found: Option<Vec<f64>> = text.split('"').skip(1).step_by(2).map(unit).collect();
    found.and_then(|all| all.try_into().ok()).ok_or_else(bad)
}
