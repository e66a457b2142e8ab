//! The cells of a study: every method on every task, fold and seed, and the variants asked for.

use super::cells::Cell;
use super::variants::Variant;
use crate::dataset::task::Task;
use crate::error::{Error, Result};
use crate::methods::Method;
use crate::nn::text::products::Products;
use crate::train::config::TrainConfig;

/// What a study is to run.
#[derive(Clone, Debug)]
pub struct Grid {
    pub methods: Vec<Method>,
    pub tasks: Vec<Task>,
    pub folds: Vec<usize>,
    pub seeds: Vec<u64>,
    /// Variants of the methods above, on the first task.
    pub variants: Vec<Variant>,
}

impl Grid {
    /// The cells, plain methods first, then variants; within each task by task, and fold by fold, so that a study that is half done has
    /// whole folds to compare. `recipe` gives a method's settings, with the text encoder of that name where one is given.
    ///
    /// # Errors
    /// Settings that can't be used, and what `recipe` says.
    pub fn cells<E: From<Error>>(
        &self,
        mut recipe: impl FnMut(Method, Option<&str>) -> Result<TrainConfig, E>,
    ) -> Result<Vec<Cell>, E> {
        let mut cells = Vec::new();
        let plain: Vec<(Method, Option<Variant>)> = self.methods.iter().map(|m| (*m, None)).collect();
        let changed: Vec<_> = self.variants.iter().filter(|v| self.methods.contains(&v.method)).collect();
        let changed: Vec<(Method, Option<Variant>)> = changed.into_iter().map(|v| (v.method, Some(*v))).collect();
        let first = &self.tasks[..self.tasks.len().min(1)];
        for (arms, tasks) in [(&plain, &self.tasks[..]), (&changed, first)] {
            for (&task, &seed) in tasks.iter().flat_map(|t| self.seeds.iter().map(move |s| (t, s))) {
                for (&fold, (method, variant)) in self.folds.iter().flat_map(|f| arms.iter().map(move |a| (f, a))) {
                    let plain = recipe(*method, None)?;
                    let mut config = match variant.and_then(|v| v.text_encoder) {
                        Some(encoder) => recipe(*method, Some(encoder))?,
                        None => plain.clone(),
                    };
                    if let Some(variant) = variant {
                        variant.apply(&mut config);
                        if config == plain {
                            continue; // the study's own text encoder, say
                        }
                    }
                    // of other methods nothing would be in it
                    let precision = if config.method.encodes_text() { config.precision } else { Products::F32 };
                    let config = TrainConfig { task, fold, seed, precision, ..config };
                    config.check()?;
                    cells.push(Cell::of(&config, variant.map(|v| v.name))?);
                }
            }
        }
        Ok(cells)
    }
}

/// Numbers as `--folds 0-4` or `0,2,3` gives them.
///
/// # Errors
/// What is neither a number nor a span of them.
pub fn numbers(words: &[String]) -> Result<Vec<u64>> {
    let mut all = Vec::new();
    for word in words {
        let bad = || Error::OutOfRange {
            what: "the list".into(),
            value: format!("`{word}`"),
            expected: "of numbers and spans, as 0,2 or 0-4".into(),
        };
        let number = |text: &str| text.parse::<u64>().map_err(|_| bad());
        match word.split_once('-') {
            Some((from, to)) => {
                let (from, to) = (number(from)?, number(to)?);
                if from > to || to - from > 1000 {
                    return Err(bad());
                }
                all.extend(from..=to);
            }
            None => all.push(number(word)?),
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|n| seen.insert(*n));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(variants: &[&str]) -> Grid {
        Grid {
            methods: vec![Method::Ce, Method::ClipLung],
            tasks: vec![Task::LidcA, Task::LidcC],
            folds: vec![0, 1],
            seeds: vec![2],
            variants: variants.iter().flat_map(|v| Variant::named(v).unwrap()).collect(),
        }
    }

    fn recipe(method: Method, encoder: Option<&str>) -> Result<TrainConfig> {
        let text = (method == Method::ClipLung).then(|| encoder.unwrap_or("random").to_owned());
        Ok(TrainConfig { text_encoder: text, epochs: 3, ..TrainConfig::of(method) })
    }

    #[test]
    fn plain_methods_first_and_folds_together() {
        let cells = grid(&["ic", "diameter"]).cells(recipe).unwrap();
        let ids: Vec<&str> = cells.iter().map(|c| c.id.as_str()).collect();
        assert_eq!(
            ids[..4],
            ["ce.lidc-a.f0.s2", "clip-lung.lidc-a.f0.s2", "ce.lidc-a.f1.s2", "clip-lung.lidc-a.f1.s2"]
        );
        assert_eq!(
            ids[8..11],
            ["clip-lung.lidc-a.f0.s2.ic", "clip-lung.lidc-a.f0.s2.diameter", "ce.lidc-a.f0.s2.diameter"]
        );
        assert_eq!(ids.len(), 8 + 6);
        let config = cells[11].config().unwrap();
        assert_eq!((config.fold, config.epochs), (1, 3));
        assert!(matches!(config.method, crate::methods::MethodConfig::ClipLung(own) if own.ia == 0.0));
    }

    /// A control that is the study itself is no cell of its own.
    #[test]
    fn the_same_text_is_not_run_twice() {
        let cells = grid(&["random-text", "random-minilm"]).cells(recipe).unwrap();
        assert_eq!(cells.len(), 8 + 2);
        assert!(cells[8..].iter().all(|c| c.variant.as_deref() == Some("random-minilm")));
        assert_eq!(cells[8].config().unwrap().text_encoder.as_deref(), Some("random:minilm"));
    }

    /// In bf16 are the cells whose steps run a frozen tower; the others are those of a study in f32.
    #[test]
    fn frozen_towers_alone_are_in_bf16() {
        let coarse = |method: Method, text: Option<&str>| {
            Ok::<_, Error>(TrainConfig { precision: Products::Bf16, ..recipe(method, text)? })
        };
        let (plain, coarse) = (grid(&[]).cells(recipe).unwrap(), grid(&[]).cells(coarse).unwrap());
        for (plain, coarse) in plain.iter().zip(&coarse) {
            let config = coarse.config().unwrap();
            assert_eq!(config.precision == Products::Bf16, config.method.method() == Method::ClipLung);
            assert_eq!(plain.config().unwrap() == config, config.method.method() == Method::Ce);
        }
    }

    #[test]
    fn spans_of_numbers() {
        let of = |words: &[&str]| numbers(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["0-2", "7", "1"]).unwrap(), [0, 1, 2, 7]);
        for bad in ["", "a", "3-1", "-1", "0-99999999"] {
            assert!(of(&[bad]).is_err(), "{bad}");
        }
    }
}
