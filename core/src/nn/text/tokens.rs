//! The token embeddings in use: of a vocabulary's table only the rows that the prompts need are kept.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::base::tensors::Array;
use crate::error::{Error, Result};

/// Rows of a token table by their ids.
#[derive(Clone, Debug)]
pub struct TokenTable {
    /// Sorted.
    ids: Vec<u32>,
    /// `[ids, width]`
    rows: Tensor<2>,
}

/// Ids in order, each once.
pub fn sorted(used: &[u32]) -> Vec<u32> {
    let mut ids = used.to_vec();
    ids.sort_unstable();
    ids.dedup();
    ids
}

impl TokenTable {
    /// The rows `used` of a whole table `[vocabulary, width]`; `file` and `name` say whose in errors.
    ///
    /// # Errors
    /// A table that is no matrix, or too short for an id.
    pub fn of(table: &Array, used: &[u32], file: &str, name: &str, device: &Device) -> Result<Self> {
        let &[count, width] = table.shape.as_slice() else {
            return Err(Error::Shape {
                file: file.into(),
                name: name.into(),
                expected: vec![0, 0],
                found: table.shape.clone(),
            });
        };
        let ids = sorted(used);
        let mut values = Vec::with_capacity(ids.len() * width);
        for &id in &ids {
            let row = table.values.get(id as usize * width..(id as usize + 1) * width);
            values.extend_from_slice(row.ok_or_else(|| Error::OutOfRange {
                what: format!("token id of a prompt for {file}"),
                value: id.to_string(),
                expected: format!(
                    "below {count}, the rows of its token table; tokenizer and weights don't belong together"
                ),
            })?);
        }
        Ok(Self::new(ids, values, width, device))
    }

    /// From `ids` in order and their rows, one after the other.
    pub fn new(ids: Vec<u32>, rows: Vec<f32>, width: usize, device: &Device) -> Self {
        let count = ids.len();
        Self { ids, rows: Tensor::from_data(TensorData::new(rows, [count, width]), device) }
    }

    /// Values of a row.
    pub fn width(&self) -> usize {
        self.rows.dims()[1]
    }

    /// Embeddings of token sequences, padded with the last token to one length.
    ///
    /// # Shapes
    /// `[n, longest, width]`
    ///
    /// # Errors
    /// An id that is not among those in use, or a sequence without tokens.
    pub fn embed(&self, sequences: &[&[u32]]) -> Result<Tensor<3>> {
        let longest = sequences.iter().map(|s| s.len()).max().unwrap_or(0);
        let mut rows = Vec::with_capacity(sequences.len() * longest);
        for sequence in sequences {
            let padded = sequence.iter().chain(std::iter::repeat(sequence.last().unwrap_or(&u32::MAX))).take(longest);
            for id in padded {
                let row = self.ids.binary_search(id).map_err(|_| Error::OutOfRange {
                    what: "token id of a prompt".into(),
                    value: id.to_string(),
                    expected: format!("one of the {} that the tower was loaded for", self.ids.len()),
                })?;
                rows.push(row as i32);
            }
        }
        let count = rows.len();
        let index = Tensor::<1, Int>::from_data(TensorData::new(rows, [count]), &self.rows.device());
        Ok(self.rows.clone().select(0, index).reshape([sequences.len(), longest, self.width()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> TokenTable {
        let whole = Array { shape: vec![5, 2], values: (0..10).map(|v| v as f32).collect() };
        TokenTable::of(&whole, &[4, 1, 4], "weights", "table", &Device::flex()).unwrap()
    }

    /// Rows are those of the ids; a shorter sequence repeats its last token.
    #[test]
    fn rows_by_id() {
        let rows: Vec<f32> = table().embed(&[&[1, 4], &[4]]).unwrap().into_data().iter::<f32>().collect();
        assert_eq!(rows, [2.0, 3.0, 8.0, 9.0, 8.0, 9.0, 8.0, 9.0]);
    }

    /// An id that is not there is an error, never another token's row.
    #[test]
    fn unknown_ids_are_errors() {
        let error = table().embed(&[&[1, 2]]).unwrap_err();
        assert!(error.to_string().contains("token id of a prompt is 2"), "{error}");
        let whole = Array { shape: vec![5, 2], values: vec![0.0; 10] };
        let error = TokenTable::of(&whole, &[5], "weights", "table", &Device::flex()).unwrap_err();
        assert!(matches!(&error, Error::OutOfRange { value, .. } if value == "5"), "{error}");
        let flat = Array { shape: vec![10], values: vec![0.0; 10] };
        assert!(matches!(TokenTable::of(&flat, &[5], "w", "t", &Device::flex()), Err(Error::Shape { .. })));
    }
}
