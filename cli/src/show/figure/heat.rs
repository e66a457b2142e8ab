//! Grad-CAM of the worst errors, a panel a nodule.

use anyhow::Result;
use base64::Engine;
use clip_lung_core::dataset::class::Class;
use image::{Rgb, RgbImage};

use super::panel::{Anchor, Figure, Panel};
use crate::show::picture::colour;

/// Values of a map along a side.
pub const SIDE: usize = 32;
const SHOWN: f64 = 160.0;

/// One nodule's map.
#[derive(Clone, Debug)]
pub struct Heat {
    pub nodule: String,
    pub class: Class,
    pub answer: Class,
    /// Of the answer.
    pub probability: f64,
    /// `SIDE` x `SIDE`, 0 to 1.
    pub map: Vec<f32>,
}

/// The maps of a cell; `None` without one.
pub fn figure(cell: &str, heats: &[Heat]) -> Result<Option<Figure>> {
    let panels = heats.iter().map(panel).collect::<Result<Vec<_>>>()?;
    Ok((!panels.is_empty()).then(|| Figure {
        name: format!("gradcam.{cell}"),
        title: format!("{cell}: what its worst errors rest on"),
        caption: "Grad-CAM at layer4, one map for all slices of a crop, which are the network's channels; white is most, black none. The \
                  study keeps no voxels, so the crop itself is not shown: `clip-lung explain` draws it."
            .into(),
        panels,
        columns: 4,
    }))
}

fn panel(heat: &Heat) -> Result<Panel> {
    let mut image = RgbImage::new(SIDE as u32, SIDE as u32);
    for (pixel, value) in image.pixels_mut().zip(&heat.map) {
        *pixel = Rgb(colour(*value).map(|v| v as u8));
    }
    let mut png = std::io::Cursor::new(Vec::new());
    image.write_to(&mut png, image::ImageFormat::Png)?;
    let mut panel = Panel::new(&heat.nodule, [SHOWN + 4.0, SHOWN + 58.0]);
    let data = base64::engine::general_purpose::STANDARD.encode(png.into_inner());
    panel.picture([2.0, 22.0], [SHOWN; 2], &data);
    panel.text("small", Anchor::Start, [2.0, SHOWN + 38.0], &format!("true class {}", heat.class.name()));
    let answer = format!("answer {}, p = {:.2}", heat.answer.name(), heat.probability);
    panel.text("small", Anchor::Start, [2.0, SHOWN + 53.0], &answer);
    Ok(panel)
}
