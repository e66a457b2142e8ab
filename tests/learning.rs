//! That training learns: each method fits a handful of nodules, and reaches the known best rate on data drawn from known laws.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::Arc;

use burn::tensor::Device;
use clip_lung_core::base::random::Stream;
use clip_lung_core::dataset::augment::Augment;
use clip_lung_core::dataset::class::{Class, Thresholds};
use clip_lung_core::dataset::crops::{Dataset, DatasetHeader, SCHEMA, Voxels};
use clip_lung_core::dataset::table::Row;
use clip_lung_core::methods::Method;
use clip_lung_core::nn::text::{clip::geometry::Geometry, side::TextSide};
use clip_lung_core::phantom;
use clip_lung_core::train::batch::{Batch, images, statistics};
use clip_lung_core::train::config::TrainConfig;
use clip_lung_core::train::step::Trainer;
use clip_lung_core::volume::geometry::CropGeometry;
use clip_lung_core::volume::grid::Margin;
use common::{ok, text};
use serde_json::Value;

/// A seeded tower of two layers: prompts and losses are those of the full one.
fn small_text_side(device: &Device) -> TextSide {
    let geometry = Geometry { width: 512, layers: 2, heads: 8, output: 512 };
    TextSide::random_clip(geometry, 2, &Class::ALL.map(Class::name), &device.clone().autodiff()).unwrap()
}

/// More than 95 % of 32 training nodules, for every method.
#[test]
fn every_method_fits_32_nodules() {
    let data = phantom::phantom(Thresholds::Inclusive, Some(400)).unwrap();
    let of =
        |class: Class, n: usize| (0..data.len()).filter(|&i| data.rows[i].class == class).take(n).collect::<Vec<_>>();
    let rows = [of(Class::Benign, 11), of(Class::Unsure, 11), of(Class::Malignant, 10)].concat();
    assert_eq!(rows.len(), 32);
    let device = Device::flex();
    for method in Method::ALL {
        let config = TrainConfig { lr: 0.02, epochs: 60, augment: Augment::None, ..TrainConfig::of(method) };
        let text = config.method.needs_text().then(|| Arc::new(small_text_side(&device)));
        let setup = config.setup(&data.rows, &rows, text).unwrap();
        let mut trainer = Trainer::new(config.clone(), &setup, &device).unwrap();
        let norm = statistics(&data, &rows);
        let images = images(&data, &rows, &norm, None, trainer.device());
        let batch = Batch::new(images, &data, &rows, &config, 0).unwrap();
        let mut best = 0.0f64;
        for epoch in 0..config.epochs {
            let (next, log) = trainer.step(&batch, epoch).unwrap();
            trainer = next.end_epoch(&data, &rows, &norm).unwrap();
            best = best.max(log.accuracy);
            if best > 0.95 {
                println!("{method:?}: {best} after {} steps", epoch + 1);
                break;
            }
        }
        assert!(best > 0.95, "{method:?}: {best}");
    }
}

/// Distance of neighbouring class means of the sign, in its standard deviations.
const DISTANCE: f64 = 1.5;

/// Balls whose margin is blurred by a sign drawn from a normal law a class; diameter and ratings know nothing of the class.
fn laws(count: usize) -> Dataset {
    let mut random = Stream::new(11, 0);
    // Irwin-Hall: twelve uniforms
    let mut normal = move || (0..12).map(|_| random.between(0.0, 1.0)).sum::<f64>() - 6.0;
    let (mut rows, mut voxels) = (Vec::new(), Vec::new());
    for i in 0..count {
        let class = Class::ALL[i % 3];
        let sign = (class as usize as f64 - 1.0) * DISTANCE + normal();
        let width = (0.45 * sign).exp();
        let shift = [normal(), normal(), normal()];
        for v in 0..32 * 32 * 32 {
            let at = [v / 1024, v / 32 % 32, v % 32];
            let d = (0..3).map(|k| (at[k] as f64 - 15.5 - shift[k]).powi(2)).sum::<f64>().sqrt();
            let soft = 1.0 / (1.0 + ((d - 8.0) / width).exp());
            voxels.push((-850.0 + 890.0 * soft + 20.0 * normal()) as i16);
        }
        rows.push(Row {
            patient_id: format!("P{i:04}"),
            series_uid: String::new(),
            nodule_id: i.to_string(),
            readers: Some(2),
            ratings: Some([3.0; 8]),
            malignancy_sum: Some([4, 6, 8][class as usize]),
            mean_malignancy: Some([2.0, 3.0, 4.0][class as usize]),
            class,
            diameter_mm: Some((2.0 + 0.3 * normal()).exp()),
            centre_mm: None,
            fold: None,
        });
    }
    let header = DatasetHeader {
        schema: SCHEMA,
        name: "laws".into(),
        source: "synthetic".into(),
        license: "none".into(),
        citation: "none".into(),
        hu_window: [-1000.0, 400.0],
        thresholds: Thresholds::Inclusive,
        crop: CropGeometry::PUBLISHED,
        margin: Margin::default(),
        synthetic: true,
        notes: String::new(),
    };
    Dataset::new(header, rows, Voxels::I16(voxels), 1.0, 0.0).unwrap()
}

/// Three equally likely normal laws a distance apart: the best rate is (4 Phi(d/2) - 1) / 3 = 0.698. Every method comes near it, and
/// the diameter, which is drawn without the class, stays at chance.
#[test]
fn every_method_comes_near_the_best_rate() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("laws");
    std::fs::create_dir(&data).unwrap();
    for (name, bytes) in laws(420).to_files().unwrap() {
        std::fs::write(data.join(name), bytes).unwrap();
    }
    let best = (4.0 * 0.773_373 - 1.0) / 3.0;
    for method in Method::ALL.map(Method::name) {
        let run = text(&place.path().join(method));
        let arguments =
            ["train", "--data", &text(&data), "--out", &run, "--method", method, "--folds", "2", "--epochs", "11"]
                .map(str::to_owned);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        ok(&[&arguments[..], &["--lr", "0.02", "--ema", "0.9", "--ema-bn", "recompute", "--text-encoder", "random"]]
            .concat());
        let metrics: Value =
            serde_json::from_slice(&std::fs::read(place.path().join(method).join("metrics.json")).unwrap()).unwrap();
        let accuracy = metrics["model"]["accuracy"]["value"].as_f64().unwrap();
        let size = metrics["size_only"]["accuracy"]["value"].as_f64().unwrap();
        println!("{method}: accuracy {accuracy:.3}, best possible {best:.3}, size alone {size:.3}");
        assert!((best - 0.12..best + 0.08).contains(&accuracy), "{method}: {accuracy} is not near {best}");
        assert!((0.22..0.45).contains(&size), "{method}: size alone {size} is not chance");
    }
}
