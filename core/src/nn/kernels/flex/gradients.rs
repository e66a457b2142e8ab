//! The operations of training on the CPU backend, and on it with autodiff.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};

use super::arrays::{FlexTensor, dims};
use super::norm::{self, Around};
use super::winograd_gradients::{TILE_SIDE, in_tiles};
use super::{Kernels, attention, conv, conv_gradients, gelu, norm_gradients, rows, weights, winograd};
use crate::nn::kernels::attention::Sequences;

impl Kernels for Flex {
    fn convolve(x: FlexTensor, weight: FlexTensor, stride: usize) -> FlexTensor {
        convolve(&x, &weight, stride)
    }

    fn normalise_relu(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        epsilon: f64,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        parts(norm::forward(&x, &gamma, &beta, None, Around { relu: true, epsilon }))
    }

    fn normalise(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        epsilon: f64,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        parts(norm::forward(&x, &gamma, &beta, None, Around { relu: false, epsilon }))
    }

    fn normalise_add_relu(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        residual: FlexTensor,
        epsilon: f64,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        parts(norm::forward(&x, &gamma, &beta, Some(&residual), Around { relu: true, epsilon }))
    }

    fn layer_normalise(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, epsilon: f64) -> FlexTensor {
        rows::layer_norm(&x, &weight, &bias, epsilon as f32)
    }

    fn quick_gelu(x: FlexTensor) -> FlexTensor {
        gelu::quick_gelu(&x)
    }

    fn gelu(x: FlexTensor) -> FlexTensor {
        gelu::gelu(&x)
    }

    fn attention(qkv: FlexTensor, rows: Sequences) -> FlexTensor {
        attention::forward(&qkv, rows)
    }
}

/// Convolution from the weight as it is trained.
fn convolve(x: &FlexTensor, weight: &FlexTensor, stride: usize) -> FlexTensor {
    let ([_, h, w, _], [outputs, _, kernel, _]) = (dims(x), dims(weight));
    let nothing = |_, _: &mut [f32]| {};
    let plain = vec![1.0; outputs];
    if in_tiles([h, w], dims(weight), stride) {
        return winograd::forward(x, &winograd::arrange(weight, &plain, TILE_SIDE), TILE_SIDE, nothing);
    }
    conv::forward(x, &weights::arrange(weight, &plain), kernel, stride, nothing)
}

/// (output, mean, variance)
fn parts(n: norm::Normalised) -> (FlexTensor, FlexTensor, FlexTensor) {
    (n.output, n.mean, n.variance)
}

/// A tensor with a place in the graph.
type Tracked<C> = FloatTensor<Autodiff<Flex, C>>;

#[derive(Debug)]
struct Convolve;

impl Backward<Flex, 2> for Convolve {
    type State = (FlexTensor, FlexTensor, usize);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x_node, weight_node] = ops.parents;
        let (x, weight, stride) = ops.state;
        let grad = grads.consume::<Flex>(&ops.node);
        if let Some(node) = weight_node {
            grads.register::<Flex>(node.id, conv_gradients::weight_gradient(&x, dims(&weight), stride, &grad));
        }
        if let Some(node) = x_node {
            grads.register::<Flex>(node.id, conv_gradients::input_gradient(dims(&x), &weight, stride, &grad));
        }
    }
}

#[derive(Debug)]
struct Normalise(Around);

impl Backward<Flex, 3> for Normalise {
    type State = (FlexTensor, FlexTensor, (FlexTensor, FlexTensor, FlexTensor));

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let (x, gamma, (output, mean, variance)) = ops.state;
        let forward = norm::Normalised { output, mean, variance };
        let g = norm_gradients::backward(x, &gamma, &forward, grad, false, self.0);
        for (node, value) in ops.parents.into_iter().zip([g.x, g.gamma, g.beta]) {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, value);
            }
        }
    }
}

#[derive(Debug)]
struct NormaliseAdd(Around);

impl Backward<Flex, 4> for NormaliseAdd {
    type State = (FlexTensor, FlexTensor, (FlexTensor, FlexTensor, FlexTensor));

    fn backward(self, ops: Ops<Self::State, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let (x, gamma, (output, mean, variance)) = ops.state;
        let forward = norm::Normalised { output, mean, variance };
        let g = norm_gradients::backward(x, &gamma, &forward, grad, true, self.0);
        for (node, value) in ops.parents.into_iter().zip([Some(g.x), Some(g.gamma), Some(g.beta), g.residual]) {
            if let (Some(node), Some(value)) = (node, value) {
                grads.register::<Flex>(node.id, value);
            }
        }
    }
}

#[derive(Debug)]
struct LayerNorm;

impl Backward<Flex, 1> for LayerNorm {
    type State = (FlexTensor, FlexTensor, f32);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let (x, weight, epsilon) = ops.state;
        if let [Some(node)] = ops.parents {
            grads.register::<Flex>(node.id, rows::layer_norm_gradient(&x, &weight, &grad, epsilon));
        }
    }
}

