#!/usr/bin/env python3
"""heads.json: log-probabilities, losses and gradients of every head for given outputs of the classifier, +-60 among them, in f64.

    pip install torch numpy mpmath && python3 heads.py

The formulas are those of methods.md 2.1-2.5, in PyTorch (methods.py). Each readout is computed a second time from its definition, without
any stable form, with 60 digits, and all goldens that methods.md prints are asserted to its six decimals. An entry of `cases` has

    name, readout, classes C, options    what the readout and the loss are told besides u
    parameters                           trained numbers: poisson t (tau = softplus(t) + 0.05), udm t1 and r (t2 = t1 + softplus(r))
    u [n, U]
    log_probs [n, C], jacobian [n, C, U] of the readout: d log p_c / d u
    loss [n, C], loss_gradient [n, C, U] of row i if its class were c; parameter_gradient has d loss / d parameter, [n, C, ..]

Labels, means over a batch and weights by class are the reader's to take.
"""
import math
import mpmath
import numpy as np
import torch
from methods import (binomial, cumulative, forest_loss, leaf_shares, leaf_update, of_class, poisson, softmax, softplus, sticks, trees)
from reference import dump, uniform

torch.set_default_dtype(torch.float64)
mpmath.mp.dps = 60
real = lambda v: torch.tensor(v, dtype=torch.float64)
FAR = [-60.0, -20.0, -14.5, -5.0, -2.0, -1.0, -0.3, 0.0, 0.4, 0.5, 0.8, 1.0, 1.7, 2.5, 20.0, 60.0]
PAIRS = [[0.3, -0.8], [5.0, -5.0], [-30.0, -30.0], [60.0, 60.0], [-60.0, -60.0], [60.0, -60.0], [-60.0, 60.0], [-math.log(2), 0.0], [0.0, 0.0]]
T0 = math.log(math.exp(0.95) - 1)  # tau 1
R0 = math.log(math.e**2 - 1)  # t2 - t1 = 2
COUNTS = [1123, 1025, 503]
balanced = lambda counts: [sum(counts) / (len(counts) * n) for n in counts]
sg = lambda x: 1 / (1 + mpmath.exp(-mpmath.mpf(x)))


def near(found, golden, what=""):
    """Equal to the printed decimals."""
    found, golden = torch.as_tensor(found).double(), real(golden)
    worst = (found - golden).abs().max().item()
    assert worst < 6e-7, f"{what}: {found.tolist()} is not {golden.tolist()}"


def case(name, readout, classes, u, log_probs, loss=None, naive=None, parameters=None, options=None):
    """log_probs(u, **parameters) [n, C]; loss(u, y, **parameters) [n], by default -log p_y; naive(row of u) -> probabilities."""
    u = real(u).requires_grad_()
    p = {k: real(v).requires_grad_() for k, v in (parameters or {}).items()}
    loss = loss or (lambda u, y, **p: of_class(log_probs(u, **p), y))
    out = log_probs(u, **p)
    if naive:
        for row, found in zip(u.tolist(), out.tolist()):
            exact = [float(mpmath.log(v)) for v in naive(row)]
            assert np.allclose(found, exact, rtol=1e-12, atol=1e-12), f"{name} at {row}: {found} is not {exact}"
    assert torch.allclose(out.exp().sum(1), torch.ones(len(u)), atol=1e-12), name
    grad = lambda scalar: torch.autograd.grad(scalar, [u, *p.values()], retain_graph=True, allow_unused=True)
    jacobian = torch.stack([grad(out[:, c].sum())[0] for c in range(classes)], 1)
    losses = torch.stack([loss(u, torch.full((len(u),), c), **p) for c in range(classes)], 1)
    rows = [[grad(losses[i, c]) for c in range(classes)] for i in range(len(u))]
    gradient = torch.stack([torch.stack([rows[i][c][0][i] for c in range(classes)]) for i in range(len(u))])
    by_parameter = {k: torch.stack([torch.stack([r[1 + j] for r in row]) for row in rows]) for j, k in enumerate(p)}
    entry = dict(name=name, readout=readout, classes=classes, options=options or {}, parameters=p, u=u, log_probs=out, jacobian=jacobian,
                 loss=losses, loss_gradient=gradient, parameter_gradient=by_parameter)
    cases.append({k: v for k, v in entry.items() if v != {}})
    return cases[-1]


