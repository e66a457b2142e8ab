//! Any bytes as a list of nodules: an error or places that are numbers.
#![no_main]

use clip_lung_core::dataset::list::parse;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(list) = parse(bytes, "fuzz_boxes.json") {
        for nodule in list {
            let _ = (nodule.lies_in("fuzz.nii.gz"), nodule.size.map(|size| size.diameter_mm([0.7, 0.7, 1.0])));
        }
    }
});
