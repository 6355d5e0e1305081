//! Forest plot: one row per site, square area as weight, diamond for the pool, a bar for the
//! prediction interval. Intervals that leave the axis end in arrows.
//!
//! From: `page::*`.
//! To: `document::Figure`.

use super::svg::{Anchor, LABEL, Stroke, Svg, clip};
use super::{HUES, INK, RULE, SOFT};

const WIDTH: f64 = 950.0;
const ROW: f64 = 26.0;
const TOP: f64 = 46.0;
const LABEL_X: f64 = 4.0;
const N_X: f64 = 380.0;
const PLOT: (f64, f64) = (400.0, 684.0);
const TEXT_X: f64 = 700.0;
const WEIGHT_X: f64 = 946.0;

/// The horizontal axis.
pub(in crate::report) struct Axis {
    /// Left end.
    pub(in crate::report) low: f64,
    /// Right end.
    pub(in crate::report) high: f64,
    /// Tick positions with labels.
    pub(in crate::report) ticks: Vec<(f64, String)>,
    /// Logarithmic.
    pub(in crate::report) log: bool,
    /// What it measures, and in which scale.
    pub(in crate::report) label: String,
    /// Vertical reference lines: position and label.
    pub(in crate::report) references: Vec<(f64, String)>,
}

/// A row of the plot.
pub(in crate::report) enum ForestRow {
    /// A heading.
    Heading(String),
    /// A site.
    Site {
        /// Name.
        label: String,
        /// Events over cases, as printed.
        n: String,
        /// Estimate and interval, as far as they exist.
        point: Option<(f64, Option<(f64, f64)>)>,
        /// As printed.
        text: String,
        /// Percent.
        weight: Option<f64>,
        /// Not in the pool: drawn hollow.
        apart: bool,
    },
    /// The pool.
    Pool {
        /// Name.
        label: String,
        /// Events over cases, as printed.
        n: String,
        /// Estimate, lower and upper end.
        point: (f64, f64, f64),
        /// As printed.
        text: String,
    },
    /// The prediction interval.
    Prediction {
        /// Name.
        label: String,
        /// Its ends.
        ends: (f64, f64),
        /// As printed.
        text: String,
    },
    /// Words in place of a pool.
    Remark(String),
}

/// A forest plot.
pub(in crate::report) struct Forest {
    /// Unique name in the document.
    pub(in crate::report) id: String,
    /// What it is.
    pub(in crate::report) title: String,
    /// What it shows, with the numbers.
    pub(in crate::report) description: String,
    /// Heading of the counts.
    pub(in crate::report) n_label: String,
    /// Heading of the printed estimates.
    pub(in crate::report) estimate_label: String,
    /// The axis.
    pub(in crate::report) axis: Axis,
    /// Rows from top to bottom.
    pub(in crate::report) rows: Vec<ForestRow>,
}

impl Axis {
    fn place(&self, value: f64) -> f64 {
        let map = |x: f64| if self.log { libm::log(x) } else { x };
        let share = (map(value) - map(self.low)) / (map(self.high) - map(self.low));
        PLOT.0 + share.clamp(0.0, 1.0) * (PLOT.1 - PLOT.0)
    }

    fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

impl Forest {
    /// The drawing.
    pub(in crate::report) fn draw(&self) -> String {
        let bottom = TOP + ROW * len(self.rows.len());
        let mut svg = Svg::new(WIDTH, bottom + 52.0);
        self.draw_frame(&mut svg, bottom);
        let mut y = TOP + ROW / 2.0;
        for row in &self.rows {
            self.draw_row(&mut svg, row, y);
            y += ROW;
        }
        svg.finish(&self.id, &self.title, &self.description)
    }

    fn draw_frame(&self, svg: &mut Svg, bottom: f64) {
        let head = LABEL.bold();
        svg.text((LABEL_X, 18.0), Anchor::Start, head, "Hospital");
        svg.text((N_X, 18.0), Anchor::End, head, &self.n_label);
        svg.text((TEXT_X, 18.0), Anchor::Start, head, &self.estimate_label);
        if self.rows.iter().any(|row| {
            matches!(
                row,
                ForestRow::Site {
                    weight: Some(_),
                    ..
                }
            )
        }) {
            svg.text((WEIGHT_X, 18.0), Anchor::End, head, "Weight");
        }
        svg.line((0.0, 28.0), (WIDTH, 28.0), Stroke::solid(INK, 1.0));
        for (value, text) in &self.axis.ticks {
            let x = self.axis.place(*value);
            svg.line((x, TOP - 8.0), (x, bottom), Stroke::solid("#ececec", 1.0));
            svg.line((x, bottom), (x, bottom + 5.0), Stroke::solid(INK, 1.0));
            svg.text((x, bottom + 19.0), Anchor::Middle, LABEL.size(12.0), text);
        }
        for (index, (value, text)) in self.axis.references.iter().enumerate() {
            if !self.axis.holds(*value) {
                continue;
            }
            let x = self.axis.place(*value);
            let dash = if index == 0 { "" } else { "4 3" };
            let colour = if index == 0 { "#8a8a8a" } else { HUES[1] };
            svg.line(
                (x, TOP - 8.0),
                (x, bottom),
                Stroke::dashed(colour, 1.2, dash),
            );
            if !text.is_empty() {
                svg.text(
                    (x, 41.0 - 2.0),
                    Anchor::Middle,
                    LABEL.size(11.0).fill("#9a4400"),
                    text,
                );
            }
        }
        svg.line((PLOT.0, bottom), (PLOT.1, bottom), Stroke::solid(INK, 1.0));
        let middle = f64::midpoint(PLOT.0, PLOT.1);
        svg.text(
            (middle, bottom + 39.0),
            Anchor::Middle,
            LABEL.size(12.0).fill(SOFT),
            &self.axis.label,
        );
    }

