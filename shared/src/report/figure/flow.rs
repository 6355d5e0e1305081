//! Participant flow over the external sites, in the manner of TRIPOD+AI item 20a.
//!
//! From: `page::flow`.
//! To: `document::Figure`.

use super::svg::{Anchor, LABEL, Stroke, Svg, clip};
use super::{INK, SOFT};

const BOX: (f64, f64) = (250.0, 46.0);
const SPINE: f64 = 71.0;
const SIDE_X: f64 = 412.0;
const SIDE_WIDTH: f64 = 420.0;
const STEP: f64 = 74.0;
const OUTCOME: f64 = 180.0;
const OUTCOME_X: f64 = 6.0;

/// A box of the spine, and what leaves the flow below it.
pub(in crate::report) struct Step {
    /// What the box counts.
    pub(in crate::report) label: String,
    /// The count as printed.
    pub(in crate::report) count: String,
    /// Lines of the side box: what leaves on the way down.
    pub(in crate::report) leaves: Vec<String>,
}

/// The drawing: the spine from top to bottom, then one box per outcome.
pub(in crate::report) fn draw(
    id: &str,
    title: &str,
    description: &str,
    steps: &[Step],
    outcomes: &[(String, String)],
) -> String {
    let heights: Vec<f64> = steps
        .iter()
        .map(|step| STEP.max(24.0 + 18.0 * len(step.leaves.len()) + 30.0))
        .collect();
    let total: f64 = heights.iter().sum();
    let mut svg = Svg::new(SIDE_X + SIDE_WIDTH + 10.0, total + BOX.1 + 14.0);
    let centre = SPINE + BOX.0 / 2.0;
    let mut y = 6.0;
    for (index, (step, height)) in steps.iter().zip(&heights).enumerate() {
        draw_box(&mut svg, (SPINE, y), BOX.0, &step.label, &step.count, true);
        if index + 1 < steps.len() {
            arrow_down(&mut svg, centre, y + BOX.1, y + height);
        } else if !outcomes.is_empty() {
            let rail = (centre, y + height - 16.0);
            svg.line((centre, y + BOX.1), rail, Stroke::solid(INK, 1.0));
        }
        if !step.leaves.is_empty() {
            let middle = y + f64::midpoint(BOX.1, *height);
            let tall = 10.0 + 18.0 * len(step.leaves.len());
            svg.line(
                (centre, middle),
                (SIDE_X - 2.0, middle),
                Stroke::solid(INK, 1.0),
            );
            svg.rect(
                (SIDE_X, middle - tall / 2.0),
                (SIDE_WIDTH, tall),
                "#ffffff",
                Some(Stroke::solid("#8a8a8a", 1.0)),
            );
            let mut line = middle - tall / 2.0 + 18.0;
            for text in &step.leaves {
                svg.text((SIDE_X + 10.0, line), Anchor::Start, LABEL, &clip(text, 64));
                line += 18.0;
            }
        }
        y += height;
    }
    draw_outcomes(&mut svg, y, outcomes);
    svg.finish(id, title, description)
}

fn draw_outcomes(svg: &mut Svg, y: f64, outcomes: &[(String, String)]) {
    for (index, (label, count)) in outcomes.iter().enumerate() {
        let x = OUTCOME_X + len(index) * (OUTCOME + 20.0);
        draw_box(svg, (x, y), OUTCOME, label, count, false);
    }
    if outcomes.len() > 1 {
        let from = OUTCOME_X + OUTCOME / 2.0;
        let to = from + len(outcomes.len() - 1) * (OUTCOME + 20.0);
        let rail = y - 16.0;
        svg.line((from, rail), (to, rail), Stroke::solid(INK, 1.0));
        arrow_down(svg, from, rail, y);
        arrow_down(svg, to, rail, y);
    }
}

fn draw_box(svg: &mut Svg, at: (f64, f64), width: f64, label: &str, count: &str, strong: bool) {
    let fill = if strong { "#f2f6f9" } else { "#ffffff" };
    svg.rect(at, (width, BOX.1), fill, Some(Stroke::solid(INK, 1.0)));
    let middle = at.0 + width / 2.0;
    svg.text(
        (middle, at.1 + 19.0),
        Anchor::Middle,
        LABEL.fill(SOFT),
        &clip(label, 40),
    );
    svg.text(
        (middle, at.1 + 37.0),
        Anchor::Middle,
        LABEL.bold(),
        &format!("n = {count}"),
    );
}

fn arrow_down(svg: &mut Svg, x: f64, from: f64, to: f64) {
    svg.line((x, from), (x, to - 6.0), Stroke::solid(INK, 1.0));
    svg.polygon(
        &[(x, to), (x - 4.0, to - 8.0), (x + 4.0, to - 8.0)],
        INK,
        None,
    );
}

fn len(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