def at(entry, u):
    """The index of the row `u`."""
    return entry["u"].tolist().index(u)


cases = []

# [2.1]
rows = [[0.2, -0.1, 0.4], [60.0, -60.0, 0.0], [-60.0, -60.0, -60.0], [1.5, 0.0, -2.0]]
of = lambda row: [mpmath.exp(v) / sum(mpmath.exp(w) for w in row) for v in row]
e = case("ce", "softmax", 3, rows, softmax, naive=of)
near(e["loss"][0, 2], 0.885939)
case("ce, two classes", "softmax", 2, [r[:2] for r in rows], softmax, naive=of)
weights = balanced(COUNTS)
near(weights, [0.786880, 0.862114, 1.756793])
effective = np.array([(1 - 0.999) / (1 - 0.999**n) for n in COUNTS])
effective = (3 * effective / effective.sum()).tolist()
near(effective, [0.798109, 0.839786, 1.362104])
case("ce, balanced class weights", "softmax", 3, rows, softmax, lambda u, y: real(weights)[y] * of_class(softmax(u), y), options=dict(class_weights=weights))
case("ce, effective class weights", "softmax", 3, rows, softmax, lambda u, y: real(effective)[y] * of_class(softmax(u), y),
     options=dict(class_weights=effective))
case("ce, label smoothing", "softmax", 3, rows, softmax, lambda u, y: torch.nn.functional.cross_entropy(u, y, label_smoothing=0.1, reduction="none"),
     options=dict(label_smoothing=0.1))

# [2.2]
one = [[v] for v in FAR]


def powers(of, tau, classes):
    """The normalised powers 1 / tau of unnormalised probabilities."""
    def probabilities(row):
        v = [of(mpmath.mpf(row[0]), j) ** (1 / mpmath.mpf(tau)) for j in range(classes)]
        return [x / sum(v) for x in v]
    return probabilities


rate = lambda a: mpmath.log(1 + mpmath.exp(a))
pmf = lambda a, j: mpmath.exp(-rate(a)) * rate(a) ** j / mpmath.factorial(j)
for classes in (3, 2):
    for t in (T0, -1.0):
        tau = math.log1p(math.exp(t)) + 0.05
        name = f"poisson, learned tau, t = {t:.6f}" + (", two classes" if classes == 2 else "")
        f = lambda u, t, classes=classes: poisson(u, softplus(t) + 0.05, classes)
        e = case(name, "poisson", classes, one, f, naive=powers(pmf, tau, classes), parameters=dict(t=[t]), options=dict(tau=tau))
        if t == T0:
            near(e["options"]["tau"], 1.0)
            near(T0, 0.461032)
e = case("poisson, tau fixed at 1", "poisson", 3, one, lambda u: poisson(u, 1.0, 3), naive=powers(pmf, 1.0, 3), options=dict(tau=1.0))
cold = case("poisson, tau fixed at 0.3", "poisson", 3, one, lambda u: poisson(u, 0.3, 3), naive=powers(pmf, 0.3, 3), options=dict(tau=0.3))
for a, f, p, q in [(-1.0, 0.313262, [0.734038, 0.229946, 0.036017], [0.979507, 0.020450, 0.000042]),
                   (0.0, 0.693147, [0.517231, 0.358517, 0.124252], [0.767257, 0.226131, 0.006612]),
                   (1.0, 1.313262, [0.314902, 0.413549, 0.271549], [0.244460, 0.606335, 0.149205]),
                   (2.5, 2.578890, [0.144839, 0.373523, 0.481638], [0.012594, 0.296206, 0.691200])]:
    near(softplus(real(a)), f)
    near(e["log_probs"][at(e, [a])].exp(), p)
    near(cold["log_probs"][at(cold, [a])].exp(), q)
