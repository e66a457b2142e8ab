//! The elements of `LidcReadMessage`, as they close.

use super::fault::XmlFault;
use super::readings::{Reading, Readings, Roi};
use crate::lidc::annotations::ReaderRatings;

/// The nine ratings of a nodule in the making, 0 where missing.
#[derive(Default)]
struct Marks {
    label: String,
    described: bool,
    values: [u32; 9],
    rois: Vec<Roi>,
}

/// The names of the ratings in the order of the data set's columns, malignancy last, with their largest value.
pub(super) const SCALES: [(&str, u32); 9] = [
    ("subtlety", 5),
    ("internalstructure", 5),
    ("calcification", 6),
    ("sphericity", 5),
    ("margin", 5),
    ("lobulation", 5),
    ("spiculation", 5),
    ("texture", 5),
    ("malignancy", 5),
];

#[derive(Default)]
pub(super) struct Parser {
    pub(super) out: Readings,
    nodule: Option<Marks>,
    roi: Option<Roi>,
    point: (Option<i32>, Option<i32>),
}

impl Parser {
    pub(super) fn start(&mut self, name: &str) {
        match name {
            "unblindedreadnodule" => self.nodule = Some(Marks::default()),
            "roi" => self.roi = Some(Roi { inclusion: true, z: f64::NAN, sop_uid: String::new(), points: Vec::new() }),
            "edgemap" => self.point = (None, None),
            "characteristics" => self.nodule.iter_mut().for_each(|n| n.described = true),
            _ => {}
        }
    }

    pub(super) fn end(&mut self, name: &str, text: &str, at: u64) -> Result<(), XmlFault> {
        let bad = |name: &'static str, expected: &'static str| XmlFault::Value {
            name,
            value: text.chars().take(40).collect(),
            at,
            expected,
        };
        match name {
            "seriesinstanceuid" => self.out.series_uid = text.to_owned(),
            "studyinstanceuid" => self.out.study_uid = text.to_owned(),
            "nonnodule" => self.out.non_nodules += 1,
            "noduleid" => self.nodule.iter_mut().for_each(|n| n.label = text.chars().take(64).collect()),
            "imagezposition" => {
                if let Some(roi) = &mut self.roi {
                    roi.z = text
                        .parse()
                        .ok()
                        .filter(|z: &f64| z.is_finite())
                        .ok_or_else(|| bad("imageZposition", "a number of mm"))?;
                }
            }
            "imagesop_uid" => self.roi.iter_mut().for_each(|r| r.sop_uid = text.to_owned()),
            "inclusion" => {
                if let Some(roi) = &mut self.roi {
                    roi.inclusion = match text.to_ascii_uppercase().as_str() {
                        "TRUE" => true,
                        "FALSE" => false,
                        _ => return Err(bad("inclusion", "TRUE or FALSE")),
                    };
                }
            }
            "xcoord" => self.point.0 = Some(text.parse().map_err(|_| bad("xCoord", "a whole number of pixels"))?),
            "ycoord" => self.point.1 = Some(text.parse().map_err(|_| bad("yCoord", "a whole number of pixels"))?),
            "edgemap" => {
                if let (Some(roi), (Some(x), Some(y))) = (&mut self.roi, self.point) {
                    roi.points.push((x, y));
                }
            }
            "roi" => {
                if let (Some(nodule), Some(roi)) = (&mut self.nodule, self.roi.take()) {
                    if roi.z.is_nan() {
                        return Err(bad("imageZposition", "given for every roi"));
                    }
                    nodule.rois.push(roi);
                }
            }
            "unblindedreadnodule" => {
                if let Some(marks) = self.nodule.take() {
                    self.finish(marks);
                }
            }
            _ => {
                if let (Some(nodule), Some(i)) = (&mut self.nodule, SCALES.iter().position(|s| s.0 == name)) {
                    // an empty rating counts as a missing one
                    nodule.values[i] = text.parse().unwrap_or(0);
                }
            }
        }
        Ok(())
    }

    /// Files a nodule where it belongs.
    fn finish(&mut self, marks: Marks) {
        if !marks.described {
            self.out.small += 1;
            return;
        }
        if let Some(i) = (0..9).find(|&i| !(1..=SCALES[i].1).contains(&marks.values[i])) {
            let (name, high) = SCALES[i];
            let reason = format!("{name} is {} where 1 to {high} is expected", marks.values[i]);
            self.out.unrated.push((marks.label, reason));
            return;
        }
        let mut ratings = [0; 8];
        ratings.iter_mut().zip(marks.values).for_each(|(r, v)| *r = v as u8);
        let ratings = ReaderRatings { attributes: ratings, malignancy: marks.values[8] as u8 };
        self.out.nodules.push(Reading { label: marks.label, ratings, rois: marks.rois });
    }
}
