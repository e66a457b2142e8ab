use super::*;

const LEAVES: [[f32; 3]; 4] = [[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.3, 0.4, 0.3], [0.1, 0.2, 0.7]];

fn numbers<const D: usize>(t: Tensor<D>) -> Vec<f32> {
    t.into_data().iter::<f32>().collect()
}

fn close(found: &[f32], golden: &[f32]) {
    assert_eq!(found.len(), golden.len());
    found.iter().zip(golden).for_each(|(f, g)| assert!((f - g).abs() < 3e-6, "{found:?} is not {golden:?}"));
}

/// A head whose outputs are the activations of its splits, in order.
fn head(objective: Objective, on: Of, trees: usize) -> Head {
    let config = Config { objective, on, trees, depth: 2, units: 3 * trees, ..Default::default() };
    let setup = Setup { class_counts: vec![1; 3], pool: Pool::Mean, diameter: false, seed: 0, text: None };
    let device = Device::flex().autodiff();
    let head = Head::new(&config, &setup, &mut Initial::Blank, &device).unwrap();
    let reversed: Vec<f32> = LEAVES.iter().rev().flatten().copied().collect();
    let values: Vec<f32> = LEAVES.iter().flatten().copied().chain(reversed).take(12 * trees).collect();
    let leaves = buffer(values, [trees, 4, 3], &device);
    let splits: Vec<Vec<usize>> = (0..trees).map(|t| (3 * t..3 * t + 3).collect()).collect();
    let split_outputs = split_outputs(&splits, &device);
    Head { leaves, splits, split_outputs, ..head }
}

fn pass(u: &[f32]) -> (Pass, Tensor<2>) {
    let device = Device::flex().autodiff();
    let outputs = Tensor::<2>::from_data(TensorData::new(u.to_vec(), [1, u.len()]), &device).require_grad();
    (Pass { features: Tensor::zeros([1, 512], &device), groups: None, outputs: outputs.clone() }, outputs)
}

fn truth(y: usize) -> Truth {
    Truth::new(vec![y], 3, vec![[3.0; 8]], vec![3.0], &Device::flex().autodiff())
}

/// Reference values: shares of the leaves, both losses and the ordinal one's gradients.
#[test]
fn one_tree() {
    let u = [0.4, -0.6, 1.2];
    let (p, _) = pass(&u);
    let tree = head(Objective::Ordinal, Of::Trees, 1);
    close(&numbers(tree.omega(&p)), &[0.212141, 0.386546, 0.308418, 0.092894]);
    close(&numbers(tree.log_probs(&p).exp()), &[0.327623, 0.416302, 0.256075]);
    let golden = [
        (1.411706, 1.115892, [-0.164187, -0.227448, -0.081968]),
        (0.692751, 0.876344, [-0.029525, 0.083443, -0.017151]),
        (1.759222, 1.362286, [0.258061, 0.155344, 0.132752]),
    ];
    for (y, (ordinal, nll, slopes)) in golden.into_iter().enumerate() {
        let (p, outputs) = pass(&u);
        let loss = tree.loss(&p, &truth(y)).total;
        close(&numbers(loss.clone()), &[ordinal]);
        close(&numbers(outputs.grad(&loss.backward()).unwrap()), &slopes);
        close(&numbers(head(Objective::Nll, Of::Trees, 1).loss(&p, &truth(y)).total), &[nll]);
    }
}

/// Reference values: the forest of two trees; the mean of the trees' losses is not the loss of their mean.
#[test]
fn two_trees() {
    let u = [0.4, -0.6, 1.2, -0.5, 0.1, 0.9];
    let forest = [0.307849, 0.414593, 0.277558];
    let (p, _) = pass(&u);
    close(&numbers(head(Objective::Nll, Of::Forest, 2).log_probs(&p).exp()), &forest);
    let of = |on| numbers(head(Objective::Nll, on, 2).loss(&p, &truth(0)).total)[0];
    close(&[of(Of::Forest), of(Of::Trees)], &[-forest[0].ln(), -(0.327623f32.ln() + 0.288075f32.ln()) / 2.0]);
}

/// Saturated splits: finite losses and slopes.
#[test]
fn far_activations() {
    for u in [60.0, -60.0] {
        for objective in [Objective::Ordinal, Objective::Nll] {
            let (p, outputs) = pass(&[u; 3]);
            let loss = head(objective, Of::Trees, 1).loss(&p, &truth(2)).total;
            let slopes = numbers(outputs.grad(&loss.backward()).unwrap());
            assert!(numbers(loss)[0].is_finite() && slopes.iter().all(|v| v.is_finite()), "{u} {slopes:?}");
        }
    }
}

/// The readout on the host gives what the trained head gives.
#[test]
fn readout_equals_head() {
    let u = [0.4, -0.6, 1.2, -0.5, 0.1, 0.9];
    let tree = head(Objective::Ordinal, Of::Trees, 2);
    let found = tree.readout().unwrap().log_probabilities(&u);
    let expected = numbers(tree.log_probs(&pass(&u).0));
    found.iter().zip(expected).for_each(|(f, e)| assert!((f - f64::from(e)).abs() < 1e-6));
}

/// On a separable toy set leaves learned by `em` and by `sgd` agree on every sample.
#[test]
fn both_updates_agree_on_a_separable_set() {
    let outputs: Vec<Vec<f32>> =
        (0..30).map(|i| vec![if i % 3 == 0 { 4.0 } else { -4.0 }, 4.0, if i % 3 == 1 { 4.0 } else { -4.0 }]).collect();
    let labels: Vec<usize> = (0..30).map(|i| i % 3).collect();
    let em = head(Objective::Nll, Of::Trees, 1);
    let em = em.end_epoch(|| Ok(Outputs { outputs: outputs.clone(), labels: labels.clone() })).unwrap();
    let answers = |readout: Readout| -> Vec<usize> {
        outputs.iter().map(|u| super::super::readout::Decision::Argmax.decide(&readout.log_probabilities(u))).collect()
    };
    assert_eq!(answers(em.readout().unwrap()), labels);
    let device = Device::flex().autodiff();
    let mut logits = Param::from_tensor(Tensor::<3>::zeros([1, 4, 3], &device));
    let flat: Vec<f32> = outputs.concat();
    let u = Tensor::<2>::from_data(TensorData::new(flat, [30, 3]), &device);
    let batch = Truth::new(labels.clone(), 3, vec![[3.0; 8]; 30], vec![3.0; 30], &device);
    let base = head(Objective::Nll, Of::Trees, 1);
    let sgd = Config { update: Update::Sgd, ..base.config.clone() };
    let mut trained = Head { config: sgd, ..base };
    for _ in 0..200 {
        trained.leaves = logits.clone();
        let p = Pass { features: Tensor::zeros([30, 512], &device), groups: None, outputs: u.clone() };
        let grads = trained.loss(&p, &batch).total.backward();
        let slope = Tensor::from_inner(logits.val().grad(&grads).unwrap());
        logits = logits.map(|l| Tensor::from_inner((l - slope * 2.0).inner()).require_grad());
    }
    trained.leaves = logits;
    assert_eq!(answers(trained.readout().unwrap()), labels);
}
