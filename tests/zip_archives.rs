//! ZIP archives of scans.

#![allow(clippy::unwrap_used, clippy::panic)]

mod archive;
mod common;

use std::path::Path;

use archive::nifti::nifti;
use archive::{ORIGIN, Scan};
use common::{Place, fails, files, json, ok};

/// A ZIP archive of these files, by their names in it.
fn zip(path: &Path, files: &[(String, Vec<u8>)]) {
    let mut archive = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, bytes) in files {
        archive.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut archive, bytes).unwrap();
    }
    archive.finish().unwrap();
}

/// A series and a volume in a ZIP archive give what they give in a folder, with a report too; nothing is left on the disk.
#[test]
fn a_zip_archive_is_read_as_its_folder() {
    let place = Place::new();
    let model = place.run("ce", "lidc-a");
    let scan = Scan::new(0, 0.9, 2.5);
    scan.write(&place.path("dicom"));
    let volume = nifti(&scan, [false; 3], false);
    std::fs::write(place.path("scan.nii"), &volume).unwrap();
    let inside = |folder: &str| -> Vec<(String, Vec<u8>)> {
        files(&place.path("dicom")).into_iter().map(|(name, bytes)| (format!("{folder}/{name}"), bytes)).collect()
    };
    let sidecar = ("__MACOSX/a/._x.dcm".to_owned(), b"Mac".to_vec());
    zip(&place.path("series.zip"), &[inside("a"), vec![sidecar]].concat());
    zip(&place.path("volume.zip"), &[("b/scan.nii".into(), volume.clone()), ("b/LICENSE".into(), b"words".to_vec())]);
    let [x, y, z] = scan.nodules[0].centre;
    let (centre, diameter) = (format!("--centre={},{},{z}", ORIGIN[0] + x, ORIGIN[1] + y), "--diameter=30");
    let predict = |input: &str| {
        let input = place.name(input);
        json(&ok(&["predict", "--model", &model, &input, &centre, diameter, "--frame", "lps", "--json"]))
    };
    for (packed, plain) in [("series.zip", "dicom"), ("volume.zip", "scan.nii")] {
        let (mut found, known) = (predict(packed), predict(plain));
        assert_eq!(found["predictions"][0]["crop"]["packed_in"], "zip");
        found["predictions"][0]["crop"].as_object_mut().unwrap().remove("packed_in");
        assert_eq!(found["predictions"][0]["crop"], known["predictions"][0]["crop"]);
        assert_eq!(found["predictions"][0]["logits"], known["predictions"][0]["logits"]);
        assert_eq!(found["warnings"], serde_json::json!([]));
        let inspected = |place: &str| {
            let mut all = json(&ok(&["inspect", place, "--json", &centre.replace("--centre", "--at")]));
            all.as_object_mut().unwrap().remove("scan");
            all
        };
        assert_eq!(inspected(&place.name(packed)), inspected(&place.name(plain)));
        assert!(inspected(&place.name(packed))["points"][0]["hu"].as_f64().unwrap() > -200.0, "in the nodule");
    }
    let words = ["predict", "--model", &model, &place.name("series.zip"), &centre, diameter];
    ok(&[&words[..], &["--sr", &place.name("reports")]].concat());
    assert_eq!(files(&place.path("reports")).len(), 1);

    let refused = |name: &str, part: &str| {
        let (code, message) = fails(&["predict", "--model", &model, &place.name(name), &centre, diameter]);
        assert!(code == 3 && message.contains(part), "{message}");
    };
    zip(&place.path("two.zip"), &[("a.nii".into(), volume.clone()), ("b.nii".into(), volume)]);
    refused("two.zip", "2 volumes in it (a.nii, b.nii");
    zip(&place.path("words.zip"), &[("notes.txt".into(), b"words".to_vec())]);
    refused("words.zip", "no CT slice in it (1 not DICOM)");
    zip(&place.path("none.zip"), &[]);
    refused("none.zip", "there is no file in it");
    std::fs::write(place.path("damaged.zip"), &std::fs::read(place.path("series.zip")).unwrap()[..2000]).unwrap();
    refused("damaged.zip", "not a readable ZIP archive");
}
