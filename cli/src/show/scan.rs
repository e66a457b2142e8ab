//! A whole scan in words and as a document: what was read, where it lies, and what to know of it.

use clip_lung_core::volume::frame::{Lps, Point};
use clip_lung_core::volume::view::View;
use serde_json::{Value, json};

/// A scan that was read.
pub struct Shown<'a> {
    pub name: String,
    pub format: &'a str,
    pub series_uid: Option<&'a str>,
    pub view: &'a View,
    /// Points asked for.
    pub points: &'a [Point<Lps>],
}

impl Shown<'_> {
    pub fn text(&self) -> String {
        let View { dims: [nx, ny, nz], spacing: [dx, dy, dz], .. } = self.view;
        let series = self.series_uid.map_or(String::new(), |uid| format!(", series {uid}"));
        let name = &self.name;
        let [x, y, z] = self.view.first.xyz();
        let [low, high] = self.view.range();
        let mut out = format!(
            "{name}: {}{series}\n  {nx} x {ny} x {nz} voxels of {dx:.3} x {dy:.3} x {dz:.3} mm, towards left, back and head\n",
            self.format
        );
        out += &format!("  first voxel at {x:.2}, {y:.2}, {z:.2} mm (LPS); values from {low} to {high} HU\n");
        for point in self.points {
            let [x, y, z] = point.xyz();
            let hu = match self.hu(*point) {
                Some((_, hu)) => format!("{hu} HU"),
                None => "off the scan".into(),
            };
            out += &format!("  at {x:.2}, {y:.2}, {z:.2} mm: {hu}\n");
        }
        out
    }

    pub fn document(&self) -> Value {
        let view = self.view;
        let [low, high] = view.range();
        let point = |point: &Point<Lps>| {
            let (voxel, hu) = self.hu(*point).unzip();
            json!({"mm": point.xyz(), "voxel": voxel, "hu": hu})
        };
        json!({
            "scan": self.name, "format": self.format, "series_uid": self.series_uid, "frame": "LPS",
            "dims": view.dims, "spacing_mm": view.spacing, "first_mm": view.first.xyz(), "steps_mm": view.steps,
            "hu": {"min": low, "max": high},
            "points": self.points.iter().map(point).collect::<Vec<_>>(),
            "warnings": view.warnings,
        })
    }

    fn hu(&self, at: Point<Lps>) -> Option<([usize; 3], f32)> {
        let voxel = self.view.nearest(at)?;
        Some((voxel, self.view.hu(voxel)?))
    }
}
