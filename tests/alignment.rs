//! Equations (1) to (5) of CLIP-Lung and the published code's forms of them against PyTorch (`golden/alignment.py`).

#![allow(clippy::unwrap_used, clippy::panic)]

mod reference;

use burn::tensor::{Device, Tensor, activation::log_softmax};
use clip_lung_core::methods::Truth;
use clip_lung_core::methods::heads::alignment::{
    CaForm, IaForm, IcForm, class_attribute, image_attribute, image_class,
};
use clip_lung_core::methods::heads::attribute_weights::{AttributeWeights, entropy};
use clip_lung_core::methods::loss::cross_entropy;
use clip_lung_core::nn::layers::normalise;
use reference::{close, flat, numbers, tensor};
use serde_json::Value;

const TOLERANCE: f64 = 1e-5;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/alignment.json")).unwrap()
}

#[test]
fn attribute_weights_equal_pytorch() {
    let golden = golden();
    let ratings = flat(&golden["ratings"]);
    for (name, weights) in golden["weights"].as_object().unwrap() {
        let kind: AttributeWeights = serde_json::from_value(name.as_str().into()).unwrap();
        // f32 in the generator
        close(&kind.of(&ratings), &flat(weights), 1e-7, name);
    }
    let found = entropy(&AttributeWeights::Softmax.of(&ratings));
    close(&[found], &[golden["entropy"].as_f64().unwrap()], 1e-7, "entropy");
    for (ratings, weights) in golden["batch"]["ratings"]
        .as_array()
        .unwrap()
        .iter()
        .zip(golden["batch"]["attribute_weights"].as_array().unwrap())
    {
        close(&AttributeWeights::Softmax.of(&flat(ratings)), &flat(weights), 1e-7, "weights of the batch");
    }
}

/// A golden case on a device with autodiff; `features`, `classes`, `logits` and `logit_scale` have gradients.
struct Case {
    features: Tensor<3>,
    classes: Tensor<3>,
    attributes: Tensor<3>,
    weights: Tensor<2>,
    logits: Tensor<2>,
    logit_scale: Tensor<1>,
    target: Tensor<2>,
}

impl Case {
    /// The samples `rows` of a case at a temperature.
    fn new(golden: &Value, tau: f64, rows: std::ops::Range<usize>) -> Self {
        let device = Device::flex().autodiff();
        let labels: Vec<usize> = serde_json::from_value(golden["labels"].clone()).unwrap();
        let some = |name: &str| Value::from(golden[name].as_array().unwrap()[rows.clone()].to_vec());
        let n = rows.len();
        Self {
            features: tensor(&some("features"), &device).require_grad(),
            classes: tensor(&some("classes"), &device).require_grad(),
            attributes: normalise(tensor::<2>(&golden["attributes"], &device)).unsqueeze(),
            weights: tensor(&some("attribute_weights"), &device),
            logits: tensor(&some("logits"), &device).require_grad(),
            logit_scale: Tensor::<1>::from_floats([(1.0 / tau).ln() as f32], &device).require_grad(),
            target: Truth::new(labels[rows.clone()].to_vec(), 3, vec![[1.0; 8]; n], vec![3.0; n], &device).target,
        }
    }

    fn ic(&self, form: IcForm) -> Tensor<1> {
        let (features, classes) = (normalise(self.features.clone()), normalise(self.classes.clone()));
        image_class(features, classes, self.logit_scale.clone().exp(), self.target.clone(), form)
    }

    fn ia(&self, form: IaForm) -> Tensor<1> {
        let (features, scale) = (normalise(self.features.clone()), self.logit_scale.clone().exp());
        image_attribute(features, self.attributes.clone(), scale, self.weights.clone(), self.target.clone(), form)
    }

    fn ca(&self, form: CaForm) -> Tensor<1> {
        let (classes, scale) = (normalise(self.classes.clone()), self.logit_scale.clone().exp());
        class_attribute(classes, self.attributes.clone(), scale, self.weights.clone(), self.target.clone(), form)
    }

    fn ce(&self) -> Tensor<1> {
        cross_entropy(log_softmax(self.logits.clone(), 1), self.target.clone())
    }

    fn term(&self, name: &str) -> Tensor<1> {
        match name {
            "ce" => self.ce(),
            "ic" => self.ic(IcForm::Mean),
            "ia" => self.ia(IaForm::Soft),
            "ca" => self.ca(CaForm::Class),
            "ia_logit" => self.ia(IaForm::Logit),
            "ca_attribute" => self.ca(CaForm::Attribute),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn losses_and_their_gradients_equal_pytorch() {
    let golden = golden();
    for name in ["small", "batch"] {
        let golden = &golden[name];
        let n = golden["labels"].as_array().unwrap().len();
        for at in golden["at"].as_array().unwrap() {
            let tau = at["tau"].as_f64().unwrap();
            let what = |of: &str| format!("{name}, tau {tau}: {of}");
            let whole = Case::new(golden, tau, 0..n);
            let samples: Vec<Case> = (0..n).map(|i| Case::new(golden, tau, i..i + 1)).collect();
            for (term, values) in at["terms"].as_object().unwrap() {
                let values = flat(values);
                let own: Vec<f64> = samples.iter().flat_map(|case| numbers(case.term(term))).collect();
                close(&own, &values, TOLERANCE, &what(term));
                let mean = values.iter().sum::<f64>() / n as f64;
                close(&numbers(whole.term(term)), &[mean], TOLERANCE, &what(term));
            }
            let groups = golden["features"][0].as_array().unwrap().len() as f64;
            close(
                &numbers(whole.ic(IcForm::Sum)),
                &[groups * flat(&at["terms"]["ic"]).iter().sum::<f64>() / n as f64],
                TOLERANCE,
                &what("sum over the groups"),
            );
            for (term, values) in at["official"].as_object().unwrap() {
                let found = match term.as_str() {
                    "ic" => whole.ic(IcForm::Official),
                    "ia" => whole.ia(IaForm::Official),
                    "ca" => whole.ca(CaForm::Official),
                    _ => continue, // the logits that the other two are of
                };
                let values = flat(values);
                let mean = values.iter().sum::<f64>() / n as f64;
                close(&numbers(found), &[mean], TOLERANCE, &what(&format!("the published code's {term}")));
            }
            // equation (5)
            let total = |[ic, ia, ca]: [f64; 3]| {
                whole.ce() + whole.term("ic") * ic + whole.term("ia") * ia + whole.term("ca") * ca
            };
            let rows: Vec<[f64; 4]> = serde_json::from_value(at["totals"].clone()).unwrap();
            for [ic, ia, ca, golden] in &rows {
                close(&numbers(total([*ic, *ia, *ca])), &[*golden], TOLERANCE, &what("total"));
            }
            let grads = total([rows[0][0], rows[0][1], rows[0][2]]).backward();
            let slopes = &at["gradients"];
            let check = |found: Vec<f64>, of: &str| close(&found, &flat(&slopes[of]), TOLERANCE, &what(of));
            check(numbers(whole.features.grad(&grads).unwrap()), "features");
            check(numbers(whole.classes.grad(&grads).unwrap()), "classes");
            check(numbers(whole.logits.grad(&grads).unwrap()), "logits");
            check(numbers(whole.logit_scale.grad(&grads).unwrap()), "logit_scale");
        }
    }
}
