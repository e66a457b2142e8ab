//! Where a module computes: the CPU, or the browser's GPU, which can be lost at any moment.

#[cfg(feature = "gpu")]
mod gpu {
    use std::sync::Mutex;

    use burn::tensor::Device;
    use burn::tensor::wgpu::WgpuBackend;
    use wasm_bindgen::JsError;

    static LOST: Mutex<Option<String>> = Mutex::new(None);

    /// Opens the adapter that the browser offers.
    pub async fn open() -> Result<Device, JsError> {
        // a panic becomes an exception with its message, which the page takes as the reason to fall back
        std::panic::set_hook(Box::new(|info| wasm_bindgen::throw_str(&info.to_string())));
        let (device, setup) = Device::wgpu_options().graphics_api(WgpuBackend::WebGpu).init_with_setup_async().await?;
        setup.device.set_device_lost_callback(|_, message| {
            if let Ok(mut lost) = LOST.lock() {
                *lost = Some(message);
            }
        });
        Ok(device)
    }

    /// What was computed since can be trusted only if this succeeds.
    pub fn alive() -> Result<(), JsError> {
        match LOST.lock().ok().and_then(|lost| lost.clone()) {
            Some(message) => Err(JsError::new(&format!("the GPU was lost: {message}"))),
            None => Ok(()),
        }
    }
}
#[cfg(feature = "gpu")]
pub use gpu::{alive, open};

#[cfg(not(feature = "gpu"))]
mod cpu {
    use burn::tensor::Device;
    use wasm_bindgen::JsError;

    pub async fn open() -> Result<Device, JsError> {
        Ok(Device::flex())
    }

    pub fn alive() -> Result<(), JsError> {
        Ok(())
    }
}
#[cfg(not(feature = "gpu"))]
pub use cpu::{alive, open};
