//! The constant text side of a run: what is computed once, and what each step asks of the frozen tower.

use burn::tensor::{Device, Tensor};

use super::bert::config::BertConfig;
use super::bert::tokenizer::WordPieceTokenizer;
use super::clip::geometry::Geometry;
use super::clip::tokenizer::ClipTokenizer;
use super::clip::tower::ClipTower;
use super::encoder::TextEncoder;
use super::products::Products;
use super::prompts::{ATTRIBUTE_PHRASES, ATTRIBUTE_WORDS, OpenPrompts, Prompts};
use super::tower::TextTower;
use crate::error::{Error, Result};
use crate::nn::layers::normalise;

/// Everything of a run's text that training does not change. It holds no parameter: heads share it behind an `Arc`.
#[derive(Debug)]
pub struct TextSide {
    name: String,
    pretrained: bool,
    /// Of the tower's products; what is constant was computed in f32.
    precision: Products,
    tower: TextTower,
    /// The class prompts, open for context.
    class_prompts: OpenPrompts,
    /// The eight attributes' prompts and malignancy's, open for context.
    attribute_prompts: OpenPrompts,
    /// Of the fixed class prompts, `[C, d]`.
    classes: Tensor<2>,
    /// a_k, `[8, d]`.
    attributes: Tensor<2>,
}

impl TextSide {
    /// From an encoder that holds the prompts' ids; `name` says in every output which one it is, `pretrained` whether its weights
    /// know language.
    ///
    /// # Errors
    /// An id that the encoder was not loaded for.
    pub fn new(encoder: TextEncoder, prompts: &Prompts, name: impl Into<String>, pretrained: bool) -> Result<Self> {
        let nine: Vec<Vec<u32>> = prompts.attributes.iter().chain([&prompts.malignancy]).cloned().collect();
        let attributes = normalise(encoder.encode_ids(&prompts.attributes)?).detach();
        Ok(Self {
            name: name.into(),
            pretrained,
            precision: Products::F32,
            class_prompts: OpenPrompts::new(&encoder.tokens, &prompts.classes)?,
            attribute_prompts: OpenPrompts::new(&encoder.tokens, &nine)?,
            classes: normalise(encoder.encode_ids(&prompts.classes)?).detach(),
            attributes,
            tower: encoder.tower,
        })
    }

    /// With CLIP's tower of seeded weights, for runs without pretrained ones and for tests.
    ///
    /// # Errors
    /// Only when the build embedded a damaged vocabulary.
    pub fn random_clip(geometry: Geometry, seed: u64, classes: &[&str], device: &Device) -> Result<Self> {
        let tokenizer = ClipTokenizer::new()?;
        let prompts = Prompts::new(classes, &ATTRIBUTE_WORDS, |text| tokenizer.encode(text))?;
        let encoder = TextEncoder::random_clip(geometry, seed, &prompts.ids(), device);
        Self::new(encoder, &prompts, format!("random tower (seed {seed}, not pretrained)"), false)
    }

    /// With BERT's tower of seeded weights in the shape of `config`: the control of a pretrained one.
    ///
    /// # Errors
    /// Only when the build embedded a damaged vocabulary.
    pub fn random_bert(config: BertConfig, seed: u64, classes: &[&str], device: &Device) -> Result<Self> {
        let tokenizer = WordPieceTokenizer::english()?;
        let prompts = Prompts::new(classes, &ATTRIBUTE_PHRASES, |text| tokenizer.encode(text))?;
        let encoder = TextEncoder::random_bert(config, seed, &prompts.ids(), device);
        let (layers, width) = (config.layers, config.width);
        let name = format!("random tower of BERT's kind, {layers} layers of {width} (seed {seed}, not pretrained)");
        Self::new(encoder, &prompts, name, false)
    }

    /// With the tower's products in this precision.
    ///
    /// # Errors
    /// When the device does not compute in it.
    pub fn in_precision(self, precision: Products) -> Result<Self> {
        if precision == self.precision {
            return Ok(self);
        }
        precision.check(&self.classes.device())?;
        Ok(Self { precision, tower: self.tower.in_precision(precision), ..self })
    }

    /// The encoder's name for every output.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the weights know language; results of a tower that does not must say so.
    pub fn pretrained(&self) -> bool {
        self.pretrained
    }

    /// What the learnable context starts from, the embeddings of the class prompts' opening, `[4, width]`.
    pub fn opening(&self) -> Tensor<2> {
        self.class_prompts.opening()
    }

