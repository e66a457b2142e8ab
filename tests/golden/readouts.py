#!/usr/bin/env python3
"""readouts.json: log-probabilities of 8 crops from a trained model's tensors, for every readout and pool, in PyTorch, f64 from f32 weights.

    pip install torch numpy && python3 readouts.py

Tensors bear the names of a model directory (model.safetensors). Backbone, `reduce` and `fc` are not stored: both sides draw the tensor NAME
from the splitmix64 stream (77, FNV-1a of NAME, 64 bits), see `draw`, so that a tensor's values don't depend on which others there are.
The head's tensors are in the file. The crops are `reference.phantom_crops(8)`, HU, for a model of window -1000..400, mean 0.2, deviation 0.2.
Readouts are those of methods.md 2.1-2.5: see methods.py. A case has `head` (tensors), `diameter_mm` (8) where the classifier's last column
is ln De - ln 8, `u` [8, first 8 units] and `log_probs` [8, C].
"""
import math
import numpy as np
import torch
from methods import binomial, cumulative, poisson, softmax, sticks, trees
from reference import ImageNet, dump, normalised_crops, uniform

DIAMETERS = [3.5, 5.0, 6.2, 8.0, 9.9, 12.8, 18.5, 30.0]


def fnv(name):
    """FNV-1a, 64 bits."""
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = (h ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return h


def draw(name, shape):
    """Uniform within 1.5 / sqrt(fan in), vectors within 0.1; normalisation near its identity, statistics positive."""
    if name.endswith("running_var"):
        low, high = 0.5, 1.5
    elif "bn" in name or "downsample.1" in name:
        low, high = (0.6, 1.4) if name.endswith("weight") else (-0.3, 0.3)
    else:
        bound = 1.5 / np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else 0.1
        low, high = -bound, bound
    return torch.tensor(uniform(77, fnv(name), int(np.prod(shape)), low, high).reshape(tuple(shape))).float()


def filled(units, pool, bias, inputs, dtype):
    net = ImageNet(units, pool, bias, inputs)
    state = net.state_dict()
    net.load_state_dict({n: draw(n, t.shape) if t.dim() else t for n, t in state.items()})
    return net.to(dtype).eval()


def number(v):
    return torch.tensor([v])


def readout(kind, u, head):
    """The readout of a model directory from its tensors, calibrated where it has a temperature."""
    head = {k: v.to(u.dtype) if v.is_floating_point() else v for k, v in head.items()}
    log_p = dict(softmax=lambda: softmax(u), poisson=lambda: poisson(u, head["head.tau"], 3), binomial=lambda: binomial(u, head["head.tau"], 3),
                 sticks=lambda: sticks(u), cumulative=lambda: cumulative(u, head["head.thresholds"]),
                 forest=lambda: trees(u, head["head.splits"], head["head.leaves"]).mean(1).log())[kind]()
    return torch.log_softmax(log_p / head["head.temperature"], -1) if "head.temperature" in head else log_p


rng = np.random.default_rng(3)
leaves = torch.tensor(np.round(rng.dirichlet([0.7] * 3, (5, 16)) * 0.97 + 0.01, 4)).float()
leaves = leaves / leaves.sum(-1, keepdim=True)
forest = {"head.splits": torch.tensor(np.array([rng.permutation(128)[:15] for _ in range(5)])), "head.leaves": leaves}
HEADS = dict(softmax=(3, {}), poisson=(1, {"head.tau": number(0.7)}), binomial=(1, {"head.tau": number(0.6)}), sticks=(2, {}),
             cumulative=(1, {"head.thresholds": torch.tensor([-0.6, 0.9])}), forest=(128, forest))
CASES = [(kind, pool, False, {}) for kind in HEADS for pool in ("mean", "view")]
CASES += [("softmax", "mean", True, {}), ("cumulative", "view", True, {}), ("sticks", "mean", False, {"head.temperature": number(1.7)})]


def log_probs(case, dtype):
    kind, pool, diameter, extra = case
    units, head = HEADS[kind]
    net = filled(units, pool, kind != "cumulative", 513 if diameter else 512, dtype)
    with torch.no_grad():
        x, _ = net.features(normalised_crops(8).to(dtype))
        if diameter:
            x = torch.cat([x, (torch.tensor(DIAMETERS, dtype=dtype) / 8).log()[:, None]], 1)
        u = net.fc(x)
        return u, readout(kind, u, head | extra)


if __name__ == "__main__":
    torch.set_num_threads(2)
    cases = []
    for case in CASES:
        (u, log_p), single = log_probs(case, torch.float64), log_probs(case, torch.float32)[1]
        kind, pool, diameter, extra = case
        print(f"{kind:10} {pool} diameter {diameter}: f32 off by {(log_p - single).abs().max():.1e}, u {u.min():.2f}..{u.max():.2f}, "
              f"p {log_p.exp().min():.4f}..{log_p.exp().max():.4f}")
        cases.append(dict(readout=kind, pool=pool, classes=3, head=HEADS[kind][1] | extra, **(dict(diameter_mm=DIAMETERS) if diameter else {}),
                          u=u[:, :8], log_probs=log_p))
    dump("readouts.json", dict(hu_window=[-1000, 400], mean=0.2, std=0.2, cases=cases))
