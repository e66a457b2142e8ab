//! Eqs. (2)-(5): the alignment losses of CLIP-Lung. All features are L2-normalised, all results batch means.

use burn::tensor::{Tensor, activation::log_softmax};
use serde::{Deserialize, Serialize};

use crate::methods::loss::cross_entropy;

/// The form of the image-class loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum IcForm {
    /// Every channel group against the sample's own class, the mean over the groups.
    #[default]
    Mean,
    /// The sum over the groups.
    Sum,
    /// As in the published code: group t against the class of the batch's sample t.
    Official,
}

/// The form of the image-attribute loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum IaForm {
    /// Cross-entropy with the weights as soft targets.
    #[default]
    Soft,
    /// Weighted logits with the top attribute as the target.
    Logit,
    /// As in the published code: weighted logits averaged over the attributes, the class as the index of a group.
    Official,
}

/// The form of the class-attribute loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum CaForm {
    /// Softmax over the classes.
    #[default]
    Class,
    /// Softmax over the attributes.
    Attribute,
    /// As in the published code: the mean instead of the sum over the attributes.
    Official,
}

/// Eq. (2): every channel group's cross-entropy against the sample's class.
///
/// # Shapes
/// `features` `[n, T, d]`, `classes` `[n, C, d]` (conditioned on the sample), `scale` = 1/tau `[1]`, `target` one-hot `[n, C]`
/// -> `[1]`
pub fn image_class(
    features: Tensor<3>,
    classes: Tensor<3>,
    scale: Tensor<1>,
    target: Tensor<2>,
    form: IcForm,
) -> Tensor<1> {
    let [n, groups, _] = features.dims();
    let logits = features.matmul(classes.swap_dims(1, 2)) * scale.unsqueeze(); // [n, T, C]
    let log_p = log_softmax(logits, 2);
    match form {
        IcForm::Mean => cross_entropy(log_p, target.unsqueeze_dim(1)),
        IcForm::Sum => cross_entropy(log_p, target.unsqueeze_dim(1)) * groups as f64,
        IcForm::Official => cross_entropy(log_p, first_rows(target, n, groups)),
    }
}

/// The published code's targets: for every sample the classes of the batch's first T samples (from the start again in a batch of fewer).
fn first_rows(target: Tensor<2>, n: usize, groups: usize) -> Tensor<3> {
    let classes = target.dims()[1];
    let rows = (0..groups).map(|t| target.clone().slice([t % n..t % n + 1, 0..classes])).collect();
    Tensor::cat(rows, 0).unsqueeze::<3>().expand([n, groups, classes])
}

/// Eq. (3): every channel group's attribute posterior against the sample's attribute weights.
///
/// # Shapes
/// `features` `[n, T, d]`, `attributes` `[n or 1, K, d]`, `weights` `[n, K]`, `target` one-hot `[n, C]`, C at most T -> `[1]`
pub fn image_attribute(
    features: Tensor<3>,
    attributes: Tensor<3>,
    scale: Tensor<1>,
    weights: Tensor<2>,
    target: Tensor<2>,
    form: IaForm,
) -> Tensor<1> {
    let [n, groups, _] = features.dims();
    let logits = features.matmul(columns(attributes)) * scale.unsqueeze(); // [n, T, K]
    let w: Tensor<3> = weights.clone().unsqueeze_dim(1);
    match form {
        IaForm::Soft => cross_entropy(log_softmax(logits, 2), w),
        IaForm::Logit => cross_entropy(log_softmax(logits * w, 2), top(weights).unsqueeze_dim(1)),
        IaForm::Official => {
            let scores: Tensor<2> = (logits * w).mean_dim(2).squeeze_dim(2); // [n, T]
            let beyond = groups - target.dims()[1];
            let group = Tensor::cat(vec![target.clone(), Tensor::zeros([n, beyond], &target.device())], 1);
            cross_entropy(log_softmax(scores, 1), group)
        }
    }
}

/// One-hot of each row's largest weight, the first of several: readers often give two attributes the same top rating.
///
/// # Shapes
/// `[n, K]` -> `[n, K]`
fn top(weights: Tensor<2>) -> Tensor<2> {
    let most = weights.clone().equal(weights.clone().max_dim(1).expand(weights.dims())).float();
    most.clone() * most.cumsum(1).equal_elem(1.0).float()
}