    /// Values of a token's embedding.
    pub fn token_width(&self) -> usize {
        self.tower.token_width()
    }

    /// Values of a feature: 512 for CLIP ViT-B, 384 for MiniLM.
    pub fn feature_width(&self) -> usize {
        self.tower.feature_width()
    }

    /// a_k, L2-normalised, `[8, d]`.
    pub fn attributes(&self) -> Tensor<2> {
        self.attributes.clone()
    }

    /// The fixed class prompts' features, L2-normalised, `[C, d]`.
    pub fn classes(&self) -> Tensor<2> {
        self.classes.clone()
    }

    /// The class features of each sample, not normalised; gradients flow to the context.
    ///
    /// # Shapes
    /// `context` `[n, 4, width]` -> `[n, C, d]`
    pub fn encode_classes(&self, context: Tensor<3>) -> Tensor<3> {
        let (prefix, suffix) = self.class_prompts.with(context);
        self.tower.encode(prefix, suffix, self.class_prompts.ends())
    }

    /// The features of the nine attribute prompts of the published code, malignancy the last, each with the sample's context; not
    /// normalised.
    ///
    /// # Shapes
    /// `context` `[n, 4, width]` -> `[n, 9, d]`
    pub fn encode_attributes(&self, context: Tensor<3>) -> Tensor<3> {
        let (prefix, suffix) = self.attribute_prompts.with(context);
        self.tower.encode(prefix, suffix, self.attribute_prompts.ends())
    }

    /// A copy of CLIP's tower of which every weight is trained, as in the published code.
    ///
    /// # Errors
    /// Another kind of tower, or one that is not in f32.
    pub fn trainable_tower(&self) -> Result<ClipTower> {
        let Products::F32 = self.precision else {
            return Err(Error::OutOfRange {
                what: "precision".into(),
                value: self.precision.name().into(),
                expected: "f32 where the tower is trained".into(),
            });
        };
        match &self.tower {
            TextTower::Clip(tower) => Ok(tower.trainable()),
            TextTower::Bert(_) => Err(Error::OutOfRange {
                what: "text encoder".into(),
                value: self.name.clone(),
                expected: "a CLIP tower where the tower is trained".into(),
            }),
        }
    }

    /// [`Self::encode_classes`] with another tower of the same shape.
    pub fn encode_classes_with(&self, tower: &ClipTower, context: Tensor<3>) -> Tensor<3> {
        let (prefix, suffix) = self.class_prompts.with(context);
        tower.encode(prefix, suffix, self.class_prompts.ends())
    }

    /// [`Self::encode_attributes`] with another tower of the same shape.
    pub fn encode_attributes_with(&self, tower: &ClipTower, context: Tensor<3>) -> Tensor<3> {
        let (prefix, suffix) = self.attribute_prompts.with(context);
        tower.encode(prefix, suffix, self.attribute_prompts.ends())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::tensors::Array;
    use crate::nn::parameters::{apply, collect};
    use burn::module::{Module, ModuleMapper, Param};
    use burn::optim::GradientsParams;
    use burn::tensor::Tolerance;

    const GEOMETRY: Geometry = Geometry { width: 64, layers: 2, heads: 2, output: 48 };
    const CLASSES: [&str; 3] = ["benign", "unsure", "malignant"];

    /// Every parameter replaced by its gradient.
    struct Slopes<'a>(&'a GradientsParams);

