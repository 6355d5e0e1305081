//! Distribution of predictions by outcome: events above the line, non-events below, one panel
//! per site.
//!
//! From: `page::discrimination`.
//! To: `document::Figure`.

use super::svg::{Anchor, LABEL, Rect, Stroke, Svg, clip};
use super::{HUES, INK, SOFT};

/// Bars per panel, of equal width in the prediction.
pub(in crate::report) const BARS: usize = 20;

const PANEL: (f64, f64) = (288.0, 168.0);
const GAP: (f64, f64) = (24.0, 52.0);
const LEFT: f64 = 18.0;
const TOP: f64 = 24.0;

/// One panel.
pub(in crate::report) struct Panel {
    /// Heading.
    pub(in crate::report) label: String,
    /// Share of events per bar.
    pub(in crate::report) events: [f64; BARS],
    /// Share of non-events per bar.
    pub(in crate::report) non_events: [f64; BARS],
    /// Prespecified thresholds.
    pub(in crate::report) thresholds: Vec<f64>,
}

/// Shares over blocks as shares over bars of equal width; a block that spans several bars is
/// spread evenly over them.
pub(in crate::report) fn rebin(blocks: impl Iterator<Item = (f64, f64, f64)>) -> [f64; BARS] {
    let mut bars = [0.0; BARS];
    let mut low = 0.0;
    let width = 1.0 / f64::from(20_u8);
    let edges: Vec<(f64, f64)> = (0..BARS)
        .map(|_| {
            let edge = (low, low + width);
            low += width;
            edge
        })
        .collect();
    for (from, to, share) in blocks {
        if to <= from || share <= 0.0 {
            continue;
        }
        for (bar, &(left, right)) in bars.iter_mut().zip(&edges) {
            let overlap = to.min(right) - from.max(left);
            if overlap > 0.0 {
                *bar += share * overlap / (to - from);
            }
        }
    }
    bars
}

/// Panels up to which each axis shows its quarters.
const FEW: usize = 12;

/// The drawing of `panels`, three in a row.
pub(in crate::report) fn draw(
    id: &str,
    title: &str,
    description: &str,
    panels: &[Panel],
) -> String {
    let columns = panels.len().clamp(1, 3);
    let rows = panels.len().div_ceil(columns).max(1);
    let width = LEFT * 2.0 + len(columns) * PANEL.0 + (len(columns) - 1.0) * GAP.0;
    let height = TOP + len(rows) * (PANEL.1 + GAP.1) + 4.0;
    let mut svg = Svg::new(width, height);
    let peak = panels
        .iter()
        .flat_map(|panel| panel.events.iter().chain(&panel.non_events))
        .fold(0.05_f64, |peak, &share| peak.max(share));
    for (index, panel) in panels.iter().enumerate() {
        let corner = (
            LEFT + len(index % columns) * (PANEL.0 + GAP.0),
            TOP + len(index / columns) * (PANEL.1 + GAP.1),
        );
        draw_panel(&mut svg, panel, corner, peak);
        draw_panel_axis(&mut svg, panel, corner, panels.len() <= FEW);
        if index == 0 {
            draw_names(&mut svg, corner);
        }
    }
    svg.finish(id, title, description)
}

fn draw_panel(svg: &mut Svg, panel: &Panel, corner: (f64, f64), peak: f64) {
    let (left, top) = corner;
    let middle = top + PANEL.1 / 2.0;
    let half = PANEL.1 / 2.0 - 4.0;
    let bar = PANEL.0 / len(BARS);
    svg.text(
        (left, top - 6.0),
        Anchor::Start,
        LABEL.bold(),
        &clip(&panel.label, 35),
    );
    let bars = |shares: &[f64; BARS], up: bool| -> Vec<Rect> {
        shares
            .iter()
            .enumerate()
            .filter(|(_, share)| **share > 0.0)
            .map(|(index, share)| {
                let tall = half * share / peak;
                let x = left + len(index) * bar + 0.75;
                (
                    (x, if up { middle - tall } else { middle }),
                    (bar - 1.5, tall),
                )
            })
            .collect()
    };
    svg.rects(&bars(&panel.events, true), HUES[1], None);
    let outline = Some(Stroke::solid(HUES[0], 1.0));
    svg.rects(&bars(&panel.non_events, false), "#dcebf5", outline);
    svg.line(
        (left, middle),
        (left + PANEL.0, middle),
        Stroke::solid(INK, 1.0),
    );
}

/// The axis of a panel; with `fine` also its quarters.
fn draw_panel_axis(svg: &mut Svg, panel: &Panel, (left, top): (f64, f64), fine: bool) {
    for threshold in &panel.thresholds {
        let x = left + threshold * PANEL.0;
        svg.line(
            (x, top),
            (x, top + PANEL.1),
            Stroke::dashed(INK, 1.0, "3 3"),
        );
    }
    let bottom = top + PANEL.1;
    svg.line(
        (left, bottom),
        (left + PANEL.0, bottom),
        Stroke::solid("#8a8a8a", 1.0),
    );
    let halves: &[(f64, &str)] = &[(0.0, "0"), (0.5, "0.5"), (1.0, "1")];
    let quarters: &[(f64, &str)] = &[(0.25, "0.25"), (0.75, "0.75")];
    let ticks = halves.iter().chain(quarters.iter().filter(|_| fine));
    for (share, text) in ticks {
        let x = left + share * PANEL.0;
        svg.line(
            (x, bottom),
            (x, bottom + 4.0),
            Stroke::solid("#8a8a8a", 1.0),
        );
        svg.text(
            (x, bottom + 17.0),
            Anchor::Middle,
            LABEL.size(11.0).fill(SOFT),
            text,
        );
    }
}

fn draw_names(svg: &mut Svg, (left, top): (f64, f64)) {
    svg.text(
        (left + 4.0, top + 13.0),
        Anchor::Start,
        LABEL.size(12.0).fill("#9a4400"),
        "events ▲",
    );
    svg.text(
        (left + PANEL.0 - 4.0, top + PANEL.1 - 6.0),
        Anchor::End,
        LABEL.size(12.0).fill("#005a8c"),
        "non-events ▼",
    );
}

fn len(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_keep_the_mass() {
        let bars = rebin([(0.0, 0.01, 0.25), (0.01, 0.3, 0.5), (0.99, 1.0, 0.25)].into_iter());
        let total: f64 = bars.iter().sum();
        assert!((total - 1.0).abs() < 1e-12);
        assert!((bars[19] - 0.25).abs() < 1e-12);
    }
}