near(e["loss"][at(e, [0.5]), 2], 1.641149)
near(e["loss_gradient"][at(e, [0.5]), 2], [-0.776196])
middle = lambda tau: poisson(torch.arange(0.5, 3, 1e-4)[:, None], tau, 3)[:, 1].max().exp()
assert abs(middle(1.0) - 0.414214) < 1e-6 and abs(middle(0.3) - 0.613512) < 1e-6
near(-middle(1.0).log(), 0.881374)

choose = lambda classes: lambda a, j: mpmath.binomial(classes - 1, j) * mpmath.exp(j * a)
for classes in (3, 2):
    for tau in (1.0, 0.5):
        name = f"binomial, tau fixed at {tau:g}" + (", two classes" if classes == 2 else "")
        e = case(name, "binomial", classes, one, lambda u, k=classes, tau=tau: binomial(u, tau, k), naive=powers(choose(classes), tau, classes),
                 options=dict(tau=tau))
        if classes == 3:
            near(e["log_probs"][at(e, [0.0])].exp(), [0.25, 0.5, 0.25] if tau == 1 else [0.166667, 0.666667, 0.166667])
        if classes == 3 and tau == 1:
            near(e["log_probs"][at(e, [0.8])].exp(), [0.096116, 0.427819, 0.476065])
case("binomial, learned tau", "binomial", 3, one, lambda u, t: binomial(u, softplus(t) + 0.05, 3), naive=powers(choose(3), math.log1p(math.exp(T0)) + 0.05, 3),
     parameters=dict(t=[T0]), options=dict(tau=1.0))


# [2.3]
def broken(row):
    left, out = mpmath.mpf(1), []
    for f in row:
        out.append(left * sg(f))
        left *= sg(-f)
    return out + [left]


e = case("nsb", "sticks", 3, PAIRS, sticks, naive=broken)
near(e["log_probs"][0], [-0.554355, -2.025456, -1.225456])
near(e["log_probs"][0].exp(), [0.574443, 0.131934, 0.293624])
near(e["loss_gradient"][0], [[-0.425557, 0.0], [0.574443, -0.689974], [0.574443, 0.310026]])
near([1 - e["log_probs"][0, 0].exp().item(), e["log_probs"][0, 2].exp().item()], [0.425557, 0.293624])
near(e["log_probs"][1].exp(), [0.993307, 0.000045, 0.006648])
near(e["log_probs"][2], [-30.0, -30.0, -1.9e-13])
near(e["log_probs"][7].exp(), [0.333333] * 3)
case("nsb, two classes", "sticks", 2, one, sticks, naive=broken)


# [2.4]
def intervals(t):
    def probabilities(row):
        below = [mpmath.mpf(0)] + [sg(mpmath.mpf(v) - mpmath.mpf(row[0])) for v in t] + [mpmath.mpf(1)]
        return [b - a for a, b in zip(below, below[1:])]
    return probabilities


def udm(name, t1, r, margins=(0.0, 0.0), costs=None):
    thresholds = lambda t1, r=None: t1 if r is None else torch.cat([t1, t1 + softplus(r)])
    parameters = dict(t1=[t1]) if r is None else dict(t1=[t1], r=[r])
    t = [t1] if r is None else [t1, t1 + math.log1p(math.exp(r))]
    c = real(costs or [1.0] * (len(t) + 1))
    return case(name, "cumulative", len(t) + 1, one, lambda u, **p: cumulative(u, thresholds(**p)),
                lambda u, y, **p: c[y] * of_class(cumulative(u, thresholds(**p), *margins), y), naive=intervals(t), parameters=parameters,
                options=dict(thresholds=t, margin_benign=margins[0], margin_malignant=margins[1], costs=c))


near(R0, 1.854587)
e = udm("udm", -1.0, R0)
for f, p in [(-2.0, [0.731059, 0.221516, 0.047426]), (-0.3, [0.331812, 0.454023, 0.214165]), (0.4, [0.197816, 0.447840, 0.354344]),
             (1.7, [0.062973, 0.268839, 0.668188])]:
    near(e["log_probs"][at(e, [f])].exp(), p)
