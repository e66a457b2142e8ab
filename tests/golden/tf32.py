#!/usr/bin/env python3
"""How far TF32, in which GPUs multiply f32, moves the first training steps: three steps of the image network in PyTorch on the CPU, as
they are and with the operands of every convolution rounded to TF32's ten bits. The limits of tests/device.rs rest on it.

    clip-lung phantom --limit 120 --out DATA
    pip install torch numpy safetensors && python3 tf32.py DATA [LEARNING RATE, 0.0001]
"""
import csv, os, sys
import numpy as np
import torch
import torch.nn.functional as F
from reference import ImageNet, dataset_crops

data, lr = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 1e-4


def tf32(x):
    """To the nearest, ties away from zero."""
    return (x.contiguous().view(torch.int32) + 0x1000 & ~0x1FFF).view(torch.float32)


class Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, stride, padding):
        ctx.save_for_backward(x, w)
        ctx.how = stride, padding
        return F.conv2d(tf32(x), tf32(w), None, stride, padding)

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return (torch.nn.grad.conv2d_input(x.shape, tf32(w), tf32(g), *ctx.how),
                torch.nn.grad.conv2d_weight(tf32(x), w.shape, tf32(g), *ctx.how), None, None)


def rounded(conv, x, weight, bias):
    y = Rounded.apply(x, weight, conv.stride, conv.padding)
    return y if bias is None else y + bias[:, None, None]


x = (np.clip(dataset_crops(data), -1000, 400) + 1000) / 1400
x = torch.from_numpy((x - x.mean()) / x.std())
names = ["benign", "unsure", "malignant"]
y = torch.tensor([names.index(r["class"]) for r in csv.DictReader(open(os.path.join(data, "nodules.csv")))])


def steps(conv, seed):
    torch.nn.Conv2d._conv_forward = conv
    torch.manual_seed(seed)
    net = ImageNet().train()
    sgd = torch.optim.SGD(net.parameters(), lr=lr, momentum=.9, weight_decay=1e-4)
    for k in range(3):
        part = slice(28 * k, 28 * k + 28)
        loss = F.cross_entropy(net(x[part]), y[part])
        sgd.zero_grad()
        loss.backward()
        gradient = torch.cat([p.grad.flatten() for p in net.parameters()])
        yield loss.item(), gradient
        sgd.step()


exact = torch.nn.Conv2d._conv_forward
for seed in range(4):
    for k, ((a, g), (b, h)) in enumerate(zip(list(steps(exact, seed)), list(steps(rounded, seed))), 1):
        print(f"seed {seed}, step {k}: loss {a:.6f}, in TF32 {b:.6f}; gradient's norm {g.norm():.4f}, {h.norm():.4f}; "
              f"relative difference of the gradients {(g - h).norm() / g.norm():.4f}")
