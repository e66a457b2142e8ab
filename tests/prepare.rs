//! From DICOM and XML to a dataset directory: known shapes, the real fragment, order, workers, kills.

#![allow(clippy::unwrap_used, clippy::panic)]

mod archive;
mod common;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use archive::{
    DEFLATED, EXPLICIT, Ellipsoid, IMPLICIT, JPEG_2000, JPEG_BASELINE, JPEG_LOSSLESS, ORIGIN, Order, RLE, Scan,
};
use clip_lung_core::dataset::crops::Dataset;
use common::{files, ok, program, run, skipped, text};
use serde_json::Value;

fn load(dir: &Path) -> Dataset {
    let read = |name: &str| std::fs::read(dir.join(name)).unwrap();
    Dataset::parse(&text(dir), &read("crops.safetensors"), &read("nodules.csv"), &read("dataset.json")).unwrap()
}

fn prepare(dicom: &Path, out: &Path, more: &[&str]) -> String {
    let (dicom, out) = (text(dicom), text(out));
    ok(&[&["prepare", "--dicom", &dicom, "--annotations", "xml", "--out", &out], more].concat())
}

/// The folder of real DICOM slices, where this checkout has it.
fn real_fragment() -> Option<PathBuf> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/lidc-mini");
    if place.is_dir() {
        return Some(place);
    }
    skipped(&format!("{} (28 slices of LIDC-IDRI-0002) is not here", place.display()));
    None
}

/// Analytic volumes within 2 %, centres within 0.1 mm, for spacings, thicknesses, syntaxes, signs and orders of files.
#[test]
fn known_shapes_are_measured() {
    let place = tempfile::tempdir().unwrap();
    let cases = [
        (0.5, 0.6, EXPLICIT, true),
        (0.6, 1.25, IMPLICIT, false),
        (0.7, 2.5, DEFLATED, true),
        (0.9, 5.0, RLE, false),
        (0.9, 0.6, JPEG_LOSSLESS, true),
        (0.5, 5.0, JPEG_LOSSLESS, false),
        (0.8, 3.0, JPEG_BASELINE, false),
        (0.9, 2.5, JPEG_2000, true),
        (0.8, 3.0, EXPLICIT, false),
        (0.7, 1.25, RLE, true),
    ];
    let orders = [Order::Ascending, Order::Reversed, Order::Shuffled];
    let mut scans = Vec::new();
    for (i, (spacing, thickness, syntax, signed)) in cases.into_iter().enumerate() {
        let mut scan = Scan::new(i, spacing, thickness);
        (scan.syntax, scan.signed, scan.order) = (syntax, signed, orders[i % 3]);
        if i % 2 == 1 && syntax != JPEG_2000 {
            scan.nodules[0].radii = [14.0, 17.0, 16.25];
        }
        scan.write(&place.path().join("dicom").join(format!("deep/{i}")));
        scans.push(scan);
    }
    let out = place.path().join("out");
    prepare(&place.path().join("dicom"), &out, &[]);
    let data = load(&out);
    assert_eq!(data.len(), scans.len(), "{}", rows_of_skipped(&out));
    for (i, (scan, row)) in scans.iter().zip(&data.rows).enumerate() {
        let e: Ellipsoid = scan.nodules[0];
        let volume = std::f64::consts::PI / 6.0 * row.diameter_mm.unwrap().powi(3);
        assert!((volume / e.volume() - 1.0).abs() < 0.02, "{i}: volume {volume} of {}", e.volume());
        let centre = row.centre_mm.unwrap().xyz();
        let known = [ORIGIN[0] + e.centre[0], ORIGIN[1] + e.centre[1], e.centre[2]];
        (0..3).for_each(|k| assert!((centre[k] - known[k]).abs() < 0.1, "{i}: centre {centre:?}, known {known:?}"));
        assert_eq!(
            (row.readers, row.malignancy_sum, row.patient_id.as_str()),
            (Some(2), Some(9), scan.patient.as_str())
        );
        // the ball fills the middle of the crop and not its corners; eight bits step by 8 HU
        let crop = data.crop(i).unwrap();
        let near =
            |at: usize, hu: f32| (crop.hu()[at] - hu).abs() <= if scan.syntax == JPEG_BASELINE { 16.0 } else { 0.0 };
        assert!(near((16 * 32 + 16) * 32 + 16, 40.0) && near((16 * 32 + 1) * 32 + 1, -850.0), "{i}: voxels");
    }
}

