//! Functions that stay exact on both tails, in f64.

/// ln j!
pub fn log_factorial(j: usize) -> f64 {
    (2..=j).map(|i| (i as f64).ln()).sum()
}

pub fn sigmoid(x: f64) -> f64 {
    log_sigmoid(x).exp()
}

pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// ln softplus(x); far below 0 that is x.
pub fn log_softplus(x: f64) -> f64 {
    if x < -30.0 { x } else { softplus(x).ln() }
}

pub fn log_sigmoid(x: f64) -> f64 {
    -softplus(-x)
}

/// ln(1 - exp(-d)), d > 0, without cancellation.
pub fn log_one_minus_exp(d: f64) -> f64 {
    if d < std::f64::consts::LN_2 { (-(-d).exp_m1()).ln() } else { (-(-d).exp()).ln_1p() }
}

pub fn log_softmax(mut z: Vec<f64>) -> Vec<f64> {
    let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum = z.iter().map(|v| (v - top).exp()).sum::<f64>().ln() + top;
    z.iter_mut().for_each(|v| *v -= sum);
    z
}
