#!/usr/bin/env python3
"""One small CT slice in every compressed transfer syntax that is read, written by pydicom with the codecs of imagecodecs.

    pip install pydicom numpy imagecodecs && python3 codecs.py

Writes codecs/ball/K.j2k and codecs/NAME.dcm and, for each, what pydicom or imagecodecs decodes: codecs/NAME.raw (little-endian int32, 48 x 40 stored
values). The names say syntax, stored bits and signedness.
"""
import os
import numpy as np
import imagecodecs
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import generate_uid

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "codecs")
os.makedirs(here, exist_ok=True)
rows, columns = 48, 40
random = np.random.default_rng(7)
y, x = np.mgrid[:rows, :columns]
ball = 900 * np.exp(-((y - 22) ** 2 + (x - 18) ** 2) / 60.0) + random.normal(0, 25, (rows, columns))



def write(name, syntax, image, bits, signed, encoded, decoded):
    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.MediaStorageSOPClassUID = d.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    d.file_meta.TransferSyntaxUID = syntax
    d.file_meta.ImplementationClassUID = "1.2.826.0.1.3680043.8.498.2"
    d.Modality, d.PatientID, d.SeriesInstanceUID, d.StudyInstanceUID = "CT", "codec", "1.2.3", "1.2"
    d.Rows, d.Columns, d.SamplesPerPixel, d.PhotometricInterpretation = rows, columns, 1, "MONOCHROME2"
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = (8 if bits == 8 else 16), bits, bits - 1, int(signed)
    d.ImagePositionPatient, d.ImageOrientationPatient, d.PixelSpacing = [0, 0, 0], [1, 0, 0, 0, 1, 0], [.7, .7]
    d.RescaleSlope, d.RescaleIntercept = 1, 0
    d.PixelData = encapsulate([encoded])
    d["PixelData"].VR = "OB"
    d["PixelData"].is_undefined_length = True
    d.save_as(os.path.join(here, name + ".dcm"), enforce_file_format=True)
    decoded.astype("<i4").tofile(os.path.join(here, name + ".raw"))


u12 = np.clip(ball + 1024, 0, 4095).astype(np.uint16)
u16 = np.clip(ball * 20 + 9000, 0, 65535).astype(np.uint16)
i16 = (ball - 300).astype(np.int16)
u8 = np.clip(ball / 5 + 40, 0, 255).astype(np.uint8)
lossless, first, baseline, j2k, j2k_lossy = (f"1.2.840.10008.1.2.4.{n}" for n in (57, 70, 50, 90, 91))
for name, image, bits, signed in [("u12", u12, 12, False), ("u16", u16, 16, False), ("i16", i16, 16, True)]:
    raw = image.view(np.uint16)
    coded = imagecodecs.ljpeg_encode(raw, bitspersample=bits)
    assert (imagecodecs.ljpeg_decode(coded) == raw).all()
    write(f"jpeg_lossless_{name}", first, image, bits, signed, coded, image)
    coded = imagecodecs.jpeg2k_encode(image, reversible=True, level=0, codecformat="j2k", bitspersample=bits)
    assert (imagecodecs.jpeg2k_decode(coded) == image).all()
    write(f"jpeg2000_lossless_{name}", j2k, image, bits, signed, coded, image)
coded = imagecodecs.jpeg8_encode(u8, level=95)
write("jpeg_baseline_u8", baseline, u8, 8, False, coded, imagecodecs.jpeg8_decode(coded))
coded = imagecodecs.jpeg2k_encode(u12, reversible=False, level=60, codecformat="j2k", bitspersample=12)
write("jpeg2000_u12", j2k_lossy, u12, 12, False, coded, imagecodecs.jpeg2k_decode(coded))

# the slices of tests/archive's usual scan at .9 mm and 2.5 mm: a ball of 40 HU in -850 HU, whose series the tests write
side, slices, spacing, thickness = 100, 28, .9, 2.5
gy, gx = np.mgrid[:side, :side] * spacing
os.makedirs(os.path.join(here, "ball"), exist_ok=True)
for k in range(slices):
    inside = (gx - 45) ** 2 + (gy - 44) ** 2 + ((k - slices // 2) * thickness) ** 2 < 16.25**2
    image = np.where(inside, 40, -850).astype(np.int16)
    coded = imagecodecs.jpeg2k_encode(image, reversible=True, level=0, codecformat="j2k", bitspersample=16)
    assert (imagecodecs.jpeg2k_decode(coded) == image).all()
    with open(os.path.join(here, "ball", f"{k}.j2k"), "wb") as f:
        f.write(coded)
print(sorted(os.listdir(here)))
