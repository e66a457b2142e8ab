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


def bits(key, stream, count):
    """The first `count` numbers of 64 bits of a splitmix64 stream."""
    with np.errstate(over="ignore"):
        start = mix(U(key + 1) * U(G) ^ mix(U(stream + 1) * U(D)))
        return mix(start + np.arange(1, count + 1, dtype=U) * U(G))


def uniform(key, stream, count, low, high):
    """The same as uniform numbers."""
    return low + (high - low) * ((bits(key, stream, count) >> U(11)).astype(np.float64) * 2.0**-53)


def normal(u):
    """Normal numbers by Box-Muller from an even number of uniform ones."""
    u = np.asarray(u).reshape(-1, 2)
    return np.sqrt(-2 * np.log(1 - u[:, 0])) * np.cos(2 * np.pi * u[:, 1])


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
    """ResNet-18 with 32 input channels and a linear classifier on 512 features: the mean of layer4's 16 cells (pool "mean"), or
    row-major view, 1x1 convolution and 2x2 means (pool "view")."""

    def __init__(self, units=3, pool="view", bias=True, inputs=512):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(32, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64)
        for n, (i, o, s) in enumerate([(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)], 1):
            setattr(self, f"layer{n}", nn.Sequential(Block(i, o, s), Block(o, o, 1)))
        self.reduce = nn.Conv2d(128, 32, 1) if pool == "view" else None
        self.fc = nn.Linear(inputs, units, bias=bias)

    def features(self, x):
        """The classifier's input [n, 512], and the channel groups [n, 4, 512] where there are any."""
        x = F.relu(self.bn1(self.conv1(x)))
        layer4 = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        if self.reduce is None:
            return layer4.mean((2, 3)), None
        reduced = self.reduce(layer4.reshape(-1, 128, 8, 8))
        return F.adaptive_avg_pool2d(reduced, 4).flatten(1), reduced.reshape(-1, 4, 512)

    def forward(self, x, full=False):
        pooled, groups = self.features(x)
        return (self.fc(pooled), groups) if full else self.fc(pooled)


class PromptLearner(nn.Module):
    """ctx_t = l_t + h(F_t), and the temperature: ln(1/tau)."""

    def __init__(self, opening):
        super().__init__()
        self.context = nn.Parameter(opening.clone())
        self.hidden, self.out = nn.Linear(512, 32), nn.Linear(32, opening.shape[1])
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


def phantom_crops(n):
    """Integer HU [n, 32, 32, 32]: lung from -1000 to -601 with a ball of -100 to 99 in it. Crop i draws radius and centre (z, y, x) from
    the stream (6, i) and each voxel from (5, i)."""
    z, y, x = np.meshgrid(*[np.arange(32.0)] * 3, indexing="ij")
    crops = np.empty((n, 32, 32, 32))
    for i in range(n):
        u = uniform(6, i, 4, 0, 1)
        radius, cz, cy, cx = 4 + 8 * u[0], *(13 + 5 * u[1:])
        inside = (z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 < radius**2
        u = uniform(5, i, 32768, 0, 1).reshape(32, 32, 32)
        crops[i] = np.floor(np.where(inside, -100 + 200 * u, -1000 + 400 * u))
    return crops


def normalised_crops(n):
    """Those crops as a model of window -1000..400, mean 0.2 and deviation 0.2 takes them, f32."""
    return torch.tensor(((phantom_crops(n) + 1000) / 1400 - 0.2) / 0.2).float()


def dataset_crops(data):
    """HU of the crops of a dataset directory, [n, 32, 32, 32], f32."""
    from safetensors.numpy import load
    path = os.path.join(data, "crops.safetensors")
    raw = open(path, "rb").read() if os.path.exists(path) else gzip.open(path + ".gz").read()
    meta = json.loads(raw[8:8 + int.from_bytes(raw[:8], "little")]).get("__metadata__", {})
    return load(raw)["crops"].astype(np.float32) * float(meta.get("hu_slope", 1)) + float(meta.get("hu_intercept", 0))


def dump(name, data):
    """JSON beside the scripts, nine significant digits, a line for every list or number."""
    def plain(v):
        if isinstance(v, torch.Tensor):
            v = v.detach().numpy()
        if isinstance(v, np.ndarray):
            v = v.tolist()
        if isinstance(v, dict):
            return {k: plain(x) for k, x in v.items()}
        if isinstance(v, (list, tuple)):
            return [plain(x) for x in v]
        return float(f"{v:.9g}") + 0.0 if isinstance(v, float) else v

    def text(v, indent):
        if isinstance(v, dict):
            rows = [f'{indent}  {json.dumps(k)}: {text(x, indent + "  ")}' for k, x in v.items()]
            return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
        if isinstance(v, list) and any(isinstance(x, dict) for x in v):
            return "[\n" + ",\n".join(f"{indent}  {text(x, indent + '  ')}" for x in v) + f"\n{indent}]"
        return json.dumps(v, separators=(",", ":"), allow_nan=False)

    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text(plain(data), "") + "\n")
    print(f"{name}: {os.path.getsize(path)} bytes")
