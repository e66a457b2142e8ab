//! Grad-CAM of the worst errors, a panel a nodule.

use anyhow::Result;
use base64::Engine;
use clip_lung_core::dataset::class::Class;
use image::{Rgb, RgbImage};

use super::panel::{Anchor, Figure, Panel};
use crate::show::picture::{colour, mixed};

/// Values of a map along a side.
pub const SIDE: usize = 32;
const SHOWN: f64 = 120.0;
/// HU that are black and white.
const WINDOW: [f32; 2] = [-1000.0, 400.0];

/// One nodule's map.
#[derive(Clone, Debug)]
pub struct Heat {
    pub nodule: String,
    pub class: Class,
    pub answer: Class,
    /// Of the answer.
    pub probability: f64,
    /// `SIDE` x `SIDE`, 0 to 1.
    pub heat: Vec<f32>,
    /// The middle axial slice in HU, where it was kept.
    pub slice: Option<Vec<f32>>,
}

/// The maps of a cell, of its errors on a task; `None` without one.
pub fn figure(task: &str, cell: &str, heats: &[Heat]) -> Result<Option<Figure>> {
    let panels = heats.iter().map(panel).collect::<Result<Vec<_>>>()?;
    Ok((!panels.is_empty()).then(|| Figure {
        name: format!("gradcam.{task}.{cell}"),
        title: format!("{task}: what the worst errors of {cell} rest on"),
        caption: "Grad-CAM at layer4: one map for all slices of a crop, which are the network's channels, over the middle axial slice \
                  where that was kept (\u{2212}1000 to 400 HU). White is most."
            .into(),
        panels,
        columns: 3,
    }))
}

fn panel(heat: &Heat) -> Result<Panel> {
    let over = match &heat.slice {
        Some(slice) => png(|i| mixed(grey(slice[i]), heat.heat[i]))?,
        None => png(|i| colour(heat.heat[i]))?,
    };
    let mut panel = Panel::new(&heat.nodule, [2.0 * SHOWN + 8.0, SHOWN + 58.0]);
    panel.picture([2.0, 22.0], [SHOWN; 2], &over);
    if let Some(slice) = &heat.slice {
        panel.picture([SHOWN + 6.0, 22.0], [SHOWN; 2], &png(|i| [grey(slice[i]); 3])?);
    }
    panel.text("small", Anchor::Start, [2.0, SHOWN + 38.0], &format!("true class {}", heat.class.name()));
    let answer = format!("answer {}, p = {:.2}", heat.answer.name(), heat.probability);
    panel.text("small", Anchor::Start, [2.0, SHOWN + 53.0], &answer);
    Ok(panel)
}

/// 0 to 255.
fn grey(hu: f32) -> f32 {
    ((hu - WINDOW[0]) / (WINDOW[1] - WINDOW[0])).clamp(0.0, 1.0) * 255.0
}

/// A picture of `SIDE` x `SIDE` pixels in base64.
fn png(of: impl Fn(usize) -> [f32; 3]) -> Result<String> {
    let mut image = RgbImage::new(SIDE as u32, SIDE as u32);
    image.pixels_mut().enumerate().for_each(|(i, pixel)| *pixel = Rgb(of(i).map(|v| v as u8)));
    let mut png = std::io::Cursor::new(Vec::new());
    image.write_to(&mut png, image::ImageFormat::Png)?;
    Ok(base64::engine::general_purpose::STANDARD.encode(png.into_inner()))
}
