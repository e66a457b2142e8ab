"""Text towers on embeddings, frozen, with prompts whose first four tokens are open: what prompts are encoded with, in PyTorch."""
import torch
from torch import nn
import torch.nn.functional as F


def layer(width):
    return nn.ModuleDict(dict(ln1=nn.LayerNorm(width), qkv=nn.Linear(width, 3 * width), out=nn.Linear(width, width), ln2=nn.LayerNorm(width),
                              fc=nn.Linear(width, 4 * width), proj=nn.Linear(4 * width, width)))


def attention(l, x, heads, **mask):
    n, t, w = x.shape
    q, k, v = l["qkv"](x).reshape(n, t, 3, heads, w // heads).permute(2, 0, 3, 1, 4)
    return l["out"](F.scaled_dot_product_attention(q, k, v, **mask).transpose(1, 2).reshape(n, t, w))


class ClipTower(nn.Module):
    """CLIP's text transformer: pre-norm, causal, QuickGELU, read at the end token."""

    def __init__(self, width=512, layers=12, heads=8, output=512):
        super().__init__()
        self.layers, self.heads = nn.ModuleList(layer(width) for _ in range(layers)), heads
        self.positions = nn.Parameter(0.01 * torch.randn(77, width))
        self.ln, self.projection = nn.LayerNorm(width), nn.Linear(width, output, bias=False)
        self.requires_grad_(False)

    def forward(self, x, last):
        """Embeddings [n, t, width] and the end token's index in each [n] -> [n, output]."""
        x = x + self.positions[: x.shape[1]]
        for l in self.layers:
            x = x + attention(l, l["ln1"](x), self.heads, is_causal=True)
            h = l["fc"](l["ln2"](x))
            x = x + l["proj"](h * torch.sigmoid(1.702 * h))
        return self.projection(self.ln(x[torch.arange(len(x), device=x.device), last]))

    def load(self, arrays):
        """Weights in OpenAI's names; returns the token table."""
        get = lambda name: torch.as_tensor(arrays[name])
        for i, l in enumerate(self.layers):
            block = lambda name: get(f"transformer.resblocks.{i}.{name}")
            for ours, theirs in dict(ln1="ln_1", out="attn.out_proj", ln2="ln_2", fc="mlp.c_fc", proj="mlp.c_proj").items():
                l[ours].weight.data, l[ours].bias.data = block(theirs + ".weight"), block(theirs + ".bias")
            l["qkv"].weight.data, l["qkv"].bias.data = block("attn.in_proj_weight"), block("attn.in_proj_bias")
        self.positions.data, self.projection.weight.data = get("positional_embedding"), get("text_projection").T.contiguous()
        self.ln.weight.data, self.ln.bias.data = get("ln_final.weight"), get("ln_final.bias")
        return get("token_embedding.weight")


class BertTower(nn.Module):
    """BERT in MiniLM's shape: LayerNorm on the embeddings, post-norm, exact GELU, every token sees all; mean over the tokens."""

    def __init__(self, width=384, layers=6, heads=12):
        super().__init__()
        self.layers, self.heads = nn.ModuleList(layer(width) for _ in range(layers)), heads
        self.positions, self.ln = nn.Parameter(0.02 * torch.randn(512, width)), nn.LayerNorm(width, eps=1e-12)
        for l in self.layers:
            l["ln1"].eps = l["ln2"].eps = 1e-12
        self.requires_grad_(False)

    def forward(self, x, last):
        there = torch.arange(x.shape[1], device=x.device) <= last[:, None]
        mask = None if there.all() else there[:, None, None]
        x = self.ln(x + self.positions[: x.shape[1]])
        for l in self.layers:
            x = l["ln1"](x + attention(l, x, self.heads, attn_mask=mask))
            x = l["ln2"](x + l["proj"](F.gelu(l["fc"](x))))
        return (x * there[..., None]).sum(1) / there.sum(1, keepdim=True)


class Prompts:
    """Class prompts [start, 4 open tokens, rest, end], padded to one length, and fixed attribute features."""

    def __init__(self, tower, classes, last, attributes):
        """Embeddings of the class prompts [C, t, width], the index of each one's end token [C], attribute features [K, d]."""
        self.tower, self.fixed, self.last, self.attributes = tower, classes, last, attributes
        self.opening, self.classes = classes[0, 1:5], tower(classes, last)

    def encode(self, context):
        """[n, 4, width] -> [n, C, d], not normalised."""
        n, (c, t, w) = len(context), self.fixed.shape
        fixed = self.fixed[None].expand(n, c, t, w)
        x = torch.cat([fixed[:, :, :1], context[:, None].expand(n, c, 4, w), fixed[:, :, 5:]], 2)
        return self.tower(x.reshape(n * c, t, w), self.last.repeat(n)).reshape(n, c, -1)
