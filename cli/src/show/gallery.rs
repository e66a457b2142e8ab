//! A data set as one HTML page without scripts from elsewhere: three planes a nodule, ratings and class, and what was left out.

use std::fmt::Write;
use std::path::Path;

use anyhow::Result;
use base64::Engine;
use clip_lung_core::dataset::class::Class;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::dataset::table::{RATING_COLUMNS, Row};
use clip_lung_core::volume::crop::SIDE;
use image::{GrayImage, Luma};

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
    let mut html = String::from(HEAD);
    let count = |c: Class| data.rows.iter().filter(|r| r.class == c).count();
    let [benign, unsure, malignant] = Class::ALL.map(count);
    write!(
        html,
        "<header><h1>{}</h1><p>{} of {all} nodules: {benign} benign, {unsure} unsure, {malignant} malignant. {} entries left out \
         (<a href=\"#left-out\">below</a>).</p><p>{}. Crops of {}. {}</p><p><b>Research use only, not a medical device.</b> Planes of each crop: \
         axial, coronal, sagittal, through its centre. The ratings are means over the readers; lobulation and spiculation were \
         rated inconsistently in part of LIDC-IDRI.</p><p class=\"filter\">Show: {}</p></header><main>",
        escape(&data.header.name),
        data.len(),
        left_out.len(),
        escape(&data.header.source),
        data.header.crop,
        escape(&data.header.notes),
        Class::ALL
            .map(|c| format!("<label><input type=\"checkbox\" id=\"{0}\" checked> {0}</label>", c.name()))
            .join(" ")
    )?;
    figures(&mut html, data, |_| None)?;
    html.push_str("</main><section id=\"left-out\"><h2>Left out</h2>");
    if let Some(dropped) = dropped {
        html.push_str("<main>");
        figures(&mut html, dropped, |row| {
            left_out.iter().find(|l| l.nodule_id == row.nodule_id).map(|l| l.reason.as_str())
        })?;
        html.push_str("</main><br>");
    }
    if left_out.is_empty() {
        html.push_str("<p>Nothing.</p>");
    } else {
        html.push_str("<table><tr><th>patient</th><th>series</th><th>nodule</th><th>file</th><th>reason</th></tr>");
        for l in left_out {
            let cells = [&l.patient_id, &l.series_uid, &l.nodule_id, &l.file, &l.reason]
                .map(|c| format!("<td>{}</td>", escape(c)));
            write!(html, "<tr>{}</tr>", cells.concat())?;
        }
        html.push_str("</table>");
    }
    html.push_str("</section></html>\n");
    Ok(html)
}

fn figures<'a>(html: &mut String, data: &Dataset, reason: impl Fn(&Row) -> Option<&'a str>) -> Result<()> {
    let mut hu = vec![0.0; SIDE * SIDE * SIDE];
    for (i, row) in data.rows.iter().enumerate() {
        data.write_hu(i, &mut hu);
        figure(html, row, &planes(&hu, data.header.hu_window)?, reason(row))?;
    }
    Ok(())
}

fn figure(html: &mut String, row: &Row, png: &str, reason: Option<&str>) -> Result<()> {
    let ratings: Vec<String> =
        RATING_COLUMNS.iter().zip(row.ratings).map(|(name, v)| format!("{} {v:.1}", name.replace('_', " "))).collect();
    let class = row.class.name();
    write!(
        html,
        "<figure class=\"{class}\"><img loading=\"lazy\" width=\"{w}\" height=\"{h}\" alt=\"nodule {id}: axial, coronal, sagittal\" \
         src=\"data:image/png;base64,{png}\"><figcaption><b>{id}</b> <span>{class} {mean:.2}</span> {diameter:.1} mm, {readers} \
         reader(s){reason}<br><small>{patient}<br>{ratings}</small></figcaption></figure>",
        w = 3 * SIDE as u32 * ZOOM + 2 * ZOOM,
        h = SIDE as u32 * ZOOM,
        id = escape(&row.nodule_id),
        mean = row.mean_malignancy,
        diameter = row.diameter_mm,
        readers = row.readers,
        reason = reason.map(|r| format!("<br><b>left out:</b> {}", escape(r))).unwrap_or_default(),
        patient = escape(&row.patient_id),
        ratings = ratings.join(", "),
    )?;
    Ok(())
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

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
<title>clip-lung: data set</title><style>\
:root{color-scheme:light dark;--line:#8884}body{font:15px/1.4 system-ui,sans-serif;margin:1.5rem;max-width:100rem}\
header{max-width:60rem}main{display:flex;flex-wrap:wrap;gap:1rem}\
figure{margin:0;width:294px;border:1px solid var(--line);border-radius:6px;overflow:hidden}\
img{display:block;image-rendering:pixelated;background:#000}figcaption{padding:.4rem .6rem}small{opacity:.75}\
figure span{font-weight:600}.benign span{color:#2a8a4a}.unsure span{color:#b07a00}.malignant span{color:#c8372d}\
.filter label{margin-right:1rem}body:has(#benign:not(:checked)) .benign,body:has(#unsure:not(:checked)) .unsure,\
body:has(#malignant:not(:checked)) .malignant{display:none}\
table{border-collapse:collapse;width:100%}td,th{border:1px solid var(--line);padding:.25rem .5rem;text-align:left;word-break:break-word}\
</style>";
