//! Figures as files of their own: the drawing with the font and the ground that the page gives
//! it, its title and description, and its data.
//!
//! From: `document::Figure`.
//! To: `figures/*.svg`, `figures/*.csv`.

use super::super::csv::{Sheet, text};
use super::super::document::{Block, Document, Figure};
use super::super::html::CSS;
use super::{Files, short, tables};

const FONT: &str = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica Neue, Arial, \
                    Liberation Sans, DejaVu Sans, sans-serif";

/// Every figure of the document.
pub(super) fn files(document: &Document) -> Files {
    let mut files = Files::new();
    let mut index = Sheet::new(&["figure", "section", "caption"]);
    for (section, figure) in every(document) {
        let name = short(&figure.label);
        index.push(&[name.clone(), text(section), text(&figure.caption)]);
        files.insert(
            format!("figures/{name}.svg"),
            standalone(&figure.svg).into_bytes(),
        );
        files.insert(
            format!("figures/{name}.csv"),
            tables::csv(&figure.data).into_bytes(),
        );
    }
    files.insert("figures/index.csv".to_owned(), index.finish().into_bytes());
    files
}

fn every(document: &Document) -> impl Iterator<Item = (&'static str, &Figure)> {
    document.sections.iter().flat_map(|section| {
        section.blocks.iter().filter_map(|block| match block {
            Block::Figure(figure) => Some((section.id, figure)),
            Block::Heading(_)
            | Block::Text(_)
            | Block::Built(_)
            | Block::Note(_)
            | Block::List(_)
            | Block::Terms(_)
            | Block::Table(_)
            | Block::Folded { .. }
            | Block::Build(_)
            | Block::Key(_) => None,
        })
    })
}

/// The drawing outside the page: its font, a white ground behind it, and the page's styles where
/// it uses their classes.
fn standalone(svg: &str) -> String {
    let svg = without_steps(svg);
    let styles = if svg.contains(" class=\"") {
        format!("<style><![CDATA[{CSS}]]></style>")
    } else {
        String::new()
    };
    let ground = format!("</desc>{styles}<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>");
    let svg = svg
        .replacen("<svg ", &format!("<svg font-family=\"{FONT}\" "), 1)
        .replacen("</desc>", &ground, 1);
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{svg}\n")
}

/// The drawing without the groups that the page shows one at a time on request: a program that
/// reads no styles would draw them all over the figure.
fn without_steps(svg: &str) -> String {
    let mut out = String::with_capacity(svg.len());
    let mut rest = svg;
    while let Some((before, group)) = rest.split_once("<g class=\"step\"") {
        out.push_str(before);
        let mut depth = 1_u32;
        rest = group;
        while depth > 0 {
            let Some(close) = rest.find("</g>") else {
                return out;
            };
            let opened =
                rest[..close].matches("<g ").count() + rest[..close].matches("<g>").count();
            depth += u32::try_from(opened).unwrap_or(u32::MAX - depth);
            depth -= 1;
            rest = &rest[close + "</g>".len()..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_page_shows_on_request_is_not_drawn() {
        let svg = "<svg><g data-pool=\"\"><a/></g><g class=\"step\" x=\"\"><g ><b/></g><c/></g><d/></svg>";
        assert_eq!(
            without_steps(svg),
            "<svg><g data-pool=\"\"><a/></g><d/></svg>"
        );
        assert_eq!(without_steps("<svg/>"), "<svg/>");
    }
}
