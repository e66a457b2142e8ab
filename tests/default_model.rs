//! The model that answers where none is named, and what every answer says of its model.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Output;

use common::{Place, is_bad_input, json, ok, program, text};
use serde_json::Value;

const SYNTHETIC: &str = "trained on synthetic drawings, not on CT: ";
const PURPOSE: &str = "research use only, not a medical device";

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// Changes a JSON file.
fn change(file: &Path, how: impl Fn(&mut Value)) {
    let mut all = json(&std::fs::read_to_string(file).unwrap());
    how(&mut all);
    std::fs::write(file, all.to_string()).unwrap();
}

/// The program where nothing lies beside it but what a test puts there, asked in a folder.
struct Installed {
    program: PathBuf,
    folder: PathBuf,
}

impl Installed {
    fn new(place: &Place) -> Self {
        let (program, folder) = (place.path("bin/clip-lung"), place.path("checkout/deep"));
        for dir in [program.parent().unwrap(), &folder, &place.path("checkout/.git")] {
            std::fs::create_dir_all(dir).unwrap();
        }
        let built = env!("CARGO_BIN_EXE_clip-lung");
        std::fs::hard_link(built, &program).or_else(|_| std::fs::copy(built, &program).map(drop)).unwrap();
        Self { program, folder }
    }

    fn run(&self, variable: Option<&Path>, words: &[&str]) -> Output {
        let mut command = std::process::Command::new(&self.program);
        command.args(words).current_dir(&self.folder).env_remove("CLIP_LUNG_MODEL");
        variable.map(|dir| command.env("CLIP_LUNG_MODEL", dir));
        command.output().unwrap()
    }

    /// The method of the model that answered, and what was said beside the answer.
    fn answers(&self, variable: Option<&Path>, data: &str) -> (String, String) {
        let out = self.run(variable, &["predict", data, "--json"]);
        let said = String::from_utf8(out.stderr).unwrap();
        assert!(out.status.success(), "{said}");
        let document = json(&String::from_utf8(out.stdout).unwrap());
        (document["model"]["method"].as_str().unwrap().to_owned(), said)
    }
}

/// The variable, beside the program, in the checkout; what answers is said where it was not named, and nowhere else.
#[test]
fn the_variable_the_program_s_folder_and_the_checkout_in_this_order() {
    let place = Place::new();
    let models = ["ce", "nsb", "poisson"].map(|method| {
        place.run_as(method, method, "lidc-a");
        place.path(&format!("{method}/model"))
    });
    let (data, installed) = (place.name("data"), Installed::new(&place));

    let out = installed.run(None, &["predict", &data]);
    let said = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(3), "{said}");
    let beside = place.path("bin/model");
    for part in [&text(&beside), "checkout/models/lidc-a", "CLIP_LUNG_MODEL is not set", "--model DIR"] {
        assert!(said.contains(part), "{part}: {said}");
    }

    copy(&models[0], &place.path("checkout/models/lidc-a"));
    let (method, said) = installed.answers(None, &data);
    assert_eq!(method, "ce");
    assert!(said.contains("checkout/models/lidc-a (none was named)"), "{said}");
    copy(&models[1], &beside);
    let (method, said) = installed.answers(None, &data);
    assert_eq!(method, "nsb");
    assert!(said.contains(&text(&beside)), "{said}");
    let (method, said) = installed.answers(Some(&models[2]), &data);
    assert_eq!(method, "poisson");
    assert_eq!(said.matches(&text(&models[2])).count(), 1, "{said}");
    assert!(said.contains(&format!("{} (named by CLIP_LUNG_MODEL)", text(&models[2]))), "{said}");

    let out = installed.run(Some(&place.path("nowhere")), &["predict", &data]);
    assert_eq!(out.status.code(), Some(3));
    assert!(String::from_utf8(out.stderr).unwrap().contains("CLIP_LUNG_MODEL names "));

    // a model that was named
    let named = installed.run(None, &["predict", "--model", &text(&models[0]), &data]);
    assert!(named.stderr.is_empty(), "{}", String::from_utf8_lossy(&named.stderr));
    // the other verbs that answer
    let picture = place.name("heat.png");
    for words in [vec!["explain", &data, "--out", &picture, "--json"], vec!["evaluate", "--data", &data, "--json"]] {
        let out = installed.run(Some(&models[2]), &words);
        assert!(out.status.success(), "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
        let said = json(&String::from_utf8(out.stdout).unwrap());
        assert!(said["about"].as_str().unwrap().starts_with(&format!("poisson on lidc-a, {SYNTHETIC}")), "{said}");
    }
}

