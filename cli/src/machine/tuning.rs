//! How kernels of an NVIDIA GPU are chosen and kept.

use burn::cubecl::config::autotune::AutotuneLevel;
use burn::cubecl::config::cache::CacheConfig;
use burn::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};

/// Before the first computation: kernels are timed for few sizes, since each costs compiling many, and the choice and the compiled
/// kernels stay in the user's cache directory, so that only a first run waits for them. `CUBECL_AUTOTUNE_LEVEL` times more sizes.
pub fn keep() {
    let mut config = CubeClRuntimeConfig::default();
    config.autotune.level = AutotuneLevel::Minimal;
    config.compilation.cache = true;
    config.environment.path = CacheConfig::Global;
    // false when there is a configuration already, which then stays
    let _ = CubeClRuntimeConfig::try_set(config.override_from_env());
}
