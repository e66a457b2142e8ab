//! `predictions.csv`: the predictions of a fold, and those of several folds as one set.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::decision::Decision;
use crate::dataset::class::Class;
use crate::dataset::table::{Cells, places};
use crate::dataset::task::Task;
use crate::error::{Error, Result};
use crate::metrics::Scored;

/// The columns of `predictions.csv`.
pub const COLUMNS: [&str; 7] = ["nodule_id", "patient_id", "fold", "true_class", "p_benign", "p_unsure", "p_malignant"];
/// By how much the sum of probabilities may be off 1: they are written with seven decimals.
const ROUNDING: f64 = 1e-5;

/// What was predicted for one nodule that was held out.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictedNodule {
    pub nodule_id: String,
    pub patient_id: String,
    pub fold: usize,
    pub class: Class,
    /// In the order of [`Class::ALL`], with the sum 1; 0 for a class that the task does not know.
    pub probabilities: [f64; 3],
}

/// Predictions of one method on one task, no nodule twice.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    /// What errors call them: a file, or a method.
    pub name: String,
    pub task: Task,
    pub nodules: Vec<PredictedNodule>,
    /// How probabilities become an answer: the file does not say; by the most probable class unless set.
    pub decision: Decision,
}

impl Predictions {
    /// Reads `predictions.csv`; `file` names it in errors.
    ///
    /// # Errors
    /// A missing column, an unreadable cell, probabilities that don't sum to 1, a class that the task does not test, a
    /// nodule twice, or no row at all.
    pub fn read(file: &str, text: &[u8], task: Task) -> Result<Self> {
        let bad_table = |reason: String| Error::BadTable { file: file.into(), reason };
        let mut reader = csv::Reader::from_reader(text);
        let header = reader.headers().map_err(|e| bad_table(e.to_string()))?.clone();
        let index = places(&header, &COLUMNS, file)?;
        let mut nodules = Vec::new();
        for (n, record) in reader.records().enumerate() {
            let record = record.map_err(|e| bad_table(e.to_string()))?;
            nodules.push(nodule(&Cells { file, row: n + 1, record: &record, columns: &COLUMNS, index: &index }, task)?);
        }
        if nodules.is_empty() {
            return Err(bad_table("there is no prediction in it".into()));
        }
        let read = Self { name: file.into(), task, nodules, decision: Decision::Argmax };
        once(std::slice::from_ref(&read))?;
        Ok(read)
    }

    /// As [`Self::read`] takes it, probabilities with seven decimals.
    ///
    /// # Errors
    /// Never on memory; the signature follows the CSV writer's.
    pub fn write(&self) -> Result<Vec<u8>> {
        let bad = |e: csv::Error| Error::BadTable { file: self.name.clone(), reason: e.to_string() };
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(COLUMNS).map_err(bad)?;
        for n in &self.nodules {
            let fold = n.fold.to_string();
            let [benign, unsure, malignant] = n.probabilities.map(|p| format!("{p:.7}"));
            let cells: [&str; 7] = [&n.nodule_id, &n.patient_id, &fold, n.class.name(), &benign, &unsure, &malignant];
            writer.write_record(cells).map_err(bad)?;
        }
        writer.into_inner().map_err(|e| Error::BadTable { file: self.name.clone(), reason: e.to_string() })
    }

    /// The folds of one method as one set called `name`, in the order given.
    ///
    /// # Errors
    /// No part, parts of different tasks, or a nodule that is there twice.
    pub fn pool(name: &str, parts: &[Self]) -> Result<Self> {
        let [first, rest @ ..] = parts else {
            return Err(Error::BadTable { file: name.into(), reason: "there is no prediction in it".into() });
        };
        if let Some(other) = rest.iter().find(|p| p.task != first.task) {
            return Err(unpaired(first, other, format!("{} is not {}", first.task.name(), other.task.name())));
        }
        once(parts)?;
        let nodules = parts.iter().flat_map(|p| p.nodules.iter().cloned()).collect();
        Ok(Self { name: name.into(), task: first.task, nodules, decision: first.decision })
    }

