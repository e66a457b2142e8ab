//! Encoders for the archives that tests write.

/// RLE Lossless: the bytes of each plane as runs of up to 128.
pub fn rle(values: &[u16]) -> Vec<u8> {
    let segment = |shift: u16| {
        let mut out = Vec::new();
        let bytes: Vec<u8> = values.iter().map(|v| (v >> shift) as u8).collect();
        let mut rest = bytes.as_slice();
        while let Some(&first) = rest.first() {
            let run = rest.iter().take(128).take_while(|b| **b == first).count();
            if run > 1 {
                out.extend([(257 - run) as u8, first]);
            } else {
                out.extend([0, first]);
            }
            rest = &rest[run..];
        }
        out.resize(out.len().next_multiple_of(2), 0x80);
        out
    };
    let (high, low) = (segment(8), segment(0));
    let mut out = vec![0u8; 64];
    out[0..4].copy_from_slice(&2u32.to_le_bytes());
    out[4..8].copy_from_slice(&64u32.to_le_bytes());
    out[8..12].copy_from_slice(&(64 + high.len() as u32).to_le_bytes());
    [out, high, low].concat()
}

/// Lossless JPEG (ITU T.81, process 14, predictor 1) of 16-bit values: every category has a code of five bits.
pub fn jpeg_lossless(values: &[u16], side: u16) -> Vec<u8> {
    let mut out = vec![0xff, 0xd8, 0xff, 0xc3, 0, 11, 16];
    out.extend(side.to_be_bytes());
    out.extend(side.to_be_bytes());
    out.extend([1, 1, 0x11, 0]);
    out.extend([0xff, 0xc4, 0, 36, 0]);
    out.extend([0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    out.extend(0..17u8);
    out.extend([0xff, 0xda, 0, 8, 1, 1, 0, 1, 0, 0]);
    let mut bits = Bits { out, pending: 0, count: 0 };
    let side = usize::from(side);
    for (i, value) in values.iter().enumerate() {
        let predicted = if i == 0 {
            1 << 15
        } else if i % side == 0 {
            values[i - side]
        } else {
            values[i - 1]
        };
        let difference = i32::from(value.wrapping_sub(predicted) as i16);
        let category = if difference == -32768 { 16 } else { 32 - difference.unsigned_abs().leading_zeros() };
        bits.push(category, 5);
        if category > 0 && category < 16 {
            let low = if difference < 0 { difference - 1 } else { difference };
            bits.push(low as u32 & ((1 << category) - 1), category);
        }
    }
    bits.finish()
}

/// Entropy-coded bits with stuffing.
struct Bits {
    out: Vec<u8>,
    pending: u32,
    count: u32,
}

impl Bits {
    fn push(&mut self, value: u32, length: u32) {
        for i in (0..length).rev() {
            self.pending = self.pending << 1 | (value >> i & 1);
            self.count += 1;
            if self.count == 8 {
                self.out.push(self.pending as u8);
                if self.pending as u8 == 0xff {
                    self.out.push(0);
                }
                (self.pending, self.count) = (0, 0);
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        while self.count > 0 {
            self.push(1, 1);
        }
        self.out.extend([0xff, 0xd9]);
        self.out
    }
}

/// Baseline JPEG of an eighth of the values.
pub fn jpeg_baseline(values: &[u16], side: u16) -> Vec<u8> {
    let eighth: Vec<u8> = values.iter().map(|v| (f64::from(*v) / 8.0).round() as u8).collect();
    let mut out = Vec::new();
    jpeg_encoder::Encoder::new(&mut out, 95).encode(&eighth, side, side, jpeg_encoder::ColorType::Luma).unwrap();
    out
}

/// Slice `k` of the usual scan at 0.9 mm and 2.5 mm, as golden/codecs.py encodes it.
pub fn golden_jpeg_2000(k: usize) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/codecs/ball");
    std::fs::read(folder.join(format!("{k}.j2k"))).unwrap()
}
