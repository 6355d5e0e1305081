//! Forest plot: one row per hospital, square area as weight, diamond for the pool, a bar for the
//! prediction interval. Intervals that leave the axis end in arrows.
//!
//! From: `page::*`.
//! To: `document::Figure`.

use super::svg::{Anchor, LABEL, Stroke, Svg, clip};
use super::{HUES, INK, RULE, SOFT};

#[cfg(test)]
mod tests;

/// Width of a plot over the whole page.
pub(in crate::report) const FULL: f64 = 950.0;
const TOP: f64 = 46.0;
const LABEL_X: f64 = 4.0;
/// Side of the square of the largest weight.
const SIDE: f64 = 16.0;
/// Rows beyond which they stand closer.
const MANY: usize = 40;

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
        /// Its share of the pool in percent, which is the area of its square.
        weight: Option<f64>,
        /// What the last column says.
        last: String,
        /// Not in the pool: drawn hollow.
        apart: bool,
        /// The pool without it, as (estimate, lower and upper end) and as printed.
        without: Option<((f64, f64, f64), String)>,
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
    /// Width of the drawing; the columns keep their shares of it.
    pub(in crate::report) width: f64,
    /// Heading of the rows' names.
    pub(in crate::report) row_label: String,
    /// Heading of the counts.
    pub(in crate::report) n_label: String,
    /// Heading of the printed estimates.
    pub(in crate::report) estimate_label: String,
    /// Heading of the plot: the scale.
    pub(in crate::report) scale_label: String,
    /// Heading of the last column.
    pub(in crate::report) last_label: String,
    /// The axis.
    pub(in crate::report) axis: Axis,
    /// Rows from top to bottom.
    pub(in crate::report) rows: Vec<ForestRow>,
}

impl Axis {
    fn share(&self, value: f64) -> f64 {
        let map = |x: f64| if self.log { libm::log(x) } else { x };
        (map(value) - map(self.low)) / (map(self.high) - map(self.low))
    }

    fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// Where the columns stand.
struct Layout {
    width: f64,
    n_x: f64,
    plot: (f64, f64),
    text_x: f64,
    last_x: f64,
    row: f64,
    /// Characters of a name, and of a printed estimate.
    fits: (usize, usize),
}

impl Layout {
    /// A `wide` last column takes its room from the others.
    fn of(width: f64, rows: usize, wide: bool) -> Self {
        let part = |share: f64| width * share;
        // An average character of the labels is 6.6 units wide.
        let fit = |units: f64| {
            let count = (units / 6.6).clamp(8.0, 80.0);
            (8..=80_u8)
                .rev()
                .find(|n| f64::from(*n) <= count)
                .map_or(8, usize::from)
        };
        let (n_x, left, right, text_x) = if wide {
            (0.36, 0.38, 0.655, 0.672)
        } else {
            (0.4, 0.421, 0.72, 0.737)
        };
        Self {
            width,
            n_x: part(n_x),
            plot: (part(left), part(right)),
            text_x: part(text_x),
            last_x: width - 4.0,
            row: if rows > MANY { 19.0 } else { 26.0 },
            fits: (fit(part(n_x - 0.09)), fit(part(0.2))),
        }
    }
}

/// Whether the last column says more than a percentage.
fn is_wide(row: &ForestRow) -> bool {
    match row {
        ForestRow::Site { last, .. } => last.chars().count() > 7,
        ForestRow::Heading(_)
        | ForestRow::Pool { .. }
        | ForestRow::Prediction { .. }
        | ForestRow::Remark(_) => false,
    }
}

/// A plot in the making.
struct Drawing<'a> {
    forest: &'a Forest,
    layout: Layout,
    /// The largest weight, which has the largest square.
    heaviest: f64,
}

impl Forest {
    /// The drawing.
    pub(in crate::report) fn draw(&self) -> String {
        let weight = |row: &ForestRow| match row {
            ForestRow::Site { weight, .. } => weight.unwrap_or(0.0),
            ForestRow::Heading(_)
            | ForestRow::Pool { .. }
            | ForestRow::Prediction { .. }
            | ForestRow::Remark(_) => 0.0,
        };
        let drawing = Drawing {
            forest: self,
            layout: Layout::of(self.width, self.rows.len(), self.rows.iter().any(is_wide)),
            heaviest: self.rows.iter().map(weight).fold(0.0, f64::max),
        };
        drawing.draw()
    }
}

