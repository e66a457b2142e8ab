//! Content items, and how they are written as data elements (PS3.3 C.17.3).

use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::codes::Code;

/// What a content item holds.
pub enum Value {
    /// With the template that it follows, if any.
    Container(Option<&'static str>),
    Code(Code),
    Text(String),
    Uid(String),
    /// A decimal number and its unit.
    Number(String, Code),
    /// A point in patient coordinates (LPS, mm) of a frame of reference.
    Point([f64; 3], String),
    /// SOP class and instance.
    Image(String, String),
}

/// A content item with those below it.
pub struct Item {
    relationship: &'static str,
    name: Option<Code>,
    value: Value,
    children: Vec<Item>,
}

pub const CONTAINS: &str = "CONTAINS";
pub const OBSERVED: &str = "HAS OBS CONTEXT";
pub const ACQUIRED: &str = "HAS ACQ CONTEXT";
pub const MODIFIED: &str = "HAS CONCEPT MOD";

impl Item {
    pub fn new(relationship: &'static str, name: &Code, value: Value) -> Self {
        Self { relationship, name: Some(name.clone()), value, children: Vec::new() }
    }

    /// An image of the library, which has no name.
    pub fn image(sop_class: &str, sop_instance: &str) -> Self {
        let value = Value::Image(sop_class.into(), sop_instance.into());
        Self { relationship: CONTAINS, name: None, value, children: Vec::new() }
    }

    pub fn container(name: &Code, template: Option<&'static str>, children: Vec<Self>) -> Self {
        let value = Value::Container(template);
        Self { relationship: CONTAINS, name: Some(name.clone()), value, children }
    }

    /// Writes the item into `to`: an item of a content sequence, or as the `root` a document, which has no relationship.
    pub fn write(&self, to: &mut InMemDicomObject, root: bool) {
        if !root {
            text(to, tags::RELATIONSHIP_TYPE, VR::CS, self.relationship);
        }
        if let Some(name) = &self.name {
            sequence(to, tags::CONCEPT_NAME_CODE_SEQUENCE, vec![coded(name)]);
        }
        let kind = match &self.value {
            Value::Container(template) => {
                text(to, tags::CONTINUITY_OF_CONTENT, VR::CS, "SEPARATE");
                if let Some(template) = template {
                    let mut item = InMemDicomObject::new_empty();
                    text(&mut item, tags::MAPPING_RESOURCE, VR::CS, "DCMR");
                    text(&mut item, tags::TEMPLATE_IDENTIFIER, VR::CS, template);
                    sequence(to, tags::CONTENT_TEMPLATE_SEQUENCE, vec![item]);
                }
                "CONTAINER"
            }
            Value::Code(code) => {
                sequence(to, tags::CONCEPT_CODE_SEQUENCE, vec![coded(code)]);
                "CODE"
            }
            Value::Text(value) => {
                text(to, tags::TEXT_VALUE, VR::UT, value);
                "TEXT"
            }
            Value::Uid(value) => {
                text(to, tags::UID, VR::UI, value);
                "UIDREF"
            }
            Value::Number(value, unit) => {
                let mut item = InMemDicomObject::new_empty();
                text(&mut item, tags::NUMERIC_VALUE, VR::DS, value);
                sequence(&mut item, tags::MEASUREMENT_UNITS_CODE_SEQUENCE, vec![coded(unit)]);
                sequence(to, tags::MEASURED_VALUE_SEQUENCE, vec![item]);
                "NUM"
            }
            Value::Point(mm, frame_of_reference) => {
                text(to, tags::GRAPHIC_TYPE, VR::CS, "POINT");
                let data = PrimitiveValue::F32(mm.iter().map(|v| *v as f32).collect());
                to.put(DataElement::new(tags::GRAPHIC_DATA, VR::FL, data));
                text(to, tags::REFERENCED_FRAME_OF_REFERENCE_UID, VR::UI, frame_of_reference);
                "SCOORD3D"
            }
            Value::Image(sop_class, sop_instance) => {
                sequence(to, tags::REFERENCED_SOP_SEQUENCE, vec![referenced(sop_class, sop_instance)]);
                "IMAGE"
            }
        };
        text(to, tags::VALUE_TYPE, VR::CS, kind);
        if !self.children.is_empty() {
            let below = |child: &Item| {
                let mut item = InMemDicomObject::new_empty();
                child.write(&mut item, false);
                item
            };
            sequence(to, tags::CONTENT_SEQUENCE, self.children.iter().map(below).collect());
        }
    }
}

/// Puts a text, in ASCII: characters beyond it become question marks, since the character set is the patient's.
pub fn text(to: &mut InMemDicomObject, tag: Tag, vr: VR, value: &str) {
    let ascii: String = value.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect();
    to.put(DataElement::new(tag, vr, PrimitiveValue::from(ascii)));
}

pub fn sequence(to: &mut InMemDicomObject, tag: Tag, items: Vec<InMemDicomObject>) {
    to.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(items)));
}

/// An item that refers to an instance.
pub fn referenced(sop_class: &str, sop_instance: &str) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    text(&mut item, tags::REFERENCED_SOP_CLASS_UID, VR::UI, sop_class);
    text(&mut item, tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, sop_instance);
    item
}

fn coded(Code(value, scheme, meaning): &Code) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    text(&mut item, tags::CODE_VALUE, VR::SH, value);
    text(&mut item, tags::CODING_SCHEME_DESIGNATOR, VR::SH, scheme);
    text(&mut item, tags::CODE_MEANING, VR::LO, meaning);
    item
}
