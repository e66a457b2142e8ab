//! Training-time augmentation: flips, quarter turns in the plane, shifts. Off reproduces the literal recipe.

use serde::{Deserialize, Serialize};

use crate::base::random::{Stream, key};
use crate::volume::grid::{Margin, SIDE};

/// What is done to a training crop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Augment {
    /// Random flips of each axis, quarter turns in the plane, shifts up to 2 voxels.
    #[default]
    Default,
    /// Random in-plane flips and quarter turns.
    FlipTurn,
    /// The same, with centres, diameters and HU disturbed as when users mark nodules by hand ([`super::jitter`]).
    Jitter,
    /// Nothing.
    None,
}

/// One drawn transformation.
#[derive(Clone, Copy, Debug)]
struct Motion {
    flip: [bool; 3],
    turns: usize,
    shift: [isize; 3],
}

impl Augment {
    fn draw(self, random: &mut Stream) -> Motion {
        let mut coin = || random.bits() & 1 == 1;
        let mut motion = Motion { flip: [coin(), coin(), coin()], turns: 0, shift: [0; 3] };
        motion.turns = random.below(4);
        motion.shift = [0; 3].map(|_: isize| random.below(5) as isize - 2);
        match self {
            Self::Default => motion,
            Self::FlipTurn | Self::Jitter => {
                Motion { flip: [false, motion.flip[1], motion.flip[2]], shift: [0; 3], ..motion }
            }
            Self::None => Motion { flip: [false; 3], turns: 0, shift: [0; 3] },
        }
    }

    /// Where the transformed crop's samples lie among those of the crop with its margin: that at (z, y, x) is number
    /// `found[0][z] + found[1][y] + found[2][x]`. A pure function of (seed, epoch, nodule). What a shift brings in comes from the
    /// margin, and beyond it repeats the border.
    pub fn sources(self, seed: u64, epoch: u64, nodule: u64, margin: Margin) -> [[usize; SIDE]; 3] {
        let motion = self.draw(&mut Stream::new(key(&[seed, epoch, nodule]), 7));
        let last = SIDE as isize - 1;
        let [_, height, width] = margin.shape();
        let strides = [height * width, width, 1];
        // axis `to` of the transformed crop runs along axis `from` of the stored one, the other way round where a turn makes it
        let along = |to: usize, from: usize, back: bool| -> [usize; SIDE] {
            let cells = margin.cells()[from] as isize;
            std::array::from_fn(|i| {
                // in the crop's own cells: below 0 and above 31 in the margin
                let moved = i as isize + motion.shift[to];
                let at = if motion.flip[to] == back { moved } else { last - moved };
                (at.clamp(-cells, last + cells) + cells) as usize * strides[from]
            })
        };
        let (y, x) = if motion.turns.is_multiple_of(2) { (1, 2) } else { (2, 1) };
        [along(0, 0, false), along(1, y, matches!(motion.turns, 1 | 2)), along(2, x, motion.turns >= 2)]
    }

    /// The transformed crop (z, y, x) into `out`, by its [`sources`](Self::sources) in `patch`, the crop with its margin.
    pub fn apply(self, seed: u64, epoch: u64, nodule: u64, patch: &[f32], margin: Margin, out: &mut [f32]) {
        let [zs, ys, xs] = self.sources(seed, epoch, nodule, margin);
        let lines = zs.iter().flat_map(|z| ys.iter().map(move |y| z + y));
        for (line, start) in out.chunks_exact_mut(SIDE).zip(lines) {
            line.iter_mut().zip(xs).for_each(|(v, x)| *v = patch[start + x]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::crop::VOXELS;

    fn run(kind: Augment, epoch: u64) -> Vec<f32> {
        let crop: Vec<f32> = (0..VOXELS).map(|v| v as f32).collect();
        let mut out = vec![0.0; VOXELS];
        kind.apply(1, epoch, 3, &crop, Margin::default(), &mut out);
        out
    }

    #[test]
    fn pure_function_and_none_is_identity() {
        let crop: Vec<f32> = (0..VOXELS).map(|v| v as f32).collect();
        assert_eq!(run(Augment::None, 5), crop);
        assert_eq!(run(Augment::Default, 5), run(Augment::Default, 5));
        assert!((0..8).any(|e| run(Augment::Default, e) != run(Augment::Default, e + 1)));
    }

    /// What the margin holds is what the shifts bring in: every sample of a field that covers crop and margin is its own place's.
    #[test]
    fn shifts_read_the_margin() {
        let field = |z: isize, y: isize, x: isize| ((z * 7919 + y * 104_729 + x * 1_299_709) % 65_521) as f32;
        let range = |m: usize| -(m as isize)..(SIDE + m) as isize;
        let cut = |margin: Margin| -> Vec<f32> {
            let [mz, my, mx] = margin.cells();
            range(mz).flat_map(|z| range(my).flat_map(move |y| range(mx).map(move |x| field(z, y, x)))).collect()
        };
        let wide = Margin::new([2; 3]).unwrap();
        let (narrow, mut differs) = (Margin::new([0, 0, 2]).unwrap(), false);
        for epoch in 0..64 {
            let motion = Augment::Default.draw(&mut Stream::new(key(&[1, epoch, 3]), 7));
            let mut out = vec![0.0; VOXELS];
            Augment::Default.apply(1, epoch, 3, &cut(wide), wide, &mut out);
            for (i, found) in out.iter().enumerate() {
                let at = [i / 1024, i / 32 % 32, i % 32];
                let [z, y, x] = [0, 1, 2].map(|a| {
                    let moved = at[a] as isize + motion.shift[a];
                    if motion.flip[a] { 31 - moved } else { moved }
                });
                let (y, x) = [(y, x), (x, 31 - y), (31 - y, 31 - x), (31 - x, y)][motion.turns];
                assert_eq!(*found, field(z, y, x), "epoch {epoch}, sample {i}");
            }
            // without enough of a margin the border repeats
            let mut clamped = vec![0.0; VOXELS];
            Augment::Default.apply(1, epoch, 3, &cut(narrow), narrow, &mut clamped);
            differs |= clamped != out;
        }
        assert!(differs);
    }

    /// Without a margin, what version 0.1 drew (FNV of the first samples' bits).
    #[test]
    fn without_a_margin_nothing_changed() {
        let mut digest = 0xcbf2_9ce4_8422_2325_u64;
        for epoch in 0..8 {
            for v in run(Augment::Default, epoch) {
                digest = (digest ^ u64::from(v.to_bits())).wrapping_mul(0x0100_0000_01b3);
            }
        }
        assert_eq!(digest, 0x8564_8e97_e857_7325);
    }

    #[test]
    fn flips_and_turns_keep_every_voxel_and_slice() {
        for epoch in 0..16 {
            let out = run(Augment::FlipTurn, epoch);
            for (z, plane) in out.chunks(SIDE * SIDE).enumerate() {
                let mut sorted: Vec<usize> = plane.iter().map(|v| *v as usize).collect();
                sorted.sort_unstable();
                assert_eq!(sorted, (z * SIDE * SIDE..(z + 1) * SIDE * SIDE).collect::<Vec<_>>());
            }
        }
    }
}
