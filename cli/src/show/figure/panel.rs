//! One panel of a figure, and figures of several.

use std::fmt::Write;

use maud::{Markup, PreEscaped, html};

/// Colours that people with colour-blindness tell apart (after Okabe and Ito), with 3:1 on white.
const LIGHT: [&str; 8] = ["#0072b2", "#d55e00", "#00855f", "#b85c94", "#8a6d00", "#2b8cc0", "#6a3d9a", "#6b6b6b"];
/// The same on black.
const DARK: [&str; 8] = ["#4aa3e0", "#ff8a3d", "#2fc79b", "#e39cc4", "#d8b13a", "#8ad0f5", "#b794e6", "#a8a8a8"];
/// Distance of panels in a file.
const GAP: f64 = 16.0;

/// How many colours there are.
pub const COLOURS: usize = LIGHT.len();

/// A drawing of fixed size, in pixels from the top left.
#[derive(Clone, Debug)]
pub struct Panel {
    title: String,
    size: [f64; 2],
    body: String,
}

/// Text's place beside its point.
#[derive(Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

impl Panel {
    /// An empty one with its title in the first line.
    pub fn new(title: &str, size: [f64; 2]) -> Self {
        let mut panel = Self { title: title.into(), size, body: String::new() };
        panel.text("bold", Anchor::Start, [2.0, 14.0], title);
        panel
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // writing to a string does not fail
        let _ = self.body.write_fmt(element);
    }

