//! What fills the shape and what surrounds it, in HU. Nothing here reads the malignancy rating.

use super::grid::{Border, Grid, field, plane_field};
use super::shape::Subject;
use crate::base::random::Stream;
use crate::lidc::annotations::Scan;
use crate::volume::crop::{SIDE, VOXELS, cell_offset};

/// Standard deviation of the texture of the lung.
const PARENCHYMA_HU: f64 = 32.0;
/// HU of shell and core at the texture ratings 1..5.
const SHELL: [f64; 5] = [-590.0, -520.0, -420.0, -170.0, 10.0];
const CORE: [f64; 5] = [-570.0, -420.0, -150.0, -10.0, 40.0];

/// Streams of a nodule's key; the scan's own stream is keyed by the scan.
mod stream {
    pub const LUNG: u64 = 1;
    pub const PARENCHYMA: u64 = 2;
    pub const VESSELS: u64 = 3;
    pub const GRAIN: u64 = 4;
    pub const LEVEL: u64 = 5;
    pub const CALCIUM: u64 = 6;
    pub const SPICULES: u64 = 7;
    pub const WALL: u64 = 8;
    pub const PHASE: u64 = 9;
    pub const SCAN: u64 = 90;
    pub const NOISE: u64 = 100;
}

fn logistic(a: f64) -> f64 {
    1.0 / (1.0 + (-a).exp())
}

