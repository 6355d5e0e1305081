//! ROC and precision-recall curves on a square of 1:1, with a key inside the emptier corner.
//!
//! From: `page::discrimination`.
//! To: `document::Figure`.

use super::svg::{Anchor, LABEL, Scale, Stroke, Svg, clip};
use super::{DASHES, HUES, INK, SOFT};

const LEFT: f64 = 58.0;
const TOP: f64 = 14.0;
const SIDE: f64 = 440.0;
/// Width of the key.
pub(super) const KEY: f64 = 306.0;

/// One curve.
pub(in crate::report) struct Curve {
    /// Name in the key; empty for one of many.
    pub(in crate::report) label: String,
    /// Whose curve it is.
    pub(in crate::report) site: String,
    /// Points (x, y), both from 0 to 1.
    pub(in crate::report) points: Vec<(f64, f64)>,
    /// Pointwise band: (x, low, high) by rising or falling x; empty for none.
    pub(in crate::report) band: Vec<(f64, f64, f64)>,
    /// Prespecified operating points.
    pub(in crate::report) operating: Vec<(f64, f64)>,
    /// How it is drawn.
    pub(in crate::report) look: Look,
}

/// How a curve is drawn.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(in crate::report) enum Look {
    /// One of four hues with its marker and dash.
    Hue(usize),
    /// Thin and grey: not in the pool, or one of many.
    Grey,
    /// Black and bold: merged.
    Bold,
}

impl Look {
    pub(super) fn stroke(self) -> Stroke {
        match self {
            Self::Hue(index) => Stroke::dashed(HUES[index % 4], 2.0, DASHES[index % 4]),
            Self::Grey => Stroke::dashed("#767676", 1.3, "1 3"),
            Self::Bold => Stroke::solid(INK, 2.6),
        }
    }

    pub(super) fn marker(self) -> (usize, &'static str) {
        match self {
            Self::Hue(index) => (index, HUES[index % 4]),
            Self::Grey => (0, "#767676"),
            Self::Bold => (3, INK),
        }
    }
}

/// What the square shows.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(in crate::report) enum Square {
    /// False positive rate against true positive rate; the key stands at the lower right.
    Roc,
    /// Recall against precision; the key stands at the lower left.
    PrecisionRecall,
}

/// The drawing of `curves`.
pub(in crate::report) fn draw(
    square: Square,
    id: &str,
    title: &str,
    description: &str,
    (curves, levels): (&[Curve], &[Level]),
) -> String {
    let mut svg = Svg::new(LEFT + SIDE + 16.0, TOP + SIDE + 52.0);
    svg.scaled(&Scale {
        across: (LEFT, LEFT + SIDE),
        up: (TOP + SIDE, TOP),
        values: [0.0, 1.0, 0.0, 1.0],
        names: names(square),
    });
    for curve in curves {
        let upper = curve.band.iter().map(|(x, _, high)| place((*x, *high)));
        let lower = curve.band.iter().rev().map(|(x, low, _)| place((*x, *low)));
        let outline: Vec<(f64, f64)> = upper.chain(lower).collect();
        if !outline.is_empty() {
            svg.polygon(&outline, "#e3e3e3", None);
        }
    }
    draw_frame(&mut svg, square);
    for level in levels {
        draw_level(&mut svg, level);
    }
    let tags = tags(curves);
    for (curve, tag) in curves.iter().zip(&tags) {
        draw_series(&mut svg, curve, tag, place);
    }
    let left = match square {
        Square::Roc => LEFT + SIDE - 8.0 - KEY,
        Square::PrecisionRecall => LEFT + 8.0,
    };
    draw_key(&mut svg, (left, TOP + SIDE - 8.0), curves);
    svg.finish(id, title, description)
}

fn names(square: Square) -> [&'static str; 2] {
    match square {
        Square::Roc => [
            "False positive rate (1 − specificity)",
            "True positive rate (sensitivity)",
        ],
        Square::PrecisionRecall => ["Recall (sensitivity)", "Precision (PPV)"],
    }
}

/// A horizontal line, such as the event rate.
pub(in crate::report) struct Level {
    /// Its height, from 0 to 1.
    pub(in crate::report) at: f64,
    /// What it is, written above it.
    pub(in crate::report) label: String,
}

fn draw_level(svg: &mut Svg, level: &Level) {
    let (from, to) = (place((0.0, level.at)), place((1.0, level.at)));
    svg.line(from, to, Stroke::dashed(INK, 1.2, "10 4 2 4 2 4"));
    let at = (LEFT + SIDE - 8.0, from.1 - 6.0);
    svg.text(at, Anchor::End, LABEL.size(12.0), &level.label);
}

/// A number for each curve that the key names, where there are several.
pub(super) fn tags(curves: &[Curve]) -> Vec<String> {
    let named = curves
        .iter()
        .filter(|curve| !curve.label.is_empty())
        .count();
    let mut next = 0_usize;
    curves
        .iter()
        .map(|curve| {
            if curve.label.is_empty() || named < 2 {
                return String::new();
            }
            next += 1;
            next.to_string()
        })
        .collect()
}

