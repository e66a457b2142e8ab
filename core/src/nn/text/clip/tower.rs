//! CLIP's text transformer (Radford et al., 2021; ViT-B/16: 12 pre-norm layers of width 512, 8 heads, QuickGELU, causal). Frozen,
//! its weights are constants through which gradients flow to the prompts.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;

use super::geometry::Geometry;
use super::tokenizer::CONTEXT;
use super::weights::TowerArrays;
use crate::base::random::uniform;
use crate::base::tensors::Array;
use crate::error::Result;
use crate::nn::kernels::attention::Sequences;
use crate::nn::kernels::quick_gelu;
use crate::nn::layers::buffer;
use crate::nn::text::layers::{Dense, Norm, held, matrix, product};
use crate::nn::text::products::Products;

/// LayerNorm's.
const EPSILON: f64 = 1e-5;

#[derive(Module, Debug)]
struct Block {
    ln_1: Norm,
    qkv: Dense,
    out: Dense,
    ln_2: Norm,
    fc: Dense,
    proj: Dense,
}

/// The text transformer, from token embeddings to features.
#[derive(Module, Debug)]
pub struct ClipTower {
    /// `[77, width]`
    positions: Param<Tensor<2>>,
    blocks: Vec<Block>,
    ln_final: Norm,
    /// `[width, output]`
    projection: Param<Tensor<2>>,
    #[module(skip)]
    geometry: Geometry,
}

impl ClipTower {
    /// A frozen tower from named weights.
    ///
    /// # Errors
    /// A tensor that is missing or has the wrong shape.
    pub fn load(source: &TowerArrays, device: &Device) -> Result<Self> {
        let geometry = source.geometry();
        let norm = |weight: Array, bias: Array| Norm::new(weight, bias, EPSILON, device);
        let mut blocks = Vec::with_capacity(geometry.layers);
        for layer in 0..geometry.layers {
            let part = |name: &str| source.block(layer, name);
            blocks.push(Block {
                ln_1: norm(part("ln_1.weight")?, part("ln_1.bias")?),
                qkv: Dense::new(part("attn.in_proj_weight")?, part("attn.in_proj_bias")?, device),
                out: Dense::new(part("attn.out_proj.weight")?, part("attn.out_proj.bias")?, device),
                ln_2: norm(part("ln_2.weight")?, part("ln_2.bias")?),
                fc: Dense::new(part("mlp.c_fc.weight")?, part("mlp.c_fc.bias")?, device),
                proj: Dense::new(part("mlp.c_proj.weight")?, part("mlp.c_proj.bias")?, device),
            });
        }
        Ok(Self {
            geometry,
            positions: matrix(source.positions()?, device),
            blocks,
            ln_final: norm(source.top("ln_final.weight")?, source.top("ln_final.bias")?),
            projection: matrix(source.projection()?, device),
        })
    }

    /// A frozen tower of seeded random weights with CLIP's scales, for runs without pretrained weights; results must say so.
    ///
    /// Tensor number t holds uniform values of the stream (seed, t) with CLIP's standard deviations; token row r those of the
    /// stream (seed, 1000 + r), so that the rows in use suffice.
    pub fn random(geometry: Geometry, seed: u64, device: &Device) -> Self {
        let Geometry { width: w, layers, output, .. } = geometry;
        let (attention, residual) = ((w as f64).powf(-0.5), (w as f64 * 2.0 * layers as f64).powf(-0.5));
        let plain = |values: Vec<f32>, rows: usize| {
            let columns = values.len() / rows;
            buffer::<2>(values, [rows, columns], device)
        };
        let normal = || Norm::plain(w, EPSILON, device);
        // in, out and deviation of qkv, out, fc, proj
        let kinds =
            [(w, 3 * w, attention), (w, w, residual), (w, 4 * w, (2.0 * w as f64).powf(-0.5)), (4 * w, w, residual)];
        let drawn: Vec<[Vec<f32>; 4]> = (0..layers as u64)
            .into_par_iter()
            .map(|l| [0, 1, 2, 3].map(|i| uniform(seed, 10 + 4 * l + i as u64, kinds[i].0 * kinds[i].1, kinds[i].2)))
            .collect();
        let blocks = drawn
            .into_iter()
            .map(|layer| {
                let mut i = 0;
                let [qkv, out, fc, proj] = layer.map(|values| {
                    let (rows, columns, _) = kinds[i];
                    i += 1;
                    Dense::plain(values, rows, columns, device)
                });
                Block { ln_1: normal(), qkv, out, ln_2: normal(), fc, proj }
            })
            .collect();
        Self {
            geometry,
            positions: plain(uniform(seed, 0, CONTEXT * w, 0.01), CONTEXT),
            blocks,
            ln_final: normal(),
            projection: plain(uniform(seed, 1, w * output, attention), w),
        }
    }

