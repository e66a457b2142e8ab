//! A CT volume as a NIfTI-1 file (nifti1.h): int16 HU, gzipped, with an sform in RAS+ mm.

use std::io::Write;

use crate::error::{Error, Result};
use crate::volume::voxels::Volume;

/// Header and its four extension bytes.
const HEADER: usize = 352;
const INT16: i16 = 4;
const MILLIMETRES: u8 = 2;
const SCANNER: i16 = 1;

/// The bytes of a `.nii.gz`. `first` is the centre of the first voxel, (x, y, z) in mm towards left, back and head, which are the
/// directions of the volume's axes.
///
/// # Errors
/// When an axis has more voxels than NIfTI-1 can name.
pub fn nifti_gz(volume: &Volume, first: [f64; 3]) -> Result<Vec<u8>> {
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
        put(row + 12, &((sign * first[axis]) as f32).to_le_bytes());
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
    use crate::volume::nifti::NiftiScan;

    #[test]
    fn reads_back_in_place() {
        let voxels: Vec<f32> = (0..4 * 5 * 6).map(|v| v as f32 - 60.0).collect();
        let volume = Volume::new(voxels.clone(), [4, 5, 6], [2.5, 0.75, 0.5]).unwrap();
        let scan = NiftiScan::parse(&nifti_gz(&volume, [-10.0, 20.0, 30.0]).unwrap(), "volume.nii.gz").unwrap();
        assert_eq!(scan.mm([0.0; 3]), [10.0, -20.0, 30.0]);
        assert_eq!(scan.mm([1.0; 3]), [9.5, -20.75, 32.5]);
        // the crop around voxel (3, 2, 1), one voxel of x a cell
        let crop = scan.crop(scan.mm([3.0, 2.0, 1.0]), 16.0).unwrap();
        let at = |z: usize, y: usize, x: usize| voxels[(z * 5 + y) * 6 + x];
        let middle = crop.hu()[(16 * 32 + 16) * 32 + 16];
        assert!((middle - at(1, 2, 3)).abs() < 10.0, "{middle}");
    }
}
