//! Influence of single hospitals on a mean: one row per hospital, one panel per diagnostic, with
//! the customary bounds.
//!
//! From: `page::single`.
//! To: `document::Figure`.

use super::svg::{Anchor, LABEL, Stroke, Svg, clip, number};
use super::{HUES, INK, SOFT};

const WIDTH: f64 = 950.0;
const ROW: f64 = 24.0;
const TOP: f64 = 62.0;
const FIRST: f64 = 250.0;
const GAP: f64 = 24.0;

/// One diagnostic.
pub(in crate::report) struct Panel {
    /// Its name.
    pub(in crate::report) title: String,
    /// What it says, in a few words.
    pub(in crate::report) remark: String,
    /// Customary bound of its size.
    pub(in crate::report) bound: f64,
    /// Whether it can lie on both sides of zero.
    pub(in crate::report) signed: bool,
    /// Decimals of its numbers.
    pub(in crate::report) digits: usize,
}

/// One hospital: its name, and its value in each panel.
pub(in crate::report) type Line = (String, Vec<f64>);

/// The drawing.
pub(in crate::report) fn draw(
    id: &str,
    title: &str,
    description: &str,
    panels: &[Panel],
    lines: &[Line],
) -> String {
    let bottom = TOP + ROW * count(lines.len());
    let mut svg = Svg::new(WIDTH, bottom + 30.0);
    let width = (WIDTH - FIRST - 10.0) / count(panels.len().max(1)) - GAP;
    svg.text((4.0, 18.0), Anchor::Start, LABEL.bold(), "Hospital");
    svg.line((0.0, 50.0), (WIDTH, 50.0), Stroke::solid(INK, 1.0));
    let mut scales = Vec::new();
    for (index, panel) in panels.iter().enumerate() {
        let left = FIRST + count(index) * (width + GAP);
        let largest = lines
            .iter()
            .filter_map(|(_, values)| values.get(index))
            .fold(panel.bound, |most, value| most.max(value.abs()));
        let scale = Scale {
            left,
            right: left + width,
            reach: largest * 1.12,
            signed: panel.signed,
        };
        frame(&mut svg, panel, &scale, bottom);
        scales.push(scale);
    }
    let mut y = TOP + ROW / 2.0;
    for (name, values) in lines {
        let first = values
            .first()
            .map_or_else(String::new, |value| format!("{value:.4}"));
        svg.open(&[
            ("data-site", name),
            ("data-row", &number(y)),
            ("data-v", &first),
        ]);
        svg.text(
            (14.0, y + 4.5),
            Anchor::Start,
            LABEL.size(12.5),
            &clip(name, 34),
        );
        for ((value, panel), scale) in values.iter().zip(panels).zip(&scales) {
            mark(&mut svg, panel, scale, *value, y);
        }
        svg.close();
        y += ROW;
    }
    svg.finish(id, title, description)
}

struct Scale {
    left: f64,
    right: f64,
    reach: f64,
    signed: bool,
}

impl Scale {
    fn zero(&self) -> f64 {
        if self.signed {
            f64::midpoint(self.left, self.right)
        } else {
            self.left
        }
    }

    fn place(&self, value: f64) -> f64 {
        let zero = self.zero();
        zero + (self.right - zero) * (value / self.reach).clamp(-1.0, 1.0)
    }
}

fn frame(svg: &mut Svg, panel: &Panel, scale: &Scale, bottom: f64) {
    let left = scale.left;
    svg.text((left, 18.0), Anchor::Start, LABEL.bold(), &panel.title);
    let small = LABEL.size(11.0).fill(SOFT);
    svg.text((left, 36.0), Anchor::Start, small, &panel.remark);
    let zero = scale.zero();
    let line = Stroke::solid("#8a8a8a", 1.0);
    svg.line((zero, TOP - 6.0), (zero, bottom), line);
    svg.text((zero, bottom + 18.0), Anchor::Middle, LABEL.size(11.5), "0");
    let sides: &[f64] = if panel.signed { &[-1.0, 1.0] } else { &[1.0] };
    for side in sides {
        let bound = side * panel.bound;
        let x = scale.place(bound);
        let dashed = Stroke::dashed(HUES[1], 1.2, "4 3");
        svg.line((x, TOP - 6.0), (x, bottom), dashed);
        let text =
            super::super::number::real(bound, super::super::number::Style::Plain(panel.digits));
        svg.text((x, bottom + 18.0), Anchor::Middle, LABEL.size(11.5), &text);
    }
    svg.line(
        (left, bottom),
        (scale.right, bottom),
        Stroke::solid(INK, 1.0),
    );
}

/// A stem with a circle; a filled diamond beyond the bound.
fn mark(svg: &mut Svg, panel: &Panel, scale: &Scale, value: f64, y: f64) {
    let (zero, x) = (scale.zero(), scale.place(value));
    if value.abs() > panel.bound {
        svg.line((zero, y), (x, y), Stroke::solid(HUES[1], 2.0));
        svg.marker(3, (x, y), HUES[1]);
    } else {
        svg.line((zero, y), (x, y), Stroke::solid(HUES[0], 1.4));
        svg.hollow(0, (x, y), HUES[0]);
    }
}

fn count(items: usize) -> f64 {
    f64::from(u32::try_from(items).unwrap_or(u32::MAX))
}
