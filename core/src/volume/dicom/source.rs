//! What a report takes over from a series: the patient and study modules, as they are stored, and where its points lie.

use std::collections::BTreeMap;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::elements::{DataSet, text};
use crate::error::DicomFault;

/// The attributes of the Patient and General Study modules that a report repeats, and the character set that their bytes are in.
/// Sequences and comments stay behind.
pub const PATIENT_AND_STUDY: [Tag; 15] = [
    tags::SPECIFIC_CHARACTER_SET,
    tags::STUDY_DATE,
    tags::STUDY_TIME,
    tags::ACCESSION_NUMBER,
    tags::REFERRING_PHYSICIAN_NAME,
    tags::STUDY_DESCRIPTION,
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::ISSUER_OF_PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_SEX,
    tags::PATIENT_IDENTITY_REMOVED,
    tags::DEIDENTIFICATION_METHOD,
    tags::STUDY_INSTANCE_UID,
    tags::STUDY_ID,
];

/// The part of a slice's file that a report refers to or repeats.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The attributes of [`PATIENT_AND_STUDY`] that the file has, in its own bytes.
    pub modules: BTreeMap<Tag, Vec<u8>>,
    pub study_uid: String,
    pub series_uid: String,
    pub sop_class_uid: String,
    /// What the patient coordinates of the series count from.
    pub frame_of_reference_uid: String,
}

impl Source {
    /// Of any slice of the series.
    ///
    /// # Errors
    /// When the file can't be read, or lacks a UID without which nothing can refer to it.
    pub fn read(file: &[u8]) -> Result<Self, DicomFault> {
        let own = [tags::SERIES_INSTANCE_UID, tags::SOP_CLASS_UID, tags::FRAME_OF_REFERENCE_UID];
        let mut found = DataSet::open(file)?.values(&[&PATIENT_AND_STUDY[..], &own].concat())?;
        let uid = |tag, name| text(&found, tag).ok_or(DicomFault::Unreferable(name));
        let [study_uid, series_uid, sop_class_uid, frame_of_reference_uid] = [
            uid(tags::STUDY_INSTANCE_UID, "StudyInstanceUID")?,
            uid(tags::SERIES_INSTANCE_UID, "SeriesInstanceUID")?,
            uid(tags::SOP_CLASS_UID, "SOPClassUID")?,
            uid(tags::FRAME_OF_REFERENCE_UID, "FrameOfReferenceUID")?,
        ];
        found.retain(|tag, _| PATIENT_AND_STUDY.contains(tag));
        // one without the other is not a whole statement; the codes that can stand for the words are a sequence
        if !found.contains_key(&tags::DEIDENTIFICATION_METHOD) {
            found.remove(&tags::PATIENT_IDENTITY_REMOVED);
        }
        Ok(Self { modules: found, study_uid, series_uid, sop_class_uid, frame_of_reference_uid })
    }
}