impl Drawing<'_> {
    fn draw(&self) -> String {
        let row = self.layout.row;
        let bottom = TOP + row * len(self.forest.rows.len());
        let mut svg = Svg::new(self.layout.width, bottom + 52.0);
        self.draw_frame(&mut svg, bottom);
        let mut y = TOP + row / 2.0;
        let mut block = 0_usize;
        for entry in &self.forest.rows {
            block += usize::from(matches!(entry, ForestRow::Heading(_)));
            self.draw_row(&mut svg, entry, block, y);
            y += row;
        }
        let forest = self.forest;
        svg.finish(&forest.id, &forest.title, &forest.description)
    }

    /// A position, kept inside the plot.
    fn place(&self, value: f64) -> f64 {
        let (left, right) = self.layout.plot;
        left + self.forest.axis.share(value).clamp(0.0, 1.0) * (right - left)
    }

    fn draw_frame(&self, svg: &mut Svg, bottom: f64) {
        let (forest, layout) = (self.forest, &self.layout);
        let head = LABEL.bold();
        let (left, right) = layout.plot;
        let middle = f64::midpoint(left, right);
        svg.text((LABEL_X, 18.0), Anchor::Start, head, &forest.row_label);
        svg.text((layout.n_x, 18.0), Anchor::End, head, &forest.n_label);
        let scale = clip(&forest.scale_label, 40);
        svg.text((middle, 18.0), Anchor::Middle, head, &scale);
        svg.text(
            (layout.text_x, 18.0),
            Anchor::Start,
            head,
            &forest.estimate_label,
        );
        svg.text((layout.last_x, 18.0), Anchor::End, head, &forest.last_label);
        svg.line((0.0, 28.0), (layout.width, 28.0), Stroke::solid(INK, 1.0));
        for (value, text) in &forest.axis.ticks {
            let x = self.place(*value);
            svg.line((x, TOP - 8.0), (x, bottom), Stroke::solid("#ececec", 1.0));
            svg.line((x, bottom), (x, bottom + 5.0), Stroke::solid(INK, 1.0));
            svg.text((x, bottom + 19.0), Anchor::Middle, LABEL.size(12.0), text);
        }
        for (index, (value, text)) in forest.axis.references.iter().enumerate() {
            if !forest.axis.holds(*value) {
                continue;
            }
            let x = self.place(*value);
            let dash = if index == 0 { "" } else { "4 3" };
            let colour = if index == 0 { "#8a8a8a" } else { HUES[1] };
            let stroke = Stroke::dashed(colour, 1.2, dash);
            svg.line((x, TOP - 8.0), (x, bottom), stroke);
            if !text.is_empty() {
                let face = LABEL.size(11.0).fill("#9a4400");
                svg.text((x, 41.0 - 2.0), Anchor::Middle, face, text);
            }
        }
        svg.line((left, bottom), (right, bottom), Stroke::solid(INK, 1.0));
        let soft = LABEL.size(12.0).fill(SOFT);
        svg.text(
            (middle, bottom + 39.0),
            Anchor::Middle,
            soft,
            &forest.axis.label,
        );
    }

    /// Rows under one heading are one `block`, inside which they may change places.
    fn draw_row(&self, svg: &mut Svg, row: &ForestRow, block: usize, y: f64) {
        let start = (LABEL_X, y + 4.5);
        match row {
            ForestRow::Heading(text) => {
                svg.text(start, Anchor::Start, LABEL.bold(), &clip(text, 90));
            }
            ForestRow::Site { .. } => self.draw_site(svg, row, block, y),
            ForestRow::Pool { .. } => {
                svg.open(&[("data-pool", "mean")]);
                self.draw_summary(svg, row, y);
                svg.close();
            }
            ForestRow::Prediction { .. } => self.draw_summary(svg, row, y),
            ForestRow::Remark(text) => {
                let fits = self.layout.fits.0 + 12;
                svg.text(start, Anchor::Start, LABEL.fill(SOFT), &clip(text, fits));
            }
        }
    }

    fn draw_site(&self, svg: &mut Svg, row: &ForestRow, block: usize, y: f64) {
        let ForestRow::Site {
            label,
            n,
            point,
            text,
            weight,
            last,
            apart,
            without,
        } = row
        else {
            return;
        };
        let (layout, base) = (&self.layout, y + 4.5);
        let value = point.map_or_else(String::new, |(value, _)| format!("{value:.4}"));
        let share = weight.map_or_else(String::new, |weight| format!("{weight:.2}"));
        let top = super::svg::number(y);
        let group = if block == 0 {
            String::new()
        } else {
            block.to_string()
        };
        svg.open(&[
            ("data-site", label),
            ("data-row", &top),
            ("data-v", &value),
            ("data-w", &share),
            ("data-block", &group),
        ]);
        let name = clip(label, layout.fits.0);
        let start = (LABEL_X + 10.0, base);
        svg.text(start, Anchor::Start, LABEL.size(12.5), &name);
        svg.text((layout.n_x, base), Anchor::End, LABEL, n);
        let face = if point.is_some() {
            LABEL
        } else {
            LABEL.fill(SOFT)
        };
        let shown = clip(text, layout.fits.1);
        svg.text((layout.text_x, base), Anchor::Start, face, &shown);
        if !last.is_empty() {
            svg.text((layout.last_x, base), Anchor::End, LABEL, last);
        }
        if let Some((estimate, interval)) = point {
            self.draw_point(svg, *estimate, *interval, (*weight, *apart), y);
        }
        svg.close();
        if let Some((point, text)) = without {
            self.draw_without(svg, label, *point, text);
        }
    }

    /// The pool without one hospital, in the pool's row; shown when a reader asks for it.
    fn draw_without(&self, svg: &mut Svg, label: &str, point: (f64, f64, f64), text: &str) {
        let pool = |row: &ForestRow| matches!(row, ForestRow::Pool { .. });
        let Some(at) = self.forest.rows.iter().position(pool) else {
            return;
        };
        let y = TOP + self.layout.row * (len(at) + 0.5);
        svg.open(&[("class", "step"), ("data-without", label)]);
        let name = clip(&format!("Mean without {label}"), self.layout.fits.0 + 4);
        let base = y + 4.5;
        svg.text((LABEL_X, base), Anchor::Start, LABEL.bold(), &name);
        let at = (self.layout.text_x, base);
        svg.text(at, Anchor::Start, LABEL.bold(), text);
        self.draw_diamond(svg, point, y);
        svg.close();
    }

    fn draw_summary(&self, svg: &mut Svg, row: &ForestRow, y: f64) {
        let (base, text_x) = (y + 4.5, self.layout.text_x);
        match row {
            ForestRow::Pool {
                label,
                n,
                point,
                text,
            } => {
                let above = y - self.layout.row / 2.0;
                let rule = Stroke::solid(RULE, 1.0);
                svg.line((0.0, above), (self.layout.width, above), rule);
                let face = LABEL.bold();
                svg.text((LABEL_X, base), Anchor::Start, face, &clip(label, 40));
                svg.text((self.layout.n_x, base), Anchor::End, face, n);
                svg.text((text_x, base), Anchor::Start, face, text);
                self.draw_diamond(svg, *point, y);
            }
            ForestRow::Prediction { label, ends, text } => {
                let face = LABEL.fill(SOFT);
                svg.text((LABEL_X, base), Anchor::Start, face, &clip(label, 46));
                svg.text((text_x, base), Anchor::Start, face, text);
                self.draw_bar(svg, *ends, y, Stroke::solid(INK, 4.0), INK);
            }
            ForestRow::Heading(_) | ForestRow::Site { .. } | ForestRow::Remark(_) => {}
        }
    }

    fn draw_point(
        &self,
        svg: &mut Svg,
        estimate: f64,
        interval: Option<(f64, f64)>,
        (weight, apart): (Option<f64>, bool),
        y: f64,
    ) {
        let colour = if apart { HUES[1] } else { HUES[0] };
        if let Some(ends) = interval {
            self.draw_bar(svg, ends, y, Stroke::solid(colour, 1.6), colour);
        }
        if !self.forest.axis.holds(estimate) {
            return;
        }
        let x = self.place(estimate);
        if apart {
            svg.circle((x, y), 5.0, "#ffffff", Some(Stroke::solid(colour, 1.8)));
            return;
        }
        // The area goes with the weight, so the side with its root.
        let side = match weight {
            Some(weight) if self.heaviest > 0.0 => SIDE * (weight / self.heaviest).sqrt(),
            Some(_) | None => 7.0,
        };
        svg.rect((x - side / 2.0, y - side / 2.0), (side, side), colour, None);
    }

    /// An interval; an end beyond the axis becomes an arrow.
    fn draw_bar(
        &self,
        svg: &mut Svg,
        (low, high): (f64, f64),
        y: f64,
        stroke: Stroke,
        colour: &'static str,
    ) {
        let (left, right) = (self.place(low), self.place(high));
        svg.line((left, y), (right, y), stroke);
        self.draw_arrows(svg, (low, high), y, colour);
    }

    fn draw_arrows(&self, svg: &mut Svg, (low, high): (f64, f64), y: f64, colour: &'static str) {
        let (left, right) = self.layout.plot;
        let mut head = |tip: f64, back: f64| {
            svg.polygon(&[(tip, y), (back, y - 5.5), (back, y + 5.5)], colour, None);
        };
        if low < self.forest.axis.low {
            head(left - 6.0, left + 5.0);
        }
        if high > self.forest.axis.high {
            head(right + 6.0, right - 5.0);
        }
    }

    fn draw_diamond(&self, svg: &mut Svg, (estimate, low, high): (f64, f64, f64), y: f64) {
        let (left, middle, right) = (self.place(low), self.place(estimate), self.place(high));
        let corners = [(left, y), (middle, y - 8.0), (right, y), (middle, y + 8.0)];
        svg.polygon(&corners, INK, None);
        self.draw_arrows(svg, (low, high), y, INK);
    }
}

/// A row count as a length.
fn len(rows: usize) -> f64 {
    f64::from(u32::try_from(rows).unwrap_or(u32::MAX))
}
