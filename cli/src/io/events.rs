//! A run's log as TensorBoard reads it: an events file of TFRecords, each an `Event` message with scalar summaries.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use clip_lung_core::train::log::StepLog;

use crate::failure::Failure;

/// TensorBoard takes files with `tfevents` in their name.
const FILE: &str = "events.out.tfevents.clip-lung";

/// An events file that grows.
pub struct Events {
    file: File,
    path: PathBuf,
}

impl Events {
    /// A new file in a run's directory, instead of the one that is there.
    pub fn create(run: &Path) -> Result<Self> {
        let path = run.join(FILE);
        let file = File::create(&path).map_err(|e| failed(&path, &e))?;
        let mut events = Self { file, path };
        let mut first = time();
        bytes(&mut first, 3, b"brain.Event:2");
        events.write(&first)?;
        Ok(events)
    }

    /// The scalars of a step.
    pub fn append(&mut self, log: &StepLog) -> Result<()> {
        let mut event = time();
        varint(&mut event, 2 << 3);
        varint(&mut event, log.step);
        let mut summary = Vec::new();
        for (tag, number) in scalars(log) {
            let mut value = Vec::new();
            bytes(&mut value, 1, tag.as_bytes());
            varint(&mut value, (2 << 3) | 5);
            value.extend((number as f32).to_le_bytes());
            bytes(&mut summary, 1, &value);
        }
        bytes(&mut event, 5, &summary);
        self.write(&event)
    }

    /// A TFRecord: length, its checksum, the message, its checksum.
    fn write(&mut self, message: &[u8]) -> Result<()> {
        let length = (message.len() as u64).to_le_bytes();
        let mut record = Vec::with_capacity(message.len() + 16);
        record.extend(length);
        record.extend(checksum(&length).to_le_bytes());
        record.extend(message);
        record.extend(checksum(message).to_le_bytes());
        self.file.write_all(&record).map_err(|e| failed(&self.path, &e))
    }
}

fn failed(path: &Path, e: &std::io::Error) -> anyhow::Error {
    Failure::File(format!("{}: can't be written ({e}); free some space, or leave --tensorboard out", path.display()))
        .into()
}

/// What a step reports, by the names that TensorBoard groups by.
fn scalars(log: &StepLog) -> Vec<(String, f64)> {
    let mut all = vec![
        ("training/loss".to_owned(), log.loss),
        ("training/accuracy".to_owned(), log.accuracy),
        ("training/gradient_norm".to_owned(), log.gradient_norm),
        ("training/lr".to_owned(), log.lr),
    ];
    all.extend(log.terms.iter().map(|(name, value)| (format!("terms/{name}"), *value)));
    all.extend(log.watched.iter().map(|(name, value)| (format!("watched/{name}"), *value)));
    if let Some(found) = log.validation {
        all.push(("validation/loss".into(), found.loss));
        all.push(("validation/accuracy".into(), found.accuracy));
        all.extend(found.macro_auc.map(|auc| ("validation/macro_auc".into(), auc)));
    }
    all
}

/// A message that begins with the time, field 1.
fn time() -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    let mut message = vec![(1 << 3) | 1];
    message.extend(now.to_le_bytes());
    message
}

/// A field of bytes, text or a message.
fn bytes(message: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(message, (field << 3) | 2);
    varint(message, value.len() as u64);
    message.extend(value);
}

/// A number in groups of seven bits, the lowest first.
fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

/// TFRecord's masked CRC-32C.
fn checksum(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference values: `tensorboard.compat.tensorflow_stub.pywrap_tensorflow.masked_crc32c` of TensorBoard 2.21.0.
    #[test]
    fn checksums_are_tensorboards() {
        assert_eq!(checksum(&24u64.to_le_bytes()), 575_373_219);
        assert_eq!(checksum(b"clip-lung"), 2_597_069_876);
    }

    #[test]
    fn numbers_in_groups_of_seven_bits() {
        let of = |value| {
            let mut out = Vec::new();
            varint(&mut out, value);
            out
        };
        assert_eq!([of(0), of(127), of(300)], [vec![0], vec![127], vec![0xac, 0x02]]);
    }
}
