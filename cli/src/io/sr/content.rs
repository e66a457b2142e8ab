//! The content tree, after TID 1500 (Measurement Report): an image library, and a measurement group (TID 1410) for each nodule.

use clip_lung_core::model::directory::WEIGHTS;
use clip_lung_core::volume::dicom::Source;

use super::algorithm::Algorithm;
use super::codes::Codes;
use super::finding::Finding;
use super::item::{ACQUIRED, CONTAINS, Item, MODIFIED, OBSERVED, Value};
use super::uid::uid;

/// The program's name in a report.
pub const NAME: &str = "clip-lung";
const NOTICE: &str = "Research use only, not a medical device. Not for diagnosis.";

/// The root container.
pub fn content(codes: &Codes, source: &Source, algorithm: &Algorithm, findings: &[Finding], slices: &[&str]) -> Item {
    let device = uid(&["device", &algorithm.identity()]);
    let groups = findings.iter().map(|f| group(codes, source, algorithm, f)).collect();
    let code = |relationship, name, value: &_| Item::new(relationship, name, Value::Code(Clone::clone(value)));
    let frame = Value::Uid(source.frame_of_reference_uid.clone());
    let mut library =
        vec![code(ACQUIRED, &codes.modality, &codes.ct), Item::new(ACQUIRED, &codes.frame_of_reference, frame)];
    library.extend(slices.iter().map(|slice| Item::image(&source.sop_class_uid, slice)));
    Item::container(
        &codes.report,
        Some("1500"),
        vec![
            code(MODIFIED, &codes.language, &codes.english),
            code(OBSERVED, &codes.observer_type, &codes.device),
            Item::new(OBSERVED, &codes.device_uid, Value::Uid(device)),
            Item::new(OBSERVED, &codes.device_name, Value::Text(NAME.into())),
            code(MODIFIED, &codes.procedure, &codes.ct_chest),
            Item::container(&codes.library, None, vec![Item::container(&codes.library_group, None, library)]),
            Item::container(&codes.measurements, None, groups),
        ],
    )
}

/// One nodule.
fn group(codes: &Codes, source: &Source, algorithm: &Algorithm, finding: &Finding) -> Item {
    let [id, place, diameter] = finding.words();
    let tracking = uid(&["tracking", &source.series_uid, &id, &place, &diameter]);
    let (model, meta) = (algorithm.config, &algorithm.config.metadata);
    let text = |relationship, name, value: String| Item::new(relationship, name, Value::Text(value));
    let code = |relationship, name, value: &_| Item::new(relationship, name, Value::Code(Clone::clone(value)));
    let number = |name, value: String, unit: &_| Item::new(CONTAINS, name, Value::Number(value, Clone::clone(unit)));
    let mut items = vec![
        text(OBSERVED, &codes.tracking_identifier, id),
        Item::new(OBSERVED, &codes.tracking_uid, Value::Uid(tracking)),
        code(CONTAINS, &codes.finding, &codes.nodule),
        code(MODIFIED, &codes.finding_site, &codes.lung),
        text(MODIFIED, &codes.algorithm_name, format!("{NAME}, {}, {}", model.method.name(), model.task.name())),
        text(MODIFIED, &codes.algorithm_version, meta.version.clone()),
    ];
    let mut parameters: Vec<String> =
        algorithm.weights.iter().map(|digest| format!("SHA-256 of {WEIGHTS}: {digest}")).collect();
    parameters.push(format!("training data: {}", meta.training_data));
    parameters.push(format!("text encoder: {}", meta.text_encoder));
    items.extend(parameters.into_iter().map(|p| text(MODIFIED, &codes.algorithm_parameters, p)));
    items.push(Item::new(
        CONTAINS,
        &codes.region,
        Value::Point(finding.centre.xyz(), source.frame_of_reference_uid.clone()),
    ));
    items.push(number(&codes.diameter, diameter, &codes.mm));
    for (class, p) in &finding.probabilities {
        items.push(number(codes.probabilities.of(*class), format!("{p:.6}"), &codes.no_unit));
    }
    for (name, score) in codes.attributes.iter().zip(finding.attributes.iter().flatten()) {
        items.push(number(name, format!("{score:.6}"), &codes.no_unit));
    }
    items.push(code(CONTAINS, &codes.class, codes.classes.of(finding.class)));
    items.extend(finding.set.iter().flatten().map(|open| code(CONTAINS, &codes.open, codes.classes.of(*open))));
    items.extend(finding.reason.map(|reason| text(CONTAINS, &codes.comment, reason.into())));
    items.push(code(CONTAINS, &codes.intended_use, &codes.research));
    items.push(text(CONTAINS, &codes.comment, NOTICE.into()));
    Item::container(&codes.group, Some("1410"), items)
}
