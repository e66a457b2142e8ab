#!/usr/bin/env python3
"""Damaged and hostile inputs, small, each with the error it must give (expected.csv).

    pip install numpy imagecodecs && python3 make.py

Everything is written byte by byte here, so that no library mends it. Kinds: .dcm one slice, .xml annotations, .nii and .nii.gz
volumes, folders for `prepare --annotations xml`.
"""
import csv, gzip, os, shutil, struct, zlib
import numpy as np
import imagecodecs

here = os.path.dirname(os.path.abspath(__file__))
EXPLICIT, DEFLATED, RLE, JPEG, J2K = (f"1.2.840.10008.1.2.{s}" for s in ("1", "1.99", "5", "4.70", "4.90"))
N = 16
expected = []


def put(name, data, outcome, message):
    path = os.path.join(here, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
    if outcome:
        expected.append((name, outcome, message))


def element(tag, vr, value):
    if isinstance(value, str):
        value = value.encode()
    if len(value) % 2:
        value += b"\0" if vr in ("UI", "OB") else b" "
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    long = vr in ("OB", "OW", "SQ", "UN", "UT")
    return head + (b"\0\0" + struct.pack("<I", len(value)) if long else struct.pack("<H", len(value))) + value


us = lambda v: struct.pack("<H", v)
DEFAULTS = {
    0x00080016: ("UI", "1.2.840.10008.5.1.4.1.1.2"), 0x00080018: ("UI", "1.2.3.4.1"), 0x00080060: ("CS", "CT"),
    0x00100020: ("LO", "HOSTILE"), 0x00180050: ("DS", "2.5"), 0x0020000D: ("UI", "1.2.3.9"), 0x0020000E: ("UI", "1.2.3.4"),
    0x00200032: ("DS", "0\\0\\0"), 0x00200037: ("DS", "1\\0\\0\\0\\1\\0"), 0x00280002: ("US", us(1)),
    0x00280004: ("CS", "MONOCHROME2"), 0x00280010: ("US", us(N)), 0x00280011: ("US", us(N)), 0x00280030: ("DS", "1\\1"),
    0x00280100: ("US", us(16)), 0x00280101: ("US", us(16)), 0x00280102: ("US", us(15)), 0x00280103: ("US", us(1)),
    0x00281052: ("DS", "0"), 0x00281053: ("DS", "1"),
}
PIXELS = np.full((N, N), -800, "<i2").tobytes()


def meta(syntax):
    body = element(0x00020002, "UI", DEFAULTS[0x00080016][1]) + element(0x00020003, "UI", "1.2.3.4.1")
    body += element(0x00020010, "UI", syntax) if syntax else b""
    return b"\0" * 128 + b"DICM" + element(0x00020000, "UL", struct.pack("<I", len(body))) + body


def data(changes=None, pixels=PIXELS, extra=b""):
    fields = {**DEFAULTS, **(changes or {})}
    out = b"".join(element(t, *fields[t]) for t in sorted(fields) if fields[t] is not None)
    return out + extra + (element(0x7FE00010, "OW", pixels) if pixels is not None else b"")


def item(value):
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(value)) + value


def fragments(*parts, end=True):
    out = struct.pack("<HH", 0x7FE0, 0x0010) + b"OB\0\0\xff\xff\xff\xff" + item(b"")
    return out + b"".join(item(p + b"\0" * (len(p) % 2)) for p in parts) + (struct.pack("<HHI", 0xFFFE, 0xE0DD, 0) if end else b"")


def slice_(name, outcome, message, changes=None, syntax=EXPLICIT, **more):
    put(name + ".dcm", meta(syntax) + data(changes, **more), outcome, message)


def coded(name, message, syntax, *parts, changes=None, end=True):
    put(name + ".dcm", meta(syntax) + data(changes, pixels=None) + fragments(*parts, end=end), "error", message)


