//! Probabilities that are some: finite and summing to 1, or an error of the device that computed them.

use crate::error::{Error, Result};

/// One probability a class.
#[derive(Clone, Debug, PartialEq)]
pub struct Probabilities(Vec<f64>);

impl Probabilities {
    /// From log-probabilities, divided by the calibration's `temperature` and normalised again.
    ///
    /// # Errors
    /// When one is NaN or all are impossible: a device that computes wrongly, or weights that overflow.
    pub fn of_logs(logs: &[f64], temperature: f64) -> Result<Self> {
        let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if logs.iter().any(|l| l.is_nan()) || !top.is_finite() {
            let reason = format!("it returned {logs:?} for log-probabilities; try another device, or check the model");
            return Err(Error::Device(reason));
        }
        let e: Vec<f64> = logs.iter().map(|l| ((l - top) / temperature).exp()).collect();
        let sum: f64 = e.iter().sum();
        Ok(Self(e.into_iter().map(|v| v / sum).collect()))
    }

    /// The values, in the order of the classes.
    pub fn values(&self) -> &[f64] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Probabilities;

    #[test]
    fn numbers_that_are_none_are_an_error() {
        for logs in [[f64::NAN, 0.0], [f64::NEG_INFINITY; 2], [f64::INFINITY, 0.0]] {
            assert!(Probabilities::of_logs(&logs, 1.0).is_err(), "{logs:?}");
        }
        let p = Probabilities::of_logs(&[0.9f64.ln(), 0.1f64.ln()], 2.0).unwrap();
        assert!((p.values()[0] - 0.75).abs() < 1e-12);
        let sure = Probabilities::of_logs(&[0.0, f64::NEG_INFINITY], 1.0).unwrap();
        assert_eq!(sure.values(), [1.0, 0.0]);
    }
}
