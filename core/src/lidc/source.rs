//! Where annotations come from: the embedded database, or XML. Both give the same thing, a scan with its named nodules.

use std::collections::BTreeMap;

use super::annotations::{Annotation, Contour, Scan, embedded};
use super::nodule::{Nodule, nodules};
use super::xml::Readings;
use crate::dataset::table::Row;
use crate::error::{Error, Result};
use crate::volume::dicom::{Series, SeriesFault};

/// Pixel spacings that agree within this share are the same.
const SAME_SPACING: f64 = 1e-3;
/// Diameters this close are the same.
const SAME_DIAMETER_MM: f64 = 1e-3;

/// A scan and its nodules, each with the name it gets in a data set.
pub struct Annotated {
    pub scan: Scan,
    pub nodules: Vec<(String, Nodule)>,
}

/// The embedded database by SeriesInstanceUID.
pub struct Database {
    scans: Vec<Scan>,
    nodules: Vec<Vec<Nodule>>,
    of_series: BTreeMap<String, usize>,
}

impl Database {
    /// Decodes the database and clusters its annotations.
    ///
    /// # Errors
    /// Only when the build embedded damaged files.
    pub fn new() -> Result<Self> {
        let scans = embedded()?;
        let mut by_scan = vec![Vec::new(); scans.len()];
        for nodule in nodules(&scans) {
            by_scan[nodule.scan].push(nodule);
        }
        let of_series = scans.iter().enumerate().map(|(i, s)| (s.series_uid.clone(), i)).collect();
        Ok(Self { scans, nodules: by_scan, of_series })
    }

    /// The scans' SeriesInstanceUIDs.
    pub fn series(&self) -> impl Iterator<Item = &str> {
        self.of_series.keys().map(String::as_str)
    }

    /// The annotations of a series; nodules are named by their number in the whole database.
    ///
    /// # Errors
    /// When the series' pixels are not those that were annotated.
    pub fn annotated(&self, series: &Series) -> Result<Option<Annotated>> {
        let Some(&i) = self.of_series.get(&series.header.series_uid) else { return Ok(None) };
        let scan = self.scans[i].clone();
        let found = series.header.pixel_spacing;
        if found.iter().any(|s| (s / scan.pixel_spacing - 1.0).abs() > SAME_SPACING) {
            let fault = SeriesFault::Spacing { found, annotated: scan.pixel_spacing };
            return Err(Error::Series { series: scan.series_uid, fault });
        }
        let nodules = self.nodules[i].iter().map(|n| (n.id.to_string(), n.clone())).collect();
        Ok(Some(Annotated { scan, nodules }))
    }

    /// The nodule of a data set's row, with its scan: of that series, and of that diameter or, where several are, also of that
    /// number. `None` for a nodule of another source.
    pub fn nodule(&self, row: &Row) -> Option<(&Nodule, &Scan)> {
        let i = *self.of_series.get(&row.series_uid)?;
        let diameter = row.diameter_mm?;
        let alike: Vec<&Nodule> =
            self.nodules[i].iter().filter(|n| (n.diameter_mm - diameter).abs() < SAME_DIAMETER_MM).collect();
        let found = match alike[..] {
            [only] => only,
            _ => alike.into_iter().find(|n| n.id.to_string() == row.nodule_id)?,
        };
        Some((found, &self.scans[i]))
    }
}

/// The annotations of an XML file on its series. A contour lies on the slice its SOP instance names, or else at the z it gives.
/// Nodules are named by patient, the end of the series UID (as the archive names its folders), and a count from 1.
///
/// # Errors
/// When the series' pixels are not square: the schema has no other.
pub fn from_xml(readings: &Readings, series: &Series) -> Result<Annotated> {
    let h = &series.header;
    let [rows, columns] = h.pixel_spacing;
    if (rows / columns - 1.0).abs() > SAME_SPACING {
        let fault = SeriesFault::Spacing { found: h.pixel_spacing, annotated: columns };
        return Err(Error::Series { series: h.series_uid.clone(), fault });
    }
    let of_sop: BTreeMap<&str, f64> = series.slices.iter().map(|s| (s.sop_uid.as_str(), s.z)).collect();
    let annotation = |(id, reading): (usize, &crate::lidc::xml::Reading)| Annotation {
        id: id as u32,
        ratings: reading.ratings,
        contours: reading
            .rois
            .iter()
            .map(|r| Contour {
                inclusion: r.inclusion,
                z: of_sop.get(r.sop_uid.as_str()).copied().unwrap_or(r.z),
                points: r.points.clone(),
            })
            .collect(),
    };
    let scan = Scan {
        id: 0,
        patient_id: h.patient_id.clone(),
        series_uid: h.series_uid.clone(),
        slice_thickness: h.slice_thickness.filter(|t| *t > 0.0).unwrap_or(series.slice_spacing),
        pixel_spacing: columns,
        slice_spacing: series.slice_spacing,
        annotations: readings.nodules.iter().enumerate().map(annotation).collect(),
    };
    let tail = &h.series_uid[h.series_uid.char_indices().rev().nth(4).map_or(0, |(i, _)| i)..];
    let found = nodules(std::slice::from_ref(&scan));
    let nodules = found.into_iter().map(|n| (format!("{}-{tail}-{}", h.patient_id, n.id + 1), n)).collect();
    Ok(Annotated { scan, nodules })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::class::Thresholds;

    /// Every nodule of the database is found by its row; a row that says another series or diameter, or none, is not.
    #[test]
    fn nodules_are_found_by_their_rows() {
        let database = Database::new().unwrap();
        for (scan, nodules) in database.scans.iter().zip(&database.nodules) {
            for nodule in nodules {
                let row = nodule.row(&nodule.id.to_string(), scan, Thresholds::Inclusive);
                let (found, of) = database.nodule(&row).unwrap();
                assert_eq!((found.id, of.id), (nodule.id, scan.id));
                let other =
                    |diameter_mm, series_uid: &str| Row { diameter_mm, series_uid: series_uid.into(), ..row.clone() };
                let larger = row.diameter_mm.map(|d| d + 50.0);
                for other in
                    [other(larger, &row.series_uid), other(None, &row.series_uid), other(row.diameter_mm, "1.2")]
                {
                    assert!(database.nodule(&other).is_none());
                }
            }
        }
        let named = |n: &Nodule, scan: &Scan| n.row("LIDC-IDRI-0001-1-1", scan, Thresholds::Inclusive);
        let found = database.nodule(&named(&database.nodules[0][0], &database.scans[0])).unwrap();
        assert_eq!(found.0.id, database.nodules[0][0].id, "by another name");
    }
}
