//! Operations on lists of arrays, put into burn's queue of operations as one each. `backend_extension` makes those with a fixed number
//! of arrays itself.

use burn::backend::Cube;
use burn::backend::fusion::custom::{CustomOpIr, HandleContainer, OperationFn, OperationIr, StreamId, TensorIr};
use burn::backend::fusion::{FusionBackend, FusionRuntime};
use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, Shape};
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;

type Handle = <<CubeBackend as FusionBackend>::FusionRuntime as FusionRuntime>::FusionHandle;

/// Queues `run`, which gives arrays of these shapes from the inputs, of which there is one at least.
pub fn queue(
    name: &'static str,
    inputs: Vec<FloatTensor<Cube>>,
    outputs: Vec<Shape>,
    run: impl Fn(Vec<CubeTensor>) -> Vec<CubeTensor> + Send + Sync + 'static,
) -> Vec<FloatTensor<Cube>> {
    let Some(client) = inputs.first().map(|first| first.client.clone()) else { return Vec::new() };
    let inputs: Vec<TensorIr> = inputs.into_iter().map(|input| input.into_ir()).collect();
    let output = |shape| TensorIr::uninit(client.create_empty_handle(), shape, DType::F32);
    let outputs: Vec<TensorIr> = outputs.into_iter().map(output).collect();
    let described =
        CustomOpIr { id: name.into(), inputs: inputs.clone(), outputs: outputs.clone(), scalars: Vec::new() };
    let run = OperationFn(move |handles: &mut HandleContainer<Handle>| {
        let arrays = inputs.iter().map(|input| handles.get_float_tensor::<CubeBackend>(input)).collect();
        for (output, array) in outputs.iter().zip(run(arrays)) {
            handles.register_float_tensor::<CubeBackend>(&output.id, array);
        }
        Ok(())
    });
    client.register(StreamId::current(), OperationIr::Custom(described), run)
}
