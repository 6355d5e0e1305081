//! Paired forest plot: sensitivity and specificity of each hospital side by side, so that a
//! threshold that trades one for the other is seen.
//!
//! From: `page::summary`.
//! To: `document::Figure`.

use super::svg::{Anchor, LABEL, Stroke, Svg, clip, number};
use super::{HUES, INK, RULE, SOFT};

const WIDTH: f64 = 950.0;
const ROW: f64 = 26.0;
const TOP: f64 = 46.0;
/// Where counts end, plots run and texts begin, on each side.
const SIDES: [Columns; 2] = [
    Columns {
        count: 264.0,
        plot: (276.0, 402.0),
        text: 412.0,
    },
    Columns {
        count: 642.0,
        plot: (654.0, 772.0),
        text: 782.0,
    },
];

struct Columns {
    count: f64,
    plot: (f64, f64),
    text: f64,
}

impl Columns {
    fn place(&self, share: f64) -> f64 {
        self.plot.0 + share.clamp(0.0, 1.0) * (self.plot.1 - self.plot.0)
    }
}

/// What a row is.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(in crate::report) enum Kind {
    /// A hospital in the pool.
    Site,
    /// A hospital that is in no pool: drawn hollow.
    Apart,
    /// A mean over hospitals.
    Pool,
    /// A prediction interval.
    Prediction,
}

/// One rate of a row.
pub(in crate::report) struct Side {
    /// Right answers over cases of the class, as printed.
    pub(in crate::report) count: String,
    /// Estimate, from 0 to 1; none for a prediction interval.
    pub(in crate::report) estimate: Option<f64>,
    /// Ends of the interval.
    pub(in crate::report) interval: Option<(f64, f64)>,
    /// As printed.
    pub(in crate::report) text: String,
}

/// A row.
pub(in crate::report) struct PairedRow {
    /// Name.
    pub(in crate::report) label: String,
    /// What it is.
    pub(in crate::report) kind: Kind,
    /// Sensitivity and specificity, as far as there is a number or a word.
    pub(in crate::report) sides: [Option<Side>; 2],
}

/// The drawing; `level` is the level of the intervals in words: `95%`.
pub(in crate::report) fn draw(
    id: &str,
    title: &str,
    description: &str,
    level: &str,
    rows: &[PairedRow],
) -> String {
    let bottom = TOP + ROW * f64::from(u32::try_from(rows.len()).unwrap_or(u32::MAX));
    let mut svg = Svg::new(WIDTH, bottom + 48.0);
    frame(&mut svg, level, bottom);
    let mut y = TOP + ROW / 2.0;
    for row in rows {
        draw_row(&mut svg, row, y);
        y += ROW;
    }
    svg.finish(id, title, description)
}

fn frame(svg: &mut Svg, level: &str, bottom: f64) {
    let head = LABEL.bold();
    svg.text((4.0, 18.0), Anchor::Start, head, "Hospital");
    let names = [
        ("TP / events", format!("Sensitivity ({level} CI)")),
        ("TN / others", format!("Specificity ({level} CI)")),
    ];
    for (columns, (count, text)) in SIDES.iter().zip(&names) {
        svg.text((columns.count, 18.0), Anchor::End, head, count);
        svg.text((columns.plot.0, 18.0), Anchor::Start, head, text);
        for (share, text) in [
            (0.0, "0%"),
            (0.25, ""),
            (0.5, "50%"),
            (0.75, ""),
            (1.0, "100%"),
        ] {
            let x = columns.place(share);
            svg.line((x, TOP - 8.0), (x, bottom), Stroke::solid("#ececec", 1.0));
            svg.line((x, bottom), (x, bottom + 5.0), Stroke::solid(INK, 1.0));
            if !text.is_empty() {
                let face = LABEL.size(12.0);
                svg.text((x, bottom + 19.0), Anchor::Middle, face, text);
            }
        }
        let (left, right) = columns.plot;
        svg.line((left, bottom), (right, bottom), Stroke::solid(INK, 1.0));
        let middle = f64::midpoint(left, right);
        let soft = LABEL.size(12.0).fill(SOFT);
        svg.text(
            (middle, bottom + 38.0),
            Anchor::Middle,
            soft,
            "linear scale",
        );
    }
    svg.line((0.0, 28.0), (WIDTH, 28.0), Stroke::solid(INK, 1.0));
}

fn draw_row(svg: &mut Svg, row: &PairedRow, y: f64) {
    let summary = matches!(row.kind, Kind::Pool | Kind::Prediction);
    let face = match row.kind {
        Kind::Site | Kind::Apart => LABEL.size(12.5),
        Kind::Pool => LABEL.size(12.5).bold(),
        Kind::Prediction => LABEL.size(12.5).fill(SOFT),
    };
    if summary {
        if row.kind == Kind::Pool {
            let above = y - ROW / 2.0;
            svg.line((0.0, above), (WIDTH, above), Stroke::solid(RULE, 1.0));
        }
    } else {
        let value = |side: &Option<Side>| {
            let estimate = side.as_ref().and_then(|side| side.estimate);
            estimate.map_or_else(String::new, |value| format!("{value:.4}"))
        };
        svg.open(&[
            ("data-site", &row.label),
            ("data-row", &number(y)),
            ("data-v", &value(&row.sides[0])),
            ("data-w", &value(&row.sides[1])),
            (
                "data-block",
                if row.kind == Kind::Apart { "apart" } else { "" },
            ),
        ]);
    }
    let start = if summary { 4.0 } else { 14.0 };
    let name = clip(&row.label, 29);
    svg.text((start, y + 4.5), Anchor::Start, face, &name);
    for (columns, side) in SIDES.iter().zip(&row.sides) {
        let Some(side) = side else { continue };
        svg.text((columns.count, y + 4.5), Anchor::End, face, &side.count);
        let shown = clip(&side.text, 25);
        svg.text((columns.text, y + 4.5), Anchor::Start, face, &shown);
        draw_mark(svg, columns, row.kind, side, y);
    }
    if !summary {
        svg.close();
    }
}

fn draw_mark(svg: &mut Svg, columns: &Columns, kind: Kind, side: &Side, y: f64) {
    let ends = side
        .interval
        .map(|(low, high)| (columns.place(low), columns.place(high)));
    let at = side.estimate.map(|value| columns.place(value));
    match kind {
        Kind::Site | Kind::Apart => {
            let colour = if kind == Kind::Site { HUES[0] } else { HUES[1] };
            if let Some((low, high)) = ends {
                svg.line((low, y), (high, y), Stroke::solid(colour, 1.6));
            }
            let Some(x) = at else { return };
            if kind == Kind::Site {
                svg.rect((x - 4.0, y - 4.0), (8.0, 8.0), colour, None);
            } else {
                let edge = Some(Stroke::solid(colour, 1.8));
                svg.circle((x, y), 5.0, "#ffffff", edge);
            }
        }
        Kind::Pool => {
            if let (Some((low, high)), Some(x)) = (ends, at) {
                let corners = [(low, y), (x, y - 8.0), (high, y), (x, y + 8.0)];
                svg.polygon(&corners, INK, None);
            }
        }
        Kind::Prediction => {
            if let Some((low, high)) = ends {
                svg.line((low, y), (high, y), Stroke::solid(INK, 4.0));
            }
        }
    }
}
