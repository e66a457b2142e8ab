//! The classes of malignancy and how the readers' mean becomes one.

use serde::{Deserialize, Serialize};

/// The three malignancy classes, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    Benign,
    Unsure,
    Malignant,
}

impl Class {
    /// All classes in order.
    pub const ALL: [Self; 3] = [Self::Benign, Self::Unsure, Self::Malignant];

    /// The word used in files and prompts.
    pub fn name(self) -> &'static str {
        ["benign", "unsure", "malignant"][self as usize]
    }

    /// The class of a word.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.name() == name)
    }
}

/// How a mean malignancy m becomes a class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Thresholds {
    /// m <= 2.5 benign, m >= 3.5 malignant.
    #[default]
    Inclusive,
    /// m < 2.5 benign, m > 3.5 malignant.
    Strict,
}

impl Thresholds {
    /// The class of `sum` malignancy points from `readers` readers, compared as integers to avoid ties in floats.
    pub fn class(self, sum: u32, readers: u32) -> Class {
        let (low, high) = match self {
            Self::Inclusive => (2 * sum <= 5 * readers, 2 * sum >= 7 * readers),
            Self::Strict => (2 * sum < 5 * readers, 2 * sum > 7 * readers),
        };
        of_ends(low, high)
    }

    /// The class of a mean malignancy.
    pub fn of_mean(self, mean: f64) -> Class {
        let (low, high) = match self {
            Self::Inclusive => (mean <= 2.5, mean >= 3.5),
            Self::Strict => (mean < 2.5, mean > 3.5),
        };
        of_ends(low, high)
    }
}

fn of_ends(low: bool, high: bool) -> Class {
    match (low, high) {
        (true, _) => Class::Benign,
        (_, true) => Class::Malignant,
        _ => Class::Unsure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_at_the_ties() {
        use Class::*;
        for (sum, readers, inclusive, strict) in [
            (5, 2, Benign, Unsure),
            (7, 2, Malignant, Unsure),
            (3, 1, Unsure, Unsure),
            (9, 4, Benign, Benign),
            (15, 4, Malignant, Malignant),
        ] {
            assert_eq!(Thresholds::Inclusive.class(sum, readers), inclusive);
            assert_eq!(Thresholds::Strict.class(sum, readers), strict);
            let mean = f64::from(sum) / f64::from(readers);
            assert_eq!((Thresholds::Inclusive.of_mean(mean), Thresholds::Strict.of_mean(mean)), (inclusive, strict));
        }
    }
}