    /// These predictions in the order of the nodules of `other`, so that row by row they are of the same nodule.
    ///
    /// # Errors
    /// When the two are not of the same task, nodules, patients, classes and folds.
    pub fn aligned(&self, other: &Self) -> Result<Self> {
        let apart = |reason: String| unpaired(other, self, reason);
        if self.task != other.task {
            return Err(apart(format!("{} is not {}", other.task.name(), self.task.name())));
        }
        let of: BTreeMap<&str, &PredictedNodule> = self.nodules.iter().map(|n| (n.nodule_id.as_str(), n)).collect();
        let known: BTreeSet<&str> = other.nodules.iter().map(|n| n.nodule_id.as_str()).collect();
        if let Some(more) = of.keys().find(|id| !known.contains(**id)) {
            return Err(apart(format!("the first lacks nodule {more}")));
        }
        let mut nodules = Vec::with_capacity(other.nodules.len());
        for theirs in &other.nodules {
            let id = &theirs.nodule_id;
            let ours = of.get(id.as_str()).ok_or_else(|| apart(format!("the second lacks nodule {id}")))?;
            let differing = [
                ("patient", ours.patient_id != theirs.patient_id),
                ("true class", ours.class != theirs.class),
                ("fold", ours.fold != theirs.fold),
            ];
            if let Some((what, _)) = differing.iter().find(|(_, differs)| *differs) {
                return Err(apart(format!("nodule {id} has another {what}")));
            }
            nodules.push((*ours).clone());
        }
        Ok(Self { nodules, ..self.clone() })
    }

    /// As the metrics take them: one probability for each class of the task.
    pub fn scored(&self) -> Scored {
        let classes = self.task.classes();
        let label = |n: &PredictedNodule| classes.iter().position(|c| *c == n.class).unwrap_or_default();
        let row = |n: &PredictedNodule| classes.iter().map(|c| n.probabilities[*c as usize]).collect();
        Scored {
            truth: self.nodules.iter().map(label).collect(),
            probabilities: self.nodules.iter().map(row).collect(),
            patients: self.nodules.iter().map(|n| n.patient_id.clone()).collect(),
            decision: self.decision,
        }
    }

    /// The folds that are there, ascending.
    pub fn folds(&self) -> Vec<usize> {
        let folds: BTreeSet<usize> = self.nodules.iter().map(|n| n.fold).collect();
        folds.into_iter().collect()
    }
}

fn nodule(cells: &Cells, task: Task) -> Result<PredictedNodule> {
    let class = Class::parse(cells.get("true_class")).filter(|c| task.tests(*c));
    let mut probabilities = [0.0; 3];
    for (p, column) in probabilities.iter_mut().zip(&COLUMNS[4..]) {
        *p = cells.within(column, 0.0, 1.0, "a probability from 0 to 1")?;
    }
    if Class::ALL.iter().any(|c| task.label(*c).is_none() && probabilities[*c as usize] > 0.0) {
        return Err(cells.bad("p_unsure", "0, as the task has two classes"));
    }
    if (probabilities.iter().sum::<f64>() - 1.0).abs() > ROUNDING {
        return Err(cells.bad("p_malignant", "what the row's other probabilities leave of 1"));
    }
    Ok(PredictedNodule {
        nodule_id: cells.text("nodule_id")?,
        patient_id: cells.text("patient_id")?,
        fold: cells.number("fold", "a whole number")?,
        class: class.ok_or_else(|| cells.bad("true_class", "a class that the task tests"))?,
        probabilities,
    })
}

fn unpaired(first: &Predictions, second: &Predictions, reason: String) -> Error {
    Error::Unpaired { first: first.name.clone(), second: second.name.clone(), reason }
}

