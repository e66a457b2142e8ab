//! The audit of a data set and its split as one document.

use serde::{Deserialize, Serialize};

use super::labels::{PolicyCounts, of_readers, of_rows};
use super::leakage::{Leakage, leakage};
use super::readers::{ReaderAgreement, agreement, scores_of};
use crate::dataset::class::Class;
use crate::dataset::crops::Dataset;
use crate::error::Result;
use crate::train::config::{DataId, Grouping, TrainConfig};
use crate::train::split::fold_of_rows;

/// What a data set and its split are worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    pub data: String,
    /// SHA-256 of the data; audits of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    pub nodules: usize,
    pub fold_seed: u64,
    pub grouping: Grouping,
    /// Folds that the split was asked for, where the table deals its nodules to more of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold_count: Option<usize>,
    /// Nodules of each fold, in the order of [`Class::ALL`].
    pub folds: Vec<[usize; 3]>,
    /// What two folds share.
    pub leakage: Leakage,
    /// Nodules whose readers' scores the program knows.
    pub scored: usize,
    /// Of the scores, mean and median, where all nodules have them; of the table's means otherwise.
    pub policies: Vec<PolicyCounts>,
    /// Of the nodules with known scores.
    pub readers: Option<ReaderAgreement>,
}

/// Audits a data set under the split of a run's settings.
///
/// # Errors
/// When the patients don't suffice for the folds.
pub fn audit(data: &Dataset, config: &TrainConfig) -> Result<Audit> {
    let fold = fold_of_rows(&data.rows, config)?;
    let sides: Vec<Option<usize>> = fold.iter().copied().map(Some).collect();
    // a table may deal its nodules to more folds than a run is told of
    let mut folds = vec![[0; 3]; fold.iter().map(|f| f + 1).fold(config.folds, usize::max)];
    fold.iter().zip(&data.rows).for_each(|(f, row)| folds[*f][row.class as usize] += 1);
    let scores: Vec<Vec<u8>> = scores_of(&data.rows)?.into_iter().flatten().collect();
    Ok(Audit {
        data: data.header.name.clone(),
        sha256: Some(data.digest()?),
        nodules: data.len(),
        fold_seed: config.fold_seed,
        grouping: config.grouping,
        fold_count: (folds.len() != config.folds).then_some(config.folds),
        folds,
        leakage: leakage(data, &sides),
        scored: scores.len(),
        policies: if scores.len() == data.len() { of_readers(&scores) } else { of_rows(&data.rows) },
        readers: agreement(&scores, data.header.thresholds),
    })
}

impl Audit {
    /// What makes it another than that of these data under the split of a run's settings, in words.
    pub fn difference(&self, data: &DataId, split: Option<&TrainConfig>) -> Option<String> {
        match &self.sha256 {
            Some(found) if *found != data.sha256 => {
                return Some(format!("it is of data of SHA-256 {found}, not of {} ({})", data.name, data.sha256));
            }
            None if self.data != data.name => return Some(format!("it is of {}, not of {}", self.data, data.name)),
            _ => {}
        }
        let split = split?;
        let folds = self.fold_count.unwrap_or(self.folds.len());
        let (own, wanted) = ((folds, self.fold_seed, self.grouping), (split.folds, split.fold_seed, split.grouping));
        let words = |(folds, seed, grouping): (usize, u64, Grouping)| {
            let units = if grouping == Grouping::Patient { "patients" } else { "nodules" };
            format!("{folds} folds of {units} with seed {seed}")
        };
        (own != wanted).then(|| format!("it is of {}, not of {}", words(own), words(wanted)))
    }

    /// All nodules of a class.
    pub fn count(&self, class: Class) -> usize {
        self.folds.iter().map(|f| f[class as usize]).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::class::Thresholds;
    use crate::phantom::phantom;
    use crate::study::audit::labels::Statistic;

    #[test]
    fn a_data_set_of_known_nodules() {
        let data = phantom(Thresholds::Inclusive, Some(80)).unwrap();
        let config = TrainConfig { folds: 3, ..Default::default() };
        let found = audit(&data, &config).unwrap();
        assert_eq!((found.nodules, found.scored, found.policies.len()), (80, 80, 16));
        assert!(found.leakage.check().is_ok() && found.readers.is_some());
        let own = found
            .policies
            .iter()
            .find(|p| (p.statistic, p.thresholds, p.min_readers) == (Statistic::Mean, Thresholds::Inclusive, 1));
        assert_eq!(own.unwrap().counts, Class::ALL.map(|c| found.count(c)));
        let json = serde_json::to_string(&found).unwrap();
        let again: Audit = serde_json::from_str(&json).unwrap();
        assert_eq!((&again.leakage, &again.policies, &again.folds), (&found.leakage, &found.policies, &found.folds));
        let own = DataId { name: "renamed".into(), sha256: data.digest().unwrap() };
        assert_eq!(found.difference(&own, Some(&config)), None);
        let says = |audit: &Audit, data: &DataId, split: &TrainConfig, words: &str| {
            let difference = audit.difference(data, Some(split)).unwrap();
            assert!(difference.contains(words), "{difference}");
        };
        let other = DataId { sha256: "00".into(), ..own.clone() };
        says(&found, &other, &config, "not of renamed (00)");
        // an audit without a digest is known by the name
        says(&Audit { sha256: None, ..found.clone() }, &own, &config, "not of renamed");
        says(&found, &own, &TrainConfig { fold_seed: 9, ..config.clone() }, "not of 3 folds of patients with seed 9");
        // dealt one by one, patients are on two sides
        let single = audit(&data, &TrainConfig { grouping: Grouping::Nodule, ..config }).unwrap();
        assert!(single.leakage.check().is_err());
    }

    #[test]
    fn folds_of_the_tables_own_are_counted_however_many() {
        let mut data = phantom(Thresholds::Inclusive, Some(20)).unwrap();
        let patients: Vec<String> = data.rows.iter().map(|row| row.patient_id.clone()).collect();
        let first = |patient: &String| patients.iter().position(|p| p == patient).unwrap();
        data.rows.iter_mut().for_each(|row| row.fold = Some(first(&row.patient_id) % 7));
        let found = audit(&data, &TrainConfig::default()).unwrap();
        let nodules = |fold: &[usize; 3]| fold.iter().sum::<usize>();
        assert_eq!(found.folds.len(), data.rows.iter().filter_map(|row| row.fold).max().unwrap().max(4) + 1);
        assert_eq!(found.folds.iter().map(nodules).sum::<usize>(), 20);
        let own = DataId { name: found.data.clone(), sha256: data.digest().unwrap() };
        assert_eq!(found.difference(&own, Some(&TrainConfig::default())), None);
        let four = TrainConfig { folds: 4, ..Default::default() };
        assert!(found.difference(&own, Some(&four)).unwrap().contains("5 folds of patients"));
    }
}
