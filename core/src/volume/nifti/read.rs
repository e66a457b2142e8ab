//! A NIfTI-1 volume, from bytes: voxels in HU and where they lie.

use std::io::Read;

use nifti::{NiftiHeader, NiftiType};

use crate::error::{Error, NiftiFault, Result};
use crate::volume::crop::Crop;
use crate::volume::frame::{Frame, Lps, Point, Ras, Voxel};
use crate::volume::geometry::CropSize;
use crate::volume::voxels::Volume;

/// No CT volume is larger: 1024 x 1024 x 1024 voxels.
const MAX_VOXELS: u64 = 1 << 30;
/// Axes may lean this far from the scanner's.
const MAX_TILT_DEGREES: f64 = 1.0;

/// A volume with its place in the scanner's frame.
#[derive(Clone, Debug, PartialEq)]
pub struct NiftiScan {
    volume: Volume,
    /// World (x, y, z in RAS+ mm) of stored voxel (i, j, k), as three rows of four.
    affine: Affine,
    /// Which stored axis runs along world x, y, z.
    axis: [usize; 3],
    /// Stored size (i, j, k).
    size: [usize; 3],
}

impl NiftiScan {
    /// Reads a `.nii` or `.nii.gz` file; `file` names it in errors.
    ///
    /// # Errors
    /// When it is not NIfTI-1, is incomplete, not three-dimensional, or does not say where it lies.
    pub fn parse(bytes: &[u8], file: &str) -> Result<Self> {
        let bad = |fault| Error::Nifti { file: file.into(), fault };
        let (h, values) = read(bytes).map_err(bad)?;
        let (affine, axis, spacing) = place(&h).map_err(bad)?;
        let size = [1, 2, 3].map(|i| usize::from(h.dim[i]));
        let (voxels, dims) = turned(&values, &affine, axis, size);
        let volume = Volume::new(voxels, dims, [spacing[axis[2]], spacing[axis[1]], spacing[axis[0]]]);
        let volume = volume.map_err(|e| match e {
            Error::NonFinite { what, index, .. } => Error::NonFinite { file: file.into(), what, index },
            other => other,
        })?;
        Ok(Self { volume, affine, axis, size })
    }

    /// Stored voxel coordinates of a point in the file's own frame.
    ///
    /// # Errors
    /// When they are too large for a number.
    pub fn voxel(&self, at: Point<Ras>) -> Result<Point<Voxel>> {
        Point::new(invert(&self.affine, at.xyz()).unwrap_or([f64::NAN; 3]))
    }

    /// The point of stored voxel coordinates.
    ///
    /// # Errors
    /// When its coordinates are too large for a number.
    pub fn mm(&self, at: Point<Voxel>) -> Result<Point<Ras>> {
        let voxel = at.xyz();
        let row = |r: usize| (0..3).map(|c| self.affine[r][c] * voxel[c]).sum::<f64>() + self.affine[r][3];
        Point::new([0, 1, 2].map(row))
    }

    /// The voxels, axes (z, y, x) towards head, back and left.
    pub fn volume(&self) -> &Volume {
        &self.volume
    }

    /// The centre of the volume's first voxel.
    ///
    /// # Errors
    /// When its coordinates are too large for a number.
    pub fn first(&self) -> Result<Point<Lps>> {
        let mut voxel = [0.0; 3];
        for world in (0..3).filter(|w| !self.forward(*w)) {
            voxel[self.axis[world]] = self.size[self.axis[world]] as f64 - 1.0;
        }
        self.mm(Point::new(voxel)?).map(Point::from)
    }

    /// The way from a voxel of the volume to the next along x, y and z, LPS, mm.
    pub fn steps(&self) -> [[f64; 3]; 3] {
        [0, 1, 2].map(|world| {
            let (stored, sign) = (self.axis[world], if self.forward(world) { 1.0 } else { -1.0 });
            let [x, y, z] = [0, 1, 2].map(|row| self.affine[row][stored] * sign);
            [-x, -y, z]
        })
    }

    /// Whether the axis along world x, y or z is stored as the volume has it: towards left, back or head.
    fn forward(&self, world: usize) -> bool {
        self.affine[world][self.axis[world]] * if world == 2 { 1.0 } else { -1.0 } > 0.0
    }

