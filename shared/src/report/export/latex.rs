//! A table in LaTeX with booktabs, to be read into a document: `\input{T01}`.
//!
//! From: `document::Table`.
//! To: `tables/*.tex`.

use std::fmt::Write as _;

use super::super::document::Table;

/// Rows beyond which a table breaks over pages (package longtable).
const LONG: usize = 40;

/// The table as a float, or as a longtable when it is long.
pub(super) fn table(name: &str, table: &Table) -> String {
    let rows: usize = table.groups.iter().map(|group| group.rows.len()).sum();
    let columns = columns(table);
    let head = row(table.head.iter().map(|text| bold(text)));
    let caption = format!(
        "\\caption{{{}}}\\label{{tab:{name}}}",
        escape(&table.caption)
    );
    let mut out = String::from("% needs booktabs; long tables need longtable\n");
    if rows > LONG {
        let _ = write!(
            out,
            "\\begin{{longtable}}{{{columns}}}\n{caption}\\\\\n\\toprule\n{head}\\midrule\n\
             \\endhead\n{}\\bottomrule\n\\end{{longtable}}\n",
            body(table)
        );
    } else {
        let _ = write!(
            out,
            "\\begin{{table}}\n\\centering\n{caption}\n\\begin{{tabular}}{{{columns}}}\n\
             \\toprule\n{head}\\midrule\n{}\\bottomrule\n\\end{{tabular}}\n\\end{{table}}\n",
            body(table)
        );
    }
    for note in &table.notes {
        let _ = writeln!(out, "\\par\\noindent\\small {}", escape(note));
    }
    out
}

fn columns(table: &Table) -> String {
    let rest = if table.prose { "l" } else { "r" };
    format!("l{}", rest.repeat(table.columns().saturating_sub(1)))
}

fn body(table: &Table) -> String {
    let mut out = String::new();
    for group in &table.groups {
        if !group.title.is_empty() {
            let _ = writeln!(
                out,
                "\\multicolumn{{{}}}{{l}}{{\\textit{{{}}}}}\\\\",
                table.columns().max(1),
                escape(&group.title)
            );
        }
        for one in &group.rows {
            let cells = one.cells.iter().map(|cell| escape(&cell.line()));
            let head = std::iter::once(escape(&one.head));
            let blank = table.columns().saturating_sub(one.cells.len() + 1);
            out.push_str(&row(head
                .chain(cells)
                .chain(std::iter::repeat_n(String::new(), blank))));
        }
    }
    out
}

fn row(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.collect();
    // A bracket after a line's end would be read as its height.
    format!("{}\\\\\n", cells.join(" & ")).replace("\n[", "\n{[}")
}

fn bold(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("\\textbf{{{}}}", escape(text))
    }
}

/// Text in which nothing is a command; signs that fonts of pdfLaTeX lack become mathematics.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        match sign(letter) {
            Some(command) => out.push_str(command),
            None => out.push(letter),
        }
    }
    out
}

fn sign(letter: char) -> Option<&'static str> {
    Some(match letter {
        '\\' => "\\textbackslash{}",
        '&' => "\\&",
        '%' => "\\%",
        '$' => "\\$",
        '#' => "\\#",
        '_' => "\\_",
        '{' => "\\{",
        '}' => "\\}",
        '~' => "\\textasciitilde{}",
        '^' => "\\textasciicircum{}",
        '<' => "\\textless{}",
        '>' => "\\textgreater{}",
        '[' => "{[}",
        ']' => "{]}",
        '\n' | '\r' => " ",
        '\u{2212}' => "$-$",
        '\u{2009}' => "\\,",
        '\u{a0}' => "~",
        '\u{2013}' => "--",
        '\u{2026}' => "\\dots{}",
        '\u{2248}' => "$\\approx$",
        '\u{2264}' => "$\\leq$",
        '\u{2265}' => "$\\geq$",
        '\u{d7}' => "$\\times$",
        '\u{b1}' => "$\\pm$",
        '\u{b7}' => "$\\cdot$",
        '\u{b2}' => "\\textsuperscript{2}",
        '\u{221a}' => "$\\surd$",
        'Σ' => "$\\Sigma$",
        'Δ' => "$\\Delta$",
        'α' => "$\\alpha$",
        'β' => "$\\beta$",
        'κ' => "$\\kappa$",
        'μ' => "$\\mu$",
        'ρ' => "$\\rho$",
        'τ' => "$\\tau$",
        'φ' => "$\\varphi$",
        'χ' => "$\\chi$",
        'ᵢ' => "$_i$",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_a_command() {
        assert_eq!(
            escape("50% of <10 & \\input{x}_[1]"),
            "50\\% of \\textless{}10 \\& \\textbackslash{}input\\{x\\}\\_{[}1{]}"
        );
        assert_eq!(escape("τ² −0.1"), "$\\tau$\\textsuperscript{2} $-$0.1");
    }
}
