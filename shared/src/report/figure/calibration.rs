//! Calibration curves: predicted against observed risk on a square of 1:1, with the
//! distribution of predictions by outcome below.
//!
//! From: `page::calibration`.
//! To: `document::Figure`.

use super::distribution::BARS;
use super::roc::{Curve, KEY, draw_key, draw_series, tags};
use super::svg::{Anchor, LABEL, Rect, Scale, Stroke, Svg};
use super::{HUES, INK, SOFT};

const LEFT: f64 = 58.0;
const TOP: f64 = 14.0;
const SIDE: f64 = 440.0;
const ACROSS: &str = "Predicted risk";
const UP: &str = "Observed share of events";
/// Height of the distribution.
const STRIP: f64 = 96.0;

/// Patients of neighbouring predictions.
pub(in crate::report) struct Bin {
    /// Their mean prediction.
    pub(in crate::report) predicted: f64,
    /// Their share of events.
    pub(in crate::report) observed: f64,
    /// The interval of that share.
    pub(in crate::report) interval: Option<(f64, f64)>,
}

/// What is drawn.
pub(in crate::report) struct Calibration {
    /// Curves of (predicted, observed), ascending; the last ones on top.
    pub(in crate::report) curves: Vec<Curve>,
    /// Observed shares with their intervals.
    pub(in crate::report) bins: Vec<Bin>,
    /// Share of events and of non-events per bar of equal width.
    pub(in crate::report) distribution: Option<([f64; BARS], [f64; BARS])>,
}

/// The drawing.
pub(in crate::report) fn draw(
    id: &str,
    title: &str,
    description: &str,
    plot: &Calibration,
) -> String {
    let strip = if plot.distribution.is_some() {
        STRIP
    } else {
        0.0
    };
    let mut svg = Svg::new(LEFT + SIDE + 16.0, TOP + SIDE + strip + 52.0);
    svg.scaled(&Scale {
        across: (LEFT, LEFT + SIDE),
        up: (TOP + SIDE, TOP),
        values: [0.0, 1.0, 0.0, 1.0],
        names: [ACROSS, UP],
    });
    for curve in plot.curves.iter().filter(|curve| !curve.band.is_empty()) {
        let upper = curve.band.iter().map(|&(x, _, high)| place((x, high)));
        let lower = curve.band.iter().rev().map(|&(x, low, _)| place((x, low)));
        let shape: Vec<(f64, f64)> = upper.chain(lower).collect();
        svg.polygon(&shape, "#e3e3e3", None);
    }
    draw_frame(&mut svg, strip);
    for (curve, tag) in plot.curves.iter().zip(&tags(&plot.curves)) {
        draw_series(&mut svg, curve, tag, place);
    }
    for bin in &plot.bins {
        let x = bin.predicted;
        if let Some((low, high)) = bin.interval {
            svg.line(place((x, low)), place((x, high)), Stroke::solid(INK, 1.0));
        }
        svg.marker(0, place((x, bin.observed)), INK);
    }
    let corner = (LEFT + SIDE - 8.0 - KEY, TOP + SIDE - 8.0);
    draw_key(&mut svg, corner, &plot.curves);
    if let Some((events, others)) = &plot.distribution {
        draw_strip(&mut svg, events, others);
    }
    svg.finish(id, title, description)
}

fn place((x, y): (f64, f64)) -> (f64, f64) {
    (
        LEFT + x.clamp(0.0, 1.0) * SIDE,
        TOP + (1.0 - y.clamp(0.0, 1.0)) * SIDE,
    )
}

fn draw_frame(svg: &mut Svg, strip: f64) {
    let bottom = TOP + SIDE + strip;
    for step in 0..=5_u8 {
        let share = f64::from(step) / 5.0;
        let text = format!("{share:.1}");
        let (x, y) = place((share, share));
        svg.line((x, TOP), (x, TOP + SIDE), Stroke::solid("#ececec", 1.0));
        svg.line((LEFT, y), (LEFT + SIDE, y), Stroke::solid("#ececec", 1.0));
        let at = (x, bottom + 19.0);
        svg.text(at, Anchor::Middle, LABEL.size(12.0), &text);
        let at = (LEFT - 8.0, y + 4.0);
        svg.text(at, Anchor::End, LABEL.size(12.0), &text);
    }
    let ideal = Stroke::dashed("#8a8a8a", 1.0, "4 4");
    svg.line(place((0.0, 0.0)), place((1.0, 1.0)), ideal);
    let edge = Some(Stroke::solid(INK, 1.0));
    svg.rect((LEFT, TOP), (SIDE, SIDE), "none", edge);
    let soft = LABEL.size(12.5).fill(SOFT);
    let middle = (LEFT + SIDE / 2.0, bottom + 42.0);
    svg.text(middle, Anchor::Middle, soft, ACROSS);
    let middle = (16.0, TOP + SIDE / 2.0);
    svg.text_up(middle, soft, UP);
}

/// Events above the line, non-events below, on the axis of the predictions.
fn draw_strip(svg: &mut Svg, events: &[f64; BARS], others: &[f64; BARS]) {
    let middle = TOP + SIDE + STRIP / 2.0 + 2.0;
    let half = STRIP / 2.0 - 6.0;
    let both = events.iter().chain(others);
    let peak = both.fold(0.05_f64, |peak, share| peak.max(*share));
    #[expect(clippy::cast_precision_loss, reason = "twenty bars")]
    let width = SIDE / BARS as f64;
    let bars = |shares: &[f64; BARS], up: bool| -> Vec<Rect> {
        let mut left = LEFT;
        let mut bars = Vec::new();
        for share in shares {
            let tall = half * share / peak;
            if tall > 0.0 {
                let top = if up { middle - tall } else { middle };
                bars.push(((left + 0.75, top), (width - 1.5, tall)));
            }
            left += width;
        }
        bars
    };
    svg.rects(&bars(events, true), HUES[1], None);
    let outline = Some(Stroke::solid(HUES[0], 1.0));
    svg.rects(&bars(others, false), "#dcebf5", outline);
    svg.line(
        (LEFT, middle),
        (LEFT + SIDE, middle),
        Stroke::solid(INK, 1.0),
    );
    let small = LABEL.size(11.0);
    let at = (LEFT - 4.0, middle - 8.0);
    svg.text(at, Anchor::End, small.fill("#9a4400"), "events ▲");
    let at = (LEFT - 4.0, middle + 16.0);
    svg.text(at, Anchor::End, small.fill("#005a8c"), "others ▼");
}