fn norm(v: [f64; 3]) -> f64 {
    dot(v, v).sqrt()
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn sub(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn scaled(a: [f64; 3], s: f64) -> [f64; 3] {
    a.map(|v| v * s)
}

/// A direction mainly in the plane: Z within +-`tilt`, (Y, X) on the circle, normalised.
fn direction(random: &mut Stream, tilt: f64) -> [f64; 3] {
    let z = random.between(-tilt, tilt);
    let (sin, cos) = random.between(0.0, std::f64::consts::TAU).sin_cos();
    let v = [z, sin, cos];
    scaled(v, 1.0 / norm(v))
}

fn table(values: &[f64; 5], rating: f64) -> f64 {
    let t = (rating - 1.0).clamp(0.0, 4.0);
    let i = (t as usize).min(3);
    values[i] + (values[i + 1] - values[i]) * (t - i as f64)
}

impl Subject<'_> {
    fn random(&self, stream: u64) -> Stream {
        Stream::new(u64::from(self.nodule.id), stream)
    }

    fn scan_random(&self) -> Stream {
        Stream::new(u64::from(self.scan.id), stream::SCAN)
    }

    /// The share of readers who chose `code` for attribute `k` (nominal scales have no mean).
    fn fraction(&self, k: usize, code: u8) -> f64 {
        let chosen = |m: &&usize| self.scan.annotations[**m].ratings.attributes[k] == code;
        self.nodule.members.iter().filter(chosen).count() as f64 / self.nodule.members.len() as f64
    }
}

/// The nodule's inside.
pub fn density(subject: &Subject, soft: &Grid) -> Grid {
    let texture = subject.nodule.ratings[7];
    let (shell, core) = (table(&SHELL, texture), table(&CORE, texture));
    let deep = soft.clone().blur([2.2; 3], Border::Nearest);
    let top = deep.values().iter().copied().fold(1e-6f32, f32::max);
    let mut hu = deep.map(|v| {
        let t = f64::from(((v / top - 0.55) / 0.3).clamp(0.0, 1.0));
        let c = t * t * (3.0 - 2.0 * t);
        (shell * (1.0 - c) + core * c) as f32
    });
    hu.add_scaled(&field(u64::from(subject.nodule.id), stream::GRAIN, 1.3), (22.0 + 14.0 * (5.0 - texture)) as f32);
    let level = 25.0 * (2.0 * subject.random(stream::LEVEL).uniform() - 1.0);
    let fluid_fat = -20.0 * subject.fraction(1, 2) - 120.0 * subject.fraction(1, 3);
    hu = hu.map(|v| v + (level + fluid_fat) as f32);
    let air = subject.fraction(1, 4);
    if air > 0.0 {
        hu.add_scaled(&Grid::from_position(|p| -850.0 * logistic((0.45 - norm(p)) / 0.08)), air as f32);
    }
    add_calcium(subject, &mut hu);
    hu
}

fn add_calcium(subject: &Subject, hu: &mut Grid) {
    let blob = |p: [f64; 3], centre: [f64; 3], radius: f64| logistic((radius - norm(sub(p, centre))) / 0.07);
    let mut random = subject.random(stream::CALCIUM);
    let mut place = |range: f64| [0; 3].map(|_: i32| random.between(-range, range));
    let popcorn: Vec<[f64; 3]> = (0..6).map(|_| place(0.55)).collect();
    let off_centre = place(0.45);
    let solid = random.between(450.0, 600.0);
    for code in 1..=5u8 {
        let f = subject.fraction(2, code);
        if f == 0.0 {
            continue;
        }
        let calcium = Grid::from_position(|p| match code {
            1 => 500.0 * popcorn.iter().map(|&c| blob(p, c, 0.22)).sum::<f64>().min(1.0),
            2 => 450.0 * (0.5 + 0.5 * (std::f64::consts::TAU * norm(p) / 0.42).cos()),
            3 => solid,
            4 => 500.0 * blob(p, off_centre, 0.32),
            _ => 550.0 * blob(p, [0.0; 3], 0.45),
        });
        hu.add_scaled(&calcium, f as f32);
    }
}

/// Thin rays from the nodule outwards, by the spiculation rating.
pub fn add_spicules(subject: &Subject, soft: &Grid, hu: &mut Grid) {
    let mut random = subject.random(stream::SPICULES);
    let rays = (3.5 * (subject.nodule.ratings[6] - 1.0)).round() as usize;
    for _ in 0..rays {
        let along = direction(&mut random, 0.6);
        let (width, end) = (random.between(0.10, 0.18), random.between(1.15, 1.6));
        let ray = Grid::from_position(|p| {
            let t = dot(p, along).clamp(0.4, end);
            let d = norm(sub(p, scaled(along, t)));
            0.75 * (-0.5 * (d / width).powi(2)).exp()
        });
        for ((v, w), s) in hu.values_mut().iter_mut().zip(ray.values()).zip(soft.values()) {
            *v += (-150.0 - *v) * w * (1.0 - s);
        }
    }
}

/// Lung, vessels and chest wall.
pub fn background(subject: &Subject) -> Grid {
    let id = u64::from(subject.nodule.id);
    let mut random = subject.random(stream::LUNG);
    let lung = level(subject.scan_random().uniform(), random.uniform());
    let slope = random.between(-12.0, 12.0);
    let mut hu = Grid::from_position(|p| lung + slope * p[1]);
    hu.add_scaled(&field(id, stream::PARENCHYMA, 1.4 / subject.pitch), PARENCHYMA_HU as f32);

    // the edge width in units of R = 8 voxels
    let w = 0.12 + subject.psf / 8.0;
    let mut random = subject.random(stream::VESSELS);
    for i in 0..1 + random.below(4) {
        let feeding = random.uniform() < 0.35 && i == 0;
        let along = direction(&mut random, 1.0);
        let radius = (0.45 + 0.9 * random.uniform().powi(2)) / (subject.nodule.diameter_mm / 2.0);
        let approach = random.between(1.25, 1.85);
        let aside = {
            let other = direction(&mut random, 1.0);
            let v = sub(other, scaled(along, dot(other, along)));
            scaled(v, approach / norm(v).max(1e-9))
        };
        let tube = Grid::from_position(|p| {
            let d = if feeding {
                norm(sub(p, scaled(along, dot(p, along).max(0.5))))
            } else {
                let q = sub(p, aside);
                norm(sub(q, scaled(along, dot(q, along))))
            };
            logistic((radius - d) / (w / 2.0)) * (radius / w).min(1.0)
        });
        hu.mix(&Grid::from_values(vec![20.0; VOXELS]), &tube);
    }

    let mut random = subject.random(stream::WALL);
    if random.uniform() < 0.30 {
        let (at, outwards) = (random.between(0.95, 1.45), direction(&mut random, 0.3));
        let wall = Grid::from_position(|p| logistic((dot(p, outwards) - at) / (w / 2.0)));
        hu.mix(&Grid::from_values(vec![25.0; VOXELS]), &wall);
    }
    hu
}

/// What the lung of a scan looks like between its nodules: mean and standard deviation, HU.
pub fn lung(scan: &Scan) -> (f64, f64) {
    let mut random = Stream::new(u64::from(scan.id), stream::SCAN);
    (level(random.uniform(), 0.5), PARENCHYMA_HU.hypot(noise(random.uniform())))
}

/// The lung's HU from the uniform numbers of the scan and of the place.
fn level(scan: f64, place: f64) -> f64 {
    -915.0 + 180.0 * (scan + place) / 2.0
}

/// The standard deviation of a scanner's noise from the scan's uniform number, HU.
fn noise(scan: f64) -> f64 {
    15.0 + 40.0 * scan
}

/// Scanner noise: independent native slices, correlated in the plane, interpolated along z with a random phase.
pub fn add_noise(subject: &Subject, hu: &mut Grid) {
    let mut scan = subject.scan_random();
    let _lung = scan.uniform();
    let sd = noise(scan.uniform());
    let sigma = 0.45 * scan.between(0.8, 1.2) / subject.pitch;
    let phase = subject.random(stream::PHASE).uniform();
    let side = 2.0 * subject.nodule.diameter_mm;
    let height = |i: usize| (cell_offset(i, SIDE, side) + side / 2.0) / subject.scan.slice_spacing + phase;
    let slices: Vec<Vec<f32>> = (0..height(SIDE - 1) as u64 + 2)
        .map(|k| plane_field(u64::from(subject.nodule.id), stream::NOISE + k, sigma))
        .collect();
    for (i, plane) in hu.values_mut().chunks_exact_mut(SIDE * SIDE).enumerate() {
        let z = height(i);
        let (k, t) = (z as usize, z.fract() as f32);
        for ((v, a), b) in plane.iter_mut().zip(&slices[k]).zip(&slices[k + 1]) {
            *v += sd as f32 * (a * (1.0 - t) + b * t);
        }
    }
}
