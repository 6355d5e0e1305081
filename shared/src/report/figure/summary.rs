//! Summary point of sensitivity and specificity in the square of the ROC: the hospitals' points,
//! the region of the mean over hospitals and that of the next hospital.
//!
//! From: `page::summary`.
//! To: `document::Figure`.

use super::svg::{Anchor, LABEL, Scale, Stroke, Svg, clip};
use super::{HUES, INK, SOFT};

const LEFT: f64 = 58.0;
const TOP: f64 = 14.0;
const SIDE: f64 = 440.0;
/// Hospitals beyond which points carry no names.
const NAMED: usize = 8;
const ACROSS: &str = "False positive rate (1 − specificity)";
const UP: &str = "True positive rate (sensitivity)";

/// One hospital.
pub(in crate::report) struct Dot {
    /// Its name.
    pub(in crate::report) label: String,
    /// False positive rate and sensitivity.
    pub(in crate::report) at: (f64, f64),
    /// Its cases over those of the largest hospital, the area of its circle.
    pub(in crate::report) size: f64,
}

/// What is drawn.
pub(in crate::report) struct Summary {
    /// The hospitals.
    pub(in crate::report) dots: Vec<Dot>,
    /// The summary point.
    pub(in crate::report) centre: (f64, f64),
    /// Outline of the region of the mean; empty for none.
    pub(in crate::report) mean: Vec<(f64, f64)>,
    /// Outline of the region of the next hospital; empty for none.
    pub(in crate::report) next: Vec<(f64, f64)>,
}

/// The drawing.
pub(in crate::report) fn draw(id: &str, title: &str, description: &str, plot: &Summary) -> String {
    let mut svg = Svg::new(LEFT + SIDE + 16.0, TOP + SIDE + 52.0);
    svg.scaled(&Scale {
        across: (LEFT, LEFT + SIDE),
        up: (TOP + SIDE, TOP),
        values: [0.0, 1.0, 0.0, 1.0],
        names: [ACROSS, UP],
    });
    frame(&mut svg);
    let outline = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
        let turn = points.iter().chain(points.first());
        turn.map(|&at| place(at)).collect()
    };
    if !plot.next.is_empty() {
        svg.open(&[("data-series", "Next hospital")]);
        svg.polyline(&outline(&plot.next), Stroke::dashed(HUES[1], 2.0, "7 3"));
        svg.close();
    }
    if !plot.mean.is_empty() {
        svg.open(&[("data-series", "Mean over hospitals")]);
        svg.polyline(&outline(&plot.mean), Stroke::solid(INK, 2.2));
        svg.close();
    }
    draw_dots(&mut svg, &plot.dots);
    svg.open(&[("data-series", "Summary point")]);
    let (x, y) = place(plot.centre);
    let corners = [(x, y - 7.0), (x + 7.0, y), (x, y + 7.0), (x - 7.0, y)];
    svg.polygon(&corners, INK, None);
    svg.close();
    key(&mut svg, plot);
    svg.finish(id, title, description)
}

/// Circles, with names that do not cover each other.
fn draw_dots(svg: &mut Svg, dots: &[Dot]) {
    const STEP: f64 = 15.0;
    let mut order: Vec<&Dot> = dots.iter().collect();
    order.sort_by(|a, b| b.at.1.total_cmp(&a.at.1));
    let mut lowest = f64::NEG_INFINITY;
    for dot in order {
        let (x, y) = place(dot.at);
        let radius = 11.0 * dot.size.clamp(0.03, 1.0).sqrt();
        svg.open(&[("data-site", &dot.label)]);
        let edge = Some(Stroke::solid(HUES[0], 1.6));
        svg.circle((x, y), radius, "none", edge);
        if dots.len() <= NAMED {
            let name = clip(&dot.label, 30);
            let base = y.max(lowest + STEP);
            lowest = base;
            let (side, anchor) = if dot.at.0 > 0.6 {
                (-1.0, Anchor::End)
            } else {
                (1.0, Anchor::Start)
            };
            let at = (x + side * (radius + 22.0), base);
            let thread = Stroke::solid("#9a9a9a", 0.8);
            svg.line((x + side * radius, y), (at.0 - side * 3.0, base), thread);
            svg.text((at.0, base + 4.0), anchor, LABEL.size(11.5), &name);
        }
        svg.close();
    }
}

fn place((x, y): (f64, f64)) -> (f64, f64) {
    (
        LEFT + x.clamp(0.0, 1.0) * SIDE,
        TOP + (1.0 - y.clamp(0.0, 1.0)) * SIDE,
    )
}

fn frame(svg: &mut Svg) {
    for step in 0..=5_u8 {
        let share = f64::from(step) / 5.0;
        let text = format!("{share:.1}");
        let (x, y) = place((share, share));
        svg.line((x, TOP), (x, TOP + SIDE), Stroke::solid("#ececec", 1.0));
        svg.line((LEFT, y), (LEFT + SIDE, y), Stroke::solid("#ececec", 1.0));
        let small = LABEL.size(12.0);
        svg.text((x, TOP + SIDE + 19.0), Anchor::Middle, small, &text);
        svg.text((LEFT - 8.0, y + 4.0), Anchor::End, small, &text);
    }
    let chance = Stroke::dashed("#8a8a8a", 1.0, "4 4");
    svg.line(place((0.0, 0.0)), place((1.0, 1.0)), chance);
    let edge = Some(Stroke::solid(INK, 1.0));
    svg.rect((LEFT, TOP), (SIDE, SIDE), "none", edge);
    let soft = LABEL.size(12.5).fill(SOFT);
    let below = (LEFT + SIDE / 2.0, TOP + SIDE + 42.0);
    svg.text(below, Anchor::Middle, soft, ACROSS);
    svg.text_up((16.0, TOP + SIDE / 2.0), soft, UP);
}

fn key(svg: &mut Svg, plot: &Summary) {
    let mut rows: Vec<(&str, Option<Stroke>)> =
        vec![("Hospital, area by cases", None), ("Summary point", None)];
    if !plot.mean.is_empty() {
        rows.push((
            "Mean over hospitals, 95% region",
            Some(Stroke::solid(INK, 2.2)),
        ));
    }
    if !plot.next.is_empty() {
        let dashed = Stroke::dashed(HUES[1], 2.0, "7 3");
        rows.push(("Next hospital, approximate 95% region", Some(dashed)));
    }
    let tall = 21.0 * f64::from(u32::try_from(rows.len()).unwrap_or(0)) + 10.0;
    let width = 290.0;
    let corner = (LEFT + SIDE - 8.0 - width, TOP + SIDE - 8.0 - tall);
    let edge = Some(Stroke::solid("#d0d0d0", 1.0));
    svg.rect(corner, (width, tall), "#ffffff", edge);
    let mut y = corner.1 + 16.0;
    for (index, (text, stroke)) in rows.iter().enumerate() {
        let x = corner.0 + 10.0;
        match (stroke, index) {
            (Some(stroke), _) => svg.line((x, y), (x + 36.0, y), *stroke),
            (None, 0) => {
                let edge = Some(Stroke::solid(HUES[0], 1.6));
                svg.circle((x + 18.0, y), 6.0, "none", edge);
            }
            (None, _) => svg.polygon(
                &[
                    (x + 18.0, y - 7.0),
                    (x + 25.0, y),
                    (x + 18.0, y + 7.0),
                    (x + 11.0, y),
                ],
                INK,
                None,
            ),
        }
        svg.text((x + 46.0, y + 4.0), Anchor::Start, LABEL.size(12.0), text);
        y += 21.0;
    }
}
