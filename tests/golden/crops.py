#!/usr/bin/env python3
"""Boxes cut from a volume of noise with numpy and scipy, independently of the Rust code.

    pip install numpy scipy safetensors && python3 crops.py

Writes crops.safetensors: `volume` I16 (z, y, x) in HU; the metadata's `spacing` (z, y, x; mm) and `cases`, a JSON list of name, crop
(geometry), margin, centre (voxel x, y, z) and diameter_mm; and a tensor I16 a case, in sixteenths of an HU, with its margin. Each box is
sampled at the centres of 32 cells an axis, and the margin's cells go on at the same pitch; trilinear, -1000 HU beyond the volume.
"""
import json, os
import numpy as np
from safetensors.numpy import save_file
from scipy.ndimage import map_coordinates

spacing = [1.5, 0.7, 0.9]
volume = np.random.default_rng(2023).integers(-1000, 400, (14, 22, 26)).astype(np.int16)
two, one, plane = {"diameters": 2}, {"diameters": 1}, {"mm": 9}
cases = [
    {"name": "flat", "crop": {"in_plane": two, "through_plane": one}, "margin": [0, 0, 0], "centre": [12.3, 10.8, 6.4], "diameter_mm": 6.2},
    # over the border of the volume
    {"name": "mixed", "crop": {"in_plane": plane, "through_plane": {"diameters": 1.5}}, "margin": [1, 2, 3], "centre": [2.1, 19.5, 11.75],
     "diameter_mm": 4.4},
]
padded = np.pad(volume.astype(np.float64), 60, constant_values=-1000)
tensors = {"volume": volume}
for case in cases:
    side = lambda e: e["mm"] if "mm" in e else e["diameters"] * case["diameter_mm"]
    sides = [side(case["crop"]["through_plane"])] + 2 * [side(case["crop"]["in_plane"])]
    axes = []
    for centre, length, pitch, margin in zip(case["centre"][::-1], sides, spacing, case["margin"]):
        edges = np.linspace(-length / 2, length / 2, 33)
        middles = (edges[:-1] + edges[1:]) / 2
        cell = length / 32
        before, after = middles[0] - cell * np.arange(margin, 0, -1), middles[-1] + cell * np.arange(1, margin + 1)
        axes.append(centre + np.concatenate([before, middles, after]) / pitch)
    at = np.meshgrid(*axes, indexing="ij")
    hu = map_coordinates(padded, [a + 60 for a in at], order=1)
    tensors[case["name"]] = np.rint(hu * 16).astype(np.int16)
here = os.path.dirname(os.path.abspath(__file__))
save_file(tensors, os.path.join(here, "crops.safetensors"), {"spacing": json.dumps(spacing), "cases": json.dumps(cases)})
