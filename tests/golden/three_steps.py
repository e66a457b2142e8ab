#!/usr/bin/env python3
"""three_steps.json: three training steps of every method in PyTorch, f64 from f32 start values: losses, terms, gradient norms, weights after.

    pip install torch numpy safetensors && python3 three_steps.py [--single]

`--single` runs each case in f32 too and prints how far that is off. A ReLU whose input is within rounding of 0 lets its gradient through in
one and not in the other; the third step shows it.

8 crops (`reference.normalised_crops(8)`), SGD with learning rate .001, momentum .9 and weight decay 1e-4, none on temperatures and thresholds,
of which a case named "decay" has 0.1, so that what is exempt shows; no clipping, no average. Losses are those of methods.md 2.1-2.7 and
eqs. (1)-(5): see methods.py. Start values are PyTorch's default, drawn as the Rust program does, from splitmix64 streams:

    (seed, 1)  conv1, layer1.0.conv1, .conv2, .downsample, layer1.1.., reduce (weight, bias; pool "view"), fc (weight, bias)
    (seed, 2)  hidden (weight, bias), out (weight, bias) of the context net
    (seed, 3)  projection [512, d] of text features that are not 512 wide (case "projected"): normal rows [d, 512] made orthonormal, transposed
    (seed, 4)  corf: a shuffle of its 128 units a tree, of which the first 15 are the tree's splits; then normal logits of deviation .01

Biases of poisson (rate 1), binomial (0) and nsb (a third each), temperatures and thresholds are in `start` (small tensors whole, else first 8 values and norm), those of the backbone
once for all cases; corf's splits, leaves or logits of leaves are whole. With uniform leaves, where corf begins, the loss has no gradient.
The words are small_clip_openai.safetensors with the token ids of `class_ids` and `attribute_ids`; "projected" takes the first 48 columns of
its text_projection. `after` has, of the tensors after three steps, the first 8 values, the L2 norm, and the norm of what was moved.
`corf`: `leaf_update` has the leaves after one update of 20 iterations on the 8 crops with the network in evaluation mode after the three
steps, the NLL of each tree before every iteration and at the end, and `next_loss`, of the fourth step.
"""
import os, sys
import numpy as np
import torch
from safetensors.numpy import load_file
from methods import Learner, leaf_shares, leaf_update
from reference import bits, dump, normal, normalised_crops, uniform
from towers import ClipTower, Prompts

SEED, LR, MOMENTUM, DECAY = 2, 0.001, 0.9, 1e-4
LABELS = [0, 1, 2, 2, 1, 0, 0, 2]
CLASS_IDS = [[58, 4, 9, 33, 17, 21, 5, 40, 12, 2, 59], [58, 4, 9, 33, 17, 21, 5, 44, 2, 59], [58, 4, 9, 33, 17, 21, 5, 51, 13, 2, 59]]
ATTRIBUTE_IDS = [[58, 7, 9, 33, 17, 30, a, 2, 59] for a in (11, 14, 22, 25, 36, 41, 47)] + [[58, 7, 9, 33, 17, 30, 53, 8, 2, 59]]
HERE = os.path.dirname(os.path.abspath(__file__))


def prompts(dtype, columns=512):
    """Class prompts and attribute features of the small tower, at full length, padded with the end."""
    arrays = load_file(os.path.join(HERE, "small_clip_openai.safetensors"))
    arrays["text_projection"] = arrays["text_projection"][:, :columns]
    tower = ClipTower(64, 2, 2, columns)
    table = tower.load(arrays).to(dtype)
    tower.to(dtype)
    embed = lambda ids: torch.stack([table[torch.tensor(i + i[-1:] * (12 - len(i)))] for i in ids])
    last = lambda ids: torch.tensor([len(i) - 1 for i in ids])
    return Prompts(tower, embed(CLASS_IDS), last(CLASS_IDS), tower(embed(ATTRIBUTE_IDS), last(ATTRIBUTE_IDS)))


def ratings():
    """Quarter steps on each attribute's scale, [8, 8]."""
    top = np.array([5, 4, 6, 5, 5, 5, 5, 5.0])
    return np.floor(uniform(SEED, 40, 64, 0, 1).reshape(8, 8) * ((top - 1) * 4 + 1)) / 4 + 1


