//! Training steps and inference of the Rust program for `make bench`: prints one JSON object of median seconds.
//!
//! `bench [cpu|cuda|wgpu] [STEPS] [METHOD ..]`: with methods, their steps alone. `bench cuda|wgpu --launches [METHOD ..]` prints what a step
//! asks of the GPU, `--kernels` in its place each kernel's launches too.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};
use clip_lung_core::base::random::Stream;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::methods::heads::trunk::Shape;
use clip_lung_core::methods::pool::Pool;
use clip_lung_core::methods::{Method, Setup, Truth};
use clip_lung_core::model::network::ImageNet;
use clip_lung_core::nn::layers::Initial;
use clip_lung_core::nn::text::{
    bert::config::BertConfig,
    clip::{geometry::Geometry, tower::ClipTower},
    side::TextSide,
};
use clip_lung_core::train::batch::Batch;
use clip_lung_core::train::config::TrainConfig;
use clip_lung_core::train::numbers::Numbers;
use clip_lung_core::train::step::Trainer;
use clip_lung_core::train::steps::Steps;

#[cfg(any(feature = "cuda", feature = "wgpu"))]
#[path = "launches.rs"]
mod launches;
#[cfg(feature = "cuda")]
#[path = "../../cli/src/machine/tuning.rs"]
mod tuning;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let device = device(words.get(1).map_or("cpu", String::as_str));
    let named: Vec<&str> = words.iter().skip(3).map(String::as_str).collect();
    let wanted: Vec<_> = runs().into_iter().filter(|(name, ..)| named.is_empty() || named.contains(name)).collect();
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    if let Some(word) = words.get(2).filter(|word| ["--launches", "--kernels"].contains(&word.as_str())) {
        return launches_of_steps(&device, wanted, word == "--kernels");
    }
    let steps = words.get(2).and_then(|n| n.parse().ok()).unwrap_or(9);
    let mut seconds: Vec<(String, f64)> = Vec::new();
    for (name, config, minilm) in wanted {
        let key = name.replace('-', "_");
        seconds.push((format!("{key}_step"), training(name, config.clone(), minilm, steps, &device)));
        if device != Device::flex() {
            seconds
                .push((format!("{key}_pace"), pace(name, stepping(config.clone(), minilm, &device), steps, &device)));
            #[cfg(any(feature = "cuda", feature = "wgpu"))]
            if let Some(step) = replaying(name, config, minilm, &device) {
                seconds.push((format!("{key}_replayed"), pace(&format!("{name}, replayed"), step, steps, &device)));
            }
        }
    }
    if !named.is_empty() {
        return print(&seconds);
    }
    let shape = Shape { pool: Pool::View, units: 3, bias: true, diameter: false };
    let net = ImageNet::new(shape, Initial::Uniform(Stream::new(0, 1)), &device).fold();
    let infer = |n: usize, repeats: usize| {
        let x = images(n, &device);
        median("inference", repeats, || drop(net.forward(x.clone(), None).1.outputs.into_data()))
    };
    let (batch, single) = (infer(32, 15), infer(1, 31));
    let (shared, plain) = (tower(32, 3, steps, &device), tower(96, 1, steps, &device));
    let others = [("infer_32", batch), ("infer_1", single), ("tower_shared", shared), ("tower_plain", plain)];
    seconds.extend(others.map(|(name, value)| (name.to_owned(), value)));
    print(&seconds);
}

fn print(seconds: &[(String, f64)]) {
    let fields: String = seconds.iter().map(|(name, value)| format!(", \"{name}\": {value}")).collect();
    println!("{{\"threads\": {}{fields}}}", rayon::current_num_threads());
}

/// What is measured, by name: ce through clip-lung's view, every method as it comes, and clip-lung with MiniLM.
fn runs() -> Vec<(&'static str, TrainConfig, bool)> {
    let view = TrainConfig { pool: Pool::View, ..TrainConfig::of(Method::Ce) };
    let methods = Method::ALL.map(|method| (method.name(), TrainConfig::of(method), false));
    let minilm = ("clip-lung-minilm", TrainConfig::of(Method::ClipLung), true);
    [("ce-view", view, false)].into_iter().chain(methods).chain([minilm]).collect()
}

fn device(name: &str) -> Device {
    match name {
        #[cfg(feature = "cuda")]
        "cuda" => {
            tuning::keep();
            Device::cuda(0)
        }
        #[cfg(feature = "wgpu")]
        "wgpu" => Device::wgpu(Default::default()),
        _ => Device::flex(),
    }
}

fn images(n: usize, device: &Device) -> Tensor<4> {
    let mut random = Stream::new(0, 0);
    let values: Vec<f32> = (0..n * 32768).map(|_| random.normal() as f32).collect();
    Tensor::from_data(TensorData::new(values, [n, 32, 32, 32]), device)
}

/// Median seconds, after two rounds that warm up; the first of these goes to stderr too, since a GPU's has kernels to compile.
fn median(name: &str, repeats: usize, mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..repeats + 2)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    let first = times[0];
    times.drain(..2);
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    eprintln!("{name}: first {first:.4} s, then {median:.4} s");
    median
}

