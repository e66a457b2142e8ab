//! A scan as a NIfTI-1 file, its voxels stored in any direction.

use super::{ORIGIN, Scan};

/// The bytes of a `.nii`: `flip` stores an axis the other way round, `quaternion` places an upright scan by its qform.
pub fn nifti(scan: &Scan, flip: [bool; 3], quaternion: bool) -> Vec<u8> {
    let (n, slices) = (usize::from(scan.side), scan.slices);
    let (s, t) = (scan.spacing, scan.thickness);
    let size = [n, n, slices];
    let mut values = vec![0i16; n * n * slices];
    for k in 0..slices {
        for (i, v) in scan.values(k).into_iter().enumerate() {
            let at = [i % n, i / n, k];
            let stored = [0, 1, 2].map(|a| if flip[a] { size[a] - 1 - at[a] } else { at[a] });
            values[(stored[2] * n + stored[1]) * n + stored[0]] = v as i16;
        }
    }
    // DICOM is LPS, NIfTI RAS: x and y change sign
    let ras = |[x, y, z]: [f64; 3]| [-x, -y, z];
    let columns = [scan.orientation[0].map(|v| v * s), scan.orientation[1].map(|v| v * s), scan.step].map(ras);
    let mut origin = ras(ORIGIN);
    let mut step = columns;
    for a in (0..3).filter(|a| flip[*a]) {
        for r in 0..3 {
            origin[r] += columns[a][r] * (size[a] - 1) as f64;
            step[a][r] = -columns[a][r];
        }
    }
    let mut h = vec![0u8; 352];
    let mut put = |at: usize, bytes: &[u8]| h[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &348i32.to_le_bytes());
    [3, n, n, slices, 1, 1, 1, 1].iter().enumerate().for_each(|(i, d)| put(40 + 2 * i, &(*d as u16).to_le_bytes()));
    put(70, &4i16.to_le_bytes());
    put(72, &16i16.to_le_bytes());
    [1.0, s, s, t].iter().enumerate().for_each(|(i, v)| put(76 + 4 * i, &(*v as f32).to_le_bytes()));
    put(108, &352f32.to_le_bytes());
    put(112, &1f32.to_le_bytes());
    if quaternion {
        // half a turn about z: (a, b, c, d) = (0, 0, 0, 1)
        assert_eq!((flip, scan.step[..2].to_vec()), ([false; 3], vec![0.0; 2]));
        put(252, &1i16.to_le_bytes());
        put(264, &1f32.to_le_bytes());
        origin.iter().enumerate().for_each(|(i, v)| put(268 + 4 * i, &(*v as f32).to_le_bytes()));
    } else {
        put(254, &1i16.to_le_bytes());
        for r in 0..3 {
            (0..3).for_each(|a| put(280 + 16 * r + 4 * a, &(step[a][r] as f32).to_le_bytes()));
            put(280 + 16 * r + 12, &(origin[r] as f32).to_le_bytes());
        }
    }
    put(344, b"n+1\0");
    h.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    h
}
