//! Any bytes as an annotation file: an error or readings.
#![no_main]

use clip_lung_core::lidc::xml;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = xml::parse(bytes);
});
