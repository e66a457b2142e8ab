#!/usr/bin/env python3
"""alignment.json: eqs. (1)-(5) of CLIP-Lung (methods.md 1.4 and 1.6) and the published code's forms of them (1.8), values and gradients, in f64.

    pip install torch numpy && python3 alignment.py

The goldens that methods.md prints are asserted to its six decimals. `weights` has eq. (1). A case has un-normalised features [n, T, d], class
features [n, C, d], attributes [K, d], attribute weights [n, K], classifier logits [n, C], labels, and for each temperature the terms of
each sample, `totals` of eq. (5) as [weight of IC, of IA, of CA, total] in the rows of the ablation (1.10), and gradients of the first total.
"""
import numpy as np
import torch
import torch.nn.functional as F
from methods import class_attribute, image_attribute, image_class, unit
from reference import dump, uniform

torch.set_default_dtype(torch.float64)
# weights of IC, IA, CA: the default, then the ablation's other rows and cross-entropy alone
ROWS = [[1, 1, 0.5], [1, 0, 0], [1, 1, 0], [1, 0, 0.5], [0, 1, 0.5], [0, 0, 0]]
LAST = torch.tensor([5.0, 4, 6, 5, 5, 5, 5, 5])


def near(found, golden):
    found, golden = torch.as_tensor(found).double(), torch.tensor(golden, dtype=torch.float64)
    assert (found - golden).abs().max() < 6e-7, f"{found.tolist()} is not {golden.tolist()}"


def official(f, c, a, scale, w, y):
    """What the published code computes instead (1.8, items 5-7): IC with the first T labels of the batch, IA over the groups with the class
    as the group's number, CA with means over the attributes. Its IC needs a batch of at least T."""
    t = f.shape[1]
    groups = ((scale * f @ a.T) * w[:, None]).mean(-1)  # [n, T]
    scores = ((scale * c @ a.T) * w[:, None]).mean(-1)  # [n, C]
    out = dict(ia_logits=groups, ca_logits=scores, ca=F.cross_entropy(scores, y, reduction="none"))
    if len(y) >= t:
        out["ic"] = F.cross_entropy((scale * f @ c.transpose(1, 2)).flatten(0, 1), y[:t].repeat(len(y)), reduction="none").view(-1, t).mean(1)
    if t > int(y.max()):
        out["ia"] = F.cross_entropy(groups, y, reduction="none")
    return out


def terms(case, tau):
    f, c, logits = (case[k].clone().requires_grad_() for k in ("features", "classes", "logits"))
    logit_scale = torch.tensor(1 / tau).log().requires_grad_()
    a, w, y, scale = unit(case["attributes"]), case["attribute_weights"], case["labels"], logit_scale.exp()
    g, k = unit(f), unit(c)
    per = dict(ce=F.cross_entropy(logits, y, reduction="none"), ic=image_class(g, k, scale, y), ia=image_attribute(g, a, scale, w),
               ca=class_attribute(k, a, scale, w, y), ia_logit=image_attribute(g, a, scale, w, "logit"),
               ca_attribute=class_attribute(k, a, scale, w, y, "attribute"))
    totals = [per["ce"].mean() + r[0] * per["ic"].mean() + r[1] * per["ia"].mean() + r[2] * per["ca"].mean() for r in ROWS]
    grads = torch.autograd.grad(totals[0], [f, c, logits, logit_scale], retain_graph=True)
    ic_grads = torch.autograd.grad(per["ic"].mean(), [f, logit_scale], retain_graph=True)
    out = dict(tau=tau, terms=per, totals=[[*r, t.item()] for r, t in zip(ROWS, totals)],
               gradients=dict(zip(("features", "classes", "logits", "logit_scale"), grads)), official=official(g, k, a, scale, w, y))
    return out, ic_grads


