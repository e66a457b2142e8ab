//! One scan, a DICOM series or a volume of one file, and the crops that are cut of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use clip_lung_core::Error;
use clip_lung_core::dataset::list::{Size, file_stem};
use clip_lung_core::error::SeriesFault;
use clip_lung_core::volume::block;
use clip_lung_core::volume::crop::Patch;
use clip_lung_core::volume::dicom::{Series, SeriesReader};
use clip_lung_core::volume::file_kind::FileKind;
use clip_lung_core::volume::frame::{Frame, Lps, Point, Ras, Voxel};
use clip_lung_core::volume::geometry::{CropGeometry, CropSize};
use clip_lung_core::volume::grid::Margin;
use clip_lung_core::volume::image;
use clip_lung_core::volume::nifti;
use clip_lung_core::volume::placed::PlacedVolume;
use clip_lung_core::volume::view::View;
use clip_lung_core::volume::warning::{Warning, not_hu};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::io::archive::search::{Archive, SliceFile};
use crate::io::archive::store::Store;
use crate::io::files;
use crate::io::nodules::Nodule;

/// A scan, ready to be cut.
pub enum Scan<'a> {
    Dicom {
        store: &'a Arc<Store>,
        uid: &'a str,
        slices: &'a [SliceFile],
    },
    /// A NIfTI, NRRD or MetaImage file, perhaps in a ZIP archive, or a block.
    Volume {
        path: PathBuf,
        scan: Box<PlacedVolume>,
        zipped: bool,
    },
}

/// A nodule's place in a DICOM series.
pub struct Origin {
    pub series_uid: String,
    /// One of the series' files, and where it lies.
    pub file: PathBuf,
    pub store: Arc<Store>,
    pub centre: Point<Lps>,
    /// SOPInstanceUIDs of the slices that the nodule reaches, from the feet.
    pub slices: Vec<String>,
}

/// A crop with its margin, and where it was cut.
pub struct Cut {
    pub patch: Patch,
    pub size: CropSize,
    /// The centre, mm, in DICOM's frame.
    pub centre: Point<Lps>,
    voxel: Point<Voxel>,
    pub diameter_mm: Option<f64>,
    /// What holds for this crop alone.
    pub warnings: Vec<Warning>,
    /// Of a DICOM series: what a report tells of its place.
    pub origin: Option<Origin>,
}

/// The crops of one scan, in the nodules' order, and what is to know of the scan.
pub struct Cuts {
    pub cuts: Vec<Result<Cut, Error>>,
    pub warnings: Vec<Warning>,
    /// z ranges between which slices are missing, mm.
    pub gaps: Vec<(f64, f64)>,
    /// As the scan's own header has it.
    pub patient_id: Option<String>,
}

impl<'a> Scan<'a> {
    /// A `.nii` or `.nii.gz` file.
    pub fn nifti(path: &Path) -> Result<Self> {
        let scan = nifti::parse(&files::read(path)?, &path.display().to_string())?;
        Ok(Self::Volume { path: path.into(), scan: Box::new(scan), zipped: false })
    }

    /// An NRRD file or a MetaImage; the file of its voxels may lie beside it.
    pub fn image(path: &Path) -> Result<Self> {
        let beside = |name: &str| std::fs::read(path.with_file_name(name)).ok();
        let scan = image::parse(&files::read(path)?, &path.display().to_string(), beside)?;
        Ok(Self::Volume { path: path.into(), scan: Box::new(scan), zipped: false })
    }

    /// The only volume in a ZIP archive; `None` where there is none.
    pub fn zipped(archive: &Archive) -> Result<Option<Self>> {
        let shown = archive.store.path().display();
        let (name, kind) = match archive.volumes.as_slice() {
            [] => return Ok(None),
            [one] => one,
            all => {
                let names: Vec<_> = all.iter().take(5).map(|(name, _)| name.display().to_string()).collect();
                let (count, names) = (all.len(), names.join(", "));
                return Err(Failure::File(format!(
                    "{shown}: {count} volumes in it ({names}, ..); unpack it and give one"
                ))
                .into());
            }
        };
        let path = archive.store.path().join(name);
        let (bytes, file) = (archive.store.read(name)?, path.display().to_string());
        let beside = |other: &str| archive.store.read(&name.with_file_name(other)).ok();
        let scan =
            if *kind == FileKind::Nifti { nifti::parse(&bytes, &file)? } else { image::parse(&bytes, &file, beside)? };
        Ok(Some(Self::Volume { path, scan: Box::new(scan), zipped: true }))
    }

