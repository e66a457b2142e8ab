//! The slope of every method's loss against finite differences.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use clip_lung_core::base::random::Stream;
use clip_lung_core::methods::{Method, MethodConfig, Setup, Truth};
use clip_lung_core::nn::layers::Initial;
use clip_lung_core::nn::parameters::{apply, collect, names};
use clip_lung_core::nn::text::clip::geometry::Geometry;
use clip_lung_core::nn::text::side::TextSide;
use serde_json::json;

/// The steepest weight of every method's classifier.
#[test]
fn slopes_equal_finite_differences() {
    let device = Device::flex().autodiff();
    let geometry = Geometry { width: 64, layers: 2, heads: 2, output: 48 };
    let text = TextSide::random_clip(geometry, 3, &["benign", "unsure", "malignant"], &device).unwrap();
    let text = Arc::new(text);
    let more = [
        json!({"name": "poisson", "law": "binomial"}),
        json!({"name": "udm", "form": "paper-like"}),
        json!({"name": "corf", "update": "sgd"}),
        json!({"name": "corf", "objective": "nll", "on": "forest"}),
    ];
    let more = more.into_iter().map(|config| serde_json::from_value::<MethodConfig>(config).unwrap());
    for method in Method::ALL.into_iter().map(MethodConfig::from).chain(more) {
        let mut random = Stream::new(9, 0);
        let mut draw = |count: usize| (0..count).map(|_| random.uniform() as f32).collect::<Vec<f32>>();
        let layer4 = Tensor::<4>::from_data(TensorData::new(draw(3 * 512 * 16), [3, 512, 4, 4]), &device);
        let ratings = (0..3).map(|i| [0, 1, 2, 3, 4, 5, 6, 7].map(|k| f64::from(1 + (i + k) % 4))).collect();
        let truth = Truth::new(vec![0, 2, 1], 3, ratings, vec![2.0, 4.5, 3.0], &device);
        let pool = method.default_pool();
        let text = method.needs_text().then(|| text.clone());
        let setup = Setup { class_counts: vec![3, 2, 1], pool, diameter: false, seed: 1, text };
        let head = method.init(&setup, &mut Initial::Uniform(Stream::new(1, 1)), &device).unwrap();
        let mut arrays = collect(&head);
        if let Some(leaves) = arrays.get_mut("leaves") {
            // the loss of leaves that are all alike has no slope
            leaves.values.chunks_mut(3).for_each(|leaf| {
                let drawn = draw(3);
                leaf.iter_mut().zip(&drawn).for_each(|(q, v)| *q = v / drawn.iter().sum::<f32>());
            });
        }
        let loss = |arrays| {
            let head = apply(head.clone(), arrays, "test").unwrap();
            let pass = head.trunk().forward(layer4.clone(), None);
            (head.loss(&pass, &truth).total, head)
        };
        let (total, at) = loss(arrays.clone());
        let mut grads = total.backward();
        let grads = GradientsParams::from_module(&mut grads, &at);
        let id = *names(&at).iter().find(|(_, name)| *name == "fc.weight").unwrap().0;
        let slopes = grads.get::<2>(id).unwrap().into_data().iter::<f32>().map(f64::from).collect::<Vec<_>>();
        let steepest = (0..slopes.len()).max_by(|&a, &b| slopes[a].abs().total_cmp(&slopes[b].abs())).unwrap();
        assert!(slopes[steepest].abs() > 1e-4, "{method:?}");
        let moved = |by: f32| {
            let mut arrays = arrays.clone();
            arrays.get_mut("fc.weight").unwrap().values[steepest] += by;
            f64::from(loss(arrays).0.into_scalar::<f32>())
        };
        let step = 1e-2;
        let numeric = (moved(step) - moved(-step)) / f64::from(2.0 * step);
        assert!((numeric / slopes[steepest] - 1.0).abs() < 0.01, "{method:?}: {numeric} {}", slopes[steepest]);
    }
}