/// An independent implementation (tests/golden/prepare.py): centre, diameter, and every sample of the crop within 1 HU.
#[test]
fn the_real_fragment_agrees_with_numpy_and_both_sources_agree() {
    let Some(fragment) = real_fragment() else { return };
    let place = tempfile::tempdir().unwrap();
    let (xml, embedded) = (place.path().join("xml"), place.path().join("embedded"));
    prepare(&fragment, &xml, &[]);
    ok(&["prepare", "--dicom", &text(&fragment), "--out", &text(&embedded)]);
    let golden =
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/lidc_mini.safetensors")).unwrap();
    let golden = safetensors::SafeTensors::deserialize(&golden).unwrap();
    let doubles = |name: &str| -> Vec<f64> {
        let data = golden.tensor(name).unwrap();
        data.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
    };
    let crops: Vec<f32> = {
        let data = golden.tensor("crops").unwrap();
        data.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    };
    for dir in [&xml, &embedded] {
        let data = load(dir);
        assert_eq!(data.len(), 1);
        let row = &data.rows[0];
        assert_eq!((row.readers, row.malignancy_sum, row.class.name()), (Some(2), Some(9), "malignant"));
        assert!((row.diameter_mm.unwrap() / doubles("diameter")[0] - 1.0).abs() < 0.005);
        assert!((row.diameter_mm.unwrap() - 24.0071).abs() < 1e-3);
        let centre = row.centre_mm.unwrap().xyz();
        doubles("centre").iter().zip(centre).for_each(|(a, b)| assert!((a - b).abs() < 0.05));
        let worst = data.crop(0).unwrap().hu().iter().zip(&crops).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= 1.0, "{worst} HU");
    }
    let (a, b) = (files(&xml), files(&embedded));
    let crops = |all: &[(String, Vec<u8>)]| all.iter().find(|f| f.0 == "crops.safetensors").unwrap().1.clone();
    assert_eq!(crops(&a), crops(&b), "both annotation sources cut the same crops");
}

fn many(dir: &Path, count: usize) {
    for i in 0..count {
        let mut scan = Scan::new(i, 0.9, 2.5);
        let z = scan.nodules[0].centre[2];
        scan.nodules = vec![
            Ellipsoid { centre: [30.0, 30.0, z], radii: [6.0, 5.0, 7.0] },
            Ellipsoid { centre: [60.0, 55.0, z + 2.5], radii: [4.0 + i as f64 % 3.0; 3] },
        ];
        scan.write(&dir.join(format!("{i}")));
    }
}

/// The same data set, byte for byte, whatever the workers and the names of the files.
#[test]
fn order_and_workers_change_nothing() {
    let place = tempfile::tempdir().unwrap();
    let dicom = place.path().join("nested");
    many(&dicom, 5);
    let (one, two) = (place.path().join("one"), place.path().join("two"));
    prepare(&dicom, &one, &["--jobs", "1"]);
    // flat, under other names, with other files between
    let flat = place.path().join("flat");
    std::fs::create_dir(&flat).unwrap();
    let mut n = 100_000;
    for folder in std::fs::read_dir(&dicom).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            n -= 1;
            let extension = path.extension().unwrap().to_str().unwrap();
            let name = if extension == "xml" { format!("{n}.xml") } else { format!("1.2.3.{n}") };
            std::fs::copy(&path, flat.join(name)).unwrap();
        }
    }
    std::fs::write(flat.join("LICENSE"), "text").unwrap();
    prepare(&flat, &two, &["--jobs", "2"]);
    for name in ["crops.safetensors", "nodules.csv", "dataset.json", "skipped.csv"] {
        assert_eq!(std::fs::read(one.join(name)).unwrap(), std::fs::read(two.join(name)).unwrap(), "{name}");
    }
    assert_eq!(load(&one).len(), 10);
    let account: Value = serde_json::from_slice(&std::fs::read(two.join("prepare.json")).unwrap()).unwrap();
    assert_eq!(account["other_files"]["not DICOM"], 1);
    assert!(!String::from_utf8_lossy(&std::fs::read(one.join("nodules.csv")).unwrap()).contains("Secret"));
}