    impl ModuleMapper for Slopes<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            Param::initialized(param.id, self.0.get::<D>(param.id).unwrap())
        }
    }

    fn side() -> TextSide {
        TextSide::random_clip(GEOMETRY, 3, &CLASSES, &Device::flex().autodiff()).unwrap()
    }

    #[test]
    fn heads_can_share_it() {
        fn shared<T: Send + Sync + std::fmt::Debug>() {}
        shared::<std::sync::Arc<TextSide>>();
    }

    /// The opening as context gives the fixed prompts; the ninth attribute prompt is malignancy's.
    #[test]
    fn open_prompts_start_from_the_fixed_ones() {
        let side = side();
        let context = side.opening().unsqueeze::<3>();
        let tolerance = Tolerance::<f32>::absolute(1e-5);
        let classes = normalise(side.encode_classes(context.clone())).squeeze_dim::<2>(0);
        classes.into_data().assert_approx_eq(&side.classes().into_data(), tolerance);
        assert_eq!(side.encode_attributes(context).dims(), [1, 9, 48]);
        let tokenizer = ClipTokenizer::new().unwrap();
        let encode = |text: &str| tokenizer.encode(text);
        let prompts = Prompts::new(&CLASSES, &ATTRIBUTE_WORDS, encode).unwrap();
        assert_eq!(prompts.malignancy, [49406, 518, 578, 691, 579, 533, 41122, 3633, 269, 49407]);
        // the attributes' opening is "the nodule", the classes' "a nodule": give the attributes theirs
        let encoder = TextEncoder::random_clip(GEOMETRY, 3, &prompts.ids(), &Device::flex().autodiff());
        let own = OpenPrompts::new(&encoder.tokens, &prompts.attributes).unwrap().opening().unsqueeze::<3>();
        let attributes = normalise(side.encode_attributes(own)).squeeze_dim::<2>(0).slice([0..8, 0..48]);
        attributes.into_data().assert_approx_eq(&side.attributes().into_data(), tolerance);
    }

    /// A tower in bf16 gives nearly the features of f32, and nearly the slope of the context; it can't be trained.
    #[test]
    fn features_in_bf16() {
        let clip = || TextSide::random_clip(GEOMETRY, 3, &CLASSES, &Device::flex().autodiff()).unwrap();
        let config = BertConfig { width: 64, layers: 2, heads: 2, hidden: 96, ..BertConfig::MINILM };
        let bert = || TextSide::random_bert(config, 3, &CLASSES, &Device::flex().autodiff()).unwrap();
        for (plain, coarse) in [(clip(), clip()), (bert(), bert())] {
            let coarse = coarse.in_precision(Products::Bf16).unwrap();
            let of = |side: &TextSide| {
                let context = side.opening().unsqueeze::<3>().detach().require_grad();
                let features = normalise(side.encode_classes(context.clone()));
                let grads = features.clone().slice([0..1, 0..3, 0..1]).sum().backward();
                [features.inner(), context.grad(&grads).unwrap()]
                    .map(|t| t.into_data().iter::<f32>().collect::<Vec<_>>())
            };
            for (what, (a, b)) in ["features", "slope"].into_iter().zip(of(&plain).into_iter().zip(of(&coarse))) {
                assert_ne!(a, b, "{what}: bf16 is not used");
                let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
                let cosine = dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt();
                assert!(cosine > 0.999, "{what}: cosine {cosine}");
            }
            assert!(coarse.trainable_tower().is_err());
        }
    }

    /// A trained copy gives the same features; every weight of it has a gradient, which equals finite differences, and no frozen one has.
    #[test]
    fn trainable_tower() {
        let side = side();
        let (tower, context) = (side.trainable_tower().unwrap(), side.opening().unsqueeze::<3>().require_grad());
        let of = |tower: &ClipTower| {
            let (classes, attributes) =
                (side.encode_classes_with(tower, context.clone()), side.encode_attributes_with(tower, context.clone()));
            normalise(classes).slice([0..1, 0..3, 0..1]).sum() + normalise(attributes).slice([0..1, 0..9, 1..2]).sum()
        };
        let frozen = side.encode_classes(context.clone()).into_data();
        let trained = side.encode_classes_with(&tower, context.clone()).into_data();
        trained.assert_approx_eq(&frozen, Tolerance::<f32>::absolute(1e-5));

        let mut gradients = of(&tower).backward();
        let gradients = GradientsParams::from_module(&mut gradients, &tower);
        assert_eq!(gradients.len(), 28);
        let arrays = collect(&tower);
        let loss = |name: &str, at: usize, by: f32| {
            let mut arrays = arrays.clone();
            arrays.get_mut(name).unwrap().values[at] += by;
            f64::from(of(&apply(tower.clone(), arrays, "test").unwrap()).into_scalar::<f32>())
        };
        for (name, Array { values: gradient, .. }) in collect(&tower.clone().map(&mut Slopes(&gradients))) {
            let at = (0..gradient.len()).max_by(|&a, &b| gradient[a].abs().total_cmp(&gradient[b].abs())).unwrap();
            let step = 4e-3 * (1.0f32).max(arrays[&name].values[at].abs());
            let numeric = (loss(&name, at, step) - loss(&name, at, -step)) / f64::from(2.0 * step);
            assert!(
                (numeric / f64::from(gradient[at]) - 1.0).abs() < 0.03,
                "{name}: {numeric} is not {}",
                gradient[at]
            );
        }
        let TextTower::Clip(frozen) = &side.tower else { panic!("not CLIP's") };
        let all = GradientsParams::from_grads(of(frozen).backward(), frozen);
        assert_eq!(all.len(), 0, "a frozen weight has a gradient");
    }
}
