//! Training steps and inference of the Rust program for `make bench`: prints one JSON object of median seconds.
//!
//! `bench [cpu|cuda|wgpu] [STEPS] [METHOD ..]`: with methods, their steps alone. `bench cuda|wgpu --launches [METHOD ..]` prints what a step
//! asks of the GPU, `--kernels` in its place each kernel's launches too. Anywhere: `--bf16`, text towers in bf16; `--untimed`, kernels
//! that are not timed, as on a fresh machine; `--batch=N`, steps of N samples in place of 32.

#![allow(clippy::unwrap_used)]

use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};
use clip_lung_core::base::random::Stream;
use clip_lung_core::nn::kernels::take_untimed;
use clip_lung_core::nn::text::clip::{geometry::Geometry, tower::ClipTower};
use clip_lung_core::nn::text::products::Products;
use clip_lung_core::train::config::TrainConfig;
use clip_lung_core::train::numbers::Numbers;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
use clip_lung_core::train::steps::Steps;

use exercise::{Exercise, images, runs};

#[path = "../../cli/src/run/exercise.rs"]
mod exercise;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
#[path = "launches.rs"]
mod launches;
#[cfg(feature = "cuda")]
#[allow(dead_code)]
#[path = "../../cli/src/machine/tuning.rs"]
mod tuning;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Text towers in bf16.
const BF16: &str = "--bf16";
/// Kernels that are not timed, as on a fresh machine.
const UNTIMED: &str = "--untimed";
/// Samples a step.
const BATCH: &str = "--batch=";

fn main() {
    let switch = |word: &String| [BF16, UNTIMED].contains(&word.as_str()) || word.starts_with(BATCH);
    let (switches, words): (Vec<String>, Vec<String>) = std::env::args().partition(switch);
    let on = |switch: &str| switches.iter().any(|word| word == switch);
    let n = switches.iter().find_map(|word| word.strip_prefix(BATCH)).map_or(32, number);
    take_untimed(on(UNTIMED));
    let device = device(words.get(1).map_or("cpu", String::as_str));
    let named: Vec<&str> = words.iter().skip(3).map(String::as_str).collect();
    let names = runs().into_iter().map(|(name, ..)| name).collect::<Vec<_>>();
    if let Some(unknown) = named.iter().find(|name| !names.contains(*name)) {
        usage(&format!("`{unknown}` is none of {}", names.join(", ")));
    }
    let mut wanted: Vec<_> = runs().into_iter().filter(|(name, ..)| named.is_empty() || named.contains(name)).collect();
    if on(BF16) {
        let with_text = wanted.iter_mut().filter(|(_, config, _)| config.method.encodes_text());
        with_text.for_each(|(_, config, _)| config.precision = Products::Bf16);
    }
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    if let Some(word) = words.get(2).filter(|word| ["--launches", "--kernels"].contains(&word.as_str())) {
        if device == Device::flex() {
            usage("a step on the CPU launches nothing");
        }
        return launches_of_steps(&device, wanted, n, word == "--kernels");
    }
    let steps = words.get(2).map_or(9, |n| number(n));
    let mut seconds: Vec<(String, f64)> = Vec::new();
    for (name, config, minilm) in wanted {
        let key = name.replace('-', "_");
        seconds.push((
            format!("{key}_step"),
            training(name, stepping(config.clone(), minilm, n, &device), steps, &device),
        ));
        if device != Device::flex() {
            seconds.push((
                format!("{key}_pace"),
                pace(name, stepping(config.clone(), minilm, n, &device), steps, &device),
            ));
            #[cfg(any(feature = "cuda", feature = "wgpu"))]
            if let Some(step) = replaying(config, minilm, n, &device) {
                seconds.push((format!("{key}_replayed"), pace(&format!("{name}, replayed"), step, steps, &device)));
            }
        }
    }
    if !named.is_empty() {
        return print(&seconds);
    }
    let net = exercise::network(&device);
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

fn device(name: &str) -> Device {
    match name {
        #[cfg(feature = "cuda")]
        "cuda" => {
            tuning::keep(&tuning::card(0).unwrap());
            Device::cuda(0)
        }
        #[cfg(feature = "wgpu")]
        "wgpu" => Device::wgpu(Default::default()),
        "cpu" => Device::flex(),
        _ => usage(&format!("`{name}` is no device of this build")),
    }
}

fn number(word: &str) -> usize {
    let number = word.parse().ok().filter(|n| *n > 0);
    number.unwrap_or_else(|| usage(&format!("`{word}` is no number of 1 or more")))
}

fn usage(what: &str) -> ! {
    eprintln!(
        "error: {what}; bench [cpu|cuda|wgpu] [STEPS | --launches | --kernels] [METHOD ..] [--batch=N] [--bf16] [--untimed]"
    );
    std::process::exit(2)
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
fn training(name: &str, mut step: impl FnMut() -> Numbers, steps: usize, device: &Device) -> f64 {
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

/// A training step of `n` samples, again and again.
fn stepping(config: TrainConfig, minilm: bool, n: usize, device: &Device) -> impl FnMut() -> Numbers {
    repeating(set_up(config, minilm, n, device))
}

/// What there is to repeat; a device that can't says why.
fn set_up(config: TrainConfig, minilm: bool, n: usize, device: &Device) -> Exercise {
    Exercise::new(config, minilm, n, device).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        std::process::exit(5)
    })
}

/// The same step recorded and replayed, where the device can.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn replaying(config: TrainConfig, minilm: bool, n: usize, device: &Device) -> Option<impl FnMut() -> Numbers> {
    let Exercise { steps, batch } = set_up(config, minilm, n, device);
    let (steps, reason) = Steps::recorded(steps.into_trainer(), vec![batch.clone()]).unwrap();
    reason.iter().for_each(|reason| eprintln!("a step is not replayed: {reason}"));
    reason.is_none().then(|| repeating(Exercise { steps, batch }))
}

fn repeating(exercise: Exercise) -> impl FnMut() -> Numbers {
    let mut exercise = Some(exercise);
    move || {
        let (next, numbers) = exercise.take().unwrap().queue();
        exercise = Some(next);
        numbers
    }
}

/// The third step of each method, by its launches, uploads and readings; a table for docs/benchmarks.md.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn launches_of_steps(device: &Device, runs: Vec<(&'static str, TrainConfig, bool)>, n: usize, kernels: bool) {
    launches::listen();
    println!(
        "| step | kernels launched | bytes they read + write | uploads (bytes) | reads (bytes) | reads before the last launch |\n|---|---|---|---|---|---|"
    );
    for (name, config, minilm) in runs {
        let counts = counted(stepping(config.clone(), minilm, n, device), device);
        println!("| {name} | {counts}");
        if kernels {
            let mut by_number: Vec<_> = counts.kernels.iter().collect();
            by_number.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
            by_number.iter().for_each(|(kernel, launches)| eprintln!("  {launches:5} {kernel}"));
        }
        if let Some(step) = replaying(config, minilm, n, device) {
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
