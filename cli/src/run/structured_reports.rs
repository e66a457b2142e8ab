//! Structured reports of predictions: a document for each series.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clip_lung_core::Error;
use clip_lung_core::error::SeriesFault;
use clip_lung_core::model::answer::Prediction;
use clip_lung_core::model::guard::OutOfPlace;
use clip_lung_core::model::predict::Model;
use clip_lung_core::volume::dicom::Source;

use crate::failure::Failure;
use crate::io::files;
use crate::io::scan::Origin;
use crate::io::sr::{self, Algorithm, Document, Finding, Moment};
use crate::io::targets::Target;

/// A report of one series.
pub struct Report {
    pub study_uid: String,
    pub document: Document,
}

/// The reports of nodules of DICOM series.
pub fn reports<'a>(
    model: &Model,
    predictions: impl Iterator<Item = (&'a Target, &'a Prediction)>,
) -> Result<Vec<Report>> {
    let mut series: Vec<(&Origin, Vec<Finding>)> = Vec::new();
    for (target, prediction) in predictions {
        let origin = target.origin.as_ref().ok_or_else(|| {
            let message = format!(
                "{} is no nodule of a DICOM series; a report (--sr, --store) needs the series' headers",
                target.id
            );
            Failure::Usage(message)
        })?;
        let finding = finding(model, target, origin, prediction)?;
        match series.iter_mut().find(|(first, _)| first.series_uid == origin.series_uid) {
            Some((_, findings)) => findings.push(finding),
            None => series.push((origin, vec![finding])),
        }
    }
    let moment = Moment::now();
    let algorithm = Algorithm { config: &model.config, weights: model.weights() };
    let one = |(origin, findings): (&Origin, Vec<Finding>)| {
        let source = Source::read(&origin.store.read(&origin.file)?).map_err(|fault| {
            let fault = SeriesFault::Slice { file: origin.file.display().to_string(), fault };
            Error::Series { series: origin.series_uid.clone(), fault }
        })?;
        let document = sr::report(&source, &algorithm, &findings, &moment)?;
        Ok(Report { study_uid: source.study_uid, document })
    };
    series.into_iter().map(one).collect()
}

/// Writes reports as `DIR/<SOPInstanceUID>.dcm`; their paths.
pub fn write(dir: &Path, reports: &[Report]) -> Result<Vec<PathBuf>> {
    files::create_dir(dir)?;
    let one = |report: &Report| {
        let path = dir.join(format!("{}.dcm", report.document.sop_instance_uid));
        files::write(&path, &report.document.bytes)?;
        Ok(path)
    };
    reports.iter().map(one).collect()
}

fn finding(model: &Model, target: &Target, origin: &Origin, prediction: &Prediction) -> Result<Finding> {
    let probabilities = model.config.classes.iter().copied().zip(prediction.probabilities.iter().copied());
    Ok(Finding {
        id: target.id.clone(),
        centre: origin.centre,
        diameter_mm: target.diameter_mm.unwrap_or_default(),
        slices: origin.slices.clone(),
        probabilities: probabilities.collect(),
        class: prediction.class,
        set: prediction.set.clone(),
        reason: prediction.out_of_place.map(OutOfPlace::words),
        attributes: model.explain(&target.crop, target.diameter_mm, None)?.attributes,
    })
}
