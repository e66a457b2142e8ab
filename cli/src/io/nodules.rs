//! Which nodules of a scan the user means, and in which frame their centres stand.

use std::path::PathBuf;

use anyhow::Result;
use clip_lung_core::dataset::list::{self, Listed, Size};
use clip_lung_core::volume::frame::Frame;

use crate::failure::Failure;
use crate::io::files;

/// Which nodules of a scan.
#[derive(clap::Args, Default)]
pub struct Place {
    /// The nodule's centre in a scan: x,y,z in mm, in the scan's own frame (DICOM: LPS; NIfTI: RAS) unless --frame names another
    #[arg(long, value_parser = triple, allow_hyphen_values = true, requires = "diameter")]
    centre: Option<[f64; 3]>,
    /// The nodule's diameter in mm; how large the crop around it is, the model says. With --nodules: of those that the list gives none
    #[arg(long, allow_negative_numbers = true)]
    diameter: Option<f64>,
    /// The frame of --centre, and of --nodules that name none (mm are LPS there): lps (x to the left, y to the back), ras (to the right,
    /// to the front), voxel (from 0: column,row,slice of a DICOM series, slices from the feet; i,j,k of a NIfTI file)
    #[arg(long, value_parser = frame)]
    frame: Option<Frame>,
    /// The same as --frame voxel
    #[arg(long, conflicts_with = "frame")]
    voxel: bool,
    /// Many nodules: CSV with columns centre_x_mm, centre_y_mm, centre_z_mm, diameter_mm and perhaps frame, nodule_id and series_uid
    /// (as `prepare` writes, or as LUNA16's seriesuid,coordX,coordY,coordZ,diameter_mm), a JSON list of {id, centre, diameter_mm, frame},
    /// or the boxes of MONAI or nnDetection. One list serves many scans when it names a scan for each nodule
    #[arg(long, conflicts_with = "centre")]
    nodules: Option<PathBuf>,
    /// The SeriesInstanceUID, where a folder holds several series
    #[arg(long)]
    pub series: Option<String>,
}

/// A nodule with its name and the frame of its centre.
#[derive(Clone, Debug, PartialEq)]
pub struct Nodule {
    pub id: String,
    pub frame: Frame,
    pub centre: [f64; 3],
    pub size: Option<Size>,
    /// The scan that the list names.
    pub scan: Option<String>,
}

impl Nodule {
    /// Whether the list names this scan for it.
    pub fn lies_in(&self, scan: &str) -> bool {
        self.scan.as_ref().is_some_and(|named| list::same_scan(named, scan))
    }
}

impl Place {
    /// Whether there is a list.
    pub fn listed(&self) -> bool {
        self.nodules.is_some()
    }

    /// Whether the user points at a place, and does not only give a diameter.
    pub fn points(&self) -> bool {
        self.centre.is_some() || self.nodules.is_some()
    }

    /// `--diameter`.
    pub fn diameter(&self) -> Option<f64> {
        self.diameter
    }

    /// Whether the user points at anything.
    pub fn given(&self) -> bool {
        self.points() || self.diameter.is_some()
    }

    /// The nodules of the list, by name, that are not among these numbers.
    pub fn unused(&self, used: &[usize]) -> Result<Vec<String>> {
        if !self.listed() {
            return Ok(Vec::new());
        }
        let all = self.nodules("nodule", Frame::Lps)?.into_iter().enumerate();
        Ok(all.filter(|(i, _)| !used.contains(i)).map(|(_, nodule)| nodule.id).collect())
    }

    /// Every nodule that the user means; those without a name are numbered, and `stem` names them. `own` is the frame of the scan's
    /// format, for --centre.
    pub fn nodules(&self, stem: &str, own: Frame) -> Result<Vec<Nodule>> {
        let asked = if self.voxel { Some(Frame::Voxel) } else { self.frame };
        let usual = self.diameter.map(Size::Diameter);
        if let Some(centre) = self.centre {
            let frame = asked.unwrap_or(own);
            return Ok(vec![Nodule { id: stem.into(), frame, centre, size: usual, scan: None }]);
        }
        let Some(path) = &self.nodules else {
            let message =
                "a scan needs to know where to look: give --centre x,y,z and --diameter mm, or --nodules FILE";
            return Err(Failure::Usage(message.into()).into());
        };
        let file = path.display().to_string();
        let list = list::parse(&files::read(path)?, &file)?;
        if list.is_empty() {
            return Err(Failure::File(format!("{file}: there is no nodule in it")).into());
        }
        let nodule = |(i, l): (usize, Listed)| {
            let id = l.id.unwrap_or_else(|| format!("{stem}[{i}]"));
            if let (Some(asked), Some(named)) = (asked, l.frame)
                && asked != named
            {
                let (asked, named) = (asked.name(), named.name());
                let message =
                    format!("{file}: nodule {id} names the frame {named}, but {asked} was asked for; leave that out");
                return Err(Failure::Usage(message).into());
            }
            let frame = l.frame.or(asked).unwrap_or(Frame::Lps);
            Ok(Nodule { id, frame, centre: l.centre, size: l.size.or(usual), scan: l.scan })
        };
        list.into_iter().enumerate().map(nodule).collect()
    }
}

fn frame(name: &str) -> Result<Frame, String> {
    serde_json::from_value(name.to_ascii_lowercase().into()).map_err(|_| "give lps, ras or voxel".into())
}

/// `x,y,z`.
pub fn triple(text: &str) -> Result<[f64; 3], String> {
    let numbers: Vec<f64> =
        text.split(',').filter_map(|p| p.trim().parse().ok()).filter(|v: &f64| v.is_finite()).collect();
    numbers.try_into().ok().filter(|_| text.split(',').count() == 3).ok_or_else(|| "give three numbers: x,y,z".into())
}