    /// The rows `ids` of the random token table that belongs to [`ClipTower::random`].
    pub fn random_rows(geometry: Geometry, seed: u64, ids: &[u32]) -> Vec<f32> {
        ids.iter().flat_map(|&id| uniform(seed, 1000 + u64::from(id), geometry.width, 0.02)).collect()
    }

    /// The tower's dimensions.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// With the products of matrices in this precision, but for attention's.
    pub fn in_precision(self, precision: Products) -> Self {
        let block = |b: Block| Block {
            qkv: b.qkv.in_precision(precision),
            out: b.out.in_precision(precision),
            fc: b.fc.in_precision(precision),
            proj: b.proj.in_precision(precision),
            ..b
        };
        let blocks = self.blocks.into_iter().map(block).collect();
        Self { blocks, projection: held(self.projection, precision), ..self }
    }

    /// A copy of which every weight is trained.
    pub fn trainable(&self) -> Self {
        struct Train;
        impl ModuleMapper for Train {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                Param::from_tensor(param.into_value())
            }
        }
        self.clone().map(&mut Train)
    }

    /// The features read at `ends` of each prompt, not normalised.
    ///
    /// All prompts of a sample share the embeddings `prefix`; being causal, the tower computes them once. Positions after the end
    /// can't influence the row that is read, so sequences need to be no longer than that.
    ///
    /// # Shapes
    /// `prefix` `[n, P, width]`, `suffix` `[n, C, S, width]`, `ends` C positions in 0..S -> `[n, C, output]`
    pub fn encode(&self, prefix: Tensor<3>, suffix: Tensor<4>, ends: &[usize]) -> Tensor<3> {
        let [n, p, w] = prefix.dims();
        let [_, c, s, _] = suffix.dims();
        let positions = self.positions.val();
        let prefix = prefix + positions.clone().slice([0..p, 0..w]).unsqueeze();
        let suffix = suffix + positions.slice([p..p + s, 0..w]).unsqueeze();
        // all tokens as rows: the dense layers don't care whose they are
        let mut x = Tensor::cat(vec![prefix.reshape([n * p, w]), suffix.reshape([n * c * s, w])], 0);
        let shape = Sequences::causal([n, p, c, s], self.geometry.heads, w / self.geometry.heads);
        for (i, block) in self.blocks.iter().enumerate() {
            x = x.clone() + block.out.forward(shape.attention(block.qkv.forward(block.ln_1.forward(x))));
            if i + 1 == self.blocks.len() {
                // of the last layer only the rows at the ends are read
                let tail = x.slice([n * p..n * (p + c * s), 0..w]).reshape([n, c, s, w]);
                let read = ends.iter().enumerate().map(|(k, &e)| tail.clone().slice([0..n, k..k + 1, e..e + 1, 0..w]));
                x = Tensor::cat(read.collect(), 1).reshape([n * c, w]);
            }
            x = x.clone() + block.mlp(x);
        }
        product(self.ln_final.forward(x), self.projection.val()).reshape([n, c, self.geometry.output])
    }
}

impl Block {
    fn mlp(&self, x: Tensor<2>) -> Tensor<2> {
        self.proj.forward(quick_gelu(self.fc.forward(self.ln_2.forward(x))))
    }
}
