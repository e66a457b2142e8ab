//! Lists as tables.

use super::listed::{Listed, Size};
use crate::dataset::class::Class;
use crate::dataset::table::RATING_COLUMNS;
use crate::error::{Error, Result};
use crate::volume::frame::Frame;

/// Delimiters of tables, the most usual first.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];
const MM: &str = "a number of mm";

/// What stands for a number that is not there, as R, pandas and databases write it; letters of either case.
const ABSENT: [&str; 5] = ["na", "n/a", "nan", "null", "none"];

/// What columns are called; letters of either case, and spaces, hyphens, underscores or brackets between words. The first name is the data
/// set's.
const COLUMNS: [(Column, &[&str]); 12] = [
    (Column::X, &["centre_x_mm", "center_x_mm", "coordx", "coord_x", "centre_x", "center_x", "x_mm", "x"]),
    (Column::Y, &["centre_y_mm", "center_y_mm", "coordy", "coord_y", "centre_y", "center_y", "y_mm", "y"]),
    (Column::Z, &["centre_z_mm", "center_z_mm", "coordz", "coord_z", "centre_z", "center_z", "z_mm", "z"]),
    (Column::Diameter, &["diameter_mm", "diameter", "eq_diameter_mm", "equivalent_diameter_mm"]),
    (Column::Frame, &["frame"]),
    (Column::Id, &["nodule_id", "noduleid", "annotationid", "annotation_id", "lesionid", "lesion_id", "id"]),
    (
        Column::Scan,
        &["series_uid", "seriesuid", "seriesinstanceuid", "series_instance_uid", "file", "filename", "image", "scan"],
    ),
    (Column::Patient, &["patient_id", "patientid", "patient"]),
    (Column::Class, &["class", "label", "pathology"]),
    (Column::Malignancy, &["mean_malignancy", "malignancy"]),
    (Column::Readers, &["readers"]),
    (Column::Fold, &["fold"]),
];

#[derive(Clone, Copy, PartialEq)]
enum Column {
    X,
    Y,
    Z,
    Diameter,
    Frame,
    Id,
    Scan,
    Patient,
    Class,
    Malignancy,
    Readers,
    Fold,
}

pub fn parse(text: &str, file: &str) -> Result<Vec<Listed>> {
    let bad = |e: csv::Error| Error::BadTable { file: file.into(), reason: e.to_string() };
    let (said, text) = separator(text);
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
    let count = |d: &u8| first.bytes().filter(|b| b == d).count();
    let delimiter = said.or(DELIMITERS.into_iter().rev().max_by_key(count)).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers().map_err(bad)?.iter().map(plain).collect();
    let place = |name: &str| header.iter().position(|h| h == name);
    let column = |column: Column| {
        let names = COLUMNS.iter().find(|(c, _)| *c == column).map_or(&[][..], |(_, names)| names);
        names.iter().find_map(|name| place(name))
    };
    for (column_of, names) in &COLUMNS[..3] {
        if column(*column_of).is_none() {
            return Err(Error::MissingColumn { file: file.into(), column: names[0].into() });
        }
    }
    let ratings = RATING_COLUMNS.map(place);
    let mut list = Vec::new();
    for (n, record) in reader.records().enumerate() {
        let record = record.map_err(bad)?;
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        let row = Record { file, row: n + 1, record: &record, header: &header, decimal_comma: delimiter != b',' };
        let text = |c: Column| column(c).and_then(|i| row.get(i)).map(str::to_owned);
        let number = |c: Column, expected| column(c).map_or(Ok(None), |i| row.number(i, expected));
        let needed = |c: Column| {
            let i = column(c).unwrap_or_default();
            row.number(i, MM)?.ok_or_else(|| row.bad(i, MM))
        };
        let word = |c: Column| column(c).and_then(|i| Some((i, row.get(i)?)));
        let frame = word(Column::Frame).map(|(i, name)| frame(name).ok_or_else(|| row.bad(i, "lps, ras or voxel")));
        let class = word(Column::Class).map(|(i, name)| class(name).ok_or_else(|| row.bad(i, CLASSES)));
        let malignancy = number(Column::Malignancy, "a number between 1 and 5")?;
        if let (Some(value), Some(i)) = (malignancy, column(Column::Malignancy))
            && !(1.0..=5.0).contains(&value)
        {
            return Err(row.bad(i, "a malignancy of 1 to 5 (0 and 1 of pathology go to a column `class`)"));
        }
        let whole = |c: Column, expected: &'static str| {
            word(c).map(|(i, text)| text.parse::<u32>().map_err(|_| row.bad(i, expected))).transpose()
        };
        list.push(Listed {
            id: text(Column::Id),
            frame: frame.transpose()?,
            size: number(Column::Diameter, MM)?.map(Size::Diameter),
            scan: text(Column::Scan),
            patient_id: text(Column::Patient),
            class: class.transpose()?,
            malignancy,
            ratings: row.ratings(ratings)?,
            readers: whole(Column::Readers, "a whole number")?,
            fold: whole(Column::Fold, "a fold's number, counted from 0")?.map(|f| f as usize),
            ..Listed::at([needed(Column::X)?, needed(Column::Y)?, needed(Column::Z)?])
        });
    }
    Ok(list)
}

