//! A run's settings in words, as cards and reports have them.

use super::config::{Choose, EmaBn, Grouping, TrainConfig, ValidateOn};
use crate::dataset::augment::Augment;
use crate::methods::pool::Pool;
use crate::nn::text::products::Products;

impl TrainConfig {
    /// The encoder's name for outputs, with its precision where that is not f32.
    pub fn encoder(&self) -> String {
        let name = self.text_encoder.as_deref().unwrap_or("none");
        if self.precision == Products::F32 { name.into() } else { format!("{name}, in {}", self.precision.name()) }
    }

    /// What the runs of a study share whatever they hold out, but for method, seed and text encoder.
    pub fn recipe(&self) -> String {
        let mut words = vec![
            format!("{} epochs, batch {}, lr {}", self.epochs, self.batch_size, self.lr),
            format!("momentum {}, weight decay {}, EMA {}", self.momentum, self.weight_decay, self.ema),
        ];
        let augmentation = match self.augment {
            Augment::Default => "default augmentation",
            Augment::FlipTurn => "augmentation flip-turn",
            Augment::Jitter => "augmentation jitter",
            Augment::None => "no augmentation",
        };
        let mut add = |is: bool, text: &str| words.extend(is.then(|| text.to_owned()));
        add(self.ema_bn == EmaBn::Recompute, "its running statistics recomputed");
        add(true, augmentation);
        add(self.diameter, "the diameter as an input");
        add(self.pool == Pool::View && self.pool != self.method.default_pool(), "features by the view");
        add(self.clip_norm.is_some(), &format!("gradients to norm {}", self.clip_norm.unwrap_or_default()));
        let on = match &self.validation {
            Some(ValidateOn::Data(data)) => &data.name,
            _ => "an eighth of the training patients",
        };
        add(self.choose == Choose::Best, &format!("the epoch with the lowest loss on {on}"));
        add(self.grouping == Grouping::Nodule, "nodules dealt one by one");
        words.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::Method;

    #[test]
    fn a_recipe_says_what_is_not_as_it_comes() {
        let plain = TrainConfig::of(Method::Ce);
        let words =
            "100 epochs, batch 32, lr 0.001, momentum 0.9, weight decay 0.0001, EMA 0.999, default augmentation";
        assert_eq!(plain.recipe(), words);
        let other = TrainConfig {
            diameter: true,
            augment: Augment::Jitter,
            ema_bn: EmaBn::Recompute,
            clip_norm: Some(2.0),
            pool: Pool::View,
            choose: Choose::Best,
            validation: Some(ValidateOn::Inner),
            ..plain
        };
        assert!(other.recipe().ends_with(
            "EMA 0.999, its running statistics recomputed, augmentation jitter, the diameter as an input, features by the view, \
             gradients to norm 2, the epoch with the lowest loss on an eighth of the training patients"
        ));
        assert_eq!(TrainConfig { pool: Pool::View, ..TrainConfig::of(Method::ClipLung) }.recipe(), words);
    }
}
