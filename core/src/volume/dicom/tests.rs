//! Files and series as scanners, archives and anonymisers leave them.

use super::header::{Format, Labels};
use super::syntax::Syntax;
use super::*;
use crate::volume::warning::Warning;

fn header(z: f64, sop: &str) -> SliceHeader {
    SliceHeader {
        patient_id: "P".into(),
        study_uid: "1".into(),
        series_uid: "1.2".into(),
        sop_uid: sop.into(),
        rows: 4,
        columns: 4,
        position: [0.0, 0.0, z],
        orientation: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
        pixel_spacing: [1.0; 2],
        slice_thickness: None,
        description: String::new(),
        localizer: false,
        labels: Labels::default(),
        format: Format {
            syntax: Syntax::ExplicitLittle,
            bits_allocated: 16,
            bits_stored: 16,
            high_bit: 15,
            signed: true,
            slope: 1.0,
            intercept: Some(0.0),
            other_unit: None,
            padding: None,
        },
    }
}

fn order(headers: Vec<SliceHeader>) -> Result<Series, SeriesFault> {
    Series::order(headers.into_iter().enumerate().collect(), &|i| format!("{i}.dcm"))
}

/// Two stacks of `count` slices, the second's first slice at `start`, labelled by (stack, slice). SOP instances mix, as hashes do.
fn two(count: usize, start: f64, label: impl Fn(&mut SliceHeader, usize, usize)) -> Vec<SliceHeader> {
    let one = |stack: usize, k: usize| {
        let mut h = header(2.0 * k as f64 + stack as f64 * start, &format!("9.{}", (stack * count + k) * 7919 % 1009));
        label(&mut h, stack, k);
        h
    };
    (0..2).flat_map(|stack| (0..count).map(move |k| (stack, k))).map(|(stack, k)| one(stack, k)).collect()
}

/// Each way to tell two acquisitions apart, at the same places and between each other's: one of them is read, whole.
#[test]
fn acquisitions_are_told_apart() {
    type Mark = fn(&mut SliceHeader, usize, usize);
    let marks: [(&str, Mark); 9] = [
        ("AcquisitionNumber", |h, s, _| h.labels.acquisition_number = (s + 1).to_string()),
        ("AcquisitionNumber", |h, s, k| h.labels.acquisition_number = (s * 20 + k).to_string()),
        ("ConvolutionKernel", |h, s, _| h.labels.kernel = ["B30f", "B70f"][s].into()),
        ("ImageType", |h, s, _| {
            h.labels.image_type = ["ORIGINAL\\PRIMARY\\AXIAL", "DERIVED\\PRIMARY\\AXIAL"][s].into()
        }),
        ("AcquisitionTime", |h, s, _| h.labels.acquisition_time = format!("1{s}0000.5")),
        ("ContentTime", |h, s, _| h.labels.content_time = format!("1{s}0000")),
        ("ContentTime", |h, s, k| h.labels.content_time = format!("1{s}00{k:02}")),
        ("ContentTime", |h, s, k| h.labels.content_time = format!("1{s}00{:02}", if s == 0 { k } else { 20 - k })),
        ("InstanceNumber", |h, s, k| h.labels.instance_number = (s * 20 + k + 1).to_string()),
    ];
    for (i, (by, mark)) in marks.into_iter().enumerate() {
        for start in [0.0, 1.0, 0.5] {
            if by == "InstanceNumber" && start > 0.0 {
                continue;
            }
            let series = order(two(20, start, mark)).unwrap();
            assert_eq!((series.slices.len(), series.gaps.len(), series.duplicates), (20, 0, 0), "{by} {i} {start}");
            assert!(series.slices.windows(2).all(|w| (w[1].z - w[0].z - 2.0).abs() < 1e-9), "{by} {i} {start}");
            let stacks: Vec<bool> = series.slices.iter().map(|s| s.file < 20).collect();
            assert!(stacks.windows(2).all(|w| w[0] == w[1]), "{by} {i} {start}: striped");
            let [Warning::Acquisitions { by: found, count: 2, slices: 20, others: 20, .. }] = series.warnings[..]
            else {
                panic!("{by} {i} {start}: {:?}", series.warnings)
            };
            assert_eq!(found, by);
        }
    }
    // the complete one, not the first
    let mut headers = two(20, 0.0, |h, s, _| h.labels.acquisition_number = (s + 1).to_string());
    headers.drain(3..9);
    let series = order(headers).unwrap();
    assert_eq!((series.slices.len(), series.slices[0].file, series.gaps.len()), (20, 14, 0));
}

