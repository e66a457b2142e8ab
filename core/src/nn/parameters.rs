//! The mapping between a module's parameters and PyTorch's names.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Tensor, TensorData};

use crate::base::tensors::{Array, Arrays};
use crate::error::{Error, Result};

/// PyTorch's name of a parameter at a module path.
fn pytorch_name(path: &str) -> String {
    let mut name = path.replace("backbone.", "").replace("head.", "").replace("trunk.", "");
    for conv in ["conv1", "conv2"] {
        name = name.replace(&format!("{conv}.bn."), &format!("{}.", conv.replace("conv", "bn")));
    }
    name = name.replace("downsample.bn.", "downsample.1.");
    name.replace("downsample.weight", "downsample.0.weight")
}

/// The path of the parameter being visited. Which variant of an enum a module is does not count: a file holds one of them.
#[derive(Default)]
struct Path(Vec<Option<String>>);

impl Path {
    fn enter(&mut self, name: &str, container: &str) {
        self.0.push((!container.starts_with("Enum:")).then(|| name.to_owned()));
    }

    fn name(&self) -> String {
        let parts: Vec<&str> = self.0.iter().flatten().map(String::as_str).collect();
        pytorch_name(&parts.join("."))
    }
}

/// PyTorch's name of every parameter and buffer of a module.
pub fn names<M: Module>(module: &M) -> BTreeMap<ParamId, String> {
    #[derive(Default)]
    struct Names(Path, BTreeMap<ParamId, String>);
    impl ModuleVisitor for Names {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.0.enter(name, container);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.0.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.1.insert(param.id, self.0.name());
        }
    }
    let mut names = Names::default();
    module.visit(&mut names);
    names.1
}

/// A module's parameters and buffers by PyTorch's names.
pub fn collect<M: Module>(module: &M) -> Arrays {
    struct Collect(Path, Arrays);
    impl ModuleVisitor for Collect {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.0.enter(name, container);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.0.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let tensor = param.val();
            let shape = tensor.dims().to_vec();
            let values = tensor.into_data().iter::<f32>().collect();
            self.1.insert(self.0.name(), Array { shape, values });
        }
    }
    let mut visitor = Collect(Path::default(), Arrays::new());
    module.visit(&mut visitor);
    visitor.1
}

/// The module with its parameters and buffers replaced by `arrays`; each must be there with its shape.
///
/// # Errors
/// The first tensor that is missing, of another shape, or unknown to the module.
pub fn apply<M: Module>(module: M, arrays: Arrays, file: &str) -> Result<M> {
    struct Apply<'a> {
        path: Path,
        arrays: Arrays,
        file: &'a str,
        error: Option<Error>,
    }
    impl ModuleMapper for Apply<'_> {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.0.pop();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let name = self.path.name();
            // a parameter that is not there yet need not be made to be replaced
            let expected = param.lazy_shape().to_vec();
            let Some(Array { shape, values }) = self.arrays.remove(&name) else {
                self.error.get_or_insert(Error::MissingTensor { file: self.file.into(), name });
                return param;
            };
            if shape != expected {
                self.error.get_or_insert(Error::Shape { file: self.file.into(), name, expected, found: shape });
                return param;
            }
            let tensor = Tensor::from_data(TensorData::new(values, shape), &param.lazy_device());
            let id = param.id;
            param.transform_for_load(tensor, id)
        }
    }
    let mut mapper = Apply { path: Path::default(), arrays, file, error: None };
    let module = module.map(&mut mapper);
    if let Some(error) = mapper.error {
        return Err(error);
    }
    match mapper.arrays.into_keys().next() {
        Some(name) => Err(Error::UnknownTensor { file: file.into(), name }),
        None => Ok(module),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Stream;
    use crate::base::tensors::{Precision, read, write};
    use crate::nn::backbone::Backbone;
    use crate::nn::layers::{Initial, Linear};
    use burn::tensor::Device;

    #[derive(Module, Debug)]
    struct Net {
        backbone: Backbone,
        fc: Linear,
    }

    fn net(classes: usize, seed: u64) -> Net {
        let (mut initial, device) = (Initial::Uniform(Stream::new(seed, 1)), Device::flex());
        let backbone = Backbone::new(&mut initial, &device);
        Net { backbone, fc: Linear::new(512, classes, true, &mut initial, &device) }
    }

    #[test]
    fn names_are_pytorch_names() {
        let names: Vec<String> = collect(&net(3, 0)).into_keys().collect();
        for name in [
            "conv1.weight",
            "bn1.weight",
            "bn1.bias",
            "bn1.running_mean",
            "bn1.running_var",
            "layer1.0.conv1.weight",
            "layer1.1.bn2.running_var",
            "layer2.0.downsample.0.weight",
            "layer2.0.downsample.1.bias",
            "layer4.1.conv2.weight",
            "fc.weight",
            "fc.bias",
        ] {
            assert!(names.iter().any(|n| n == name), "{name} is not among {names:?}");
        }
        assert_eq!(names.len(), 20 * 5 + 2);
    }

    /// Reference values: backbone 11,185,536; classifier 512 C + C.
    #[test]
    fn parameter_count() {
        let buffers = 2 * (64 * 5 + 128 * 5 + 256 * 5 + 512 * 5);
        assert_eq!(net(3, 0).num_params() - buffers, 11_185_536 + 512 * 3 + 3);
    }

    #[test]
    fn round_trip_and_typed_errors() {
        let first = net(3, 1);
        let arrays = collect(&first);
        let bytes = write(&arrays, Precision::F32, &[("b".into(), "2".into()), ("a".into(), "1".into())]).unwrap();
        assert_eq!(
            bytes,
            write(&arrays, Precision::F32, &[("a".into(), "1".into()), ("b".into(), "2".into())]).unwrap()
        );
        let back = read(&bytes, "m").unwrap();
        assert_eq!(back, arrays);
        let other = apply(net(3, 2), back.clone(), "m").unwrap();
        assert_eq!(collect(&other), arrays);

        let mut missing = back.clone();
        missing.remove("fc.bias");
        assert!(
            matches!(apply(first.clone(), missing, "m"), Err(Error::MissingTensor { name, .. }) if name == "fc.bias")
        );
        let mut extra = back.clone();
        extra.insert("fc2.bias".into(), Array { shape: vec![1], values: vec![0.0] });
        assert!(matches!(apply(first, extra, "m"), Err(Error::UnknownTensor { name, .. }) if name == "fc2.bias"));
        assert!(matches!(apply(net(2, 0), back.clone(), "m"), Err(Error::Shape { .. })));
        let mut infinite = back;
        infinite.get_mut("fc.bias").unwrap().values[1] = f32::INFINITY;
        let bytes = write(&infinite, Precision::F32, &[]).unwrap();
        assert!(matches!(read(&bytes, "m"), Err(Error::NonFinite { index: 1, .. })));
        assert!(matches!(read(&bytes[..bytes.len() - 5], "m"), Err(Error::BadSafetensors { .. })));
        assert!(matches!(read(&[0xff; 40], "m"), Err(Error::BadSafetensors { .. })));
        assert!(matches!(read(&[], "m"), Err(Error::BadSafetensors { .. })));
    }
}
