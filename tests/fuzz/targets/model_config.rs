//! Any bytes as a model's configuration: an error or one whose normalisation can be used.
#![no_main]

use clip_lung_core::model::config::ModelConfig;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(config) = ModelConfig::parse(bytes, "config.json") {
        assert!(config.input.normalisation().apply(-500.0).is_finite());
        let _ = config.input.crop.size(8.0);
    }
});
