//! Data sets of both schemas, with and without a margin.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::io::Write;
use std::path::Path;

use clip_lung_core::dataset::class::Thresholds;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::error::Error;
use clip_lung_core::phantom::phantom;
use clip_lung_core::volume::crop::{SIDE, VOXELS};
use common::{skipped, text};

/// A data set's directory of real crops, where this checkout has it.
fn real(name: &str) -> Option<Dataset> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    if !dir.is_dir() {
        skipped(&format!("{} is not there", dir.display()));
        return None;
    }
    let read = |file: &str| std::fs::read(dir.join(file)).unwrap();
    Some(
        Dataset::parse(&text(&dir), &read("crops.safetensors.gz"), &read("nodules.csv"), &read("dataset.json"))
            .unwrap(),
    )
}

/// Runs of version 0.1 know the phantom again, though its header says more today.
#[test]
fn the_phantoms_digest_is_that_of_version_0_1() {
    let data = phantom(Thresholds::Inclusive, Some(40)).unwrap();
    assert!(data.header.synthetic && data.header.schema == 2);
    // sha256 over lengths and bytes of the three files that version 0.1 wrote
    let known = "0bac0527691d9b6f17c6d216b82ae46ed84f24918e9a750cc417779fbfee4b03";
    assert_eq!(data.digest().unwrap(), known);
}

/// A small data set as its table rounds it, and its files.
fn written() -> (Dataset, [Vec<u8>; 3]) {
    let files = |data: &Dataset| -> [Vec<u8>; 3] {
        let all: Vec<Vec<u8>> = data.to_files().unwrap().into_iter().map(|(_, bytes)| bytes).collect();
        all.try_into().unwrap()
    };
    let [crops, nodules, header] = files(&phantom(Thresholds::Inclusive, Some(3)).unwrap());
    let data = Dataset::parse("here", &crops, &nodules, &header).unwrap();
    let again = files(&data);
    assert!(again == [crops, nodules, header]);
    (data, again)
}

#[test]
fn files_read_as_they_were_written() {
    let (data, [crops, nodules, header]) = written();
    assert!(Dataset::parse("here", &crops, &nodules, &header).unwrap() == data);
    // the same as schema 1
    let mut old: serde_json::Value = serde_json::from_slice(&header).unwrap();
    old["schema"] = 1.into();
    for field in ["crop", "margin", "synthetic"] {
        old.as_object_mut().unwrap().remove(field);
    }
    let old = Dataset::parse("here", &crops, &nodules, old.to_string().as_bytes()).unwrap();
    assert!(old == data);
    assert_eq!(old.digest().unwrap(), data.digest().unwrap());
}

/// A compressed file that unpacks to more than its nodules need is not unpacked to its end.
#[test]
fn gzip_is_held_to_what_the_nodules_need() {
    let (data, [crops, nodules, header]) = written();
    let pack = |bytes: &[u8]| {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(bytes).unwrap();
        gz.finish().unwrap()
    };
    assert!(Dataset::parse("here", &pack(&crops), &nodules, &header).unwrap() == data);
    let bomb = pack(&[&crops[..], &vec![0; 2 << 20]].concat());
    let error = Dataset::parse("here", &bomb, &nodules, &header).unwrap_err();
    assert!(matches!(error, Error::BadGzip { .. }), "{error}");
}

/// 2 x De in the plane, De along z, and 8 cells more around the plane.
#[test]
fn real_crops_with_a_margin() {
    let Some(data) = real("lidc-context") else { return };
    assert_eq!((data.len(), data.header.crop.to_string().as_str()), (2034, "2 x 1 diameters"));
    assert_eq!((data.header.margin.shape(), data.header.synthetic), ([32, 48, 48], false));
    let (mut crop, mut patch) = (vec![0.0; VOXELS], vec![0.0; 32 * 48 * 48]);
    for index in [0, 1000, 2033] {
        data.write_hu(index, &mut crop);
        data.write_with_margin(index, &mut patch);
        for (i, hu) in crop.iter().enumerate() {
            let (z, y, x) = (i / (SIDE * SIDE), i / SIDE % SIDE, i % SIDE);
            assert_eq!(*hu, patch[(z * 48 + y + 8) * 48 + x + 8]);
        }
        assert!(crop.iter().all(|hu| (-1000.0..=400.0).contains(hu)));
    }
    // nodules are denser than what lies around them
    let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
    let (mut inner, mut outer) = (0.0, 0.0);
    for index in 0..200 {
        data.write_with_margin(index, &mut patch);
        let middle = (16 * 48 + 22) * 48 + 22;
        inner += mean(&patch[middle..middle + 4]) / 200.0;
        outer += mean(&patch[16 * 48 * 48..16 * 48 * 48 + 48]) / 200.0;
    }
    assert!(inner > outer + 200.0, "{inner} HU in the middle, {outer} at the border");
}

/// Schema 1, whose notes name the geometry.
#[test]
fn real_crops_of_schema_1() {
    let Some(data) = real("lidc-crops") else { return };
    assert_eq!((data.header.crop.to_string().as_str(), data.header.margin.cells()), ("32 mm", [0; 3]));
    assert_eq!((data.header.schema, data.header.synthetic), (2, false));
}
