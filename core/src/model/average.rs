//! Several models' answers as one.

use super::answer::{Explanation, Prediction};
use crate::dataset::class::Class;

/// The members' predictions of the same crops as one; those of one member as they are. `decide` gives the class of
/// probabilities, and those left open; whether a crop is a nodule's is the first member's to say.
pub fn predictions(
    decide: impl Fn(&[f64]) -> (Class, Option<Vec<Class>>),
    mut members: Vec<Vec<Prediction>>,
) -> Vec<Prediction> {
    if members.len() < 2 {
        return members.pop().unwrap_or_default();
    }
    let crops = members.iter().map(Vec::len).min().unwrap_or(0);
    let mean = |n: usize| -> Prediction {
        let probabilities = average(members.iter().map(|m| m[n].probabilities.iter().copied()));
        let logits = probabilities.iter().map(|p| p.max(f64::MIN_POSITIVE).ln()).collect();
        let (class, set) = decide(&probabilities);
        Prediction { logits, probabilities, class, set, out_of_place: members[0][n].out_of_place }
    };
    (0..crops).map(mean).collect()
}

/// The members' explanations of one crop and class: the average of their maps, and of their words where all have them.
pub fn explanation(prediction: Prediction, class: Class, members: &[Explanation]) -> Explanation {
    let single = |values: Vec<f64>| values.into_iter().map(|v| v as f32).collect::<Vec<f32>>();
    let heat = single(average(members.iter().map(|m| m.heat.iter().map(|v| f64::from(*v)))));
    let words: Vec<&Vec<f32>> = members.iter().filter_map(|m| m.attributes.as_ref()).collect();
    let attributes = (words.len() == members.len())
        .then(|| single(average(words.iter().map(|scores| scores.iter().map(|v| f64::from(*v))))));
    Explanation { prediction, class, heat, attributes }
}

fn average(rows: impl ExactSizeIterator<Item = impl Iterator<Item = f64>>) -> Vec<f64> {
    let count = rows.len() as f64;
    let mut sum: Vec<f64> = Vec::new();
    for row in rows {
        let row: Vec<f64> = row.collect();
        sum.resize(row.len(), 0.0);
        sum.iter_mut().zip(row).for_each(|(s, v)| *s += v);
    }
    sum.into_iter().map(|v| v / count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_averaged_and_decided_anew() {
        let one = |probabilities: [f64; 2], class| Prediction {
            logits: vec![0.0; 2],
            probabilities: probabilities.to_vec(),
            class,
            set: None,
            out_of_place: None,
        };
        let decide = |p: &[f64]| (if p[0] >= p[1] { Class::Benign } else { Class::Malignant }, None);
        let first = vec![one([0.6, 0.4], Class::Benign)];
        assert_eq!(predictions(decide, vec![first.clone()]), first);
        let both = predictions(decide, vec![first, vec![one([0.1, 0.9], Class::Malignant)]]);
        assert!((both[0].probabilities[0] - 0.35).abs() < 1e-12 && both[0].class == Class::Malignant);
        assert!((both[0].logits[0] - 0.35f64.ln()).abs() < 1e-12);
    }
}
