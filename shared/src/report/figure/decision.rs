//! Decision curves: net benefit over thresholds, with treating all and treating none.
//!
//! From: `page::utility`.
//! To: `document::Figure`.

use super::svg::{Anchor, LABEL, Stroke, Svg, clip};
use super::{DASHES, HUES, INK, RULE, SOFT};

const LEFT: f64 = 64.0;
const TOP: f64 = 14.0;
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 300.0;
const KEY_ROW: f64 = 20.0;

/// One line.
pub(in crate::report) struct Line {
    /// Name in the key; none when empty.
    pub(in crate::report) label: String,
    /// Threshold and net benefit, by ascending threshold.
    pub(in crate::report) points: Vec<(f64, f64)>,
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
            Self::All => Stroke::dashed("#767676", 1.8, "6 4"),
            Self::None => Stroke::solid(INK, 1.4),
        }
    }
}

/// The drawing of `lines`.
pub(in crate::report) fn draw(id: &str, title: &str, description: &str, lines: &[Line]) -> String {
    let named: Vec<&Line> = lines.iter().filter(|line| !line.label.is_empty()).collect();
    let rows = f64::from(u32::try_from(named.len()).unwrap_or(0));
    let bottom = TOP + HEIGHT + 52.0;
    let mut svg = Svg::new(LEFT + WIDTH + 16.0, bottom + rows * KEY_ROW + 6.0);
    let scale = Scale::of(lines);
    frame(&mut svg, &scale);
    for line in lines {
        let inside = line.points.iter().filter(|point| point.1 >= scale.low);
        let points: Vec<(f64, f64)> = inside.map(|point| scale.place(*point)).collect();
        if points.len() > 1 {
            svg.polyline(&points, line.look.stroke());
        }
    }
    let mut y = bottom + 8.0;
    for line in named {
        svg.line((LEFT, y), (LEFT + 34.0, y), line.look.stroke());
        let face = LABEL.size(12.0);
        svg.text(
            (LEFT + 44.0, y + 4.0),
            Anchor::Start,
            face,
            &clip(&line.label, 70),
        );
        y += KEY_ROW;
    }
    svg.finish(id, title, description)
}

/// From thresholds and net benefits to the paper. Far below 0, where nobody would act, the
/// drawing ends: as far below 0 as a quarter of what is above.
struct Scale {
    right: f64,
    low: f64,
    high: f64,
}

impl Scale {
    fn of(lines: &[Line]) -> Self {
        let points = || lines.iter().flat_map(|line| &line.points);
        let right = points().fold(0.0, |most: f64, point| most.max(point.0));
        let high = points().fold(0.0, |most: f64, point| most.max(point.1));
        let high = ((high * 10.0).ceil() / 10.0).clamp(0.1, 1.0);
        Self {
            right: ((right * 10.0).ceil() / 10.0).clamp(0.1, 1.0),
            low: -high / 4.0,
            high,
        }
    }

    fn place(&self, (threshold, benefit): (f64, f64)) -> (f64, f64) {
        let share = (benefit - self.low) / (self.high - self.low);
        (
            LEFT + WIDTH * threshold / self.right,
            TOP + HEIGHT * (1.0 - share),
        )
    }
}

fn frame(svg: &mut Svg, scale: &Scale) {
    let small = LABEL.size(12.0);
    for step in 0..=5_u8 {
        let share = f64::from(step) / 5.0;
        let (threshold, benefit) = (share * scale.right, share * scale.high);
        let (x, y) = scale.place((threshold, benefit));
        svg.line((LEFT, y), (LEFT + WIDTH, y), Stroke::solid(RULE, 0.6));
        let text = format!("{threshold:.2}");
        svg.text((x, TOP + HEIGHT + 19.0), Anchor::Middle, small, &text);
        let text = format!("{benefit:.2}");
        svg.text((LEFT - 8.0, y + 4.0), Anchor::End, small, &text);
    }
    let outline = Some(Stroke::solid(INK, 1.0));
    svg.rect((LEFT, TOP), (WIDTH, HEIGHT), "none", outline);
    let soft = LABEL.size(12.5).fill(SOFT);
    let middle = (LEFT + WIDTH / 2.0, TOP + HEIGHT + 42.0);
    svg.text(middle, Anchor::Middle, soft, "Threshold probability");
    svg.text_up((16.0, TOP + HEIGHT / 2.0), soft, "Net benefit");
}
