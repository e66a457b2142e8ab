#!/usr/bin/env python3
"""The image network of a model directory as ONNX, BatchNorm folded into the convolutions, for `make bench-web`.

    pip install torch onnx onnxscript safetensors && python3 onnx_model.py MODEL OUT.onnx

Input `input` [n, 32, 32, 32], normalised; output `logits` [n, C].
"""
import json, os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
import torch
from safetensors.torch import load_file
from torch.nn.utils.fusion import fuse_conv_bn_eval
from reference import ImageNet

model, out = sys.argv[1:]
classes = len(json.load(open(f"{model}/config.json"))["classes"])
weights = {k: v.float() for k, v in load_file(f"{model}/model.safetensors").items()}
net = ImageNet(classes)
missing, unexpected = net.load_state_dict(weights, strict=False)
assert all(name.endswith("num_batches_tracked") for name in missing), missing
assert set(unexpected) <= {"attribute_features", "logit_scale"}, unexpected
net.eval()
crop = torch.randn(2, 32, 32, 32)
before = net(crop)

for module in list(net.modules()):
    names = list(module._modules)
    for conv, bn in zip(names, names[1:]):
        if isinstance(module._modules[conv], torch.nn.Conv2d) and isinstance(module._modules[bn], torch.nn.BatchNorm2d):
            module._modules[conv] = fuse_conv_bn_eval(module._modules[conv], module._modules[bn])
            module._modules[bn] = torch.nn.Identity()
        elif isinstance(module._modules[bn], torch.nn.BatchNorm2d):
            raise SystemExit(f"{bn}: no convolution before it")

assert torch.allclose(net(crop), before, atol=1e-4)
torch.onnx.export(net, (crop,), out, input_names=["input"], output_names=["logits"], dynamo=True, external_data=False,
                  dynamic_shapes=({0: torch.export.Dim("n", max=64)},))
