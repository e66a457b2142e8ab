//! Sums over the units of a cube, and over the parts that cubes leave.

use cubecl::prelude::*;

/// The sum of what every unit of the cube gives.
#[cube]
pub fn total(value: f32, shared: &mut Shared<[f32]>, #[comptime] units: usize) -> f32 {
    sync_cube();
    shared[UNIT_POS_X as usize] = value;
    sync_cube();
    let mut sum = 0.0f32;
    for u in 0..units {
        sum += shared[u];
    }
    sum
}

/// Writes a cube's part of two sums for each of its channels: over its units of one column, `height` of them.
#[cube]
pub fn write_part(
    first: f32,
    second: f32,
    parts: &mut [f32],
    channels: u32,
    #[comptime] width: usize,
    #[comptime] height: usize,
) {
    let channel = CUBE_POS_X as usize * width + UNIT_POS_X as usize;
    let mut firsts = Shared::<[f32]>::new_slice(width * height);
    let mut seconds = Shared::<[f32]>::new_slice(width * height);
    let at = UNIT_POS_Y as usize * width + UNIT_POS_X as usize;
    firsts[at] = first;
    seconds[at] = second;
    sync_cube();
    if UNIT_POS_Y == 0 && channel < channels as usize {
        let mut total = 0.0f32;
        let mut other_total = 0.0f32;
        for y in 0..height {
            total += firsts[y * width + UNIT_POS_X as usize];
            other_total += seconds[y * width + UNIT_POS_X as usize];
        }
        let to = CUBE_POS_Y as usize * 2 * channels as usize + channel;
        parts[to] = total;
        parts[to + channels as usize] = other_total;
    }
}

/// A channel's two sums over all parts, `count` of them.
#[cube]
pub fn read_parts(parts: &[f32], channel: usize, channels: u32, count: u32) -> (f32, f32) {
    let mut first = 0.0f32;
    let mut second = 0.0f32;
    for p in 0..count {
        let from = p as usize * 2 * channels as usize + channel;
        first += parts[from];
        second += parts[from + channels as usize];
    }
    (first, second)
}
