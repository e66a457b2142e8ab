//! `nodules.csv`: one row a nodule, the columns of the dataset format.

use super::class::Class;
use crate::error::{Error, Result};
use crate::volume::frame::{Lps, Point};

/// The attributes' columns, in the order used everywhere.
pub const RATING_COLUMNS: [&str; 8] =
    ["subtlety", "internal_structure", "calcification", "sphericity", "margin", "lobulation", "spiculation", "texture"];

/// The columns in writing order.
pub const COLUMNS: [&str; 17] = [
    "crop_index",
    "patient_id",
    "series_uid",
    "nodule_id",
    "readers",
    "subtlety",
    "internal_structure",
    "calcification",
    "sphericity",
    "margin",
    "lobulation",
    "spiculation",
    "texture",
    "malignancy_sum",
    "mean_malignancy",
    "class",
    "diameter_mm",
];

/// Optional columns: the centre in patient coordinates (LPS, mm), which `predict --nodules` reads too.
pub const CENTRE_COLUMNS: [&str; 3] = ["centre_x_mm", "centre_y_mm", "centre_z_mm"];

/// One nodule as the table describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub patient_id: String,
    pub series_uid: String,
    pub nodule_id: String,
    /// How many readers described it; `None` where its class is not the readers'.
    pub readers: Option<u32>,
    /// Mean ratings over the readers, in the order of [`RATING_COLUMNS`].
    pub ratings: Option<[f64; 8]>,
    pub malignancy_sum: Option<u32>,
    pub mean_malignancy: Option<f64>,
    pub class: Class,
    /// Equivalent diameter in mm.
    pub diameter_mm: Option<f64>,
    /// Where the nodule lies in its scan, if the table says so.
    pub centre_mm: Option<Point<Lps>>,
    /// The fold that whoever made the table deals it to.
    pub fold: Option<usize>,
}

impl Row {
    /// The diameter, where something can't do without.
    ///
    /// # Errors
    /// When the table does not have it.
    pub fn diameter(&self) -> Result<f64> {
        let remedy = "fill in the column diameter_mm";
        self.diameter_mm.ok_or_else(|| Error::Lacks { nodule: self.nodule_id.clone(), what: "diameter", remedy })
    }
}

/// What every table must have.
const NEEDED: [&str; 4] = ["crop_index", "patient_id", "nodule_id", "class"];
/// A fold of one's own, counted from 0.
const FOLD: &str = "fold";

/// Reads the table; `file` names it in errors. Of the columns, those of `NEEDED` must be there, and all eight ratings or none; a cell
/// of the others may be empty.
///
/// # Errors
/// A missing column, an unreadable cell, or rows out of order.
pub fn parse(text: &[u8], file: &str) -> Result<Vec<Row>> {
    let bad_table = |reason: String| Error::BadTable { file: file.into(), reason };
    let mut reader = csv::Reader::from_reader(text);
    let header = reader.headers().map_err(|e| bad_table(e.to_string()))?.clone();
    let present = |column: &&&str| header.iter().any(|h| h.trim() == **column);
    places(&header, &NEEDED, file)?;
    if RATING_COLUMNS.iter().any(|column| present(&column)) {
        places(&header, &RATING_COLUMNS, file)?;
    }
    let columns: Vec<&'static str> = COLUMNS.iter().chain([&FOLD]).filter(present).copied().collect();
    let index = places(&header, &columns, file)?;
    let centre = CENTRE_COLUMNS.map(|column| header.iter().position(|h| h.trim() == column));
    let mut rows = Vec::new();
    for (n, record) in reader.records().enumerate() {
        let record = record.map_err(|e| bad_table(e.to_string()))?;
        let cells = Cells { file, row: n + 1, record: &record, columns: &columns, index: &index };
        let crop: usize = cells.number("crop_index", "a whole number")?;
        if crop != n {
            return Err(cells.bad("crop_index", "the row's own number counted from 0 (rows and crops share one order)"));
        }
        rows.push(Row {
            patient_id: cells.text("patient_id")?,
            series_uid: cells.get("series_uid").to_owned(),
            nodule_id: cells.text("nodule_id")?,
            readers: cells.optional("readers", |c| cells.number(c, "a whole number"))?,
            ratings: cells.ratings()?,
            malignancy_sum: cells.optional("malignancy_sum", |c| cells.number(c, "a whole number"))?,
            mean_malignancy: cells
                .optional("mean_malignancy", |c| cells.within(c, 1.0, 5.0, "a number between 1 and 5"))?,
            class: Class::parse(cells.get("class")).ok_or_else(|| cells.bad("class", "benign, unsure or malignant"))?,
            diameter_mm: cells
                .optional("diameter_mm", |c| cells.within(c, f64::MIN_POSITIVE, 1000.0, "a positive number of mm"))?,
            centre_mm: cells.centre(centre)?,
            fold: cells.optional(FOLD, |c| cells.number(c, "a fold's number, counted from 0"))?,
        });
    }
    Ok(rows)
}

