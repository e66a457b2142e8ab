"""The methods' heads and losses in PyTorch, independently of the Rust code: what heads.py, readouts.py, three_steps.py and the
benchmark compute with. Numbers in brackets are sections of methods.md, eqs. (1)-(5) are CLIP-Lung's (arXiv 2304.08013).

Readouts take the classifier's outputs u [n, U] and give log-probabilities [n, C]; losses take them with labels y [n] and give [n].
"""
import math
import torch
import torch.nn.functional as F
from torch import nn
from reference import ImageNet, PromptLearner

MAX_LOGIT_SCALE = math.log(100)
# F.softplus cuts its tail off at 20
softplus = lambda x: torch.logaddexp(x, torch.zeros_like(x))
log_sigmoid = lambda x: -softplus(-x)
unit = lambda x: F.normalize(x, dim=-1, eps=1e-12)
of_class = lambda log_p, y: -log_p.gather(-1, y[:, None])[:, 0]


def softmax(u):
    """[2.1]"""
    return torch.log_softmax(u, -1)


def poisson(a, tau, classes):
    """[2.2] softmax of (j ln f - f - ln j!) / tau with rate f = softplus(a). (Beckham & Pal, 2017)"""
    f, j = softplus(a), torch.arange(classes, dtype=a.dtype, device=a.device)
    return torch.log_softmax((j * f.log() - f - torch.lgamma(j + 1)) / tau, -1)


def binomial(a, tau, classes):
    """[2.2] softmax of (ln binom(C - 1, j) + j a) / tau."""
    j = torch.arange(classes, dtype=a.dtype, device=a.device)
    ways = math.lgamma(classes) - torch.lgamma(j + 1) - torch.lgamma(classes - j)
    return torch.log_softmax((ways + j * a) / tau, -1)


def sticks(f):
    """[2.3] sigmoid(f_k) breaks its share off what is left of the stick. (Liu et al., 2018)"""
    none = torch.zeros_like(f[:, :1])
    return torch.cat([log_sigmoid(f), none], 1) + torch.cat([none, log_sigmoid(-f).cumsum(1)], 1)


def cumulative(f, t, below=0.0, above=0.0):
    """[2.4] intervals of a logistic variable around f [n, 1], cut at t [C - 1]; margins of the lowest and the highest class."""
    width = t[1:] - t[:-1]
    inside = torch.where(width < math.log(2), (-torch.expm1(-width)).log(), torch.log1p(-torch.exp(-width)))
    middle = log_sigmoid(t[1:] - f) + log_sigmoid(f - t[:-1]) + inside
    return torch.cat([log_sigmoid(t[:1] - below - f), middle, log_sigmoid(f - t[-1:] - above)], 1)


def leaf_shares(u, splits):
    """[2.5] The probability of each leaf, left to right, [n, trees, leaves]; splits [trees, 2^depth - 1] breadth-first."""
    left, right = torch.sigmoid(u)[:, splits], torch.sigmoid(-u)[:, splits]
    share = torch.ones_like(left[..., :1])
    while share.shape[-1] <= splits.shape[1]:
        level = slice(share.shape[-1] - 1, 2 * share.shape[-1] - 1)
        share = torch.stack([share * left[..., level], share * right[..., level]], -1).flatten(-2)
    return share


def trees(u, splits, leaves):
    """[2.5] Each tree's distribution, [n, trees, C]; leaves [trees, leaves, C]."""
    return torch.einsum("ntl,tlc->ntc", leaf_shares(u, splits), leaves)


def forest_loss(g, y, form="ordinal", on="trees"):
    """[2.5] from each tree's distribution; the mean of the trees' own losses, or the loss of the forest's mean."""
    g = g.mean(1, keepdim=True) if on == "forest" else g
    if form == "nll":
        return -g.gather(-1, y[:, None, None].expand(len(g), g.shape[1], 1)).log().mean((1, 2))
    inside = lambda p: p.clamp(1e-7, 1 - 1e-7).log()
    above, below = g.flip(-1).cumsum(-1).flip(-1)[..., 1:], g.cumsum(-1)[..., :-1]
    is_above = y[:, None, None] > torch.arange(g.shape[-1] - 1, device=g.device)
    return -torch.where(is_above, inside(above), inside(below)).sum(-1).mean(1)


def leaf_update(share, y, leaves, eps=1e-2, iterations=20):
    """[2.5] The fixed-point iteration for all trees; returns the leaves, and the NLL of each tree before every update and at the end."""
    own, history = F.one_hot(y, leaves.shape[-1]).to(share.dtype), []
    nll = lambda g: -(g * own[:, None]).sum(-1).log().mean(0)
    for _ in range(iterations):
        g = torch.einsum("ntl,tlc->ntc", share, leaves)
        history.append(nll(g))
        leaves = eps + leaves * torch.einsum("nc,ntl,ntc->tlc", own, share, 1 / g)
        leaves = leaves / leaves.sum(-1, keepdim=True)
    return leaves, history + [nll(torch.einsum("ntl,tlc->ntc", share, leaves))]


def image_class(f, c, scale, y):
    """Eq. (2): f [n, T, d], c [n, C, d], all normalised here as below -> [n], mean over T."""
    return F.cross_entropy((scale * f @ c.transpose(1, 2)).flatten(0, 1), y.repeat_interleave(f.shape[1]), reduction="none").view(len(f), -1).mean(1)


