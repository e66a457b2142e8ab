//! A data set as one HTML page without scripts from elsewhere: three planes a nodule, ratings and class, and what was left out.

use std::path::Path;

use anyhow::Result;
use base64::Engine;
use clip_lung_core::dataset::class::Class;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::dataset::table::{RATING_COLUMNS, Row};
use clip_lung_core::volume::crop::SIDE;
use image::{GrayImage, Luma};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::failure::Failure;

/// Screen pixels a voxel.
const ZOOM: u32 = 3;

/// A line of `skipped.csv`.
pub struct LeftOut {
    patient_id: String,
    series_uid: String,
    nodule_id: String,
    file: String,
    reason: String,
}

impl LeftOut {
    /// Reads `skipped.csv`; columns that are not there are empty.
    pub fn read(bytes: &[u8], path: &Path) -> Result<Vec<Self>> {
        let bad = |e: csv::Error| Failure::File(format!("{}: not a readable CSV table: {e}", path.display()));
        let mut reader = csv::Reader::from_reader(bytes);
        let header = reader.headers().map_err(bad)?.clone();
        let rows = reader.records().map(|record| {
            let record = record.map_err(bad)?;
            let get = |name: &str| {
                let i = header.iter().position(|h| h == name);
                i.and_then(|i| record.get(i)).unwrap_or("").to_owned()
            };
            Ok(Self {
                patient_id: get("patient_id"),
                series_uid: get("series_uid"),
                nodule_id: get("nodule_id"),
                file: get("file"),
                reason: get("reason"),
            })
        });
        rows.collect()
    }
}

