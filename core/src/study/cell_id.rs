//! What a cell of a study is called.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::dataset::task::Task;
use crate::error::{Error, Result};
use crate::methods::Method;

/// The name of a cell and of its directory: `clip-lung.lidc-a.f0.s2`, with a variant `clip-lung.lidc-a.f0.s2.no-ca`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CellId(String);

impl CellId {
    /// The id of these parts.
    ///
    /// # Errors
    /// When the variant is not of lower-case letters, digits and hyphens, 64 at most: it is part of a directory's name.
    pub fn new(method: Method, task: Task, fold: usize, seed: u64, variant: Option<&str>) -> Result<Self> {
        let plain =
            |v: &str| (1..=64).contains(&v.len()) && v.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if let Some(variant) = variant.filter(|v| !plain(v)) {
            return Err(Error::OutOfRange {
                what: "the variant".into(),
                value: format!("`{variant}`"),
                expected: "of lower-case letters, digits and hyphens, 64 at most".into(),
            });
        }
        let suffix = variant.map(|v| format!(".{v}")).unwrap_or_default();
        Ok(Self(format!("{}.{}.f{fold}.s{seed}{suffix}", method.name(), task.name())))
    }

    /// The id as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Method, task, fold, seed and variant; `None` where one can't be read.
    fn parts(text: &str) -> Option<(Method, Task, usize, u64, Option<&str>)> {
        let mut parts = text.split('.');
        let method = parts.next()?;
        let task = parts.next()?;
        let fold = parts.next()?.strip_prefix('f')?.parse().ok()?;
        let seed = parts.next()?.strip_prefix('s')?.parse().ok()?;
        let variant = parts.next();
        let method = Method::ALL.into_iter().find(|m| m.name() == method)?;
        let task = Task::ALL.into_iter().find(|t| t.name() == task)?;
        parts.next().is_none().then_some((method, task, fold, seed, variant))
    }
}

impl FromStr for CellId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::OutOfRange {
            what: "the cell id".into(),
            value: format!("`{text}`"),
            expected: "METHOD.TASK.fFOLD.sSEED or METHOD.TASK.fFOLD.sSEED.VARIANT, as clip-lung.lidc-a.f0.s2".into(),
        };
        let (method, task, fold, seed, variant) = Self::parts(text).ok_or_else(bad)?;
        // one spelling a cell: no `f00`, no `+1`
        Self::new(method, task, fold, seed, variant).ok().filter(|id| id.0 == text).ok_or_else(bad)
    }
}

impl TryFrom<String> for CellId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<CellId> for String {
    fn from(id: CellId) -> Self {
        id.0
    }
}

impl fmt::Display for CellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_and_parse() {
        let id = CellId::new(Method::ClipLung, Task::LidcA, 0, 2, None).unwrap();
        assert_eq!(id.to_string(), "clip-lung.lidc-a.f0.s2");
        for method in Method::ALL {
            for task in Task::ALL {
                for variant in [None, Some("no-ca"), Some("random-text2")] {
                    let id = CellId::new(method, task, 4, 17, variant).unwrap();
                    assert_eq!(id.as_str().parse::<CellId>().unwrap(), id);
                    assert_eq!(CellId::parts(id.as_str()).unwrap(), (method, task, 4, 17, variant));
                }
            }
        }
    }

    #[test]
    fn other_ids_are_refused() {
        for bad in [
            "",
            "clip-lung.lidc-a.f0",
            "clip-lung.lidc-a.f00.s2",
            "clip-lung.lidc-a.f0.s+2",
            "clip-lung.lidc-d.f0.s2",
            "best.lidc-a.f0.s2",
            "clip-lung.lidc-a.f0.s2.",
            "clip-lung.lidc-a.f0.s2.a.b",
            "clip-lung.lidc-a.f0.s2.A",
            "clip-lung.lidc-a.f0.s2./etc",
            "../clip-lung.lidc-a.f0.s2",
        ] {
            assert!(bad.parse::<CellId>().is_err(), "{bad}");
        }
        for variant in ["..", &"v".repeat(65)] {
            assert!(CellId::new(Method::Ce, Task::LidcA, 0, 2, Some(variant)).is_err());
        }
    }
}
