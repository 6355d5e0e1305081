//! How much a mean hangs on single hospitals, on the model, and on what was withheld.
//!
//! From: `pool::robustness`.
//! To: the pages with forest plots.

use super::super::document::{Block, Row, Table};
use super::super::number::{Shown, Style, range, real};
use super::super::view::View;
use super::super::words::{self, join, plural};
use super::single;
use crate::pool::result::{
    Analysis, Bounds, Metric, OtherPool, PoolOutcome, Pooled, PoolingModel, Robustness,
    SiteInfluence,
};
use crate::study::{PoolInterval, SiteSlug, Tau2Estimator};

/// Hospitals in a table; of more, those that move the mean most.
const ROWS_MAX: usize = 12;
/// Hospitals that a sentence about flags names.
const FLAGGED_MAX: usize = 4;

/// The hospitals that a table names, in their order.
pub(super) fn named(found: &Robustness) -> Vec<&SiteSlug> {
    let mut sizes: Vec<f64> = found.influence.iter().map(|one| one.dffits.abs()).collect();
    sizes.sort_by(|a, b| b.total_cmp(a));
    let least = sizes.get(ROWS_MAX - 1).copied().unwrap_or(0.0);
    let mut sites: Vec<&SiteSlug> = found
        .influence
        .iter()
        .filter(|one| one.dffits.abs() >= least)
        .map(|one| &one.site)
        .collect();
    sites.truncate(ROWS_MAX);
    sites
}

/// Says which hospitals a table leaves to the file.
fn shortened(table: &mut Table, found: &Robustness) {
    if found.influence.len() > ROWS_MAX {
        table.notes.push(format!(
            "The {ROWS_MAX} hospitals with the largest DFFITS; all stand in robustness.csv."
        ));
    }
}

/// Tables and notes for one pooled analysis; nothing where there is no pool of three sites.
pub(super) fn blocks(view: View<'_>, name: &str, analysis: &Analysis) -> Vec<Block> {
    let PoolOutcome::Pooled(pooled) = &analysis.pool else {
        return Vec::new();
    };
    let found = &pooled.robustness;
    if found.leave_one_out.is_empty() {
        return Vec::new();
    }
    let metric = analysis.key.metric;
    let mut blocks = vec![Block::Heading(format!(
        "{name}: heterogeneity and single hospitals"
    ))];
    blocks.extend(standing_out(view, name, analysis).map(Block::Note));
    blocks.extend(single::left_out(view, name, analysis).map(Block::Figure));
    blocks.push(Block::Table(one_by_one(view, name, metric, found)));
    blocks.extend(single::influence(view, name, analysis).map(Block::Figure));
    blocks.extend([
        Block::Table(influence(view, name, metric, found)),
        Block::Table(others(name, metric, found)),
    ]);
    blocks
}

/// Hospitals that stand out from a pool, in sentences; they stay in it.
pub(super) fn standing_out(view: View<'_>, name: &str, analysis: &Analysis) -> Option<String> {
    let PoolOutcome::Pooled(pooled) = &analysis.pool else {
        return None;
    };
    let style = words::style(analysis.key.metric);
    let found = &pooled.robustness;
    let one = |site: &&SiteInfluence| {
        let words: Vec<&str> = site.flags.iter().map(|flag| flag.words()).collect();
        let without = found
            .leave_one_out
            .iter()
            .find(|left| left.site == site.site);
        let mean = without.map_or_else(String::new, |left| {
            format!(
                "; without it the mean would be {} instead of {}",
                real(left.estimate, style),
                real(pooled.estimate, style)
            )
        });
        format!("{} ({}{mean})", view.site(&site.site), words.join(", "))
    };
    let flagged: Vec<&SiteInfluence> = found
        .influence
        .iter()
        .filter(|site| !site.flags.is_empty())
        .collect();
    let named: Vec<String> = flagged.iter().take(FLAGGED_MAX).map(one).collect();
    let more = flagged.len().saturating_sub(FLAGGED_MAX);
    let rest = match more {
        0 => String::new(),
        more => format!("; {more} more stand in robustness.csv"),
    };
    (!named.is_empty()).then(|| {
        format!(
            "{name}: standing out from the other hospitals: {}{rest}. A flag is a reason to look \
             at the hospital\u{2019}s data; nobody was left out of the pool for it.",
            named.join("; ")
        )
    })
}

/// What withheld sites leave open, in a sentence.
pub(super) fn withheld_note(view: View<'_>, name: &str, analysis: &Analysis) -> Option<String> {
    let PoolOutcome::Pooled(pooled) = &analysis.pool else {
        return None;
    };
    let bounds = pooled.robustness.withheld.as_ref()?;
    let sites: Vec<String> = bounds.sites.iter().map(|site| view.site(site)).collect();
    Some(format!(
        "{name}: withheld, not at random, at {} ({}). {}",
        plural(sites.len(), "hospital", "hospitals"),
        join(&sites),
        between(analysis.key.metric, pooled, bounds)
    ))
}

fn between(metric: Metric, pooled: &Pooled, bounds: &Bounds) -> String {
    let style = words::style(metric);
    let how = "with every withheld value at either end of what is known of it, each hospital \
               with the mean weight";
    match (bounds.low, bounds.high) {
        (Some(low), Some(high)) => format!(
            "The mean over all of them lies between {} ({how}).",
            range(low, high, style).replace(" to ", " and ")
        ),
        (Some(low), None) => format!(
            "The mean over all of them is at least {} ({how}); nothing bounds it above.",
            real(low, style)
        ),
        (None, Some(high)) => format!(
            "The mean over all of them is at most {} ({how}); nothing bounds it below.",
            real(high, style)
        ),
        (None, None) => format!(
            "Nothing bounds the mean over all of them; that of the {} says nothing about the rest.",
            plural(
                pooled.k,
                "hospital that released",
                "hospitals that released"
            )
        ),
    }
}

