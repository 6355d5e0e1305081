//! Sets the document as one HTML page that fetches nothing. It is complete without its script,
//! whose digest stands in the page's policy.
//!
//! From: `document`.
//! To: `report.html`.

use askama::Template;

use super::document::{Block, Document, Table};
use super::figure::svg::escape;
use super::number::Shown;

pub(super) const CSS: &str = include_str!("../../templates/report.css");
const JS: &str = include_str!("../../templates/report.js");

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    document: &'a Document,
    css: &'static str,
    js: &'static str,
    policy: String,
}

#[derive(Template)]
#[template(path = "table.html")]
struct TablePart<'a> {
    table: &'a Table,
}

/// The page.
pub(super) fn render(document: &Document) -> Result<String, askama::Error> {
    Page {
        document,
        css: CSS,
        js: JS,
        policy: format!(
            "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; \
             form-action 'none'",
            hash(CSS),
            hash(JS)
        ),
    }
    .render()
}

fn hash(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    data_encoding::BASE64.encode(digest.as_ref())
}

impl Page<'_> {
    fn table(&self, table: &Table) -> Result<String, askama::Error> {
        TablePart { table }.render()
    }

    /// The hospitals' names, for the script.
    fn sites(&self) -> String {
        let names = self.document.sites.iter();
        let names: Vec<String> = names.map(|name| name.replace('|', " ")).collect();
        names.join("|")
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
