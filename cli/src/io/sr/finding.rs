//! What a report tells of one nodule, and when it was made.

use std::time::SystemTime;

use clip_lung_core::dataset::class::Class;
use clip_lung_core::volume::frame::{Lps, Point};

/// A nodule with its prediction.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub id: String,
    pub centre: Point<Lps>,
    pub diameter_mm: f64,
    /// SOPInstanceUIDs of the slices that it reaches, from the feet.
    pub slices: Vec<String>,
    pub probabilities: Vec<(Class, f64)>,
    /// The class decided on.
    pub class: Class,
    /// The classes that the answer leaves open, where the model has a rule for it.
    pub set: Option<Vec<Class>>,
    /// Why it is no lung nodule, where the model's rule says so.
    pub reason: Option<&'static str>,
    /// Where the model has the words: a score for each of the eight attributes.
    pub attributes: Option<Vec<f32>>,
}

impl Finding {
    /// Name, centre and diameter as a report writes them; its UIDs are made of them.
    pub fn words(&self) -> [String; 3] {
        // no minus before a zero
        let [x, y, z] = self.centre.xyz().map(|v| v + 0.0);
        [self.id.clone(), format!("{x:.3} {y:.3} {z:.3}"), format!("{:.4}", self.diameter_mm)]
    }
}

/// A moment as DICOM writes it, in UTC: `20261127` and `020304`.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    pub date: String,
    pub time: String,
}

impl Moment {
    pub fn now() -> Self {
        Self::of(SystemTime::now())
    }

    fn of(time: SystemTime) -> Self {
        let text = humantime::format_rfc3339_seconds(time).to_string();
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let (date, time) = digits.split_at(8.min(digits.len()));
        Self { date: date.into(), time: time.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_moment_in_dicom() {
        let moment = Moment::of(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        assert_eq!((moment.date.as_str(), moment.time.as_str()), ("20231114", "221320"));
    }
}
