//! Every head and readout against PyTorch (`golden/heads.py`): log-probabilities, losses, gradients, leaves.

#![allow(clippy::unwrap_used, clippy::panic)]

mod reference;

use std::collections::BTreeMap;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use clip_lung_core::methods::heads::leaves::Leaves;
use clip_lung_core::methods::heads::trunk::Pass;
use clip_lung_core::methods::pool::Pool;
use clip_lung_core::methods::readout::{Forest, Readout};
use clip_lung_core::methods::{Head, MethodConfig, Outputs, Setup, Truth};
use clip_lung_core::nn::layers::Initial;
use clip_lung_core::nn::parameters::{apply, collect, names};
use reference::{close, flat, numbers};
use serde::Deserialize;
use serde_json::{Value, json};

/// In f32.
const TOLERANCE: f64 = 1e-5;
/// Outputs of the test's own forests: so many that no two splits share one.
const UNITS: usize = 4096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    class_weights: Value,
    cases: Vec<Case>,
    leaf_updates: Vec<Update>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    readout: String,
    classes: usize,
    #[serde(default)]
    options: BTreeMap<String, Value>,
    #[serde(default)]
    parameters: BTreeMap<String, Value>,
    u: Vec<Vec<f32>>,
    log_probs: Vec<Vec<f64>>,
    jacobian: Vec<Vec<Vec<f64>>>,
    loss: Vec<Vec<f64>>,
    loss_gradient: Vec<Vec<Vec<f64>>>,
    #[serde(default)]
    parameter_gradient: BTreeMap<String, Vec<Vec<Value>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Update {
    name: String,
    u: Vec<Vec<f32>>,
    y: Vec<usize>,
    splits: Vec<Vec<usize>>,
    classes: usize,
    eps: f64,
    nll: Vec<Vec<f64>>,
    leaves_after_1: Vec<Vec<Vec<f64>>>,
    leaves_after_20: Vec<Vec<Vec<f64>>>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/heads.json")).unwrap()
}

impl Case {
    fn number(&self, option: &str) -> f64 {
        self.options[option].as_f64().unwrap()
    }

    fn splits(&self) -> Vec<Vec<usize>> {
        serde_json::from_value(self.options["splits"].clone()).unwrap()
    }

    /// The leaves' distributions, from logits where those are trained.
    fn leaves(&self) -> Vec<Vec<Vec<f64>>> {
        match self.parameters.get("leaves") {
            None => serde_json::from_value(self.options["leaves"].clone()).unwrap(),
            Some(logits) => {
                let softmax = |leaf: Vec<f64>| {
                    let sum: f64 = leaf.iter().map(|v| v.exp()).sum();
                    leaf.iter().map(|v| v.exp() / sum).collect()
                };
                let logits: Vec<Vec<Vec<f64>>> = serde_json::from_value(logits.clone()).unwrap();
                logits.into_iter().map(|tree| tree.into_iter().map(softmax).collect()).collect()
            }
        }
    }

    fn readout(&self) -> Readout {
        let classes = self.classes;
        match self.readout.as_str() {
            "softmax" => Readout::Softmax { classes },
            "poisson" => Readout::Poisson { classes, tau: self.number("tau") },
            "binomial" => Readout::Binomial { classes, tau: self.number("tau") },
            "sticks" => Readout::Sticks { classes },
            "cumulative" => Readout::Cumulative { thresholds: flat(&self.options["thresholds"]) },
            "forest" => {
                Readout::Forest(Forest::new(self.splits(), self.leaves(), self.u[0].len(), &self.name).unwrap())
            }
            other => panic!("{other}"),
        }
    }

    fn config(&self) -> Value {
        match self.readout.as_str() {
            "softmax" => json!({"name": "ce"}),
            "sticks" => json!({"name": "nsb"}),
            "cumulative" if self.name.contains("paper-like") => json!({"name": "udm", "form": "paper-like"}),
            "cumulative" => {
                let margin = |of: &str| &self.options[of];
                json!({"name": "udm", "delta_n": margin("margin_benign"), "delta_p": margin("margin_malignant")})
            }
            "forest" => {
                let (trees, depth) = (self.splits().len(), (self.splits()[0].len() + 1).ilog2());
                let update = if self.parameters.contains_key("leaves") { "sgd" } else { "em" };
                json!({"name": "corf", "update": update, "objective": self.options["loss"], "on": self.options["loss_on"],
                    "trees": trees, "depth": depth, "units": UNITS})
            }
            law => match self.parameters.contains_key("t") {
                true => json!({"name": "poisson", "law": law}),
                false => json!({"name": "poisson", "law": law, "tau": self.options["tau"]}),
            },
        }
    }

