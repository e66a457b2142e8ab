//! The options of `clip-lung prepare`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clip_lung_core::dataset::class::Thresholds;
use clip_lung_core::lidc::prepare::Settings;
use clip_lung_core::volume::frame::Frame;
use clip_lung_core::volume::geometry::{CropGeometry, Extent};
use clip_lung_core::volume::grid::Margin;

use crate::io::archive::work::Work;
use crate::io::word::word;

#[derive(clap::Args)]
pub struct Args {
    /// The folder of scans, of any layout: DICOM files; with --nodules NIfTI, NRRD and MetaImage files and blocks (.npy with
    /// a .json of spacing and origin) too
    #[arg(long, alias = "scans", required_unless_present = "npz")]
    pub dicom: Option<PathBuf>,
    /// A list of one's own nodules, as `predict --nodules` reads it, with a column class (benign, unsure, malignant; 0 or 1 of pathology)
    /// or malignancy (1 to 5), and perhaps patient_id, fold and the readers' ratings; scans are matched by series_uid or file
    #[arg(long, conflicts_with_all = ["annotations", "min_readers", "max_slice_thickness"])]
    pub nodules: Option<PathBuf>,
    /// The frame of --nodules that name none: lps, ras or voxel
    #[arg(long, default_value = "lps", value_parser = word::<Frame>, requires = "nodules")]
    pub frame: Frame,
    /// MedMNIST's NoduleMNIST3D, a .npz file, instead of scans: its test part becomes fold 0, its validation part 1, its training part 2
    #[arg(long, conflicts_with_all = ["dicom", "nodules", "margin", "crop"])]
    pub npz: Option<PathBuf>,
    /// The HU that 0 and 255 of --npz stand for: LOW,HIGH
    #[arg(long, default_value = "-1024,400", value_parser = range, allow_hyphen_values = true, requires = "npz")]
    pub hu_range: [f32; 2],
    /// The dataset directory to write; with --check nothing is written
    #[arg(long, required_unless_present = "check")]
    pub out: Option<PathBuf>,
    /// Where the readers' annotations come from: `embedded` (the annotation database inside this program) or `xml`
    #[arg(long, default_value = "embedded", value_parser = ["embedded", "xml"])]
    pub annotations: String,
    /// Class thresholds of the mean malignancy: `inclusive` (2.5 is benign, 3.5 malignant) or `strict`
    #[arg(long, default_value = "inclusive", value_parser = word::<Thresholds>)]
    pub thresholds: Thresholds,
    /// Leave out nodules of fewer readers
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4), allow_negative_numbers = true)]
    pub min_readers: u32,
    /// Leave out series of nominally thicker slices (mm)
    #[arg(long, value_parser = millimetres, allow_negative_numbers = true)]
    pub max_slice_thickness: Option<f64>,
    /// The crop's sides in diameters of the nodule: in the axial plane x along z
    #[arg(long, default_value = "2x2", value_parser = CropGeometry::from_str, conflicts_with = "fov_mm")]
    pub crop: CropGeometry,
    /// A fixed field of view: the crop's sides in mm, the same for all nodules
    #[arg(long, value_parser = fixed_side, allow_negative_numbers = true)]
    pub fov_mm: Option<Extent>,
    /// Store so many cells more around each crop, on either side of every axis: augmentation may shift into them, nothing else sees them
    #[arg(long, default_value = "0", value_parser = every_side, allow_negative_numbers = true)]
    pub margin: Margin,
    /// Series worked on at the same time; all cores if not given
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1024), allow_negative_numbers = true)]
    pub jobs: Option<u32>,
    /// Only verify: find, order and decode every annotated series; exit code 3 when something is wrong
    #[arg(long)]
    pub check: bool,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

fn range(text: &str) -> Result<[f32; 2], String> {
    let ends: Vec<f32> = text.split(',').filter_map(|v| v.trim().parse().ok()).collect();
    let known = <[f32; 2]>::try_from(ends).ok().filter(|[low, high]| low.is_finite() && high.is_finite() && low < high);
    known.ok_or_else(|| "give two numbers, the lower one first: LOW,HIGH".into())
}

fn millimetres(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|v| (0.1..=1000.0).contains(v)).ok_or_else(|| "give 0.1 to 1000 mm".into())
}

fn fixed_side(text: &str) -> Result<Extent, String> {
    Extent::mm(millimetres(text)?).map_err(|e| e.to_string())
}

fn every_side(text: &str) -> Result<Margin, String> {
    let cells = text.parse().map_err(|_| format!("give 0 to {} cells", Margin::MOST))?;
    Margin::new([cells; 3]).map_err(|e| e.to_string())
}

impl Args {
    /// How crops are made.
    pub fn settings(&self) -> Settings {
        Settings {
            thresholds: self.thresholds,
            min_readers: self.min_readers,
            max_slice_thickness: self.max_slice_thickness,
            crop: self.fov_mm.map_or(self.crop, CropGeometry::cube),
            margin: self.margin,
        }
    }

    /// The folder of scans.
    pub fn root(&self) -> &Path {
        self.dicom.as_deref().unwrap_or(Path::new(""))
    }

    /// Where something is written; nowhere with `--check`.
    pub fn target(&self) -> Option<&Path> {
        self.out.as_deref().filter(|_| !self.check)
    }

    /// Where this command writes, if that lies within the archive: it is no part of it.
    pub fn own_places(&self) -> Vec<PathBuf> {
        self.out.as_deref().map_or_else(Vec::new, |out| Work::places_below(self.root(), out))
    }
}
