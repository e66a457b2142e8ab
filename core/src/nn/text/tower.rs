//! CLIP's text transformer (Radford et al., 2021; ViT-B/16: 12 pre-norm layers of width 512, 8 heads, QuickGELU, causal), frozen:
//! its weights are constants through which gradients flow to the prompts.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use super::geometry::Geometry;
use super::weights::{Names, TowerArrays};
use crate::base::random::Stream;
use crate::base::tensors::{Array, Arrays};
use crate::error::Result;
use crate::nn::kernels::attention::Sequences;
use crate::nn::kernels::{layer_norm, quick_gelu};

struct Norm {
    weight: Tensor<1>,
    bias: Tensor<1>,
}

impl Norm {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        layer_norm(x, self.weight.clone(), self.bias.clone())
    }
}

/// `x @ weight + bias`, `weight` `[in, out]`.
struct Dense {
    weight: Tensor<2>,
    bias: Tensor<2>,
}

impl Dense {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.weight.clone()) + self.bias.clone()
    }
}

struct Block {
    ln_1: Norm,
    qkv: Dense,
    out: Dense,
    ln_2: Norm,
    fc: Dense,
    proj: Dense,
}

/// The frozen text encoder, with the token rows in use.
pub struct TextTower {
    geometry: Geometry,
    /// Sorted ids of the rows of `table`.
    ids: Vec<u32>,
    /// `[ids, width]`
    table: Tensor<2>,
    /// `[77, width]`
    positions: Tensor<2>,
    blocks: Vec<Block>,
    ln_final: Norm,
    /// `[width, output]`
    projection: Tensor<2>,
}

impl TextTower {
    /// A tower from named weights (Hugging Face's or OpenAI's names); of the token table only the rows `used` are kept.
    ///
    /// # Errors
    /// A tensor that is missing or has the wrong shape.
    pub fn load(arrays: &Arrays, heads: Option<usize>, used: &[u32], file: &str, device: &Device) -> Result<Self> {
        let source = TowerArrays::new(arrays, Names::detect(arrays, file)?, heads, file)?;
        let geometry = source.geometry();
        let ids = sorted(used);
        let table = source.token_rows(&ids)?;
        let mut blocks = Vec::with_capacity(geometry.layers);
        for layer in 0..geometry.layers {
            let part = |name: &str| source.block(layer, name);
            blocks.push(Block {
                ln_1: norm(part("ln_1.weight")?, part("ln_1.bias")?, device),
                qkv: dense(part("attn.in_proj_weight")?, part("attn.in_proj_bias")?, device),
                out: dense(part("attn.out_proj.weight")?, part("attn.out_proj.bias")?, device),
                ln_2: norm(part("ln_2.weight")?, part("ln_2.bias")?, device),
                fc: dense(part("mlp.c_fc.weight")?, part("mlp.c_fc.bias")?, device),
                proj: dense(part("mlp.c_proj.weight")?, part("mlp.c_proj.bias")?, device),
            });
        }
        Ok(Self {
            geometry,
            table: matrix(table, device),
            ids,
            positions: matrix(source.positions()?, device),
            blocks,
            ln_final: norm(source.top("ln_final.weight")?, source.top("ln_final.bias")?, device),
            projection: matrix(source.projection()?, device),
        })
    }

    /// A seeded random tower with CLIP's scales, for runs without pretrained weights; results must say so.
    ///
    /// Tensor number t holds uniform values of the stream (seed, t) with CLIP's standard deviations; token row r those of the
    /// stream (seed, 1000 + r), so that the rows in use suffice.
    pub fn random(geometry: Geometry, seed: u64, used: &[u32], device: &Device) -> Self {
        let Geometry { width: w, layers, output, .. } = geometry;
        let ids = sorted(used);
        let draw = |stream: u64, count: usize, sd: f64| -> Vec<f32> {
            let (mut random, bound) = (Stream::new(seed, stream), sd * 3f64.sqrt());
            (0..count).map(|_| random.between(-bound, bound) as f32).collect()
        };
        let (attention, residual) = ((w as f64).powf(-0.5), (w as f64 * 2.0 * layers as f64).powf(-0.5));
        let plain =
            |values: Vec<f32>, rows: usize| matrix(Array { shape: vec![rows, values.len() / rows], values }, device);
        let flat = |value: f32, n: usize| Tensor::<1>::from_data(TensorData::new(vec![value; n], [n]), device);
        let normal = || Norm { weight: flat(1.0, w), bias: flat(0.0, w) };
        // in, out and deviation of qkv, out, fc, proj
        let kinds =
            [(w, 3 * w, attention), (w, w, residual), (w, 4 * w, (2.0 * w as f64).powf(-0.5)), (4 * w, w, residual)];
        let drawn: Vec<[Vec<f32>; 4]> = (0..layers as u64)
            .into_par_iter()
            .map(|l| [0, 1, 2, 3].map(|i| draw(10 + 4 * l + i as u64, kinds[i].0 * kinds[i].1, kinds[i].2)))
            .collect();
        let blocks = drawn
            .into_iter()
            .map(|layer| {
                let mut i = 0;
                let [qkv, out, fc, proj] = layer.map(|values| {
                    let (rows, columns, _) = kinds[i];
                    i += 1;
                    Dense { weight: plain(values, rows), bias: flat(0.0, columns).unsqueeze() }
                });
                Block { ln_1: normal(), qkv, out, ln_2: normal(), fc, proj }
            })
            .collect();
        let rows: Vec<f32> = ids.iter().flat_map(|&id| draw(1000 + u64::from(id), w, 0.02)).collect();
        Self {
            geometry,
            table: plain(rows, ids.len().max(1)),
            ids,
            positions: plain(
                draw(0, crate::nn::text::tokenizer::CONTEXT * w, 0.01),
                crate::nn::text::tokenizer::CONTEXT,
            ),
            blocks,
            ln_final: normal(),
            projection: plain(draw(1, w * output, attention), w),
        }
    }

