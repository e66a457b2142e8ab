//! Training-time augmentation: flips, quarter turns in the plane, shifts. Off reproduces the literal recipe.

use serde::{Deserialize, Serialize};

use crate::base::random::{Stream, key};
use crate::volume::crop::SIDE;

/// What is done to a training crop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Augment {
    /// Random flips of each axis, quarter turns in the plane, shifts up to 2 voxels.
    #[default]
    Default,
    /// Random in-plane flips and quarter turns.
    FlipTurn,
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
            Self::FlipTurn => Motion { flip: [false, motion.flip[1], motion.flip[2]], shift: [0; 3], ..motion },
            Self::None => Motion { flip: [false; 3], turns: 0, shift: [0; 3] },
        }
    }

    /// The transformed crop (z, y, x) into `out`; a pure function of (seed, epoch, nodule). Samples that a shift brings in
    /// repeat the border.
    pub fn apply(self, seed: u64, epoch: u64, nodule: u64, crop: &[f32], out: &mut [f32]) {
        let motion = self.draw(&mut Stream::new(key(&[seed, epoch, nodule]), 7));
        let n = SIDE as isize;
        let source = |i: usize, axis: usize| -> usize {
            let moved = (i as isize + motion.shift[axis]).clamp(0, n - 1) as usize;
            if motion.flip[axis] { SIDE - 1 - moved } else { moved }
        };
        for z in 0..SIDE {
            let plane = source(z, 0) * SIDE * SIDE;
            for y in 0..SIDE {
                for x in 0..SIDE {
                    let (sy, sx) = (source(y, 1), source(x, 2));
                    let (ty, tx) = match motion.turns {
                        0 => (sy, sx),
                        1 => (sx, SIDE - 1 - sy),
                        2 => (SIDE - 1 - sy, SIDE - 1 - sx),
                        _ => (SIDE - 1 - sx, sy),
                    };
                    out[(z * SIDE + y) * SIDE + x] = crop[plane + ty * SIDE + tx];
                }
            }
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
        kind.apply(1, epoch, 3, &crop, &mut out);
        out
    }

    #[test]
    fn pure_function_and_none_is_identity() {
        let crop: Vec<f32> = (0..VOXELS).map(|v| v as f32).collect();
        assert_eq!(run(Augment::None, 5), crop);
        assert_eq!(run(Augment::Default, 5), run(Augment::Default, 5));
        assert!((0..8).any(|e| run(Augment::Default, e) != run(Augment::Default, e + 1)));
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