/// A curve with its markers along the way, its operating points and its number.
pub(super) fn draw_series(
    svg: &mut Svg,
    curve: &Curve,
    tag: &str,
    place: impl Fn((f64, f64)) -> (f64, f64),
) {
    let points: Vec<(f64, f64)> = curve.points.iter().map(|&point| place(point)).collect();
    let name = if curve.label.is_empty() {
        &curve.site
    } else {
        &curve.label
    };
    svg.open(&[("data-series", name), ("data-site", &curve.site)]);
    svg.polyline(&points, curve.look.stroke());
    let (kind, fill) = curve.look.marker();
    if !curve.label.is_empty() {
        let shift = tag.parse::<f64>().unwrap_or(1.0) * 0.06;
        for part in [0.2, 0.5, 0.8] {
            if let Some(at) = along(&points, part + shift - 0.12) {
                svg.hollow(kind, at, fill);
            }
        }
        if let Some((x, y)) = along(&points, 0.25 + shift - 0.12) {
            svg.tag((x + 7.0, y + 13.0), fill, tag);
        }
    }
    for &point in &curve.operating {
        svg.marker(kind, place(point), fill);
    }
    svg.close();
}

/// The point after `part` of the way along a line.
pub(super) fn along(points: &[(f64, f64)], part: f64) -> Option<(f64, f64)> {
    let length = |a: (f64, f64), b: (f64, f64)| libm::hypot(b.0 - a.0, b.1 - a.1);
    let pairs = || points.iter().zip(points.iter().skip(1));
    let total: f64 = pairs().map(|(a, b)| length(*a, *b)).sum();
    let mut left = total * part.clamp(0.0, 1.0);
    for (a, b) in pairs() {
        let step = length(*a, *b);
        if step > 0.0 && left <= step {
            let share = left / step;
            return Some((a.0 + share * (b.0 - a.0), a.1 + share * (b.1 - a.1)));
        }
        left -= step;
    }
    points.last().copied()
}

fn place((fpr, tpr): (f64, f64)) -> (f64, f64) {
    (LEFT + fpr * SIDE, TOP + (1.0 - tpr) * SIDE)
}

fn draw_frame(svg: &mut Svg, square: Square) {
    for step in 0..=5_u8 {
        let share = f64::from(step) / 5.0;
        let text = format!("{share:.1}");
        let (x, y) = place((share, share));
        svg.line((x, TOP), (x, TOP + SIDE), Stroke::solid("#ececec", 1.0));
        svg.line((LEFT, y), (LEFT + SIDE, y), Stroke::solid("#ececec", 1.0));
        svg.text(
            (x, TOP + SIDE + 19.0),
            Anchor::Middle,
            LABEL.size(12.0),
            &text,
        );
        svg.text((LEFT - 8.0, y + 4.0), Anchor::End, LABEL.size(12.0), &text);
    }
    if square == Square::Roc {
        svg.line(
            place((0.0, 0.0)),
            place((1.0, 1.0)),
            Stroke::dashed("#8a8a8a", 1.0, "4 4"),
        );
    }
    svg.rect(
        (LEFT, TOP),
        (SIDE, SIDE),
        "none",
        Some(Stroke::solid(INK, 1.0)),
    );
    let soft = LABEL.size(12.5).fill(SOFT);
    let middle = (LEFT + SIDE / 2.0, TOP + SIDE + 42.0);
    let [across, up] = names(square);
    svg.text(middle, Anchor::Middle, soft, across);
    svg.text_up((16.0, TOP + SIDE / 2.0), soft, up);
}

/// What each named curve is called, in a box whose lower left corner is `corner`.
pub(super) fn draw_key(svg: &mut Svg, corner: (f64, f64), curves: &[Curve]) {
    let tags = tags(curves);
    let named = curves.iter().zip(&tags);
    let shown: Vec<_> = named.filter(|(curve, _)| !curve.label.is_empty()).collect();
    if shown.is_empty() {
        return;
    }
    let rows = f64::from(u32::try_from(shown.len()).unwrap_or(0));
    let (width, row) = (KEY, 21.0);
    let corner = (corner.0, corner.1 - rows * row - 10.0);
    svg.rect(
        corner,
        (width, rows * row + 10.0),
        "#ffffff",
        Some(Stroke::solid("#d0d0d0", 1.0)),
    );
    let mut y = corner.1 + 16.0;
    for (curve, tag) in shown {
        let x = corner.0 + 10.0;
        svg.open(&[("data-site", &curve.site)]);
        svg.line((x, y), (x + 36.0, y), curve.look.stroke());
        let (kind, fill) = curve.look.marker();
        svg.hollow(kind, (x + 18.0, y), fill);
        svg.tag((x + 43.0, y + 4.0), fill, tag);
        let face = LABEL.size(12.0);
        let at = (x + 56.0, y + 4.0);
        svg.text(at, Anchor::Start, face, &clip(&curve.label, 40));
        svg.close();
        y += row;
    }
}
