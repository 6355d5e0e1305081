//! Which way of running a study gives what (decision C13): for every statistic, what leaves a
//! hospital that protects, what a masked sum can carry, what a data use agreement or public
//! data allow. The page in the docs and the words of `fedval study check` are made from here.
//!
//! From: `study::plan`, `metric`.
//! To: `fedval study check`, `docs/reference/statistics/README.md`.

use super::metric::{Leaves, Metric, Pooling};
use crate::study::plan::StatisticKind;

/// How hospitals' results become one (catalogue of merge classes).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Merge {
    /// Counts and sums add.
    Sums,
    /// Counts per bin of an agreed grid add; exact for the binned score.
    Histogram,
    /// Count, mean and sum of squares merge.
    Moments,
    /// Score and information at an agreed point add, step by step.
    Newton,
    /// Statistic, expectation and variance under shuffling within the hospital add.
    Permutation,
    /// Estimates with variances are pooled by a stated model.
    Estimates,
}

impl Merge {
    /// The letter of the catalogue.
    pub fn letter(self) -> char {
        match self {
            Self::Sums => 'S',
            Self::Histogram => 'H',
            Self::Moments => 'M',
            Self::Newton => 'N',
            Self::Permutation => 'P',
            Self::Estimates => 'T',
        }
    }
}

/// What a masked sum gives of a kind, over the patients of all hospitals in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Masked {
    /// The counts of the rows.
    OfRows,
    /// The numbers of the score cut at the protocol's grid.
    Binned,
    /// The numbers of both scores, cut at the grid joined to blocks.
    Joined,
    /// Nothing.
    Nothing,
}

impl Masked {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::OfRows => "exact, over all patients",
            Self::Binned => "over all patients, of the binned score",
            Self::Joined => "over all patients, of both scores joined to blocks",
            Self::Nothing => "nothing more",
        }
    }
}

/// What a masked sum gives of `kind`.
pub fn masked(kind: StatisticKind) -> Masked {
    match kind {
        StatisticKind::Flow
        | StatisticKind::Confusion
        | StatisticKind::Histogram
        | StatisticKind::NetBenefit
        | StatisticKind::Discordance
        | StatisticKind::Contingency
        | StatisticKind::MaskedSums => Masked::OfRows,
        StatisticKind::Auc
        | StatisticKind::ObservedExpected
        | StatisticKind::Calibration
        | StatisticKind::Subgroup => Masked::Binned,
        StatisticKind::PairedAuc => Masked::Joined,
        StatisticKind::Characteristics
        | StatisticKind::Brier
        | StatisticKind::CalibrationBins
        | StatisticKind::Discrimination
        | StatisticKind::Reclassification
        | StatisticKind::Permutation
        | StatisticKind::CalibrationBlock
        | StatisticKind::CaseMix
        | StatisticKind::Missing
        | StatisticKind::Sensitivity
        | StatisticKind::Segmentation
        | StatisticKind::Lesions
        | StatisticKind::Detection => Masked::Nothing,
    }
}

/// What one kind of statistic gives in each mode.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// The kind.
    pub kind: StatisticKind,
    /// How it merges.
    pub merge: Merge,
    /// What leaves a hospital whose policy protects.
    pub site: &'static str,
    /// What leaves under a data use agreement, or from public data.
    pub open: &'static str,
}

/// The line of `kind`.
pub fn line(kind: StatisticKind) -> Line {
    let (site, open) = leaves(kind);
    Line {
        kind,
        merge: merge(kind),
        site,
        open,
    }
}

fn merge(kind: StatisticKind) -> Merge {
    match kind {
        StatisticKind::Flow
        | StatisticKind::Confusion
        | StatisticKind::Discordance
        | StatisticKind::Contingency
        | StatisticKind::Missing
        | StatisticKind::Lesions => Merge::Sums,
        StatisticKind::Characteristics => Merge::Moments,
        StatisticKind::Histogram
        | StatisticKind::CalibrationBins
        | StatisticKind::MaskedSums
        | StatisticKind::Segmentation
        | StatisticKind::Detection => Merge::Histogram,
        StatisticKind::Permutation => Merge::Permutation,
        StatisticKind::CalibrationBlock => Merge::Newton,
        StatisticKind::Auc
        | StatisticKind::PairedAuc
        | StatisticKind::ObservedExpected
        | StatisticKind::Brier
        | StatisticKind::Calibration
        | StatisticKind::Discrimination
        | StatisticKind::NetBenefit
        | StatisticKind::Reclassification
        | StatisticKind::Subgroup
        | StatisticKind::CaseMix
        | StatisticKind::Sensitivity => Merge::Estimates,
    }
}