/// Killed at 10 random moments and run again: the same directory.
#[test]
fn a_killed_preparation_continues() {
    let place = tempfile::tempdir().unwrap();
    let dicom = place.path().join("dicom");
    many(&dicom, 12);
    let whole = place.path().join("whole");
    let start = Instant::now();
    prepare(&dicom, &whole, &[]);
    let span = start.elapsed();
    let expected = files(&whole);
    let mut moment = 0x9e37_79b9_u64;
    let mut unfinished = 0;
    for round in 0..10 {
        let out = place.path().join(format!("killed{round}"));
        let arguments =
            ["prepare", "--dicom", &text(&dicom), "--annotations", "xml", "--out", &text(&out)].map(str::to_owned);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let share = (moment >> 40) as f64 / (1u64 << 24) as f64;
        let mut child = program(&arguments).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_secs_f64(span.as_secs_f64() * share));
        child.kill().unwrap();
        child.wait().unwrap();
        unfinished += usize::from(!out.exists());
        ok(&arguments);
        assert_eq!(files(&out), expected, "round {round}");
        assert!(!place.path().join(format!("killed{round}.preparing")).exists());
    }
    assert!(unfinished > 0, "no kill came before the end: the test did not test");
}

fn rows_of_skipped(dir: &Path) -> String {
    String::from_utf8(std::fs::read(dir.join("skipped.csv")).unwrap()).unwrap()
}

/// What can't be cut is accounted for, and never stops the rest.
#[test]
fn one_bad_series_never_stops_the_others() {
    let place = tempfile::tempdir().unwrap();
    let dicom = place.path().join("dicom");
    Scan::new(0, 0.9, 2.5).write(&dicom.join("good"));
    // a gap within the nodule
    let mut gap = Scan::new(1, 0.9, 2.5);
    gap.missing = vec![gap.slices / 2, gap.slices / 2 + 1];
    gap.write(&dicom.join("gap"));
    // a truncated slice within the nodule
    let short = Scan::new(2, 0.9, 2.5);
    short.write(&dicom.join("short"));
    let slice = dicom.join("short").join(format!("{:06}.dcm", (short.slices / 2 * 7919 + 13) % 10007));
    let bytes = std::fs::read(&slice).unwrap();
    std::fs::write(&slice, &bytes[..bytes.len() - 1000]).unwrap();
    // a slice of another size, which is left aside
    let (a, mut b) = (Scan::new(3, 0.9, 2.5), Scan::new(3, 0.9, 2.5));
    a.write(&dicom.join("mixed"));
    b.side += 2;
    std::fs::write(dicom.join("mixed/other.dcm"), b.slice(1)).unwrap();
    // an outline outside of the image
    let mut outside = Scan::new(4, 0.9, 2.5);
    outside.nodules[0].centre[0] = 2.0;
    outside.write(&dicom.join("outside"));
    let out = place.path().join("out");
    prepare(&dicom, &out, &[]);
    assert_eq!(load(&out).len(), 2, "the good series, and the one with a slice too many");
    let skipped = rows_of_skipped(&out);
    for part in ["slices are missing between", "within the nodule", "bytes of pixels", "outside of the image"] {
        assert!(skipped.contains(part), "`{part}` is not in {skipped}");
    }
    // what could be cut all the same is there to be looked at
    assert_eq!(load(&out.join("dropped")).len(), 2, "the nodule with a gap, the one at the border");
    let check = run(&["prepare", "--dicom", &text(&dicom), "--annotations", "xml", "--check"]);
    assert_eq!(check.status.code(), Some(3), "--check says that something is wrong");
    let page = ok(&["inspect", &text(&out)]);
    assert!(page.contains("2 of 2 nodules"));
    let html = std::fs::read_to_string(out.join("inspect.html")).unwrap();
    assert!(html.contains("data:image/png;base64,") && html.contains("outside of the image"));
    assert_eq!((html.matches("<figure").count(), html.matches("left out:</b>").count()), (4, 2));
}

