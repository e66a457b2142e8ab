//! Which nodules of a scan the user means, and in which frame their centres stand.

use std::path::Path;

use anyhow::Result;
use clip_lung_core::Error;
use clip_lung_core::dataset::table::CENTRE_COLUMNS;
use clip_lung_core::volume::frame::Frame;
use serde::Deserialize;

use crate::failure::Failure;
use crate::io::files;

/// Which nodules of a scan.
#[derive(clap::Args, Default)]
pub struct Place {
    /// The nodule's centre in a scan: x,y,z in mm, in the scan's own frame (DICOM: LPS; NIfTI: RAS) unless --frame names another
    #[arg(long, value_parser = triple, allow_hyphen_values = true, requires = "diameter")]
    centre: Option<[f64; 3]>,
    /// The nodule's diameter in mm; how large the crop around it is, the model says
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
    /// (as `prepare` writes), or a JSON list of {id, centre, diameter_mm, frame}, the centre a list of three
    #[arg(long, conflicts_with_all = ["centre", "diameter"])]
    nodules: Option<String>,
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
    pub diameter_mm: f64,
    pub series_uid: Option<String>,
}

/// A nodule as a list describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    frame: Option<Frame>,
    centre: [f64; 3],
    diameter_mm: f64,
    #[serde(default)]
    series_uid: Option<String>,
}

impl Place {
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
        self.centre.is_some() || self.diameter.is_some() || self.nodules.is_some()
    }

    /// The nodules; those without a name get `stem`'s. `own` is the frame of the scan's format.
    pub fn nodules(&self, stem: &str, own: Frame) -> Result<Vec<Nodule>> {
        let asked = if self.voxel { Some(Frame::Voxel) } else { self.frame };
        if let (Some(centre), Some(diameter_mm)) = (self.centre, self.diameter) {
            let frame = asked.unwrap_or(own);
            return Ok(vec![Nodule { id: stem.into(), frame, centre, diameter_mm, series_uid: None }]);
        }
        let Some(file) = &self.nodules else {
            let message =
                "a scan needs to know where to look: give --centre x,y,z and --diameter mm, or --nodules FILE";
            return Err(Failure::Usage(message.into()).into());
        };
        let list = read(file)?;
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
            Ok(Nodule { id, frame, centre: l.centre, diameter_mm: l.diameter_mm, series_uid: l.series_uid })
        };
        list.into_iter().enumerate().map(nodule).collect()
    }
}

/// The frames by name.
const FRAMES: &str = "lps, ras or voxel";

fn frame(name: &str) -> Result<Frame, String> {
    serde_json::from_value(name.to_ascii_lowercase().into()).map_err(|_| format!("give {FRAMES}"))
}

fn triple(text: &str) -> Result<[f64; 3], String> {
    let numbers: Vec<f64> =
        text.split(',').filter_map(|p| p.trim().parse().ok()).filter(|v: &f64| v.is_finite()).collect();
    numbers.try_into().ok().filter(|_| text.split(',').count() == 3).ok_or_else(|| "give three numbers: x,y,z".into())
}

/// `--nodules FILE`.
fn read(file: &str) -> Result<Vec<Listed>> {
    let bytes = files::read(Path::new(file))?;
    if file.to_ascii_lowercase().ends_with(".json") {
        let list = serde_json::from_slice(&bytes);
        return Ok(list.map_err(|e| Error::BadJson { file: file.into(), reason: e.to_string() })?);
    }
    let bad = |e: csv::Error| Error::BadTable { file: file.into(), reason: e.to_string() };
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let header = reader.headers().map_err(bad)?.clone();
    let column = |name: &str| header.iter().position(|h| h.trim() == name);
    let needed =
        |name: &str| column(name).ok_or_else(|| Error::MissingColumn { file: file.into(), column: name.into() });
    let [x, y, z] = CENTRE_COLUMNS;
    let names = [x, y, z, "diameter_mm"];
    let index = [needed(x)?, needed(y)?, needed(z)?, needed(names[3])?];
    let (id, series, framed) = (column("nodule_id"), column("series_uid"), column("frame"));
    let mut list = Vec::new();
    for (n, record) in reader.records().enumerate() {
        let record = record.map_err(bad)?;
        let cell = |column: &str, value: &str, expected: &'static str| Error::BadCell {
            file: file.into(),
            row: n + 1,
            column: column.into(),
            value: value.into(),
            expected,
        };
        let mut numbers = [0.0; 4];
        for ((number, i), name) in numbers.iter_mut().zip(index).zip(names) {
            let value = record.get(i).unwrap_or("").trim();
            let read = value.parse().ok().filter(|v: &f64| v.is_finite());
            *number = read.ok_or_else(|| cell(name, value, "a number of mm"))?;
        }
        let word = |i: Option<usize>| {
            i.and_then(|i| record.get(i)).map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned)
        };
        let named = |name: String| frame(&name).map_err(|_| cell("frame", &name, FRAMES));
        let frame = word(framed).map(named).transpose()?;
        let [x, y, z, diameter_mm] = numbers;
        list.push(Listed { id: word(id), frame, centre: [x, y, z], diameter_mm, series_uid: word(series) });
    }
    Ok(list)
}
