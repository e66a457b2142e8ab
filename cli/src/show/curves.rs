//! Learning curves as SVG.

use anyhow::{Result, anyhow};
use clip_lung_core::train::log::{StepLog, Validated};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

/// Loss terms and accuracy on the training batches, a mean an epoch, and the same of the validation nodules, where there are any.
pub fn svg(steps: &[StepLog], title: &str) -> Result<String> {
    let mut out = String::new();
    draw(&mut out, steps, title).map_err(|e| anyhow!("learning curves can't be drawn: {e}"))?;
    Ok(out)
}

/// Colours that people with colour-blindness tell apart (Okabe and Ito), black for the total.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

type Value<'a> = Box<dyn Fn(&StepLog) -> Option<f64> + 'a>;

fn draw(out: &mut String, steps: &[StepLog], title: &str) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let epochs = epochs(steps).max(1);
    let mut names: Vec<&String> = steps.iter().flat_map(|s| s.terms.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let total: Value<'_> = Box::new(|s| Some(s.loss));
    let terms = names.into_iter().zip(COLOURS.iter().cycle()).map(|(name, colour)| {
        let value: Value<'_> = Box::new(move |s| s.terms.get(name).copied());
        (name.as_str(), *colour, value)
    });
    let series: Vec<(&str, RGBColor, Value<'_>)> = std::iter::once(("total", BLACK, total)).chain(terms).collect();
    let points = |value: &dyn Fn(&StepLog) -> Option<f64>| by_epoch(steps, value);
    let top = points(&|s| Some(s.loss)).iter().map(|p| p.1).fold(0.1, f64::max) * 1.05;
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
        let line = points(&value);
        if !line.is_empty() {
            chart
                .draw_series(LineSeries::new(line, colour.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
        }
    }
    let validated = |value: &dyn Fn(&Validated) -> Option<f64>| -> Vec<(f64, f64)> {
        let of = |s: &StepLog| Some((s.epoch as f64 + 1.0, value(s.validation.as_ref()?)?));
        steps.iter().filter_map(of).collect()
    };
    dashed(&mut chart, validated(&|v| Some(v.loss)), BLACK, "validation")?;
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK.mix(0.3)).draw()?;

    let mut chart = ChartBuilder::on(&right)
        .margin(12)
        .x_label_area_size(34)
        .y_label_area_size(44)
        .build_cartesian_2d(x, 0.0..1.0)?;
    chart.configure_mesh().x_desc("epoch").y_desc("accuracy").draw()?;
    chart
        .draw_series(LineSeries::new(points(&|s| Some(s.accuracy)), COLOURS[0].stroke_width(2)))?
        .label("training")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 16, y)], COLOURS[0]));
    dashed(&mut chart, validated(&|v| Some(v.accuracy)), COLOURS[1], "validation")?;
    dashed(&mut chart, validated(&|v| v.macro_auc), COLOURS[2], "validation, macro AUC")?;
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK.mix(0.3)).draw()?;
    root.present()?;
    Ok(())
}

/// A dashed line with its label, where there are points.
fn dashed<'a, DB: DrawingBackend + 'a>(
    chart: &mut ChartContext<'a, DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>,
    line: Vec<(f64, f64)>,
    colour: RGBColor,
    name: &str,
) -> std::result::Result<(), Box<dyn std::error::Error>>
where
    DB::ErrorType: 'static,
{
    if !line.is_empty() {
        chart
            .draw_series(DashedLineSeries::new(line, 6, 4, colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
    }
    Ok(())
}

fn epochs(steps: &[StepLog]) -> usize {
    steps.iter().map(|s| s.epoch + 1).max().unwrap_or(0)
}

/// (epoch from 1, mean over its samples) of every epoch that has the value.
pub fn by_epoch(steps: &[StepLog], value: &dyn Fn(&StepLog) -> Option<f64>) -> Vec<(f64, f64)> {
    let mean = |e: usize| {
        let inside = steps.iter().filter(|s| s.epoch == e);
        let (sum, n) = inside
            .filter_map(|s| value(s).map(|v| (v * s.samples as f64, s.samples as f64)))
            .fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
        (n > 0.0).then(|| (e as f64 + 1.0, sum / n))
    };
    (0..epochs(steps)).filter_map(mean).collect()
}
