//! A readout's parameters in a model's weights file: `head.tau`, `head.thresholds`, `head.splits`, `head.leaves`, `head.temperature`.

use crate::base::tensors::{Array, Arrays};
use crate::error::{Error, Result};
use crate::methods::readout::{Forest, Readout, ReadoutKind};

const TAU: &str = "head.tau";
const THRESHOLDS: &str = "head.thresholds";
/// Stored as I32.
pub const SPLITS: &str = "head.splits";
const LEAVES: &str = "head.leaves";
/// The calibration's temperature, `[1]`.
pub const TEMPERATURE: &str = "head.temperature";

/// The tensors of a readout.
pub fn arrays(readout: &Readout) -> Arrays {
    let array =
        |shape: Vec<usize>, values: Vec<f64>| Array { shape, values: values.iter().map(|v| *v as f32).collect() };
    match readout {
        Readout::Softmax { .. } | Readout::Sticks { .. } => Arrays::new(),
        Readout::Poisson { tau, .. } | Readout::Binomial { tau, .. } => {
            [(TAU.to_owned(), array(vec![1], vec![*tau]))].into()
        }
        Readout::Cumulative { thresholds } => {
            [(THRESHOLDS.to_owned(), array(vec![thresholds.len()], thresholds.clone()))].into()
        }
        Readout::Forest(forest) => {
            let (trees, splits, leaves) = (forest.splits().len(), forest.splits()[0].len(), forest.leaves()[0].len());
            let indices = forest.splits().iter().flatten().map(|&s| s as f64).collect();
            let shares = forest.leaves().iter().flatten().flatten().copied().collect();
            [
                (SPLITS.to_owned(), array(vec![trees, splits], indices)),
                (LEAVES.to_owned(), array(vec![trees, leaves, forest.classes()], shares)),
            ]
            .into()
        }
    }
}

