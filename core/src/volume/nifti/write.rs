//! A CT volume as a NIfTI-1 file (nifti1.h): int16 HU, gzipped, with an sform in RAS+ mm.

use std::io::Write;

use crate::error::{Error, Result};
use crate::volume::frame::{Lps, Point, Ras};
use crate::volume::voxels::Volume;

/// Header and its four extension bytes.
const HEADER: usize = 352;
const INT16: i16 = 4;
const MILLIMETRES: u8 = 2;
const SCANNER: i16 = 1;

/// The bytes of a `.nii.gz`. `first` is the centre of the first voxel; the volume's axes run towards left, back and head.
///
/// # Errors
/// When an axis has more voxels than NIfTI-1 can name.
pub fn nifti_gz(volume: &Volume, first: Point<Lps>) -> Result<Vec<u8>> {
    let first = Point::<Ras>::from(first).xyz();
    let mut header = [0u8; HEADER];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &348i32.to_le_bytes());
    put(40, &3i16.to_le_bytes());
    let (dims, spacing) = (volume.dims(), volume.spacing());
    put(76, &1f32.to_le_bytes());
    for axis in 0..3 {
        let size = i16::try_from(dims[2 - axis]).map_err(|_| Error::OutOfRange {
            what: "a volume's axis".into(),
            value: format!("{} voxels", dims[2 - axis]),
            expected: "at most 32767, which is NIfTI-1's limit".into(),
        })?;
        put(42 + 2 * axis, &size.to_le_bytes());
        put(80 + 4 * axis, &(spacing[2 - axis] as f32).to_le_bytes());
        // x and y turn round: RAS+
        let sign = if axis == 2 { 1.0 } else { -1.0 };
        let row = 280 + 16 * axis;
        put(row + 4 * axis, &((sign * spacing[2 - axis]) as f32).to_le_bytes());
        put(row + 12, &(first[axis] as f32).to_le_bytes());
    }
    (4..8).for_each(|unused| put(40 + 2 * unused, &1i16.to_le_bytes()));
    put(70, &INT16.to_le_bytes());
    put(72, &16i16.to_le_bytes());
    put(108, &(HEADER as f32).to_le_bytes());
    put(112, &1f32.to_le_bytes());
    put(123, &[MILLIMETRES]);
    put(254, &SCANNER.to_le_bytes());
    put(344, b"n+1\0");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let voxels: Vec<u8> =
        volume.voxels().iter().flat_map(|hu| (hu.round().clamp(-32768.0, 32767.0) as i16).to_le_bytes()).collect();
    let all = packed.write_all(&header).and_then(|()| packed.write_all(&voxels)).and_then(|()| packed.finish());
    all.map_err(|e| Error::Unreadable { file: "volume.nii.gz".into(), reason: e.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::geometry::CropSize;
    use crate::volume::grid::Margin;
    use crate::volume::nifti;

    /// A volume that rises along each axis at a rate of its own: any flip, of the voxels, of their place or of the crop, changes it.
    #[test]
    fn reads_back_in_place() {
        let (dims, spacing, first) = ([4, 5, 6], [2.5, 0.75, 0.5], [-10.0, 20.0, 30.0]);
        let value = |[z, y, x]: [f64; 3]| x + 10.0 * y + 100.0 * z - 60.0;
        let voxels = (0..4 * 5 * 6).map(|i| value([i / 30, i / 6 % 5, i % 6].map(f64::from)) as f32).collect();
        let volume = Volume::new(voxels, dims, spacing).unwrap();
        let bytes = nifti_gz(&volume, Point::new(first).unwrap()).unwrap();
        let scan = nifti::parse(&bytes, "volume.nii.gz").unwrap();
        for voxel in [[1.0, 1.0, 1.0], [2.0, 3.0, 1.0], [1.0, 2.0, 4.0], [2.0, 1.0, 3.5]] {
            let at = [0, 1, 2].map(|i| first[i] + voxel[2 - i] * spacing[2 - i]);
            let size = CropSize::new(0.9, 4.0).unwrap();
            let crop = scan.patch(Point::<Lps>::new(at).unwrap().into(), size, Margin::default()).unwrap();
            let [zs, ys, xs] = size.offsets(Margin::default());
            for (i, found) in crop.crop().unwrap().hu().iter().enumerate() {
                let offset = [zs[i / 1024] / spacing[0], ys[i / 32 % 32] / spacing[1], xs[i % 32] / spacing[2]];
                let known = value([0, 1, 2].map(|a| voxel[a] + offset[a])) as f32;
                assert!((found - known).abs() < 1e-2, "{voxel:?} sample {i}: {found}, not {known}");
            }
        }
    }
}