/// Eq. (4): pulls the true class's text feature towards the sample's attribute profile.
///
/// # Shapes
/// `classes` `[n, C, d]`, `attributes` `[n or 1, K, d]`, `weights` `[n, K]`, `target` one-hot `[n, C]` -> `[1]`
pub fn class_attribute(
    classes: Tensor<3>,
    attributes: Tensor<3>,
    scale: Tensor<1>,
    weights: Tensor<2>,
    target: Tensor<2>,
    form: CaForm,
) -> Tensor<1> {
    let cosine = classes.matmul(columns(attributes)) * scale.unsqueeze(); // [n, C, K]
    let w: Tensor<3> = weights.unsqueeze_dim(1);
    match form {
        CaForm::Class => {
            let scores: Tensor<2> = (cosine * w).sum_dim(2).squeeze_dim(2); // [n, C]
            cross_entropy(log_softmax(scores, 1), target)
        }
        CaForm::Official => {
            let scores: Tensor<2> = (cosine * w).mean_dim(2).squeeze_dim(2);
            cross_entropy(log_softmax(scores, 1), target)
        }
        CaForm::Attribute => {
            let own: Tensor<3> = target.unsqueeze_dim(2);
            cross_entropy((log_softmax(cosine, 2) * own).sum_dim(1), w)
        }
    }
}

