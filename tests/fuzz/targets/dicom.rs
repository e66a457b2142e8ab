//! Any bytes as a DICOM slice: an error or voxels.
#![no_main]

use clip_lung_core::volume::dicom::{File, Series, read_file, slice_hu};
use clip_lung_core::volume::frame::Point;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(File::Ct(header)) = read_file(bytes) {
        if let Ok(hu) = slice_hu(bytes, &header) {
            assert_eq!(hu.len(), usize::from(header.rows) * usize::from(header.columns));
            assert!(hu.iter().all(|v| v.is_finite()));
        }
        let mut next = (*header).clone();
        next.position[2] += 2.5;
        if let Ok(series) = Series::order(vec![(0, *header), (1, next)], &|i| i.to_string())
            && let Ok(centre) = Point::new([0.0; 3]).and_then(|voxel| series.mm(voxel))
        {
            let _ = series.voxel(centre);
        }
    }
});
