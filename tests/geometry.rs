//! The box of a crop and the place of a voxel: flat boxes with a margin, and tilted scans.

#![allow(clippy::unwrap_used, clippy::panic)]

mod archive;
mod common;

use std::path::Path;

use archive::nifti::nifti;
use archive::{Ellipsoid, Scan};
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::volume::crop::Crop;
use clip_lung_core::volume::dicom::{File, Regular, Series, SeriesReader, read_file, slice_hu};
use clip_lung_core::volume::frame::{Lps, Point};
use clip_lung_core::volume::geometry::CropSize;
use clip_lung_core::volume::grid::Margin;
use clip_lung_core::volume::nifti;
use common::{ok, text};

fn load(dir: &Path) -> Dataset {
    let read = |name: &str| std::fs::read(dir.join(name)).unwrap();
    Dataset::parse(&text(dir), &read("crops.safetensors"), &read("nodules.csv"), &read("dataset.json")).unwrap()
}

fn prepare(dicom: &Path, out: &Path, more: &[&str]) {
    let (dicom, out) = (text(dicom), text(out));
    ok(&[&["prepare", "--dicom", &dicom, "--annotations", "xml", "--out", &out], more].concat());
}

/// Boxes that are flat along z, with a margin: the crop in the middle is the one without, and its header says how large both are.
#[test]
fn flat_crops_with_a_margin() {
    let place = tempfile::tempdir().unwrap();
    let dicom = place.path().join("dicom");
    Scan::new(0, 0.9, 2.5).write(&dicom);
    let (plain, wide) = (place.path().join("plain"), place.path().join("wide"));
    prepare(&dicom, &plain, &["--crop", "2x1"]);
    prepare(&dicom, &wide, &["--crop", "2x1", "--margin", "5"]);
    let (plain, wide) = (load(&plain), load(&wide));
    assert_eq!(plain.header.crop.to_string(), "2 x 1 diameters");
    assert_eq!((plain.header.crop, plain.header.synthetic), (wide.header.crop, false));
    assert_eq!((plain.header.margin.cells(), wide.header.margin.cells()), ([0; 3], [5; 3]));
    assert_eq!(plain.crop(0).unwrap(), wide.crop(0).unwrap());
    // a ball of one diameter fills the crop's height, and half of its width; the margin goes on at the same pitch
    let mut patch = vec![0.0; wide.header.margin.voxels()];
    wide.write_with_margin(0, &mut patch);
    let inside = |z: usize, y: usize, x: usize| patch[(z * 42 + y) * 42 + x] > -400.0;
    let runs = [
        (0..42).filter(|z| inside(*z, 21, 21)).count(),
        (0..42).filter(|y| inside(21, *y, 21)).count(),
        (0..42).filter(|x| inside(21, 21, *x)).count(),
    ];
    for (found, known) in runs.into_iter().zip([32, 16, 16]) {
        assert!(found.abs_diff(known) <= 2, "{runs:?}");
    }
}

