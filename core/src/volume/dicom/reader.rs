//! Crops of a series: only the slices that a crop touches are fetched and decoded, each once.

use std::collections::BTreeMap;

use super::elements::DataSet;
use super::header::{File, SliceHeader};
use super::pixels::decode;
use super::series::Series;
use crate::error::{DicomFault, Error, Result, SeriesFault};
use crate::volume::crop::Patch;
use crate::volume::frame::{Frame, Lps, Point};
use crate::volume::geometry::CropSize;
use crate::volume::grid::Margin;
use crate::volume::voxels::Volume;

/// Reads crops of one series. `fetch` gives a file's name and bytes by the caller's number.
pub struct SeriesReader<'a, F> {
    series: &'a Series,
    fetch: F,
    decoded: BTreeMap<usize, Vec<f32>>,
}

impl<'a, F: FnMut(usize) -> Result<(String, Vec<u8>)>> SeriesReader<'a, F> {
    pub fn new(series: &'a Series, fetch: F) -> Self {
        Self { series, fetch, decoded: BTreeMap::new() }
    }

    /// The crop of the box of `size` around a point, with its margin.
    ///
    /// # Errors
    /// When the point is off the scan, or a slice can't be decoded.
    pub fn patch(&mut self, centre: Point<Lps>, size: CropSize, margin: Margin) -> Result<Patch> {
        let voxel = self.series.voxel(centre)?;
        if !self.series.contains(voxel) {
            let (frame, dims) = (Frame::Lps.name(), self.series.dims());
            return Err(Error::OffScan { frame, centre_mm: centre.xyz(), voxel: voxel.xyz(), dims });
        }
        let mut axes = self.series.crop_axes(centre, size, margin)?;
        let dims = self.series.dims();
        // the box of voxels around all samples
        let mut low = [0; 3];
        let mut touched = [0; 3];
        for i in 0..3 {
            let ends = axes[i].iter().fold((f64::INFINITY, f64::NEG_INFINITY), |a, v| (a.0.min(*v), a.1.max(*v)));
            low[i] = (ends.0.floor().max(0.0) as usize).min(dims[i] - 1);
            let high = (ends.1.floor().max(0.0) as usize + 1).min(dims[i] - 1);
            touched[i] = high + 1 - low[i];
            axes[i].iter_mut().for_each(|v| *v -= low[i] as f64);
        }
        let mut voxels = Vec::with_capacity(touched.iter().product());
        for z in low[0]..low[0] + touched[0] {
            let slice = self.slice(z)?;
            for y in low[1]..low[1] + touched[1] {
                let start = y * dims[2] + low[2];
                voxels.extend_from_slice(&slice[start..start + touched[2]]);
            }
        }
        Patch::sampled(&Volume::new(voxels, touched, [1.0; 3])?, &axes, margin)
    }

    /// Decodes slice `z` where it is not yet.
    ///
    /// # Errors
    /// When its file can't be fetched, has changed, or can't be decoded.
    pub fn slice(&mut self, z: usize) -> Result<&[f32]> {
        if !self.decoded.contains_key(&z) {
            let wanted = &self.series.slices[z];
            let (file, bytes) = (self.fetch)(wanted.file)?;
            let failed = |fault| {
                let series = self.series.header.series_uid.clone();
                Error::Series { series, fault: SeriesFault::Slice { file: file.clone(), fault } }
            };
            let data = DataSet::open(&bytes).map_err(failed)?;
            let header: SliceHeader = match File::of(&data).map_err(failed)? {
                File::Ct(h) if h.sop_uid == wanted.sop_uid => *h,
                _ => {
                    let reason = "it changed while it was being read".into();
                    return Err(failed(DicomFault::Damaged(reason)));
                }
            };
            self.decoded.insert(z, decode(&data, &header).map_err(failed)?);
        }
        Ok(self.decoded.get(&z).map_or(&[], Vec::as_slice))
    }

    /// The HU of the slices that were decoded.
    pub fn decoded(&self) -> impl Iterator<Item = f32> {
        self.decoded.values().flatten().copied()
    }

    /// Forgets what was decoded.
    pub fn clear(&mut self) {
        self.decoded.clear();
    }
}
