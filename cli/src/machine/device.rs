//! Where to compute.

use anyhow::Result;
use burn::tensor::Device;

use crate::failure::Failure;

/// `--device`, as every verb that computes has it.
#[derive(clap::Args, Clone)]
pub struct Choice {
    /// auto (the first NVIDIA GPU where the program is built for it, else the CPU), cpu, cuda, cuda:N or wgpu
    #[arg(long, default_value = "auto")]
    pub device: String,
}

impl Choice {
    /// The device, with its name.
    pub fn open(&self) -> Result<(Device, String)> {
        select(&self.device)
    }
}

/// Whether a training's step is recorded once, as a graph, and replayed: the kernels are then launched by one call a step. `Auto`: on an
/// NVIDIA GPU; `On`: on wgpu too. The CPU has no graphs.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Graphs {
    #[default]
    Auto,
    On,
    Off,
}

impl Graphs {
    /// Whether on the device of this name.
    pub fn on(self, device_name: &str) -> bool {
        match self {
            Self::Auto => device_name.starts_with("cuda"),
            Self::On if device_name == "cpu" => {
                eprintln!("note: --graphs on: a step on the CPU is not recorded, it launches nothing");
                false
            }
            Self::On => true,
            Self::Off => false,
        }
    }

    /// Its word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

/// The device of `--device auto|cpu|cuda[:i]|wgpu`, with its name.
pub fn select(choice: &str) -> Result<(Device, String)> {
    let (kind, index) = parts(choice)?;
    if kind != "cuda" && kind != choice {
        return Err(Failure::Usage(format!("--device {choice}: only cuda takes a number")).into());
    }
    match kind {
        "auto" => Ok(automatic()),
        "cpu" => cpu().ok_or_else(|| missing("cpu")),
        "cuda" => cuda(index),
        "wgpu" => wgpu(),
        _ => Err(Failure::Usage(format!("--device {choice}: choose auto, cpu, cuda, cuda:N or wgpu")).into()),
    }
}

/// `cuda:1` is `cuda` and 1, `cuda` alone 0.
pub fn parts(choice: &str) -> Result<(&str, usize)> {
    let (kind, index) = choice.split_once(':').unwrap_or((choice, "0"));
    let number =
        index.parse().map_err(|_| Failure::Usage(format!("--device {choice}: `{index}` is not a device number")))?;
    Ok((kind, number))
}

/// That this program can't compute on such a device, and what to do.
pub fn missing(feature: &str) -> anyhow::Error {
    let first = if feature == "cuda" { "run ./setup-cuda.sh once, then " } else { "" };
    Failure::Device(format!(
        "this binary was built without `{feature}`; {first}build it with `cargo build --release -p clip-lung --features {feature}`"
    ))
    .into()
}

/// What to know before a training on this device begins.
pub fn advice(name: &str) -> Option<&'static str> {
    #[cfg(feature = "cuda")]
    if let Ok(("cuda", index)) = parts(name)
        && !super::tuning::timed(index)
    {
        return Some(
            "the first steps wait for kernels to be compiled, one a size: `clip-lung doctor --warm` finds the fastest for this card, once \
             (some minutes)",
        );
    }
    let _ = name;
    None
}

/// What was compiled in.
pub fn features() -> Vec<&'static str> {
    [("cpu", cfg!(feature = "cpu")), ("wgpu", cfg!(feature = "wgpu")), ("cuda", cfg!(feature = "cuda"))]
        .into_iter()
        .filter_map(|(name, on)| on.then_some(name))
        .collect()
}

#[cfg(feature = "cpu")]
fn cpu() -> Option<(Device, String)> {
    Some((Device::flex(), "cpu".into()))
}

#[cfg(not(feature = "cpu"))]
fn cpu() -> Option<(Device, String)> {
    None
}

/// What a driver does, in words where it panics.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn attempt<T>(work: impl FnOnce() -> T) -> std::result::Result<T, String> {
    let attempt = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    attempt.map_err(|panic| panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "it could not be opened".into()))
}

