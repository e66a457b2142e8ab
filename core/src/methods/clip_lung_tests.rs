use burn::optim::GradientsParams;
use burn::tensor::{TensorData, activation};

use super::*;
use crate::base::random::Stream;
use crate::nn::parameters::{apply, collect};
use crate::nn::text::clip::geometry::Geometry;

const GEOMETRY: Geometry = Geometry { width: 64, layers: 2, heads: 2, output: 512 };

fn draw<const D: usize>(seed: u64, shape: [usize; D], device: &Device) -> Tensor<D> {
    let mut r = Stream::new(seed, 0);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| r.normal() as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn head(config: Config) -> Head {
    let device = Device::flex().autodiff();
    let text = TextSide::random_clip(GEOMETRY, 3, &["benign", "unsure", "malignant"], &device).unwrap();
    let setup =
        Setup { class_counts: vec![1; 3], pool: Pool::View, diameter: false, seed: 1, text: Some(Arc::new(text)) };
    Head::new(&config, &setup, &mut Initial::Uniform(Stream::new(1, 1)), &device).unwrap()
}

struct Case {
    groups: Tensor<3>,
    truth: Truth,
}

fn case() -> Case {
    let device = Device::flex().autodiff();
    let mut r = Stream::new(2, 0);
    let ratings = (0..3).map(|_| [0; 8].map(|_| 1.0 + 4.0 * r.uniform())).collect();
    Case {
        groups: draw(1, [3, 4, 512], &device).require_grad(),
        truth: Truth::new(vec![0, 2, 1], 3, ratings, vec![2.0, 4.5, 3.0], &device),
    }
}

fn loss(case: &Case, head: &Head) -> Tensor<1> {
    let terms = head.alignment(normalise(case.groups.clone()), &case.truth);
    terms.into_iter().map(|(_, weight, term)| term * weight).reduce(|a, b| a + b).unwrap()
}

/// Gradients reach context, context net, temperature and features through the frozen tower, and equal finite differences.
#[test]
fn gradients_flow_through_the_frozen_tower() {
    let c = case();
    let h = head(Config::default());
    let mut grads = loss(&c, &h).backward();
    assert!(c.groups.grad(&grads).unwrap().abs().sum().into_scalar::<f32>() > 0.0);
    let params = GradientsParams::from_module(&mut grads, &h);
    assert_eq!(params.len(), 6, "a trained parameter without gradient, or a frozen one with");
    let of = |id| params.get::<2>(id).unwrap().into_data().iter::<f32>().collect::<Vec<_>>();
    let analytic = [
        ("prompt.context", of(h.prompt.context.id)),
        ("prompt.hidden.weight", of(h.prompt.hidden.weight.id)),
        ("prompt.out.weight", of(h.prompt.out.weight.id)),
    ];
    let arrays = collect(&h);
    for (name, gradient) in analytic {
        // the steepest entry: the best ratio of slope to rounding
        let at = (0..gradient.len()).max_by(|&a, &b| gradient[a].abs().total_cmp(&gradient[b].abs())).unwrap();
        let moved = |by: f32| -> f64 {
            let mut arrays = arrays.clone();
            arrays.get_mut(name).unwrap().values[at] += by;
            f64::from(loss(&c, &apply(h.clone(), arrays, "test").unwrap()).into_scalar::<f32>())
        };
        let step = 2e-3;
        let numeric = (moved(step) - moved(-step)) / f64::from(2.0 * step);
        assert!((numeric / f64::from(gradient[at]) - 1.0).abs() < 0.03, "{name}: {numeric} is not {}", gradient[at]);
    }
}

/// Losses of weight 0 are not computed; the rows of the paper's ablation are subsets.
#[test]
fn variants_are_subsets() {
    let c = case();
    for (variant, expected) in [
        (Variant::Paper, &["ic", "ia", "ca"][..]),
        (Variant::Ic, &["ic"]),
        (Variant::IcIa, &["ic", "ia"]),
        (Variant::IcCa, &["ic", "ca"]),
        (Variant::IaCa, &["ia", "ca"]),
        (Variant::None, &[]),
    ] {
        let terms = head(variant.into()).alignment(normalise(c.groups.clone()), &c.truth);
        assert_eq!(terms.iter().map(|t| t.0).collect::<Vec<_>>(), expected, "{variant:?}");
    }
}

/// The published code's variant: the tower is trained too, and nine attributes carry the context.
#[test]
fn official_trains_the_tower() {
    let c = case();
    let h = head(Variant::Official.into());
    assert!((h.prompt.scale().into_scalar::<f32>() - 100.0).abs() < 1e-2);
    let mut grads = loss(&c, &h).backward();
    let tower = h.tower.clone().unwrap();
    let trained = GradientsParams::from_module(&mut grads, &tower).len();
    assert!(trained > 20, "{trained} of the tower's tensors have a gradient");
    let names: Vec<String> = collect(&h).into_keys().filter(|n| n.starts_with("tower")).collect();
    assert!(!names.is_empty());
    assert!(collect(&head(Config::default())).into_keys().all(|n| !n.starts_with("tower")));
}

/// The loss of a pass is that of the classifier and the weighted alignment, eq. (5).
#[test]
fn total_is_the_weighted_sum() {
    let device = Device::flex().autodiff();
    let c = case();
    let h = head(Config { ia: 0.7, ..Config::default() });
    let outputs = draw(3, [3, 3], &device);
    let pass = Pass { features: draw(4, [3, 512], &device), groups: Some(c.groups.clone()), outputs };
    let loss = h.loss(&pass, &c.truth);
    let number = |t: Tensor<1>| f64::from(t.into_scalar::<f32>());
    let terms: Vec<(&str, f64)> = loss.terms.into_iter().map(|(n, t)| (n, number(t))).collect();
    let weight = |name: &str| match name {
        "ia" => 0.7,
        "ca" => 0.5,
        _ => 1.0,
    };
    let sum: f64 = terms.iter().map(|(n, t)| weight(n) * t).sum();
    assert_eq!(terms.iter().map(|t| t.0).collect::<Vec<_>>(), ["ce", "ic", "ia", "ca"]);
    assert!((number(loss.total) - sum).abs() < 1e-5);
    let p = activation::softmax(pass.outputs, 1);
    assert!((loss.log_probs.exp() - p).abs().max().into_scalar::<f32>() < 1e-6);
}
