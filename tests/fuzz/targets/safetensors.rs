//! Any bytes as a safetensors file: an error or tensors as large as their shapes say, all finite.
#![no_main]

use clip_lung_core::base::tensors::read;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(arrays) = read(bytes, "fuzz.safetensors") {
        for array in arrays.values() {
            assert_eq!(array.values.len(), array.shape.iter().product::<usize>());
            assert!(array.values.iter().all(|v| v.is_finite()));
        }
    }
});
