#!/usr/bin/env python3
"""Readers' consensus of some nodules on the cells of their crops, geometry 2 x 1 De: scikit-image's polygons, numpy's interpolation.

    pip install numpy scikit-image && python3 consensus.py > consensus.csv

Rows: nodule_id, cells (of 32^3 where the field reaches 0.5), in_plane (of 32^2 that the nodule reaches on any slice), sum of the field.
"""
import csv, gzip, os, sys
import numpy as np
from skimage.measure import points_in_poly

here = os.path.dirname(os.path.abspath(__file__))
assets = os.path.join(here, "../../core/assets/lidc")
read = lambda path: list(csv.DictReader(gzip.open(path, "rt")))
nodules = read(os.path.join(here, "nodules.csv.gz"))
spacing = {s["scan_id"]: (float(s["pixel_spacing"]), float(s["z_spacing_median"])) for s in read(os.path.join(assets, "scans.csv.gz"))}
contours = {}
for c in read(os.path.join(assets, "contours.csv.gz")):
    points = np.array(c["coords"].split(), float).reshape(-1, 2)
    contours.setdefault(c["annotation_id"], []).append((float(c["image_z_position"]), c["inclusion"] == "1", points))

out = csv.writer(sys.stdout, lineterminator="\n")
out.writerow(["nodule_id", "cells", "in_plane", "sum"])
for n in nodules[::101]:
    pixel, dz = spacing[n["scan_id"]]
    de = float(n["de_mm"])
    offset = (np.arange(32) + .5) / 32 - .5
    x, y = ((float(n[f"centre_{a}_mm"]) + offset * 2 * de) / pixel for a in "xy")
    z = float(n["centre_z_mm"]) + offset * de
    grid = np.stack([g.ravel() for g in np.meshgrid(x, y)], 1)
    readers = n["annotation_ids"].split()
    heights = sorted({h for r in readers for h, _, _ in contours[r]})
    planes = []
    for h in heights:
        votes = 0
        for r in readers:
            mask = np.zeros(1024, bool)
            for outline in (True, False):
                for at, inclusion, points in contours[r]:
                    if at == h and inclusion == outline:
                        mask[points_in_poly(grid, points)] = outline
            votes = votes + mask
        planes.append((2 * votes >= len(readers)).astype(float))
    known = np.array([heights[0] - dz, *heights, heights[-1] + dz])
    planes = np.array([0 * planes[0], *planes, 0 * planes[0]])
    field = np.stack([np.interp(z, known, planes[:, i], left=0, right=0) for i in range(1024)], 1)
    inside = field >= .5
    out.writerow([n["nodule_id"], inside.sum(), inside.any(0).sum(), f"{field.sum():.3f}"])
