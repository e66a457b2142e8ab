//! Any bytes as a NIfTI file: an error or a volume that can be cut.
#![no_main]

use clip_lung_core::volume::nifti::NiftiScan;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(scan) = NiftiScan::parse(bytes, "fuzz.nii") {
        let _ = scan.crop(scan.mm([0.0; 3]), 10.0);
    }
});
