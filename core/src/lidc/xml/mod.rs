//! The readers' annotations as LIDC-IDRI distributes them: one XML file a CT series.
//!
//! `LidcReadMessage` has a `ResponseHeader` and up to four `readingSession`s of `unblindedReadNodule`s. Elements are matched by
//! local name without regard to case, which varies between files. Nodules under 3 mm (no characteristics) and non-nodules are
//! counted and left out; chest radiographs have another root.

mod fault;
mod readings;
mod schema;

use quick_xml::events::Event;

use schema::Parser;

use crate::base::unicode;

pub use fault::XmlFault;
pub use readings::{Reading, Readings, Roi};

/// No LIDC file is larger than a few MB.
const MAX_BYTES: usize = 64 << 20;
/// The schema nests 6 deep.
const MAX_NESTING: usize = 32;

/// An XML file as the search sees it.
#[derive(Clone, Debug, PartialEq)]
pub enum Document {
    /// Annotations of a CT series.
    Ct(Readings),
    /// Another kind of XML, by its root; chest radiographs have `IdriReadMessage`.
    Other(String),
}

/// Reads an annotation file.
///
/// # Errors
/// When it is not well-formed, hostile, or a number in it can't be read.
pub fn parse(bytes: &[u8]) -> Result<Document, XmlFault> {
    if bytes.len() > MAX_BYTES {
        return Err(XmlFault::TooLarge(MAX_BYTES >> 20));
    }
    let text = decode(bytes).ok_or(XmlFault::Encoding)?;
    let mut reader = quick_xml::Reader::from_str(&text);
    let mut parser = Parser::default();
    let mut open: Vec<String> = Vec::new();
    let mut content = String::new();
    loop {
        let at = reader.buffer_position();
        let event = reader.read_event().map_err(|e| XmlFault::Syntax { at, reason: e.to_string() })?;
        match event {
            Event::Start(e) => {
                let name = e.local_name().as_ref().to_ascii_lowercase();
                if open.is_empty() && name != "lidcreadmessage" {
                    return Ok(Document::Other(e.local_name().as_ref().chars().take(64).collect()));
                }
                if open.len() >= MAX_NESTING {
                    return Err(XmlFault::Nesting(MAX_NESTING));
                }
                parser.start(&name);
                open.push(name);
                content.clear();
            }
            Event::End(_) => {
                if let Some(name) = open.pop() {
                    parser.end(&name, content.trim(), at)?;
                }
                content.clear();
            }
            Event::Text(t) => content.push_str(&t.into_inner()),
            Event::CData(t) => content.push_str(&t.into_inner()),
            Event::GeneralRef(r) => match &*r.into_inner() {
                "amp" => content.push('&'),
                "lt" => content.push('<'),
                "gt" => content.push('>'),
                other => return Err(XmlFault::Entity(other.chars().take(32).collect())),
            },
            Event::Eof => break,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    if let Some(name) = open.pop() {
        return Err(XmlFault::Truncated(name));
    }
    if parser.out.series_uid.is_empty() {
        return Err(XmlFault::Missing("SeriesInstanceUid"));
    }
    Ok(Document::Ct(parser.out))
}

/// UTF-8, UTF-16 with a byte order mark, or Latin-1 where the declaration names it.
fn decode(bytes: &[u8]) -> Option<String> {
    unicode::decode(bytes).or_else(|| {
        let head = String::from_utf8_lossy(&bytes[..bytes.len().min(100)]).to_ascii_lowercase();
        head.contains("iso-8859-1").then(|| bytes.iter().map(|b| char::from(*b)).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(nodules: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><LidcReadMessage xmlns=\"http://www.nih.gov\"><ResponseHeader><SeriesInstanceUID>1.2.3\
             </SeriesInstanceUID></ResponseHeader><readingSession>{nodules}</readingSession></LidcReadMessage>"
        )
    }

    fn ratings(malignancy: &str) -> String {
        let others: String = super::schema::SCALES[..8].iter().map(|(n, _)| format!("<{n}>3</{n}>")).collect();
        format!("<characteristics>{others}<malignancy>{malignancy}</malignancy></characteristics>")
    }

    const ROI: &str = "<roi><imageZposition>-87.5 </imageZposition><imageSOP_UID>9.9</imageSOP_UID><inclusion>FALSE</inclusion>\
                       <edgeMap><xCoord>3</xCoord><yCoord>4</yCoord></edgeMap></roi>";

    fn read(text: &str) -> Readings {
        let Document::Ct(found) = parse(text.as_bytes()).unwrap() else { panic!("another root") };
        found
    }

    #[test]
    fn nodules_holes_small_ones_and_non_nodules() {
        let full = format!("<unblindedReadNodule><noduleID>a</noduleID>{}{ROI}</unblindedReadNodule>", ratings("4"));
        let small = format!("<unblindedReadNodule><noduleID>b</noduleID>{ROI}</unblindedReadNodule>");
        let zero = format!("<unblindedReadNodule><noduleID>c</noduleID>{}{ROI}</unblindedReadNodule>", ratings("0"));
        let other = "<nonNodule><nonNoduleID>d</nonNoduleID><imageZposition>1</imageZposition></nonNodule>";
        let found = read(&document(&[full.as_str(), &small, &zero, other].concat()));
        assert_eq!((found.series_uid.as_str(), found.small, found.non_nodules), ("1.2.3", 1, 1));
        assert_eq!(found.nodules.len(), 1);
        assert_eq!(found.nodules[0].ratings.malignancy, 4);
        let roi = Roi { inclusion: false, z: -87.5, sop_uid: "9.9".into(), points: vec![(3, 4)] };
        assert_eq!(found.nodules[0].rois, [roi]);
        assert_eq!(found.unrated, [("c".to_owned(), "malignancy is 0 where 1 to 5 is expected".to_owned())]);
    }

    #[test]
    fn encodings() {
        let text = document("");
        let wide = |f: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(f).collect::<Vec<u8>>();
        let little = [vec![0xff, 0xfe], wide(u16::to_le_bytes)].concat();
        let big = [vec![0xfe, 0xff], wide(u16::to_be_bytes)].concat();
        for bytes in [text.clone().into_bytes(), little, big] {
            assert!(matches!(parse(&bytes), Ok(Document::Ct(_))));
        }
        let latin =
            text.replace("?>", " encoding=\"ISO-8859-1\"?><!-- ").replace("<LidcReadMessage", "--><LidcReadMessage");
        let mut latin = latin.into_bytes();
        let at = latin.iter().position(|b| *b == b'!').unwrap() + 3;
        latin.insert(at, 0xe9);
        assert!(matches!(parse(&latin), Ok(Document::Ct(_))));
        assert_eq!(parse(&[0xe9, 0x00]), Err(XmlFault::Encoding));
    }

    #[test]
    fn hostile_documents() {
        let radiograph = "<IdriReadMessage><a/></IdriReadMessage>";
        assert_eq!(parse(radiograph.as_bytes()), Ok(Document::Other("IdriReadMessage".into())));
        let deep = format!("<LidcReadMessage>{}", "<a>".repeat(100));
        assert_eq!(parse(deep.as_bytes()), Err(XmlFault::Nesting(MAX_NESTING)));
        let laughs = "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]><LidcReadMessage>&b;</LidcReadMessage>";
        assert_eq!(parse(laughs.as_bytes()), Err(XmlFault::Entity("b".into())));
        assert!(matches!(parse(b"<LidcReadMessage><a>"), Err(XmlFault::Truncated(_))));
        assert!(matches!(parse(b"<LidcReadMessage></b>"), Err(XmlFault::Syntax { .. })));
        assert_eq!(parse(b"<LidcReadMessage></LidcReadMessage>"), Err(XmlFault::Missing("SeriesInstanceUid")));
        let bad = document(&format!(
            "<unblindedReadNodule>{}{}</unblindedReadNodule>",
            ratings("3"),
            ROI.replace(">3<", ">x<")
        ));
        assert!(matches!(parse(bad.as_bytes()), Err(XmlFault::Value { name: "xCoord", .. })));
    }
}
