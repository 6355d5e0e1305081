//! Sets the document as one HTML page that fetches and runs nothing.
//!
//! From: `document`.
//! To: `report.html`.

use askama::Template;

use super::document::{Block, Document, Table};
use super::figure::svg::escape;
use super::number::Shown;

pub(super) const CSS: &str = include_str!("../../templates/report.css");

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    document: &'a Document,
    css: &'static str,
    policy: String,
}

#[derive(Template)]
#[template(path = "table.html")]
struct TablePart<'a> {
    table: &'a Table,
}

/// The page.
pub(super) fn render(document: &Document) -> Result<String, askama::Error> {
    let digest = ring::digest::digest(&ring::digest::SHA256, CSS.as_bytes());
    let hash = data_encoding::BASE64.encode(digest.as_ref());
    Page {
        document,
        css: CSS,
        policy: format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"
        ),
    }
    .render()
}

impl Page<'_> {
    fn table(&self, table: &Table) -> Result<String, askama::Error> {
        TablePart { table }.render()
    }

    /// Text with a break allowed inside long digests.
    fn fact(&self, text: &str) -> String {
        breakable(text)
    }
}

impl TablePart<'_> {
    /// The table's CSS class, by kind and width.
    fn class(&self) -> &'static str {
        match self.table.columns() {
            _ if self.table.prose => "prose",
            0..=3 => "slim",
            4..=8 => "",
            _ => "dense",
        }
    }

    /// Class attribute of a cell; plain numbers and words need none.
    fn attribute(&self, shown: &Shown) -> String {
        match shown.class() {
            "num" | "words" => String::new(),
            class => format!(" class=\"{class}\""),
        }
    }

    /// A cell's content: text, and its second line in small type.
    fn cell(&self, shown: &Shown) -> String {
        let text = match &shown.sub {
            Some(sub) => format!(
                "{}<span class=\"sub\">{}</span>",
                breakable(&shown.text),
                escape(sub).replace(" to ", "\u{a0}to\u{a0}")
            ),
            None => breakable(&shown.text),
        };
        let link = |(id, title): &(&str, &str)| format!(" <a href=\"#{id}\">{title}</a>");
        text + &shown.links.iter().map(link).collect::<String>()
    }
}

/// Escaped text; digests get a class of their own.
fn breakable(text: &str) -> String {
    let escaped = escape(text);
    if text.starts_with("sha256:") {
        format!("<span class=\"digest\">{escaped}</span>")
    } else {
        escaped
    }
}
