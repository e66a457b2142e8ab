//! The attribute read-out: softmax over k of mean over t of cos(F_t, a_k)/tau (not in the paper).
//!
//! It says which words the image features are closest to, through the text encoder that trained the model. LIDC-IDRI used
//! inconsistent scales for lobulation and spiculation in part of its cases; mention it wherever these scores are shown.

/// Scores of the attributes, summing to 1.
///
/// `groups`: the four channel groups of one sample, `[4 * 512]`; `attributes`: unit rows, `[K * 512]`; `scale` = 1/tau.
pub fn scores(groups: &[f32], attributes: &[f32], scale: f32) -> Vec<f32> {
    let width = 512;
    let cosine = |a: &[f32], f: &[f32]| {
        let norm = f.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
        a.iter().zip(f).map(|(a, f)| a * f).sum::<f32>() / norm
    };
    let count = (groups.len() / width) as f32;
    let logits: Vec<f32> = attributes
        .chunks_exact(width)
        .map(|a| groups.chunks_exact(width).map(|f| cosine(a, f)).sum::<f32>() / count * scale)
        .collect();
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let e: Vec<f32> = logits.iter().map(|l| (l - top).exp()).collect();
    let sum: f32 = e.iter().sum();
    e.into_iter().map(|v| v / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::scores;

    #[test]
    fn the_closest_word_wins_and_scores_sum_to_one() {
        let unit = |i: usize| (0..512).map(move |k| f32::from(u8::from(k == i)));
        let attributes: Vec<f32> = (0..8).flat_map(unit).collect();
        let groups: Vec<f32> = [3, 3, 3, 5].into_iter().flat_map(|i| unit(i).map(|v| v * 7.0)).collect();
        let s = scores(&groups, &attributes, 10.0);
        assert!((s.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!(s[3] > s[5] && s[5] > s[0]);
        // logits 7.5, 2.5 and six times 0
        assert!((s[3] - 7.5f32.exp() / (7.5f32.exp() + 2.5f32.exp() + 6.0)).abs() < 1e-6);
    }
}
