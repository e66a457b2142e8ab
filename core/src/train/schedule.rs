//! The learning rate: a cosine over the epochs, changed once an epoch.

/// lr (1 + cos(pi e / E)) / 2 in epoch `e` of `epochs`, to 0 at `e` = `epochs`.
pub fn cosine(lr: f64, epoch: usize, epochs: usize) -> f64 {
    0.5 * lr * (1.0 + (std::f64::consts::PI * epoch as f64 / epochs as f64).cos())
}

#[cfg(test)]
mod tests {
    use super::cosine;

    /// Reference values of the method.
    #[test]
    fn golden() {
        for (epoch, lr) in [(0, 1e-3), (1, 9.99753e-4), (10, 9.75528e-4), (50, 5e-4), (99, 2.47e-7)] {
            assert!((cosine(1e-3, epoch, 100) - lr).abs() < 6e-10);
        }
    }
}
