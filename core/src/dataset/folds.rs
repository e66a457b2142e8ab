//! Cross-validation folds: patients are the units, classes are stratified.

use std::collections::BTreeMap;

use super::class::Class;
use super::table::Row;
use crate::base::random::Stream;
use crate::error::{Error, Result};

/// The fold of each row, 0..`folds`; all rows of a patient share a fold.
///
/// Patients are shuffled with the seed, sorted by descending spread of their class counts and put one by one where the sum
/// over classes of the squared deviation from the per-fold target is smallest (ties: fewest nodules, lowest index).
///
/// # Errors
/// When there are fewer patients than folds.
pub fn by_patient(rows: &[Row], folds: usize, seed: u64) -> Result<Vec<usize>> {
    assign(rows, &vec![1.0; folds], seed)
}

/// The rows of `pool` split in two: (the rest, about `share` of the patients' nodules), grouped and stratified alike.
///
/// # Errors
/// When there are fewer than two patients.
pub fn hold_out(rows: &[Row], pool: &[usize], share: f64, seed: u64) -> Result<(Vec<usize>, Vec<usize>)> {
    let subset: Vec<Row> = pool.iter().map(|&i| rows[i].clone()).collect();
    let part = assign(&subset, &[1.0 - share, share], seed)?;
    Ok(pool.iter().zip(&part).fold((Vec::new(), Vec::new()), |(mut a, mut b), (&i, &p)| {
        if p == 0 {
            a.push(i)
        } else {
            b.push(i)
        };
        (a, b)
    }))
}

/// The greedy assignment to parts of relative size `shares`.
fn assign(rows: &[Row], shares: &[f64], seed: u64) -> Result<Vec<usize>> {
    let mut counts: BTreeMap<&str, [f64; 3]> = BTreeMap::new();
    for row in rows {
        counts.entry(&row.patient_id).or_default()[row.class as usize] += 1.0;
    }
    if counts.len() < shares.len() {
        return Err(Error::Split(format!(
            "{} patients can't fill {} parts; use more data or fewer folds",
            counts.len(),
            shares.len()
        )));
    }
    let whole: f64 = shares.iter().sum();
    let total = |c: usize| counts.values().map(|v| v[c]).sum::<f64>();
    let target: Vec<[f64; 3]> = shares.iter().map(|s| Class::ALL.map(|c| total(c as usize) * s / whole)).collect();

    let mut patients: Vec<(&str, [f64; 3])> = counts.into_iter().collect();
    Stream::new(seed, 6).shuffle(&mut patients);
    // a large spread is hard to place: such patients come first
    let spread = |c: &[f64; 3]| {
        let mean = c.iter().sum::<f64>() / 3.0;
        c.iter().map(|v| (v - mean).powi(2)).sum::<f64>()
    };
    patients.sort_by(|a, b| spread(&b.1).total_cmp(&spread(&a.1)));

    let mut filled = vec![[0.0; 3]; shares.len()];
    let mut of_patient = BTreeMap::new();
    for (patient, count) in patients {
        let cost = |f: usize| -> (f64, f64) {
            let deviation = |n: &[f64; 3]| (0..3).map(|c| (n[c] - target[f][c]).powi(2)).sum::<f64>();
            let with = [0, 1, 2].map(|c| filled[f][c] + count[c]);
            (deviation(&with) - deviation(&filled[f]), filled[f].iter().sum())
        };
        let best = (0..shares.len()).min_by(|&a, &b| {
            let (ca, cb) = (cost(a), cost(b));
            ca.0.total_cmp(&cb.0).then(ca.1.total_cmp(&cb.1))
        });
        let best = best.unwrap_or(0);
        (0..3).for_each(|c| filled[best][c] += count[c]);
        of_patient.insert(patient.to_owned(), best);
    }
    Ok(rows.iter().map(|r| of_patient[&r.patient_id]).collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Rows of synthetic patients: 1-6 nodules each, classes at random.
    pub(crate) fn rows(patients: usize) -> Vec<Row> {
        let mut random = Stream::new(9, 9);
        let mut rows = Vec::new();
        for p in 0..patients {
            for _ in 0..1 + random.below(6) {
                rows.push(Row {
                    patient_id: format!("P{p:04}"),
                    series_uid: String::new(),
                    nodule_id: rows.len().to_string(),
                    readers: Some(1),
                    ratings: Some([3.0; 8]),
                    malignancy_sum: Some(3),
                    mean_malignancy: Some(3.0),
                    class: Class::ALL[[0, 0, 1, 1, 2][random.below(5)]],
                    diameter_mm: Some(5.0),
                    centre_mm: None,
                    fold: None,
                });
            }
        }
        rows
    }

    #[test]
    fn grouped_stratified_deterministic() {
        let rows = rows(300);
        let folds = by_patient(&rows, 5, 2).unwrap();
        assert_eq!(folds, by_patient(&rows, 5, 2).unwrap());
        assert_ne!(folds, by_patient(&rows, 5, 3).unwrap());
        let mut home = BTreeMap::new();
        for (row, &f) in rows.iter().zip(&folds) {
            assert_eq!(*home.entry(&row.patient_id).or_insert(f), f, "patient in two folds");
        }
    }

    /// On all nodules: folds of 528-532 with class counts within 3 % of the target, whatever the seed.
    #[cfg(feature = "lidc")]
    #[test]
    fn stratified_on_the_whole_database() {
        let rows = crate::phantom::rows(crate::dataset::class::Thresholds::Inclusive).unwrap();
        for seed in 0..3 {
            let folds = by_patient(&rows, 5, seed).unwrap();
            for f in 0..5 {
                let inside: Vec<&Row> = rows.iter().zip(&folds).filter(|(_, g)| **g == f).map(|(r, _)| r).collect();
                assert!((526..=534).contains(&inside.len()), "fold {f}: {} nodules", inside.len());
                for (class, total) in Class::ALL.into_iter().zip([1123.0, 1025.0, 503.0]) {
                    let n = inside.iter().filter(|r| r.class == class).count() as f64;
                    assert!((n / (total / 5.0) - 1.0f64).abs() < 0.03, "fold {f}: {n} {class:?}");
                }
            }
        }
    }

    #[test]
    fn hold_out_takes_the_share() {
        let rows = rows(300);
        let pool: Vec<usize> = (0..rows.len()).step_by(2).collect();
        let (rest, held) = hold_out(&rows, &pool, 0.125, 2).unwrap();
        assert_eq!(rest.len() + held.len(), pool.len());
        assert!((held.len() as f64 / pool.len() as f64 - 0.125).abs() < 0.02);
        assert!(held.iter().all(|&h| rest.iter().all(|&r| rows[r].patient_id != rows[h].patient_id)));
    }

    #[test]
    fn too_few_patients() {
        assert!(matches!(by_patient(&rows(4), 5, 0), Err(Error::Split(_))));
    }
}
