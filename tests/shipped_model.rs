//! The model that ships: it is what it says, answers as it did when it was made, and takes no air, muscle or bone for a nodule.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use burn::tensor::Device;
use clip_lung_core::base::tensors;
use clip_lung_core::dataset::class::Thresholds;
use clip_lung_core::model::config::ModelConfig;
use clip_lung_core::model::predict::Model;
use clip_lung_core::phantom::phantom;
use clip_lung_core::volume::crop::{Crop, VOXELS};
use clip_lung_core::volume::dicom::{File, Series, SliceHeader, read_file, slice_hu};
use clip_lung_core::volume::frame::Point;
use common::{Place, files, json, ok, skipped, text};
use safetensors::{Dtype, SafeTensors};
use serde_json::json;

fn repository(place: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(place)
}

/// The model's directory, where it is there.
fn shipped() -> Option<PathBuf> {
    let dir = repository("models/lidc-a");
    if dir.is_dir() {
        return Some(dir);
    }
    skipped("models/lidc-a is not there");
    None
}

/// Numbers before a word in a text.
fn counted(text: &str, word: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = words.iter().position(|w| *w == word)?;
    words[..at].iter().rev().find(|w| w.chars().all(|c| c.is_ascii_digit())).map(|w| (*w).to_owned())
}

#[test]
fn it_is_small_real_and_says_what_it_is() {
    let Some(dir) = shipped() else { return };
    let files: BTreeMap<String, Vec<u8>> = files(&dir).into_iter().collect();
    let bytes: usize = files.values().map(Vec::len).sum();
    assert!(bytes <= 23_000_000, "{bytes} bytes");
    let weights = SafeTensors::deserialize(&files["model.safetensors"]).unwrap();
    assert_eq!(weights.tensor("conv1.weight").unwrap().dtype(), Dtype::F16);

    let config = ModelConfig::parse(&files["config.json"], "config.json").unwrap();
    assert!(!config.metadata.synthetic);
    let guard = config.guard.unwrap();
    assert!(guard.false_alarms <= 0.05, "{guard:?}");
    let set = config.answer_set.unwrap();
    assert!((set.measured - 0.9).abs() <= 0.03, "{set:?}");

    let learned = config.metadata.trained_on();
    let [nodules, patients] = ["nodules", "patients,"].map(|word| counted(&learned, word).unwrap());
    let card = String::from_utf8(files["README.md"].clone()).unwrap();
    for part in [&nodules, &patients, "CC BY 3.0", "LIDC-IDRI"] {
        assert!(card.contains(part), "the card lacks {part}");
    }
    let lower = card.to_lowercase();
    assert!(["size-only", "size only", "size alone", "diameter alone"].iter().any(|name| lower.contains(name)));
}

/// The golden pair holds drawn nodules, nobody's, and their probabilities as they come out here.
#[test]
fn its_golden_pair_is_drawn_and_reproduced() {
    let Some(dir) = shipped() else { return };
    let files: BTreeMap<String, Vec<u8>> = files(&dir).into_iter().collect();
    let golden = tensors::read(&files["golden.safetensors"], "golden.safetensors").unwrap();
    let crops: Vec<Crop> =
        golden["input"].values.chunks_exact(VOXELS).map(|hu| Crop::new(hu.to_vec(), "golden").unwrap()).collect();
    let drawn = phantom(Thresholds::Inclusive, Some(2)).unwrap();
    assert_eq!(crops.len(), 2);
    for (i, crop) in crops.iter().enumerate() {
        let known = drawn.crop(i).unwrap();
        // a grey value of the drawings is 5.5 HU, which another processor may round otherwise
        assert!(crop.hu().iter().zip(known.hu()).all(|(a, b)| (a - b).abs() < 6.0), "crop {i} is not the drawn one");
    }
    let model = Model::load(&files, "models/lidc-a", &Device::flex()).unwrap();
    let found = model.predict(&crops, &[8.0, 8.0]).unwrap();
    let classes = model.config.classes.len();
    for (found, known) in found.iter().zip(golden["probabilities"].values.chunks_exact(classes)) {
        for (p, known) in found.probabilities.iter().zip(known) {
            assert!((p - f64::from(*known)).abs() < 1e-4, "{:?}, not {known:?}", found.probabilities);
        }
    }
}

/// A scan in HU, [z, y, x] from the feet.
struct Scan {
    series: Series,
    slices: Vec<Vec<f32>>,
}

/// Steps of the grid of places that are looked at, x, y and z, and voxels around each whose mean counts on every side.
const STEPS: [usize; 3] = [4, 4, 3];
const AROUND: usize = 2;

