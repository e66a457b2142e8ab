#!/usr/bin/env python3
"""One recipe on several folds and seeds, some runs at a time: a table of the runs and their means.

    python3 folds.py PROGRAM DATA OUT [--folds 0 1 2 3 4] [--seeds 2] [--jobs 2] [train's own options ...]

PROGRAM: the path of clip-lung. DATA: a dataset directory, or phantom. OUT: where the runs land, one directory each; those already
there continue, or are scored again. Every other option goes to `clip-lung train` as it is.
"""
import argparse, json, os, statistics, subprocess, sys
from concurrent.futures import ThreadPoolExecutor

a = argparse.ArgumentParser(allow_abbrev=False)
a.add_argument("program")
a.add_argument("data")
a.add_argument("out")
a.add_argument("--folds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
a.add_argument("--seeds", type=int, nargs="+", default=[2])
a.add_argument("--jobs", type=int, default=2)
a, options = a.parse_known_args()
threads = max(1, (os.cpu_count() or 1) // a.jobs)


def train(fold, seed):
    run = os.path.join(a.out, f"fold-{fold}-seed-{seed}")
    words = ["--data", a.data, "--out", run, "--fold", str(fold), "--seed", str(seed), *options, "--json"]
    done = subprocess.run([a.program, "train", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env={**os.environ, "RAYON_NUM_THREADS": str(threads)})
    if done.returncode != 0:
        sys.exit(f"fold {fold}, seed {seed}: {done.stderr.splitlines()[-1] if done.stderr else done.returncode}")
    return json.loads(done.stdout)


MEASURES = ("accuracy", "macro_auc", "benign_malignant_auc")


def show(name, nodules, cells, size):
    print("|", " | ".join([name, str(nodules), *cells, ", ".join(f"{v:.3f}" for v in size)]), "|", flush=True)


runs = [(fold, seed) for fold in a.folds for seed in a.seeds]
print("| fold, seed | nodules | accuracy | macro AUC | AUC benign/malignant | NLL | size alone |\n|---|---|---|---|---|---|---|")
rows = []
with ThreadPoolExecutor(a.jobs) as pool:
    for (fold, seed), metrics in zip(runs, pool.map(lambda run: train(*run), runs)):
        model, size = metrics["model"], [metrics["size_only"][k]["value"] for k in MEASURES]
        # with the 95 % interval of the bootstrap over patients
        cells = ["{:.3f} ({low:.3f}-{high:.3f})".format(model[k]["value"], **model[k]["interval"]) for k in MEASURES]
        show(f"{fold}, {seed}", model["nodules"], [*cells, f"{model['nll']:.3f}"], size)
        rows.append([*(model[k]["value"] for k in MEASURES), model["nll"], *size])
for name, summary in (("mean", statistics.mean), ("sd", statistics.stdev)):
    if len(rows) > 1:
        values = [summary(column) for column in zip(*rows)]
        show(name, "", [f"{v:.3f}" for v in values[:4]], values[4:])
