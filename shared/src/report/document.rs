//! The report as a tree of sections, paragraphs, tables and figures: what is said, without
//! how it is set.
//!
//! From: the pages.
//! To: `html`.

use super::number::Shown;

/// The whole report.
pub(super) struct Document {
    /// Title of the study.
    pub(super) title: String,
    /// The front page.
    pub(super) front: Front,
    /// The hospital whose copy this is.
    pub(super) own: Option<String>,
    /// Names of the hospitals whose results are shown.
    pub(super) sites: Vec<String>,
    /// The numbered sections.
    pub(super) sections: Vec<Section>,
}

/// The front page.
pub(super) struct Front {
    /// Line above the title.
    pub(super) kicker: String,
    /// Study, model version, date: short facts under the title.
    pub(super) imprint: Vec<(String, String)>,
    /// What a reader must not overlook: headline and sentence.
    pub(super) stamps: Vec<(String, String)>,
    /// The protocol's question.
    pub(super) question: String,
    /// The answer in one to three words: `met`, `not settled`.
    pub(super) verdict: String,
    /// CSS class of the verdict.
    pub(super) verdict_class: &'static str,
    /// The answer, one paragraph per element.
    pub(super) answer: Vec<String>,
    /// The same in everyday words.
    pub(super) plain: Vec<String>,
    /// Label, large value, small remark.
    pub(super) strip: Vec<(String, String, String)>,
    /// What this does not show.
    pub(super) limits: Vec<String>,
    /// Who ran it and who built the model.
    pub(super) independence: String,
    /// Model facts.
    pub(super) facts: Vec<Table>,
}

/// One numbered section.
pub(super) struct Section {
    /// Anchor.
    pub(super) id: &'static str,
    /// Heading.
    pub(super) title: &'static str,
    /// Its content.
    pub(super) blocks: Vec<Block>,
}

/// One piece of a section.
pub(super) enum Block {
    /// A heading inside the section.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// A paragraph about the build of this report, which may differ between two builds.
    Built(String),
    /// A remark that must not be overlooked.
    Note(String),
    /// A bulleted list.
    List(Vec<String>),
    /// Terms with their definitions.
    Terms(Vec<(String, String)>),
    /// A table.
    Table(Table),
    /// A table that opens on demand, under a line that says what is in it.
    Folded {
        /// The line.
        summary: String,
        /// The table.
        table: Table,
    },
    /// A figure.
    Figure(Figure),
    /// Facts about this build of the report, which may differ between two builds.
    Build(Vec<(String, String)>),
    /// How the four states of a number look.
    Key(Vec<(Shown, String)>),
}

/// A table.
#[derive(Default)]
pub(super) struct Table {
    /// `Table 3`; given when the document is complete.
    pub(super) label: String,
    /// What it shows.
    pub(super) caption: String,
    /// Column headings; the first heads the rows.
    pub(super) head: Vec<String>,
    /// Rows under an optional heading each.
    pub(super) groups: Vec<Group>,
    /// Remarks below the table.
    pub(super) notes: Vec<String>,
    /// Cells are words and read from the left.
    pub(super) prose: bool,
}

/// Rows under one heading.
#[derive(Default)]
pub(super) struct Group {
    /// Heading over the rows; none when empty.
    pub(super) title: String,
    /// The rows.
    pub(super) rows: Vec<Row>,
}

/// One row.
pub(super) struct Row {
    /// Row heading.
    pub(super) head: String,
    /// Cells.
    pub(super) cells: Vec<Shown>,
    /// CSS class: `pool`, `apart`, or empty.
    pub(super) class: &'static str,
}

/// A figure with its data.
pub(super) struct Figure {
    /// `Figure 2`; given when the document is complete.
    pub(super) label: String,
    /// What can be read from it: one or two sentences made from its numbers.
    pub(super) reading: String,
    /// What it shows and how to read it.
    pub(super) caption: String,
    /// The drawing.
    pub(super) svg: String,
    /// The numbers behind it.
    pub(super) data: Table,
    /// Set at half width beside its neighbour.
    pub(super) narrow: bool,
    /// Where its numbers come from.
    pub(super) source: Source,
}

/// Where the numbers of a figure come from.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// Each hospital's own estimates, and what is pooled from them.
    Estimates,
    /// Counts that hospitals released.
    Counts,
    /// Score histograms that hospitals released.
    Histograms {
        /// Whether each hospital's policy lets whole histograms out: public data, or an agreement.
        whole: bool,
    },
    /// The sum over hospitals of what none of them shows.
    MaskedSum,
}

impl Source {
    /// A sentence.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Estimates => "Source: each hospital's own estimates.",
            Self::Counts => "Source: counts that hospitals released.",
            Self::Histograms { whole: true } => {
                "Source: score histograms that hospitals released whole, as public data or under \
                 an agreement."
            }
            Self::Histograms { whole: false } => {
                "Source: score histograms that hospitals released, each after its own disclosure \
                 control."
            }
            Self::MaskedSum => {
                "Source: the masked sum over hospitals; no hospital's part is known."
            }
        }
    }
}

impl Figure {
    /// What stands under it, after its label.
    pub(super) fn said(&self) -> String {
        let parts = [
            self.reading.as_str(),
            self.caption.as_str(),
            self.source.words(),
        ];
        let said: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        said.join(" ")
    }
}

