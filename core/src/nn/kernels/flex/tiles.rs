//! The transforms of F(4x4, 3x3) and F(2x2, 3x3), Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks" (CVPR 2016), and the
//! way of pixels into the transformed domain and out of it, channels last.

use super::arrays::vectorised;

/// Channels that are transformed together: as many as fill a wide vector, or the few registers of a browser's.
const LANES: usize = if cfg!(target_arch = "wasm32") { 4 } else { 16 };

/// Tiles of `EDGE` input pixels a side, which give `STEP` = `EDGE` - 2 output pixels a side. A 2-D transform is the same 1-D one down
/// the columns and along the rows.
pub trait Tile<const EDGE: usize, const STEP: usize> {
    /// The paper's G; one row an input pixel.
    const KERNEL: [[f64; 3]; EDGE];
    /// The paper's B^T.
    fn input(line: [f32; EDGE]) -> [f32; EDGE];
    /// The paper's A^T.
    fn output(line: [f32; EDGE]) -> [f32; STEP];
}

/// F(4x4, 3x3)
pub struct Four;

impl Tile<6, 4> for Four {
    const KERNEL: [[f64; 3]; 6] = [
        [1.0 / 4.0, 0.0, 0.0],
        [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
        [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
        [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
        [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
        [0.0, 0.0, 1.0],
    ];

    #[inline(always)]
    fn input([a, b, c, d, e, f]: [f32; 6]) -> [f32; 6] {
        let (even, odd) = (e - 4.0 * c, d - 4.0 * b);
        let (near, twice) = (e - c, 2.0 * (d - b));
        let (first, last) = (4.0 * a - 5.0 * c + e, 4.0 * b - 5.0 * d + f);
        [first, even + odd, even - odd, near + twice, near - twice, last]
    }

    #[inline(always)]
    fn output([a, b, c, d, e, f]: [f32; 6]) -> [f32; 4] {
        let (sum, difference) = (b + c, b - c);
        let (far_sum, far_difference) = (d + e, d - e);
        [
            a + sum + far_sum,
            difference + 2.0 * far_difference,
            sum + 4.0 * far_sum,
            difference + 8.0 * far_difference + f,
        ]
    }
}

/// F(2x2, 3x3)
pub struct Two;

impl Tile<4, 2> for Two {
    const KERNEL: [[f64; 3]; 4] = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];

    #[inline(always)]
    fn input([a, b, c, d]: [f32; 4]) -> [f32; 4] {
        [a - c, b + c, c - b, b - d]
    }

    #[inline(always)]
    fn output([a, b, c, d]: [f32; 4]) -> [f32; 2] {
        [a + b + c, b - c - d]
    }
}

/// The transformed input of tiles, `[tiles, c]` a cell, from the row of tiles `first` on; `x` `[n, h, w, c]`.
pub fn spread<T: Tile<EDGE, STEP>, const EDGE: usize, const STEP: usize>(
    x: &[f32],
    [h, w, c]: [usize; 3],
    first: usize,
    mut cells: Vec<&mut [f32]>,
) {
    let (mut pixels, mut half) = (vec![0.0; EDGE * EDGE * c], vec![0.0; EDGE * EDGE * c]);
    let nothing = vec![0.0; EDGE * c];
    let across = w / STEP;
    for tile in 0..cells[0].len() / c {
        let row = first + tile / across;
        let (image, top, left) = (row / (h / STEP), row % (h / STEP) * STEP, tile % across * STEP);
        // columns inside of the image; what lies outside is zero
        let (from, to) = (usize::from(left == 0), EDGE.min(w + 1 - left));
        let inside = |i: usize| {
            let start = ((image * h + top + i - 1) * w + left + from - 1) * c;
            &x[start..start + (to - from) * c]
        };
        let in_image = |i: usize| (1..=h).contains(&(top + i));
        let border = to - from < EDGE;
        if border {
            pixels.fill(0.0);
            for (i, line) in pixels.chunks_exact_mut(EDGE * c).enumerate().filter(|(i, _)| in_image(*i)) {
                line[from * c..to * c].copy_from_slice(inside(i));
            }
        }
        let lines: [&[f32]; EDGE] = std::array::from_fn(|i| match in_image(i) {
            true if border => &pixels[i * EDGE * c..][..EDGE * c],
            true => inside(i),
            false => &nothing,
        });
        vectorised(
            #[inline(always)]
            || {
                each(lines, split(&mut half), T::input);
                for (half, cells) in half.chunks_exact(EDGE * c).zip(cells.as_chunks_mut::<EDGE>().0) {
                    each(parts(half), cells.each_mut().map(|cell| &mut cell[tile * c..][..c]), T::input);
                }
            },
        );
    }
}

/// The output pixels of tiles from their products, `[cells, tiles, c]`; `out` `[rows, w, c]` begins with a row of tiles.
pub fn gather<T: Tile<EDGE, STEP>, const EDGE: usize, const STEP: usize>(
    products: &[f32],
    out: &mut [f32],
    w: usize,
    c: usize,
) {
    let tiles = products.len() / (EDGE * EDGE * c);
    let across = w / STEP;
    // a column of cells after the other, each with STEP lines
    let mut half = vec![0.0; EDGE * STEP * c];
    for tile in 0..tiles {
        let (top, left) = (tile / across * STEP, tile % across * STEP);
        vectorised(
            #[inline(always)]
            || {
                for (j, half) in half.chunks_exact_mut(STEP * c).enumerate() {
                    let cell = |i: usize| &products[((i * EDGE + j) * tiles + tile) * c..][..c];
                    each(std::array::from_fn(cell), split(half), T::output);
                }
                for i in 0..STEP {
                    let line = |j: usize| &half[(j * STEP + i) * c..][..c];
                    let start = ((top + i) * w + left) * c;
                    each(std::array::from_fn(line), split(&mut out[start..start + STEP * c]), T::output);
                }
            },
        );
    }
}

/// `transform` across lines of one length, value by value.
#[inline(always)]
pub fn each<const FROM: usize, const TO: usize>(
    from: [&[f32]; FROM],
    mut to: [&mut [f32]; TO],
    transform: impl Fn([f32; FROM]) -> [f32; TO],
) {
    let count = from[0].len();
    let whole = count / LANES * LANES;
    for at in (0..whole).step_by(LANES) {
        lanes::<LANES, FROM, TO>(&from, &mut to, at, &transform);
    }
    for at in whole..count {
        lanes::<1, FROM, TO>(&from, &mut to, at, &transform);
    }
}

/// [`each`] on the `L` values from `at` on, which are all read before any is written, so that it does not matter to the compiler
/// whether lines overlap.
#[inline(always)]
fn lanes<const L: usize, const FROM: usize, const TO: usize>(
    from: &[&[f32]; FROM],
    to: &mut [&mut [f32]; TO],
    at: usize,
    transform: &impl Fn([f32; FROM]) -> [f32; TO],
) {
    let mut read = [[0.0; L]; FROM];
    for (values, line) in read.iter_mut().zip(from) {
        values.copy_from_slice(&line[at..at + L]);
    }
    let mut found = [[0.0; L]; TO];
    for l in 0..L {
        let values = transform(std::array::from_fn(|i| read[i][l]));
        for (found, value) in found.iter_mut().zip(values) {
            found[l] = value;
        }
    }
    for (values, line) in found.iter().zip(to) {
        line[at..at + L].copy_from_slice(values);
    }
}

/// Lines of one length that lie one after the other.
#[inline(always)]
pub fn parts<const N: usize>(lines: &[f32]) -> [&[f32]; N] {
    let n = lines.len() / N;
    std::array::from_fn(|i| &lines[i * n..(i + 1) * n])
}

/// [`parts`], to be written.
#[inline(always)]
pub fn split<const N: usize>(lines: &mut [f32]) -> [&mut [f32]; N] {
    let n = lines.len() / N;
    let mut rest = lines;
    std::array::from_fn(|_| {
        let (line, behind) = std::mem::take(&mut rest).split_at_mut(n);
        rest = behind;
        line
    })
}
