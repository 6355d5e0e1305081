//! FROC curves: sensitivity over false positives per scan, the latter on a logarithmic scale.
//!
//! From: `page::detection`.
//! To: `document::Figure`.

use super::roc::Look;
use super::svg::{Anchor, LABEL, Stroke, Svg, clip};
use super::{INK, RULE, SOFT};

const LEFT: f64 = 64.0;
const TOP: f64 = 14.0;
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 320.0;
const KEY_ROW: f64 = 20.0;

/// One curve.
pub(in crate::report) struct Line {
    /// Name in the key; none when empty.
    pub(in crate::report) label: String,
    /// False positives per scan and sensitivity, rising.
    pub(in crate::report) points: Vec<(f64, f64)>,
    /// Intervals: false positives per scan, low, high.
    pub(in crate::report) bars: Vec<(f64, f64, f64)>,
    /// Whether the points are marked, as those at which a curve is read.
    pub(in crate::report) marked: bool,
    /// How it is drawn.
    pub(in crate::report) look: Look,
}

/// The drawing of `lines` between the first and the last of `ticks`, false positives per scan.
pub(in crate::report) fn draw(
    id: &str,
    title: &str,
    description: &str,
    ticks: &[f64],
    lines: &[Line],
) -> String {
    let named: Vec<&Line> = lines.iter().filter(|line| !line.label.is_empty()).collect();
    let rows = f64::from(u32::try_from(named.len()).unwrap_or(0));
    let bottom = TOP + HEIGHT + 52.0;
    let mut svg = Svg::new(LEFT + WIDTH + 24.0, bottom + rows * KEY_ROW + 6.0);
    let scale = Scale::of(ticks);
    frame(&mut svg, &scale, ticks);
    let mut tag = 0_usize;
    for line in lines {
        let stroke = line.look.stroke();
        let points: Vec<(f64, f64)> = scale.inside(&line.points);
        let (kind, fill) = line.look.marker();
        svg.open(&[("data-series", &line.label), ("data-site", &line.label)]);
        if points.len() > 1 {
            svg.polyline(&points, stroke);
        }
        for (at, low, high) in &line.bars {
            let (low, high) = (scale.place((*at, *low)), scale.place((*at, *high)));
            svg.line(low, high, Stroke::solid(stroke.colour, 1.2));
        }
        // Without points at which the curve is read, a sign here and there tells whose it is.
        let stride = if line.marked {
            1
        } else {
            points.len().div_ceil(4).max(1)
        };
        for point in points.iter().step_by(stride) {
            match (line.marked, line.label.is_empty()) {
                (true, true) => svg.circle(*point, 3.0, stroke.colour, None),
                (true, false) => svg.marker(kind, *point, fill),
                (false, false) => svg.hollow(kind, *point, fill),
                (false, true) => {}
            }
        }
        if let Some((x, y)) = points.last().filter(|_| !line.label.is_empty()) {
            tag += 1;
            svg.tag((x + 7.0, y + 4.0), fill, &tag.to_string());
        }
        svg.close();
    }
    let mut y = bottom + 8.0;
    for (index, line) in named.iter().enumerate() {
        let (kind, fill) = line.look.marker();
        svg.line((LEFT, y), (LEFT + 34.0, y), line.look.stroke());
        svg.hollow(kind, (LEFT + 17.0, y), fill);
        svg.tag((LEFT + 42.0, y + 4.0), fill, &(index + 1).to_string());
        let face = LABEL.size(12.0);
        let text = clip(&line.label, 70);
        svg.text((LEFT + 58.0, y + 4.0), Anchor::Start, face, &text);
        y += KEY_ROW;
    }
    svg.finish(id, title, description)
}

/// From false positives per scan and sensitivities to the paper.
struct Scale {
    first: f64,
    last: f64,
}

impl Scale {
    fn of(ticks: &[f64]) -> Self {
        let first = ticks.first().copied().unwrap_or(0.125);
        let last = ticks.last().copied().unwrap_or(8.0);
        // A single point stands in the middle of a range of its own.
        if last > first {
            Self { first, last }
        } else {
            Self {
                first: first / 2.0,
                last: first * 2.0,
            }
        }
    }

    fn place(&self, (alarms, sensitivity): (f64, f64)) -> (f64, f64) {
        let share = libm::log(alarms / self.first) / libm::log(self.last / self.first);
        (LEFT + WIDTH * share, TOP + HEIGHT * (1.0 - sensitivity))
    }

    /// The part of a curve between the ends; where it enters and leaves, on the straight line.
    fn inside(&self, points: &[(f64, f64)]) -> Vec<(f64, f64)> {
        let mut placed = Vec::new();
        let mut before: Option<(f64, f64)> = None;
        for &point in points {
            if let Some(before) = before {
                for edge in [self.first, self.last] {
                    if before.0 < edge && edge < point.0 {
                        let share = (edge - before.0) / (point.0 - before.0);
                        let height = before.1 + share * (point.1 - before.1);
                        placed.push(self.place((edge, height)));
                    }
                }
            }
            if (self.first..=self.last).contains(&point.0) {
                placed.push(self.place(point));
            }
            before = Some(point);
        }
        placed
    }
}

fn frame(svg: &mut Svg, scale: &Scale, ticks: &[f64]) {
    let small = LABEL.size(12.0);
    for step in 0..=5_u8 {
        let sensitivity = f64::from(step) / 5.0;
        let (_, y) = scale.place((scale.first, sensitivity));
        svg.line((LEFT, y), (LEFT + WIDTH, y), Stroke::solid(RULE, 0.6));
        let text = format!("{sensitivity:.1}");
        svg.text((LEFT - 8.0, y + 4.0), Anchor::End, small, &text);
    }
    for tick in ticks {
        let (x, y) = scale.place((*tick, 0.0));
        svg.line((x, TOP), (x, y), Stroke::solid(RULE, 0.6));
        svg.text((x, y + 19.0), Anchor::Middle, small, &format!("{tick}"));
    }
    let outline = Some(Stroke::solid(INK, 1.0));
    svg.rect((LEFT, TOP), (WIDTH, HEIGHT), "none", outline);
    let soft = LABEL.size(12.5).fill(SOFT);
    let middle = (LEFT + WIDTH / 2.0, TOP + HEIGHT + 42.0);
    svg.text(middle, Anchor::Middle, soft, "False positives per scan");
    svg.text_up((16.0, TOP + HEIGHT / 2.0), soft, "Sensitivity");
}
