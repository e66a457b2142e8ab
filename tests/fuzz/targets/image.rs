//! Any bytes as an NRRD file or a MetaImage: an error or a volume that can be cut. The voxels may lie in a file of their own.
#![no_main]

use clip_lung_core::volume::frame::Point;
use clip_lung_core::volume::geometry::CropSize;
use clip_lung_core::volume::grid::Margin;
use clip_lung_core::volume::image;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(scan) = image::parse(bytes, "fuzz.nrrd", |_| Some(bytes.to_vec())) {
        if let Ok(centre) = Point::new([0.0; 3]).and_then(|voxel| scan.mm(voxel)) {
            let _ = CropSize::new(10.0, 5.0).and_then(|size| scan.patch(centre, size, Margin::default()));
        }
    }
});
