//! What a report draws of logs, features and maps, as far as the cells kept them.

use std::collections::BTreeMap;

use anyhow::Result;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::methods::Method;
use clip_lung_core::study::cells::CellId;
use clip_lung_core::study::embedding::neighbours::leave_one_out;
use clip_lung_core::study::embedding::principal::standardised;
use clip_lung_core::study::embedding::tsne::{PERPLEXITY, embed};
use clip_lung_core::study::summary::document::Summary;
use clip_lung_core::study::summary::finished::Finished;

use crate::io::kept::{self, Map};
use crate::io::run_dir;
use crate::io::study_results::StudyResults;
use crate::show::figure::embedding::Picture;
use crate::show::figure::heat::{Heat, SIDE};
use crate::show::figure::learning::Curve;
use crate::show::figure::pointing::Pointing;
use crate::show::report::drawn::Drawn;

/// Neighbours that vote for a nodule's class.
const NEIGHBOURS: usize = 10;
/// The most maps of a cell.
const MAPS: usize = 8;

/// Curves and heat of every method, features of one fold of the first task, maps of the cells of choice.
pub fn drawn(study: &StudyResults, summary: &Summary) -> Result<Drawn> {
    let mut drawn = Drawn::default();
    for task in &summary.tasks {
        let curves = curves(study, task.task);
        if !curves.is_empty() {
            drawn.curves.push((task.task, curves));
        }
        let pointing = pointing(study, task.task)?;
        if !pointing.is_empty() {
            drawn.pointing.push((task.task, pointing));
        }
        if drawn.pictures.is_empty()
            && let Some((fold, pictures)) = pictures(study, task.task)?
        {
            drawn.pictures.push((task.task, fold, pictures));
        }
        // one of the cells of choice: the first that kept maps of what the task tests
        for id in task.choice.iter().flat_map(|c| &c.models) {
            let heats = heats(study, task.task, id)?;
            if !heats.is_empty() {
                drawn.heats.push((task.task, id.to_string(), heats));
                break;
            }
        }
    }
    let mut absent = |missing: bool, sentence: &str| drawn.absent.extend(missing.then(|| sentence.to_owned()));
    absent(drawn.curves.is_empty(), "Learning curves: no cell kept its log (log.jsonl).");
    absent(
        drawn.pictures.is_empty(),
        "t-SNE: no cell kept the features of more than 30 test nodules (features.safetensors).",
    );
    absent(
        drawn.heats.is_empty(),
        "Grad-CAM of the worst errors: the cells of choice kept no maps (maps.safetensors).",
    );
    absent(
        drawn.pointing.is_empty(),
        "Heat inside the readers' outlines: no cell kept it (pointing.csv), for nodules of LIDC-IDRI are the ones whose outlines are known.",
    );
    Ok(drawn)
}

/// The plain methods' cells of a task, by method.
fn plain(study: &StudyResults, task: Task) -> BTreeMap<usize, Vec<&Finished>> {
    let mut of: BTreeMap<usize, Vec<&Finished>> = BTreeMap::new();
    for f in study.finished.iter().filter(|f| f.cell.task == task && f.cell.variant.is_none()) {
        of.entry(Method::ALL.iter().position(|m| *m == f.cell.method).unwrap_or_default()).or_default().push(f);
    }
    of
}

fn curves(study: &StudyResults, task: Task) -> Vec<Curve> {
    let steps = |f: &&Finished| run_dir::steps(&study.dir.cell_dir(&f.cell.id));
    let of = plain(study, task);
    of.values()
        .filter_map(|cells| Curve::new(cells[0].cell.method.name(), &cells.iter().flat_map(steps).collect::<Vec<_>>()))
        .collect()
}

/// The pictures of the first fold and seed of which a method kept its features.
fn pictures(study: &StudyResults, task: Task) -> Result<Option<(usize, Vec<Picture>)>> {
    let mut found: BTreeMap<(usize, u64), Vec<Picture>> = BTreeMap::new();
    for f in plain(study, task).into_values().flatten() {
        let place = (f.cell.fold, f.cell.seed);
        let nodules = &f.predictions.nodules;
        if nodules.len() <= PERPLEXITY as usize || found.first_key_value().is_some_and(|(first, _)| *first < place) {
            continue;
        }
        let Some(features) = kept::features(&study.dir.cell_dir(&f.cell.id), nodules.len())? else { continue };
        let class: Vec<usize> = nodules.iter().map(|n| n.class as usize).collect();
        found.entry(place).or_default().push(Picture {
            name: f.cell.method.name().into(),
            points: embed(&features)?.points,
            classes: nodules.iter().map(|n| n.class).collect(),
            neighbours: leave_one_out(&standardised(&features), &class, NEIGHBOURS),
        });
    }
    Ok(found.into_iter().next().map(|((fold, _), pictures)| (fold, pictures)))
}

/// Where the heat of each method's cells lies, all folds and seeds together.
fn pointing(study: &StudyResults, task: Task) -> Result<Vec<Pointing>> {
    let mut all = Vec::new();
    for cells in plain(study, task).into_values() {
        let mut shares = Vec::new();
        for f in &cells {
            shares.extend(kept::pointing(&study.dir.cell_dir(&f.cell.id))?.into_iter().map(|p| [p.energy, p.area]));
        }
        all.extend((!shares.is_empty()).then(|| Pointing { name: cells[0].cell.method.name().into(), shares }));
    }
    Ok(all)
}

/// The maps that a cell kept of nodules that it got wrong, the most certain errors first. The cell of choice on lidc-b may be one of
/// lidc-a, which trained for both: its answers are the same on both, and of its errors those on nodules count that lidc-b tests.
fn heats(study: &StudyResults, task: Task, id: &CellId) -> Result<Vec<Heat>> {
    let Some(f) = study.finished.iter().find(|f| f.cell.id == *id) else { return Ok(Vec::new()) };
    let mut maps = kept::maps(&study.dir.cell_dir(id), SIDE)?;
    let classes = f.cell.task.classes();
    let answers = f.predictions.scored().answers();
    let mut heats: Vec<Heat> = Vec::new();
    for (nodule, answer) in f.predictions.nodules.iter().zip(answers) {
        let answer = classes[answer];
        if answer != nodule.class
            && task.tests(nodule.class)
            && let Some(map) = maps.remove(&nodule.nodule_id)
        {
            let probability = nodule.probabilities[answer as usize];
            let Map { heat, slice } = map;
            heats.push(Heat {
                nodule: nodule.nodule_id.clone(),
                class: nodule.class,
                answer,
                probability,
                heat,
                slice,
            });
        }
    }
    heats.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    heats.truncate(MAPS);
    Ok(heats)
}
