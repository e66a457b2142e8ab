#!/usr/bin/env python3
"""The image network trained with cross-entropy in PyTorch, on the very nodules of a clip-lung run: a level to compare its
metrics with. Recipe: flips of the plane and quarter turns, SGD with momentum 0.9, cosine, average of the weights.

    pip install torch numpy safetensors
    python3 real_crops.py DATA RUN [--epochs 25] [--lr 0.02] [--ema 0.98] [--seeds 2 3 4] [--device cpu|cuda]

DATA: a dataset directory. RUN: a run directory; its predictions.csv says which nodules are held out. Prints one JSON line a seed.
"""
import argparse, csv, json, math, os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
import numpy as np
import torch
import torch.nn.functional as F
from reference import ImageNet, dataset_crops

a = argparse.ArgumentParser()
a.add_argument("data")
a.add_argument("run")
a.add_argument("--epochs", type=int, default=25)
a.add_argument("--lr", type=float, default=0.02)
a.add_argument("--ema", type=float, default=0.98)
a.add_argument("--weight-decay", type=float, default=1e-4)
a.add_argument("--seeds", type=int, nargs="+", default=[2, 3, 4])
a.add_argument("--threads", type=int, default=2)
a.add_argument("--device", default="cpu")
a = a.parse_args()
torch.set_num_threads(a.threads)

crops = dataset_crops(a.data)
rows = list(csv.DictReader(open(os.path.join(a.data, "nodules.csv"))))
names = ["benign", "unsure", "malignant"]
labels = np.array([names.index(r["class"]) for r in rows])
held = {r["nodule_id"] for r in csv.DictReader(open(os.path.join(a.run, "predictions.csv")))}
if json.load(open(os.path.join(a.run, "config.json")))["held_out"] != "test":
    sys.exit("the run must hold out its fold (--held-out test): only then does everything else train")
test = np.array([i for i, r in enumerate(rows) if r["nodule_id"] in held])
train = np.array([i for i, r in enumerate(rows) if r["nodule_id"] not in held])
x = (np.clip(crops, -1000, 400) + 1000) / 1400
x = torch.from_numpy((x - x[train].mean()) / x[train].std())
y = torch.from_numpy(labels)


def auc(score, positive):
    """Mann-Whitney with mid-ranks."""
    wins = (score[positive][:, None] > score[~positive][None]).sum() + .5 * (score[positive][:, None] == score[~positive][None]).sum()
    return wins / positive.sum() / (~positive).sum()


def moved(batch, random):
    out = torch.empty_like(batch)
    for i, crop in enumerate(batch):
        for axis in (1, 2):
            if random.random() < .5:
                crop = torch.flip(crop, [axis])
        out[i] = torch.rot90(crop, int(random.integers(4)), (1, 2))
    return out


for seed in a.seeds:
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    net = ImageNet().to(a.device).train()
    sgd = torch.optim.SGD(net.parameters(), lr=a.lr, momentum=.9, weight_decay=a.weight_decay)
    average = {k: v.detach().clone() for k, v in net.state_dict().items()}
    batches = math.ceil(len(train) / 32)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, a.epochs * batches)
    for epoch in range(a.epochs):
        for part in np.array_split(random.permutation(train), batches):
            loss = F.cross_entropy(net(moved(x[part], random).to(a.device)), y[part].to(a.device))
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            schedule.step()
            for k, v in net.state_dict().items():
                if v.dtype.is_floating_point:
                    average[k].mul_(a.ema).add_(v.detach(), alpha=1 - a.ema)
    net.load_state_dict(average)
    net.eval()
    with torch.no_grad():
        p = torch.cat([net(x[part].to(a.device)).softmax(1) for part in np.array_split(test, 8)]).cpu().numpy()
    t = labels[test]
    sure = t != 1
    print(json.dumps({"seed": seed, "held_out": len(test), "accuracy": round(float((p.argmax(1) == t).mean()), 4),
                      "macro_auc": round(float(np.mean([auc(p[:, c], t == c) for c in range(3)])), 4),
                      "benign_malignant_auc": round(float(auc(p[sure, 2] / (p[sure, 0] + p[sure, 2]), t[sure] == 2)), 4)}), flush=True)
