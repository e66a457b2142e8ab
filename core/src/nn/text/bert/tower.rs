//! BERT's encoder (Devlin et al., 2019), frozen: post-norm layers in which every token sees all of its prompt.
//!
//! h = LN(word + position + type); each layer h = LN(h + MHA(h)), h = LN(h + W2 gelu(W1 h)); a feature is the mean of the last
//! layer's tokens or its \[CLS\], through a projection head where there is one.

use std::collections::BTreeMap;

use burn::module::Param;
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;

use super::config::{BertConfig, Pooling};
use super::weights::BertArrays;
use crate::base::random::uniform;
use crate::base::tensors::Array;
use crate::error::Result;
use crate::nn::kernels::attention::Sequences;
use crate::nn::kernels::gelu;
use crate::nn::layers::buffer;
use crate::nn::text::layers::{Dense, Norm, held, matrix, product};
use crate::nn::text::products::Products;

/// BERT's deviation of every weight before training.
const DEVIATION: f64 = 0.02;

#[derive(Clone, Debug)]
struct Layer {
    qkv: Dense,
    out: Dense,
    attention_norm: Norm,
    intermediate: Dense,
    output: Dense,
    output_norm: Norm,
}

/// The encoder, from token embeddings to features.
#[derive(Clone, Debug)]
pub struct BertTower {
    config: BertConfig,
    /// Positions and the first type, `[positions, width]`.
    positions: Param<Tensor<2>>,
    norm: Norm,
    layers: Vec<Layer>,
    /// `[width, hidden]`, `[hidden, output]`.
    projection: Option<[Param<Tensor<2>>; 2]>,
}

impl BertTower {
    /// From named weights.
    ///
    /// # Errors
    /// A tensor that is missing or has another shape.
    pub fn load(source: &BertArrays, device: &Device) -> Result<Self> {
        let config = source.config();
        let (w, h) = (config.width, config.hidden);
        let norm = |weight: Array, bias: Array| Norm::new(weight, bias, config.epsilon, device);
        let mut layers = Vec::with_capacity(config.layers);
        for l in 0..config.layers {
            let layer_norm = |name: &str| -> Result<Norm> {
                let part = |kind: &str| source.layer(l, &format!("{name}.LayerNorm.{kind}"), &[w]);
                Ok(norm(part("weight")?, part("bias")?))
            };
            let linear = |name: &str, inputs: usize, outputs: usize| -> Result<Dense> {
                let weight = source.layer(l, &format!("{name}.dense.weight"), &[outputs, inputs])?;
                Ok(Dense::new(weight, source.layer(l, &format!("{name}.dense.bias"), &[outputs])?, device))
            };
            let [weight, bias] = source.qkv(l)?;
            layers.push(Layer {
                qkv: Dense::new(weight, bias, device),
                out: linear("attention.output", w, w)?,
                attention_norm: layer_norm("attention.output")?,
                intermediate: linear("intermediate", w, h)?,
                output: linear("output", h, w)?,
                output_norm: layer_norm("output")?,
            });
        }
        let part = |kind: &str| source.top(&format!("embeddings.LayerNorm.{kind}"), &[w]);
        Ok(Self {
            config,
            positions: matrix(source.positions()?, device),
            norm: norm(part("weight")?, part("bias")?),
            layers,
            projection: source.projection()?.map(|p| p.map(|m| matrix(m.transposed(), device))),
        })
    }

    /// A seeded random tower with BERT's scale, for controls; results must say so.
    ///
    /// Tensor number t holds uniform values of the stream (seed, t) with BERT's standard deviation; token row r those of the stream
    /// (seed, 1000 + r), so that the rows in use suffice.
    pub fn random(config: BertConfig, seed: u64, device: &Device) -> Self {
        let (w, h) = (config.width, config.hidden);
        let norm = || Norm::plain(w, config.epsilon, device);
        // in and out of qkv, out, intermediate, output
        let kinds = [(w, 3 * w), (w, w), (w, h), (h, w)];
        let drawn: Vec<[Vec<f32>; 4]> = (0..config.layers as u64)
            .into_par_iter()
            .map(|l| [0, 1, 2, 3].map(|i| uniform(seed, 10 + 4 * l + i as u64, kinds[i].0 * kinds[i].1, DEVIATION)))
            .collect();
        let layers = drawn.into_iter().map(|values| {
            let [qkv, out, intermediate, output] = values;
            let dense = |values, (inputs, outputs)| Dense::plain(values, inputs, outputs, device);
            Layer {
                qkv: dense(qkv, kinds[0]),
                out: dense(out, kinds[1]),
                attention_norm: norm(),
                intermediate: dense(intermediate, kinds[2]),
                output: dense(output, kinds[3]),
                output_norm: norm(),
            }
        });
        Self {
            config,
            positions: buffer(uniform(seed, 0, config.positions * w, DEVIATION), [config.positions, w], device),
            norm: norm(),
            layers: layers.collect(),
            projection: None,
        }
    }

