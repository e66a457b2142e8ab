#!/usr/bin/env python3
"""image_net.safetensors: 8 crops with the logits of the PyTorch network in inference (non-trivial running statistics), and
three training steps of SGD with momentum and weight decay on the same network, with an average of the weights.

    pip install torch numpy safetensors && python3 image_net.py

Weights are not stored: both sides draw them from the splitmix64 streams of `reference.uniform` by name, see `fill`.
"""
import os
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from reference import ImageNet, uniform


def fill(net):
    """Parameter number i in name order: stream (77, i), uniform within 1.5 / sqrt(fan in); statistics positive."""
    state = net.state_dict()
    names = sorted(n for n in state if not n.endswith("num_batches_tracked"))
    for i, name in enumerate(names):
        t = state[name]
        if name.endswith("running_var"):
            low, high = 0.5, 1.5
        elif ".bn" in name or name.startswith("bn") or "downsample.1" in name:
            low, high = (0.6, 1.4) if name.endswith("weight") else (-0.3, 0.3)
        else:
            bound = 1.5 / np.sqrt(np.prod(t.shape[1:])) if t.dim() > 1 else 0.1
            low, high = -bound, bound
        t.copy_(torch.tensor(uniform(77, i, t.numel(), low, high).reshape(t.shape), dtype=torch.float32))


if __name__ == "__main__":
    torch.set_num_threads(2)
    net = ImageNet().double()
    fill(net)
    x = torch.tensor(uniform(5, 0, 8 * 32768, -1.5, 1.5).reshape(8, 32, 32, 32), dtype=torch.float32).double()
    out = {}
    net.eval()
    with torch.no_grad():
        logits, groups = net(x, True)
    out["logits"], out["groups"] = logits.float().numpy(), groups[:2].float().numpy()

    net.train()
    y = torch.tensor([0, 1, 2, 2, 1, 0, 0, 2])
    sgd = torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9, weight_decay=1e-4)
    ema = {n: p.detach().clone() for n, p in net.named_parameters()}
    losses = []
    for _ in range(3):
        loss = F.cross_entropy(net(x), y)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        losses.append(loss.item())
        with torch.no_grad():
            for n, p in net.named_parameters():
                ema[n].mul_(0.9).add_(p, alpha=0.1)
    out["losses"] = np.array(losses, np.float32)
    for n in ["fc.weight", "fc.bias", "reduce.bias", "bn1.weight", "layer4.1.bn2.bias", "layer2.0.downsample.1.running_mean",
              "bn1.running_var", "layer4.1.bn2.running_var"]:
        out["after." + n] = net.state_dict()[n].float().numpy()
    for n in ["conv1.weight", "layer3.0.conv1.weight", "layer2.0.downsample.0.weight"]:
        out["after." + n] = net.state_dict()[n].float().numpy()[:4].copy()
    for n in ["fc.weight", "layer1.0.bn1.weight"]:
        out["ema." + n] = ema[n].float().numpy()
    save_file(out, os.path.join(os.path.dirname(os.path.abspath(__file__)), "image_net.safetensors"))
    print({k: v.shape for k, v in out.items()}, losses)
