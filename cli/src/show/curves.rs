//! Learning curves as SVG.

use anyhow::{Result, anyhow};
use clip_lung_core::train::step::StepLog;
use plotters::prelude::*;

/// Loss terms and accuracy on the training batches, a mean an epoch.
pub fn svg(steps: &[StepLog], title: &str) -> Result<String> {
    let mut out = String::new();
    draw(&mut out, steps, title).map_err(|e| anyhow!("learning curves can't be drawn: {e}"))?;
    Ok(out)
}

type Series<'a> = (&'a str, RGBColor, fn(&StepLog) -> Option<f64>);

fn draw(out: &mut String, steps: &[StepLog], title: &str) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let epochs = steps.iter().map(|s| s.epoch + 1).max().unwrap_or(1);
    let series: [Series<'_>; 5] = [
        ("total", BLACK, |s| Some(s.loss)),
        ("cross-entropy", RGBColor(0, 114, 178), |s| Some(s.ce)),
        ("image-class", RGBColor(213, 94, 0), |s| s.ic),
        ("image-attribute", RGBColor(0, 158, 115), |s| s.ia),
        ("class-attribute", RGBColor(204, 121, 167), |s| s.ca),
    ];
    let points = |value: fn(&StepLog) -> Option<f64>| -> Vec<(f64, f64)> {
        (0..epochs)
            .filter_map(|e| {
                let inside = steps.iter().filter(|s| s.epoch == e);
                let (sum, n) = inside
                    .filter_map(|s| value(s).map(|v| (v * s.samples as f64, s.samples as f64)))
                    .fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
                (n > 0.0).then(|| (e as f64 + 1.0, sum / n))
            })
            .collect()
    };
    let top = points(|s| Some(s.loss)).iter().map(|p| p.1).fold(0.1, f64::max) * 1.05;
    let root = SVGBackend::with_string(out, (900, 360)).into_drawing_area();
    root.fill(&WHITE)?;
    let root = root.titled(title, ("sans-serif", 16))?;
    let (left, right) = root.split_horizontally(450);
    let x = 1.0..(epochs.max(2)) as f64;

    let mut chart = ChartBuilder::on(&left)
        .margin(12)
        .x_label_area_size(34)
        .y_label_area_size(44)
        .build_cartesian_2d(x.clone(), 0.0..top)?;
    chart.configure_mesh().x_desc("epoch").y_desc("training loss").draw()?;
    for (name, colour, value) in series {
        let line = points(value);
        if !line.is_empty() {
            chart
                .draw_series(LineSeries::new(line, colour.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
        }
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK.mix(0.3)).draw()?;

    let mut chart = ChartBuilder::on(&right)
        .margin(12)
        .x_label_area_size(34)
        .y_label_area_size(44)
        .build_cartesian_2d(x, 0.0..1.0)?;
    chart.configure_mesh().x_desc("epoch").y_desc("training accuracy").draw()?;
    chart.draw_series(LineSeries::new(points(|s| Some(s.accuracy)), RGBColor(0, 114, 178).stroke_width(2)))?;
    root.present()?;
    Ok(())
}
