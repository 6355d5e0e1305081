//! A thin writer of SVG: shapes with presentation attributes, text always escaped.
//!
//! From: the figures of this folder.
//! To: `document::Figure`, set into the page as it is.

use std::fmt::Write;

use super::INK;

/// A drawing under construction.
pub(in crate::report) struct Svg {
    body: String,
    width: f64,
    height: f64,
    scale: String,
}

/// The part of a drawing in which curves run, so that a point of it can be read as numbers.
pub(in crate::report) struct Scale<'a> {
    /// Left and right end of the horizontal axis in the drawing.
    pub(in crate::report) across: (f64, f64),
    /// Lower and upper end of the vertical axis in the drawing.
    pub(in crate::report) up: (f64, f64),
    /// What these ends stand for: left, right, lower, upper.
    pub(in crate::report) values: [f64; 4],
    /// What the axes measure.
    pub(in crate::report) names: [&'a str; 2],
}

/// Where a text is tied to its point.
#[derive(Clone, Copy)]
pub(in crate::report) enum Anchor {
    /// Text runs right from the point.
    Start,
    /// Text is centred on the point.
    Middle,
    /// Text ends at the point.
    End,
}

/// How a text looks.
#[derive(Clone, Copy)]
pub(in crate::report) struct Type {
    /// Size in user units.
    pub(in crate::report) size: f64,
    /// Bold.
    pub(in crate::report) bold: bool,
    /// Colour.
    pub(in crate::report) fill: &'static str,
}

/// Ordinary labels.
pub(in crate::report) const LABEL: Type = Type {
    size: 13.0,
    bold: false,
    fill: INK,
};

impl Type {
    /// The same in bold.
    pub(in crate::report) fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    /// The same in another colour.
    pub(in crate::report) fn fill(self, fill: &'static str) -> Self {
        Self { fill, ..self }
    }