    /// The target of class `y`, with which weights of the classes and label smoothing come to the cross-entropy.
    fn target(&self, y: usize) -> Vec<f32> {
        let smoothing = self.options.get("label_smoothing").map_or(0.0, |s| s.as_f64().unwrap());
        let paper_like = self.name.contains("paper-like"); // has its costs from the counts
        let costs = self.options.get("class_weights").or(self.options.get("costs").filter(|_| !paper_like));
        let cost = costs.map_or(1.0, |c| flat(c)[y]);
        let share = |c: usize| f64::from(u8::from(c == y)) * (1.0 - smoothing) + smoothing / self.classes as f64;
        (0..self.classes).map(|c| (cost * share(c)) as f32).collect()
    }
}

/// A head of the method, and which golden output each of its own stands for where they are not the same.
fn head(config: Value, class_counts: Vec<usize>, splits: Option<&[Vec<usize>]>, device: &Device) -> (Head, Vec<usize>) {
    let setup = Setup { class_counts, pool: Pool::Mean, diameter: false, seed: 0, text: None };
    let method: MethodConfig = serde_json::from_value(config).unwrap();
    let head = method.init(&setup, &mut Initial::Blank, device).unwrap();
    let Some(golden) = splits else { return (head, Vec::new()) };
    // a head draws its splits: give their outputs the numbers of the golden splits
    let Readout::Forest(forest) = head.readout().unwrap() else { panic!("no forest") };
    let mut stands_for = vec![usize::MAX; UNITS];
    for (own, golden) in forest.splits().iter().flatten().zip(golden.iter().flatten()) {
        assert_eq!(stands_for[*own], usize::MAX, "two splits share an output");
        stands_for[*own] = *golden;
    }
    (head, stands_for)
}

/// The parameter's name in a state.
fn name(parameter: &str) -> &str {
    match parameter {
        "t" => "raw_tau",
        "t1" => "first",
        "r" => "gaps",
        other => other,
    }
}

fn outputs(row: &[f32], stands_for: &[usize]) -> Vec<f32> {
    match stands_for {
        [] => row.to_vec(),
        units => units.iter().map(|&g| row.get(g).copied().unwrap_or(0.0)).collect(),
    }
}

fn pass(outputs: &Tensor<2>) -> Pass {
    let features = Tensor::zeros([outputs.dims()[0], 512], &outputs.device());
    Pass { features, groups: None, outputs: outputs.clone() }
}

#[test]
fn readouts_equal_pytorch() {
    for case in golden().cases {
        let readout = case.readout();
        for (i, u) in case.u.iter().enumerate() {
            let logs = readout.log_probabilities(u);
            close(&logs, &case.log_probs[i], TOLERANCE, &format!("{} at {u:?}", case.name));
            for (class, golden) in case.jacobian[i].iter().enumerate() {
                let mut slopes = readout.derivative(u, class);
                if case.readout == "softmax" {
                    // it has the logit's: log p's is less by the probabilities
                    slopes.iter_mut().zip(&logs).for_each(|(s, log)| *s -= log.exp());
                }
                close(&slopes, golden, TOLERANCE, &format!("{}, slope of class {class} at {u:?}", case.name));
            }
        }
    }
}