def initialise(net):
    """PyTorch's default, U(-1/sqrt(fan in), 1/sqrt(fan in)), in the order of the docstring."""
    def fill(stream, modules):
        parameters = [(p, m.weight[0].numel()) for m in modules for p in (m.weight, getattr(m, "bias", None)) if p is not None]
        u, at = uniform(SEED, stream, sum(p.numel() for p, _ in parameters), 0, 1), 0
        for p, fan_in in parameters:
            bound = 1 / np.sqrt(fan_in)
            p.data = torch.tensor(-bound + 2 * bound * u[at:at + p.numel()]).float().reshape(p.shape)
            at += p.numel()

    image = net.image
    kept = image.fc.bias.data.clone() if net.method in ("poisson", "binomial", "nsb") else None
    blocks = [b for n in range(1, 5) for b in getattr(image, f"layer{n}")]
    convolutions = [c for b in blocks for c in (b.conv1, b.conv2, b.downsample and b.downsample[0]) if c]
    fill(1, [image.conv1, *convolutions, *([image.reduce] if image.reduce else []), image.fc])
    if kept is not None:  # drawn, as all, and then set
        image.fc.bias.data = kept
    if hasattr(net, "learner") and net.method != "clip":
        fill(2, [net.learner.hidden, net.learner.out])
    if isinstance(getattr(net, "projection", None), torch.nn.Linear):
        d = net.projection.in_features
        q, r = np.linalg.qr(normal(uniform(SEED, 3, 2 * d * 512, 0, 1)).reshape(d, 512).T)
        net.projection.weight.data = torch.tensor(q * np.sign(np.diag(r))).float()


def named(net):
    """What is looked at, by the names of a model directory or of the prompt learner."""
    state = {n.replace("image.", "").replace("learner.", ""): t for n, t in net.state_dict().items()}
    small = ["t", "t1", "r", "leaves", "logit_scale", "context", "hidden.weight", "hidden.bias", "out.weight", "out.bias", "projection.weight"]
    names = ["conv1.weight", "bn1.weight", "bn1.running_mean", "layer2.0.downsample.0.weight", "layer4.1.conv2.weight", "layer4.1.bn2.running_var",
             "reduce.weight", "reduce.bias", "fc.weight", "fc.bias", *small]
    return {n: state[n].double().clone() for n in names if n in state}


def digest(tensor, start=None):
    if tensor.numel() <= 8:
        out = dict(values=tensor)
    else:
        out = dict(first=tensor.flatten()[:8], norm=tensor.norm())
    return out if start is None else out | dict(moved=(tensor - start).norm())


def run(method, dtype, decay=DECAY, pool=None, columns=512, **options):
    words = prompts(torch.float32, columns) if method in ("clip", "cocoop", "clip-lung") else None
    net = Learner(method, pool, words, projected=columns != 512, **options)
    initialise(net)
    net = net.to(dtype).train()
    if words:
        net.prompts = prompts(dtype, columns)
    x, y, w = normalised_crops(8).to(dtype), torch.tensor(LABELS), torch.tensor(ratings()).softmax(1).float().to(dtype)
    exempt = net.without_decay()
    trained = [p for p in net.parameters() if p.requires_grad]
    decayed = [p for p in trained if all(p is not e for e in exempt)]
    sgd = torch.optim.SGD([dict(params=decayed), dict(params=exempt, weight_decay=0)], LR, MOMENTUM, weight_decay=decay)
    start, losses, parts, norms = named(net), [], {}, []
    for _ in range(3):
        total, terms = net(x, y, w)
        sgd.zero_grad()
        total.backward()
        losses.append(total.item())
        norms.append(torch.stack([p.grad.norm() for p in trained]).norm().item())
        for k, v in terms.items():
            parts.setdefault(k, []).append(v.item())
        sgd.step()
        net.clamp()
    after = named(net)
    out = dict(loss=losses, terms=parts, gradient_norm=norms, start={n: digest(t) for n, t in start.items()},
               after={n: digest(t, start[n]) for n, t in after.items()})
    if method == "corf" and not net.leaves.requires_grad:
        out["leaf_update"] = after_epoch(net, x, y)
    return out


