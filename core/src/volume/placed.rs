//! A volume in memory with its place: any axis order and direction, turned towards the patient's axes.

use super::crop::Patch;
use super::frame::{Frame, Lps, Point, Ras, Voxel};
use super::geometry::CropSize;
use super::grid::Margin;
use super::voxels::Volume;
use super::warning::{Warning, not_hu};
use crate::error::{Error, PlaceFault, Result};

/// Axes may lean this far from the scanner's.
const MAX_TILT_DEGREES: f64 = 1.0;

/// World of stored voxel, as three rows of four.
pub type Affine = [[f64; 4]; 3];

/// A volume with its place in the scanner's frame.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedVolume {
    volume: Volume,
    /// World (x, y, z in RAS+ mm) of stored voxel (i, j, k), as three rows of four.
    affine: Affine,
    /// Which stored axis runs along world x, y, z.
    axis: [usize; 3],
    /// Stored size (i, j, k).
    size: [usize; 3],
    /// The kind of file it was read from, in words.
    pub format: &'static str,
    /// What its reader should know.
    pub warnings: Vec<Warning>,
}

impl PlacedVolume {
    /// A volume of stored values in HU, i running fastest, `size` (i, j, k) voxels, placed by `affine`. `file` names it in
    /// errors, `format` says what kind of file it is.
    ///
    /// # Errors
    /// When the axes are no axes, lean, or voxels have no usable size; when a value is not finite.
    pub fn new(values: &[f32], size: [usize; 3], affine: Affine, file: &str, format: &'static str) -> Result<Self> {
        let (axis, spacing) = axes(&affine).map_err(|fault| Error::Place { file: file.into(), fault })?;
        let (voxels, dims) = turned(values, &affine, axis, size);
        let volume = Volume::new(voxels, dims, [spacing[axis[2]], spacing[axis[1]], spacing[axis[0]]]);
        let volume = volume.map_err(|e| match e {
            Error::NonFinite { what, index, .. } => Error::NonFinite { file: file.into(), what, index },
            other => other,
        })?;
        let warnings = not_hu(volume.voxels().iter().copied()).into_iter().collect();
        Ok(Self { volume, affine, axis, size, format, warnings })
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

    /// The crop of the box of `size` around a point, with its margin: x towards the left, y towards the back, z towards the head, as in
    /// DICOM.
    ///
    /// # Errors
    /// When the point is off the volume.
    pub fn patch(&self, centre: Point<Ras>, size: CropSize, margin: Margin) -> Result<Patch> {
        let voxel = self.voxel(centre)?.xyz();
        if !(0..3).all(|i| voxel[i] >= -0.5 && voxel[i] <= self.size[i] as f64 - 0.5) {
            let dims = [self.size[2], self.size[1], self.size[0]];
            return Err(Error::OffScan { frame: Frame::Ras.name(), centre_mm: centre.xyz(), voxel, dims });
        }
        let along = |world: usize| {
            let stored = self.axis[world];
            if self.forward(world) { voxel[stored] } else { self.size[stored] as f64 - 1.0 - voxel[stored] }
        };
        Patch::take(&self.volume, Point::new([0, 1, 2].map(along))?, size, margin)
    }

    /// The voxels, axes (z, y, x) towards head, back and left.
    pub fn volume(&self) -> &Volume {
        &self.volume
    }

    /// mm of a stored voxel along i, j and k.
    pub fn spacing(&self) -> [f64; 3] {
        [0, 1, 2].map(|c| (0..3).map(|r| self.affine[r][c].powi(2)).sum::<f64>().sqrt())
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
        forward(&self.affine, self.axis, world)
    }
}

/// Which stored axis runs along world x, y and z, and the spacing of the stored axes in mm.
fn axes(affine: &Affine) -> Result<([usize; 3], [f64; 3]), PlaceFault> {
    if affine.iter().flatten().any(|v| !v.is_finite()) {
        return Err(PlaceFault::NotFinite);
    }
    let column = |c: usize| [affine[0][c], affine[1][c], affine[2][c]];
    let length = |v: [f64; 3]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    let spacing = [0, 1, 2].map(|c| length(column(c)));
    if spacing.iter().any(|s| !(0.01..=100.0).contains(s)) {
        return Err(PlaceFault::VoxelSize { mm: spacing });
    }
    let mut axis = [usize::MAX; 3];
    for c in 0..3 {
        let v = column(c);
        let world = (0..3).max_by(|a, b| v[*a].abs().total_cmp(&v[*b].abs())).unwrap_or(0);
        let degrees = (v[world].abs() / spacing[c]).min(1.0).acos().to_degrees();
        if degrees > MAX_TILT_DEGREES {
            return Err(PlaceFault::Oblique { degrees });
        }
        axis[world] = c;
    }
    if axis.contains(&usize::MAX) {
        return Err(PlaceFault::OneDirection);
    }
    Ok((axis, spacing))
}

/// RAS+ to left, back, head: x and y turn round.
fn forward(affine: &Affine, axis: [usize; 3], world: usize) -> bool {
    let towards = if world == 2 { 1.0 } else { -1.0 };
    affine[world][axis[world]] * towards > 0.0
}

/// The stored voxels, (z, y, x) towards head, back and left, with the new dimensions.
fn turned(values: &[f32], affine: &Affine, axis: [usize; 3], size: [usize; 3]) -> (Vec<f32>, [usize; 3]) {
    let stride = [1, size[0], size[0] * size[1]];
    let walk = |world: usize| {
        let stored = axis[world];
        let forward = forward(affine, axis, world);
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

/// Solves affine * v = mm by Cramer's rule.
pub(super) fn invert(a: &Affine, mm: [f64; 3]) -> Option<[f64; 3]> {
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