#[test]
fn heads_equal_pytorch() {
    let device = Device::flex().autodiff();
    let Golden { cases, class_weights, .. } = golden();
    let counts: Vec<usize> = serde_json::from_value(class_weights["counts"].clone()).unwrap();
    for case in cases {
        let counts = if case.classes == 2 { vec![counts[0], counts[2]] } else { counts.clone() };
        let splits = case.options.contains_key("splits").then(|| case.splits());
        let (head, stands_for) = head(case.config(), counts, splits.as_deref(), &device);
        let mut arrays = collect(&head);
        let leaves = case.options.get("leaves").map(|leaves| ("leaves", leaves));
        for (parameter, values) in case.parameters.iter().map(|(n, v)| (n.as_str(), v)).chain(leaves) {
            let values = flat(values).iter().map(|v| *v as f32).collect();
            arrays.get_mut(name(parameter)).unwrap().values = values;
        }
        let head = apply(head, arrays, "golden").unwrap();
        let names = names(&head);
        for (i, row) in case.u.iter().enumerate() {
            for y in 0..case.classes {
                let what = format!("{}, class {y} at {row:?}", case.name);
                let values = outputs(row, &stands_for);
                let shape = [1, values.len()];
                let u = Tensor::<2>::from_data(TensorData::new(values, shape), &device).require_grad();
                let mut truth = Truth::new(vec![y], case.classes, vec![[3.0; 8]], vec![3.0], &device);
                truth.target = Tensor::from_data(TensorData::new(case.target(y), [1, case.classes]), &device);
                let loss = head.loss(&pass(&u), &truth);
                close(&numbers(loss.total.clone()), &[case.loss[i][y]], TOLERANCE, &what);
                for logs in [loss.log_probs, head.log_probs(&pass(&u))] {
                    close(&numbers(logs), &case.log_probs[i], TOLERANCE, &what);
                }
                let mut grads = loss.total.backward();
                let own = numbers(u.grad(&grads).unwrap());
                let mut slopes = if stands_for.is_empty() { own.clone() } else { vec![0.0; row.len()] };
                for (slope, golden) in own.iter().zip(&stands_for).filter(|(_, golden)| **golden != usize::MAX) {
                    slopes[*golden] += slope;
                }
                close(&slopes, &case.loss_gradient[i][y], TOLERANCE, &format!("slopes of {what}"));
                let grads = GradientsParams::from_module(&mut grads, &head);
                for (parameter, golden) in &case.parameter_gradient {
                    let id = *names.iter().find(|(_, n)| *n == name(parameter)).unwrap().0;
                    let slope = match parameter.as_str() {
                        "leaves" => numbers(grads.get::<3>(id).unwrap()),
                        _ => numbers(grads.get::<1>(id).unwrap()),
                    };
                    close(&slope, &flat(&golden[i][y]), TOLERANCE, &format!("slope of {parameter}, {what}"));
                }
            }
        }
    }
}

#[test]
fn leaves_equal_the_fixed_point_iteration() {
    for update in golden().leaf_updates {
        let trees = update.splits.len();
        for (t, splits) in update.splits.iter().enumerate() {
            let activations = || update.u.iter().map(|u| splits.iter().map(|&s| f64::from(u[s])).collect::<Vec<_>>());
            let start = || vec![vec![1.0 / update.classes as f64; update.classes]; splits.len() + 1];
            let after = |rounds| Leaves::new(activations(), start()).updated(&update.y, rounds, update.eps);
            for (rounds, golden) in [(1, &update.leaves_after_1), (20, &update.leaves_after_20)] {
                let what = format!("{}, tree {t} after {rounds}", update.name);
                close(&after(rounds).concat(), &golden[t].concat(), 1e-6, &what);
            }
            let nll = |rounds| Leaves::new(activations(), after(rounds)).negative_log_likelihood(&update.y);
            let found: Vec<f64> = (0..=20).map(nll).collect();
            let golden: Vec<f64> = update.nll.iter().map(|row| row[t]).collect();
            close(&found, &golden, 1e-6, &format!("{}, likelihood of tree {t}", update.name));
        }
        if update.eps == 0.0 {
            continue;
        }
        // the head's own update, with its epsilon and number of iterations
        let config =
            json!({"name": "corf", "trees": trees, "depth": (update.splits[0].len() + 1).ilog2(), "units": UNITS});
        let (head, stands_for) = head(config, vec![1; update.classes], Some(&update.splits), &Device::flex());
        let outputs = update.u.iter().map(|row| outputs(row, &stands_for)).collect();
        let head = head.end_epoch(|| Ok(Outputs { outputs, labels: update.y.clone() })).unwrap();
        let found: Vec<f64> = collect(&head)["leaves"].values.iter().map(|v| f64::from(*v)).collect();
        close(&found, &update.leaves_after_20.concat().concat(), TOLERANCE, &update.name);
    }
}