/// A computation that only succeeds on a device that is there.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn probe(make: impl FnOnce() -> Device) -> std::result::Result<Device, String> {
    let (device, two) = attempt(|| {
        let device = make();
        // element-wise on purpose: full sums crash some software drivers while they compile
        let two = (burn::tensor::Tensor::<1>::ones([4], &device) + 1.0).into_data().iter::<f32>().collect::<Vec<_>>();
        (device, two)
    })?;
    if two == [2.0; 4] { Ok(device) } else { Err(format!("it computes 1 + 1 = {two:?}")) }
}

#[cfg(feature = "cuda")]
fn cuda(index: usize) -> Result<(Device, String)> {
    use super::{kernel_bundles, tuning};
    let unusable = |e| {
        Failure::Device(format!(
            "CUDA device {index} can't be used: it needs an NVIDIA GPU, its driver and NVRTC, or use --device cpu ({e})"
        ))
    };
    let card = attempt(|| tuning::card(index)).and_then(|named| named).map_err(unusable)?;
    tuning::keep(&card);
    let faults = kernel_bundles::import(&kernel_bundles::folders(), &card);
    for fault in kernel_bundles::named_amiss().into_iter().chain(faults) {
        eprintln!("warning: {fault}");
    }
    tuning::choose(index);
    let device = probe(|| Device::cuda(index)).map_err(unusable)?;
    Ok((device, format!("cuda:{index}")))
}

#[cfg(not(feature = "cuda"))]
fn cuda(_: usize) -> Result<(Device, String)> {
    Err(missing("cuda"))
}

#[cfg(feature = "wgpu")]
fn wgpu() -> Result<(Device, String)> {
    let (device, adapter) = opened().clone().map_err(|e| {
        Failure::Device(format!(
            "no GPU answers through Vulkan or Metal ({e}); install its driver, or use --device cpu"
        ))
    })?;
    if adapter.software {
        eprintln!(
            "warning: wgpu found no GPU but {}, many times slower than --device cpu: install the GPU's driver",
            adapter.name
        );
    }
    Ok((device, "wgpu".into()))
}

/// What computes behind wgpu.
#[cfg(feature = "wgpu")]
#[derive(Clone)]
struct Adapter {
    name: String,
    software: bool,
}

/// A program opens it once.
#[cfg(feature = "wgpu")]
fn opened() -> &'static std::result::Result<(Device, Adapter), String> {
    static OPENED: std::sync::OnceLock<std::result::Result<(Device, Adapter), String>> = std::sync::OnceLock::new();
    OPENED.get_or_init(|| {
        let opened = attempt(|| Device::wgpu_options().init_with_setup())?;
        let (device, setup) = opened.map_err(|e| e.to_string())?;
        let about = setup.adapter.get_info();
        let software = about.device_type == burn::tensor::wgpu::wgpu::DeviceType::Cpu;
        let kind = if software { ", software on the CPU" } else { "" };
        let name = format!("{} ({}){kind}", about.name, about.backend);
        Ok((probe(|| device)?, Adapter { name, software }))
    })
}

/// What computes on the device of this name, where that is asked for.
pub fn adapter(device_name: &str) -> Option<String> {
    #[cfg(feature = "wgpu")]
    if device_name == "wgpu" {
        return opened().as_ref().ok().map(|(_, adapter)| adapter.name.clone());
    }
    let _ = device_name;
    None
}

#[cfg(not(feature = "wgpu"))]
fn wgpu() -> Result<(Device, String)> {
    Err(missing("wgpu"))
}

/// CUDA, then the CPU. A Vulkan device is used when asked for: it may be a software one.
fn automatic() -> (Device, String) {
    if let Ok(found) = cuda(0) {
        return found;
    }
    cpu().or_else(|| wgpu().ok()).unwrap_or_else(|| (Device::default(), "default".into()))
}