/// What leaves a hospital that protects, and what leaves under an agreement or from public data.
fn leaves(kind: StatisticKind) -> (&'static str, &'static str) {
    match kind {
        StatisticKind::Flow => ("counts, small ones hidden, others rounded", "counts"),
        StatisticKind::Characteristics => (
            "counts by level, small ones hidden; mean and standard deviation where enough \
             patients have a value",
            "counts, means, standard deviations",
        ),
        StatisticKind::Confusion => (
            "the table at a threshold whose four cells are large, with its rates",
            "every table",
        ),
        StatisticKind::Auc
        | StatisticKind::PairedAuc
        | StatisticKind::ObservedExpected
        | StatisticKind::Brier
        | StatisticKind::Calibration
        | StatisticKind::Discrimination
        | StatisticKind::CaseMix => (Leaves::Whole.words(), ESTIMATES),
        StatisticKind::Histogram => ("blocks of merged bins, each large, rounded", "every bin"),
        StatisticKind::CalibrationBins => (Leaves::Unprotected.words(), "every bin with its sums"),
        StatisticKind::NetBenefit => (
            "estimate, interval and variance, at prespecified thresholds whose table is shown; \
             differences where both models' decisions crossed are",
            "every threshold of the decision curve",
        ),
        StatisticKind::Discordance => (
            "all eight groups where each is large and both 2x2 tables are shown, or none",
            "all eight groups",
        ),
        StatisticKind::Reclassification => (
            "category-free NRI and IDI, where enough patients move either way; never the \
             categorical one",
            ESTIMATES,
        ),
        StatisticKind::Subgroup => (
            "levels whose cells are large, whole rows or nothing",
            "every level",
        ),
        StatisticKind::Contingency => (
            "rows whose cells are large; tests where no row is hidden",
            "every cell",
        ),
        StatisticKind::Permutation => (
            "deviation, variance and exact p value, where both classes are large enough",
            "the same",
        ),
        StatisticKind::CalibrationBlock => (
            "nothing; the round goes on without the one-stage figure",
            "per step log-likelihood, score and information",
        ),
        StatisticKind::MaskedSums => (
            "masked numbers, which say nothing by themselves; the sum over hospitals is reviewed \
             with its own counts before anybody reads it",
            "the same",
        ),
        StatisticKind::Missing => (
            "the parts of each count, where all of them are large",
            "every count",
        ),
        StatisticKind::Segmentation => (MEANS_OF_MASKS, "every mean, count and bin"),
        StatisticKind::Lesions => (RATES_OF_LESIONS, "every count and rate"),
        StatisticKind::Detection => (
            FREE_RESPONSE,
            "every count on the grid of scores, and every estimate",
        ),
        StatisticKind::Sensitivity => (
            "the same as in the primary analysis, where enough patients stand elsewhere",
            ESTIMATES,
        ),
    }
}

const ESTIMATES: &str = "estimate, interval and variance";

const MEANS_OF_MASKS: &str = "means with interval and variance where enough patients are behind \
    them and left out of them; the four counts, small ones hidden; distributions in large blocks";

const RATES_OF_LESIONS: &str = "rates with interval and variance where enough patients stand on \
    both sides; no count of lesions";

const FREE_RESPONSE: &str = "sensitivities, all of them or none, their mean and the average \
    precision, with interval and variance, where enough patients stand on both sides; no count \
    of lesions";

impl Line {
    /// The names of the kind's metrics that are pooled, and of those described per hospital.
    pub fn metrics(&self, pooling: Pooling) -> Vec<&'static str> {
        let entries = Metric::ALL.iter().map(|metric| metric.entry());
        let of = entries.filter(|entry| entry.kind == self.kind && entry.pooling == pooling);
        let mut names: Vec<&str> = of.map(|entry| entry.name).collect();
        names.dedup();
        names
    }
}

/// The table of every statistic, as Markdown.
pub fn table() -> String {
    let mut text = String::from(
        "| statistic | merges as | a hospital that protects | masked sums | agreement or public \
         data |\n|---|---|---|---|---|\n",
    );
    for kind in StatisticKind::ALL {
        let line = line(*kind);
        text.push_str(&format!(
            "| `{}` | {} | {} | {} | {} |\n",
            kind.as_str(),
            line.merge.letter(),
            line.site,
            masked(*kind).words(),
            line.open
        ));
    }
    text
}

/// The table of every metric, as Markdown, with links to the help pages beside it.
pub fn metrics() -> String {
    let mut text = String::from(
        "| metric | in files | part | scale | over hospitals | leaves a hospital that protects |\n\
         |---|---|---|---|---|---|\n",
    );
    for metric in Metric::ALL {
        let entry = metric.entry();
        let over = match entry.pooling {
            Pooling::Mean => "random-effects mean",
            Pooling::Described => "described",
        };
        text.push_str(&format!(
            "| [{}]({}.md) | `{}` | {} | {} | {over} | {} |\n",
            entry.name,
            entry.help,
            entry.slug,
            entry.topic.words(),
            entry.scale.words(),
            entry.leaves.words()
        ));
    }
    text
}
