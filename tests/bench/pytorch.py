#!/usr/bin/env python3
"""The same training steps and inference in PyTorch, for `make bench`: prints one JSON object of median seconds.

    pip install torch transformers numpy && python3 pytorch.py [--device cpu|cuda] [--threads N] [--steps N]

The text side is trimmed and batched as in the Rust program's plain form: 96 prompts of 11 tokens in one call.
"""
import argparse, json, os, statistics, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
import torch
import torch.nn.functional as F
from reference import ImageNet, PromptLearner

a = argparse.ArgumentParser()
a.add_argument("--device", default="cpu")
a.add_argument("--threads", type=int, default=2)
a.add_argument("--steps", type=int, default=9)
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


class Tower(torch.nn.Module):
    """CLIP's text transformer on embeddings, 11 tokens, fused attention."""

    def __init__(self, w=512, layers=12, heads=8):
        super().__init__()
        layer = lambda: torch.nn.ModuleDict(dict(ln1=torch.nn.LayerNorm(w), qkv=torch.nn.Linear(w, 3 * w), out=torch.nn.Linear(w, w),
                                                 ln2=torch.nn.LayerNorm(w), fc=torch.nn.Linear(w, 4 * w), proj=torch.nn.Linear(4 * w, w)))
        self.layers, self.ln, self.projection, self.heads = torch.nn.ModuleList(layer() for _ in range(layers)), torch.nn.LayerNorm(w), torch.nn.Linear(w, w, bias=False), heads
        self.requires_grad_(False)

    def forward(self, x, eot):
        n, t, w = x.shape
        for l in self.layers:
            q, k, v = l["qkv"](l["ln1"](x)).reshape(n, t, 3, self.heads, w // self.heads).permute(2, 0, 3, 1, 4)
            x = x + l["out"](F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(n, t, w))
            h = l["fc"](l["ln2"](x))
            x = x + l["proj"](h * torch.sigmoid(1.702 * h))
        return self.projection(self.ln(x[torch.arange(n), eot]))


x, y = torch.randn(32, 32, 32, 32, device=dev), torch.randint(0, 3, (32,), device=dev)
weights = torch.softmax(torch.randn(32, 8, device=dev), 1)
norm = lambda t: F.normalize(t, dim=-1)


def trainer(clip):
    net = ImageNet().to(dev).train()
    modules = [net]
    if clip:
        tower, learner = Tower().to(dev), PromptLearner(torch.randn(4, 512) * 0.02).to(dev)
        fixed, attributes = torch.randn(3, 7, 512, device=dev) * 0.02, norm(torch.randn(8, 512, device=dev))
        eot = torch.tensor([10, 9, 10], device=dev).repeat(32)
        modules.append(learner)
    params = [p for m in modules for p in m.parameters()]
    sgd = torch.optim.SGD(params, lr=1e-3, momentum=0.9, weight_decay=1e-4)
    ema = [p.detach().clone() for p in params]

    def step():
        logits, groups = net(x, True)
        loss = F.cross_entropy(logits, y)
        if clip:
            f, s = norm(groups), learner.logit_scale.exp()
            prompts = torch.cat([fixed[:1, :1].expand(32, 3, 1, 512), learner(f)[:, None].expand(32, 3, 4, 512), fixed[None, :, 1:].expand(32, 3, 6, 512)], 2)
            c = norm(tower(prompts.reshape(96, 11, 512), eot)).reshape(32, 3, 512)
            ic = F.cross_entropy((s * f @ c.transpose(1, 2)).flatten(0, 1), y.repeat_interleave(4))
            ia = -(weights[:, None] * torch.log_softmax(s * f @ attributes.T, -1)).sum(-1).mean()
            ca = F.cross_entropy((s * (c @ attributes.T) * weights[:, None]).sum(-1), y)
            loss = loss + ic + ia + 0.5 * ca
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        torch._foreach_lerp_(ema, params, 0.001)

    return step


if __name__ == "__main__":
    out = {"torch": torch.__version__, "threads": a.threads, "device": torch.cuda.get_device_name() if dev.type == "cuda" else "cpu"}
    out["ce_step"] = median(trainer(False))
    out["clip_lung_step"] = median(trainer(True))
    net = ImageNet().to(dev).eval()
    with torch.inference_mode():
        out["infer_32"] = median(lambda: net(x), 15)
        out["infer_1"] = median(lambda: net(x[:1]), 31)
        if dev.type == "cpu":
            torch.set_num_threads(1)
            out["infer_1_one_thread"] = median(lambda: net(x[:1]), 31)
    print(json.dumps(out))
