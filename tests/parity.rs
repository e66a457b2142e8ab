//! The networks against PyTorch and transformers, from the golden files beside their generators in `golden/`.

#![allow(clippy::unwrap_used, clippy::panic)]

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use clip_lung_core::base::random::Stream;
use clip_lung_core::base::tensors::{Array, Arrays, read};
use clip_lung_core::dataset::class::Class;
use clip_lung_core::methods::heads::prompt::PromptLearner;
use clip_lung_core::methods::heads::trunk::Shape;
use clip_lung_core::methods::pool::Pool;
use clip_lung_core::methods::{Method, Setup, Truth};
use clip_lung_core::model::network::ImageNet;
use clip_lung_core::nn::layers::Initial;
use clip_lung_core::nn::parameters::{apply, collect};
use clip_lung_core::nn::text::clip::{geometry::Geometry, tokenizer::ClipTokenizer};
use clip_lung_core::nn::text::prompts::{ATTRIBUTE_WORDS, Prompts};
use clip_lung_core::nn::text::{encoder::TextEncoder, tower::TextTower};
use clip_lung_core::train::batch::Batch;
use clip_lung_core::train::config::TrainConfig;
use clip_lung_core::train::ema::Ema;
use clip_lung_core::train::step::Trainer;

fn golden(bytes: &[u8]) -> Arrays {
    read(bytes, "golden").unwrap()
}

fn uniform(key: u64, stream: u64, count: usize, low: f64, high: f64) -> Vec<f32> {
    let mut random = Stream::new(key, stream);
    (0..count).map(|_| random.between(low, high) as f32).collect()
}

/// The weights of `golden/image_net.py`, by name.
fn filled<M: Module>(net: M) -> M {
    let mut arrays = collect(&net);
    for (i, (name, array)) in arrays.iter_mut().enumerate() {
        let fan_in: usize = array.shape.iter().skip(1).product();
        let (low, high) = if name.ends_with("running_var") {
            (0.5, 1.5)
        } else if name.contains(".bn") || name.starts_with("bn") || name.contains("downsample.1") {
            if name.ends_with("weight") { (0.6, 1.4) } else { (-0.3, 0.3) }
        } else {
            let bound = if array.shape.len() > 1 { 1.5 / (fan_in as f64).sqrt() } else { 0.1 };
            (-bound, bound)
        };
        array.values = uniform(77, i as u64, array.values.len(), low, high);
    }
    apply(net, arrays, "golden").unwrap()
}

fn crops(device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(uniform(5, 0, 8 * 32768, -1.5, 1.5), [8, 32, 32, 32]), device)
}

fn close(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let size = expected.iter().map(|v| v.abs()).fold(0.0, f32::max);
    println!("{what}: largest difference {worst:.2e}, largest value {size:.3}");
    assert!(worst < tolerance, "{what}: {worst}");
}

fn numbers<const D: usize>(t: Tensor<D>) -> Vec<f32> {
    t.into_data().iter::<f32>().collect()
}

#[test]
fn image_network_equals_pytorch() {
    let golden = golden(include_bytes!("golden/image_net.safetensors"));
    let device = Device::flex();
    let shape = Shape { pool: Pool::View, units: 3, bias: true, diameter: false };
    let net = filled(ImageNet::new(shape, Initial::Uniform(Stream::new(0, 1)), &device)).fold();
    let (_, pass) = net.forward(crops(&device), None);
    close(&numbers(pass.outputs), &golden["logits"].values, 1e-4, "logits of 8 crops");
    let groups = pass.groups.unwrap().slice([0..2, 0..4, 0..512]);
    close(&numbers(groups), &golden["groups"].values, 1e-4, "channel groups");
}

/// Three steps: losses, weights, running statistics and average.
#[test]
fn three_training_steps_equal_pytorch() {
    let golden = golden(include_bytes!("golden/image_net.safetensors"));
    let config = TrainConfig { lr: 1e-3, ema: 0.9, pool: Pool::View, ..TrainConfig::of(Method::Ce) };
    let setup = Setup { class_counts: vec![3, 2, 3], pool: Pool::View, diameter: false, seed: 2, text: None };
    let mut trainer = Trainer::new(config, &setup, &Device::flex()).unwrap();
    trainer.network = filled(trainer.network);
    trainer.ema = Ema::new(&trainer.network, 0.9);
    let labels = vec![0, 1, 2, 2, 1, 0, 0, 2];
    let device = trainer.device().clone();
    let truth = Truth::new(labels, 3, vec![[3.0; 8]; 8], vec![3.0; 8], &device);
    let batch = Batch { images: crops(&device), log_diameter: None, truth };
    for expected in &golden["losses"].values {
        let (next, log) = trainer.step(&batch, 0).unwrap();
        assert!((log.loss - f64::from(*expected)).abs() < 1e-4, "loss {} is not {expected}", log.loss);
        trainer = next;
    }
    let (now, average) = (collect(&trainer.network), collect(&trainer.ema.module));
    for (name, expected) in &golden {
        let Some((from, name)) = name.split_once('.').filter(|(p, _)| matches!(*p, "after" | "ema")) else { continue };
        let found = if from == "after" { &now[name] } else { &average[name] };
        close(&found.values[..expected.values.len()], &expected.values, 1e-4, &format!("{from} {name}"));
    }
}