good = meta(EXPLICIT) + data()
put("good.dcm", good, "ok", "")
put("empty.dcm", b"", "error", "not a DICOM file")
put("text.dcm", b"This is not an image.\n" * 20, "error", "not a DICOM file")
put("truncated_meta.dcm", good[:150], "error", "file meta group")
put("no_meta_length.dcm", b"\0" * 128 + b"DICM" + element(0x00020010, "UI", EXPLICIT) + data(), "error", "has no length")
put("meta_length_beyond_file.dcm", good[:140] + b"\xff\xff\xff\xff" + good[144:], "error", "file meta group")
slice_("no_syntax", "error", "TransferSyntaxUID is missing", syntax=None)
slice_("unknown_syntax", "error", "transfer syntax 1.2.3 is not supported", syntax="1.2.3")
slice_("big_endian", "error", "Big Endian", syntax="1.2.840.10008.1.2.2")
put("truncated_header.dcm", good[:400], "error", "ends within")
put("truncated_pixels.dcm", good[:-100], "error", "bytes of pixels")
slice_("zero_length_pixels", "error", "no pixels", pixels=b"")
slice_("no_pixels", "error", "no pixels", pixels=None)
slice_("huge_65535", "error", "at most 4096", {0x00280010: ("US", us(65535)), 0x00280011: ("US", us(65535))})
slice_("size_beyond_pixels", "error", "say 524288 bytes of pixels, but 512 are there", {0x00280010: ("US", us(512)), 0x00280011: ("US", us(512))})
slice_("zero_rows", "error", "Rows is `0`", {0x00280010: ("US", us(0))})
for tag, name in [(0x00280010, "Rows"), (0x00280011, "Columns"), (0x00280100, "BitsAllocated"), (0x00200032, "ImagePositionPatient"), (0x00200037, "ImageOrientationPatient"), (0x00280030, "PixelSpacing"), (0x0020000E, "SeriesInstanceUID"), (0x00080018, "SOPInstanceUID")]:
    slice_("missing_" + name, "error", name + " is missing", {tag: None})
for name, value in [("nan", "NaN\\NaN"), ("three", "1\\1\\1"), ("text", "wide\\tall"), ("infinite", "1e999\\1")]:
    slice_(name + "_spacing", "error", "PixelSpacing is", {0x00280030: ("DS", value)})
for name, value in [("zero", "0\\0"), ("negative", "-1\\1"), ("vast", "1e9\\1")]:
    slice_(name + "_spacing", "error", "between 0.01 and 100 mm", {0x00280030: ("DS", value)})