/// That no nodule is there twice.
fn once(parts: &[Predictions]) -> Result<()> {
    let mut home: BTreeMap<&str, (&str, usize)> = BTreeMap::new();
    for part in parts {
        for (row, nodule) in part.nodules.iter().enumerate() {
            if let Some((first, at)) = home.insert(&nodule.nodule_id, (&part.name, row)) {
                return Err(Error::Repeated {
                    nodule: nodule.nodule_id.clone(),
                    first: format!("{first} (row {})", at + 1),
                    again: format!("{} (row {})", part.name, row + 1),
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::base::random::Stream;

    const HEADER: &str = "nodule_id,patient_id,fold,true_class,p_benign,p_unsure,p_malignant\n";

    /// Made-up predictions: `patients` of 1 to 5 nodules each, dealt to five folds; a stronger `signal` predicts better.
    pub(crate) fn made_up(task: Task, patients: usize, signal: f64, seed: u64) -> Predictions {
        let (mut who, mut noise) = (Stream::new(3, 0), Stream::new(seed, 1));
        let tested: Vec<Class> = Class::ALL.into_iter().filter(|c| task.tests(*c)).collect();
        let mut nodules = Vec::new();
        for p in 0..patients {
            for _ in 0..1 + who.below(5) {
                let class = tested[who.below(tested.len())];
                let weight = Class::ALL.map(|c| match task.label(c) {
                    Some(_) => (noise.normal() + if c == class { signal } else { 0.0 }).exp(),
                    None => 0.0,
                });
                let sum: f64 = weight.iter().sum();
                nodules.push(PredictedNodule {
                    nodule_id: nodules.len().to_string(),
                    patient_id: format!("P{p:03}"),
                    fold: p % 5,
                    class,
                    probabilities: weight.map(|w| w / sum),
                });
            }
        }
        Predictions { name: format!("made up {seed}"), task, nodules, decision: Decision::Argmax }
    }

    fn text(rows: &[&str]) -> Vec<u8> {
        format!("{HEADER}{}\n", rows.join("\n")).into_bytes()
    }

    #[test]
    fn pooling_is_concatenating() {
        let a = ["7,P1,0,benign,0.7,0.2,0.1", "3,P2,0,unsure,0.1000000,0.6000001,0.3000000"];
        let b = ["5,P3,1,malignant,0,0,1"];
        let read = |name: &str, rows: &[&str]| Predictions::read(name, &text(rows), Task::LidcA).unwrap();
        let pooled = Predictions::pool("ce", &[read("a", &a), read("b", &b)]).unwrap();
        assert_eq!(pooled, read("ce", &[a[0], a[1], b[0]]));
        assert_eq!(pooled.folds(), [0, 1]);
        let scored = pooled.scored();
        assert_eq!((scored.truth, scored.probabilities[2].clone()), (vec![0, 1, 2], vec![0.0, 0.0, 1.0]));
    }

    /// lidc-c has two classes: the middle column is 0 and does not come out.
    #[test]
    fn two_classes() {
        let read = |rows: &[&str]| Predictions::read("c.csv", &text(rows), Task::LidcC);
        let scored = read(&["1,P,0,malignant,0.25,0,0.75"]).unwrap().scored();
        assert_eq!((scored.truth, scored.probabilities), (vec![1], vec![vec![0.25, 0.75]]));
        assert!(read(&["1,P,0,malignant,0.25,0.25,0.5"]).unwrap_err().to_string().contains("p_unsure"));
        assert!(read(&["1,P,0,unsure,0.25,0,0.75"]).unwrap_err().to_string().contains("true_class"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let says = |text: &[u8], words: &[&str]| {
            let message = Predictions::read("x/predictions.csv", text, Task::LidcA).unwrap_err().to_string();
            words.iter().for_each(|w| assert!(message.contains(w), "{message}"));
        };
        let good = "1,P1,0,benign,0.7,0.2,0.1";
        says(b"nodule_id,fold\n1,0\n", &["x/predictions.csv", "`patient_id` is missing"]);
        says(&text(&[]), &["no prediction"]);
        for (bad, column) in [
            ("2,P1,0,benign,0.7,0.2,NaN", "p_malignant"),
            ("2,P1,0,benign,0.7,0.3,0.1", "p_malignant"),
            ("2,P1,0,benign,1.7,-0.8,0.1", "p_benign"),
            ("2,P1,-1,benign,0.7,0.2,0.1", "fold"),
            ("2,P1,0,sure,0.7,0.2,0.1", "true_class"),
            (",P1,0,benign,0.7,0.2,0.1", "nodule_id"),
            ("2,,0,benign,0.7,0.2,0.1", "patient_id"),
        ] {
            says(&text(&[good, bad]), &["x/predictions.csv", "row 2", column]);
        }
        says(&text(&[good, good]), &["nodule 1", "(row 1)", "(row 2)"]);
    }

    #[test]
    fn a_nodule_of_two_folds_is_refused() {
        let of = |name: &str, fold: usize| {
            let row = format!("12,P1,{fold},benign,0.7,0.2,0.1");
            Predictions::read(name, &text(&[&row]), Task::LidcA).unwrap()
        };
        let message = Predictions::pool("ce", &[of("f0", 0), of("f1", 1)]).unwrap_err().to_string();
        assert!(message.contains("nodule 12") && message.contains("f0") && message.contains("f1"), "{message}");
        assert!(Predictions::pool("ce", &[]).is_err());
        let other = made_up(Task::LidcC, 3, 1.0, 0);
        assert!(matches!(Predictions::pool("ce", &[of("f0", 0), other]), Err(Error::Unpaired { .. })));
    }

    #[test]
    fn alignment_sorts_and_refuses() {
        let a = made_up(Task::LidcA, 20, 1.0, 1);
        let mut b = made_up(Task::LidcA, 20, 1.0, 2);
        let sorted = b.clone();
        b.nodules.reverse();
        assert_eq!(b.aligned(&a).unwrap(), sorted);
        let refused = |change: &dyn Fn(&mut Predictions), word: &str| {
            let mut other = sorted.clone();
            change(&mut other);
            let message = other.aligned(&a).unwrap_err().to_string();
            assert!(message.contains(word) && message.contains("made up 1"), "{message}");
        };
        refused(&|p| drop(p.nodules.pop()), "second lacks nodule");
        refused(&|p| p.nodules[0].nodule_id = "new".into(), "first lacks nodule new");
        refused(&|p| p.nodules[4].fold += 1, "nodule 4 has another fold");
        refused(&|p| p.nodules[4].patient_id.push('x'), "another patient");
        refused(&|p| p.task = Task::LidcB, "lidc-a is not lidc-b");
    }
}
