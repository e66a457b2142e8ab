//! The three tasks of the protocol: which nodules train, which are tested, and between which classes.

use serde::{Deserialize, Serialize};

use super::class::Class;
use super::table::Row;
use crate::error::{Error, Result};

/// What is learned and tested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Task {
    /// Benign, unsure and malignant nodules, in training and test.
    #[default]
    #[serde(rename = "lidc-a")]
    #[cfg_attr(feature = "cli", value(name = "lidc-a"))]
    LidcA,
    /// Trained on benign, unsure and malignant nodules, tested on benign and malignant ones; an answer "unsure" counts as an error.
    #[serde(rename = "lidc-b")]
    #[cfg_attr(feature = "cli", value(name = "lidc-b"))]
    LidcB,
    /// Benign and malignant nodules, in training and test.
    #[serde(rename = "lidc-c")]
    #[cfg_attr(feature = "cli", value(name = "lidc-c"))]
    LidcC,
}

impl Task {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::LidcA, Self::LidcB, Self::LidcC];

    /// The name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::LidcA => "lidc-a",
            Self::LidcB => "lidc-b",
            Self::LidcC => "lidc-c",
        }
    }

    /// The classes the network tells apart, in the order of its outputs.
    pub fn classes(self) -> &'static [Class] {
        match self {
            Self::LidcA | Self::LidcB => &Class::ALL,
            Self::LidcC => &[Class::Benign, Class::Malignant],
        }
    }

    /// Whether a nodule of this class is trained on.
    pub fn trains(self, class: Class) -> bool {
        self != Self::LidcC || class != Class::Unsure
    }

    /// Whether a nodule of this class is tested.
    pub fn tests(self, class: Class) -> bool {
        self == Self::LidcA || class != Class::Unsure
    }

    /// The indices of the rows that are tested.
    pub fn tested_rows(self, rows: &[Row]) -> Vec<usize> {
        (0..rows.len()).filter(|&i| self.tests(rows[i].class)).collect()
    }

    /// The network's outputs for the classes that are tested.
    pub fn tested(self) -> Vec<usize> {
        self.classes().iter().filter(|c| self.tests(**c)).filter_map(|c| self.label(*c)).collect()
    }

    /// The network's output for a class.
    pub fn label(self, class: Class) -> Option<usize> {
        self.classes().iter().position(|c| *c == class)
    }

    /// The network's outputs for the classes of these rows.
    ///
    /// # Errors
    /// When the task does not know a row's class.
    pub fn labels(self, rows: &[Row], indices: &[usize]) -> Result<Vec<usize>> {
        let label = |&i: &usize| {
            let (row, task) = (&rows[i], self.name());
            let missing = || Error::NoLabel { nodule: row.nodule_id.clone(), class: row.class.name(), task };
            self.label(row.class).ok_or_else(missing)
        };
        indices.iter().map(label).collect()
    }

    /// That a model with these classes can do the task.
    ///
    /// # Errors
    /// When it can't.
    pub fn check(self, classes: &[Class]) -> Result<()> {
        if classes == self.classes() {
            return Ok(());
        }
        let names = |c: &[Class]| c.iter().map(|c| c.name().to_owned()).collect();
        Err(Error::Classes { model: names(classes), task: self.name().into(), needed: names(self.classes()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_follow_the_task() {
        assert_eq!(Task::LidcA.label(Class::Malignant), Some(2));
        assert_eq!(Task::LidcC.label(Class::Malignant), Some(1));
        assert_eq!(Task::LidcC.label(Class::Unsure), None);
        assert_eq!(Task::ALL.map(Task::tested), [vec![0, 1, 2], vec![0, 2], vec![0, 1]]);
        assert!(Task::LidcB.trains(Class::Unsure) && !Task::LidcB.tests(Class::Unsure));
        assert!(Task::LidcB.check(&Class::ALL).is_ok() && Task::LidcC.check(&Class::ALL).is_err());
    }
}
