#!/usr/bin/env python3
"""What scipy, scikit-learn and statsmodels say of random data: the reference of the statistics.

    pip install numpy scipy scikit-learn statsmodels && python3 study.py

Writes study.json. Where no library has a quantity (the covariance of DeLong, the bandwidths of t-SNE to more digits than
scikit-learn seeks) it is computed here by its definition.
"""
import json, os
import numpy as np
from scipy import optimize, special, stats
from scipy.spatial.distance import cdist, squareform
from sklearn import metrics
from sklearn.decomposition import PCA
from sklearn.manifold._t_sne import _joint_probabilities, _kl_divergence
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

random = np.random.default_rng(11)
out = {}


def plain(values):
    if np.ndim(values) == 0:
        return float(values)
    return [plain(v) for v in values]


# rows of probabilities in steps of 1/50, so that scores tie
truth = random.integers(0, 3, 300)
logits = random.normal(0, 1, (300, 3)) + 1.2 * np.eye(3)[truth]
counts = np.array([random.multinomial(50, p) for p in special.softmax(logits, 1)]) + np.array([1, 1, 1])
probabilities = counts / counts.sum(1, keepdims=True)
answers = probabilities.argmax(1)
confidence, right = probabilities.max(1), (answers == truth).astype(float)
# right-closed bins: binned_statistic closes on the left, so everything is mirrored
gap = stats.binned_statistic(-confidence, right - confidence, "sum", bins=15, range=(-1, 0)).statistic
out["measures"] = dict(
    truth=plain(truth), probabilities=plain(probabilities),
    macro_auc=plain(metrics.roc_auc_score(truth, probabilities, multi_class="ovr")),
    average_precision=plain(metrics.average_precision_score(truth == 2, probabilities[:, 2])),
    linear_kappa=plain(metrics.cohen_kappa_score(truth, answers, weights="linear")),
    quadratic_kappa=plain(metrics.cohen_kappa_score(truth, answers, weights="quadratic")),
    nll=plain(metrics.log_loss(truth, probabilities)),
    brier=plain(np.mean(((probabilities - np.eye(3)[truth]) ** 2).sum(1))),
    ece=plain(np.abs(gap).sum() / 300),
)

# DeLong by its definition over all pairs
positive = np.array([1] * 40 + [0] * 70)
first = np.round(random.normal(0, 1, 110) + positive, 1)
second = np.round(0.6 * first + random.normal(0, 1, 110), 1)


def parts(scores):
    x, y = scores[positive == 1][:, None], scores[positive == 0][None]
    psi = (x > y) + 0.5 * (x == y)
    return psi.mean(1), psi.mean(0)


(va, wa), (vb, wb) = parts(first), parts(second)
s = np.cov(va, vb) / len(va) + np.cov(wa, wb) / len(wa)
z = (va.mean() - vb.mean()) / np.sqrt(s[0, 0] + s[1, 1] - 2 * s[0, 1])
out["delong"] = dict(positive=plain(positive), first=plain(first), second=plain(second), first_se=plain(np.sqrt(s[0, 0])),
                     second_se=plain(np.sqrt(s[1, 1])), covariance=plain(s[0, 1]), z=plain(z), p=plain(2 * stats.norm.sf(abs(z))))

out["mcnemar"] = []
for b, c in [(30, 14), (3, 11), (120, 171), (0, 6), (1, 0)]:
    table = [[5, b], [c, 7]]
    exact, corrected = mcnemar(table, exact=True), mcnemar(table, exact=False, correction=True)
    law = stats.binom(b + c, 0.5)
    mid = 2 * (law.cdf(min(b, c)) - 0.5 * law.pmf(min(b, c)))
    out["mcnemar"].append(dict(counts=[b, c], exact=plain(exact.pvalue), mid_p=plain(min(mid, 1)),
                               chi_square=plain(corrected.statistic), chi_square_p=plain(corrected.pvalue)))

p = np.append(random.uniform(0, 0.08, 6), 0.02)
p[1] = 0.02
out["holm"] = dict(p=plain(p), adjusted=plain(multipletests(p, method="holm")[1]))

