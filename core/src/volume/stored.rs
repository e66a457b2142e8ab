//! Numbers as image files store them.

use half::f16;

/// A type of number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F16,
    F32,
    F64,
}

impl Number {
    /// Bytes of one.
    pub fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    /// All whole numbers of `body`, big or little endian, as f32.
    pub fn read(self, body: &[u8], big: bool) -> Vec<f32> {
        match self {
            Self::I8 => words(body, big, |b| f32::from(i8::from_le_bytes(b))),
            Self::U8 => words(body, big, |b| f32::from(u8::from_le_bytes(b))),
            Self::I16 => words(body, big, |b| f32::from(i16::from_le_bytes(b))),
            Self::U16 => words(body, big, |b| f32::from(u16::from_le_bytes(b))),
            Self::I32 => words(body, big, |b| i32::from_le_bytes(b) as f32),
            Self::U32 => words(body, big, |b| u32::from_le_bytes(b) as f32),
            Self::I64 => words(body, big, |b| i64::from_le_bytes(b) as f32),
            Self::U64 => words(body, big, |b| u64::from_le_bytes(b) as f32),
            Self::F16 => words(body, big, |b| f16::from_le_bytes(b).to_f32()),
            Self::F32 => words(body, big, f32::from_le_bytes),
            Self::F64 => words(body, big, |b| f64::from_le_bytes(b) as f32),
        }
    }
}

fn words<const N: usize>(body: &[u8], big: bool, read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let one = |chunk: &[u8; N]| {
        let mut word = *chunk;
        if big {
            word.reverse();
        }
        read(word)
    };
    body.as_chunks().0.iter().map(one).collect()
}