impl Scan {
    fn read(dir: &Path) -> Self {
        let all: Vec<(Vec<u8>, SliceHeader)> = walkdir::WalkDir::new(dir)
            .into_iter()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_type().is_file())
            .filter_map(|entry| {
                let bytes = std::fs::read(entry.path()).unwrap();
                let Ok(File::Ct(header)) = read_file(&bytes) else { return None };
                Some((bytes, *header))
            })
            .collect();
        let headers = all.iter().enumerate().map(|(i, (_, header))| (i, header.clone())).collect();
        let series = Series::order(headers, &|i| i.to_string()).unwrap();
        let slices = series.slices.iter().map(|s| slice_hu(&all[s.file].0, &all[s.file].1).unwrap()).collect();
        Self { series, slices }
    }

    /// Columns, rows, slices.
    fn dims(&self) -> [usize; 3] {
        let [z, y, x] = self.series.dims();
        [x, y, z]
    }

    fn hu(&self, [x, y, z]: [usize; 3]) -> f32 {
        self.slices[z][y * self.dims()[0] + x]
    }

    /// Mean and standard deviation of the 5 x 5 x 5 voxels around.
    fn around(&self, [x, y, z]: [usize; 3]) -> (f64, f64) {
        let side = |at: usize| at - AROUND..=at + AROUND;
        let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
        for z in side(z) {
            for y in side(y) {
                for x in side(x) {
                    let hu = f64::from(self.hu([x, y, z]));
                    (sum, squares, count) = (sum + hu, squares + hu * hu, count + 1.0);
                }
            }
        }
        let mean = sum / count;
        (mean, (squares / count - mean * mean).max(0.0).sqrt())
    }

    /// Of the four ways within the slice, those on which the body is met before the picture's edge.
    fn walls(&self, [x, y, z]: [usize; 3]) -> usize {
        let [columns, rows, _] = self.dims();
        let body = |at: [usize; 3]| self.hu(at) > -300.0;
        let ways = [
            (0..x).any(|x| body([x, y, z])),
            (x..columns).any(|x| body([x, y, z])),
            (0..y).any(|y| body([x, y, z])),
            (y..rows).any(|y| body([x, y, z])),
        ];
        ways.into_iter().filter(|met| *met).count()
    }

    /// What lies at a place, by the mean of its neighbourhood and, for air, whether the body is all around.
    fn kind(&self, at: [usize; 3]) -> Option<&'static str> {
        let (mean, deviation) = self.around(at);
        match mean {
            m if m < -900.0 && self.walls(at) < 2 => Some("outside the body"),
            m if m < -800.0 && self.walls(at) == 4 => Some("air in the lung"),
            m if (20.0..90.0).contains(&m) && deviation < 35.0 => Some("muscle"),
            m if m > 220.0 => Some("bone"),
            _ => None,
        }
    }
}

/// The series' annotated nodule, LPS in mm, and how far from it nothing is planted.
const NODULE: [f64; 3] = [59.817_662, 71.683_023, -103.194_322];
const AWAY_MM: f64 = 50.0;
/// Places of each kind, and the diameters given for them, mm.
const PLACES: usize = 30;
const DIAMETERS: [f64; 4] = [5.0, 8.0, 12.0, 20.0];

/// As many places of each kind, evenly over all that there are.
fn planted(scan: &Scan) -> BTreeMap<&'static str, Vec<[usize; 3]>> {
    let [columns, rows, slices] = scan.dims();
    let mut all: BTreeMap<&'static str, Vec<[usize; 3]>> = BTreeMap::new();
    let inside = |count: usize, step: usize| (AROUND..count - AROUND).step_by(step);
    for z in inside(slices, STEPS[2]) {
        for y in inside(rows, STEPS[1]) {
            for x in inside(columns, STEPS[0]) {
                let mm = scan.series.mm(Point::new([x, y, z].map(|v| v as f64)).unwrap()).unwrap().xyz();
                let far = mm.iter().zip(NODULE).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt() > AWAY_MM;
                if let Some(kind) = scan.kind([x, y, z]).filter(|_| far) {
                    all.entry(kind).or_default().push([x, y, z]);
                }
            }
        }
    }
    all.into_iter()
        .map(|(kind, places)| (kind, (0..PLACES).map(|i| places[(2 * i + 1) * places.len() / (2 * PLACES)]).collect()))
        .collect()
}

#[test]
fn planted_air_muscle_and_bone_are_no_nodule() {
    let Some(model) = shipped() else { return };
    let packed = repository("../shared/data/lidc-series/LIDC-IDRI-0002.tar.xz");
    if !packed.is_file() {
        return skipped(&format!("{} is not there", packed.display()));
    }
    let place = Place::new();
    let unpacked = Command::new("tar").arg("-xJf").arg(&packed).arg("-C").arg(place.path("")).status();
    if !unpacked.is_ok_and(|status| status.success()) {
        return skipped("tar with xz could not unpack the series");
    }
    let scan = Scan::read(&place.path(""));
    let planted = planted(&scan);
    assert_eq!(planted.len(), 4, "{:?}", planted.keys());
    let mut list = Vec::new();
    for (kind, places) in &planted {
        list.extend(places.iter().enumerate().map(|(i, at)| {
            json!({"id": format!("{kind} {i}"), "frame": "voxel", "centre": at, "diameter_mm": DIAMETERS[i % DIAMETERS.len()]})
        }));
    }
    std::fs::write(place.path("list.json"), json!(list).to_string()).unwrap();
    let said =
        ok(&["predict", "--model", &text(&model), &place.name(""), "--nodules", &place.name("list.json"), "--json"]);
    let said = json(&said);
    let answers = said["predictions"].as_array().unwrap();
    for kind in planted.keys() {
        let of_kind = answers.iter().filter(|a| a["id"].as_str().unwrap().starts_with(kind));
        let flagged: Vec<bool> = of_kind.map(|a| a["in_distribution"] == false && a["reason"].is_string()).collect();
        let share = flagged.iter().filter(|f| **f).count() as f64 / flagged.len() as f64;
        println!("{kind}: {:.0} % of {} flagged", 100.0 * share, flagged.len());
        assert!(flagged.len() == PLACES && share >= 0.95, "{kind}: {share}");
    }
}
