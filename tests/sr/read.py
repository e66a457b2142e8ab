"""What highdicom reads in structured reports, as JSON: one list of measurement groups a file. `pip install highdicom`."""
import json
import sys

from highdicom.sr import GraphicTypeValues3D, srread


def group(g):
    items = g[0].ContentSequence
    text = lambda meaning: [i.TextValue for i in items if i.name.meaning == meaning]
    return {
        "id": g.tracking_identifier,
        "uid": g.tracking_uid,
        "centre": g.roi.value[0].tolist(),
        "finding": g.finding_type.meaning,
        "site": g.finding_sites[0].value.meaning,
        "measurements": {m.name.value: m.value for m in g.get_measurements()},
        "units": {m.name.value: m.unit.value for m in g.get_measurements()},
        "evaluations": {q.name.value: q.value.value for q in g.get_qualitative_evaluations()},
        "algorithm": text("Algorithm Name") + text("Algorithm Version") + text("Algorithm Parameters"),
        "comment": text("Comment"),
    }


def document(path):
    d = srread(path)
    groups = d.content.get_planar_roi_measurement_groups(graphic_type=GraphicTypeValues3D.POINT)
    evidence = [i.ReferencedSOPInstanceUID for s in d.CurrentRequestedProcedureEvidenceSequence
                for r in s.ReferencedSeriesSequence for i in r.ReferencedSOPSequence]
    return {"patient": str(d.PatientName), "study": d.StudyInstanceUID, "evidence": evidence, "groups": [group(g) for g in groups]}


print(json.dumps([document(path) for path in sys.argv[1:]]))