/// Attribute features as the columns of a product: one matrix for all samples where they share them, which sums in another order than
/// a matrix for each.
///
/// # Shapes
/// `[n or 1, K, d]` -> `[n or 1, d, K]`
fn columns(attributes: Tensor<3>) -> Tensor<3> {
    match attributes.dims() {
        [1, k, d] => attributes.reshape([k, d]).transpose().unsqueeze(),
        _ => attributes.swap_dims(1, 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::layers::normalise;
    use burn::tensor::{Device, TensorData};

    struct Case {
        f: Tensor<3>,
        raw: Tensor<3>,
        classes: Tensor<3>,
        a: Tensor<2>,
        w: Tensor<2>,
        y: Tensor<2>,
        logit_scale: Tensor<1>,
    }

    impl Case {
        fn a(&self) -> Tensor<3> {
            self.a.clone().unsqueeze()
        }
    }

    /// The golden case of the reference values.
    fn case(tau: f32) -> Case {
        let device = Device::flex().autodiff();
        let raw = Tensor::<3>::from_floats([[[1., 2., 2.], [2., -1., 2.]]], &device).require_grad();
        let classes = Tensor::<3>::from_floats([[[1., 0., 1.], [0., 1., 1.], [1., 1., 0.]]], &device);
        let a = Tensor::<2>::from_floats([[1., 0., 0.], [0., 1., 0.], [0., 0., 1.], [1., 1., 1.]], &device);
        Case {
            f: normalise(raw.clone()),
            raw,
            classes: normalise(classes),
            a: normalise(a),
            w: Tensor::from_floats([[0.1, 0.2, 0.3, 0.4]], &device),
            y: Tensor::from_floats([[0., 0., 1.]], &device),
            logit_scale: Tensor::from_floats([(1.0 / tau).ln()], &device).require_grad(),
        }
    }

    fn close<const D: usize>(t: Tensor<D>, golden: &[f32]) {
        for (v, g) in t.into_data().iter::<f32>().zip(golden) {
            assert!((v - g).abs() < 2e-5 * g.abs().max(1.0), "{v} is not {g}");
        }
    }

    /// Reference values: L_IC, L_IA, L_CA in both forms at tau .07 and .5.
    #[test]
    fn values() {
        for (tau, ic, ia, ia_logit, ca, ca_attribute) in [
            (0.07, 6.767741, 3.615059, 0.330647, 2.423620, 4.318137),
            (0.5, 1.546008, 1.426973, 1.096472, 1.246689, 1.585987),
        ] {
            let c = case(tau);
            let s = || c.logit_scale.clone().exp();
            let aligned = |form| image_class(c.f.clone(), c.classes.clone(), s(), c.y.clone(), form);
            close(aligned(IcForm::Mean), &[ic]);
            close(aligned(IcForm::Sum), &[2.0 * ic]);
            let image = |form| image_attribute(c.f.clone(), c.a(), s(), c.w.clone(), c.y.clone(), form);
            close(image(IaForm::Soft), &[ia]);
            close(image(IaForm::Logit), &[ia_logit]);
            let class = |form| class_attribute(c.classes.clone(), c.a(), s(), c.w.clone(), c.y.clone(), form);
            close(class(CaForm::Class), &[ca]);
            close(class(CaForm::Attribute), &[ca_attribute]);
        }
        let logits = Tensor::<2>::from_floats([[0.2, -0.1, 0.4]], &Device::flex());
        let target = Tensor::<2>::from_floats([[0., 0., 1.]], &Device::flex());
        close(cross_entropy(log_softmax(logits, 1), target), &[0.885939]);
        // eq. (5) at tau .07
        assert!((0.885939f64 + 6.767741 + 3.615059 + 0.5 * 2.423620 - 12.480549).abs() < 2e-6);
    }

    /// Reference values: d L_IC / d logit_scale at tau .07, and d L_IC / dF (un-normalised F) at tau .5.
    #[test]
    fn gradients() {
        let c = case(0.07);
        let grads = image_class(c.f, c.classes, c.logit_scale.clone().exp(), c.y, IcForm::Mean).backward();
        close(c.logit_scale.grad(&grads).unwrap(), &[6.625305]);
        let c = case(0.5);
        let grads = image_class(c.f, c.classes, c.logit_scale.clone().exp(), c.y, IcForm::Mean).backward();
        close(c.raw.grad(&grads).unwrap(), &[-0.116487, -0.088729, 0.146973, -0.144283, -0.105727, 0.091419]);
    }

    /// Permuting the samples permutes nothing in the mean; a batch of one works; each group is held against its own sample's class.
    #[test]
    fn targets_belong_to_samples() {
        let device = Device::flex();
        let draw = |seed: u64, shape: [usize; 3]| {
            let mut r = crate::base::random::Stream::new(seed, 0);
            let values: Vec<f32> = (0..shape.iter().product()).map(|_| r.uniform() as f32 - 0.5).collect();
            normalise(Tensor::<3>::from_data(TensorData::new(values, shape), &device))
        };
        let (f, c) = (draw(1, [3, 4, 8]), draw(2, [3, 3, 8]));
        let y = Tensor::<2>::from_floats([[1., 0., 0.], [0., 0., 1.], [0., 1., 0.]], &device);
        let scale = || Tensor::<1>::from_floats([2.0], &device);
        let whole: f32 = image_class(f.clone(), c.clone(), scale(), y.clone(), IcForm::Mean).into_scalar();
        let one = |i: usize| -> f32 {
            let part = |t: &Tensor<3>| {
                let d = t.dims();
                t.clone().slice([i..i + 1, 0..d[1], 0..d[2]])
            };
            image_class(part(&f), part(&c), scale(), y.clone().slice([i..i + 1, 0..3]), IcForm::Mean).into_scalar()
        };
        assert!((whole - (one(0) + one(1) + one(2)) / 3.0).abs() < 1e-6);
    }

    /// Of several top attributes the first is the target, once.
    #[test]
    fn ties_have_one_target() {
        let weights = Tensor::<2>::from_floats([[0.3, 0.1, 0.3, 0.3], [0.1, 0.4, 0.4, 0.1]], &Device::flex());
        close(top(weights), &[1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    }

    /// Weights inside a cosine are a no-op.
    #[test]
    fn positive_scaling_of_attributes_changes_nothing() {
        let c = case(0.5);
        let loss = |a: Tensor<2>| {
            let scale = c.logit_scale.clone().exp();
            image_attribute(c.f.clone(), normalise(a).unsqueeze(), scale, c.w.clone(), c.y.clone(), IaForm::Soft)
        };
        let scaled = c.a.clone() * c.w.clone().transpose();
        close(loss(scaled), &[loss(c.a.clone()).into_scalar::<f32>()]);
    }

    /// Reference values of the published code's forms: logits over the groups with label 1, and the mean over the attributes.
    #[test]
    fn official_forms() {
        for (tau, ia, ca) in [(0.07, 1.421358, 1.372297), (0.5, 0.776513, 1.134384)] {
            let c = case(tau);
            let s = || c.logit_scale.clone().exp();
            // two groups: two classes at most
            let second = Tensor::<2>::from_floats([[0., 1.]], &c.w.device());
            close(image_attribute(c.f.clone(), c.a(), s(), c.w.clone(), second, IaForm::Official), &[ia]);
            close(class_attribute(c.classes.clone(), c.a(), s(), c.w.clone(), c.y.clone(), CaForm::Official), &[ca]);
        }
    }

    /// Reference values: logits (1, 2, 3) in all four groups, batch labels (0, 2, 1, 1, 2): sample 4 has 1.407606 in the published
    /// code, whose targets are the first four labels, and 0.407606 where its own class is the target.
    #[test]
    fn official_targets_are_other_samples() {
        let device = Device::flex();
        let labels = [0usize, 2, 1, 1, 2];
        let one_hot: Vec<f32> = labels.iter().flat_map(|&l| (0..3).map(move |c| f32::from(u8::from(c == l)))).collect();
        let target = Tensor::<2>::from_data(TensorData::new(one_hot, [5, 3]), &device);
        let features = Tensor::<3>::ones([5, 4, 1], &device);
        let classes = Tensor::<3>::from_floats([[[1.], [2.], [3.]]], &device).expand([5, 3, 1]);
        let one = Tensor::<1>::from_floats([1.0], &device);
        // all samples have the same logits, hence the same published loss
        close(
            image_class(features.clone(), classes.clone(), one.clone(), target.clone(), IcForm::Official),
            &[1.407606],
        );
        let last = |t: Tensor<3>| t.narrow(0, 4, 1);
        let own = target.slice([4..5, 0..3]);
        close(image_class(last(features), last(classes), one, own, IcForm::Mean), &[0.407606]);
    }
}
