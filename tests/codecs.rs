//! Compressed slices against what other decoders read from them (tests/golden/codecs.py).

#![allow(clippy::unwrap_used, clippy::panic)]

use clip_lung_core::volume::dicom::{File, read_file, slice_hu};

#[test]
fn every_compressed_syntax_decodes_as_elsewhere() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/codecs");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "dcm") {
            continue;
        }
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        let File::Ct(header) = read_file(&bytes).unwrap() else { panic!("{name}: not CT") };
        let hu = slice_hu(&bytes, &header).unwrap_or_else(|e| panic!("{name}: {e}"));
        let raw = std::fs::read(path.with_extension("raw")).unwrap();
        let known: Vec<i32> = raw.chunks_exact(4).map(|b| i32::from_le_bytes(b.try_into().unwrap())).collect();
        assert_eq!(hu.len(), known.len());
        // below -1024 nothing is measured
        let read = |v: &i32| if *v < -1024 { -1000.0 } else { *v as f32 };
        let worst = hu.iter().zip(&known).map(|(a, b)| (a - read(b)).abs()).fold(0.0, f32::max);
        // lossy decoders may round their transforms differently
        let allowed = if name.contains("lossless") { 0.0 } else { 1.0 };
        assert!(worst <= allowed, "{name}: {worst}");
        seen += 1;
    }
    assert_eq!(seen, 8);
}
