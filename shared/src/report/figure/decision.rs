//! Decision curves: net benefit over thresholds, with treating all and treating none, and below
//! it the interventions that a model avoids.
//!
//! From: `page::utility`.
//! To: `document::Figure`.

use super::roc::along;
use super::svg::{Anchor, LABEL, Scale, Stroke, Svg, clip};
use super::{DASHES, HUES, INK, RULE, SOFT};

const LEFT: f64 = 64.0;
const TOP: f64 = 14.0;
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 300.0;
/// Height of the lower panel, and room between the two.
const LOWER: f64 = 170.0;
const BETWEEN: f64 = 64.0;
/// Room for names at the right.
const NAMES: f64 = 270.0;
const ACROSS: &str = "Threshold probability";

/// One line.
pub(in crate::report) struct Line {
    /// Name beside its end; none when empty.
    pub(in crate::report) label: String,
    /// Whose line it is.
    pub(in crate::report) site: String,
    /// Threshold and value, by ascending threshold.
    pub(in crate::report) points: Vec<(f64, f64)>,
    /// Interval at each threshold: threshold, lower and upper end; empty for none.
    pub(in crate::report) band: Vec<(f64, f64, f64)>,
    /// How it is drawn.
    pub(in crate::report) look: Look,
}

/// How a line is drawn.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(in crate::report) enum Look {
    /// A model's mean over hospitals, by its place in the protocol.
    Model(usize),
    /// A model at one hospital: thin, in the model's hue.
    Site(usize),
    /// Treating everybody.
    All,
    /// Treating nobody.
    None,
}

impl Look {
    fn stroke(self) -> Stroke {
        match self {
            Self::Model(index) => Stroke::dashed(HUES[index % 4], 2.6, DASHES[index % 4]),
            Self::Site(index) => Stroke::dashed(HUES[index % 4], 0.9, "1 2"),
            Self::All => Stroke::dashed("#767676", 1.8, "12 4"),
            Self::None => Stroke::solid(INK, 1.4),
        }
    }

    fn marker(self) -> (usize, &'static str) {
        match self {
            Self::Model(index) | Self::Site(index) => (index, HUES[index % 4]),
            Self::All => (2, "#767676"),
            Self::None => (3, INK),
        }
    }
}

/// What is drawn.
pub(in crate::report) struct Decision {
    /// Net benefit.
    pub(in crate::report) benefit: Vec<Line>,
    /// Interventions avoided per patient; empty for no lower panel.
    pub(in crate::report) avoided: Vec<Line>,
    /// Prespecified thresholds.
    pub(in crate::report) thresholds: Vec<f64>,
}

impl Decision {
    /// Whether nothing is there for the lower panel.
    fn is_flat(&self) -> bool {
        self.avoided.iter().all(|line| line.points.is_empty())
    }
}

/// The drawing.
pub(in crate::report) fn draw(id: &str, title: &str, description: &str, plot: &Decision) -> String {
    let lower = if plot.is_flat() { 0.0 } else { LOWER + BETWEEN };
    let mut svg = Svg::new(LEFT + WIDTH + NAMES, TOP + HEIGHT + lower + 52.0);
    let panel = Panel::benefit(&plot.benefit);
    svg.scaled(&Scale {
        across: (LEFT, LEFT + WIDTH),
        up: (TOP + HEIGHT, TOP),
        values: [0.0, panel.right, panel.low, panel.high],
        names: [ACROSS, "Net benefit"],
    });
    draw_panel(&mut svg, &panel, &plot.benefit, &plot.thresholds);
    if !plot.is_flat() {
        let panel = Panel::avoided(&plot.avoided, panel.right);
        draw_panel(&mut svg, &panel, &plot.avoided, &plot.thresholds);
    }
    svg.finish(id, title, description)
}

/// From thresholds and values to the paper.
struct Panel {
    top: f64,
    height: f64,
    right: f64,
    low: f64,
    high: f64,
    /// A value is printed this many times as large.
    factor: f64,
    name: &'static str,
}

impl Panel {
    /// Far below 0, where nobody would act, the drawing ends: as far below 0 as a quarter of
    /// what is above.
    fn benefit(lines: &[Line]) -> Self {
        let points = || lines.iter().flat_map(|line| &line.points);
        let right = points().fold(0.0, |most: f64, point| most.max(point.0));
        let high = points().fold(0.0, |most: f64, point| most.max(point.1));
        let high = ((high * 10.0).ceil() / 10.0).clamp(0.1, 1.0);
        Self {
            top: TOP,
            height: HEIGHT,
            right: ((right * 10.0).ceil() / 10.0).clamp(0.1, 1.0),
            low: -high / 4.0,
            high,
            factor: 1.0,
            name: "Net benefit",
        }
    }

    fn avoided(lines: &[Line], right: f64) -> Self {
        let points = lines.iter().flat_map(|line| &line.points);
        let high = points.fold(0.0, |most: f64, point| most.max(point.1));
        Self {
            top: TOP + HEIGHT + BETWEEN,
            height: LOWER,
            right,
            low: 0.0,
            high: ((high * 5.0).ceil() / 5.0).clamp(0.2, 1.0),
            factor: 100.0,
            name: "Avoided per 100",
        }
    }