# eq. (1)
v = torch.tensor([4.25, 1.0, 6.0, 3.5, 3.75, 2.0, 2.5, 4.75])
scaled = (v - 1) / (LAST - 1)
weights = dict(softmax=v.softmax(0), sum=v / v.sum(), range=(scaled / 0.25).softmax(0), uniform=torch.full((8,), 0.125))
near(weights["softmax"], [0.102039, 0.003956, 0.587194, 0.048200, 0.061890, 0.010755, 0.017732, 0.168234])
near(weights["sum"], [0.153153, 0.036036, 0.216216, 0.126126, 0.135135, 0.072072, 0.090090, 0.171171])
near(weights["range"], [0.162270, 0.006292, 0.343526, 0.076651, 0.098422, 0.017103, 0.028198, 0.267538])
near(scaled.softmax(0), [0.149029, 0.066131, 0.179764, 0.123550, 0.131518, 0.084914, 0.096221, 0.168872])
entropy = -(weights["softmax"] * weights["softmax"].log()).sum()
assert abs(entropy - 1.305874) < 1e-6  # 1.3058749: methods.md cuts it off

# the small case of 1.6
small = dict(features=torch.tensor([[[1.0, 2, 2], [2, -1, 2]]]), classes=torch.tensor([[[1.0, 0, 1], [0, 1, 1], [1, 1, 0]]]),
             attributes=torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]), attribute_weights=torch.tensor([[0.1, 0.2, 0.3, 0.4]]),
             logits=torch.tensor([[0.2, -0.1, 0.4]]), labels=torch.tensor([2]))
small["at"] = []
for tau, ic, ia, ia_logit, ca, ca_attribute, groups, scores, official_ca, other in [
    (0.07, 6.767741, 3.615059, 0.330647, 2.423620, 4.318137, [2.684167, 1.539072], [2.176576, 2.429114, 1.924038], 1.372297, 1.421358),
    (0.5, 1.546008, 1.426973, 1.096472, 1.246689, 1.585987, [0.375783, 0.215470], [0.304721, 0.340076, 0.269365], 1.134384, 0.776513),
]:
    out, (by_f, by_scale) = terms(small, tau)
    small["at"].append(out)
    near([out["terms"][n].item() for n in ("ce", "ic", "ia", "ia_logit", "ca", "ca_attribute")], [0.885939, ic, ia, ia_logit, ca, ca_attribute])
    near(out["official"]["ia_logits"][0], groups)
    near(out["official"]["ca_logits"][0], scores)
    near(out["official"]["ca"], [official_ca])
    near(F.cross_entropy(out["official"]["ia_logits"], torch.tensor([1])), other)
    if tau == 0.07:
        near(out["totals"][0][3], 12.480549)
        near(by_scale, 6.625305)
    else:
        near(by_f[0], [[-0.116487, -0.088729, 0.146973], [-0.144283, -0.105727, 0.091419]])
# 1.8, the test of item 5: sample 4 of five, all groups alike
labels, groups = torch.tensor([0, 2, 1, 1, 2]), torch.tensor([[1.0, 2, 3]]).expand(4, 3)
near(F.cross_entropy(groups, labels[:4]), 1.407606)
near(F.cross_entropy(groups, labels[4].expand(4)), 0.407606)

# a batch of five
rounded = lambda stream, shape, low=-1.0, high=1.0: torch.tensor(np.round(uniform(21, stream, int(np.prod(shape)), low, high), 4).reshape(shape))
ratings = (rounded(4, (5, 8), 0, 1) * (LAST - 1) * 4).round() / 4 + 1
batch = dict(features=rounded(0, (5, 4, 16)), classes=rounded(1, (5, 3, 16)), attributes=rounded(2, (8, 16)), ratings=ratings,
             attribute_weights=ratings.softmax(1), logits=rounded(3, (5, 3), -2, 2), labels=torch.tensor([1, 2, 0, 1, 2]))
batch["at"] = [terms(batch, tau)[0] for tau in (0.07, 0.5)]

dump("alignment.json", dict(ratings=v, weights=weights, entropy=entropy, small=small, batch=batch))
