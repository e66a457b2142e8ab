//! Any bytes as a NumPy array: an error or as many values as its shape says.
#![no_main]

use clip_lung_core::volume::npy::{crops, read};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(array) = read(bytes, "fuzz.npy") {
        assert_eq!(array.values.len(), array.shape.iter().product::<usize>());
        let _ = crops(bytes, "fuzz.npy");
    }
});