    /// A block of a scan: an array and the document that says where it lies.
    pub fn block(array: &Path, document: &Path) -> Result<Self> {
        let name = array.display().to_string();
        let scan = block::parse(&files::read(array)?, &files::read(document)?, &name)?;
        Ok(Self::Volume { path: array.into(), scan: Box::new(scan), zipped: false })
    }

    /// How messages and lists call it: a file's name without endings, or "nodule" in a series.
    pub fn stem(&self) -> String {
        match self {
            Self::Dicom { .. } => "nodule".into(),
            Self::Volume { path, .. } => {
                let name = path.file_name().map_or_else(|| "scan".into(), |n| n.to_string_lossy().into_owned());
                file_stem(&name).into()
            }
        }
    }

    /// The frame of its format.
    pub fn frame(&self) -> Frame {
        if matches!(self, Self::Dicom { .. }) { Frame::Lps } else { Frame::Ras }
    }

    /// The kind of its files, in words.
    pub fn format(&self) -> &'static str {
        if let Self::Volume { scan, .. } = self { scan.format } else { "DICOM" }
    }

    /// The whole scan as viewers have it.
    pub fn view(&self) -> Result<View, Error> {
        match self {
            Self::Volume { scan, .. } => View::of_volume(scan),
            Self::Dicom { store, uid, slices } => {
                let headers: Vec<_> = slices.iter().map(|s| s.header.clone()).enumerate().collect();
                let name = |i: usize| slices[i].path.display().to_string();
                View::of_series(uid, &headers, &name, |i| slices[i].read(store).map(|(_, bytes)| bytes))
            }
        }
    }

    /// The SeriesInstanceUID, in a document.
    pub fn series(&self) -> Value {
        if let Self::Dicom { uid, .. } = self { json!(uid) } else { Value::Null }
    }

    /// Cuts a crop around each nodule.
    pub fn cut(&self, nodules: &[Nodule], crop: CropGeometry, margin: Margin) -> Result<Cuts, Error> {
        match self {
            Self::Dicom { store, uid, slices } => dicom(store, uid, slices, nodules, crop, margin),
            Self::Volume { scan, .. } => {
                let cuts = nodules.iter().map(|nodule| volume(scan, nodule, crop, margin)).collect();
                Ok(Cuts { cuts, warnings: scan.warnings.clone(), gaps: Vec::new(), patient_id: None })
            }
        }
    }

    /// Where a crop was cut, in words and numbers: mm in the scan's own frame.
    pub fn geometry(&self, cut: &Cut) -> Value {
        let [through_plane, in_plane, _] = cut.size.sides();
        let mm = match self {
            Self::Dicom { .. } => cut.centre.xyz(),
            Self::Volume { .. } => Point::<Ras>::from(cut.centre).xyz(),
        };
        let zipped = match self {
            Self::Dicom { store, .. } => matches!(***store, Store::Zip { .. }),
            Self::Volume { zipped, .. } => *zipped,
        };
        let mut place = json!({
            "format": self.format(), "frame": self.frame().name(), "centre_mm": mm, "centre_voxel": cut.voxel.xyz(), "in_plane_mm": in_plane,
            "through_plane_mm": through_plane, "diameter_mm": cut.diameter_mm, "shape": [32, 32, 32],
            "axes": "z towards the head, y towards the back, x towards the left", "series_uid": self.series(),
        });
        if zipped {
            place["packed_in"] = json!("zip");
        }
        place
    }
}

fn volume(scan: &PlacedVolume, nodule: &Nodule, crop: CropGeometry, margin: Margin) -> Result<Cut, Error> {
    let centre: Point<Ras> = match nodule.frame {
        Frame::Lps => Point::<Lps>::new(nodule.centre)?.into(),
        Frame::Ras => Point::new(nodule.centre)?,
        Frame::Voxel => scan.mm(Point::new(nodule.centre)?)?,
    };
    let (size, diameter_mm) = sized(nodule, crop, scan.spacing())?;
    let patch = scan.patch(centre, size, margin)?;
    let voxel = scan.voxel(centre)?;
    Ok(Cut { patch, size, centre: centre.into(), voxel, diameter_mm, warnings: Vec::new(), origin: None })
}

