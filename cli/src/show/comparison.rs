//! A paired comparison in words and as JSON.

use anyhow::Result;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::study::measures::Measure;
use clip_lung_core::study::numbers;
use clip_lung_core::study::paired::Difference;
use clip_lung_core::study::summary::cohorts::Compared;
use serde_json::Value;

/// The differences as a table, and the sentence.
pub fn render(task: Task, compared: &Compared) -> String {
    let c = &compared.comparison;
    let mut out = format!(
        "{} minus {} on {}: {} nodules, fold(s) {}\n\n  {:<24}{:>8}{:>8}{:>12}  {:<20}{:>7}\n",
        c.first,
        c.second,
        task.name(),
        c.nodules,
        numbers::numbers(&compared.shared_folds),
        "",
        "first",
        "second",
        "difference",
        "95 % interval",
        "p"
    );
    for d in &c.differences {
        let line = format!(
            "  {:<24}{:>8}{:>8}{:>12}  {:<20}{:>7}",
            numbers::name(d.measure),
            numbers::value(d.measure, d.first),
            numbers::value(d.measure, d.second),
            numbers::signed(d.measure, d.difference),
            d.interval.map_or("-".into(), |i| numbers::range(d.measure, i)),
            d.p.map_or("-".into(), numbers::p),
        );
        out += line.trim_end();
        out += "\n";
    }
    if let Some(m) = &c.mcnemar {
        out += &format!(
            "\n  only the first is right on {}, only the second on {} nodules (McNemar's mid-p {})\n",
            m.first_only,
            m.second_only,
            numbers::p(m.mid_p)
        );
    }
    out + &format!("\n{}\n", sentence(task, compared))
}

/// What the comparison comes to.
pub fn sentence(task: Task, compared: &Compared) -> String {
    let c = &compared.comparison;
    let of = |measure: Measure| c.differences.iter().find(|d| d.measure == measure).map(|d| (words(d), sure(d)));
    let parts: Vec<(String, bool)> = [Measure::Accuracy, Measure::MacroAuc].into_iter().filter_map(of).collect();
    let verdict = match parts.iter().filter(|(_, sure)| *sure).count() {
        0 => "The data do not tell the two apart in either.",
        n if n == parts.len() => "Both intervals leave 0 out.",
        _ => "Only one of the intervals leaves 0 out.",
    };
    let parts: Vec<String> = parts.into_iter().map(|(words, _)| words).collect();
    format!(
        "On {} nodules of {}, {} differs from {} by {}. {verdict}",
        c.nodules,
        task.name(),
        c.first,
        c.second,
        parts.join(" and by ")
    )
}

fn words(d: &Difference) -> String {
    let unit = if d.measure == Measure::Accuracy { " points of accuracy" } else { " in macro AUC" };
    let interval = d.interval.map_or(String::new(), |i| format!(" (95 % {})", numbers::range(d.measure, i)));
    format!("{}{unit}{interval}", numbers::signed(d.measure, d.difference))
}

fn sure(d: &Difference) -> bool {
    d.interval.is_some_and(|i| i.low > 0.0 || i.high < 0.0)
}

/// All differences, with the sentence.
pub fn json(task: Task, compared: &Compared) -> Result<Value> {
    let mut value = serde_json::to_value(compared)?;
    if let Some(fields) = value.as_object_mut() {
        // of one comparison nothing is to be corrected
        fields.remove("holm");
        fields.insert("task".into(), serde_json::to_value(task)?);
        fields.insert("sentence".into(), sentence(task, compared).into());
    }
    Ok(value)
}
