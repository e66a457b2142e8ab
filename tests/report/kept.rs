//! Pictures of what cells kept: test features, maps of errors, where the heat lies.

use clip_lung_core::dataset::task::Task;
use clip_lung_core::methods::Method;

use crate::common::{Place, is_bad_input};
use crate::made_study::{self, Plan, cell, keep, predictions};
use crate::report;

#[test]
fn what_cells_kept_is_drawn() {
    let place = Place::new();
    let study = place.path("study");
    let plan = Plan { methods: &[Method::ClipLung], tasks: &[Task::LidcA, Task::LidcB], ..Plan::default() };
    made_study::write(&study, &plan);
    let (first, second) = ("clip-lung.lidc-a.f0.s2", "clip-lung.lidc-a.f1.s2");
    let of_first = predictions(&study, first, Task::LidcA);
    let n = of_first.nodules.len();
    keep(&study, first, "features", &[n, 512], &[]);
    // of the cells of choice the first has no maps
    let of_second = predictions(&study, second, Task::LidcA);
    let ids: Vec<&str> = of_second.nodules.iter().map(|n| n.nodule_id.as_str()).collect();
    keep(&study, second, "maps", &[ids.len(), 32, 32], &ids);
    let pointing = cell(&study, first).join("pointing.csv");
    let id = &of_first.nodules[0].nodule_id;
    let kept =
        |energy: &str| std::fs::write(&pointing, format!("nodule_id,energy,area\n{id},{energy},0.25\n")).unwrap();
    kept("0.75");
    let files = report(&place, "out");
    let picture = String::from_utf8(files["figures/tsne.lidc-a.f0.svg"].clone()).unwrap();
    let benign = of_first.nodules.iter().filter(|n| n.class.name() == "benign").count();
    // and one in the legend
    assert_eq!(picture.matches("<circle").count(), benign + 1);
    // lidc-b's cell of choice is that of lidc-a, whose errors it shows as far as it tests them
    let answers = of_second.scored().answers();
    for task in [Task::LidcA, Task::LidcB] {
        let heat = String::from_utf8(files[&format!("figures/gradcam.{}.{second}.svg", task.name())].clone()).unwrap();
        let rows = of_second.nodules.iter().zip(&answers).filter(|(n, _)| task.tests(n.class));
        let wrong: Vec<&str> =
            rows.filter(|(n, a)| n.class as usize != **a).map(|(n, _)| n.nodule_id.as_str()).collect();
        assert_eq!(heat.matches("<image").count(), wrong.len().min(8));
        assert!(heat.contains(&format!("{}: what the worst errors of {second} rest on", task.name())));
        assert_eq!(heat.contains("true class unsure"), task == Task::LidcA);
    }
    let page = String::from_utf8(files["report.html"].clone()).unwrap();
    assert!(!page.contains("t-SNE: no cell kept") && !page.contains("Grad-CAM of the worst errors: the cells"));
    let drawn = String::from_utf8(files["figures/pointing.lidc-a.svg"].clone()).unwrap();
    assert!(drawn.contains("75.0 %, n = 1") && drawn.contains(">clip-lung<"), "{drawn}");
    assert_eq!(files, report(&place, "out"));

    let arguments = ["report", &place.name("study"), "--out", &place.name("out")];
    kept("1.5");
    is_bad_input(&arguments, "pointing.csv: not a readable CSV table: row 1");
    kept("x");
    is_bad_input(&arguments, "pointing.csv");
    kept("0.75");
    keep(&study, first, "features", &[n - 1, 512], &[]);
    is_bad_input(&arguments, "tensor `features` has shape");
    keep(&study, first, "features", &[n, 512], &[]);
    keep(&study, second, "maps", &[ids.len(), 32, 32], &[]);
    is_bad_input(&arguments, "maps.safetensors");
}

/// Features and six maps of each of the eight methods, on half as many nodules as a fold of lidc-context has (t-SNE takes four times as long
/// for all), so on a page of half the size.
#[test]
fn the_page_stays_small_with_every_picture() {
    let place = Place::new();
    let study = place.path("study");
    made_study::write(&study, &Plan { methods: &Method::ALL, patients: 135, ..Plan::default() });
    for method in Method::ALL {
        let id = format!("{}.lidc-a.f0.s2", method.name());
        let predictions = predictions(&study, &id, Task::LidcA);
        let wrong = predictions.nodules.iter().zip(predictions.scored().answers());
        let wrong: Vec<&str> =
            wrong.filter(|(n, a)| n.class as usize != *a).map(|(n, _)| n.nodule_id.as_str()).take(6).collect();
        assert!(predictions.nodules.len() > 180 && wrong.len() == 6, "{}", predictions.nodules.len());
        keep(&study, &id, "features", &[predictions.nodules.len(), 512], &[]);
        keep(&study, &id, "maps", &[6, 32, 32], &wrong);
    }
    let files = report(&place, "out");
    let page = String::from_utf8(files["report.html"].clone()).unwrap();
    println!("{} bytes", page.len());
    assert!(page.len() < 5 << 19, "{}", page.len());
    let pictures = String::from_utf8(files["figures/tsne.lidc-a.f0.svg"].clone()).unwrap();
    assert!(Method::ALL.iter().all(|m| pictures.contains(m.name())));
    let maps = files.iter().find(|(name, _)| name.starts_with("figures/gradcam.lidc-a.")).unwrap().1;
    assert_eq!(String::from_utf8_lossy(maps).matches("<image").count(), 6);
    assert!(!page.contains("Not shown") || page.contains("Heat inside the readers' outlines"));
}