here = at(e, [0.4])
near(e["log_probs"][here], [-1.620417, -0.803319, -1.037488])
near(e["loss_gradient"][here, 1], [0.156528])
t = real([-1.0, 1.0]).requires_grad_()
near(torch.autograd.grad(-cumulative(real([[0.4]]), t)[0, 1], t)[0], [0.354334, -0.510861])
near(e["log_probs"][[at(e, [60.0]), at(e, [-60.0])], 1], [-59.145413] * 2)
margins = udm("udm, margins .5 and .25, cost 1.6 of malignant", -1.0, R0, (0.5, 0.25), [1.0, 1.0, 1.6])
near(-margins["loss"][here] / real([1.0, 1.0, 1.6]), [-2.039387, -0.803319, -1.205865])
near(margins["loss"][here, 2], 1.929384)
udm("udm, paper-like", -1.0, R0, (0.5, 0.5), weights)
udm("udm, close thresholds", -0.2, -1.5)
udm("udm, two classes", 0.3, None)
udm("udm, two classes, paper-like", 0.3, None, (0.5, 0.5), balanced([1123, 503]))


# [2.5]
def grown(splits, leaves):
    """The forest's mean, leaf by leaf along its path."""
    def probabilities(row):
        total = [mpmath.mpf(0)] * len(leaves[0][0])
        for nodes, distributions in zip(splits, leaves):
            for l, q in enumerate(distributions):
                share, node = mpmath.mpf(1), 0
                for turn in f"{l:0{len(distributions).bit_length() - 1}b}":
                    share *= sg(row[nodes[node]] if turn == "0" else -row[nodes[node]])
                    node = 2 * node + (1 if turn == "0" else 2)
                total = [a + share * mpmath.mpf(b) / len(leaves) for a, b in zip(total, q)]
        return total
    return probabilities


def forest(name, u, splits, leaves, forms=(("ordinal", "trees"), ("ordinal", "forest"), ("nll", "trees"), ("nll", "forest"))):
    s, q, entries = torch.tensor(splits), real(leaves), []
    for form, on in forms:
        entries.append(case(f"{name}, {form} on {on}", "forest", len(leaves[0][0]), u, lambda u: trees(u, s, q).mean(1).log(),
                            lambda u, y: forest_loss(trees(u, s, q), y, form, on), naive=grown(splits, leaves),
                            options=dict(loss=form, loss_on=on, splits=splits, leaves=leaves)))
    return entries


LEAVES = [[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.3, 0.4, 0.3], [0.1, 0.2, 0.7]]
TREE = [[0.4, -0.6, 1.2], [60.0, -60.0, 60.0], [-60.0, 60.0, -60.0], [60.0, 60.0, 60.0]]
e, _, n, _ = forest("corf, one tree", TREE, [[0, 1, 2]], [LEAVES])
share = leaf_shares(e["u"], torch.tensor([[0, 1, 2]]))
near(torch.sigmoid(e["u"][0]), [0.598688, 0.354344, 0.768525])
near(share[0, 0], [0.212141, 0.386546, 0.308418, 0.092894])
near(e["log_probs"][0].exp(), [0.327623, 0.416302, 0.256075])
near(1 - e["log_probs"][0].exp().cumsum(0)[:2], [0.672377, 0.256075])
near(e["loss"][0], [1.411706, 0.692751, 1.759222])
near(n["loss"][0], [1.115892, 0.876344, 1.362286])
near(e["loss_gradient"][0], [[-0.164187, -0.227448, -0.081968], [-0.029525, 0.083443, -0.017151], [0.258061, 0.155344, 0.132752]])
two = forest("corf, two trees", [TREE[0] + [-0.5, 0.1, 0.9], TREE[1] + [-60.0, -60.0, 60.0]], [[0, 1, 2], [3, 4, 5]], [LEAVES, LEAVES[::-1]])
second = trees(two[0]["u"], torch.tensor([[3, 4, 5]]), real([LEAVES[::-1]]))
near(second[0, 0], [0.288075, 0.412883, 0.299042])
near(two[0]["log_probs"][0].exp(), [0.307849, 0.414593, 0.277558])
forest("corf, cumulative sums below their clamp", TREE, [[0, 1, 2]], [[[1 - 2e-9, 1e-9, 1e-9], [1e-9, 1e-9, 1 - 2e-9]] * 2], forms=(("ordinal", "trees"),))
rng = np.random.default_rng(20)
splits = [rng.permutation(12)[:7].tolist() for _ in range(3)]  # units shared between trees
rounded = lambda v: np.round(v / v.sum(-1, keepdims=True), 6)
for classes in (3, 2):
    q = rounded(uniform(20, classes, 3 * 8 * classes, 0.05, 1).reshape(3, 8, classes))
    q[..., -1] = 1 - q[..., :-1].sum(-1)
    u = np.round(uniform(20, 9, 3 * 12, -2.5, 2.5).reshape(3, 12), 4).tolist()
    forest("corf, three trees of depth 3" + (", two classes" if classes == 2 else ""), u, splits, q.tolist())