    fn draw_row(&self, svg: &mut Svg, row: &ForestRow, y: f64) {
        let base = y + 4.5;
        match row {
            ForestRow::Heading(text) => {
                svg.text(
                    (LABEL_X, base),
                    Anchor::Start,
                    LABEL.bold(),
                    &clip(text, 60),
                );
            }
            ForestRow::Site {
                label,
                n,
                point,
                text,
                weight,
                apart,
            } => {
                svg.text(
                    (LABEL_X + 10.0, base),
                    Anchor::Start,
                    LABEL.size(12.5),
                    &clip(label, 44),
                );
                svg.text((N_X, base), Anchor::End, LABEL, n);
                let face = if point.is_some() {
                    LABEL
                } else {
                    LABEL.fill(SOFT)
                };
                svg.text((TEXT_X, base), Anchor::Start, face, &clip(text, 34));
                if let Some(weight) = weight {
                    let text = format!("{weight:.1}%");
                    svg.text((WEIGHT_X, base), Anchor::End, LABEL, &text);
                }
                if let Some((estimate, interval)) = point {
                    self.draw_site(svg, *estimate, *interval, *weight, *apart, y);
                }
            }
            ForestRow::Pool { .. } | ForestRow::Prediction { .. } => {
                self.draw_summary(svg, row, y);
            }
            ForestRow::Remark(text) => {
                svg.text(
                    (LABEL_X, base),
                    Anchor::Start,
                    LABEL.fill(SOFT),
                    &clip(text, 52),
                );
            }
        }
    }

    fn draw_summary(&self, svg: &mut Svg, row: &ForestRow, y: f64) {
        let base = y + 4.5;
        match row {
            ForestRow::Pool {
                label,
                n,
                point,
                text,
            } => {
                svg.line(
                    (0.0, y - ROW / 2.0),
                    (WIDTH, y - ROW / 2.0),
                    Stroke::solid(RULE, 1.0),
                );
                svg.text(
                    (LABEL_X, base),
                    Anchor::Start,
                    LABEL.bold(),
                    &clip(label, 40),
                );
                svg.text((N_X, base), Anchor::End, LABEL.bold(), n);
                svg.text((TEXT_X, base), Anchor::Start, LABEL.bold(), text);
                self.draw_pool(svg, *point, y);
            }
            ForestRow::Prediction { label, ends, text } => {
                svg.text(
                    (LABEL_X, base),
                    Anchor::Start,
                    LABEL.fill(SOFT),
                    &clip(label, 46),
                );
                svg.text((TEXT_X, base), Anchor::Start, LABEL.fill(SOFT), text);
                self.draw_bar(svg, ends.0, ends.1, y, Stroke::solid(INK, 4.0), INK);
            }
            ForestRow::Heading(_) | ForestRow::Site { .. } | ForestRow::Remark(_) => {}
        }
    }

    fn draw_site(
        &self,
        svg: &mut Svg,
        estimate: f64,
        interval: Option<(f64, f64)>,
        weight: Option<f64>,
        apart: bool,
        y: f64,
    ) {
        let colour = if apart { HUES[1] } else { HUES[0] };
        if let Some((low, high)) = interval {
            self.draw_bar(svg, low, high, y, Stroke::solid(colour, 1.6), colour);
        }
        if !self.axis.holds(estimate) {
            return;
        }
        let x = self.axis.place(estimate);
        if apart {
            svg.circle((x, y), 5.0, "#ffffff", Some(Stroke::solid(colour, 1.8)));
        } else {
            let side = weight.map_or(7.0, |share| (share * 3.2).sqrt().clamp(4.0, 18.0));
            svg.rect((x - side / 2.0, y - side / 2.0), (side, side), colour, None);
        }
    }

    /// An interval; an end beyond the axis becomes an arrow.
    fn draw_bar(
        &self,
        svg: &mut Svg,
        low: f64,
        high: f64,
        y: f64,
        stroke: Stroke,
        colour: &'static str,
    ) {
        let (left, right) = (self.axis.place(low), self.axis.place(high));
        svg.line((left, y), (right, y), stroke);
        if low < self.axis.low {
            svg.polygon(
                &[
                    (left - 5.0, y),
                    (left + 5.0, y - 5.0),
                    (left + 5.0, y + 5.0),
                ],
                colour,
                None,
            );
        }
        if high > self.axis.high {
            svg.polygon(
                &[
                    (right + 5.0, y),
                    (right - 5.0, y - 5.0),
                    (right - 5.0, y + 5.0),
                ],
                colour,
                None,
            );
        }
    }

    fn draw_pool(&self, svg: &mut Svg, (estimate, low, high): (f64, f64, f64), y: f64) {
        let (left, middle, right) = (
            self.axis.place(low),
            self.axis.place(estimate),
            self.axis.place(high),
        );
        svg.polygon(
            &[(left, y), (middle, y - 8.0), (right, y), (middle, y + 8.0)],
            INK,
            None,
        );
        if low < self.axis.low {
            svg.polygon(
                &[
                    (left - 7.0, y),
                    (left + 4.0, y - 6.0),
                    (left + 4.0, y + 6.0),
                ],
                INK,
                None,
            );
        }
        if high > self.axis.high {
            svg.polygon(
                &[
                    (right + 7.0, y),
                    (right - 4.0, y - 6.0),
                    (right - 4.0, y + 6.0),
                ],
                INK,
                None,
            );
        }
    }
}

/// A row count as a length.
fn len(rows: usize) -> f64 {
    f64::from(u32::try_from(rows).unwrap_or(u32::MAX))
}
