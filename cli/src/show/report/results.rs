//! `results.csv`: a row a cell and a column a measure.

use anyhow::Result;
use clip_lung_core::study::measures::Measure;
use clip_lung_core::study::summary::document::Summary;

/// Every cell and every fold of an anchor; empty where a measure is undefined.
pub fn csv(summary: &Summary) -> Result<Vec<u8>> {
    let measures: Vec<String> = Measure::all().into_iter().map(Measure::name).collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    let first = ["cell", "method", "variant", "task", "fold", "seed", "nodules"].map(str::to_owned);
    writer.write_record(first.iter().chain(&measures))?;
    for cell in &summary.cells {
        let own = [
            cell.cell.clone(),
            cell.method.clone(),
            cell.variant.clone().unwrap_or_default(),
            cell.task.name().into(),
            cell.fold.to_string(),
            cell.seed.map_or(String::new(), |s| s.to_string()),
            cell.nodules.to_string(),
        ];
        let value =
            |name: &String| cell.measures.get(name).copied().flatten().map_or(String::new(), |v| format!("{v:.7}"));
        writer.write_record(own.into_iter().chain(measures.iter().map(value)))?;
    }
    Ok(writer.into_inner()?)
}
