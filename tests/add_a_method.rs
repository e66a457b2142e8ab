//! The example of docs/architecture.md, "Add a method": the file shown there compiles, learns and answers as a method of the program does,
//! by one line of a list.

#![allow(clippy::unwrap_used, unexpected_cfgs)]

use burn::tensor::{Device, Tensor};
use clip_lung_core::base::random::Stream;
use clip_lung_core::methods::heads::trunk::Pass;
use clip_lung_core::methods::pool::Pool;
use clip_lung_core::methods::readout::ReadoutKind;
use clip_lung_core::methods::{Setup, Truth};
// the names under which the example finds what it finds in the program
use clip_lung_core::{error, method_heads, method_names, nn};

/// The program's room of methods with one file more.
mod methods {
    pub use clip_lung_core::methods::*;

    pub mod two_thresholds;
}

use clip_lung_core::methods::ce;
use methods::two_thresholds;

/// The program's list, shorter, with the line that the page shows.
macro_rules! methods {
    ($then:ident) => {
        $then! {
            /// Cross-entropy of a linear classifier.
            Ce = ce "ce" [Softmax],
            /// One score between two fixed thresholds.
            TwoThresholds = two_thresholds "two-thresholds" [Cumulative],
        }
    };
}

methods!(method_names);
methods!(method_heads);

const PAGE: &str = include_str!("../docs/architecture.md");

#[test]
fn the_page_shows_this_file_and_this_line() {
    assert!(
        PAGE.contains(include_str!("methods/two_thresholds.rs").trim_end()),
        "docs/architecture.md shows another file"
    );
    assert!(PAGE.contains("TwoThresholds = two_thresholds \"two-thresholds\" [Cumulative],"));
    assert!(
        include_str!("add_a_method.rs").contains("TwoThresholds = two_thresholds \"two-thresholds\" [Cumulative],")
    );
}

/// Named, configured, trained by its gradient, and read as by the readout that is left of it.
#[test]
fn the_example_is_a_method() {
    assert_eq!(Method::ALL.map(Method::name), ["ce", "two-thresholds"]);
    let config: MethodConfig = serde_json::from_str(r#"{"name":"two-thresholds"}"#).unwrap();
    assert_eq!(
        (config.method(), config.default_pool(), config.needs_text()),
        (Method::TwoThresholds, Pool::Mean, false)
    );
    assert_eq!(config.method().readouts(), [ReadoutKind::Cumulative]);
    let device = Device::flex().autodiff();
    let setup = Setup { class_counts: vec![1; 3], pool: Pool::Mean, diameter: false, seed: 1, text: None };
    let mut initial = nn::layers::Initial::Uniform(Stream::new(1, 1));
    let head: error::Result<Head> = config.init(&setup, &mut initial, &device);
    let head = head.unwrap();
    let layer4 = Tensor::<4>::ones([2, 512, 4, 4], &device);
    let pass: Pass = head.trunk().forward(layer4, None);
    let truth = Truth::new(vec![0, 2], 3, vec![[3.0; 8]; 2], vec![3.0; 2], &device);
    let loss = head.loss(&pass, &truth);
    assert_eq!(loss.terms[0].0, "nll");
    assert!(loss.total.into_scalar::<f32>() > 0.0);
    let host = head.readout().unwrap();
    let outputs: Vec<f32> = pass.outputs.clone().into_data().iter::<f32>().collect();
    let logs: Vec<f32> = head.log_probs(&pass).into_data().iter::<f32>().collect();
    for (row, u) in logs.chunks(3).zip(outputs) {
        for (found, expected) in row.iter().zip(host.log_probabilities(&[u])) {
            assert!((f64::from(*found) - expected).abs() < 1e-5, "{found} is not {expected}");
        }
    }
}