    pub fn line(&mut self, class: &str, from: [f64; 2], to: [f64; 2]) {
        let ([x1, y1], [x2, y2]) = (from, to);
        self.add(format_args!(r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#));
    }

    /// Through all points.
    pub fn path(&mut self, class: &str, points: &[[f64; 2]]) {
        let points = points.iter().map(|[x, y]| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ");
        self.add(format_args!(r#"<polyline class="{class}" points="{points}"/>"#));
    }

    /// Filled.
    pub fn area(&mut self, class: &str, points: &[[f64; 2]]) {
        let points = points.iter().map(|[x, y]| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ");
        self.add(format_args!(r#"<polygon class="{class}" points="{points}"/>"#));
    }

    pub fn circle(&mut self, class: &str, [x, y]: [f64; 2], radius: f64) {
        self.add(format_args!(r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{radius:.1}"/>"#));
    }

    /// A box from its top left; `opacity` from 0 to 1.
    pub fn rect(&mut self, class: &str, [x, y]: [f64; 2], [width, height]: [f64; 2], opacity: f64) {
        self.add(format_args!(
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill-opacity="{opacity:.2}"/>"#
        ));
    }

    /// A PNG in base64, its pixels as squares.
    pub fn picture(&mut self, [x, y]: [f64; 2], [width, height]: [f64; 2], png: &str) {
        self.add(format_args!(
            r#"<image x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" style="image-rendering:pixelated" href="data:image/png;base64,{png}"/>"#
        ));
    }

    pub fn text(&mut self, class: &str, anchor: Anchor, [x, y]: [f64; 2], text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escaped(text);
        self.add(format_args!(r#"<text class="{class}" text-anchor="{anchor}" x="{x:.1}" y="{y:.1}">{text}</text>"#));
    }

    /// As an element; `placed` gives attributes of its place.
    fn svg(&self, placed: &str) -> String {
        let [width, height] = self.size;
        format!(
            r#"<svg class="panel" {placed} viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" height="{height:.0}" role="img"><title>{}</title>{}</svg>"#,
            escaped(&self.title),
            self.body
        )
    }
}

/// Panels with what they show.
#[derive(Clone, Debug)]
pub struct Figure {
    /// The file's name without its ending.
    pub name: String,
    pub title: String,
    pub caption: String,
    pub panels: Vec<Panel>,
    /// Panels side by side in a file.
    pub columns: usize,
}

impl Figure {
    /// Within a page that has [`style`].
    pub fn markup(&self) -> Markup {
        html! {
            figure {
                h4 { (self.title) }
                .panels { @for panel in &self.panels { (PreEscaped(panel.svg(""))) } }
                figcaption { (self.caption) }
            }
        }
    }

    /// By itself, on white.
    pub fn file(&self) -> String {
        let columns = self.columns.clamp(1, self.panels.len().max(1));
        let rows: Vec<&[Panel]> = self.panels.chunks(columns).collect();
        let height_of = |row: &[Panel]| row.iter().map(|p| p.size[1]).fold(0.0, f64::max);
        let width = rows.iter().map(|r| r.iter().map(|p| p.size[0] + GAP).sum::<f64>()).fold(0.0, f64::max) + GAP;
        let height = rows.iter().map(|r| height_of(r) + GAP).sum::<f64>() + GAP;
        let (mut body, mut y) = (String::new(), GAP);
        for row in rows {
            let mut x = GAP;
            for panel in row {
                body += &panel.svg(&format!(r#"x="{x:.0}" y="{y:.0}""#));
                x += panel.size[0] + GAP;
            }
            y += height_of(row) + GAP;
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\">\
             <title>{}</title><desc>{}</desc><style>{}</style><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>{body}</svg>\n",
            escaped(&self.title),
            escaped(&self.caption),
            rules("#1a1a1a", "#d8d8d8", "#fff", &LIGHT),
        )
    }
}

/// The rules that panels need in a page, in light and in dark.
pub fn style() -> String {
    let dark = rules("#e8e8e8", "#444", "#161616", &DARK);
    format!("{}@media screen and (prefers-color-scheme:dark){{{dark}}}", rules("#1a1a1a", "#d8d8d8", "#fff", &LIGHT))
}

fn rules(ink: &str, faint: &str, paper: &str, colours: &[&str; COLOURS]) -> String {
    let mut out = format!(
        ".panel text{{font:12px system-ui,sans-serif;fill:{ink}}}.panel .bold{{font-weight:600}}.panel .small{{font-size:11px}}\
         .panel .grid{{stroke:{faint}}}.panel .axis{{stroke:{ink}}}.panel .dashed{{stroke:{ink};stroke-dasharray:4 3}}\
         .panel .paper{{fill:{paper}}}.panel .hollow{{fill:{paper};stroke-width:1.6}}.panel .ring{{fill:none;stroke-width:1.2}}\
         .panel polyline{{fill:none;stroke-width:1.8;stroke-linejoin:round}}.panel .whisker{{stroke-width:1.8}}\
         .panel .second{{stroke-dasharray:5 3}}.panel .third{{stroke-dasharray:2 2}}.panel .band{{fill-opacity:.2;stroke:none}}"
    );
    for (i, colour) in colours.iter().enumerate() {
        out += &format!(".panel .s{i}{{stroke:{colour}}}.panel .f{i}{{fill:{colour}}}");
    }
    out
}

/// Foreign text stays text.
fn escaped(text: &str) -> String {
    html! { (text) }.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_whole_in_a_page_and_in_a_file() {
        let bad = "<script>&\"";
        let mut panel = Panel::new(bad, [100.0, 50.0]);
        panel.path("s0", &[[1.0, 2.0], [3.0, 4.25]]);
        let figure = Figure {
            name: "x".into(),
            title: bad.into(),
            caption: bad.into(),
            panels: vec![panel.clone(), panel.clone(), panel],
            columns: 2,
        };
        let (page, file) = (figure.markup().into_string(), figure.file());
        assert!(!page.contains("<script") && !file.contains("<script"));
        assert_eq!((page.matches("<svg").count(), file.matches("<svg").count()), (3, 4));
        assert!(file.contains(r#"x="132" y="16""#) && file.contains(r#"x="16" y="82""#), "{file}");
        assert!(file.contains("1.0,2.0 3.0,4.2"), "{file}");
        assert!(style().contains("prefers-color-scheme:dark"));
    }
}
