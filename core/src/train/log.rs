//! What one step reports, a line of `log.jsonl`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One step's numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepLog {
    pub epoch: usize,
    /// Steps done, this one included.
    pub step: u64,
    pub lr: f64,
    pub loss: f64,
    /// The loss's terms, unweighted; one that is not computed is absent.
    pub terms: BTreeMap<String, f64>,
    /// Other numbers of the method before the step, such as `scale`, 1/tau.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub watched: BTreeMap<String, f64>,
    /// Over all trained weights, before it is clipped.
    #[serde(default)]
    pub gradient_norm: f64,
    /// Share of right answers in the batch.
    pub accuracy: f64,
    /// Samples in the batch.
    pub samples: usize,
    /// On the validation nodules, in the last step of an epoch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub validation: Option<Validated>,
}

/// How the averaged network does on nodules that don't train.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Validated {
    /// Mean -ln p(true class).
    pub loss: f64,
    pub accuracy: f64,
    /// One class against the rest, the mean; absent where a class is missing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub macro_auc: Option<f64>,
}

impl StepLog {
    /// A line, of this version or of 0.1, which had clip-lung's terms as fields; `None` for a line that a kill cut short.
    pub fn parse(line: &str) -> Option<Self> {
        let mut value: Value = serde_json::from_str(line).ok()?;
        let fields = value.as_object_mut()?;
        if !fields.contains_key("terms") {
            let mut take = |names: &[&str]| -> Map<String, Value> {
                names.iter().filter_map(|n| fields.remove_entry(*n)).collect()
            };
            let (terms, watched) = (take(&["ce", "ic", "ia", "ca"]), take(&["scale"]));
            fields.insert("terms".into(), terms.into());
            fields.insert("watched".into(), watched.into());
        }
        serde_json::from_value(value).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::StepLog;

    #[test]
    fn lines_of_both_versions() {
        let old = r#"{"epoch":0,"step":1,"lr":0.01,"loss":9.2,"ce":1.1,"ic":1.2,"scale":14.3,"gradient_norm":2.0,
            "accuracy":0.4,"samples":32}"#;
        let log = StepLog::parse(old).unwrap();
        assert_eq!((log.terms["ce"], log.terms["ic"], log.watched["scale"], log.terms.len()), (1.1, 1.2, 14.3, 2));
        assert_eq!(StepLog::parse(&serde_json::to_string(&log).unwrap()), Some(log));
        assert_eq!(StepLog::parse(&old[..40]), None);
    }
}