    fn place(&self, (threshold, value): (f64, f64)) -> (f64, f64) {
        let share = (value - self.low) / (self.high - self.low);
        (
            LEFT + WIDTH * threshold / self.right,
            self.top + self.height * (1.0 - share),
        )
    }

    /// The part of a line that the panel shows.
    fn inside(&self, points: &[(f64, f64)]) -> Vec<(f64, f64)> {
        let kept = points.iter().filter(|point| point.1 >= self.low);
        kept.map(|point| self.place(*point)).collect()
    }
}

fn draw_panel(svg: &mut Svg, panel: &Panel, lines: &[Line], thresholds: &[f64]) {
    for line in lines.iter().filter(|line| !line.band.is_empty()) {
        let kept = |value: f64| value.clamp(panel.low, panel.high);
        let upper = line
            .band
            .iter()
            .map(|one| panel.place((one.0, kept(one.2))));
        let lower = line
            .band
            .iter()
            .rev()
            .map(|one| panel.place((one.0, kept(one.1))));
        let shape: Vec<(f64, f64)> = upper.chain(lower).collect();
        svg.polygon(&shape, "#e6e6e6", None);
    }
    frame(svg, panel);
    for threshold in thresholds {
        let (x, _) = panel.place((*threshold, 0.0));
        let dashed = Stroke::dashed(INK, 1.0, "3 3");
        svg.line((x, panel.top), (x, panel.top + panel.height), dashed);
    }
    let mut ends: Vec<(f64, f64, &Line)> = Vec::new();
    for line in lines {
        let points = panel.inside(&line.points);
        // A single threshold makes no line; where it has a name, its marker stands alone.
        if points.is_empty() || (points.len() < 2 && line.label.is_empty()) {
            continue;
        }
        let name = if line.label.is_empty() {
            &line.site
        } else {
            &line.label
        };
        svg.open(&[("data-series", name), ("data-site", &line.site)]);
        if points.len() > 1 {
            svg.polyline(&points, line.look.stroke());
        }
        let (kind, colour) = line.look.marker();
        if !line.label.is_empty() {
            let parts: &[f64] = if points.len() > 1 {
                &[0.15, 0.45, 0.75]
            } else {
                &[0.0]
            };
            for &part in parts {
                if let Some(at) = along(&points, part) {
                    svg.hollow(kind, at, colour);
                }
            }
            if let Some((x, y)) = points.last() {
                ends.push((*x, *y, line));
            }
        }
        svg.close();
    }
    names(svg, panel, ends);
}

/// Names at the right, in the order of the lines' ends, each tied to its line.
fn names(svg: &mut Svg, panel: &Panel, mut ends: Vec<(f64, f64, &Line)>) {
    const STEP: f64 = 18.0;
    ends.sort_by(|a, b| a.1.total_cmp(&b.1));
    let tall = STEP * f64::from(u32::try_from(ends.len()).unwrap_or(0));
    let lowest = panel.top + panel.height;
    let mut y = panel.top + 6.0;
    let mut left = tall;
    for (x, end, line) in ends {
        // As high as its end, unless another name stands there, and with room for the rest.
        y = end.max(y).min(lowest - left + STEP);
        let at = LEFT + WIDTH + 34.0;
        let thread = Stroke::solid("#9a9a9a", 0.8);
        svg.line((x + 2.0, end), (at - 22.0, y), thread);
        let (kind, colour) = line.look.marker();
        svg.hollow(kind, (at - 14.0, y), colour);
        let face = LABEL.size(12.0);
        svg.text((at, y + 4.0), Anchor::Start, face, &clip(&line.label, 38));
        y += STEP;
        left -= STEP;
    }
}

fn frame(svg: &mut Svg, panel: &Panel) {
    let small = LABEL.size(12.0);
    let bottom = panel.top + panel.height;
    let step = if panel.right <= 0.3 {
        0.05
    } else if panel.right <= 0.6 {
        0.1
    } else {
        0.2
    };
    for index in 0..=6_u8 {
        let threshold = step * f64::from(index);
        if threshold <= panel.right + 1e-9 {
            let (x, _) = panel.place((threshold, 0.0));
            let text = format!("{threshold:.2}");
            svg.text((x, bottom + 19.0), Anchor::Middle, small, &text);
        }
    }
    for step in 0..=5_u8 {
        let value = panel.low.max(0.0) + f64::from(step) / 5.0 * panel.high;
        let (_, y) = panel.place((0.0, value));
        svg.line((LEFT, y), (LEFT + WIDTH, y), Stroke::solid(RULE, 0.6));
        let text = if panel.factor > 1.0 {
            format!("{:.0}", value * panel.factor)
        } else {
            format!("{value:.2}")
        };
        svg.text((LEFT - 8.0, y + 4.0), Anchor::End, small, &text);
    }
    let outline = Some(Stroke::solid(INK, 1.0));
    svg.rect((LEFT, panel.top), (WIDTH, panel.height), "none", outline);
    let soft = LABEL.size(12.5).fill(SOFT);
    let middle = (LEFT + WIDTH / 2.0, bottom + 40.0);
    svg.text(middle, Anchor::Middle, soft, ACROSS);
    svg.text_up((16.0, panel.top + panel.height / 2.0), soft, panel.name);
}