    /// The rows `ids` of the random token table that belongs to [`BertTower::random`].
    pub fn random_rows(config: BertConfig, seed: u64, ids: &[u32]) -> Vec<f32> {
        ids.iter().flat_map(|&id| uniform(seed, 1000 + u64::from(id), config.width, DEVIATION)).collect()
    }

    /// With the products of matrices in this precision, but for attention's.
    pub fn in_precision(self, precision: Products) -> Self {
        let layer = |l: Layer| Layer {
            qkv: l.qkv.in_precision(precision),
            out: l.out.in_precision(precision),
            intermediate: l.intermediate.in_precision(precision),
            output: l.output.in_precision(precision),
            ..l
        };
        let layers = self.layers.into_iter().map(layer).collect();
        Self { layers, projection: self.projection.map(|two| two.map(|matrix| held(matrix, precision))), ..self }
    }

    /// The tower's dimensions.
    pub fn config(&self) -> BertConfig {
        self.config
    }

    /// Values of a feature.
    pub fn feature_width(&self) -> usize {
        self.projection.as_ref().map_or(self.config.width, |[_, second]| second.val().dims()[1])
    }

    /// The features of prompts that end at `ends`, not normalised.
    ///
    /// Prompts of one length go through the attention together, so that none needs padding.
    ///
    /// # Shapes
    /// `prefix` `[n, P, width]` with which a sample's prompts begin, `suffix` `[n, C, S, width]`, `ends` C positions in 0..S
    /// -> `[n, C, d]`
    pub fn encode(&self, prefix: Tensor<3>, suffix: Tensor<4>, ends: &[usize]) -> Tensor<3> {
        let [n, p, w] = prefix.dims();
        let mut lengths: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        ends.iter().enumerate().for_each(|(c, end)| lengths.entry(p + end + 1).or_default().push(c));
        let heads = self.config.heads;
        let groups: Vec<Sequences> = lengths
            .iter()
            .map(|(length, which)| Sequences::whole(n * which.len(), *length, heads, w / heads))
            .collect();
        let embedded = lengths.iter().map(|(&length, which)| {
            let tails = which.iter().map(|&c| suffix.clone().slice([0..n, c..c + 1, 0..length - p, 0..w]));
            let shared = prefix.clone().unsqueeze_dim::<4>(1).expand([n, which.len(), p, w]);
            let prompts = Tensor::cat(vec![shared, Tensor::cat(tails.collect(), 1)], 2);
            let positions = self.positions.val().slice([0..length, 0..w]);
            (prompts + positions.unsqueeze()).reshape([n * which.len() * length, w])
        });
        // all tokens as rows: the dense layers don't care whose they are
        let mut x = self.norm.forward(joined(embedded.collect()));
        for layer in &self.layers {
            x = layer.forward(x, &groups);
        }
        let pooled = each(&x, &groups).zip(&lengths).map(|(rows, (&length, which))| {
            let tokens = rows.reshape([n, which.len(), length, w]);
            let one = match self.config.pooling {
                Pooling::Mean => tokens.mean_dim(2),
                Pooling::Cls => tokens.slice([0..n, 0..which.len(), 0..1, 0..w]),
            };
            one.squeeze_dim::<3>(2)
        });
        let pooled = Tensor::cat(pooled.collect(), 1);
        // back into the order of the prompts
        let order: Vec<usize> = lengths.into_values().flatten().collect();
        let places = (0..ends.len()).filter_map(|c| order.iter().position(|&o| o == c));
        let pooled = Tensor::cat(places.map(|at| pooled.clone().narrow(1, at, 1)).collect(), 1);
        match &self.projection {
            None => pooled,
            Some([first, second]) => {
                let hidden = gelu(product(pooled.reshape([n * ends.len(), w]), first.val()));
                product(hidden, second.val()).reshape([n, ends.len(), second.val().dims()[1]])
            }
        }
    }
}

impl Layer {
    fn forward(&self, x: Tensor<2>, groups: &[Sequences]) -> Tensor<2> {
        let qkv = self.qkv.forward(x.clone());
        let attended = joined(each(&qkv, groups).zip(groups).map(|(rows, group)| group.attention(rows)).collect());
        let x = self.attention_norm.forward(x + self.out.forward(attended));
        let hidden = gelu(self.intermediate.forward(x.clone()));
        self.output_norm.forward(x + self.output.forward(hidden))
    }
}

/// The rows of each group.
fn each<'a>(x: &'a Tensor<2>, groups: &'a [Sequences]) -> impl Iterator<Item = Tensor<2>> + 'a {
    let (count, width) = (groups.len(), x.dims()[1]);
    groups.iter().scan(0, move |start, group| {
        let rows = *start..*start + group.n * group.p;
        *start = rows.end;
        Some(if count == 1 { x.clone() } else { x.clone().slice([rows, 0..width]) })
    })
}

/// Rows one below the other.
fn joined(mut parts: Vec<Tensor<2>>) -> Tensor<2> {
    if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, 0) }
}
