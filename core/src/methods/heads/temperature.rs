//! The learned temperature of cosines: tau = exp(-logit_scale).

use burn::module::Param;
use burn::tensor::{Device, Tensor};

/// tau's start in CLIP-Lung.
pub const START_TAU: f64 = 0.07;
/// logit_scale never exceeds ln 100.
pub const MAX_LOGIT_SCALE: f32 = 4.605_170_2;

/// logit_scale at tau.
pub fn logit_scale(tau: f64, device: &Device) -> Param<Tensor<1>> {
    Param::from_tensor(Tensor::from_floats([(1.0f32 / tau as f32).ln()], device))
}

/// After each step: logit_scale within 0..ln 100.
pub fn clamped(logit_scale: Param<Tensor<1>>) -> Param<Tensor<1>> {
    logit_scale.map(|s| {
        let tracked = s.is_require_grad();
        let s = Tensor::from_inner(s.inner().clamp(0.0, MAX_LOGIT_SCALE));
        if tracked { s.require_grad() } else { s }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_within_its_bounds() {
        let device = Device::flex().autodiff();
        let start = logit_scale(START_TAU, &device).val().exp().into_scalar::<f32>();
        assert!((start - 1.0 / 0.07).abs() < 1e-3);
        for (value, expected) in [(9.0, MAX_LOGIT_SCALE), (-1.0, 0.0), (2.0, 2.0)] {
            let found = clamped(Param::from_tensor(Tensor::from_floats([value], &device)));
            assert_eq!(found.val().into_scalar::<f32>(), expected);
        }
    }
}