slice_("nan_position", "error", "ImagePositionPatient is", {0x00200032: ("DS", "0\\0\\nan")})
slice_("zero_slope", "error", "RescaleSlope is `0`", {0x00281053: ("DS", "0")})
slice_("infinite_intercept", "error", "RescaleIntercept is", {0x00281052: ("DS", "inf")})
slice_("bits_32", "error", "BitsAllocated is `32`", {0x00280100: ("US", us(32))})
slice_("bits_stored_17", "error", "BitsStored is", {0x00280101: ("US", us(17))})
slice_("colour", "error", "3 samples a pixel", {0x00280002: ("US", us(3))})
slice_("inverted", "error", "PhotometricInterpretation is", {0x00280004: ("CS", "MONOCHROME1")})
slice_("multi_frame", "error", "single-frame", {0x00280008: ("IS", "100")})
# sequences in sequences, 500 deep
deep = b"".join(struct.pack("<HH", 0x0008, 0x1140) + b"SQ\0\0\xff\xff\xff\xff" + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) for _ in range(500))
put("deep_nesting.dcm", meta(EXPLICIT) + deep + data(), "error", "nested deeper")
put("open_sequence.dcm", meta(EXPLICIT) + deep[:20] , "error", "ends within")
put("stray_delimiter.dcm", meta(EXPLICIT) + struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + item(b"") + data(), "error", "closes nothing")
put("endless_element.dcm", meta(EXPLICIT) + struct.pack("<HH", 0x0009, 0x0010) + b"OB\0\0\xf0\xff\xff\xff" + data(), "error", "ends within")
put("long_text.dcm", meta(EXPLICIT) + element(0x00080016, "UT", "x" * 70000)[:8] + b"", "error", "ends within")
deflate = lambda b: (lambda c: c.compress(b) + c.flush())(zlib.compressobj(9, zlib.DEFLATED, -15))
put("deflate_bomb.dcm", meta(DEFLATED) + deflate(data(pixels=None) + b"\0" * (140 << 20)), "error", "unpacks to more than")
put("deflate_truncated.dcm", meta(DEFLATED) + deflate(data())[:-60], "error", "deflated data set")
put("deflate_garbage.dcm", meta(DEFLATED) + b"\xff" * 300, "error", "damaged")
head = lambda *offsets: struct.pack("<16I", len(offsets), *offsets, *[0] * (15 - len(offsets)))
run = b"\x81\x05" * 2
coded("rle_short_header", "header is cut short", RLE, b"\0" * 10)
coded("rle_no_segments", "0 segments", RLE, head() + run)
coded("rle_bad_offsets", "outside of the data", RLE, head(5000, 6000) + run)
coded("rle_short_segment", "of 256 bytes", RLE, head(64, 66) + b"\x81\x05\x81\x05")
coded("rle_fragments", "3 fragments", RLE, head(64, 68) + run + run, b"ab", b"cd")
coded("rle_unfinished", "ends within", RLE, head(64, 68) + run + run, end=False)
coded("rle_nothing", "no pixels", RLE)
other = imagecodecs.ljpeg_encode(np.zeros((8, 8), np.uint16), bitspersample=16)
coded("jpeg_garbage", "JPEG data can't be decoded", JPEG, b"\xff\xd8garbage!" * 9)
coded("jpeg_other_size", "it is 8 x 8", JPEG, other)
coded("jpeg_truncated", "JPEG data can't be decoded", JPEG, imagecodecs.ljpeg_encode(np.arange(256, dtype=np.uint16).reshape(16, 16) * 97, bitspersample=16)[:60])
coded("jpeg_claims_65535", "it is 65535 x 65535", JPEG, other.replace(b"\x00\x08\x00\x08", b"\xff\xff\xff\xff"))
coded("jpeg2000_garbage", "JPEG 2000 data can't be decoded", J2K, b"\xff\x4f\xff\x51" + b"\x07" * 99)
coded("jpeg2000_other_size", "it is 8 x 8", J2K, imagecodecs.jpeg2k_encode(np.zeros((8, 8), np.uint16), codecformat="j2k"))
put("fragments_in_native_syntax.dcm", meta(EXPLICIT) + data(pixels=None) + fragments(b"abcd"), "error", "not stored as the transfer syntax says")

# annotations
def xml(body="", series="1.2.3.4"):
    uid = f"<SeriesInstanceUid>{series}</SeriesInstanceUid>" if series else ""
    return f'<?xml version="1.0" encoding="UTF-8"?><LidcReadMessage xmlns="http://www.nih.gov"><ResponseHeader>{uid}</ResponseHeader><readingSession>{body}</readingSession></LidcReadMessage>'


NAMES = ["subtlety", "internalStructure", "calcification", "sphericity", "margin", "lobulation", "spiculation", "texture", "malignancy"]


def nodule(rois, changes=None):
    values = {**dict.fromkeys(NAMES, "3"), **(changes or {})}
    return "<unblindedReadNodule><noduleID>n</noduleID><characteristics>" + "".join(f"<{k}>{v}</{k}>" for k, v in values.items()) + f"</characteristics>{rois}</unblindedReadNodule>"


def roi(z, points=((4, 4), (11, 4), (11, 11), (4, 11)), inclusion="TRUE"):
    edges = "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in points)
    return f"<roi><imageZposition>{z}</imageZposition><imageSOP_UID>0</imageSOP_UID><inclusion>{inclusion}</inclusion>{edges}</roi>"