    /// The crop of the box of `size` around a point: x towards the left, y towards the back, z towards the head, as in DICOM.
    ///
    /// # Errors
    /// When the point is off the volume.
    pub fn crop(&self, centre: Point<Ras>, size: CropSize) -> Result<Crop> {
        let voxel = self.voxel(centre)?.xyz();
        if !(0..3).all(|i| voxel[i] >= -0.5 && voxel[i] <= self.size[i] as f64 - 0.5) {
            let dims = [self.size[2], self.size[1], self.size[0]];
            return Err(Error::OffScan { frame: Frame::Ras.name(), centre_mm: centre.xyz(), voxel, dims });
        }
        // the volume is stored with x to the left, y to the back, z to the head
        let along = |world: usize| {
            let stored = self.axis[world];
            if self.forward(world) { voxel[stored] } else { self.size[stored] as f64 - 1.0 - voxel[stored] }
        };
        Crop::take(&self.volume, Point::new([0, 1, 2].map(along))?, size)
    }
}

/// Header and voxels in HU, in stored order.
fn read(bytes: &[u8]) -> Result<(NiftiHeader, Vec<f32>), NiftiFault> {
    let unpacked;
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) {
        unpacked = gunzip(bytes)?;
        unpacked.as_slice()
    } else {
        bytes
    };
    let head = bytes.get(..348).ok_or_else(|| NiftiFault::NotNifti("shorter than its header".into()))?;
    let mut h = NiftiHeader::from_reader(head).map_err(|e| NiftiFault::NotNifti(e.to_string()))?;
    if &h.magic[..3] == b"ni1" {
        return Err(NiftiFault::Pair);
    }
    h.fix();
    let dim = h.dim().map_err(|e| NiftiFault::NotNifti(e.to_string()))?.to_vec();
    if dim.len() < 3 || dim[3..].iter().any(|d| *d != 1) || dim[..3].contains(&0) {
        return Err(NiftiFault::Dimensions(dim));
    }
    let kind = h.data_type().map_err(|_| NiftiFault::Datatype(h.datatype))?;
    let count: u64 = dim[..3].iter().map(|d| u64::from(*d)).product();
    let start = if h.vox_offset.is_finite() && h.vox_offset >= 348.0 { h.vox_offset as usize } else { 352 };
    let body = bytes.get(start..).unwrap_or(&[]);
    let expected = count * kind.size_of() as u64;
    if count > MAX_VOXELS || (body.len() as u64) < expected {
        return Err(NiftiFault::Voxels { expected, found: body.len() as u64 });
    }
    let little = matches!(h.endianness, nifti::Endianness::Little);
    let body = &body[..expected as usize];
    let (slope, intercept) = if h.scl_slope == 0.0 { (1.0, 0.0) } else { (h.scl_slope, h.scl_inter) };
    let values: Vec<f32> = match kind {
        NiftiType::Int8 => body.iter().map(|b| f32::from(*b as i8)).collect(),
        NiftiType::Uint8 => body.iter().map(|b| f32::from(*b)).collect(),
        NiftiType::Int16 => words(body, little, |b| f32::from(i16::from_le_bytes(b))),
        NiftiType::Uint16 => words(body, little, |b| f32::from(u16::from_le_bytes(b))),
        NiftiType::Int32 => words(body, little, |b| i32::from_le_bytes(b) as f32),
        NiftiType::Uint32 => words(body, little, |b| u32::from_le_bytes(b) as f32),
        NiftiType::Float32 => words(body, little, f32::from_le_bytes),
        NiftiType::Float64 => words(body, little, |b| f64::from_le_bytes(b) as f32),
        _ => return Err(NiftiFault::Datatype(h.datatype)),
    };
    Ok((h, values.into_iter().map(|v| v * slope + intercept).collect()))
}

fn words<const N: usize>(body: &[u8], little: bool, read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let one = |chunk: &[u8]| {
        let mut word = [0; N];
        word.copy_from_slice(chunk);
        if !little {
            word.reverse();
        }
        read(word)
    };
    body.chunks_exact(N).map(one).collect()
}

fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, NiftiFault> {
    // the header says how much is needed; what follows is not unpacked
    let mut reader = flate2::read::MultiGzDecoder::new(bytes);
    let mut out = Vec::new();
    let bad = |e: std::io::Error| NiftiFault::Gzip(e.to_string());
    reader.by_ref().take(352).read_to_end(&mut out).map_err(bad)?;
    let Ok(h) = NiftiHeader::from_reader(out.as_slice()) else { return Ok(out) };
    let count = h.dim[1..4].iter().fold(1u64, |n, d| n.saturating_mul(u64::from((*d).max(1))));
    let size = h.data_type().map_or(1, |t| t.size_of() as u64);
    let limit = count.saturating_mul(size).min(MAX_VOXELS * 8).saturating_add(h.vox_offset.clamp(352.0, 1e7) as u64);
    reader.take(limit.saturating_sub(out.len() as u64)).read_to_end(&mut out).map_err(bad)?;
    Ok(out)
}

