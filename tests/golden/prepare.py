#!/usr/bin/env python3
"""The nodules and crops of a DICOM + XML folder, independently of the Rust code: pydicom, ElementTree, numpy, scipy.

    pip install pydicom numpy scipy safetensors
    python3 prepare.py FOLDER OUT.safetensors

FOLDER holds one CT series and its annotation XML. Writes `crops` F32 [N,32,32,32] in HU, (z,y,x), `centre` F64 [N,3]
(patient x, y, z in mm) and `diameter` F64 [N] in mm. `lidc_mini.safetensors` was made from a 28-slice fragment of LIDC-IDRI-0002
(CC BY 3.0, Armato III et al. 2015, doi:10.7937/K9/TCIA.2015.LO9QL9SX).
"""
import os, sys
import xml.etree.ElementTree as ET
import numpy as np
import pydicom
from safetensors.numpy import save_file
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

folder, out = sys.argv[1:]
files, xml = [], None
for base, _, names in os.walk(folder):
    for name in names:
        path = os.path.join(base, name)
        if name.endswith(".dcm"):
            files.append(pydicom.dcmread(path))
        elif name.endswith(".xml"):
            xml = ET.parse(path)
files.sort(key=lambda d: float(d.ImagePositionPatient[2]))
z = np.array([float(d.ImagePositionPatient[2]) for d in files])
dz = np.median(np.diff(z))
row, col = map(float, files[0].PixelSpacing)
volume = []
for d in files:
    hu = d.pixel_array.astype(np.float64) * float(d.RescaleSlope) + float(d.RescaleIntercept)
    hu[hu < -1024] = -1000
    if "PixelPaddingValue" in d:
        hu[d.pixel_array == d.PixelPaddingValue] = -1000
    volume.append(hu)
volume = np.stack(volume)
of_sop = {d.SOPInstanceUID: float(d.ImagePositionPatient[2]) for d in files}

local = lambda e: e.tag.split("}")[-1].lower()
child = lambda e, name: next((c for c in e if local(c) == name), None)
readings = []
for nodule in (e for e in xml.iter() if local(e) == "unblindedreadnodule"):
    if child(nodule, "characteristics") is None:
        continue
    rois = []
    for roi in (c for c in nodule if local(c) == "roi"):
        points = np.array([[int(child(p, "xcoord").text), int(child(p, "ycoord").text)] for p in roi if local(p) == "edgemap"], float)
        where = of_sop.get(child(roi, "imagesop_uid").text.strip(), float(child(roi, "imagezposition").text))
        rois.append((where, 1 if child(roi, "inclusion").text.strip() == "TRUE" else -1, points))
    readings.append(rois)

cloud = lambda rois: np.vstack([np.column_stack([p[:, 0] * col, p[:, 1] * row, np.full(len(p), at)]) for at, _, p in rois])
clouds = [cloud(r) for r in readings]
tolerance = float(files[0].SliceThickness)
group = list(range(len(clouds)))
for i in range(len(clouds)):
    for j in range(i):
        if cKDTree(clouds[i]).query(clouds[j])[0].min() <= tolerance + 1e-6:
            group = [group[j] if g == group[i] else g for g in group]


def volume_of(rois):
    area = {}
    for at, sign, p in rois:
        x, y = p[:, 0] * col, p[:, 1] * row
        area[at] = area.get(at, 0) + sign * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    at = sorted(area)
    if len(at) == 1:
        return area[at[0]] * dz
    gaps = np.diff(at)
    extent = np.concatenate([[gaps[0]], (gaps[:-1] + gaps[1:]) / 2, [gaps[-1]]])
    return sum(area[a] * e for a, e in zip(at, extent))


crops, centres, diameters = [], [], []
origin = np.array([float(v) for v in files[0].ImagePositionPatient])
for g in sorted(set(group), key=group.index):
    members = [i for i in range(len(group)) if group[i] == g]
    v = np.mean([volume_of(readings[i]) for i in members])
    de = 2 * (3 * v / (4 * np.pi)) ** (1 / 3)
    c = np.mean([clouds[i].mean(0) for i in members], 0)
    offset = (np.arange(32) + .5) / 32 * 2 * de - de
    at = np.meshgrid((c[2] + offset - z[0]) / dz, (c[1] + offset) / row, (c[0] + offset) / col, indexing="ij")
    padded = np.pad(volume, 1, constant_values=-1000)
    crops.append(map_coordinates(padded, [a + 1 for a in at], order=1, mode="nearest"))
    centres.append([c[0] + origin[0], c[1] + origin[1], c[2]])
    diameters.append(de)
save_file({"crops": np.array(crops, np.float32), "centre": np.array(centres), "diameter": np.array(diameters)}, out)
print(len(crops), "nodules", centres, diameters)
