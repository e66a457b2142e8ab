//! How kernels of an NVIDIA GPU are chosen and kept, a cache a card.

use std::path::PathBuf;

use burn::cubecl::config::autotune::AutotuneLevel;
use burn::cubecl::config::cache::CacheConfig;
use burn::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};
use burn::cubecl::environment::{self, Namespace, Store, StoreOptions};
use clip_lung_core::nn::kernels;
use cudarc::driver::result;

/// What the driver calls a card, as the names of files have it: `nvidia-h100-80gb-hbm3`.
///
/// # Errors
/// The driver's own; it panics where there is no driver.
pub fn card(index: usize) -> Result<String, String> {
    let name = result::init()
        .and_then(|()| result::device::get(index as i32))
        .and_then(result::device::get_name)
        .map_err(|e| e.to_string())?;
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    Ok(words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-"))
}

/// Before the first computation on a card: what is chosen and compiled for it stays in the user's cache directory, so that only a first
/// run waits. Where kernels are timed, it is for few sizes; `CUBECL_AUTOTUNE_LEVEL` times more.
pub fn keep(card: &str) {
    let mut config = CubeClRuntimeConfig::default();
    config.autotune.level = AutotuneLevel::Minimal;
    config.compilation.cache = true;
    config.environment.path = CacheConfig::Global;
    config.environment.name = card.into();
    // false when there is a configuration already, which then stays
    let _ = CubeClRuntimeConfig::try_set(config.override_from_env());
}

/// That the fastest kernels for this device were looked for, by [`set_timed`] or in a bundle. burn keeps its choices by the number that
/// a card has in the machine.
pub fn timed(index: usize) -> bool {
    let mark = timings(index);
    environment::namespaces().iter().any(|kept| kept.namespace == mark.as_str() && kept.entries > 0)
}

/// Notes that they were.
///
/// # Errors
/// When the cache can't be written.
pub fn set_timed(index: usize) -> Result<(), String> {
    let mut store = Store::new(StoreOptions::new().storage(timings(index)));
    store.insert(env!("CARGO_PKG_VERSION").to_owned(), String::new()).map_err(|e| e.reason().to_owned())
}

/// Convolutions and products take the fastest kernels where these were looked for, else one reasonable kernel a size: burn would compile
/// and time several of each before the first step.
pub fn choose(index: usize) {
    kernels::take_untimed(!timed(index));
}

/// They take burn's choice from now on, which is timed where it is not known.
pub fn time_all() {
    kernels::take_untimed(false);
}

/// The file of the cache.
pub fn cache() -> PathBuf {
    environment::path()
}

fn timings(index: usize) -> Namespace {
    Namespace::scoped("clip-lung", format!("timed/{index}"))
}