/// The crop's size and the nodule's diameter, in voxels of these mm.
fn sized(nodule: &Nodule, crop: CropGeometry, spacing: [f64; 3]) -> Result<(CropSize, Option<f64>), Error> {
    let diameter = nodule.size.map(|size: Size| size.diameter_mm(spacing));
    let size = crop.size_of(diameter)?.ok_or_else(|| Error::Lacks {
        nodule: nodule.id.clone(),
        what: "diameter",
        remedy: "give a column diameter_mm, or --diameter for all, or crops in mm",
    })?;
    Ok((size, diameter))
}

/// A slice that can't be decoded is left aside, as one that is missing: what lies there is interpolated, and said.
fn dicom(
    store: &Arc<Store>,
    uid: &str,
    slices: &[SliceFile],
    nodules: &[Nodule],
    crop: CropGeometry,
    margin: Margin,
) -> Result<Cuts, Error> {
    let name = |i: usize| slices[i].path.display().to_string();
    let mut damaged: Vec<(usize, String)> = Vec::new();
    loop {
        let sound = slices.iter().enumerate().filter(|(i, _)| damaged.iter().all(|(d, _)| d != i));
        let headers = sound.map(|(i, s)| (i, s.header.clone())).collect();
        let series = Series::order(headers, &name).map_err(|fault| Error::Series { series: uid.into(), fault })?;
        let mut reader = SeriesReader::new(&series, |file| slices[file].read(store));
        let first = &slices[series.slices[0].file].path;
        let mut cuts = Vec::new();
        let mut next = None;
        for nodule in nodules {
            let cut = one(&series, &mut reader, nodule, crop, margin, (store, first));
            if let Err(Error::Series { fault: SeriesFault::Slice { file, fault }, .. }) = &cut {
                let broken = (0..slices.len()).find(|i| name(*i) == *file);
                next = broken.map(|i| (i, format!("{file} ({fault})")));
                break;
            }
            cuts.push(cut);
        }
        if let Some(next) = next {
            damaged.push(next);
            continue;
        }
        let count = damaged.len();
        let aside = damaged.into_iter().next().map(|(_, first)| Warning::LeftAside { first, count });
        let unlike = if cuts.iter().any(Result::is_ok) { not_hu(reader.decoded()) } else { None };
        let warnings = aside.into_iter().chain(series.warnings.iter().cloned()).chain(unlike).collect();
        let patient_id = Some(series.header.patient_id.clone());
        return Ok(Cuts { cuts, warnings, gaps: series.gaps.clone(), patient_id });
    }
}

fn one<F>(
    series: &Series,
    reader: &mut SeriesReader<F>,
    nodule: &Nodule,
    crop: CropGeometry,
    margin: Margin,
    (store, file): (&Arc<Store>, &Path),
) -> Result<Cut, Error>
where
    F: FnMut(usize) -> Result<(String, Vec<u8>), Error>,
{
    let centre: Point<Lps> = match nodule.frame {
        Frame::Lps => Point::new(nodule.centre)?,
        Frame::Ras => Point::<Ras>::new(nodule.centre)?.into(),
        Frame::Voxel => series.mm(Point::new(nodule.centre)?)?,
    };
    let [row_mm, column_mm] = series.header.pixel_spacing;
    let (size, diameter_mm) = sized(nodule, crop, [column_mm, row_mm, series.slice_spacing])?;
    let voxel = series.voxel(centre)?;
    let patch = reader.patch(centre, size, margin)?;
    let warnings = series.missing_within(centre, size);
    let origin = Some(Origin {
        series_uid: series.header.series_uid.clone(),
        file: file.into(),
        store: store.clone(),
        centre,
        slices: reached(series, centre, diameter_mm.unwrap_or_default())?,
    });
    Ok(Cut { patch, size, centre, voxel, diameter_mm, warnings, origin })
}

/// The slices within half a diameter of a nodule's centre, at least the one nearest to it.
fn reached(series: &Series, centre: Point<Lps>, diameter_mm: f64) -> Result<Vec<String>, Error> {
    let [_, _, middle] = series.voxel(centre)?.xyz();
    let reach = diameter_mm / 2.0 / series.slice_spacing;
    let near = |k: &usize| (*k as f64 - middle).abs() <= reach.max(0.5);
    Ok((0..series.slices.len()).filter(near).map(|k| series.slices[k].sop_uid.clone()).collect())
}
