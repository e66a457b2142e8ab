//! How good rows are on groups of nodules, as those of one scanner, image quality or number of readers: what an average over all hides.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::entry::{Entry, Kind};
use crate::dataset::task::Task;
use crate::error::{Error, Result};
use crate::study::measures::{Measure, Measured};

/// More groups than this are no groups but a measurement.
const MOST: usize = 12;

/// Which group each nodule is of.
#[derive(Clone, Debug)]
pub struct Groups {
    column: String,
    of: BTreeMap<String, String>,
}

/// A row on the nodules of one group.
#[derive(Clone, Debug, Serialize)]
pub struct Subgroup {
    pub row: String,
    pub group: String,
    pub nodules: usize,
    /// `None` where the group lacks a class that the measure needs.
    pub measures: BTreeMap<String, Option<f64>>,
}

/// Every row on every group, all folds pooled, the mean over its seeds.
#[derive(Clone, Debug, Serialize)]
pub struct Subgroups {
    pub column: String,
    pub of: Vec<Subgroup>,
}

impl Groups {
    /// From a table with a header, the column `nodule_id` and the one that makes the groups; `file` names it in errors.
    ///
    /// # Errors
    /// A column that is missing or there twice, a nodule in two groups, or more different values than groups can be.
    pub fn read(text: &[u8], file: &str, column: &str) -> Result<Self> {
        let bad = |reason: String| Error::BadTable { file: file.into(), reason };
        let mut reader = csv::Reader::from_reader(text);
        let header = reader.headers().map_err(|e| bad(e.to_string()))?.clone();
        let place = |name: &str| {
            let found: Vec<usize> = (0..header.len()).filter(|&k| header[k].trim() == name).collect();
            let names = || header.iter().collect::<Vec<_>>().join(", ");
            match found[..] {
                [one] => Ok(one),
                [] => Err(bad(format!("no column `{name}`; it has {}", names()))),
                _ => Err(bad(format!("{} columns are named `{name}`; leave one", found.len()))),
            }
        };
        let (id, value) = (place("nodule_id")?, place(column)?);
        let mut of = BTreeMap::new();
        for (row, record) in reader.records().enumerate() {
            let record = record.map_err(|e| bad(e.to_string()))?;
            let (nodule, group) = (record[id].trim(), record[value].trim());
            if let Some(before) = of.insert(nodule.to_owned(), group.to_owned()).filter(|before| before != group) {
                let row = row + 1;
                let reason =
                    format!("row {row}: nodule {nodule} is `{group}`, but `{before}` in a row before; leave one");
                return Err(bad(reason));
            }
        }
        let values: BTreeSet<&String> = of.values().collect();
        if values.len() > MOST {
            let reason = format!("`{column}` has {} different values; groups are at most {MOST}", values.len());
            return Err(bad(reason));
        }
        Ok(Self { column: column.into(), of })
    }

    /// Methods and predictors without an image on each group.
    ///
    /// # Errors
    /// Names a nodule that the table does not have.
    pub fn measure(&self, task: Task, entries: &[Entry]) -> Result<Subgroups> {
        let mut all = Vec::new();
        for entry in entries.iter().filter(|e| e.kind != Kind::Variant) {
            let seeds = entry.on(&entry.folds);
            let Some(first) = seeds.first() else { continue };
            let missing = |id: &str| {
                let reason = format!("nodule {id} of {} is not in the table of `{}`", entry.name, self.column);
                Error::BadTable { file: "--by".into(), reason }
            };
            let measured: Vec<Measured> = seeds.iter().map(|p| Measured::new(&p.scored(), task)).collect();
            let group_of = |id: &String| self.of.get(id).ok_or_else(|| missing(id));
            let groups = first.nodules.iter().map(|n| group_of(&n.nodule_id)).collect::<Result<Vec<_>>>()?;
            for group in groups.iter().copied().collect::<BTreeSet<_>>() {
                let weights: Vec<u32> = groups.iter().map(|g| u32::from(*g == group)).collect();
                let measures = Measure::of(task);
                let values: Vec<_> = measured.iter().map(|m| m.values(&measures, &weights)).collect();
                let mean = |k: usize| Some(values.iter().map(|v| v[k]).sum::<Option<f64>>()? / values.len() as f64);
                all.push(Subgroup {
                    row: entry.name.clone(),
                    group: group.clone(),
                    nodules: weights.iter().sum::<u32>() as usize,
                    measures: measures.iter().enumerate().map(|(k, m)| (m.name(), mean(k))).collect(),
                });
            }
        }
        Ok(Subgroups { column: self.column.clone(), of: all })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::Method;
    use crate::study::summary::entry::entries;
    use crate::study::summary::finished::tests::finished;

    #[test]
    fn a_group_is_scored_as_if_it_were_all() {
        let all = finished(Method::Ce, None, &[0, 1, 2, 3, 4], 2, 1.0);
        let rows = entries(Task::LidcA, &all, &[]).unwrap();
        let nodules = rows[0].on(&rows[0].folds).remove(0);
        // a group is a fold, so that its scores are those of the cell
        let mut table = "nodule_id,fold\n".to_owned();
        nodules.nodules.iter().for_each(|n| table += &format!("{},{}\n", n.nodule_id, n.fold));
        let groups = Groups::read(table.as_bytes(), "nodules.csv", "fold").unwrap();
        let found = groups.measure(Task::LidcA, &rows).unwrap();
        assert_eq!(found.of.len(), 5);
        for (group, cell) in found.of.iter().zip(&all) {
            let own = Measured::new(&cell.predictions.scored(), Task::LidcA);
            let accuracy = own.values(&[Measure::Accuracy], &vec![1; cell.predictions.nodules.len()])[0].unwrap();
            assert!((group.measures["accuracy"].unwrap() - accuracy).abs() < 1e-12, "{group:?}");
            assert_eq!(group.nodules, cell.predictions.nodules.len());
        }
        let says = |text: &str, column: &str, word: &str| {
            let message = match Groups::read(text.as_bytes(), "nodules.csv", column) {
                Ok(groups) => groups.measure(Task::LidcA, &rows).unwrap_err().to_string(),
                Err(error) => error.to_string(),
            };
            assert!(message.contains(word), "{message}");
        };
        says(&table, "quality", "no column `quality`; it has nodule_id, fold");
        says("nodule_id,fold\n1,2\n", "fold", "is not in the table");
        says("nodule_id,fold,fold\n1,2,3\n", "fold", "2 columns are named `fold`");
        says("nodule_id,fold\n7,2\n7,2\n7,3\n", "fold", "row 3: nodule 7 is `3`, but `2`");
        let many: String = (0..20).map(|n| format!("{n},{n}\n")).collect();
        says(&format!("nodule_id,fold\n{many}"), "fold", "20 different values");
    }
}