/// The text tower forward and back on 96 prompts of 11 tokens: `samples` share 5 tokens among `classes` prompts each.
fn tower(samples: usize, classes: usize, repeats: usize, device: &Device) -> f64 {
    let on = device.clone().autodiff();
    let tower = ClipTower::random(Geometry::VIT_B_16, 2, &on);
    let mut random = Stream::new(1, 0);
    let mut draw = |n: usize| (0..n).map(|_| 0.02 * random.normal() as f32).collect::<Vec<_>>();
    let prefix = TensorData::new(draw(samples * 5 * 512), [samples, 5, 512]);
    let suffix = TensorData::new(draw(samples * classes * 6 * 512), [samples, classes, 6, 512]);
    median("text tower", repeats, || {
        let prefix = Tensor::<3>::from_data(prefix.clone(), &on).require_grad();
        let suffix = Tensor::<4>::from_data(suffix.clone(), &on);
        let grads = tower.encode(prefix.clone(), suffix, &vec![5; classes]).sum().backward();
        drop(prefix.grad(&grads).unwrap().into_data());
    })
}

/// A step that waits for the device at its end.
fn training(name: &str, config: TrainConfig, minilm: bool, steps: usize, device: &Device) -> f64 {
    let mut step = stepping(config, minilm, device);
    median(name, steps, || {
        step().read().unwrap();
        device.sync().unwrap();
    })
}

/// Steps one after another as a training takes them, the numbers of each read by another thread: seconds a step.
fn pace(name: &str, mut step: impl FnMut() -> Numbers, steps: usize, device: &Device) -> f64 {
    (0..2).for_each(|_| drop(step().read().unwrap()));
    let (sender, receiver) = std::sync::mpsc::sync_channel::<Numbers>(0);
    let reader = std::thread::spawn(move || receiver.into_iter().for_each(|numbers| drop(numbers.read().unwrap())));
    let start = Instant::now();
    (0..steps).for_each(|_| sender.send(step()).unwrap());
    drop(sender);
    reader.join().unwrap();
    device.sync().unwrap();
    let pace = start.elapsed().as_secs_f64() / steps as f64;
    eprintln!("{name}: {pace:.4} s a step, one after another");
    pace
}

/// A training step of 32 samples, again and again.
fn stepping(config: TrainConfig, minilm: bool, device: &Device) -> impl FnMut() -> Numbers {
    let (trainer, batch) = training_of(config, minilm, device);
    repeating(Steps::launched(trainer), batch)
}

/// The same step recorded and replayed, where the device can.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn replaying(name: &str, config: TrainConfig, minilm: bool, device: &Device) -> Option<impl FnMut() -> Numbers> {
    let (trainer, batch) = training_of(config, minilm, device);
    let (steps, reason) = Steps::recorded(trainer, vec![batch.clone()]).unwrap();
    match reason {
        Some(reason) => eprintln!("{name}: not replayed: {reason}"),
        None => return Some(repeating(steps, batch)),
    }
    None
}

fn repeating(steps: Steps, batch: Batch) -> impl FnMut() -> Numbers {
    let mut steps = Some(steps);
    move || {
        let (next, numbers) = steps.take().unwrap().queue(&batch, 0);
        steps = Some(next);
        numbers
    }
}

/// A trainer and a batch of 32 samples.
fn training_of(config: TrainConfig, minilm: bool, device: &Device) -> (Trainer, Batch) {
    let text = config.method.needs_text().then(|| {
        let names: Vec<&str> = Task::LidcA.classes().iter().map(|c| c.name()).collect();
        let on = device.clone().autodiff();
        let side = match minilm {
            true => TextSide::random_bert(BertConfig::MINILM, 2, &names, &on),
            false => TextSide::random_clip(Geometry::VIT_B_16, 2, &names, &on),
        };
        Arc::new(side.unwrap())
    });
    let setup = Setup { class_counts: vec![11, 11, 10], pool: config.pool, diameter: false, seed: 2, text };
    let trainer = Trainer::new(config, &setup, device).unwrap();
    let on = device.clone().autodiff();
    let labels: Vec<usize> = (0..32).map(|i| i % 3).collect();
    let truth = Truth::new(labels, 3, vec![[3.0; 8]; 32], vec![3.0; 32], &on);
    (trainer, Batch { images: images(32, &on), log_diameter: None, truth })
}

/// The third step of each method, by its launches, uploads and readings; a table for docs/benchmarks.md.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn launches_of_steps(device: &Device, runs: Vec<(&'static str, TrainConfig, bool)>, kernels: bool) {
    launches::listen();
    println!(
        "| step | kernels launched | uploads (bytes) | reads (bytes) | reads before the last launch |\n|---|---|---|---|---|"
    );
    for (name, config, minilm) in runs {
        let counts = counted(stepping(config.clone(), minilm, device), device);
        println!("| {name} | {counts}");
        if kernels {
            let mut by_number: Vec<_> = counts.kernels.iter().collect();
            by_number.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
            by_number.iter().for_each(|(kernel, n)| eprintln!("  {n:5} {kernel}"));
        }
        if let Some(step) = replaying(name, config, minilm, device) {
            println!("| {name}, replayed | {}", counted(step, device));
        }
    }
}

/// What the third step asks of the device.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn counted(mut step: impl FnMut() -> Numbers, device: &Device) -> launches::Counts {
    (0..2).for_each(|_| drop(step().read().unwrap()));
    device.sync().unwrap();
    launches::count(|| {
        step().read().unwrap();
        device.sync().unwrap();
    })
}
