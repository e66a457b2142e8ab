//! The page: one file that asks for nothing.

use clip_lung_core::methods::Method;

use crate::common::{Place, json};
use crate::made_study::{self, Plan, TASKS};
use crate::report;

/// One file that asks for nothing, with foreign text as text.
#[test]
fn the_page_is_whole() {
    let place = Place::new();
    let study = place.path("study");
    made_study::write(&study, &Plan { methods: &Method::ALL, variants: &["ic"], tasks: &TASKS, ..Plan::default() });
    let plan = study.join("study.json");
    let text = std::fs::read_to_string(&plan).unwrap();
    std::fs::write(&plan, text.replacen("\"made up\"", "\"<img src=x>\"", 1)).unwrap();
    let files = report(&place, "out");
    let page = String::from_utf8(files["report.html"].clone()).unwrap();
    assert!(page.len() < 5 << 20, "{}", page.len());
    assert!(page.contains("not a medical device") && page.contains("&lt;img src=x&gt;") && !page.contains("<img"));
    for attribute in ["src=", "href=", "url(", "@import", "<script"] {
        for (at, _) in page.match_indices(attribute) {
            let value = &page[at + attribute.len()..(at + 24).min(page.len())];
            let inside = ["\"#", "\"data:", "x&gt;"].iter().any(|start| value.starts_with(start));
            assert!(inside, "{attribute}{value}");
        }
    }
    for name in [
        "forest.lidc-a.ce",
        "forest.lidc-a.size-only",
        "forest.lidc-b.clip-lung.variants",
        "roc.lidc-c",
        "recall.lidc-b",
        "reliability.lidc-a",
        "confusion.lidc-a",
        "ranks.lidc-c",
        "learning.lidc-a",
    ] {
        let svg = String::from_utf8(files[&format!("figures/{name}.svg")].clone()).unwrap();
        assert!(svg.starts_with("<svg xmlns=") && !svg.contains("NaN"), "{name}");
    }
    let kept = files.keys().filter(|name| name.starts_with("figures/")).count();
    assert_eq!(page.matches("<figure").count(), kept, "figures of one name replace each other");
    assert!(
        page.contains("t-SNE: no cell kept")
            && page.contains("Grad-CAM of the worst errors: the cells of choice kept no")
    );
    // a done cell is not run again as long as its directory is there
    let again = format!("rm -r {0}/cells/ID\nclip-lung sweep run {0} --cell ID", place.name("study"));
    assert!(page.contains(&again), "{again}");
    // lidc-b has no models of its own
    let summary = json(&String::from_utf8(files["summary.json"].clone()).unwrap());
    for (i, trained) in ["lidc-a", "lidc-a", "lidc-c"].into_iter().enumerate() {
        let models: Vec<String> = serde_json::from_value(summary["tasks"][i]["choice"]["models"].clone()).unwrap();
        assert!(models.len() == 2 && models.iter().all(|m| m.contains(&format!(".{trained}."))), "{models:?}");
        let runs: Vec<String> = models.iter().map(|m| place.name(&format!("study/cells/{m}"))).collect();
        let commands = format!("clip-lung export {} --out best\nclip-lung predict --model best SCAN", runs.join(" "));
        assert!(page.contains(&commands), "{commands}");
    }
}