/// The page; `all` is how many nodules the data set has, `dropped` those left out that could be cut.
pub fn page(data: &Dataset, all: usize, dropped: Option<&Dataset>, left_out: &[LeftOut]) -> Result<String> {
    let count = |c: Class| data.rows.iter().filter(|r| r.class == c).count();
    let [benign, unsure, malignant] = Class::ALL.map(count);
    let reason = |row: &Row| left_out.iter().find(|l| l.nodule_id == row.nodule_id).map(|l| l.reason.as_str());
    let dropped = dropped.map(|dropped| figures(dropped, reason)).transpose()?;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width";
            title { "clip-lung: data set" }
            style { (PreEscaped(STYLE)) }
            header {
                h1 { (data.header.name) }
                p {
                    (data.len()) " of " (all) " nodules: " (benign) " benign, " (unsure) " unsure, " (malignant) " malignant. "
                    (left_out.len()) " entries left out (" a href="#left-out" { "below" } ")."
                }
                p { (data.header.source) ". Crops of " (data.header.crop) ". " (data.header.notes) }
                p {
                    b { "Research use only, not a medical device." }
                    " Planes of each crop: axial, coronal, sagittal, through its centre. The ratings are means over the readers; \
                     lobulation and spiculation were rated inconsistently in part of LIDC-IDRI."
                }
                p.filter {
                    "Show:"
                    @for name in Class::ALL.map(Class::name) {
                        " " label { input type="checkbox" id=(name) checked; " " (name) }
                    }
                }
            }
            main { (figures(data, |_| None)?) }
            section #left-out {
                h2 { "Left out" }
                @if let Some(dropped) = dropped { main { (dropped) } br; }
                @if left_out.is_empty() {
                    p { "Nothing." }
                } @else {
                    table {
                        tr { @for name in ["patient", "series", "nodule", "file", "reason"] { th { (name) } } }
                        @for l in left_out {
                            tr {
                                @for cell in [&l.patient_id, &l.series_uid, &l.nodule_id, &l.file, &l.reason] { td { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    };
    Ok(page.into_string() + "\n")
}

fn figures<'a>(data: &Dataset, reason: impl Fn(&Row) -> Option<&'a str>) -> Result<Markup> {
    let mut hu = vec![0.0; SIDE * SIDE * SIDE];
    let mut all = Vec::with_capacity(data.len());
    for (i, row) in data.rows.iter().enumerate() {
        data.write_hu(i, &mut hu);
        all.push(figure(row, &planes(&hu, data.header.hu_window)?, reason(row)));
    }
    Ok(html! { @for figure in all { (figure) } })
}

fn figure(row: &Row, png: &str, reason: Option<&str>) -> Markup {
    let ratings: Vec<String> = RATING_COLUMNS
        .iter()
        .zip(row.ratings.iter().flatten())
        .map(|(name, v)| format!("{} {v:.1}", name.replace('_', " ")))
        .collect();
    let class = row.class.name();
    let (width, height) = (3 * SIDE as u32 * ZOOM + 2 * ZOOM, SIDE as u32 * ZOOM);
    html! {
        figure class=(class) {
            img loading="lazy" width=(width) height=(height) alt={ "nodule " (row.nodule_id) ": axial, coronal, sagittal" }
                src={ "data:image/png;base64," (png) };
            figcaption {
                b { (row.nodule_id) }
                " " span { (class) @if let Some(mean) = row.mean_malignancy { " " (format_args!("{mean:.2}")) } }
                @if let Some(mm) = row.diameter_mm { " " (format_args!("{mm:.1}")) " mm" }
                @if let Some(readers) = row.readers { ", " (readers) " reader(s)" }
                @if let Some(reason) = reason { br; b { "left out:" } " " (reason) }
                br;
                small { (row.patient_id) br; (ratings.join(", ")) }
            }
        }
    }
}

/// Axial, coronal (head up) and sagittal (head up, front to the left) planes side by side, as base64 of a PNG.
fn planes(hu: &[f32], [low, high]: [f32; 2]) -> Result<String> {
    let grey = |z: usize, y: usize, x: usize| {
        let unit = (hu[(z * SIDE + y) * SIDE + x] - low) / (high - low);
        Luma([(unit.clamp(0.0, 1.0) * 255.0) as u8])
    };
    let middle = SIDE / 2;
    let mut image = GrayImage::from_pixel(3 * SIDE as u32 + 2, SIDE as u32, Luma([255]));
    for v in 0..SIDE {
        for u in 0..SIDE {
            let panels = [grey(middle, v, u), grey(SIDE - 1 - v, middle, u), grey(SIDE - 1 - v, u, middle)];
            for (i, pixel) in panels.into_iter().enumerate() {
                image.put_pixel((i * (SIDE + 1) + u) as u32, v as u32, pixel);
            }
        }
    }
    let mut png = std::io::Cursor::new(Vec::new());
    image.write_to(&mut png, image::ImageFormat::Png)?;
    Ok(base64::engine::general_purpose::STANDARD.encode(png.into_inner()))
}

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884}body{font:15px/1.4 system-ui,sans-serif;margin:1.5rem;max-width:100rem}\
header{max-width:60rem}main{display:flex;flex-wrap:wrap;gap:1rem}\
figure{margin:0;width:294px;border:1px solid var(--line);border-radius:6px;overflow:hidden}\
img{display:block;image-rendering:pixelated;background:#000}figcaption{padding:.4rem .6rem}small{opacity:.75}\
figure span{font-weight:600}.benign span{color:#2a8a4a}.unsure span{color:#b07a00}.malignant span{color:#c8372d}\
.filter label{margin-right:1rem}body:has(#benign:not(:checked)) .benign,body:has(#unsure:not(:checked)) .unsure,\
body:has(#malignant:not(:checked)) .malignant{display:none}\
table{border-collapse:collapse;width:100%}td,th{border:1px solid var(--line);padding:.25rem .5rem;text-align:left;word-break:break-word}\
";

#[cfg(test)]
mod tests {
    use super::*;
    use clip_lung_core::dataset::class::Thresholds;

    /// Names, notes, ids and reasons come from files of anyone: none becomes a tag or leaves its attribute.
    #[test]
    fn foreign_text_stays_text() {
        let bad = "<script>alert('1')</script>\" onerror=\"x&amp;";
        let mut data = clip_lung_core::phantom::phantom(Thresholds::Inclusive, Some(2)).unwrap();
        (data.header.name, data.header.notes, data.header.source) = (bad.into(), bad.into(), bad.into());
        data.rows.iter_mut().for_each(|r| (r.nodule_id, r.patient_id) = (bad.into(), bad.into()));
        let table = format!("nodule_id,file,reason\n{0},{0},{0}\n", format!("\"{}\"", bad.replace('"', "\"\"")));
        let left_out = LeftOut::read(table.as_bytes(), Path::new("skipped.csv")).unwrap();
        let page = page(&data, 2, Some(&data), &left_out).unwrap();
        assert!(!page.contains("<script") && !page.contains("\" onerror"));
        // 3 in the header, 3 a figure of 4, 3 in the table, a reason a dropped figure
        assert_eq!(page.matches("&lt;script&gt;").count(), 3 + 3 * 4 + 3 + 2);
        assert_eq!(page.matches("&quot; onerror=&quot;x&amp;amp;").count(), 20);
        assert_eq!((page.matches("<figure").count(), page.matches("data:image/png;base64,").count()), (4, 4));
    }
}
