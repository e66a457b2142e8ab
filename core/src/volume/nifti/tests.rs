//! Legal files that readers trip over; offsets are those of nifti1.h.

use std::io::Write;

use super::{nifti_gz, parse};
use crate::volume::frame::Point;
use crate::volume::placed::PlacedVolume;
use crate::volume::voxels::Volume;
use crate::volume::warning::Warning;

/// A plain file of 3 x 4 x 5 voxels (x, y, z) of 0.75 x 0.75 x 2 mm, changed.
fn file(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let voxels = (0..60).map(|i| -900.0 + i as f32).collect();
    let volume = Volume::new(voxels, [5, 4, 3], [2.0, 0.75, 0.75]).unwrap();
    let packed = nifti_gz(&volume, Point::new([-10.0, 20.0, 30.0]).unwrap()).unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(packed.as_slice()), &mut bytes).unwrap();
    change(&mut bytes);
    bytes
}

fn put(bytes: &mut [u8], at: usize, values: &[f32]) {
    values.iter().enumerate().for_each(|(i, v)| bytes[at + 4 * i..at + 4 * i + 4].copy_from_slice(&v.to_le_bytes()));
}

/// An upright qform at the sform's place, moved by `mm` along x.
fn qform(bytes: &mut [u8], mm: f32) {
    bytes[252] = 1;
    put(bytes, 256, &[0.0, 0.0, 1.0, 10.0 + mm, -20.0, 30.0]);
}

fn scan(change: impl FnOnce(&mut Vec<u8>)) -> PlacedVolume {
    parse(&file(change), "a.nii").unwrap()
}

#[test]
fn scales_that_are_no_numbers_don_t_scale() {
    let known = scan(|_| ());
    for (slope, inter) in [(f32::NAN, f32::NAN), (f32::NAN, 5.0), (2.0, f32::NAN), (0.0, 7.0), (f32::INFINITY, 0.0)] {
        assert_eq!(scan(|b| put(b, 112, &[slope, inter])).volume(), known.volume(), "{slope} {inter}");
    }
    assert_eq!(scan(|b| put(b, 112, &[2.0, 3.0])).volume().voxels()[1], -899.0 * 2.0 + 3.0);
}

#[test]
fn units_of_length_are_converted() {
    let known = scan(|_| ());
    for (unit, factor) in [(1u8, 1e-3f32), (3, 1e3), (0, 1.0)] {
        let found = scan(|b| {
            b[123] = unit;
            for row in 0..3 {
                let at = 280 + 16 * row;
                let values: Vec<f32> =
                    b[at..at + 16].chunks(4).map(|v| f32::from_le_bytes(v.try_into().unwrap()) * factor).collect();
                put(b, at, &values);
            }
        });
        let (a, b) = (found.first().unwrap().xyz(), known.first().unwrap().xyz());
        assert!((0..3).all(|i| (a[i] - b[i]).abs() < 1e-4), "{unit}: {a:?}");
        assert!(found.volume().spacing().iter().zip(known.volume().spacing()).all(|(a, b)| (a - b).abs() < 1e-6));
    }
    let message = parse(&file(|b| b[123] = 1), "a.nii").unwrap_err().to_string();
    assert!(message.contains("its xyzt_units say metres"), "{message}");
}

/// The sform counts where both are set; the qform where it alone is; none of them is no place.
#[test]
fn the_forms_and_their_disagreement() {
    let place = |scan: &PlacedVolume| scan.first().unwrap().xyz();
    let both = scan(|b| qform(b, 0.02));
    assert_eq!((place(&both), &both.warnings[..]), ([-10.0, 20.0, 30.0], &[][..]));
    let apart = scan(|b| qform(b, 9.0));
    assert_eq!(place(&apart), [-10.0, 20.0, 30.0]);
    let [Warning::Forms { mm }] = apart.warnings[..] else { panic!("{:?}", apart.warnings) };
    assert!((mm - 9.0).abs() < 1e-5);
    let turned = scan(|b| {
        qform(b, 0.0);
        // no turn at all: x and y run the other way
        put(b, 256, &[0.0, 0.0, 0.0]);
    });
    assert!(matches!(turned.warnings[..], [Warning::Forms { .. }]));
    let alone = scan(|b| {
        qform(b, 9.0);
        b[254] = 0;
    });
    assert_eq!((place(&alone), &alone.warnings[..]), ([-19.0, 20.0, 30.0], &[][..]));
    assert!(parse(&file(|b| b[254] = 0), "a.nii").unwrap_err().to_string().contains("neither sform nor qform"));
}

#[test]
fn gzip_in_several_members_and_with_a_tail() {
    let plain = file(|_| ());
    let pack = |bytes: &[u8]| {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(bytes).unwrap();
        gz.finish().unwrap()
    };
    let known = parse(&plain, "a").unwrap();
    let (head, tail) = plain.split_at(200);
    for packed in [[pack(head), pack(tail)].concat(), [pack(&plain), vec![0; 512]].concat()] {
        assert_eq!(parse(&packed, "a").unwrap(), known);
    }
}

#[test]
fn colours_and_values_without_air() {
    let colour = file(|b| {
        b[70] = 128;
        b.extend([0; 60]);
    });
    assert!(parse(&colour, "a.nii").unwrap_err().to_string().contains("colour images have no HU"));
    let unlike = scan(|b| put(b, 112, &[1.0, 1024.0]));
    assert_eq!(unlike.warnings, [Warning::NotHu]);
}

#[test]
fn sizes_of_axes_that_are_not_there() {
    let known = scan(|_| ());
    for rest in [[1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]] {
        let found = scan(|b| {
            b[40] = 7;
            rest.iter().enumerate().for_each(|(i, size)| b[48 + 2 * i] = *size);
        });
        assert_eq!(found.volume(), known.volume(), "{rest:?}");
    }
    let several = file(|b| (b[40], b[48]) = (4, 2));
    assert!(parse(&several, "a.nii").unwrap_err().to_string().contains("dimensions [3, 4, 5, 2]"));
}

#[test]
fn neighbours_of_nifti_1_say_what_they_are() {
    let refused = |bytes: Vec<u8>| parse(&bytes, "a.nii").unwrap_err().to_string();
    assert!(refused(file(|b| b[344..348].fill(0))).contains("an Analyze header"));
    assert!(refused(file(|b| b[344..347].copy_from_slice(b"ni1"))).contains("join them into one .nii file"));
    assert!(refused(file(|b| b[..4].copy_from_slice(&540i32.to_be_bytes()))).contains("a NIfTI-2 file"));
}
