#!/usr/bin/env python3
"""The same training steps and inference in PyTorch, for `make bench`: prints one JSON object of median seconds.

    pip install torch transformers numpy
    python3 pytorch.py [--device cpu|cuda] [--threads N] [--steps N] [--batch N] [--method NAME ..] [--compile]

Without --method: a step of ce and of clip-lung, and inference. With it: a step of each method named, and no inference. A step is forward,
backward, SGD and the average of the weights, of 32 samples without --batch. The text side is trimmed and batched as in the Rust program's
plain form: 96 prompts of 11 tokens in one call of CLIP's tower; of 10 tokens, two thirds of them padded by one, in clip-lung-minilm, whose tower has MiniLM's
shape (BERT, 6 layers of 384). corf's update of the leaves, once an epoch, is no part of its step. With --compile: torch.compile, on a
GPU with its CUDA graphs, and bfloat16 by autocast. On a GPU `pace` is a step among steps that nothing waits for.
"""
import argparse, json, os, statistics, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
import torch
from methods import Learner
from reference import ImageNet
from towers import BertTower, ClipTower, Prompts

METHODS = ["ce", "poisson", "nsb", "udm", "corf", "clip", "cocoop", "clip-lung", "clip-lung-minilm"]
a = argparse.ArgumentParser()
a.add_argument("--device", default="cpu")
a.add_argument("--threads", type=int, default=2)
a.add_argument("--steps", type=int, default=9)
a.add_argument("--batch", type=int, default=32)
a.add_argument("--method", nargs="+", choices=METHODS)
a.add_argument("--compile", action="store_true")
a = a.parse_args()
torch.set_num_threads(a.threads)
torch.manual_seed(0)
dev = torch.device(a.device)


def median(work, n=a.steps, warm=2):
    times = []
    for i in range(n + warm):
        if dev.type == "cuda":
            torch.cuda.synchronize()
        t = time.perf_counter()
        work()
        if dev.type == "cuda":
            torch.cuda.synchronize()
        if i >= warm:
            times.append(time.perf_counter() - t)
    return statistics.median(times)


x, y = torch.randn(a.batch, 32, 32, 32, device=dev), torch.randint(0, 3, (a.batch,), device=dev)
weights = torch.softmax(torch.randn(a.batch, 8, device=dev), 1)


def prompts(method):
    if method not in ("clip", "cocoop", "clip-lung", "clip-lung-minilm"):
        return None
    tower, tokens, width, last = (BertTower(), 10, 384, [8, 8, 9]) if "minilm" in method else (ClipTower(), 11, 512, [10, 9, 10])
    classes = 0.02 * torch.randn(3, tokens, width, device=dev)
    return Prompts(tower.to(dev), classes, torch.tensor(last, device=dev), torch.randn(8, width, device=dev))


def trainer(method):
    splits = torch.stack([torch.randperm(128)[:15] for _ in range(5)])
    net = Learner(method.removesuffix("-minilm"), prompts=prompts(method), splits=splits, projected="minilm" in method).to(dev).train()
    params, exempt = [p for p in net.parameters() if p.requires_grad], net.without_decay()
    groups = [dict(params=[p for p in params if all(p is not e for e in exempt)]), dict(params=exempt, weight_decay=0)]
    sgd = torch.optim.SGD(groups, lr=1e-3, momentum=0.9, weight_decay=1e-4, fused=a.compile or None)
    forward = torch.compile(net, mode="reduce-overhead") if a.compile else net
    ema = [p.detach().clone() for p in params]

    def step():
        with torch.autocast(dev.type, torch.bfloat16, enabled=a.compile):
            loss, _ = forward(x, y, weights)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        net.clamp()
        torch._foreach_lerp_(ema, params, 0.001)

    return step


if __name__ == "__main__":
    out = {"torch": torch.__version__, "threads": a.threads, "device": torch.cuda.get_device_name() if dev.type == "cuda" else "cpu"}
    for method in a.method or ["ce", "clip-lung"]:
        step = trainer(method)
        out[method.replace("-", "_") + "_step"] = median(step, warm=5 if a.compile else 2)
        if dev.type == "cuda":
            torch.cuda.synchronize()
            t = time.perf_counter()
            for _ in range(a.steps):
                step()
            torch.cuda.synchronize()
            out[method.replace("-", "_") + "_pace"] = (time.perf_counter() - t) / a.steps
    net = ImageNet().to(dev).eval()
    with torch.inference_mode():
        if not a.method:
            out["infer_32"] = median(lambda: net(x), 15)
            out["infer_1"] = median(lambda: net(x[:1]), 31)
        if not a.method and dev.type == "cpu":
            torch.set_num_threads(1)
            out["infer_1_one_thread"] = median(lambda: net(x[:1]), 31)
    print(json.dumps(out))
