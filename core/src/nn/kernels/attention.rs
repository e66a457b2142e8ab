//! Attention of prompts: causal ones that share their first tokens, and whole ones in which every token sees all.

#[cfg(any(test, not(feature = "cube")))]
use burn::tensor::{Device, Tensor, TensorData, activation};

/// How the rows of a batch lie: `n` prefixes of `p` tokens, then `n` times `c` suffixes of `s` tokens.
#[derive(Clone, Copy, Debug)]
pub struct Sequences {
    pub n: usize,
    pub p: usize,
    pub c: usize,
    pub s: usize,
    pub heads: usize,
    /// Values of a head.
    pub head: usize,
    /// Whether a token sees those up to itself, or all of its prefix.
    pub(super) causal: bool,
}

impl Sequences {
    /// `n` prefixes of `p` tokens and `n` times `c` suffixes of `s` tokens, causal.
    pub fn causal([n, p, c, s]: [usize; 4], heads: usize, head: usize) -> Self {
        Self { n, p, c, s, heads, head, causal: true }
    }

    /// `n` sequences of `length` tokens that all see each other.
    pub fn whole(n: usize, length: usize, heads: usize, head: usize) -> Self {
        Self { n, p: length, c: 0, s: 0, heads, head, causal: false }
    }

    /// Rows of a batch.
    pub(super) fn count(self) -> usize {
        self.n * (self.p + self.c * self.s)
    }

    /// Values of a row, of all heads together.
    pub(super) fn width(self) -> usize {
        self.heads * self.head
    }

    /// What scores are multiplied with.
    #[inline(always)]
    pub(super) fn scale(self) -> f32 {
        (self.head as f32).powf(-0.5)
    }

    /// [`Sequences::attention`] in burn's own operations.
    #[cfg(any(test, not(feature = "cube")))]
    pub(super) fn burn_attention(self, qkv: Tensor<2>) -> Tensor<2> {
        let Self { n, p, c, s, heads, head, causal: is_causal } = self;
        let w = heads * head;
        let part = |from: usize, to: usize, k: usize| qkv.clone().slice([from..to, k * w..(k + 1) * w]);
        let scale = (head as f64).powf(-0.5);

        // [n, h, p, d]
        let own = |k: usize| part(0, n * p, k).reshape([n, p, heads, head]).swap_dims(1, 2);
        let (q, k, v) = (own(0) * scale, own(1), own(2));
        let scores = q.matmul(k.clone().swap_dims(2, 3));
        let scores = if is_causal { scores + causal(p, &qkv.device()).unsqueeze() } else { scores };
        let prefix = activation::softmax(scores, 3).matmul(v.clone());
        let prefix = prefix.swap_dims(1, 2).reshape([n * p, w]);
        if c * s == 0 {
            return prefix;
        }

        // suffix tokens by (n, h, c, s)
        let rows = n * (p + c * s);
        let own = |k: usize| part(n * p, rows, k).reshape([n, c * s, heads, head]).swap_dims(1, 2);
        let (qs, ks, vs) = (own(0) * scale, own(1), own(2));
        let alone = |t: Tensor<4>| t.reshape([n * heads, c, s, head]);
        let to_prefix = qs.clone().matmul(k.swap_dims(2, 3)).reshape([n * heads, c, s, p]);
        let to_self = alone(qs).matmul(alone(ks).swap_dims(2, 3)) + causal(s, &qkv.device()).unsqueeze();
        let weights = activation::softmax(Tensor::cat(vec![to_prefix, to_self], 3), 3);
        let [a, b, e] = [n * heads, c, s];
        let from_prefix = weights.clone().slice([0..a, 0..b, 0..e, 0..p]).reshape([n, heads, c * s, p]).matmul(v);
        let from_self = weights.slice([0..a, 0..b, 0..e, p..p + s]).matmul(alone(vs)).reshape([n, heads, c * s, head]);
        let suffix = (from_prefix + from_self).swap_dims(1, 2).reshape([n * c * s, w]);
        Tensor::cat(vec![prefix, suffix], 0)
    }
}

/// 0 on and below the diagonal, -inf above.
#[cfg(any(test, not(feature = "cube")))]
fn causal(n: usize, device: &Device) -> Tensor<2> {
    let values = (0..n * n).map(|i| if i % n > i / n { f32::NEG_INFINITY } else { 0.0 }).collect::<Vec<_>>();
    Tensor::from_data(TensorData::new(values, [n, n]), device)
}
