//! The operations with a place in the graph.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend};

use super::norm::Around;
use super::square::Square;
use super::{CubeGradients, CubeKernels};
use crate::nn::kernels::attention::Sequences;

/// A tensor with a place in the graph.
type Tracked<B, C> = FloatTensor<Autodiff<B, C>>;
/// x, gamma, output, mean and variance.
type Normalised<B> = [FloatTensor<B>; 5];

#[derive(Debug)]
struct ConvolveSquare(Square);

impl<B: CubeGradients> Backward<B, 2> for ConvolveSquare {
    type State = [FloatTensor<B>; 2];

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let [x, weight] = ops.state;
        let [of_x, of_weight] = ops.parents;
        if let Some(node) = of_x {
            let (x, weight, grad) = (x.clone(), weight.clone(), grad.clone());
            let value = match self.0.untimed {
                true => B::convolve_untimed_back(x, weight, grad, self.0),
                false => B::conv2d_x_backward(x, weight, grad, self.0.options()),
            };
            grads.register::<B>(node.id, value);
        }
        if let Some(node) = of_weight {
            grads.register::<B>(node.id, B::convolve_square_back(x, weight, grad, self.0));
        }
    }
}

#[derive(Debug)]
struct NormaliseBatch(Around);

impl<B: CubeGradients> Backward<B, 3> for NormaliseBatch {
    type State = Normalised<B>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let [x, gamma, output, mean, variance] = ops.state;
        let (x, gamma, beta) = B::normalise_batch_back(x, gamma, output, mean, variance, grad, self.0);
        for (node, value) in ops.parents.into_iter().zip([x, gamma, beta]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, value);
            }
        }
    }
}

#[derive(Debug)]
struct NormaliseBatchAdd(f64);

impl<B: CubeGradients> Backward<B, 4> for NormaliseBatchAdd {
    type State = Normalised<B>;

    fn backward(self, ops: Ops<Self::State, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let [x, gamma, output, mean, variance] = ops.state;
        let (x, gamma, beta, residual) = B::normalise_batch_add_back(x, gamma, output, mean, variance, grad, self.0);
        for (node, value) in ops.parents.into_iter().zip([x, gamma, beta, residual]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, value);
            }
        }
    }
}

#[derive(Debug)]
struct NormaliseRows(f64);

impl<B: CubeGradients> Backward<B, 1> for NormaliseRows {
    type State = [FloatTensor<B>; 2];

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let [x, weight] = ops.state;
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, B::normalise_rows_back(x, weight, grad, self.0));
        }
    }
}

#[derive(Debug)]
struct Attend(Sequences);

impl<B: CubeGradients> Backward<B, 1> for Attend {
    type State = [FloatTensor<B>; 3];

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let [qkv, output, logs] = ops.state;
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, B::attend_back(qkv, output, logs, grad, self.0));
        }
    }
}

#[derive(Debug)]
struct MultiplyUntimed;

impl<B: CubeKernels> Backward<B, 2> for MultiplyUntimed {
    type State = [FloatTensor<B>; 2];

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let ([a, b], [of_a, of_b]) = (ops.state, ops.parents);
        if let Some(node) = of_a {
            grads.register::<B>(node.id, B::multiply_untimed(grad.clone(), B::float_transpose(b)));
        }
        if let Some(node) = of_b {
            grads.register::<B>(node.id, B::multiply_untimed(B::float_transpose(a), grad));
        }
    }
}

impl<B: Backend + CubeKernels + CubeGradients, C: CheckpointStrategy> CubeKernels for Autodiff<B, C> {
    fn convolve_square(x: Tracked<B, C>, weight: Tracked<B, C>, square: Square) -> Tracked<B, C> {
        let [px, pw] = [&x, &weight].map(|t| t.primitive().clone());
        let output = B::convolve_square(px.clone(), pw.clone(), square);
        let nodes = [x.node(), weight.node()];
        match Backward::<B, 2>::prepare::<C>(ConvolveSquare(square), nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish([px, pw], output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn normalise_batch(
        x: Tracked<B, C>,
        gamma: Tracked<B, C>,
        beta: Tracked<B, C>,
        around: Around,
    ) -> (Tracked<B, C>, Tracked<B, C>, Tracked<B, C>) {
        let [px, pg, pb] = [&x, &gamma, &beta].map(|t| t.primitive().clone());
        let (output, mean, variance) = B::normalise_batch(px.clone(), pg.clone(), pb, around);
        let statistics = (Tracked::<B, C>::new(mean.clone()), Tracked::<B, C>::new(variance.clone()));
        let nodes = [x.node(), gamma.node(), beta.node()];
        let output = match Backward::<B, 3>::prepare::<C>(NormaliseBatch(around), nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish([px, pg, output.clone(), mean, variance], output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        (output, statistics.0, statistics.1)
    }

    fn normalise_batch_add(
        x: Tracked<B, C>,
        gamma: Tracked<B, C>,
        beta: Tracked<B, C>,
        residual: Tracked<B, C>,
        epsilon: f64,
    ) -> (Tracked<B, C>, Tracked<B, C>, Tracked<B, C>) {
        let [px, pg, pb, pr] = [&x, &gamma, &beta, &residual].map(|t| t.primitive().clone());
        let (output, mean, variance) = B::normalise_batch_add(px.clone(), pg.clone(), pb, pr, epsilon);
        let statistics = (Tracked::<B, C>::new(mean.clone()), Tracked::<B, C>::new(variance.clone()));
        let nodes = [x.node(), gamma.node(), beta.node(), residual.node()];
        let output = match Backward::<B, 4>::prepare::<C>(NormaliseBatchAdd(epsilon), nodes).compute_bound().stateful()
        {
            OpsKind::Tracked(prep) => prep.finish([px, pg, output.clone(), mean, variance], output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        (output, statistics.0, statistics.1)
    }

    fn normalise_rows(x: Tracked<B, C>, weight: Tracked<B, C>, bias: Tracked<B, C>, epsilon: f64) -> Tracked<B, C> {
        let [px, pw, pb] = [&x, &weight, &bias].map(|t| t.primitive().clone());
        let output = B::normalise_rows(px.clone(), pw.clone(), pb, epsilon);
        match Backward::<B, 1>::prepare::<C>(NormaliseRows(epsilon), [x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish([px, pw], output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn attend(qkv: Tracked<B, C>, rows: Sequences) -> (Tracked<B, C>, Tracked<B, C>) {
        let primitive = qkv.primitive().clone();
        let (output, logs) = B::attend(primitive.clone(), rows);
        let untracked = Tracked::<B, C>::new(logs.clone());
        let output = match Backward::<B, 1>::prepare::<C>(Attend(rows), [qkv.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish([primitive, output.clone(), logs], output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        (output, untracked)
    }

    fn multiply_untimed(a: Tracked<B, C>, b: Tracked<B, C>) -> Tracked<B, C> {
        let [pa, pb] = [&a, &b].map(|t| t.primitive().clone());
        let output = B::multiply_untimed(pa.clone(), pb.clone());
        match Backward::<B, 2>::prepare::<C>(MultiplyUntimed, [a.node(), b.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish([pa, pb], output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}