/// Writes the table.
///
/// # Errors
/// Never on memory; the signature follows the CSV writer's.
pub fn write(rows: &[Row]) -> Result<Vec<u8>> {
    let bad = |e: csv::Error| Error::BadTable { file: "nodules.csv".into(), reason: e.to_string() };
    let mut writer = csv::Writer::from_writer(Vec::new());
    let placed = !rows.is_empty() && rows.iter().all(|r| r.centre_mm.is_some());
    let dealt = rows.iter().any(|r| r.fold.is_some());
    let more = CENTRE_COLUMNS.iter().filter(|_| placed).chain([&FOLD].into_iter().filter(|_| dealt));
    writer.write_record(COLUMNS.iter().chain(more)).map_err(bad)?;
    for (i, r) in rows.iter().enumerate() {
        // what is not known is empty
        let number = |value: Option<f64>| value.map(trimmed).unwrap_or_default();
        let whole = |value: Option<u32>| value.map(|v| v.to_string()).unwrap_or_default();
        let mut cells =
            vec![i.to_string(), r.patient_id.clone(), r.series_uid.clone(), r.nodule_id.clone(), whole(r.readers)];
        cells.extend((0..RATING_COLUMNS.len()).map(|k| number(r.ratings.map(|all| all[k]))));
        cells.extend([
            whole(r.malignancy_sum),
            number(r.mean_malignancy),
            r.class.name().into(),
            number(r.diameter_mm),
        ]);
        cells.extend(r.centre_mm.iter().flat_map(|c| c.xyz()).filter(|_| placed).map(trimmed));
        cells.extend(dealt.then(|| r.fold.map(|f| f.to_string()).unwrap_or_default()));
        writer.write_record(cells).map_err(bad)?;
    }
    writer.into_inner().map_err(|e| Error::BadTable { file: "nodules.csv".into(), reason: e.to_string() })
}

/// Six decimals without trailing zeros.
fn trimmed(v: f64) -> String {
    let s = format!("{v:.6}");
    s.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Where the header has these columns.
pub(crate) fn places(header: &csv::StringRecord, columns: &[&str], file: &str) -> Result<Vec<usize>> {
    let place = |column: &&str| {
        let found = header.iter().position(|h| h.trim() == *column);
        found.ok_or_else(|| Error::MissingColumn { file: file.into(), column: (*column).into() })
    };
    columns.iter().map(place).collect()
}

/// One record with what an error must name.
pub(crate) struct Cells<'a> {
    pub file: &'a str,
    /// Counted from 1, without the header.
    pub row: usize,
    pub record: &'a csv::StringRecord,
    pub columns: &'a [&'static str],
    /// The [`places`] of `columns`.
    pub index: &'a [usize],
}

impl Cells<'_> {
    pub fn get(&self, column: &str) -> &str {
        let place = self.columns.iter().position(|c| *c == column);
        place.and_then(|c| self.record.get(self.index[c])).unwrap_or("").trim()
    }

    pub fn bad(&self, column: &str, expected: &'static str) -> Error {
        Error::BadCell {
            file: self.file.into(),
            row: self.row,
            column: column.into(),
            value: self.get(column).into(),
            expected,
        }
    }

    pub fn text(&self, column: &str) -> Result<String> {
        let value = self.get(column);
        if value.is_empty() { Err(self.bad(column, "filled in")) } else { Ok(value.to_owned()) }
    }

    /// What a cell holds, where the table has the column and the cell is not empty.
    fn optional<T>(&self, column: &str, read: impl FnOnce(&str) -> Result<T>) -> Result<Option<T>> {
        if self.get(column).is_empty() { Ok(None) } else { read(column).map(Some) }
    }

    /// All eight ratings, or none.
    fn ratings(&self) -> Result<Option<[f64; 8]>> {
        if RATING_COLUMNS.iter().all(|column| self.get(column).is_empty()) {
            return Ok(None);
        }
        let mut ratings = [0.0; 8];
        for (rating, column) in ratings.iter_mut().zip(RATING_COLUMNS) {
            *rating = self.within(column, 1.0, 6.0, "a rating between 1 and 6; give all eight or none")?;
        }
        Ok(Some(ratings))
    }

    /// The centre, where the table has its three columns and they are filled in.
    fn centre(&self, index: [Option<usize>; 3]) -> Result<Option<Point<Lps>>> {
        let [Some(x), Some(y), Some(z)] = index else { return Ok(None) };
        if [x, y, z].iter().all(|i| self.record.get(*i).is_none_or(|cell| cell.trim().is_empty())) {
            return Ok(None);
        }
        let mut centre = [0.0; 3];
        for ((value, i), column) in centre.iter_mut().zip([x, y, z]).zip(CENTRE_COLUMNS) {
            let text = self.record.get(i).unwrap_or("").trim();
            let number = text.parse().ok().filter(|v: &f64| v.is_finite());
            *value = number.ok_or_else(|| Error::BadCell {
                file: self.file.into(),
                row: self.row,
                column: column.into(),
                value: text.into(),
                expected: "a number of mm",
            })?;
        }
        Point::new(centre).map(Some)
    }

    pub fn number<T: std::str::FromStr>(&self, column: &str, expected: &'static str) -> Result<T> {
        self.get(column).parse().map_err(|_| self.bad(column, expected))
    }

    pub fn within(&self, column: &str, low: f64, high: f64, expected: &'static str) -> Result<f64> {
        let value: f64 = self.number(column, expected)?;
        if (low..=high).contains(&value) { Ok(value) } else { Err(self.bad(column, expected)) }
    }
}