#[test]
fn options_and_refusals() {
    let place = tempfile::tempdir().unwrap();
    let dicom = place.path().join("dicom");
    Scan::new(0, 0.9, 2.5).write(&dicom);
    let out = place.path().join("fov");
    prepare(&dicom, &out, &["--fov-mm", "60", "--thresholds", "strict"]);
    let data = load(&out);
    assert_eq!(data.header.crop.to_string(), "60 mm");
    // at 60 mm a ball of 32.5 mm covers its share of the cube
    let share = data.crop(0).unwrap().hu().iter().filter(|v| **v > -400.0).count() as f64 / 32768.0;
    let known = std::f64::consts::PI / 6.0 * 32.5f64.powi(3) / 60.0f64.powi(3);
    assert!((share / known - 1.0).abs() < 0.05, "{share} of {known}");
    // repeating is a no-op that tidies up after a late kill; other settings are refused
    let left = place.path().join("fov.preparing");
    std::fs::create_dir(&left).unwrap();
    assert!(prepare(&dicom, &out, &["--fov-mm", "60", "--thresholds", "strict"]).contains("complete already"));
    assert!(!left.exists());
    let code = |arguments: &[&str]| {
        let out = run(arguments);
        (out.status.code().unwrap(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let (dicom, out) = (text(&dicom), text(&out));
    let xml = ["prepare", "--dicom", &dicom, "--annotations", "xml", "--out"];
    let (rc, message) = code(&[&xml[..], &[&out]].concat());
    assert_eq!((rc, message.contains("choose another --out")), (3, true), "{message}");
    let fresh = text(&place.path().join("fresh"));
    let (rc, message) = code(&[&xml[..], &[&fresh, "--min-readers", "3"]].concat());
    assert_eq!((rc, message.contains("fewer than --min-readers")), (3, true), "{message}");
    let (rc, message) = code(&[&xml[..], &[&fresh, "--max-slice-thickness", "1"]].concat());
    assert_eq!((rc, message.contains("thick")), (3, true), "{message}");
    assert!(!Path::new(&fresh).exists(), "nothing half-written");
    assert_eq!(code(&["prepare", "--dicom", &dicom]).0, 2);
    for (option, value, part) in [
        ("--fov-mm", "-1", "0.1 to 1000 mm"),
        ("--max-slice-thickness", "-1", "0.1 to 1000 mm"),
        ("--min-readers", "-1", "-1 is not in 1..=4"),
        ("--margin", "-1", "0 to 32 cells"),
        ("--margin", "33", "at most 32 cells"),
        ("--crop", "2", "as in 2x1"),
        ("--crop", "2x0", "as in 2x1"),
    ] {
        let (rc, message) = code(&[&xml[..], &[&fresh, option, value]].concat());
        assert_eq!((rc, message.contains(part)), (2, true), "{option} {value}: {message}");
    }
    assert_eq!(code(&[&xml[..], &[&fresh, "--fov-mm", "32", "--crop", "2x1"]].concat()).0, 2, "one or the other");
    assert_eq!(code(&["prepare", "--dicom", "/nowhere", "--out", &fresh]).0, 3);
    // the embedded database knows no such series
    let (rc, message) = code(&["prepare", "--dicom", &dicom, "--out", &fresh]);
    assert_eq!((rc, message.contains("not in the annotation database")), (3, true), "{message}");
}
