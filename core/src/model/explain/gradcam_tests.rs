use super::*;

/// Reference values of the method: weights are spatial means of the gradient.
#[test]
fn golden() {
    let a = [1.0, 2.0, 0.0, 1.0, 0.0, 1.0, 3.0, 1.0];
    let g: [f32; 8] = [0.2, 0.4, -0.2, 0.0, -0.1, -0.3, 0.1, -0.1];
    let weights: Vec<f32> = g.chunks(4).map(|c| c.iter().sum::<f32>() / 4.0).collect();
    for (v, expected) in weights.iter().zip([0.1, -0.1]).chain(cam(&a, &weights).iter().zip([0.1, 0.1, 0.0, 0.0])) {
        assert!((v - expected).abs() < 1e-6);
    }
}

#[test]
fn upsampling_keeps_the_range_and_the_corners() {
    let cells: Vec<f32> = (0..16).map(|v| v as f32).collect();
    let map = upsample(&cells);
    assert_eq!((map[0], map[SIDE - 1], map[SIDE * SIDE - 1]), (0.0, 3.0, 15.0));
    assert!((map[4 * SIDE + 4] - (0.0625 * 1.0 + 0.0625 * 4.0)).abs() < 1e-6);
}

/// The closed form chained with each readout's derivative equals autodiff of the trained head's log-probability (of the logit for
/// softmax), for both ways of pooling.
#[cfg(feature = "train")]
#[test]
fn closed_form_equals_autodiff_for_every_method() {
    use burn::tensor::{Device, Tensor, TensorData};

    use crate::base::random::Stream;
    use crate::methods::heads::trunk::Pass;
    use crate::methods::pool::Pool;
    use crate::methods::{Method, MethodConfig, Outputs, Setup};
    use crate::nn::layers::Initial;
    use crate::nn::parameters::collect;

    let device = Device::flex().autodiff();
    let mut r = Stream::new(1, 1);
    let values: Vec<f32> = (0..512 * 16).map(|_| r.uniform() as f32).collect();
    for (method, pool) in [
        (Method::Ce, Pool::View),
        (Method::Ce, Pool::Mean),
        (Method::Poisson, Pool::Mean),
        (Method::Nsb, Pool::View),
        (Method::Nsb, Pool::Mean),
        (Method::Udm, Pool::Mean),
        (Method::Corf, Pool::Mean),
        (Method::Corf, Pool::View),
    ] {
        let setup = Setup { class_counts: vec![5, 4, 3], pool, diameter: true, seed: 3, text: None };
        let mut initial = Initial::Uniform(Stream::new(5, 1));
        let head = MethodConfig::from(method).init(&setup, &mut initial, &device).unwrap();
        // a forest whose leaves are all alike answers the same whatever it sees
        let drawn = |row: u64| (0..128).map(|k| Stream::new(row, k).normal() as f32).collect();
        let fold = Outputs { outputs: (0..30).map(drawn).collect(), labels: (0..30).map(|i| i % 3).collect() };
        let head = head.end_epoch(|| Ok(fold)).unwrap();
        let readout = head.readout().unwrap();
        let weights = collect(head.trunk());
        let fc = &weights["fc.weight"];
        let reduce = weights.get("reduce.weight").map(|a| a.values.as_slice());
        let outputs = output_weights(reduce, &fc.values, fc.shape[0]);
        for class in 0..3 {
            let layer4 =
                Tensor::<4>::from_data(TensorData::new(values.clone(), [1, 512, 4, 4]), &device).require_grad();
            let column = Tensor::<2>::from_floats([[0.2]], &device);
            let pass: Pass = head.trunk().forward(layer4.clone(), Some(column));
            let explained = if method == Method::Ce { pass.outputs.clone() } else { head.log_probs(&pass) };
            let grads = explained.slice([0..1, class..class + 1]).sum().backward();
            let slopes: Vec<f32> = layer4.grad(&grads).unwrap().into_data().iter::<f32>().collect();
            let auto: Vec<f32> = slopes.chunks(16).map(|c| c.iter().sum::<f32>() / 16.0).collect();
            let u: Vec<f32> = pass.outputs.into_data().iter::<f32>().collect();
            let closed = chained(&outputs, &readout.derivative(&u, class));
            let size = auto.iter().fold(0.0f32, |m, v| m.max(v.abs()));
            assert!(size > 0.0, "{method:?} class {class}");
            for (a, b) in closed.iter().zip(&auto) {
                assert!((a - b).abs() < 1e-5 * size.max(1e-3), "{method:?} {pool:?} class {class}: {a} {b}");
            }
        }
    }
}