/// World of stored voxel, as three rows of four.
type Affine = [[f64; 4]; 3];

/// The affine, which stored axis runs along world x, y and z, and the spacing of the stored axes in mm.
fn place(h: &NiftiHeader) -> Result<(Affine, [usize; 3], [f64; 3]), NiftiFault> {
    let (form, affine) = affine(h)?;
    let bad = |reason: &str| NiftiFault::Frame { form, reason: reason.into() };
    if affine.iter().flatten().any(|v| !v.is_finite()) {
        return Err(bad("not finite"));
    }
    let column = |c: usize| [affine[0][c], affine[1][c], affine[2][c]];
    let length = |v: [f64; 3]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    let spacing = [0, 1, 2].map(|c| length(column(c)));
    if spacing.iter().any(|s| !(0.01..=100.0).contains(s)) {
        return Err(bad("voxels must measure 0.01 to 100 mm"));
    }
    let mut axis = [usize::MAX; 3];
    for c in 0..3 {
        let v = column(c);
        let world = (0..3).max_by(|a, b| v[*a].abs().total_cmp(&v[*b].abs())).unwrap_or(0);
        let degrees = (v[world].abs() / spacing[c]).min(1.0).acos().to_degrees();
        if degrees > MAX_TILT_DEGREES {
            return Err(NiftiFault::Oblique { degrees });
        }
        axis[world] = c;
    }
    if axis.contains(&usize::MAX) {
        return Err(bad("two axes run along one direction"));
    }
    Ok((affine, axis, spacing))
}

/// The stored voxels, (z, y, x) towards head, back and left, with the new dimensions.
fn turned(values: &[f32], affine: &Affine, axis: [usize; 3], size: [usize; 3]) -> (Vec<f32>, [usize; 3]) {
    // RAS+ to left, back, head: x and y turn round
    let stride = [1, size[0], size[0] * size[1]];
    let walk = |world: usize| {
        let stored = axis[world];
        let towards = if world == 2 { 1.0 } else { -1.0 };
        let forward = affine[world][stored] * towards > 0.0;
        let n = size[stored];
        (0..n).map(move |i| if forward { i } else { n - 1 - i } * stride[stored]).collect::<Vec<_>>()
    };
    let (zs, ys, xs) = (walk(2), walk(1), walk(0));
    let mut voxels = Vec::with_capacity(values.len());
    for z in &zs {
        for y in &ys {
            voxels.extend(xs.iter().map(|x| values[z + y + x]));
        }
    }
    (voxels, [zs.len(), ys.len(), xs.len()])
}

/// The sform, or else the qform (nifti1.h, methods 3 and 2).
fn affine(h: &NiftiHeader) -> Result<(&'static str, Affine), NiftiFault> {
    if h.sform_code > 0 {
        return Ok(("sform", [h.srow_x, h.srow_y, h.srow_z].map(|r| r.map(f64::from))));
    }
    if h.qform_code <= 0 {
        return Err(NiftiFault::NoFrame);
    }
    let [b, c, d] = [h.quatern_b, h.quatern_c, h.quatern_d].map(f64::from);
    let a = (1.0 - b * b - c * c - d * d).max(0.0).sqrt();
    let rotation = [
        [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
        [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
        [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ];
    let handed = if h.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
    let scale = [f64::from(h.pixdim[1]), f64::from(h.pixdim[2]), f64::from(h.pixdim[3]) * handed];
    let offset = [h.quatern_x, h.quatern_y, h.quatern_z].map(f64::from);
    let row = |r: usize| [rotation[r][0] * scale[0], rotation[r][1] * scale[1], rotation[r][2] * scale[2], offset[r]];
    Ok(("qform", [row(0), row(1), row(2)]))
}

/// Solves affine * v = mm by Cramer's rule.
fn invert(a: &Affine, mm: [f64; 3]) -> Option<[f64; 3]> {
    let d = [mm[0] - a[0][3], mm[1] - a[1][3], mm[2] - a[2][3]];
    let det = |m: [[f64; 3]; 3]| {
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
            + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    };
    let m = [0, 1, 2].map(|r| [a[r][0], a[r][1], a[r][2]]);
    let whole = det(m);
    (whole.abs() > 1e-12).then(|| {
        [0, 1, 2].map(|c| {
            let mut replaced = m;
            (0..3).for_each(|r| replaced[r][c] = d[r]);
            det(replaced) / whole
        })
    })
}