free = [[[0.3, -0.2, 0.1], [0.0, 0.5, -0.5], [-0.1, 0.2, 0.0], [1.0, -1.0, 0.4]]]
s = torch.tensor([[0, 1, 2]])
case("corf, leaves from free logits", "forest", 3, TREE, lambda u, leaves: trees(u, s, leaves.softmax(-1)).mean(1).log(),
     lambda u, y, leaves: forest_loss(trees(u, s, leaves.softmax(-1)), y), naive=grown([[0, 1, 2]], real(free).softmax(-1).tolist()),
     parameters=dict(leaves=free), options=dict(loss="ordinal", loss_on="trees", splits=[[0, 1, 2]]))


def em(name, u, y, splits, classes, eps):
    share = leaf_shares(real(u), torch.tensor(splits))
    start = torch.full((len(splits), share.shape[-1], classes), 1 / classes)
    once, twenty = (leaf_update(share, torch.tensor(y), start, eps, n) for n in (1, 20))
    entry = dict(name=name, u=u, y=y, splits=splits, classes=classes, eps=eps, nll=torch.stack(twenty[1]), leaves_after_1=once[0],
                 leaves_after_20=twenty[0])
    updates.append(entry)
    return entry


updates = []
DOC = [[0.4, -0.6, 1.2], [-1.0, 0.5, 0.3], [2.0, 0.2, -0.4], [-0.3, -1.1, -0.7]]
e = em("methods.md, eps 0", DOC, [0, 2, 1, 2], [[0, 1, 2]], 3, 0.0)
near(e["nll"][[0, 1, 20], 0], [1.098612, 0.828026, 0.636985])
near(e["leaves_after_1"][0], [[0.218676, 0.499210, 0.282114], [0.321087, 0.329360, 0.349553], [0.319005, 0.049480, 0.631515],
                              [0.108116, 0.083060, 0.808824]])
assert (e["nll"].diff(dim=0) <= 0).all()
e = em("methods.md, eps .01", DOC, [0, 2, 1, 2], [[0, 1, 2]], 3, 0.01)
near(e["nll"][[1, 20], 0], [0.834448, 0.655619])
near(e["leaves_after_1"][0, 0], [0.222115, 0.494234, 0.283651])
near(e["leaves_after_20"][0], [[0.022344, 0.960119, 0.017538], [0.912307, 0.053377, 0.034315], [0.079872, 0.011665, 0.908463],
                               [0.011089, 0.010023, 0.978888]])
u = np.round(uniform(20, 10, 12 * 12, -2.5, 2.5).reshape(12, 12), 4).tolist()
em("three trees of depth 3", u, [0, 1, 2, 0, 0, 1, 1, 2, 2, 0, 1, 0], splits, 3, 0.01)
em("three trees of depth 3, two classes", u, [0, 1, 1, 0, 0, 1, 1, 0, 1, 0, 1, 0], splits, 2, 0.01)

dump("heads.json", dict(
    class_weights=dict(counts=COUNTS, balanced=weights, effective_number_beta_0_999=effective),
    cases=cases, leaf_updates=updates))
print(len(cases), "cases")
