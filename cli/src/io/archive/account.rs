//! The account of a preparation: what was kept, what was left out and why.

use std::collections::BTreeMap;

use anyhow::Result;
use clip_lung_core::dataset::class::Class;
use clip_lung_core::dataset::table::Row;
use clip_lung_core::lidc::prepare::Skipped;
use serde_json::{Value, json};

use super::search::Archive;

/// Everything worth telling at the end. The same archive gives the same account, byte for byte.
#[derive(Default)]
pub struct Account {
    /// (file, entry): what is not in the data set, or only in part.
    pub left_out: Vec<(String, Skipped)>,
    pub series: usize,
    pub annotated: usize,
    pub others: BTreeMap<String, usize>,
    /// Annotated series of the database that the archive does not hold.
    pub absent: usize,
    pub small: usize,
    pub non_nodules: usize,
}

impl Account {
    /// Starts with what the search left aside.
    pub fn of(archive: &Archive) -> Self {
        let blank = |reason: &str| Skipped { reason: reason.into(), ..Skipped::default() };
        let left_out = archive.unusable.iter().map(|(path, why)| (path.display().to_string(), blank(why))).collect();
        Self { left_out, series: archive.series.len(), others: archive.others.clone(), ..Self::default() }
    }

    /// `skipped.csv`.
    pub fn csv(&self) -> Result<Vec<u8>> {
        let mut rows = self.left_out.clone();
        rows.sort();
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["patient_id", "series_uid", "nodule_id", "file", "reason"])?;
        for (file, s) in &rows {
            writer.write_record([&s.patient_id, &s.series_uid, &s.nodule_id, file, &s.reason])?;
        }
        Ok(writer.into_inner()?)
    }

    /// The summary as a document.
    pub fn document(&self, rows: &[Row], settings: &Value) -> Value {
        let class = |c: Class| rows.iter().filter(|r| r.class == c).count();
        let mut readers = BTreeMap::new();
        rows.iter().filter_map(|r| r.readers).for_each(|n| *readers.entry(n.to_string()).or_insert(0) += 1);
        let patients: std::collections::BTreeSet<&str> = rows.iter().map(|r| r.patient_id.as_str()).collect();
        json!({
            "settings": settings, "series": self.series, "annotated_series": self.annotated, "annotated_series_absent": self.absent,
            "nodules": rows.len(), "patients": patients.len(),
            "classes": Class::ALL.iter().map(|c| (c.name(), class(*c))).collect::<BTreeMap<_, _>>(),
            "readers": readers, "left_out": self.left_out.len(), "other_files": self.others,
            "marks_under_3_mm": self.small, "marks_of_non_nodules": self.non_nodules, "intended_use": "research",
        })
    }

    /// The reasons, most frequent first, numbers read alike.
    pub fn reasons(&self) -> Vec<(String, usize)> {
        let mut count: BTreeMap<String, usize> = BTreeMap::new();
        for (_, s) in &self.left_out {
            let short = s.reason.split(['(', ';', ':']).next().unwrap_or("").trim();
            let words = short.split(' ').map(|w| if w.parse::<f64>().is_ok() { "N" } else { w });
            *count.entry(words.collect::<Vec<_>>().join(" ")).or_default() += 1;
        }
        let mut sorted: Vec<(String, usize)> = count.into_iter().collect();
        sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_reasons_survive_the_table() {
        let reason = "a, \"quoted\"\nreason".to_owned();
        let skipped = Skipped { patient_id: "P,1".into(), nodule_id: "n\"1\"".into(), reason, ..Skipped::default() };
        let account = Account { left_out: vec![("a,\nb.dcm".into(), skipped.clone())], ..Account::default() };
        let bytes = account.csv().unwrap();
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let cells: Vec<&str> = rows[0].iter().collect();
        assert_eq!((rows.len(), cells), (1, vec!["P,1", "", "n\"1\"", "a,\nb.dcm", skipped.reason.as_str()]));
    }
}