def after_epoch(net, x, y):
    with torch.no_grad():
        share = leaf_shares(net.eval().image(x), net.splits)
        net.leaves.data, nll = leaf_update(share, y, net.leaves.data)
        return dict(leaves=net.leaves.clone(), nll=torch.stack(nll), next_loss=net.train()(x, y)[0].item())


def forest():
    """Splits [5, 15] and logits of leaves [5, 16, 3]."""
    drawn, trees = iter(int(b) for b in bits(SEED, 4, 5 * 127 + 2 * 240)), []
    for _ in range(5):
        order = list(range(128))
        for i in range(127, 0, -1):  # Fisher-Yates
            j = next(drawn) * (i + 1) >> 64
            order[i], order[j] = order[j], order[i]
        trees.append(order[:15])
    logits = 0.01 * normal([(b >> 11) * 2.0**-53 for b in drawn])
    return torch.tensor(trees), torch.tensor(logits).float().reshape(5, 16, 3)


SPLITS, LOGITS = forest()
LEAVES = torch.tensor(np.round(np.random.default_rng(7).dirichlet([0.7] * 3, (5, 16)) * 0.97 + 0.01, 4)).float()
LEAVES = LEAVES / LEAVES.sum(-1, keepdim=True)
COSTS = [2651 / (3 * n) for n in (1123, 1025, 503)]
CASES = [
    dict(name="ce", method="ce"), dict(name="ce, pool view", method="ce", pool="view"), dict(name="poisson", method="poisson"),
    dict(name="binomial", method="binomial"), dict(name="nsb", method="nsb"), dict(name="udm", method="udm"),
    dict(name="udm, paper-like", method="udm", margins=(0.5, 0.5), costs=COSTS), dict(name="corf, em", method="corf", splits=SPLITS),
    dict(name="corf, em, leaves given", method="corf", splits=SPLITS, leaves=LEAVES),
    dict(name="corf, sgd", method="corf", splits=SPLITS, logits=LOGITS), dict(name="clip", method="clip"), dict(name="cocoop", method="cocoop"),
    dict(name="clip-lung", method="clip-lung"), dict(name="clip-lung, projected", method="clip-lung", columns=48),
    dict(name="poisson, decay", method="poisson", decay=0.1), dict(name="udm, decay", method="udm", decay=0.1),
    dict(name="clip-lung, decay", method="clip-lung", decay=0.1),
]


def distances(a, b, path=""):
    """(where, largest difference relative to what exceeds 1) of every entry."""
    if isinstance(a, dict):
        return [d for k in a for d in distances(a[k], b[k], f"{path}.{k}" if path else k)]
    a, b = (torch.as_tensor(v).detach().double() for v in (a, b))
    return [(path, ((a - b).abs() / b.abs().clamp(min=1)).max().item())]


if __name__ == "__main__":
    torch.set_num_threads(2)
    cases, backbone = [], {}
    for settings in CASES:
        settings = dict(settings)
        name = settings.pop("name")
        out = run(dtype=torch.float64, **settings)
        print(name, out["loss"], out["terms"], flush=True)
        if "--single" in sys.argv:
            off = distances(run(dtype=torch.float32, **settings), out)
            print(", ".join(f"{where} {d:.1e}" for where, d in sorted(off, key=lambda d: -d[1])[:6]), flush=True)
        own = ("fc", "reduce", "t", "t1", "r", "logit_scale", "context", "hidden", "out", "projection")
        backbone |= {n: d for n, d in out["start"].items() if n.split(".")[0] not in own and n != "leaves"}
        out["start"] = {n: d for n, d in out["start"].items() if n.split(".")[0] in own}
        cases.append({k: v for k, v in dict(name=name, **settings, **out).items() if v != {}})
    dump("three_steps.json", dict(
        seed=SEED, lr=LR, momentum=MOMENTUM, weight_decay=DECAY, labels=LABELS, ratings=ratings(),
        attribute_weights=torch.tensor(ratings()).softmax(1), class_ids=CLASS_IDS, attribute_ids=ATTRIBUTE_IDS, start=backbone, cases=cases))
