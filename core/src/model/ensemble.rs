//! Several models as one: the average of their probabilities. On the disk `ensemble.json`, which names the members' directories.

use serde::{Deserialize, Serialize};

use super::config::ModelConfig;
use super::directory::WEIGHTS;
use super::predict::Model;
use crate::error::{Error, Result};

/// The file that makes a directory an ensemble.
pub const ENSEMBLE: &str = "ensemble.json";
/// The only schema there is.
const SCHEMA: u32 = 1;
/// The most members: no study has as many folds and seeds.
const MOST: usize = 100;

/// `ensemble.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnsembleFile {
    pub schema: u32,
    /// Directories beside the file.
    pub members: Vec<String>,
}

impl EnsembleFile {
    /// Of these members.
    pub fn new(members: Vec<String>) -> Self {
        Self { schema: SCHEMA, members }
    }

    /// Reads it; `file` names it in errors.
    ///
    /// # Errors
    /// Another schema, no member, too many, or one that is no plain name of a directory beside the file.
    pub fn parse(bytes: &[u8], file: &str) -> Result<Self> {
        let bad = |reason: String| Error::BadJson { file: file.into(), reason };
        let read: Self = serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
        let plain = |name: &&String| name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', ':']);
        if read.schema != SCHEMA {
            return Err(bad(format!("schema {} is not supported, only {SCHEMA}", read.schema)));
        }
        if !(1..=MOST).contains(&read.members.len()) {
            return Err(bad(format!("it has {} members, and must have from 1 to {MOST}", read.members.len())));
        }
        match read.members.iter().find(plain) {
            Some(name) => Err(bad(format!("the member `{name}` must be a directory beside the file"))),
            None => Ok(read),
        }
    }
}

impl Model {
    /// One model of several, which answers by the average of their probabilities; each keeps its own weights, input statistics and
    /// calibration. `names` are the members' in errors.
    ///
    /// # Errors
    /// No member, or members of different classes, crops, decisions or inputs.
    pub fn ensemble(members: Vec<Self>, names: &[String]) -> Result<Self> {
        let mut members = members.into_iter();
        let missing = || Error::OutOfRange {
            what: "the ensemble".into(),
            value: "empty".into(),
            expected: "of at least one member".into(),
        };
        let mut first = members.next().ok_or_else(missing)?;
        let kind = |c: &ModelConfig| (c.task, c.classes.clone(), c.decision, c.diameter, c.input.crop);
        for (other, name) in members.zip(names.iter().skip(1)) {
            if kind(&other.config) != kind(&first.config) {
                return Err(Error::OutOfRange {
                    what: format!("the ensemble's member {name}"),
                    value: format!("{} on {}", other.config.method.name(), other.config.task.name()),
                    expected: format!(
                        "of the same task, classes, crops, decision and inputs as {}",
                        names.first().map_or("the first", String::as_str)
                    ),
                });
            }
            first.others.push(other);
        }
        Ok(first)
    }

    /// SHA-256 of the weights as the configuration has it, one a member.
    pub fn weights(&self) -> Vec<&str> {
        let all = std::iter::once(self).chain(&self.others);
        all.map(|m| m.config.sha256.get(WEIGHTS).map_or("", String::as_str)).collect()
    }

    /// [`ModelConfig::about`]; of several, the first member's.
    pub fn about(&self) -> String {
        match self.members() {
            1 => self.config.about(),
            members => format!("the average of {members} models, the first: {}", self.config.about()),
        }
    }

    /// Models that answer together; 1 for one of its own.
    pub fn members(&self) -> usize {
        1 + self.others.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_no_ensemble() {
        let parse = |text: &str| EnsembleFile::parse(text.as_bytes(), "e/ensemble.json");
        assert_eq!(parse(r#"{"schema":1,"members":["fold0"]}"#).unwrap().members, ["fold0"]);
        for (text, part) in [
            (r#"{"schema":2,"members":["fold0"]}"#, "schema 2"),
            (r#"{"schema":1,"members":[]}"#, "0 members"),
            (r#"{"schema":1,"members":["../fold0"]}"#, "../fold0"),
            (r#"{"schema":1,"members":["/etc"]}"#, "/etc"),
            (r#"{"schema":1,"members":["a"],"more":1}"#, "more"),
            ("[", "e/ensemble.json"),
        ] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
