//! Stacked bars: how a whole divides, one bar per hospital under each heading. Parts differ by
//! hatching as well as by hue, and carry their percentage.
//!
//! From: `page::fairness`, `page::flow`.
//! To: `document::Figure`.

use super::svg::{Anchor, LABEL, Stroke, Svg, clip};
use super::{HUES, INK, SOFT};

const WIDTH: f64 = 950.0;
const ROW: f64 = 27.0;
const BAR: f64 = 17.0;
const LEFT: f64 = 262.0;
const RIGHT: f64 = 930.0;
/// Parts that are told apart; further ones are drawn together.
pub(in crate::report) const PARTS_MAX: usize = 5;

/// One bar.
pub(in crate::report) struct Bar {
    /// Its name.
    pub(in crate::report) label: String,
    /// Shares of the whole, in the order of the block's parts; they add to 1.
    pub(in crate::report) shares: Vec<f64>,
    /// A whole that the others are held against.
    pub(in crate::report) bold: bool,
    /// Whether it is a hospital.
    pub(in crate::report) site: bool,
    /// What stands in its place when the shares are not known.
    pub(in crate::report) words: String,
}

/// Bars with the same parts.
pub(in crate::report) struct Block {
    /// Heading.
    pub(in crate::report) title: String,
    /// Names of the parts, at most [`PARTS_MAX`].
    pub(in crate::report) parts: Vec<String>,
    /// The bars.
    pub(in crate::report) bars: Vec<Bar>,
}

/// The drawing.
pub(in crate::report) fn draw(
    id: &str,
    title: &str,
    description: &str,
    blocks: &[Block],
) -> String {
    let rows: usize = blocks.iter().map(|block| block.bars.len()).sum();
    let height = ROW * count(rows) + 62.0 * count(blocks.len()) + 10.0;
    let mut svg = Svg::new(WIDTH, height);
    let mut y = 18.0;
    for block in blocks {
        svg.text(
            (4.0, y),
            Anchor::Start,
            LABEL.bold(),
            &clip(&block.title, 90),
        );
        y += 22.0;
        key(&mut svg, &block.parts, y);
        y += 14.0;
        for bar in &block.bars {
            draw_bar(&mut svg, bar, y);
            y += ROW;
        }
        y += 26.0;
    }
    svg.finish(id, title, description)
}

/// Names of the parts, beside a sample of each.
fn key(svg: &mut Svg, parts: &[String], y: f64) {
    let step = (RIGHT - 4.0) / count(parts.len().max(4));
    let mut x = 4.0;
    for (index, name) in parts.iter().enumerate() {
        part(svg, index, (x, y - 10.0), (22.0, 12.0));
        svg.text(
            (x + 28.0, y),
            Anchor::Start,
            LABEL.size(12.0),
            &clip(name, 24),
        );
        x += step;
    }
}

fn draw_bar(svg: &mut Svg, bar: &Bar, y: f64) {
    if bar.site {
        svg.open(&[("data-site", &bar.label)]);
    }
    let face = if bar.bold { LABEL.bold() } else { LABEL };
    let base = y + BAR - 4.0;
    svg.text((4.0, base), Anchor::Start, face, &clip(&bar.label, 36));
    if bar.shares.is_empty() {
        svg.text((LEFT, base), Anchor::Start, LABEL.fill(SOFT), &bar.words);
    }
    let mut x = LEFT;
    for (index, share) in bar.shares.iter().enumerate() {
        let width = (RIGHT - LEFT) * share;
        if width > 0.0 {
            part(svg, index, (x, y), (width, BAR));
        }
        if width > 40.0 {
            let text = format!("{:.0}%", 100.0 * share);
            let middle = x + width / 2.0;
            svg.rect((middle - 16.0, y + 2.0), (32.0, BAR - 4.0), "#ffffff", None);
            let at = (middle, y + BAR - 4.5);
            svg.text(at, Anchor::Middle, LABEL.size(11.5), &text);
        }
        x += width;
    }
    if bar.site {
        svg.close();
    }
}

/// One part: plain, striped upright, striped across, crossed, or empty.
fn part(svg: &mut Svg, index: usize, corner: (f64, f64), size: (f64, f64)) {
    let (left, top) = corner;
    let (right, bottom) = (left + size.0, top + size.1);
    let colour = HUES.get(index).copied().unwrap_or(INK);
    let edge = Some(Stroke::solid(colour, 1.0));
    match index {
        0 => svg.rect(corner, size, colour, edge),
        1 => {
            svg.rect(corner, size, "#ffffff", edge);
            let mut x = left + 3.0;
            while x < right {
                svg.line((x, top), (x, bottom), Stroke::solid(colour, 2.0));
                x += 5.0;
            }
        }
        2 => {
            svg.rect(corner, size, "#ffffff", edge);
            let mut y = top + 3.0;
            while y < bottom {
                svg.line((left, y), (right, y), Stroke::solid(colour, 1.6));
                y += 4.0;
            }
        }
        3 => {
            svg.rect(corner, size, "#ffffff", edge);
            let mut x = left + 4.0;
            while x < right {
                svg.circle((x, f64::midpoint(top, bottom)), 1.8, colour, None);
                x += 7.0;
            }
        }
        _ => svg.rect(corner, size, "#ffffff", Some(Stroke::solid(INK, 1.2))),
    }
}

fn count(items: usize) -> f64 {
    f64::from(u32::try_from(items).unwrap_or(u32::MAX))
}
