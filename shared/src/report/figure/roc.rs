//! ROC and precision-recall curves on a square of 1:1, with a key inside the emptier corner.
//!
//! From: `page::discrimination`.
//! To: `document::Figure`.

use super::svg::{Anchor, LABEL, Stroke, Svg, clip};
use super::{DASHES, HUES, INK, SOFT};

const LEFT: f64 = 58.0;
const TOP: f64 = 14.0;
const SIDE: f64 = 440.0;
/// Width of the key.
pub(super) const KEY: f64 = 306.0;

/// One curve.
pub(in crate::report) struct Curve {
    /// Name in the key.
    pub(in crate::report) label: String,
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

    fn marker(self) -> (usize, &'static str) {
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
    curves: &[Curve],
) -> String {
    let mut svg = Svg::new(LEFT + SIDE + 16.0, TOP + SIDE + 52.0);
    for curve in curves {
        let upper = curve.band.iter().map(|(x, _, high)| place((*x, *high)));
        let lower = curve.band.iter().rev().map(|(x, low, _)| place((*x, *low)));
        let outline: Vec<(f64, f64)> = upper.chain(lower).collect();
        if !outline.is_empty() {
            svg.polygon(&outline, "#e3e3e3", None);
        }
    }
    draw_frame(&mut svg, square);
    for curve in curves {
        let points: Vec<(f64, f64)> = curve.points.iter().map(|&point| place(point)).collect();
        svg.polyline(&points, curve.look.stroke());
    }
    for curve in curves {
        let (kind, fill) = curve.look.marker();
        for &point in &curve.operating {
            svg.marker(kind, place(point), fill);
        }
    }
    let left = match square {
        Square::Roc => LEFT + SIDE - 8.0 - KEY,
        Square::PrecisionRecall => LEFT + 8.0,
    };
    let shown = curves.iter().filter(|curve| !curve.label.is_empty());
    let corner = (left, TOP + SIDE - 8.0);
    draw_key(&mut svg, corner, &shown.collect::<Vec<_>>());
    svg.finish(id, title, description)
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
    let (across, up) = match square {
        Square::Roc => (
            "False positive rate (1 − specificity)",
            "True positive rate (sensitivity)",
        ),
        Square::PrecisionRecall => ("Recall (sensitivity)", "Precision (PPV)"),
    };
    svg.text(middle, Anchor::Middle, soft, across);
    svg.text_up((16.0, TOP + SIDE / 2.0), soft, up);
}

/// What each curve is called, in a box whose lower left corner is `corner`.
pub(super) fn draw_key(svg: &mut Svg, corner: (f64, f64), shown: &[&Curve]) {
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
    for curve in shown {
        let x = corner.0 + 10.0;
        svg.line((x, y), (x + 30.0, y), curve.look.stroke());
        let (kind, fill) = curve.look.marker();
        if !curve.operating.is_empty() {
            svg.marker(kind, (x + 15.0, y), fill);
        }
        svg.text(
            (x + 38.0, y + 4.0),
            Anchor::Start,
            LABEL.size(12.0),
            &clip(&curve.label, 38),
        );
        y += row;
    }
}