/// Full size, seeded weights: transformers at 77 tokens, ours cut after the last EOT.
#[test]
fn text_features_equal_transformers() {
    let golden = golden(include_bytes!("golden/text_tower.safetensors"));
    let tokenizer = ClipTokenizer::new().unwrap();
    let prompts = Prompts::new(&Class::ALL.map(Class::name), &ATTRIBUTE_WORDS, |t| tokenizer.encode(t)).unwrap();
    let encoder = TextEncoder::random_clip(Geometry::VIT_B_16, 2, &prompts.ids(), &Device::flex());
    let all = [prompts.classes, prompts.attributes].concat();
    close(&numbers(encoder.encode_ids(&all).unwrap()), &golden["full"].values, 1e-4, "text features");
}

/// Files in Hugging Face's and in OpenAI's names give transformers' features.
#[test]
fn both_weight_layouts_load() {
    let expected = &golden(include_bytes!("golden/text_tower.safetensors"))["small"];
    let ids = vec![vec![58, 4, 9, 33, 59], vec![58, 17, 2, 41, 7, 8, 59], vec![58, 5, 59]];
    for bytes in [
        &include_bytes!("golden/small_clip_hf.safetensors")[..],
        include_bytes!("golden/small_clip_openai.safetensors"),
    ] {
        let arrays = read(bytes, "small").unwrap();
        let encoder = TextEncoder::clip(&arrays, Some(2), &ids.concat(), "small", &Device::flex()).unwrap();
        let TextTower::Clip(tower) = &encoder.tower else { panic!("not CLIP's") };
        assert_eq!(tower.geometry(), Geometry { width: 64, layers: 2, heads: 2, output: 512 });
        close(&numbers(encoder.encode_ids(&ids).unwrap()), &expected.values, 1e-4, "small tower");
        // what is missing is named
        for name in arrays.keys() {
            let mut fewer = arrays.clone();
            fewer.remove(name);
            let error = TextEncoder::clip(&fewer, Some(2), &ids.concat(), "small", &Device::flex()).err().unwrap();
            assert!(error.to_string().contains("missing"), "{name}: {error}");
        }
    }
}

/// Reference values: ctx_t = l_t + h(F_t), with and without normalised features.
#[test]
fn conditional_context_golden() {
    // padded from d = 4, hidden 2 to the module's 512 and 32 with zeros
    let device = Device::flex();
    let pad = |rows: &[&[f32]], shape: [usize; 2]| {
        let mut values = vec![0.0; shape[0] * shape[1]];
        for (r, row) in rows.iter().enumerate() {
            values[r * shape[1]..r * shape[1] + row.len()].copy_from_slice(row);
        }
        Array { shape: shape.to_vec(), values }
    };
    let vector = |v: &[f32], n: usize| Array {
        shape: vec![n],
        values: v.iter().copied().chain(std::iter::repeat(0.0)).take(n).collect(),
    };
    let arrays: Arrays = [
        ("hidden.weight".to_owned(), pad(&[&[0.1, 0.3, -0.5, 0.7], &[-0.2, 0.4, 0.6, -0.8]], [32, 512])),
        ("hidden.bias".into(), vector(&[0.05, -0.05], 32)),
        ("out.weight".into(), pad(&[&[0.2, 0.3], &[-0.1, 0.5], &[0.4, -0.2], &[0.0, 0.1]], [512, 32])),
        ("out.bias".into(), vector(&[0.0, 0.1, -0.1, 0.2], 512)),
        ("context".into(), pad(&[&[0.01, 0.02, 0.03, 0.04], &[-0.01, 0.0, 0.01, 0.02]], [2, 512])),
        ("logit_scale".into(), vector(&[1.0], 1)),
    ]
    .into();
    let learner = PromptLearner::from_context(Tensor::zeros([2, 512], &device), 0, 0.07, &device);
    let learner = apply(learner, arrays, "golden").unwrap();
    let features = pad(&[&[1.0, 0.0, 2.0, -1.0], &[0.5, -0.5, 1.0, 2.0]], [2, 512]);
    let f = Tensor::<2>::from_data(TensorData::new(features.values, [2, 512]), &device).unsqueeze::<3>();
    let head = |f: Tensor<3>| numbers(learner.context(f).slice([0..1, 0..2, 0..4]));
    close(&head(f.clone()), &[0.535, 0.995, -0.42, 0.415, 0.16, 0.015, 0.25, 0.22], 1e-6, "context");
    let normalised = clip_lung_core::nn::layers::normalise(f);
    close(
        &head(normalised),
        &[0.215454, 0.462423, -0.206969, 0.308485, 0.068224, 0.060888, 0.066448, 0.22],
        1e-6,
        "context of normalised features",
    );
}