/// A part of a thick series repeated in thin slices; two kernels of different thickness over the whole chest: the complete one, alone.
#[test]
fn thin_slices_among_thick_ones() {
    let stack = |kernel: &str, first: f64, step: f64, count: usize| {
        let slice = |k: usize| {
            let mut h = header(first + step * k as f64, &format!("{kernel}.{k}"));
            h.labels.kernel = kernel.into();
            h
        };
        (0..count).map(slice).collect::<Vec<_>>()
    };
    for (other, slices) in [(stack("B70f", 100.5, 1.0, 12), 60), (stack("B70f", 0.0, 1.0, 296), 296)] {
        let series = order([stack("B30f", 0.0, 5.0, 60), other].concat()).unwrap();
        assert_eq!((series.slices.len(), series.gaps.len(), series.warnings.len()), (slices, 0, 1));
    }
    // two that overlap by a few slices are one
    let upper: Vec<SliceHeader> = stack("B30f", 290.0, 5.0, 40)
        .into_iter()
        .zip(100..)
        .map(|(h, k)| SliceHeader { sop_uid: k.to_string(), ..h })
        .collect();
    let mut joined = [stack("B30f", 0.0, 5.0, 60), upper].concat();
    joined.iter_mut().enumerate().for_each(|(k, h)| h.labels.acquisition_number = (1 + k / 60).to_string());
    let series = order(joined).unwrap();
    assert_eq!((series.slices.len(), series.duplicates), (98, 2));
}

#[test]
fn one_acquisition_stays_whole() {
    let whole = |label: fn(&mut SliceHeader, usize)| {
        let mut headers: Vec<SliceHeader> = (0..40).map(|k| header(2.0 * k as f64, &k.to_string())).collect();
        headers.iter_mut().enumerate().for_each(|(k, h)| label(h, k));
        let series = order(headers).unwrap();
        assert_eq!((series.slices.len(), &series.warnings[..]), (40, &[][..]));
    };
    // step and shoot, two stacks one above the other, times in any order, a label that some slices lack
    whole(|h, k| h.labels.acquisition_number = k.to_string());
    whole(|h, k| h.labels.acquisition_number = (k / 4).to_string());
    whole(|h, k| h.labels.acquisition_time = format!("1{}0000", k / 20));
    whole(|h, k| h.labels.content_time = format!("10{:02}{:02}", k * 17 % 40, k));
    whole(|h, k| h.labels.instance_number = (40 - k).to_string());
    whole(|h, k| h.labels.kernel = if k % 10 == 3 { "" } else { "B30f" }.into());
}

#[test]
fn slices_that_lie_twice() {
    let nothing = order(two(20, 0.0, |_, _, _| ())).unwrap_err();
    let SeriesFault::Doubled { doubled: 20, places: 20, .. } = nothing else { panic!("{nothing}") };
    assert!(nothing.to_string().contains(".dcm and "), "{nothing}");
    // a few, or copies of files, are left out and counted
    let mut headers = two(20, 0.0, |_, _, _| ());
    headers.truncate(23);
    assert_eq!(order(headers).unwrap().warnings, [Warning::Duplicates(3)]);
    let copies: Vec<SliceHeader> = (0..40).map(|k| header(f64::from(k % 20), &(k % 20).to_string())).collect();
    assert_eq!(order(copies).unwrap().duplicates, 20);
}

#[test]
fn scouts_and_other_sizes_are_left_aside() {
    let stack = || (0..10).map(|k| header(f64::from(k), &k.to_string())).collect::<Vec<_>>();
    let mut scout = header(4.0, "scout");
    (scout.orientation, scout.rows) = ([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0]], 9);
    let mut named = header(4.5, "named");
    named.localizer = true;
    for (odd, words) in [(scout, "10.dcm (size 4 x 9"), (named, "10.dcm (kind scout view")] {
        let series = order([stack(), vec![odd]].concat()).unwrap();
        assert_eq!(series.slices.len(), 10);
        let [Warning::LeftAside { first, count: 1 }] = &series.warnings[..] else { panic!("{:?}", series.warnings) };
        assert!(first.starts_with(words), "{first}");
    }
    let mut other = header(10.0, "other");
    other.pixel_spacing = [2.0; 2];
    let fault = order([stack(), vec![other]].concat()).unwrap_err().to_string();
    assert!(fault.contains("pixel spacing") && fault.contains("10.dcm has [2.0, 2.0]"), "{fault}");
}

#[test]
fn values_without_rescale_are_told() {
    let mut headers: Vec<SliceHeader> = (0..4).map(|k| header(f64::from(k), &k.to_string())).collect();
    headers[2].format.intercept = None;
    headers[3].format.other_unit = Some("MGML".into());
    let warnings = order(headers).unwrap().warnings;
    assert_eq!(warnings, [Warning::NoRescale, Warning::RescaleType("MGML".into())]);
}

/// An element in implicit, or with a value representation in explicit VR.
fn element(tag: (u16, u16), vr: Option<&str>, value: &[u8]) -> Vec<u8> {
    let mut value = value.to_vec();
    value.resize(value.len().next_multiple_of(2), b' ');
    let length = value.len();
    let head = match vr {
        None => (length as u32).to_le_bytes().to_vec(),
        Some("OW") => [b"OW\0\0", &(length as u32).to_le_bytes()[..]].concat(),
        Some(vr) => [vr.as_bytes(), &(length as u16).to_le_bytes()].concat(),
    };
    [&tag.0.to_le_bytes()[..], &tag.1.to_le_bytes(), &head, &value].concat()
}