/// Takes the readout of this kind and the calibration's temperature (1 where there is none) out of a model's tensors; `units` are the
/// classifier's outputs.
///
/// # Errors
/// A tensor that is missing, of another shape, or of values that no such readout can have.
pub fn take(kind: ReadoutKind, classes: usize, units: usize, all: &mut Arrays, file: &str) -> Result<(Readout, f64)> {
    if kind.units(classes).is_some_and(|needed| needed != units) {
        return Err(Error::OutOfRange {
            what: format!("{file}: rows of `fc.weight`"),
            value: units.to_string(),
            expected: format!("what the readout {} of {classes} classes needs", kind.name()),
        });
    }
    let mut take = |name: &str, shape: &[Option<usize>]| -> Result<Array> {
        let missing = || Error::MissingTensor { file: file.into(), name: name.into() };
        let array = all.remove(name).ok_or_else(missing)?;
        let fits = array.shape.len() == shape.len()
            && array.shape.iter().zip(shape).all(|(found, wanted)| wanted.is_none_or(|w| w == *found));
        if fits && !array.values.is_empty() {
            return Ok(array);
        }
        let expected = shape.iter().map(|s| s.unwrap_or(0)).collect();
        Err(Error::Shape { file: file.into(), name: name.into(), expected, found: array.shape })
    };
    let number = |array: &Array| f64::from(array.values[0]);
    let bad = |what: &str, value: String, expected: &str| {
        Err(Error::OutOfRange { what: format!("{file}: `{what}`"), value, expected: expected.into() })
    };
    let readout = match kind {
        ReadoutKind::Softmax => Readout::Softmax { classes },
        ReadoutKind::Sticks => Readout::Sticks { classes },
        ReadoutKind::Poisson | ReadoutKind::Binomial => {
            let tau = number(&take(TAU, &[Some(1)])?);
            if tau <= 0.0 {
                return bad(TAU, tau.to_string(), "above 0");
            }
            match kind {
                ReadoutKind::Poisson => Readout::Poisson { classes, tau },
                _ => Readout::Binomial { classes, tau },
            }
        }
        ReadoutKind::Cumulative => {
            let found = take(THRESHOLDS, &[Some(classes - 1)])?;
            if found.values.windows(2).any(|w| w[0] >= w[1]) {
                return bad(THRESHOLDS, format!("{:?}", found.values), "increasing");
            }
            Readout::Cumulative { thresholds: found.values.iter().map(|v| f64::from(*v)).collect() }
        }
        ReadoutKind::Forest => {
            let splits = take(SPLITS, &[None, None])?;
            let leaves = take(LEAVES, &[Some(splits.shape[0]), Some(splits.shape[1] + 1), Some(classes)])?;
            // what is no index is out of range as well
            let index = |v: &f32| if *v >= 0.0 && v.fract() == 0.0 { *v as usize } else { usize::MAX };
            let rows = splits.values.chunks(splits.shape[1]).map(|r| r.iter().map(index).collect()).collect();
            let numbers: Vec<f64> = leaves.values.iter().map(|v| f64::from(*v)).collect();
            let trees = numbers
                .chunks(leaves.shape[1] * classes)
                .map(|tree| tree.chunks(classes).map(<[f64]>::to_vec).collect())
                .collect();
            Readout::Forest(Forest::new(rows, trees, units, file)?)
        }
    };
    let temperature = match all.remove(TEMPERATURE) {
        None => 1.0,
        Some(array) if array.shape == [1] && array.values[0] > 0.0 => number(&array),
        Some(array) => return bad(TEMPERATURE, format!("{:?}", array.values), "one number above 0"),
    };
    Ok((readout, temperature))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forest() -> Readout {
        let leaves = vec![vec![vec![0.25, 0.25, 0.5], vec![0.0, 0.0, 1.0]]; 2];
        Readout::Forest(Forest::new(vec![vec![3], vec![1]], leaves, 4, "test").unwrap())
    }

    #[test]
    fn readouts_read_what_they_write() {
        for (readout, units) in [
            (Readout::Softmax { classes: 3 }, 3),
            (Readout::Poisson { classes: 3, tau: 0.5 }, 1),
            (Readout::Binomial { classes: 3, tau: 2.0 }, 1),
            (Readout::Sticks { classes: 3 }, 2),
            (Readout::Cumulative { thresholds: vec![-1.0, 0.5] }, 1),
            (forest(), 4),
        ] {
            let mut all = arrays(&readout);
            let (found, temperature) = take(readout.kind(), 3, units, &mut all, "m").unwrap();
            assert_eq!((found, temperature, all.len()), (readout.clone(), 1.0, 0));
            // a tensor that is not there, and a classifier of another size
            for name in arrays(&readout).keys() {
                let mut fewer = arrays(&readout);
                fewer.remove(name);
                let error = take(readout.kind(), 3, units, &mut fewer, "m").unwrap_err();
                assert!(matches!(&error, Error::MissingTensor { name: n, .. } if n == name), "{error}");
            }
            if readout.kind() != ReadoutKind::Forest {
                assert!(take(readout.kind(), 3, units + 4, &mut arrays(&readout), "m").is_err());
            }
        }
    }

    #[test]
    fn values_that_no_readout_has_are_refused() {
        let one = |name: &str, shape: Vec<usize>, values: Vec<f32>| -> Arrays {
            [(name.to_owned(), Array { shape, values })].into()
        };
        let refused = |kind, units, all: &mut Arrays| take(kind, 3, units, all, "m").unwrap_err().to_string();
        let told = refused(ReadoutKind::Cumulative, 1, &mut one(THRESHOLDS, vec![2], vec![1.0, 0.5]));
        assert!(told.contains("increasing"), "{told}");
        assert!(refused(ReadoutKind::Poisson, 1, &mut one(TAU, vec![1], vec![0.0])).contains("above 0"));
        assert!(refused(ReadoutKind::Poisson, 1, &mut one(TAU, vec![2], vec![1.0; 2])).contains("shape"));
        assert!(refused(ReadoutKind::Softmax, 3, &mut one(TEMPERATURE, vec![1], vec![-1.0])).contains("above 0"));
        for (splits, leaves) in [(-1.0, [0.5, 0.5]), (4.0, [0.5, 0.5]), (1.0, [0.5, 0.6]), (1.0, [1.5, -0.5])] {
            let mut all = one(SPLITS, vec![1, 1], vec![splits]);
            all.insert(LEAVES.into(), Array { shape: vec![1, 2, 2], values: [leaves, leaves].concat() });
            let error = take(ReadoutKind::Forest, 2, 4, &mut all, "m").unwrap_err();
            assert!(matches!(error, Error::OutOfRange { .. }), "{error}");
        }
    }

    /// log p / T, normalised again.
    #[test]
    fn temperature_is_optional() {
        let mut all: Arrays = [(TEMPERATURE.to_owned(), Array { shape: vec![1], values: vec![1.5] })].into();
        assert_eq!(take(ReadoutKind::Softmax, 3, 3, &mut all, "m").unwrap().1, 1.5);
    }
}
