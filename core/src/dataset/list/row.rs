//! A nodule of a list as a row of a data set.

use super::listed::Listed;
use crate::dataset::class::Thresholds;
use crate::dataset::table::Row;
use crate::error::{Error, Result};
use crate::volume::frame::{Lps, Point};

/// What a scan knows of a nodule that was cut of it.
pub struct Found<'a> {
    /// The nodule's name.
    pub id: &'a str,
    pub patient_id: &'a str,
    pub series_uid: &'a str,
    pub centre: Point<Lps>,
    pub diameter_mm: Option<f64>,
}

impl Listed {
    /// The row: the class is the list's, or else follows from the mean malignancy.
    ///
    /// # Errors
    /// When the list has neither, or a malignancy that is no mean of scores.
    pub fn row(&self, found: &Found, thresholds: Thresholds) -> Result<Row> {
        if let Some(value) = self.malignancy.filter(|m| !(1.0..=5.0).contains(m)) {
            let (what, value) = (format!("the malignancy of nodule {}", found.id), value.to_string());
            return Err(Error::OutOfRange { what, value, expected: "1 to 5".into() });
        }
        let class =
            self.class.or(self.malignancy.map(|mean| thresholds.of_mean(mean))).ok_or_else(|| Error::Lacks {
                nodule: found.id.into(),
                what: "class",
                remedy: "give a column class (benign, unsure, malignant; 0 or 1 of pathology) or malignancy (1 to 5)",
            })?;
        Ok(Row {
            patient_id: self.patient_id.clone().unwrap_or_else(|| found.patient_id.into()),
            series_uid: found.series_uid.into(),
            nodule_id: found.id.into(),
            readers: self.readers,
            ratings: self.ratings,
            malignancy_sum: None,
            mean_malignancy: self.malignancy,
            class,
            diameter_mm: found.diameter_mm,
            centre_mm: Some(found.centre),
            fold: self.fold,
        })
    }
}
