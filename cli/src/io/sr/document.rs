//! The document around the content: the modules of the Comprehensive 3D SR IOD (PS3.3 A.35.13).

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use clip_lung_core::volume::dicom::{PATIENT_AND_STUDY, Source};
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

use super::algorithm::Algorithm;
use super::codes::codes;
use super::content::{NAME, content};
use super::finding::{Finding, Moment};
use super::item::{referenced, sequence, text};
use super::uid::uid;

/// A document as a DICOM file.
pub struct Document {
    pub sop_instance_uid: String,
    pub bytes: Vec<u8>,
}

/// Attributes of the copied modules that must be there, if only empty (type 2).
const NEEDED: [Tag; 9] = [
    tags::STUDY_DATE,
    tags::STUDY_TIME,
    tags::ACCESSION_NUMBER,
    tags::REFERRING_PHYSICIAN_NAME,
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_SEX,
    tags::STUDY_ID,
];

/// The report of findings in one series, made by `algorithm` at `moment`. Patient and study are copied from the source in its own bytes,
/// and nothing else of it.
pub fn report(source: &Source, algorithm: &Algorithm, findings: &[Finding], moment: &Moment) -> Result<Document> {
    let mut object = InMemDicomObject::new_empty();
    for tag in PATIENT_AND_STUDY {
        let vr = StandardDataDictionary.by_tag(tag).and_then(|e| e.vr().exact()).unwrap_or(VR::UN);
        let bytes = source.modules.get(&tag).map(|b| PrimitiveValue::U8(b.as_slice().into()));
        match bytes {
            Some(value) => object.put(DataElement::new(tag, vr, value)),
            None if NEEDED.contains(&tag) => object.put(DataElement::new(tag, vr, PrimitiveValue::Empty)),
            None => None,
        };
    }
    let about: Vec<String> = findings.iter().flat_map(Finding::words).collect();
    let identity = algorithm.identity();
    let named = |what: &str| {
        let all = [&[what, &source.series_uid, &identity, &moment.date, &moment.time][..]].concat();
        uid(&all.into_iter().chain(about.iter().map(String::as_str)).collect::<Vec<_>>())
    };
    let (sop_instance_uid, sop_class) = (named("report"), uids::COMPREHENSIVE3_DSR_STORAGE);
    // a slice that two nodules share is one image
    let mut seen = BTreeSet::new();
    let slices: Vec<&str> =
        findings.iter().flat_map(|f| &f.slices).map(String::as_str).filter(|s| seen.insert(*s)).collect();
    let evidence = |slice: &&str| referenced(&source.sop_class_uid, slice);

    let (method, version) = (algorithm.config.method.name(), &algorithm.config.metadata.version);
    for (tag, vr, value) in [
        (tags::SOP_CLASS_UID, VR::UI, sop_class),
        (tags::SOP_INSTANCE_UID, VR::UI, &sop_instance_uid),
        (tags::CONTENT_DATE, VR::DA, &moment.date),
        (tags::CONTENT_TIME, VR::TM, &moment.time),
        (tags::MODALITY, VR::CS, "SR"),
        (tags::MANUFACTURER, VR::LO, NAME),
        (tags::SERIES_DESCRIPTION, VR::LO, "clip-lung, research use only"),
        (tags::MANUFACTURER_MODEL_NAME, VR::LO, method),
        (tags::DEVICE_SERIAL_NUMBER, VR::LO, &identity),
        (tags::SOFTWARE_VERSIONS, VR::LO, version),
        (tags::SERIES_INSTANCE_UID, VR::UI, &named("series")),
        (tags::SERIES_NUMBER, VR::IS, "1"),
        (tags::INSTANCE_NUMBER, VR::IS, "1"),
        (tags::COMPLETION_FLAG, VR::CS, "COMPLETE"),
        (tags::VERIFICATION_FLAG, VR::CS, "UNVERIFIED"),
    ] {
        text(&mut object, tag, vr, value);
    }
    let mut scheme = InMemDicomObject::new_empty();
    text(&mut scheme, tags::CODING_SCHEME_DESIGNATOR, VR::SH, "99CLIPLUNG");
    text(&mut scheme, tags::CODING_SCHEME_NAME, VR::ST, "Codes of clip-lung (docs/dicom-sr.md)");
    text(&mut scheme, tags::CODING_SCHEME_RESPONSIBLE_ORGANIZATION, VR::ST, NAME);
    sequence(&mut object, tags::CODING_SCHEME_IDENTIFICATION_SEQUENCE, vec![scheme]);
    sequence(&mut object, tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE, vec![]);
    sequence(&mut object, tags::PERFORMED_PROCEDURE_CODE_SEQUENCE, vec![]);
    let mut series = InMemDicomObject::new_empty();
    sequence(&mut series, tags::REFERENCED_SOP_SEQUENCE, slices.iter().map(evidence).collect());
    text(&mut series, tags::SERIES_INSTANCE_UID, VR::UI, &source.series_uid);
    let mut study = InMemDicomObject::new_empty();
    sequence(&mut study, tags::REFERENCED_SERIES_SEQUENCE, vec![series]);
    text(&mut study, tags::STUDY_INSTANCE_UID, VR::UI, &source.study_uid);
    sequence(&mut object, tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE, vec![study]);
    content(&codes()?, source, algorithm, findings, &slices).write(&mut object, true);

    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
        .implementation_class_uid(uid(&["implementation", NAME]))
        .implementation_version_name(NAME);
    let unwritable = "a structured report can't be written";
    let mut bytes = Vec::new();
    object.with_meta(meta).context(unwritable)?.write_all(&mut bytes).context(unwritable)?;
    Ok(Document { sop_instance_uid, bytes })
}
