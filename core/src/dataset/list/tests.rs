//! Lists of spreadsheets, challenges and detectors.

use super::*;
use crate::dataset::class::Class;
use crate::volume::frame::Frame;

fn one(text: &str) -> Listed {
    let mut all = parse(text.as_bytes(), "list.csv").unwrap();
    assert_eq!(all.len(), 1, "{text}");
    all.remove(0)
}

fn refused(text: &str, part: &str) {
    let message = parse(text.as_bytes(), "list.csv").unwrap_err().to_string();
    assert!(message.contains(part), "{text}: {message}");
}

#[test]
fn tables_of_spreadsheets() {
    let known = Listed { id: Some("a".into()), size: Some(Size::Diameter(12.5)), ..Listed::at([-1.6, 4.0, -61.25]) };
    let header = "nodule_id,centre_x_mm,centre_y_mm,centre_z_mm,diameter_mm";
    for text in [
        format!("{header}\na,-1.6,4,-61.25,12.5\n"),
        format!("\u{feff}{header}\r\na,-1.6,4,-61.25,12.5\r\n,,,,\r\n"),
        format!("{}\na;-1,6;4,0;-61,25;12,5\n", header.replace(',', ";")),
        format!("{}\na\t-1,6\t4\t-61,25\t12,5\n", header.replace(',', "\t")),
        format!("{}\na;-1.6;4.0;-61.25;12.5\n", header.replace(',', ";")),
        "Nodule ID,Center X mm,Center-Y-mm,CENTER_Z_MM,Diameter\na,-1.6,4,-61.25,12.5\n".into(),
        "Nodule ID,x (mm),Y [mm],z_mm,Diameter (mm)\na,-1.6,4,-61.25,12.5\n".into(),
        format!("sep=;\r\n{}\r\na;-1,6;4;-61,25;12,5\r\n", header.replace(',', ";")),
        format!("\"sep=,\"\n\n{header}\na,-1.6,4,-61.25,12.5\n"),
        format!("\n\n\"{}\"\n\"a\";\"-1,6\";\"4\";\"-61,25\";\"12,5\"\n", header.replace(',', "\";\"")),
        format!("{header}\ra,-1.6,4,-61.25,12.5\r"),
    ] {
        assert_eq!(one(&text), known, "{text}");
    }
    for absent in ["", "NA", "NaN", "null"] {
        assert_eq!(one(&format!("{header}\na,-1.6,4,-61.25,{absent}\n")).size, None, "{absent}");
        refused(&format!("{header}\na,{absent},4,-61.25,12\n"), "a number of mm");
    }
    let wide: Vec<u8> = [0xfeff].into_iter().chain(header.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    assert_eq!(parse(&wide, "list.csv").unwrap(), []);
    refused(&format!("{header}\na,\"-1,6\",4,-61.25,12.5\n"), "a decimal point");
    refused(&format!("{}\na;1.234,5;4;-61;12\n", header.replace(',', ";")), "a decimal point");
    refused(&format!("{header}\na,here,4,5,6\n"), "row 1: `here` in column `centre_x_mm` is not a number of mm");
    refused(&format!("{header}\na,,4,5,6\n"), "a number of mm");
    refused("coordX,coordY,diameter_mm\n1,2,3\n", "column `centre_z_mm` is missing");
    refused("x,y,z\n1,2,inf\n", "a number of mm");
    assert!(parse(&[0x93, 0xff, 0xfe], "list.csv").is_err());
}

#[test]
fn lists_of_challenges() {
    let luna16 = "seriesuid,coordX,coordY,coordZ,diameter_mm\n1.3.6.1,-100.5,67.26,-231.81,6.4\n";
    let found = one(luna16);
    assert_eq!((found.centre, found.size), ([-100.5, 67.26, -231.81], Some(Size::Diameter(6.4))));
    assert!(found.lies_in("1.3.6.1") && found.lies_in("scans/1.3.6.1.mhd") && !found.lies_in("1.3.6"));
    let luna25 = "PatientID,SeriesInstanceUID,CoordX,CoordY,CoordZ,LesionID,AnnotationID,label\n7,1.2.840,1,2,3,1,7_1_19990102,1\n";
    let found = one(luna25);
    assert_eq!((found.class, found.patient_id.as_deref()), (Some(Class::Malignant), Some("7")));
    assert_eq!((found.id.as_deref(), found.size), (Some("7_1_19990102"), None));
    let own = "file,x,y,z,diameter,class,malignancy,fold\nb.nii.gz,1,2,3,4,Unsure,3.25,2\n";
    let found = one(own);
    assert_eq!((found.class, found.malignancy, found.fold), (Some(Class::Unsure), Some(3.25), Some(2)));
    assert!(found.lies_in("/data/b.nii") && found.lies_in("b"));
    refused("x,y,z,class\n1,2,3,2\n", "benign, unsure or malignant");
    refused("x,y,z,malignancy\n1,2,3,0\n", "go to a column `class`");
    refused("x,y,z,fold\n1,2,3,first\n", "a fold's number");
    let rated = RATED.to_owned();
    assert_eq!(
        one(&(rated.clone() + "1,2,3,4,1,6,3,2,1,1,5\n")).ratings,
        Some([4.0, 1.0, 6.0, 3.0, 2.0, 1.0, 1.0, 5.0])
    );
    assert_eq!(one(&(rated.clone() + "1,2,3,,,,,,,,\n")).ratings, None);
    refused(&(rated.clone() + "1,2,3,4,1,,3,2,1,1,5\n"), "all eight or none");
    refused("x,y,z,margin\n1,2,3,4\n", "column `subtlety` is missing");
}

const RATED: &str =
    "x,y,z,subtlety,internal_structure,calcification,sphericity,margin,lobulation,spiculation,texture\n";

#[test]
fn documents() {
    let text =
        "\u{feff}[{\"id\": \"a\", \"centre\": [1, 2, 3], \"diameter_mm\": 4, \"frame\": \"ras\", \"file\": \"b.nii\"}]";
    let found = one(text);
    assert_eq!((found.frame, found.centre, found.scan.as_deref()), (Some(Frame::Ras), [1.0, 2.0, 3.0], Some("b.nii")));
    let american = one(
        "[{\"nodule_id\": \"a\", \"center\": [1, 2, 3], \"diameter\": 4, \"scan\": \"b.nii\", \"frame\": \"ras\"}]",
    );
    assert_eq!(american, found);
    let monai = r#"{"training": [{"image": "1.2/1.2.nii.gz", "box": [[-1, 2, 3, 8, 8, 8], [4, 5, 6, 2, 4, 8]], "label": [0, 0]}],
                    "validation": [{"image": "9.nii.gz", "box": [], "label": []}]}"#;
    let found = parse(monai.as_bytes(), "fold0.json").unwrap();
    assert_eq!((found.len(), found[0].frame, found[0].size), (2, Some(Frame::Lps), Some(Size::Diameter(8.0))));
    assert!((found[1].size.unwrap().diameter_mm([1.0; 3]) - 4.0).abs() < 1e-12 && found[1].lies_in("1.2.nii"));
    // low and high of slices and rows by turns, then of columns; a nodule of 4 x 6 x 8 voxels
    let nndetection = r#"{"1": {"score": 0.9, "label": 0, "box": [9, 19, 14, 26, 29, 38]}}"#;
    let found = parse(nndetection.as_bytes(), "out/case7_boxes.json").unwrap();
    assert_eq!((found[0].frame, found[0].centre), (Some(Frame::Voxel), [33.5, 22.5, 11.5]));
    assert_eq!(found[0].size, Some(Size::Voxels([8.0, 6.0, 4.0])));
    assert!((found[0].size.unwrap().diameter_mm([0.5, 0.5, 2.0]) - 96f64.cbrt()).abs() < 1e-12);
    assert!(found[0].lies_in("case7.nii.gz"));
    refused("{}", "not a list of");
    refused("{\"a\": 1}", "not a list of");
    refused("[{\"centre\": [1, 2], \"diameter_mm\": 3}]", "");
    refused("[{\"centre\": [1, 2, 3], \"size\": 3}]", "unknown field `size`");
}