/// A slice's data set, `private` put before the rows.
fn data_set(explicit: bool, private: &[u8]) -> Vec<u8> {
    let vr = |name: &'static str| explicit.then_some(name);
    let word = |v: u16| v.to_le_bytes();
    let pixels: Vec<u8> = (0..16i16).flat_map(|v| (v * 50 - 800).to_le_bytes()).collect();
    [
        element((0x0008, 0x0018), vr("UI"), b"1.2.3\0"),
        element((0x0008, 0x0060), vr("CS"), b"CT"),
        element((0x0020, 0x000e), vr("UI"), b"1.2\0"),
        element((0x0020, 0x0032), vr("DS"), b"0\\0\\7.5"),
        element((0x0020, 0x0037), vr("DS"), b"1\\0\\0\\0\\1\\0"),
        private.to_vec(),
        element((0x0028, 0x0010), vr("US"), &word(4)),
        element((0x0028, 0x0011), vr("US"), &word(4)),
        element((0x0028, 0x0030), vr("DS"), b"1\\1"),
        element((0x0028, 0x0100), vr("US"), &word(16)),
        element((0x0028, 0x0103), vr("US"), &word(1)),
        element((0x7fe0, 0x0010), vr("OW"), &pixels),
    ]
    .concat()
}

fn file(body: &[u8]) -> Vec<u8> {
    let syntax = element((2, 0x10), Some("UI"), b"1.2.840.10008.1.2.1\0");
    let length = element((2, 0), Some("UL"), &(syntax.len() as u32).to_le_bytes());
    [&[0; 128][..], b"DICM", &length, &syntax, body].concat()
}

fn reads(bytes: &[u8], what: &str) {
    let File::Ct(header) = read_file(bytes).unwrap_or_else(|e| panic!("{what}: {e}")) else { panic!("{what}") };
    assert_eq!(header.position[2], 7.5, "{what}");
    assert_eq!(slice_hu(bytes, &header).unwrap()[..3], [-800.0, -750.0, -700.0], "{what}");
}

#[test]
fn files_without_preamble_or_meta_group() {
    let whole = file(&data_set(true, &[]));
    reads(&whole, "whole");
    reads(&whole[132..], "meta group alone");
    reads(&data_set(true, &[]), "explicit data set");
    reads(&data_set(false, &[]), "implicit data set");
    for other in [&b"\x08\0\x05\0 and then some text that is no data set"[..], b"\x08\0\x18\0UI\xff\xff", b"BM", b""] {
        assert!(matches!(read_file(other), Err(DicomFault::NotDicom | DicomFault::Truncated(_))));
    }
}

/// PS3.5 6.2.2 (CP-246): UN of undefined length is a sequence in implicit VR; nested, with items of either length.
#[test]
fn unknown_sequences_of_undefined_length() {
    let item = |body: &[u8]| {
        [&[0xfe, 0xff, 0x00, 0xe0, 0xff, 0xff, 0xff, 0xff][..], body, &[0xfe, 0xff, 0x0d, 0xe0, 0, 0, 0, 0]].concat()
    };
    let short = |body: &[u8]| [&[0xfe, 0xff, 0x00, 0xe0][..], &(body.len() as u32).to_le_bytes(), body].concat();
    let end = [0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0];
    let undefined = |tag: [u8; 4], vr: &[u8], items: &[u8]| [&tag[..], vr, &[0xff; 4], items, &end].concat();
    let implicit = element((0x0008, 0x1150), None, b"1.2.840\0");
    let explicit = element((0x0008, 0x1150), Some("UI"), b"1.2.840\0");
    let nested = undefined([0x08, 0, 0x15, 0x11], &[], &item(&implicit));
    let tag = [0x21, 0, 0x5f, 0x10];
    for (what, private) in [
        ("implicit items", undefined(tag, b"UN\0\0", &item(&[&implicit[..], &nested].concat()))),
        ("items with a length", undefined(tag, b"UN\0\0", &[short(&implicit), short(&[])].concat())),
        ("explicit items against the rule", undefined(tag, b"UN\0\0", &item(&explicit))),
        ("SQ of undefined length", undefined(tag, b"SQ\0\0", &item(&explicit))),
        ("an empty one", undefined(tag, b"UN\0\0", &[])),
    ] {
        reads(&file(&data_set(true, &private)), what);
    }
    let open = [&tag[..], b"UN\0\0", &[0xff; 4], &item(&implicit)].concat();
    assert!(matches!(read_file(&file(&open)), Err(DicomFault::Truncated(_) | DicomFault::Damaged(_))));
}

/// Padding is what hangs together with the image's border; the same value within the body is tissue.
#[test]
fn padding_that_is_a_tissue_value_too() {
    let mut h = header(0.0, "a");
    (h.rows, h.columns) = (5, 5);
    let stored = [0, 0, 0, 0, 0, 0, 40, 40, 40, 0, 0, 40, 0, 40, 0, 0, 40, 40, 40, 0, 0, 0, 0, 0, 0];
    let outside = padding::outside(&stored, &h, (0, 0));
    assert_eq!(outside.iter().filter(|o| **o).count(), 16);
    assert!(outside[0] && outside[24] && !outside[12], "the middle is water");
}