fn interval(metric: Metric, estimate: f64, ends: Option<[f64; 2]>) -> Shown {
    let style = words::style(metric);
    let shown = Shown::number(real(estimate, style));
    match ends {
        Some([low, high]) => shown.with(format!("({})", range(low, high, style))),
        None => shown.with("no interval"),
    }
}

fn one_by_one(view: View<'_>, name: &str, metric: Metric, found: &Robustness) -> Table {
    let mut table = Table::new(
        format!("{name} without each hospital, and as hospitals are added"),
        &[
            "Hospital",
            "Mean without it (95% CI)",
            "τ² without it",
            "I² without it",
            "Mean up to and with it (95% CI)",
        ],
    );
    let named = named(found);
    for one in found
        .leave_one_out
        .iter()
        .filter(|one| named.contains(&&one.site))
    {
        let step = found.cumulative.iter().find(|step| step.site == one.site);
        table.push(Row::new(
            view.site(&one.site),
            vec![
                interval(metric, one.estimate, one.interval),
                Shown::number(real(one.tau2, Style::Plain(3))),
                Shown::number(format!("{:.1}%", one.i2)),
                step.map_or_else(Shown::none, |step| {
                    interval(metric, step.estimate, step.interval)
                }),
            ],
        ));
    }
    table.notes.push(
        "Hospitals are added in the order of the protocol; the first stands alone.".to_owned(),
    );
    shortened(&mut table, found);
    table
}

fn influence(view: View<'_>, name: &str, metric: Metric, found: &Robustness) -> Table {
    let mut table = Table::new(
        format!("{name}: influence of each hospital, and its estimate drawn to the mean"),
        &[
            "Hospital",
            "Share of the mean",
            "Studentised residual",
            "DFFITS",
            "Cook's distance",
            "Residual of Q",
            "Drawn to the mean (95% CI)",
            "Stands out by",
        ],
    );
    let plain = |value: f64| Shown::number(real(value, Style::Plain(2)));
    let named = named(found);
    for one in found
        .influence
        .iter()
        .filter(|one| named.contains(&&one.site))
    {
        let drawn = found.shrunken.iter().find(|drawn| drawn.site == one.site);
        let flags: Vec<&str> = one.flags.iter().map(|flag| flag.words()).collect();
        table.push(Row::new(
            view.site(&one.site),
            vec![
                Shown::number(format!("{:.1}%", 100.0 * one.hat)),
                plain(one.studentised),
                plain(one.dffits),
                plain(one.cooks_distance),
                plain(one.q_residual),
                drawn.map_or_else(Shown::none, |drawn| {
                    interval(metric, drawn.estimate, drawn.interval)
                }),
                if flags.is_empty() {
                    Shown::none()
                } else {
                    Shown::words(flags.join("; "))
                },
            ],
        ));
    }
    table.notes.push(
        "Influential: DFFITS, Cook's distance, share or DFBETAS beyond its customary bound; a \
         reason to look at the hospital, not to leave it out."
            .to_owned(),
    );
    shortened(&mut table, found);
    table
}

fn others(name: &str, metric: Metric, found: &Robustness) -> Table {
    let mut table = Table::new(
        format!("{name} by other models of the spread between hospitals"),
        &["Model", "Mean (95% CI)", "τ²", "I²"],
    );
    for other in &found.others {
        let row = Row::new(
            model_words(other),
            vec![
                interval(metric, other.estimate, other.interval),
                Shown::number(real(other.tau2, Style::Plain(3))),
                other
                    .i2
                    .map_or_else(Shown::none, |i2| Shown::number(format!("{i2:.1}%"))),
            ],
        );
        table.push(if other.chosen { row.class("pool") } else { row });
    }
    table.notes.push(
        "The marked row is the one the report leads with, chosen before the data were seen."
            .to_owned(),
    );
    table
}

fn model_words(other: &OtherPool) -> String {
    match other.model {
        PoolingModel::TwoStage => format!(
            "{}, {}",
            estimator_words(other.tau2_estimator),
            interval_words(other.interval_method)
        ),
        PoolingModel::BinomialNormal => "Counts: binomial-normal, maximum likelihood".to_owned(),
    }
}

/// An estimator of the between-site variance, in words.
pub(super) fn estimator_words(estimator: Tau2Estimator) -> &'static str {
    match estimator {
        Tau2Estimator::Fixed => "One common value",
        Tau2Estimator::DerSimonianLaird => "DerSimonian-Laird",
        Tau2Estimator::PauleMandel => "Paule-Mandel",
        Tau2Estimator::MaximumLikelihood => "Maximum likelihood",
        Tau2Estimator::Reml => "Restricted maximum likelihood",
        Tau2Estimator::SidikJonkman => "Sidik-Jonkman",
        Tau2Estimator::Hedges => "Hedges",
        Tau2Estimator::EmpiricalBayes => "Empirical Bayes",
    }
}

/// An interval of the mean, in words.
pub(super) fn interval_words(interval: PoolInterval) -> &'static str {
    match interval {
        PoolInterval::Hksj => "guarded HKSJ",
        PoolInterval::HksjUnguarded => "HKSJ without guard",
        PoolInterval::Normal => "normal",
    }
}
