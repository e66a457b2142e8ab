//! The paper's ablation: which of CLIP-Lung's alignment losses a row was trained with, beside the cross-entropy that every row has.

use serde::Serialize;

use super::entry::Entry;
use crate::methods::{Method, MethodConfig};
use crate::study::variants::{Group, VARIANTS};

/// Losses IC, IA and CA of the paper's rows, in its order; then the row that the paper does not have, without any.
const ORDER: [[bool; 3]; 6] = [
    [true, false, false],
    [true, true, false],
    [true, false, true],
    [false, true, true],
    [true, true, true],
    [false, false, false],
];

/// A row of the ablation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ablated {
    /// The row's name among those of its task.
    pub name: String,
    /// Image-class alignment.
    pub ic: bool,
    /// Image-attribute alignment.
    pub ia: bool,
    /// Class-attribute alignment.
    pub ca: bool,
}

impl Ablated {
    /// Whether each loss is on: IC, IA, CA.
    pub fn losses(&self) -> [bool; 3] {
        [self.ic, self.ia, self.ca]
    }

    fn of(entry: &Entry) -> Option<Self> {
        let MethodConfig::ClipLung(own) = &entry.config.as_ref()?.method else { return None };
        let [ic, ia, ca] = [own.ic, own.ia, own.ca].map(|weight| weight > 0.0);
        Some(Self { name: entry.name.clone(), ic, ia, ca })
    }
}

/// The full method and its variants with losses left out, in the paper's order; none without such a variant.
pub fn ablation(entries: &[Entry]) -> Vec<Ablated> {
    let method = Method::ClipLung.name();
    let left_out: Vec<String> = VARIANTS
        .iter()
        .filter(|v| v.group == Group::Ablation)
        .map(|v| format!("{}.{}", v.method.name(), v.name))
        .collect();
    if !entries.iter().any(|e| left_out.contains(&e.name)) {
        return Vec::new();
    }
    let rows = entries.iter().filter(|e| e.name == method || left_out.contains(&e.name));
    let mut rows: Vec<Ablated> = rows.filter_map(Ablated::of).collect();
    rows.sort_by_key(|row| ORDER.iter().position(|losses| *losses == row.losses()));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::task::Task;
    use crate::study::summary::entry::entries;
    use crate::study::summary::finished::tests::finished;
    use crate::study::variants::Variant;

    #[test]
    fn rows_are_in_the_paper_s_order() {
        let of = |names: &[&str]| {
            let mut all = finished(Method::Ce, None, &[0], 2, 1.0);
            all.extend(finished(Method::ClipLung, None, &[0], 2, 1.0));
            for name in names {
                let mut cells = finished(Method::ClipLung, Some(name), &[0], 2, 1.0);
                let changes: Vec<Variant> = Variant::named(name).unwrap();
                cells.iter_mut().for_each(|f| changes.iter().for_each(|v| v.apply(&mut f.config)));
                all.extend(cells);
            }
            ablation(&entries(Task::LidcA, &all, &[]).unwrap())
        };
        let rows = of(&["none", "ia-ca", "ic-ia", "ic", "uniform", "ic-ca"]);
        let shown: Vec<(&str, [bool; 3])> = rows.iter().map(|r| (r.name.as_str(), r.losses())).collect();
        assert_eq!(shown.iter().map(|s| s.1).collect::<Vec<_>>(), ORDER);
        let names = ["ic", "ic-ia", "ic-ca", "ia-ca", "", "none"].map(|v| format!("clip-lung.{v}"));
        assert_eq!(shown.iter().map(|s| s.0).collect::<Vec<_>>(), names.each_ref().map(|n| n.trim_end_matches('.')));
        // a control alone is no ablation
        assert_eq!((of(&["uniform"]).len(), of(&["ic-ca"]).len()), (0, 2));
    }
}