out["corrected_t"] = []
for k, ratio in [(5, 0.0), (5, 0.25), (10, 1 / 9), (2, 1.0)]:
    d = random.normal(0.01, 0.02, k)
    t = d.mean() / np.sqrt(d.var(ddof=1) * (1 / k + ratio))
    if ratio == 0:
        assert np.isclose(t, stats.ttest_1samp(d, 0).statistic)
    out["corrected_t"].append(dict(differences=plain(d), test_over_train=ratio, t=plain(t), p=plain(2 * stats.t.sf(abs(t), k - 1))))

# the minimum of mean(-log p) + ridge / 2 |theta|^2, intercepts included, class 0 the reference
mixing = random.normal(0, 1, (4, 4))
x = random.normal(0, 1, (150, 4)) @ mixing * [1, 10, 0.1, 3] + [5, -2, 0, 100]
w = random.normal(0, 1, (4, 3))
y = np.array([random.choice(3, p=q) for q in special.softmax(StandardScaler().fit_transform(x) @ w, 1)])
design = lambda v: np.hstack([np.ones((len(v), 1)), StandardScaler().fit(x).transform(v)])


def loss(theta, ridge=1e-4):
    z = np.hstack([np.zeros((len(x), 1)), design(x) @ theta.reshape(2, 5).T])
    log = special.log_softmax(z, 1)
    g = (np.exp(log) - np.eye(3)[y])[:, 1:].T @ design(x) / len(x)
    return -log[np.arange(len(y)), y].mean() + ridge / 2 * theta @ theta, g.ravel() + ridge * theta


best = optimize.root(lambda t: loss(t)[1], optimize.minimize(loss, np.zeros(10), jac=True).x, tol=1e-13)
assert np.abs(loss(best.x)[1]).max() < 1e-12
at = x[:20] + random.normal(0, 0.1, (20, 4))
z = np.hstack([np.zeros((20, 1)), design(at) @ best.x.reshape(2, 5).T])
out["logistic"] = dict(rows=plain(x), **{"class": plain(y)}, at=plain(at), probabilities=plain(special.softmax(z, 1)))

# three clouds in 12 dimensions, one column constant
label = np.repeat([0, 1, 2], 20)
features = random.normal(0, 1, (60, 12)) + 1.5 * random.normal(0, 1, (3, 12))[label]
features[:, 7] = 4.0
standard = StandardScaler().fit_transform(features)
scores = PCA(4, svd_solver="full").fit_transform(standard)
hits = [KNeighborsClassifier(10, algorithm="brute").fit(np.delete(standard, i, 0), np.delete(label, i)).predict(standard[i:i + 1])[0] == label[i]
        for i in range(60)]
out["embedding"] = dict(features=plain(features), label=plain(label), standardised=plain(standard), pca=plain(np.abs(scores)),
                        nearest=plain(np.mean(hits)), silhouette=plain(metrics.silhouette_score(standard, label)))

# t-SNE's law, divergence and gradient; scikit-learn seeks bandwidths to 1e-5 in entropy and in f32, so P comes from a finer search
squared = cdist(scores, scores, "sqeuclidean")
perplexity = 8.0


def conditional(beta, d):
    q = np.exp(-beta * (d - d.min()))
    return q / q.sum()


rows, precisions = np.zeros((60, 60)), []
for i in range(60):
    d = np.delete(squared[i], i)
    entropy = lambda b: stats.entropy(conditional(b, d)) - np.log(perplexity)
    beta = optimize.brentq(entropy, 1e-6, 1e6, xtol=1e-14, rtol=1e-14)
    rows[i, np.arange(60) != i] = conditional(beta, d)
    precisions.append(beta)
joint = (rows + rows.T) / 120
assert np.abs(squareform(joint, checks=False) - _joint_probabilities(squared.astype(np.float32), perplexity, 0)).max() < 1e-5
where = random.normal(0, 1, (60, 2))
kl, gradient = _kl_divergence(where.ravel(), squareform(joint, checks=False), 1.0, 60, 2)
out["tsne"] = dict(points=plain(scores), perplexity=perplexity, precisions=plain(precisions), first_row=plain(joint[0]),
                   at=plain(where), divergence=plain(kl), gradient=plain(gradient.reshape(60, 2)))

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "study.json")
with open(path, "w") as f:
    json.dump(out, f, separators=(",", ":"))
    f.write("\n")
