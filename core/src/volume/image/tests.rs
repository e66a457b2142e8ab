//! One volume as NRRD and as MetaImage, in every way that they have.

use std::io::Write;

use super::*;
use crate::volume::frame::{Lps, Point};
use crate::volume::warning::Warning;

/// 2 x 3 x 4 voxels (x, y, z), -900 and upwards.
fn voxels() -> Vec<i16> {
    (0..24).map(|v| v - 900).collect()
}

fn little() -> Vec<u8> {
    voxels().iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn big() -> Vec<u8> {
    voxels().iter().flat_map(|v| v.to_be_bytes()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

fn nrrd(fields: &str, body: &[u8]) -> Vec<u8> {
    [format!("NRRD0004\n# made here\ntype: short\ndimension: 3\nsizes: 2 3 4\n{fields}\n").as_bytes(), body].concat()
}

const SPACE: &str =
    "space: left-posterior-superior\nspace directions: (0.5,0,0) (0,0.75,0) (0,0,2)\nspace origin: (-30,-20,-100)\n";

/// That a volume lies at -30, -20, -100 (LPS), and holds its values in order.
fn is_known(volume: &PlacedVolume, what: &str) {
    assert_eq!(volume.first().unwrap().xyz(), [-30.0, -20.0, -100.0], "{what}");
    assert_eq!(volume.volume().spacing(), [2.0, 0.75, 0.5], "{what}");
    assert_eq!(volume.volume().voxels()[..3], [-900.0, -899.0, -898.0], "{what}");
    let at = Point::<Lps>::new([-29.5, -18.5, -94.0]).unwrap();
    assert_eq!(volume.voxel(at.into()).unwrap().xyz(), [1.0, 2.0, 3.0], "{what}");
}

fn none(_: &str) -> Option<Vec<u8>> {
    None
}

#[test]
fn nrrd_in_every_encoding() {
    let text = voxels().iter().map(i16::to_string).collect::<Vec<_>>().join(" ");
    let ras = "space: RAS\nspace directions: (-0.5,0,0) (0,-0.75,0) (0,0,2)\nspace origin: (30,20,-100)\n";
    for (what, bytes) in [
        ("raw", nrrd(&format!("{SPACE}endian: little\nencoding: raw\n"), &little())),
        ("big endian", nrrd(&format!("{SPACE}endian: big\nencoding: raw\n"), &big())),
        ("gzip", nrrd(&format!("{SPACE}endian: little\nencoding: gzip\n"), &gzip(&little()))),
        ("ascii", nrrd(&format!("{SPACE}encoding: ascii\n"), text.as_bytes())),
        (
            "CRLF",
            [
                String::from_utf8(nrrd(&format!("{SPACE}endian: little\nencoding: raw\n"), &[]))
                    .unwrap()
                    .replace('\n', "\r\n")
                    .as_bytes(),
                &little(),
            ]
            .concat(),
        ),
        ("RAS", nrrd(&format!("{ras}endian: little\nencoding: raw\n"), &little())),
        (
            "skip",
            nrrd(&format!("{SPACE}endian: little\nencoding: raw\nbyte skip: -1\n"), &[b"skip", &little()[..]].concat()),
        ),
    ] {
        let volume = parse(&bytes, "a.nrrd", none).unwrap_or_else(|e| panic!("{what}: {e}"));
        is_known(&volume, what);
        assert_eq!(volume.warnings, [], "{what}");
    }
    let detached = nrrd(&format!("{SPACE}endian: little\nencoding: raw\ndata file: a.raw\n"), &[]);
    is_known(&parse(&detached, "a.nhdr", |name| (name == "a.raw").then(little)).unwrap(), "detached");
    for elsewhere in ["/home/somebody/a.raw", r"C:\scans\a.raw", "../a.raw"] {
        let fields = format!("{SPACE}endian: little\nencoding: raw\nData File: {elsewhere}\n");
        let volume = parse(&nrrd(&fields, &[]), "a.nhdr", |name| (name == "a.raw").then(little));
        is_known(&volume.unwrap(), elsewhere);
    }
    assert!(parse(&detached, "a.nhdr", none).unwrap_err().to_string().contains("a.raw, which is not beside it"));
    // without directions: read as it lies, and said
    let unknown = nrrd("spacings: 0.5 0.75 2\nendian: little\nencoding: raw\n", &little());
    let volume = parse(&unknown, "a.nrrd", none).unwrap();
    assert_eq!((volume.volume().spacing(), &volume.warnings[..]), ([2.0, 0.75, 0.5], &[Warning::Orientation][..]));
    // micrometres, and an axis without a unit
    let small = "space: LPS\nspace directions: (500,0,0) (0,0.75,0) (0,0,0.2)\nspace origin: (-30000,-20,-10)\n";
    let small = format!("{small}space units: \"um\" \"\" \"cm\"\nendian: little\nencoding: raw\n");
    is_known(&parse(&nrrd(&small, &little()), "a.nrrd", none).unwrap(), "units");
    for (fields, part) in [
        (format!("{SPACE}encoding: raw\n"), "`endian` is ``, but must be little or big"),
        (format!("{SPACE}space units: \"mm\" \"furlong\" \"mm\"\nendian: little\nencoding: raw\n"), "furlong"),
        ("encoding: bzip2\n".to_owned() + SPACE, "raw, gzip or ascii"),
        (format!("{SPACE}endian: little\nencoding: raw\nbyte skip: 9\n"), "48 bytes of voxels, but 39"),
        ("endian: little\nencoding: raw\n".into(), "`space directions` is missing"),
        (SPACE.replace("(0.5,0,0)", "none") + "endian: little\nencoding: raw\n", "space directions"),
    ] {
        let message = parse(&nrrd(&fields, &little()), "a.nrrd", none).unwrap_err().to_string();
        assert!(message.contains(part), "{fields}: {message}");
    }
}

#[test]
fn meta_images() {
    let head = "ObjectType = Image\nNDims = 3\nDimSize = 2 3 4\nElementType = MET_SHORT\nElementSpacing = 0.5 0.75 2\nOffset = -30 -20 -100\n";
    let file = |more: &str, body: &[u8]| [format!("{head}{more}").as_bytes(), body].concat();
    let zlib = {
        let mut z = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        z.write_all(&little()).unwrap();
        z.finish().unwrap()
    };
    let text = voxels().iter().map(i16::to_string).collect::<Vec<_>>().join("\n");
    for (what, bytes) in [
        ("local", file("ElementDataFile = LOCAL\n", &little())),
        ("big endian", file("BinaryDataByteOrderMSB = True\nElementDataFile = LOCAL\n", &big())),
        ("zlib", file("CompressedData = True\nElementDataFile = LOCAL\n", &zlib)),
        ("matrix", file("TransformMatrix = 1 0 0 0 1 0 0 0 1\nElementDataFile = LOCAL\n", &little())),
        ("as text", file("BinaryData = False\nElementDataFile = LOCAL\n", text.as_bytes())),
        ("detached", file("HeaderSize = -1\nElementDataFile = a.raw\n", &[])),
    ] {
        let volume = parse(&bytes, "a.mha", |name| (name == "a.raw").then(|| [b"head", &little()[..]].concat()));
        is_known(&volume.unwrap_or_else(|e| panic!("{what}: {e}")), what);
    }
    // axes that run the other way
    let turned = file("TransformMatrix = -1 0 0 0 -1 0 0 0 1\nElementDataFile = LOCAL\n", &little());
    let volume = parse(&turned, "a.mha", none).unwrap();
    assert_eq!(volume.first().unwrap().xyz(), [-30.5, -21.5, -100.0]);
    assert_eq!(volume.volume().voxels()[5], -900.0);
    for (more, part) in [
        ("ElementNumberOfChannels = 3\nElementDataFile = LOCAL\n", "colour"),
        ("", "`ElementDataFile` is missing"),
        ("ElementDataFile = LIST\n", "LIST, which is not beside it"),
    ] {
        let message = parse(&file(more, &[]), "a.mha", none).unwrap_err().to_string();
        assert!(message.contains(part), "{more}: {message}");
    }
}