    /// The tower's dimensions.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Embeddings of token sequences, padded with the last token to one length; ids must be among those in use.
    ///
    /// # Shapes
    /// `[n, longest, width]`
    pub fn embed(&self, sequences: &[Vec<u32>]) -> Tensor<3> {
        let longest = sequences.iter().map(Vec::len).max().unwrap_or(0);
        let padded = sequences.iter().flat_map(|s| (0..longest).map(|i| s[i.min(s.len() - 1)]));
        let rows: Vec<i32> = padded.map(|id| self.ids.binary_search(&id).map_or(0, |r| r as i32)).collect();
        let count = rows.len();
        let index = Tensor::<1, burn::tensor::Int>::from_data(TensorData::new(rows, [count]), &self.table.device());
        self.table.clone().select(0, index).reshape([sequences.len(), longest, self.geometry.width])
    }

    /// The features of whole prompts (start and end included), not normalised.
    ///
    /// # Shapes
    /// `[n, output]`
    pub fn encode_ids(&self, ids: &[Vec<u32>]) -> Tensor<2> {
        let tails: Vec<Vec<u32>> = ids.iter().map(|i| i[1..].to_vec()).collect();
        let eot: Vec<usize> = tails.iter().map(|t| t.len() - 1).collect();
        self.encode_tails(ids[0][0], &tails, &eot)
    }

    fn encode_tails(&self, start: u32, tails: &[Vec<u32>], eot: &[usize]) -> Tensor<2> {
        let prefix = self.embed(&[vec![start]]);
        self.encode(prefix, self.embed(tails).unsqueeze_dim(0), eot).squeeze_dim(0)
    }

    /// The features read at `eot` of each prompt.
    ///
    /// All prompts of a sample share the embeddings `prefix`; being causal, the tower computes them once. Positions after EOT
    /// can't influence the row that is read, so sequences need to be no longer than that.
    ///
    /// # Shapes
    /// `prefix` `[n, P, width]`, `suffix` `[n, C, S, width]`, `eot` C positions in 0..S -> `[n, C, output]`
    pub fn encode(&self, prefix: Tensor<3>, suffix: Tensor<4>, eot: &[usize]) -> Tensor<3> {
        let [n, p, w] = prefix.dims();
        let [_, c, s, _] = suffix.dims();
        let positions = self.positions.clone();
        let prefix = prefix + positions.clone().slice([0..p, 0..w]).unsqueeze();
        let suffix = suffix + positions.slice([p..p + s, 0..w]).unsqueeze();
        // all tokens as rows: the dense layers don't care whose they are
        let mut x = Tensor::cat(vec![prefix.reshape([n * p, w]), suffix.reshape([n * c * s, w])], 0);
        let shape = Sequences { n, p, c, s, heads: self.geometry.heads, head: w / self.geometry.heads };
        for (i, block) in self.blocks.iter().enumerate() {
            x = x.clone() + block.out.forward(shape.attention(block.qkv.forward(block.ln_1.forward(x))));
            if i + 1 == self.blocks.len() {
                // of the last layer only the rows at EOT are read
                let tail = x.slice([n * p..n * (p + c * s), 0..w]).reshape([n, c, s, w]);
                let read = eot.iter().enumerate().map(|(k, &e)| tail.clone().slice([0..n, k..k + 1, e..e + 1, 0..w]));
                x = Tensor::cat(read.collect(), 1).reshape([n * c, w]);
            }
            x = x.clone() + block.mlp(x);
        }
        self.ln_final.forward(x).matmul(self.projection.clone()).reshape([n, c, self.geometry.output])
    }
}

impl Block {
    fn mlp(&self, x: Tensor<2>) -> Tensor<2> {
        self.proj.forward(quick_gelu(self.fc.forward(self.ln_2.forward(x))))
    }
}

fn sorted(used: &[u32]) -> Vec<u32> {
    let mut ids = used.to_vec();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn matrix(array: Array, device: &Device) -> Tensor<2> {
    let shape = [array.shape[0], array.shape[1]];
    Tensor::from_data(TensorData::new(array.values, shape), device)
}

fn norm(weight: Array, bias: Array, device: &Device) -> Norm {
    let vector = |a: Array| Tensor::from_data(TensorData::new(a.values, [a.shape[0]]), device);
    Norm { weight: vector(weight), bias: vector(bias) }
}

/// PyTorch stores `[out, in]`: transposed here.
fn dense(weight: Array, bias: Array, device: &Device) -> Dense {
    let n = bias.shape[0];
    Dense {
        weight: matrix(weight.transposed(), device),
        bias: Tensor::from_data(TensorData::new(bias.values, [1, n]), device),
    }
}
