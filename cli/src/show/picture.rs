//! The explanation as a picture: central slice, heat over it, colour bar, caption.

use anyhow::Result;
use clip_lung_core::volume::crop::{Crop, SIDE};
use font8x8::UnicodeFonts;
use image::{Rgb, RgbImage};

/// Screen pixels a voxel.
const ZOOM: u32 = 12;
const MARGIN: u32 = 16;
const PANEL: u32 = SIDE as u32 * ZOOM;
const LINE: u32 = 14;
/// A letter's side.
const GLYPH: u32 = 8;
const INK: Rgb<u8> = Rgb([30, 30, 30]);

/// Draws the central slice, the same with heat (0..1, 32 x 32), a colour bar and the caption's lines; PNG bytes.
pub fn explanation(crop: &Crop, hu_window: [f32; 2], heat: &[f32], caption: &[String]) -> Result<Vec<u8>> {
    let width = 2 * PANEL + 3 * MARGIN + 70;
    let caption: Vec<String> =
        caption.iter().flat_map(|line| wrapped(line, ((width - 2 * MARGIN) / GLYPH) as usize)).collect();
    let height = PANEL + 2 * MARGIN + LINE * (caption.len() as u32 + 2);
    let mut image = RgbImage::from_pixel(width, height, Rgb([255, 255, 255]));
    let slice = &crop.hu()[SIDE / 2 * SIDE * SIDE..(SIDE / 2 + 1) * SIDE * SIDE];
    let grey = |i: usize| {
        let unit = (slice[i] - hu_window[0]) / (hu_window[1] - hu_window[0]);
        unit.clamp(0.0, 1.0) * 255.0
    };
    for y in 0..PANEL {
        for x in 0..PANEL {
            let i = (y / ZOOM) as usize * SIDE + (x / ZOOM) as usize;
            let plain = grey(i);
            image.put_pixel(MARGIN + x, MARGIN + y, Rgb([plain as u8; 3]));
            image.put_pixel(2 * MARGIN + PANEL + x, MARGIN + y, Rgb(mixed(plain, heat[i]).map(|v| v as u8)));
        }
    }
    let bar = 2 * PANEL + 3 * MARGIN;
    for y in 0..PANEL {
        let value = colour(1.0 - y as f32 / (PANEL - 1) as f32).map(|v| v as u8);
        (0..18).for_each(|x| image.put_pixel(bar + x, MARGIN + y, Rgb(value)));
    }
    write(&mut image, bar + 22, MARGIN, "1 most");
    write(&mut image, bar + 22, MARGIN + PANEL - GLYPH, "0 none");
    let below = MARGIN + PANEL + 8;
    write(&mut image, MARGIN, below, "central slice");
    write(&mut image, 2 * MARGIN + PANEL, below, "Grad-CAM at layer4");
    for (i, line) in caption.iter().enumerate() {
        write(&mut image, MARGIN, below + LINE * (i as u32 + 1) + 4, line);
    }
    let mut png = std::io::Cursor::new(Vec::new());
    image.write_to(&mut png, image::ImageFormat::Png)?;
    Ok(png.into_inner())
}

/// Heat from 0 to 1 over a grey from 0 to 255.
pub fn mixed(grey: f32, heat: f32) -> [f32; 3] {
    let opacity = 0.55 * heat.clamp(0.0, 1.0).sqrt();
    colour(heat).map(|c| grey * (1.0 - opacity) + c * opacity)
}

/// Black-body colours: black, red, yellow, white.
pub fn colour(v: f32) -> [f32; 3] {
    let ramp = |start: f32| ((v.clamp(0.0, 1.0) - start) / 0.37).clamp(0.0, 1.0) * 255.0;
    [ramp(0.0), ramp(0.35), ramp(0.70)]
}

/// A line as lines of so many letters, broken between words; those after the first stand further in.
fn wrapped(line: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in line.split_inclusive(' ') {
        match lines.last_mut() {
            Some(last) if last.chars().count() + word.trim_end().chars().count() <= columns => last.push_str(word),
            _ => lines.push(if lines.is_empty() { word.into() } else { format!("    {word}") }),
        }
    }
    lines
}

fn write(image: &mut RgbImage, x: u32, y: u32, text: &str) {
    for (i, character) in text.chars().enumerate() {
        let glyph = font8x8::BASIC_FONTS.get(character).unwrap_or([0; 8]);
        for (row, bits) in glyph.iter().enumerate() {
            for column in (0..8).filter(|c| bits >> c & 1 == 1) {
                let (px, py) = (x + i as u32 * GLYPH + column, y + row as u32);
                if px < image.width() && py < image.height() {
                    image.put_pixel(px, py, INK);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn long_lines_are_broken_between_words_and_short_ones_stay() {
        assert_eq!(wrapped("  one two", 9), ["  one two"]);
        assert_eq!(wrapped("one two three four", 9), ["one two ", "    three ", "    four"]);
        assert_eq!(wrapped("", 9), Vec::<String>::new());
    }
}
