//! Which rows of a batch of prompts attend to which, for kernels.

use cubecl::prelude::*;

/// [`Sequences`](crate::nn::kernels::attention::Sequences) as a kernel is told them; `s` is one at least.
#[derive(CubeLaunch, CubeType)]
pub struct Layout {
    pub n: u32,
    pub p: u32,
    pub c: u32,
    pub s: u32,
    pub heads: u32,
    pub head: u32,
}

/// Two pieces of a batch's rows: `count` from `first` on, then `more` from `next` on.
#[derive(CubeType)]
pub struct Pieces {
    pub first: usize,
    pub count: usize,
    pub next: usize,
    pub more: usize,
}

/// The row at place `k` of both pieces.
#[cube]
pub fn row_of(pieces: &Pieces, k: usize) -> usize {
    let mut row = pieces.first + k;
    if k >= pieces.count {
        row = pieces.next + (k - pieces.count);
    }
    row
}

/// What a row sees: of its prefix, then of its own suffix, up to itself; or its whole prefix.
#[cube]
pub fn keys(row: usize, layout: &Layout, #[comptime] causal: bool) -> Pieces {
    let (p, s) = (layout.p as usize, layout.s as usize);
    let prefixes = layout.n as usize * p;
    let suffixes = layout.c as usize * s;
    let mut first = row / p * p;
    let mut count = p;
    let mut next = row;
    let mut more = 0usize;
    if row >= prefixes {
        let token = row - prefixes;
        first = token / suffixes * p;
        next = row - token % s;
        more = token % s + 1;
    } else if causal {
        count = row % p + 1;
    }
    Pieces { first, count, next, more }
}

/// What sees a row: of its prefix or suffix from itself on, and, of a prefix, all its suffixes; or its whole prefix.
#[cube]
pub fn queries(row: usize, layout: &Layout, #[comptime] causal: bool) -> Pieces {
    let (p, s) = (layout.p as usize, layout.s as usize);
    let prefixes = layout.n as usize * p;
    let suffixes = layout.c as usize * s;
    let mut first = row / p * p;
    let mut count = p;
    let mut next = row;
    let mut more = 0usize;
    if row >= prefixes {
        first = row;
        count = s - (row - prefixes) % s;
    } else if causal {
        first = row;
        count = p - row % p;
        next = prefixes + row / p * suffixes;
        more = suffixes;
    }
    Pieces { first, count, next, more }
}