/// The delimiter that a first line of Excel says (`sep=;`), and the table behind it.
fn separator(text: &str) -> (Option<u8>, &str) {
    let line = text.lines().next().unwrap_or("");
    let said = line.trim().trim_matches('"').strip_prefix("sep=").and_then(|d| d.bytes().next());
    let said = said.filter(|d| DELIMITERS.contains(d));
    (said, if said.is_some() { &text[line.len()..] } else { text })
}

const CLASSES: &str = "benign, unsure or malignant, or 0 or 1 of pathology";

/// A class by its name, or of pathology.
pub fn class(name: &str) -> Option<Class> {
    match name.to_ascii_lowercase().as_str() {
        "0" => Some(Class::Benign),
        "1" => Some(Class::Malignant),
        name => Class::parse(name),
    }
}

/// A frame by its name.
fn frame(name: &str) -> Option<Frame> {
    serde_json::from_value(name.to_ascii_lowercase().into()).ok()
}

/// A column's name in the writing of `COLUMNS`.
fn plain(name: &str) -> String {
    let words = name.split([' ', '-', '_', '(', ')', '[', ']']).filter(|word| !word.is_empty());
    words.map(|word| word.trim().to_ascii_lowercase()).collect::<Vec<_>>().join("_")
}

/// A row with what an error must name.
struct Record<'a> {
    file: &'a str,
    /// Counted from 1, without the header.
    row: usize,
    record: &'a csv::StringRecord,
    header: &'a [String],
    decimal_comma: bool,
}

impl Record<'_> {
    /// A cell that is not empty.
    fn get(&self, i: usize) -> Option<&str> {
        self.record.get(i).map(str::trim).filter(|t| !t.is_empty())
    }

    fn bad(&self, i: usize, expected: &'static str) -> Error {
        let (column, value) = (self.header[i].clone(), self.get(i).unwrap_or("").chars().take(80).collect());
        Error::BadCell { file: self.file.into(), row: self.row, column, value, expected }
    }

    /// A finite number; its comma is a decimal one where columns are separated by something else and there is no point.
    fn number(&self, i: usize, expected: &'static str) -> Result<Option<f64>> {
        let there = |text: &&str| !ABSENT.contains(&text.to_ascii_lowercase().as_str());
        let Some(text) = self.get(i).filter(there) else { return Ok(None) };
        let text = match text.matches(',').count() {
            0 => text.to_owned(),
            1 if self.decimal_comma && !text.contains('.') => text.replace(',', "."),
            _ => return Err(self.bad(i, "a number with a decimal point and no thousands separators")),
        };
        let number = text.parse().ok().filter(|v: &f64| v.is_finite());
        number.map(Some).ok_or_else(|| self.bad(i, expected))
    }

    /// All eight ratings, or none.
    fn ratings(&self, places: [Option<usize>; 8]) -> Result<Option<[f64; 8]>> {
        let expected = "a rating between 1 and 6; give all eight or none";
        let mut ratings = [0.0; 8];
        if places.iter().flatten().all(|i| self.get(*i).is_none()) {
            return Ok(None);
        }
        for ((rating, i), name) in ratings.iter_mut().zip(places).zip(RATING_COLUMNS) {
            let i = i.ok_or_else(|| Error::MissingColumn { file: self.file.into(), column: name.into() })?;
            let value = self.number(i, expected)?.filter(|v| (1.0..=6.0).contains(v));
            *rating = value.ok_or_else(|| self.bad(i, expected))?;
        }
        Ok(Some(ratings))
    }
}