/// How many nodules of how many patients, drawn or not, is what the run learned from, and stands wherever its model answers.
#[test]
fn every_answer_says_what_its_model_learned_from() {
    let place = Place::new();
    let data = place.data();
    let mut reader = csv::Reader::from_path(place.path("data/nodules.csv")).unwrap();
    let column = reader.headers().unwrap().iter().position(|h| h == "patient_id").unwrap();
    let patients: BTreeSet<String> = reader.records().map(|row| row.unwrap()[column].to_owned()).collect();
    let train = |run: &str, fold: &str| {
        ok(&["train", "--data", &data, "--out", run, "--method", "ce", "--fold", fold, "--epochs", "1"]);
    };
    let (run, model) = (place.name("run"), place.name("run/model"));
    train(&run, "all");
    let data_set = format!("40 nodules of {} patients, data set lidc-phantom", patients.len());
    let about = format!("ce on lidc-a, {SYNTHETIC}{data_set}; {PURPOSE}");

    let answer = json(&ok(&["predict", "--model", &model, &data, "--json"]));
    assert_eq!((&answer["model"]["about"], &answer["model"]["synthetic"]), (&about.as_str().into(), &true.into()));
    assert_eq!(ok(&["predict", "--model", &model, &data]).lines().last().unwrap(), about);
    let table = format!("--csv={}", place.name("answers.csv"));
    assert!(ok(&["predict", "--model", &model, &data, &table]).trim_end().ends_with(&about));
    let answers = std::fs::read_to_string(place.path("answers.csv")).unwrap();
    assert!(answers.lines().skip(1).all(|line| line.contains(&about)), "{answers}");
    let beside = program(&["predict", "--model", &model, &data, "--csv"]).output().unwrap().stderr;
    assert_eq!(String::from_utf8(beside).unwrap().trim_end(), about);
    let picture = place.name("heat.png");
    assert!(ok(&["explain", "--model", &model, &data, "--out", &picture]).contains(&about));
    let scored = ok(&["evaluate", &model, "--data", &data]);
    assert!(scored.contains(&format!("the model was {SYNTHETIC}{data_set}\n")), "{scored}");

    // those of a fold alone, and of the archive itself where the images are no drawings
    change(&place.path("data/dataset.json"), |header| {
        header["synthetic"] = false.into();
        header["source"] = "LIDC-IDRI CT".into();
    });
    let fold = place.name("fold");
    train(&fold, "0");
    let held_out = std::fs::read_to_string(place.path("fold/predictions.csv")).unwrap().lines().count() - 1;
    let answer = json(&ok(&["predict", "--model", &fold, &data, "--json"]));
    let said = answer["model"]["about"].as_str().unwrap();
    let start = format!("ce on lidc-a, trained on real CT: {} LIDC-IDRI nodules of ", 40 - held_out);
    assert!(held_out > 0 && said.starts_with(&start) && said.ends_with(PURPOSE), "{said}");

    // the run of an earlier version, which kept the name alone, and data that a model did not learn from
    let config = place.path("fold/model/config.json");
    let counted = json(&std::fs::read_to_string(&config).unwrap())["metadata"]["training_data"].clone();
    let (_, digest) = counted.as_str().unwrap().split_once(" (sha256 ").unwrap();
    change(&config, |all| all["metadata"]["training_data"] = format!("lidc-phantom (sha256 {digest}").into());
    let exported = place.name("exported");
    ok(&["export", &fold, "--out", &exported, "--guard", &data]);
    let written = json(&std::fs::read_to_string(place.path("exported/config.json")).unwrap());
    assert_eq!(written["metadata"]["training_data"], counted);
    ok(&["phantom", "--limit", "41", "--out", &place.name("other")]);
    let words = ["export", &fold, "--out", &place.name("none"), "--guard", &place.name("other")];
    is_bad_input(&words, "did not learn from it");
    assert!(!place.path("none").exists());
}