put("good.xml", xml(nodule(roi(0) + roi(2.5))).encode(), "ok", "")
put("utf16.xml", b"\xff\xfe" + xml().encode("utf-16-le"), "ok", "")
put("utf16_odd_surrogate.xml", b"\xff\xfe" + b"\x00\xd8" * 50, "error", "not text in UTF-8")
put("bad_utf8.xml", xml("<a>\u00e9</a>").encode("latin-1"), "error", "not text in UTF-8")
put("empty.xml", b"", "error", "SeriesInstanceUid` is missing")
put("no_series.xml", xml(series="").encode(), "error", "SeriesInstanceUid` is missing")
put("radiograph.xml", b"<IdriReadMessage><CXRreadingSession/></IdriReadMessage>", "other", "IdriReadMessage")
put("laughs.xml", ('<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">' + "".join(f'<!ENTITY {b} "{("&" + a + ";") * 10}">' for a, b in zip("abcdefgh", "bcdefghi")) + "]><LidcReadMessage>&i;</LidcReadMessage>").encode(), "error", "is not expanded")
put("external_entity.xml", b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><LidcReadMessage>&x;</LidcReadMessage>', "error", "is not expanded")
put("deep.xml", b"<LidcReadMessage>" + b"<a>" * 5000, "error", "nested deeper")
put("truncated.xml", xml(nodule(roi(0))).split("</roi>")[0].encode(), "error", "ends within")
put("crossed_tags.xml", b"<LidcReadMessage><a><b></a></b></LidcReadMessage>", "error", "not well-formed")
put("half_a_tag.xml", b"<LidcReadMessage><roi", "error", "not well-formed")
put("bad_coordinate.xml", xml(nodule(roi(0, (("4.5", 4), (5, 5))))).encode(), "error", "xCoord` is `4.5`")
put("huge_coordinate.xml", xml(nodule(roi(0, (("99999999999", 4),)))).encode(), "error", "xCoord` is")
put("nan_z.xml", xml(nodule(roi("NaN"))).encode(), "error", "imageZposition` is `NaN`")
put("bad_inclusion.xml", xml(nodule(roi(0, inclusion="MAYBE"))).encode(), "error", "TRUE or FALSE")


# NIfTI
def nifti(dims=(3, 4, 4, 4, 1, 1, 1, 1), kind=4, sform=1, affine=((-1, 0, 0, 0), (0, -1, 0, 0), (0, 0, 2, 0)), magic=b"n+1\0", voxels=None, slope=1.0):
    h = bytearray(352)
    struct.pack_into("<i", h, 0, 348)
    struct.pack_into("<8H", h, 40, *dims)
    struct.pack_into("<hh", h, 70, kind, 16)
    struct.pack_into("<8f", h, 76, 1, 1, 1, 2, 1, 1, 1, 1)
    struct.pack_into("<fff", h, 108, 352, slope, 0)
    struct.pack_into("<hh", h, 252, 0, sform)
    for i, row in enumerate(affine):
        struct.pack_into("<4f", h, 280 + 16 * i, *row)
    h[344:348] = magic
    return bytes(h) + (np.full(64, -800, "<i2").tobytes() if voxels is None else voxels)


put("good.nii", nifti(), "ok", "")
put("good.nii.gz", gzip.compress(nifti(), mtime=0), "ok", "")
put("empty.nii", b"", "error", "not a NIfTI-1 file")
put("short.nii", nifti()[:200], "error", "not a NIfTI-1 file")
put("garbage.nii", b"\x7f" * 400, "error", "not a NIfTI-1 file")
put("pair.nii", nifti(magic=b"ni1\0"), "error", "header and image pair")
put("four_dimensions.nii", nifti(dims=(4, 4, 4, 4, 2, 1, 1, 1)), "error", "dimensions")
put("no_dimensions.nii", nifti(dims=(3, 0, 4, 4, 1, 1, 1, 1)), "error", "")
put("huge_dimensions.nii", nifti(dims=(3, 65535, 65535, 65535, 1, 1, 1, 1)), "error", "bytes of voxels")
put("truncated_voxels.nii", nifti()[:-10], "error", "128 bytes of voxels, but 118 are there")
put("colour.nii", nifti(kind=128, voxels=bytes(192)), "error", "type 128")
put("unknown_type.nii", nifti(kind=77), "error", "type 77")
put("no_frame.nii", nifti(sform=0), "error", "neither sform nor qform")
put("nan_affine.nii", nifti(affine=((float("nan"), 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0))), "error", "sform is not a usable placement")
put("flat_affine.nii", nifti(affine=((0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0))), "error", "sform is not a usable placement")
put("oblique.nii", nifti(affine=((.9, -.3, 0, 0), (.3, .9, 0, 0), (0, 0, 1, 0))), "error", "axes lean")
put("nan_voxel.nii", nifti(kind=16, voxels=np.full(64, np.nan, "<f4").tobytes()), "error", "NaN or infinity")
put("damaged.nii.gz", gzip.compress(nifti(), mtime=0)[:-30] + b"\xff" * 30, "error", "")
put("bomb.nii.gz", gzip.compress(nifti(dims=(3, 65535, 65535, 65535, 1, 1, 1, 1), voxels=bytes(200 << 20)), mtime=0), "error", "bytes of voxels")


# folders
def series(name, outcome, message, slices, body):
    shutil.rmtree(os.path.join(here, name), ignore_errors=True)
    for i, changes in enumerate(slices):
        # UIDs and positions differ; file names say nothing
        put(f"{name}/{(i * 37 + 11) % 101}.dcm", meta(EXPLICIT) + data(changes), None, None)
    if body is not None:
        put(f"{name}/readers.xml", xml(body).encode(), None, None)
    expected.append((name + "/", outcome, message))


def at(k, z=None, **more):
    z = 2.5 * k if z is None else z
    return {0x00080018: ("UI", f"1.2.3.4.{k + 1}"), 0x00200032: ("DS", f"0\\0\\{z}"), **{int(t, 16): v for t, v in more.items()}}


ball = nodule(roi(5) + roi(7.5) + roi(10))
plain = [at(k) for k in range(8)]
series("folder_good", "kept", "1", plain, ball)
series("folder_single_slice_nodule", "kept", "1", plain, nodule(roi(7.5)))
series("folder_duplicates", "kept", "1", plain + [at(k, 2.5 * (k - 20)) for k in (22, 23)], ball)
series("folder_same_slice_twice", "kept", "1", plain + [at(3)], ball)
series("folder_gap", "skipped", "slices are missing between", [at(k) for k in (0, 1, 2, 3, 6, 7, 8, 9)], nodule(roi(5) + roi(7.5) + roi(15)))
series("folder_mixed_series", "kept", "1", plain + [{**at(k), 0x0020000E: ("UI", "1.2.3.5"), 0x00080018: ("UI", f"1.2.3.5.{k}")} for k in range(4)], ball)
series("folder_mixed_patients", "skipped", "differ in patient", plain + [{**at(9), 0x00100020: ("LO", "ANOTHER")}], ball)
series("folder_mixed_spacing", "skipped", "differ in pixel spacing", plain + [{**at(9), 0x00280030: ("DS", "2\\2")}], ball)
series("folder_one_slice", "skipped", "a volume needs at least 2", [at(0)], ball)
series("folder_one_position", "skipped", "a volume needs at least 2", [at(k, 0) for k in range(5)], ball)
tilt = ("DS", "1\\0\\0\\0\\.966\\-.259")
series("folder_oblique", "skipped", "tilted by 15.0 degrees", [{**at(k), 0x00200037: tilt} for k in range(8)], ball)
series("folder_coronal", "skipped", "not axial", [{**at(k), 0x00200037: ("DS", "1\\0\\0\\0\\0\\-1")} for k in range(8)], ball)
series("folder_gantry", "skipped", "gantry was tilted", [{**at(k), 0x00200032: ("DS", f"0\\{k}\\{2.5 * k}")} for k in range(8)], ball)
series("folder_not_square", "skipped", "square pixels", [{**at(k), 0x00280030: ("DS", "1\\.8")} for k in range(8)], ball)
series("folder_outline_outside", "skipped", "outside of the image", plain, nodule(roi(5, ((4, 4), (99, 4), (99, 9)))))
series("folder_outline_off_scan", "skipped", "has no slice", plain, nodule(roi(400)))
series("folder_flat_outline", "skipped", "enclose nothing", plain, nodule(roi(5, ((4, 4), (5, 4)))))
series("folder_unrated", "skipped", "malignancy is 0", plain, nodule(roi(5), {"malignancy": "0"}))
series("folder_no_annotation", "skipped", "no XML annotates it", plain, None)
series("folder_radiograph", "skipped", "modality DX", [{**at(k), 0x00080060: ("CS", "DX")} for k in range(3)], ball)

with open(os.path.join(here, "expected.csv"), "w", newline="") as f:
    out = csv.writer(f, lineterminator="\n")
    out.writerow(("case", "outcome", "message"))
    out.writerows(sorted(expected))
print(len(expected), "cases")