#[derive(Debug)]
struct QuickGelu;

impl Backward<Flex, 1> for QuickGelu {
    type State = FlexTensor;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        if let [Some(node)] = ops.parents {
            grads.register::<Flex>(node.id, gelu::quick_gelu_gradient(&ops.state, &grad));
        }
    }
}

#[derive(Debug)]
struct Gelu;

impl Backward<Flex, 1> for Gelu {
    type State = FlexTensor;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        if let [Some(node)] = ops.parents {
            grads.register::<Flex>(node.id, gelu::gelu_gradient(&ops.state, &grad));
        }
    }
}

#[derive(Debug)]
struct Attention;

impl Backward<Flex, 1> for Attention {
    type State = (FlexTensor, Sequences);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let (qkv, rows) = ops.state;
        if let [Some(node)] = ops.parents {
            grads.register::<Flex>(node.id, attention::backward(&qkv, &grad, rows));
        }
    }
}

fn normalise<C: CheckpointStrategy>(
    x: Tracked<C>,
    gamma: Tracked<C>,
    beta: Tracked<C>,
    around: Around,
) -> (Tracked<C>, Tracked<C>, Tracked<C>) {
    let (px, pg, pb) = (x.primitive().clone(), gamma.primitive().clone(), beta.primitive().clone());
    let (output, mean, variance) = parts(norm::forward(&px, &pg, &pb, None, around));
    let statistics = (Tracked::<C>::new(mean.clone()), Tracked::<C>::new(variance.clone()));
    let output = match Normalise(around).prepare::<C>([x.node(), gamma.node(), beta.node()]).compute_bound().stateful()
    {
        OpsKind::Tracked(prep) => prep.finish((px, pg, (output.clone(), mean, variance)), output),
        OpsKind::UnTracked(prep) => prep.finish(output),
    };
    (output, statistics.0, statistics.1)
}

impl<C: CheckpointStrategy> Kernels for Autodiff<Flex, C> {
    fn convolve(x: Tracked<C>, weight: Tracked<C>, stride: usize) -> Tracked<C> {
        let (px, pw) = (x.primitive().clone(), weight.primitive().clone());
        let output = convolve(&px, &pw, stride);
        match Convolve.prepare::<C>([x.node(), weight.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((px, pw, stride), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn normalise_relu(
        x: Tracked<C>,
        gamma: Tracked<C>,
        beta: Tracked<C>,
        epsilon: f64,
    ) -> (Tracked<C>, Tracked<C>, Tracked<C>) {
        normalise::<C>(x, gamma, beta, Around { relu: true, epsilon })
    }

    fn normalise(
        x: Tracked<C>,
        gamma: Tracked<C>,
        beta: Tracked<C>,
        epsilon: f64,
    ) -> (Tracked<C>, Tracked<C>, Tracked<C>) {
        normalise::<C>(x, gamma, beta, Around { relu: false, epsilon })
    }

    fn normalise_add_relu(
        x: Tracked<C>,
        gamma: Tracked<C>,
        beta: Tracked<C>,
        residual: Tracked<C>,
        epsilon: f64,
    ) -> (Tracked<C>, Tracked<C>, Tracked<C>) {
        let around = Around { relu: true, epsilon };
        let (px, pg) = (x.primitive().clone(), gamma.primitive().clone());
        let (output, mean, variance) =
            parts(norm::forward(&px, &pg, beta.primitive(), Some(residual.primitive()), around));
        let statistics = (Tracked::<C>::new(mean.clone()), Tracked::<C>::new(variance.clone()));
        let nodes = [x.node(), gamma.node(), beta.node(), residual.node()];
        let output = match NormaliseAdd(around).prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((px, pg, (output.clone(), mean, variance)), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        (output, statistics.0, statistics.1)
    }

    fn layer_normalise(x: Tracked<C>, weight: Tracked<C>, bias: Tracked<C>, epsilon: f64) -> Tracked<C> {
        let (px, pw, epsilon) = (x.primitive().clone(), weight.primitive().clone(), epsilon as f32);
        let output = rows::layer_norm(&px, &pw, bias.primitive(), epsilon);
        match LayerNorm.prepare::<C>([x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((px, pw, epsilon), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn quick_gelu(x: Tracked<C>) -> Tracked<C> {
        let px = x.primitive().clone();
        let output = gelu::quick_gelu(&px);
        match QuickGelu.prepare::<C>([x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(px, output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn gelu(x: Tracked<C>) -> Tracked<C> {
        let px = x.primitive().clone();
        let output = gelu::gelu(&px);
        match Gelu.prepare::<C>([x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(px, output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn attention(qkv: Tracked<C>, rows: Sequences) -> Tracked<C> {
        let primitive = qkv.primitive().clone();
        let output = attention::forward(&primitive, rows);
        match Attention.prepare::<C>([qkv.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((primitive, rows), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}
