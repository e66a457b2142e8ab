//! Named changes of a method's recipe: the rows of the paper's ablation, and controls that say what a gain rests on.

use crate::error::{Error, Result};
use crate::methods::heads::attribute_weights::AttributeWeights;
use crate::methods::pool::Pool;
use crate::methods::{Method, MethodConfig, clip_lung};
use crate::train::config::TrainConfig;

/// Which table a variant belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Losses left out, as in the paper's ablation.
    Ablation,
    /// Everything as in the method but for one part.
    Controls,
    /// Asked for by its own name alone.
    Alone,
}

/// A method with one thing changed.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    pub name: &'static str,
    pub method: Method,
    pub group: Group,
    /// What is changed, in words.
    pub about: &'static str,
    /// The text encoder instead of the study's, as `--text-encoder` takes it.
    pub text_encoder: Option<&'static str>,
    change: Change,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    /// Of what every method is trained with.
    Recipe(fn(&mut TrainConfig)),
    /// Of clip-lung's own options.
    Own(fn(&mut clip_lung::Config)),
    /// Of the text encoder alone.
    Text,
}

/// All variants.
pub const VARIANTS: [Variant; 15] = [
    own("ic", Group::Ablation, "image-class alignment alone", |c| (c.ia, c.ca) = (0.0, 0.0)),
    own("ic-ia", Group::Ablation, "without class-attribute alignment", |c| c.ca = 0.0),
    own("ic-ca", Group::Ablation, "without image-attribute alignment", |c| c.ia = 0.0),
    own("ia-ca", Group::Ablation, "without image-class alignment", |c| c.ic = 0.0),
    own("none", Group::Ablation, "without any alignment", |c| (c.ic, c.ia, c.ca) = (0.0, 0.0, 0.0)),
    own("range", Group::Controls, "attribute weights from ratings scaled to 0..1", |c| {
        c.attribute_weights = AttributeWeights::Range;
    }),
    own("uniform", Group::Controls, "the same weight for all attributes", |c| {
        c.attribute_weights = AttributeWeights::Uniform;
    }),
    text("random-text", Group::Controls, "CLIP's text tower with seeded weights, not pretrained", "random"),
    text("random-minilm", Group::Controls, "MiniLM's tower with seeded weights, not pretrained", "random:minilm"),
    text("minilm", Group::Alone, "words from all-MiniLM-L6-v2", "minilm"),
    text("clip-text", Group::Alone, "words from CLIP ViT-B/16", "clip"),
    recipe("diameter", Method::ClipLung, "the diameter as an input beside the image", |c| c.diameter = true),
    recipe("diameter", Method::Ce, "the diameter as an input beside the image", |c| c.diameter = true),
    recipe("view", Method::Ce, "features by CLIP-Lung's view of layer4 instead of the mean", |c| c.pool = Pool::View),
    own("official", Group::Alone, "as the published code differs from the paper", |c| {
        *c = clip_lung::Variant::Official.into();
    }),
];

const fn own(name: &'static str, group: Group, about: &'static str, change: fn(&mut clip_lung::Config)) -> Variant {
    Variant { name, method: Method::ClipLung, group, about, text_encoder: None, change: Change::Own(change) }
}

const fn text(name: &'static str, group: Group, about: &'static str, encoder: &'static str) -> Variant {
    Variant { name, method: Method::ClipLung, group, about, text_encoder: Some(encoder), change: Change::Text }
}

const fn recipe(name: &'static str, method: Method, about: &'static str, change: fn(&mut TrainConfig)) -> Variant {
    Variant { name, method, group: Group::Controls, about, text_encoder: None, change: Change::Recipe(change) }
}

impl Variant {
    /// Those that a word asks for: `ablation`, `controls`, or a variant's name.
    ///
    /// # Errors
    /// When there is none; all names are said.
    pub fn named(word: &str) -> Result<Vec<Self>> {
        let asked = |v: &&Self| match word {
            "ablation" => v.group == Group::Ablation,
            "controls" => v.group == Group::Controls,
            name => v.name == name,
        };
        let found: Vec<Self> = VARIANTS.iter().filter(asked).copied().collect();
        if found.is_empty() {
            let mut names: Vec<&str> = VARIANTS.iter().map(|v| v.name).collect();
            names.dedup();
            return Err(Error::OutOfRange {
                what: "the variant".into(),
                value: format!("`{word}`"),
                expected: format!("ablation, controls, or one of {}", names.join(", ")),
            });
        }
        Ok(found)
    }

    /// A run's settings with the change; the text encoder is the caller's to change.
    pub fn apply(&self, config: &mut TrainConfig) {
        match (self.change, &mut config.method) {
            (Change::Recipe(change), _) => change(config),
            (Change::Own(change), MethodConfig::ClipLung(own)) => change(own),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_variant_changes_its_own_method_and_has_a_name_of_its_own() {
        let mut seen = BTreeSet::new();
        for variant in VARIANTS {
            let plain = TrainConfig::of(variant.method);
            let mut changed = plain.clone();
            variant.apply(&mut changed);
            assert_eq!(changed != plain, variant.text_encoder.is_none(), "{}", variant.name);
            assert!(changed.check().is_ok(), "{}", variant.name);
            assert!(seen.insert((variant.method.name(), variant.name)));
        }
    }

    /// The five rows of the paper's ablation but for the full method, and none of them.
    #[test]
    fn groups_and_names() {
        let names = |word: &str| Variant::named(word).unwrap().iter().map(|v| v.name).collect::<Vec<_>>();
        assert_eq!(names("ablation"), ["ic", "ic-ia", "ic-ca", "ia-ca", "none"]);
        assert_eq!(names("diameter").len(), 2);
        assert!(!names("controls").contains(&"official"));
        let message = Variant::named("ica").unwrap_err().to_string();
        assert!(message.contains("`ica`") && message.contains("random-text"), "{message}");
    }
}
