//! Counter-based random numbers: splitmix64 streams named by (key, stream), so that no order or thread count matters.

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
const STREAM: u64 = 0xD1B5_4A32_D192_ED03;

fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// An endless sequence of random numbers that is a pure function of its key and stream.
#[derive(Clone, Debug)]
pub struct Stream {
    start: u64,
    i: u64,
}

impl Stream {
    /// The stream number `stream` of `key`.
    pub fn new(key: u64, stream: u64) -> Self {
        let start = mix(key.wrapping_add(1).wrapping_mul(GOLDEN) ^ mix(stream.wrapping_add(1).wrapping_mul(STREAM)));
        Self { start, i: 0 }
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.i += 1;
        mix(self.start.wrapping_add(self.i.wrapping_mul(GOLDEN)))
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (-53f64).exp2()
    }

    /// Uniform in [low, high).
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Uniform in 0..n; n must be at least 1.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// Standard normal (Box-Muller).
    pub fn normal(&mut self) -> f64 {
        let (u, v) = (1.0 - self.uniform(), self.uniform());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    /// Fisher-Yates.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// Uniform values of the stream number `stream` of `key` with mean 0 and a standard deviation.
pub fn uniform(key: u64, stream: u64, count: usize, deviation: f64) -> Vec<f32> {
    let (mut random, bound) = (Stream::new(key, stream), deviation * 3f64.sqrt());
    (0..count).map(|_| random.between(-bound, bound) as f32).collect()
}

/// A key from several numbers, such as (seed, epoch, nodule).
pub fn key(parts: &[u64]) -> u64 {
    parts.iter().fold(0, |k, &p| mix(k.wrapping_add(GOLDEN) ^ mix(p.wrapping_add(STREAM))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_pure_and_uniform() {
        let draw = |key, stream| {
            (0..2000)
                .map({
                    let mut s = Stream::new(key, stream);
                    move |_| s.uniform()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(3, 4), draw(3, 4));
        assert_ne!(draw(3, 4), draw(4, 3));
        let mean = draw(0, 0).iter().sum::<f64>() / 2000.0;
        assert!((mean - 0.5).abs() < 0.03, "{mean}");
        let mut order: Vec<usize> = (0..100).collect();
        Stream::new(1, 1).shuffle(&mut order);
        assert_ne!(order, (0..100).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }
}
