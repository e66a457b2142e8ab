"""The networks of clip-lung written in PyTorch, independently of the Rust code: what the golden files are made with."""
import gzip, json, os
import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

G, D = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03
U = np.uint64


def mix(x):
    x = np.asarray(x, U)
    with np.errstate(over="ignore"):
        x = (x ^ (x >> U(30))) * U(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> U(27))) * U(0x94D049BB133111EB)
    return x ^ (x >> U(31))


def uniform(key, stream, count, low, high):
    """The first `count` uniform numbers of a splitmix64 stream."""
    with np.errstate(over="ignore"):
        start = mix(U(key + 1) * U(G) ^ mix(U(stream + 1) * U(D)))
        bits = mix(start + np.arange(1, count + 1, dtype=U) * U(G))
    return low + (high - low) * ((bits >> U(11)).astype(np.float64) * 2.0**-53)


class Block(nn.Module):
    def __init__(self, i, o, s):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(i, o, 3, s, 1, bias=False), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.downsample = nn.Sequential(nn.Conv2d(i, o, 1, s, bias=False), nn.BatchNorm2d(o)) if s != 1 or i != o else None

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ImageNet(nn.Module):
    """ResNet-18 with 32 input channels, row-major view, 1x1 convolution, 2x2 means, linear classifier."""

    def __init__(self, classes=3):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(32, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64)
        for n, (i, o, s) in enumerate([(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)], 1):
            setattr(self, f"layer{n}", nn.Sequential(Block(i, o, s), Block(o, o, 1)))
        self.reduce = nn.Conv2d(128, 32, 1)
        self.fc = nn.Linear(512, classes)

    def forward(self, x, full=False):
        x = F.relu(self.bn1(self.conv1(x)))
        layer4 = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        reduced = self.reduce(layer4.reshape(-1, 128, 8, 8))
        logits = self.fc(F.adaptive_avg_pool2d(reduced, 4).flatten(1))
        return (logits, reduced.reshape(-1, 4, 512)) if full else logits


class PromptLearner(nn.Module):
    def __init__(self, opening):
        super().__init__()
        self.context = nn.Parameter(opening.clone())
        self.hidden, self.out = nn.Linear(512, 32), nn.Linear(32, 512)
        self.logit_scale = nn.Parameter(torch.tensor([1 / 0.07]).log())

    def forward(self, f):
        return self.context + self.out(F.relu(self.hidden(f)))


def text_tower(seed=2, width=512, layers=12, heads=8, output=512):
    """transformers' CLIP text model with the weights of the Rust program's seeded random tower."""
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection
    config = CLIPTextConfig(hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers, num_attention_heads=heads,
                            projection_dim=output, vocab_size=49408, max_position_embeddings=77, hidden_act="quick_gelu",
                            bos_token_id=49406, eos_token_id=49407)
    model = CLIPTextModelWithProjection(config).eval()
    draw = lambda s, shape, sd: torch.tensor(uniform(seed, s, int(np.prod(shape)), -sd * 3**0.5, sd * 3**0.5).reshape(shape),
                                             dtype=torch.float32)
    attention, residual = width**-0.5, (width * 2.0 * layers) ** -0.5
    with torch.no_grad():
        state = dict(model.named_parameters())
        find = lambda end: next(p for n, p in state.items() if n.endswith(end))
        for p in state.values():
            p.zero_()
        for n, p in state.items():
            if "norm" in n and n.endswith("weight"):
                p.fill_(1)
        find("position_embedding.weight").copy_(draw(0, (77, width), 0.01))
        find("text_projection.weight").copy_(draw(1, (width, output), attention).T)
        for l in range(layers):
            part = lambda name: find(f"encoder.layers.{l}.{name}.weight")
            qkv = draw(10 + 4 * l, (width, 3 * width), attention)
            for i, side in enumerate("qkv"):
                part(f"self_attn.{side}_proj").copy_(qkv[:, i * width:(i + 1) * width].T)
            part("self_attn.out_proj").copy_(draw(11 + 4 * l, (width, width), residual).T)
            part("mlp.fc1").copy_(draw(12 + 4 * l, (width, 4 * width), (2.0 * width) ** -0.5).T)
            part("mlp.fc2").copy_(draw(13 + 4 * l, (4 * width, width), residual).T)
    return model


def token_row(seed, token, width=512):
    sd = 0.02 * 3**0.5
    return torch.tensor(uniform(seed, 1000 + token, width, -sd, sd), dtype=torch.float32)


def dataset_crops(data):
    """HU of the crops of a dataset directory, [n, 32, 32, 32], f32."""
    from safetensors.numpy import load
    path = os.path.join(data, "crops.safetensors")
    raw = open(path, "rb").read() if os.path.exists(path) else gzip.open(path + ".gz").read()
    meta = json.loads(raw[8:8 + int.from_bytes(raw[:8], "little")]).get("__metadata__", {})
    return load(raw)["crops"].astype(np.float32) * float(meta.get("hu_slope", 1)) + float(meta.get("hu_intercept", 0))