    /// Attributes that differ from those of the whole drawing.
    fn attributes(self) -> String {
        let mut out = String::new();
        if self.size != LABEL.size {
            out.push_str(&format!(r#" font-size="{}""#, number(self.size)));
        }
        if self.fill != LABEL.fill {
            out.push_str(&format!(r#" fill="{}""#, self.fill));
        }
        out
    }

    /// The same in another size.
    pub(in crate::report) fn size(self, size: f64) -> Self {
        Self { size, ..self }
    }
}

/// Stroke of a line.
#[derive(Clone, Copy)]
pub(in crate::report) struct Stroke {
    /// Colour.
    pub(in crate::report) colour: &'static str,
    /// Width in user units.
    pub(in crate::report) width: f64,
    /// Dash pattern; solid when empty.
    pub(in crate::report) dash: &'static str,
}

impl Stroke {
    /// A solid stroke.
    pub(in crate::report) fn solid(colour: &'static str, width: f64) -> Self {
        Self {
            colour,
            width,
            dash: "",
        }
    }

    /// A dashed stroke.
    pub(in crate::report) fn dashed(colour: &'static str, width: f64, dash: &'static str) -> Self {
        Self {
            colour,
            width,
            dash,
        }
    }

    fn attributes(self) -> String {
        let dash = if self.dash.is_empty() {
            String::new()
        } else {
            format!(r#" stroke-dasharray="{}""#, self.dash)
        };
        format!(
            r#" stroke="{}" stroke-width="{}"{dash}"#,
            self.colour,
            number(self.width)
        )
    }
}

/// Upper left corner and size.
pub(in crate::report) type Rect = ((f64, f64), (f64, f64));

/// Text with `<`, `>`, `&` and quotes escaped.
pub(in crate::report) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            control if control.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

/// `text` cut to about `limit` characters, with an ellipsis.
pub(in crate::report) fn clip(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let head: String = text.chars().take(limit.saturating_sub(1)).collect();
    format!("{}…", head.trim_end())
}

/// A coordinate with one decimal.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

impl Svg {
    /// An empty drawing of `width` by `height` user units.
    pub(in crate::report) fn new(width: f64, height: f64) -> Self {
        Self {
            body: String::new(),
            width,
            height,
            scale: String::new(),
        }
    }

    /// States the scale of the curves.
    pub(in crate::report) fn scaled(&mut self, scale: &Scale<'_>) {
        let ends = [scale.across.0, scale.across.1, scale.up.0, scale.up.1];
        let numbers: Vec<String> = ends
            .iter()
            .map(|end| number(*end))
            .chain(scale.values.iter().map(f64::to_string))
            .collect();
        self.scale = format!(
            r#" data-scale="{}" data-axes="{}|{}""#,
            numbers.join(" "),
            escape(scale.names[0]),
            escape(scale.names[1])
        );
    }

    /// Opens a group with the attributes that have a value; what follows belongs to it until [`Svg::close`].
    pub(in crate::report) fn open(&mut self, attributes: &[(&str, &str)]) {
        self.body.push_str("<g");
        for (name, value) in attributes.iter().filter(|(_, value)| !value.is_empty()) {
            self.push(format_args!(r#" {name}="{}""#, escape(value)));
        }
        self.body.push('>');
    }

    /// Closes the group.
    pub(in crate::report) fn close(&mut self) {
        self.body.push_str("</g>");
    }

    /// A short name beside a curve, legible on top of it.
    pub(in crate::report) fn tag(&mut self, point: (f64, f64), fill: &'static str, text: &str) {
        self.push(format_args!(
            r##"<text x="{}" y="{}" font-size="12" font-weight="700" fill="{fill}" stroke="#fff" stroke-width="3" paint-order="stroke">{}</text>"##,
            number(point.0),
            number(point.1),
            escape(text)
        ));
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.body.write_fmt(element);
    }

    /// A straight line.
    pub(in crate::report) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: Stroke) {
        self.push(format_args!(
            r#"<line x1="{}" y1="{}" x2="{}" y2="{}"{}/>"#,
            number(from.0),
            number(from.1),
            number(to.0),
            number(to.1),
            stroke.attributes()
        ));
    }

    /// A rectangle by its upper left corner and size.
    pub(in crate::report) fn rect(
        &mut self,
        corner: (f64, f64),
        size: (f64, f64),
        fill: &str,
        stroke: Option<Stroke>,
    ) {
        self.push(format_args!(
            r#"<rect x="{}" y="{}" width="{}" height="{}" fill="{fill}"{}/>"#,
            number(corner.0),
            number(corner.1),
            number(size.0),
            number(size.1),
            stroke.map(Stroke::attributes).unwrap_or_default()
        ));
    }

    /// Several rectangles of one look, each by its upper left corner and size.
    pub(in crate::report) fn rects(&mut self, rects: &[Rect], fill: &str, stroke: Option<Stroke>) {
        let mut path = String::with_capacity(rects.len() * 28);
        for ((x, y), (width, height)) in rects {
            let (width, height) = (number(*width), number(*height));
            // Writing to a String cannot fail.
            let _ = write!(
                path,
                "M{} {}h{width}v{height}h-{width}z",
                number(*x),
                number(*y)
            );
        }
        self.push(format_args!(
            r#"<path d="{path}" fill="{fill}"{}/>"#,
            stroke.map(Stroke::attributes).unwrap_or_default()
        ));
    }

    /// A circle.
    pub(in crate::report) fn circle(
        &mut self,
        centre: (f64, f64),
        radius: f64,
        fill: &str,
        stroke: Option<Stroke>,
    ) {
        self.push(format_args!(
            r#"<circle cx="{}" cy="{}" r="{}" fill="{fill}"{}/>"#,
            number(centre.0),
            number(centre.1),
            number(radius),
            stroke.map(Stroke::attributes).unwrap_or_default()
        ));
    }

    /// A closed shape.
    pub(in crate::report) fn polygon(
        &mut self,
        points: &[(f64, f64)],
        fill: &str,
        stroke: Option<Stroke>,
    ) {
        self.push(format_args!(
            r#"<polygon points="{}" fill="{fill}"{}/>"#,
            join(points),
            stroke.map(Stroke::attributes).unwrap_or_default()
        ));
    }

    /// An open line through points.
    pub(in crate::report) fn polyline(&mut self, points: &[(f64, f64)], stroke: Stroke) {
        self.push(format_args!(
            r#"<polyline points="{}" fill="none"{}/>"#,
            join(points),
            stroke.attributes()
        ));
    }

    /// A text.
    pub(in crate::report) fn text(
        &mut self,
        point: (f64, f64),
        anchor: Anchor,
        face: Type,
        text: &str,
    ) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => r#" text-anchor="middle""#,
            Anchor::End => r#" text-anchor="end""#,
        };
        let weight = if face.bold {
            r#" font-weight="600""#
        } else {
            ""
        };
        self.push(format_args!(
            r#"<text x="{}" y="{}"{}{anchor}{weight}>{}</text>"#,
            number(point.0),
            number(point.1),
            face.attributes(),
            escape(text)
        ));
    }

    /// A text that reads upwards, centred on its point.
    pub(in crate::report) fn text_up(&mut self, point: (f64, f64), face: Type, text: &str) {
        self.push(format_args!(
            r#"<text transform="translate({} {}) rotate(-90)" font-size="{}" fill="{}" text-anchor="middle">{}</text>"#,
            number(point.0),
            number(point.1),
            number(face.size),
            face.fill,
            escape(text)
        ));
    }

    /// One of four markers, so that series differ without colour.
    pub(in crate::report) fn marker(&mut self, kind: usize, at: (f64, f64), fill: &'static str) {
        self.shape(kind, at, fill, None);
    }

    /// The same, hollow: a sign on a line, and no value of its own.
    pub(in crate::report) fn hollow(&mut self, kind: usize, at: (f64, f64), colour: &'static str) {
        self.shape(kind, at, "#ffffff", Some(Stroke::solid(colour, 1.5)));
    }

    fn shape(
        &mut self,
        kind: usize,
        (x, y): (f64, f64),
        fill: &'static str,
        stroke: Option<Stroke>,
    ) {
        match kind % 4 {
            0 => self.circle((x, y), 4.5, fill, stroke),
            1 => self.rect((x - 4.0, y - 4.0), (8.0, 8.0), fill, stroke),
            2 => self.polygon(
                &[(x, y - 5.5), (x + 5.0, y + 4.0), (x - 5.0, y + 4.0)],
                fill,
                stroke,
            ),
            _ => self.polygon(
                &[(x, y - 5.5), (x + 5.5, y), (x, y + 5.5), (x - 5.5, y)],
                fill,
                stroke,
            ),
        }
    }

    /// The element, with its name and the sentence that tells what it shows.
    pub(in crate::report) fn finish(self, id: &str, title: &str, description: &str) -> String {
        let id = escape(id);
        format!(
            concat!(
                r#"<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="{id}-t {id}-d" "#,
                r#"viewBox="0 0 {width} {height}" width="{width}" height="{height}"{scale} font-size="{size}" fill="{fill}">"#,
                r#"<title id="{id}-t">{title}</title><desc id="{id}-d">{description}</desc>{body}</svg>"#
            ),
            id = id,
            scale = self.scale,
            size = number(LABEL.size),
            fill = LABEL.fill,
            width = number(self.width),
            height = number(self.height),
            title = escape(title),
            description = escape(description),
            body = self.body
        )
    }
}

fn join(points: &[(f64, f64)]) -> String {
    let mut text = String::with_capacity(points.len() * 12);
    let mut last = String::new();
    for (x, y) in points {
        let point = format!("{},{}", number(*x), number(*y));
        if point == last {
            continue;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&point);
        last = point;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_text() {
        let mut svg = Svg::new(10.0, 10.0);
        svg.text(
            (0.0, 0.0),
            Anchor::Start,
            LABEL,
            "<script>alert('x')</script>",
        );
        let out = svg.finish("a\"b", "t</title><script>", "d & \"q\"");
        assert!(!out.contains("<script"));
        assert!(out.contains("&lt;script&gt;"));
        assert!(out.contains("a&quot;b-t"));
    }

    #[test]
    fn long_labels_are_cut_on_characters() {
        assert_eq!(clip("ääääää", 4), "äää…");
        assert_eq!(clip("abc", 4), "abc");
    }
}