def image_attribute(f, a, scale, w, form="soft"):
    """Eq. (3): a [K, d], w [n, K] -> [n]; "logit": weighted logits, the top attribute as the target."""
    logits = scale * f @ a.T
    if form == "logit":
        return -torch.log_softmax(logits * w[:, None], -1)[torch.arange(len(w)), :, w.argmax(1)].mean(1)
    return -(w[:, None] * torch.log_softmax(logits, -1)).sum(-1).mean(1)


def class_attribute(c, a, scale, w, y, form="class"):
    """Eq. (4) -> [n]; "attribute": softmax over the attributes."""
    cosine = scale * c @ a.T
    if form == "attribute":
        return -(w * torch.log_softmax(cosine[torch.arange(len(y)), y], -1)).sum(-1)
    return of_class(softmax((cosine * w[:, None]).sum(-1)), y)


class Learner(nn.Module):
    """Image network, head and, for some, words. `forward` gives the total loss and its named terms."""

    UNITS = dict(poisson=1, binomial=1, nsb=2, udm=1, corf=128)

    def __init__(self, method, pool=None, prompts=None, splits=None, leaves=None, logits=None, margins=(0, 0), costs=None,
                 projected=False):
        """`prompts` for clip, cocoop and clip-lung; `splits` for corf, whose leaves are constants, uniform if not given, or the softmax
        of `logits` that are trained; `margins` and `costs` are udm's; `projected`: the text features are not 512 wide."""
        super().__init__()
        self.method, self.prompts, self.margins = method, prompts, margins
        pool = pool or ("view" if method == "clip-lung" else "mean")
        self.image = ImageNet(self.UNITS.get(method, 3), pool, bias=method != "udm")
        number = lambda value: nn.Parameter(torch.tensor([value]))
        if method in ("poisson", "binomial"):
            self.t = number(math.log(math.exp(0.95) - 1))  # tau = 1
            nn.init.constant_(self.image.fc.bias, math.log(math.e - 1) if method == "poisson" else 0.0)  # rate 1
        if method == "nsb":
            self.image.fc.bias.data = torch.tensor([-math.log(2), 0.0])  # a third each
        if method == "udm":
            self.t1, self.r = number(-1.0), number(math.log(math.e**2 - 1))  # cut at -1 and 1
            self.register_buffer("costs", torch.tensor(costs or [1.0] * 3))
        if method == "corf":
            self.register_buffer("splits", splits)
            leaves = torch.full((len(splits), splits.shape[1] + 1, 3), 1 / 3) if leaves is None else leaves
            self.leaves = nn.Parameter(leaves if logits is None else logits, logits is not None)
        if prompts is not None:
            self.learner = PromptLearner(prompts.opening)
            if method == "clip":
                del self.learner.context, self.learner.hidden, self.learner.out
            self.projection = nn.Linear(prompts.attributes.shape[1], 512, bias=False) if projected else nn.Identity()

    def without_decay(self):
        """Temperatures and thresholds."""
        return [p for n, p in self.named_parameters() if n in ("t", "t1", "r", "learner.logit_scale")]

    def leaf_distributions(self):
        return self.leaves.softmax(-1) if self.leaves.requires_grad else self.leaves

    def forward(self, x, y, w=None):
        """x [n, 32, 32, 32], y [n], attribute weights w [n, 8]."""
        pooled, groups = self.image.features(x)
        u = self.image.fc(pooled)
        if self.prompts is not None:
            return self.aligned(F.cross_entropy(u, y), pooled, groups, y, w)
        if self.method == "corf":
            return forest_loss(trees(u, self.splits, self.leaf_distributions()), y).mean(), {}
        if self.method == "udm":
            t = torch.cat([self.t1, self.t1 + softplus(self.r)])
            return (self.costs[y] * of_class(cumulative(u, t, *self.margins), y)).mean(), {}
        tau = softplus(self.t) + 0.05 if hasattr(self, "t") else None
        log_p = dict(ce=softmax, nsb=sticks, poisson=lambda u: poisson(u, tau, 3), binomial=lambda u: binomial(u, tau, 3))
        return of_class(log_p[self.method](u), y).mean(), {}

    def aligned(self, ce, pooled, groups, y, w):
        """clip [2.6] and cocoop [2.7]: CE + IC of one image feature; clip-lung: eq. (5) with alpha 1 and beta 0.5."""
        prompts, scale = self.prompts, self.learner.logit_scale.exp()
        f = unit(groups if self.method == "clip-lung" else pooled[:, None])  # [n, T, 512]
        if self.method == "clip":
            c = prompts.classes.expand(len(f), -1, -1)
        else:
            c = prompts.encode(self.learner(f).expand(-1, 4, -1))
        c = unit(self.projection(c))
        ic = image_class(f, c, scale, y).mean()
        if self.method != "clip-lung":
            return ce + ic, dict(ce=ce, ic=ic)
        a = unit(self.projection(prompts.attributes))
        ia, ca = image_attribute(f, a, scale, w).mean(), class_attribute(c, a, scale, w, y).mean()
        return ce + ic + ia + 0.5 * ca, dict(ce=ce, ic=ic, ia=ia, ca=ca)

    def clamp(self):
        """After a step: 1/tau within 1..100."""
        if self.prompts is not None:
            with torch.no_grad():
                self.learner.logit_scale.clamp_(0, MAX_LOGIT_SCALE)