impl Row {
    /// A row.
    pub(super) fn new(head: impl Into<String>, cells: Vec<Shown>) -> Self {
        Self {
            head: head.into(),
            cells,
            class: "",
        }
    }

    /// The same with a CSS class.
    #[must_use]
    pub(super) fn class(mut self, class: &'static str) -> Self {
        self.class = class;
        self
    }
}

impl Table {
    /// A table with its caption and column headings.
    pub(super) fn new(caption: impl Into<String>, head: &[&str]) -> Self {
        Self {
            caption: caption.into(),
            head: head.iter().map(|&text| text.to_owned()).collect(),
            ..Self::default()
        }
    }

    /// A table of words.
    pub(super) fn prose(caption: impl Into<String>, head: &[&str]) -> Self {
        Self {
            prose: true,
            ..Self::new(caption, head)
        }
    }

    /// Adds a row to the last group, making one when there is none.
    pub(super) fn push(&mut self, row: Row) {
        if self.groups.is_empty() {
            self.groups.push(Group::default());
        }
        if let Some(group) = self.groups.last_mut() {
            group.rows.push(row);
        }
    }

    /// Starts a group of rows.
    pub(super) fn group(&mut self, title: impl Into<String>) {
        self.groups.push(Group {
            title: title.into(),
            rows: Vec::new(),
        });
    }

    /// Leaves at most `most` rows of hospitals in each group, and says which file has all.
    pub(super) fn cut(&mut self, most: usize, file: &str) {
        let mut longest = 0;
        for group in &mut self.groups {
            let plain = |row: &Row| row.class != "pool";
            let count = group.rows.iter().filter(|row| plain(row)).count();
            if count > most {
                longest = longest.max(count);
                let mut kept = 0;
                group.rows.retain(|row| {
                    kept += usize::from(plain(row));
                    !plain(row) || kept <= most
                });
            }
        }
        if longest > 0 {
            let note = format!("The first {most} of {longest} rows; {file} has all.");
            self.notes.push(note);
        }
    }

    /// Leaves at most `most` groups, the last one among them, and says which file has all.
    pub(super) fn cut_groups(&mut self, most: usize, file: &str) {
        let count = self.groups.len();
        if count > most {
            let last = self.groups.pop();
            self.groups.truncate(most.saturating_sub(1));
            self.groups.extend(last);
            self.notes
                .push(format!("{most} of {count} groups; {file} has all."));
        }
    }

    /// Number of columns.
    pub(super) fn columns(&self) -> usize {
        self.head.len()
    }

    /// True when there is no row.
    pub(super) fn is_empty(&self) -> bool {
        self.groups.iter().all(|group| group.rows.is_empty())
    }
}

impl Document {
    /// Numbers tables and figures in reading order.
    pub(super) fn number(&mut self) {
        let (mut tables, mut figures) = (0_usize, 0_usize);
        let mut label_table = |table: &mut Table| {
            tables += 1;
            table.label = format!("Table {tables}");
        };
        self.front.facts.iter_mut().for_each(&mut label_table);
        for block in self
            .sections
            .iter_mut()
            .flat_map(|section| &mut section.blocks)
        {
            match block {
                Block::Table(table) | Block::Folded { table, .. } => label_table(table),
                Block::Figure(figure) => {
                    figures += 1;
                    figure.label = format!("Figure {figures}");
                }
                Block::Heading(_)
                | Block::Text(_)
                | Block::Built(_)
                | Block::Note(_)
                | Block::List(_)
                | Block::Terms(_)
                | Block::Build(_)
                | Block::Key(_) => {}
            }
        }
    }

    /// Everything that a reader reads, one piece per line.
    pub(super) fn text(&self) -> String {
        let front = &self.front;
        let mut out = vec![self.title.clone(), front.question.clone()];
        out.extend(
            front
                .answer
                .iter()
                .chain(&front.plain)
                .chain(&front.limits)
                .cloned(),
        );
        for (label, value, remark) in &front.strip {
            out.extend([label, value, remark].map(String::clone));
        }
        front.facts.iter().for_each(|table| table.say(&mut out));
        for block in self.sections.iter().flat_map(|section| &section.blocks) {
            block.say(&mut out);
        }
        out.join("\n")
    }
}

impl Block {
    fn say(&self, out: &mut Vec<String>) {
        match self {
            Self::Heading(text) | Self::Text(text) | Self::Built(text) | Self::Note(text) => {
                out.push(text.clone());
            }
            Self::List(items) => out.extend(items.iter().cloned()),
            Self::Terms(items) | Self::Build(items) => {
                out.extend(
                    items
                        .iter()
                        .flat_map(|(term, text)| [term.clone(), text.clone()]),
                );
            }
            Self::Table(table) => table.say(out),
            Self::Folded { summary, table } => {
                out.push(summary.clone());
                table.say(out);
            }
            Self::Figure(figure) => {
                out.push(figure.said());
                figure.data.say(out);
            }
            Self::Key(items) => out.extend(items.iter().map(|(_, text)| text.clone())),
        }
    }
}

impl Table {
    /// Headings and notes, and what stands at the head of the rows.
    fn say(&self, out: &mut Vec<String>) {
        out.push(self.caption.clone());
        out.extend(self.head.iter().chain(&self.notes).cloned());
        for group in &self.groups {
            out.push(group.title.clone());
            out.extend(group.rows.iter().map(|row| row.head.clone()));
        }
    }
}