/// A scan with a small nodule far from its first voxel, upright; its planes turned by 0.9 degrees about y; and its slices displaced
/// along y as much.
fn tilted() -> [(&'static str, Scan); 4] {
    let mut plain = Scan::new(0, 0.8, 2.0);
    plain.nodules =
        vec![Ellipsoid { centre: [78.4, 75.2, archive::ORIGIN[2] + 60.0], radii: [4.0, 3.0, 5.0] }, plain.nodules[0]];
    let (sin, cos) = 0.9_f64.to_radians().sin_cos();
    let mut turned = plain.clone();
    (turned.orientation[0], turned.step) = ([cos, 0.0, -sin], [2.0 * sin, 0.0, 2.0 * cos]);
    let mut displaced = plain.clone();
    displaced.step = [0.0, 2.0 * sin / cos, 2.0];
    // rows and slices the other way round than the patient's axes
    let mut backwards = turned.clone();
    (backwards.orientation[1], backwards.step) = ([0.0, -1.0, 0.0], [2.0 * sin, 0.0, 2.0 * cos]);
    [("plain", plain), ("turned", turned), ("displaced", displaced), ("backwards", backwards)]
}

fn files(scan: &Scan) -> Vec<Vec<u8>> {
    (0..scan.slices).map(|k| scan.slice(k)).collect()
}

fn decoded(file: &[u8]) -> Vec<f32> {
    let File::Ct(header) = read_file(file).unwrap() else { panic!("not CT") };
    slice_hu(file, &header).unwrap()
}

fn series(files: &[Vec<u8>]) -> Series {
    let headers = files.iter().enumerate().map(|(k, bytes)| {
        let File::Ct(header) = read_file(bytes).unwrap() else { panic!("not CT") };
        (k, *header)
    });
    Series::order(headers.collect(), &|k| k.to_string()).unwrap()
}

/// Where a voxel (column, row, slice) lies, LPS, from the scan's own geometry.
fn place(scan: &Scan, [column, row, slice]: [f64; 3]) -> Point<Lps> {
    let ([r, c], s) = (scan.orientation, scan.spacing);
    Point::new([0, 1, 2].map(|i| archive::ORIGIN[i] + column * s * r[i] + row * s * c[i] + slice * scan.step[i]))
        .unwrap()
}

/// DICOM and NIfTI of one volume: the same place is the same voxel, and the same crop, that of the voxels as they lie.
#[test]
fn tilted_scans_are_cut_where_they_lie() {
    let size = CropSize::new(16.0, 12.0).unwrap();
    // the small nodule's middle
    let voxel = [98.0, 94.0, 30.0];
    let mut upright: Option<Crop> = None;
    for (name, scan) in tilted() {
        let centre = place(&scan, voxel);
        let slices = files(&scan);
        let series = series(&slices);
        let near = |a: [f64; 3], b: [f64; 3], what: &str| {
            (0..3).for_each(|i| assert!((a[i] - b[i]).abs() < 1e-3, "{name}, {what}: {a:?}, not {b:?}"));
        };
        near(series.voxel(centre).unwrap().xyz(), voxel, "voxel of DICOM");
        near(series.mm(Point::new(voxel).unwrap()).unwrap().xyz(), centre.xyz(), "mm of DICOM");
        let beyond = place(&scan, [-3.0, 120.0, -2.5]);
        near(series.voxel(beyond).unwrap().xyz(), [-3.0, 120.0, -2.5], "voxel off the scan");
        let mut reader = SeriesReader::new(&series, |k| Ok((k.to_string(), slices[k].clone())));
        let dicom = reader.patch(centre, size, Margin::default()).unwrap().crop().unwrap();
        assert!((dicom.hu()[(16 * 32 + 16) * 32 + 16] - 40.0).abs() < 1.0, "{name}: the nodule is in the middle");

        for flip in [[false; 3], [true, false, true]] {
            let volume = nifti::parse(&nifti(&scan, flip, false), name).unwrap();
            let found = volume.patch(centre.into(), size, Margin::default()).unwrap().crop().unwrap();
            let worst = dicom.hu().iter().zip(found.hu()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            // f32 in the affine; the step along z is that of the planes, or the way between voxels
            assert!(worst < 3.0, "{name}, {flip:?}: {worst} HU apart");
        }
        if name != "backwards" {
            let known = upright.get_or_insert_with(|| dicom.clone());
            let worst = dicom.hu().iter().zip(known.hu()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 3.0, "{name}: {worst} HU from the upright scan's");
        }

        // what viewers are given lies at the same place
        let regular = Regular::read(&series, |k| Ok(decoded(&slices[k]))).unwrap();
        let row = if name == "backwards" { f64::from(scan.side) - 1.0 - voxel[1] } else { voxel[1] };
        let first = regular.first.xyz();
        let [x, y, z] = regular.steps;
        let at = [0, 1, 2].map(|i| first[i] + voxel[0] * x[i] + row * y[i] + voxel[2] * z[i]);
        near(at, centre.xyz(), "place of a viewer's voxel");
        let index = (30 * usize::from(scan.side) + row as usize) * usize::from(scan.side) + 98;
        assert_eq!(regular.hu[index], 40, "{name}");
    }
}

/// A nodule outlined on the slices of a tilted scan is cut where it lies.
#[test]
fn annotations_of_tilted_scans() {
    for (name, scan) in tilted() {
        let dir = tempfile::tempdir().unwrap();
        scan.write(&dir.path().join("dicom"));
        let out = dir.path().join("out");
        prepare(&dir.path().join("dicom"), &out, &[]);
        let data = load(&out);
        let size = |row: usize| data.rows[row].diameter_mm.unwrap();
        let row = (0..2).min_by(|a, b| size(*a).total_cmp(&size(*b))).unwrap();
        let (found, known) = (data.rows[row].centre_mm.unwrap().xyz(), place(&scan, [98.0, 94.0, 30.0]).xyz());
        (0..3).for_each(|i| assert!((found[i] - known[i]).abs() < 0.1, "{name}: {found:?}, not {known:?}"));
        let crop = data.crop(row).unwrap();
        assert_eq!(crop.hu()[(16 * 32 + 16) * 32 + 16], 40.0, "{name}");
    }
}
