//! All hospitals' patients together, from masked sums: what no hospital shows alone, and what
//! the coordinator read of the sum only.
//!
//! From: `pool::masked`.
//! To: `document::Section`.

use super::super::document::{Block, Row, Section, Source, Table};
use super::super::number::{self, Shown};
use super::super::view::View;
use super::super::words::{self, join};
use super::discrimination::{distribution_figure, roc_figure};
use super::estimates::mean_cell;
use crate::pool::masked::{MaskedPool, OpenedPool};
use crate::pool::result::{Analysis, Metric, PoolOutcome, SiteEstimate};
use crate::statistic::subgroup::{Measure, SubgroupTable};
use crate::statistic::{Cell, Disclosed};
use crate::study::{ModelId, SiteSlug, Tau2Estimator};

/// The page; nothing when the protocol plans no masked sums.
pub(super) fn page(view: View<'_>) -> Option<Section> {
    let blocks = match view.study.masked.as_ref()? {
        MaskedPool::Opened(pool) => opened(view, pool),
        MaskedPool::NotOpened { reason } => vec![Block::Note(format!(
            "The masked sum was not opened: {}. What hospitals released alone stands on the other \
             pages.",
            reason.words()
        ))],
    };
    Some(Section {
        id: "masked-sums",
        title: "All hospitals together (masked sums)",
        blocks,
    })
}

fn opened(view: View<'_>, pool: &OpenedPool) -> Vec<Block> {
    let mut blocks = vec![Block::Text(origin(view, pool)), Block::Text(scope())];
    if let Some(left) = left_behind(view, pool) {
        blocks.push(Block::Note(left));
    }
    blocks.push(Block::Table(areas(view, pool)));
    blocks.push(Block::Text(why_they_differ()));
    for curve in &pool.curves {
        let (model, endpoint) = (&curve.model, &curve.endpoint);
        blocks.push(Block::Heading(format!("{} over all", view.model(model))));
        let split: (&[_], &[_], &[_]) = (&[], &[], &[curve]);
        let mut roc = roc_figure(view, model, endpoint, split);
        roc.source = Source::MaskedSum;
        blocks.push(Block::Figure(roc));
        let mut predictions = distribution_figure(view, model, endpoint, &[curve]);
        predictions.source = Source::MaskedSum;
        blocks.push(Block::Figure(predictions));
        blocks.push(Block::Table(measures(view, pool, model)));
    }
    let counts = counts(view, pool);
    if !counts.is_empty() {
        blocks.push(Block::Table(counts));
    }
    blocks.extend(
        pool.levels
            .iter()
            .map(|one| Block::Table(levels(view, one))),
    );
    blocks
}

fn names(view: View<'_>, sites: &[SiteSlug]) -> String {
    let names: Vec<String> = sites.iter().map(|site| view.site(site)).collect();
    join(&names)
}

/// Where the figures come from, with how many patients.
fn origin(view: View<'_>, pool: &OpenedPool) -> String {
    let size = pool.analyses.iter().find_map(|analysis| {
        let own = analysis.sites.first()?;
        Some((own.n.number()?, own.events.number()?))
    });
    let size = size.map_or_else(String::new, |(n, events)| {
        format!(
            ", {} patients of whom {} had the event",
            number::whole(n),
            number::whole(events)
        )
    });
    format!(
        "Every figure on this page comes from one masked sum over {} hospitals{size}: {}. Each \
         hospital added the score histograms of its own patients under a mask; the coordinator \
         could read the sum and no hospital's part of it. The sum was then reviewed like a \
         release: groups of fewer than {} patients of all hospitals together are hidden.",
        pool.survivors.len(),
        names(view, &pool.survivors),
        pool.min_cell
    )
}

fn scope() -> String {
    "The other pages rest on what each hospital released alone. Intervals here are about the \
     patients of these hospitals taken as one sample: no spread between hospitals enters them, and \
     they say nothing of the next hospital."
        .to_owned()
}

/// Hospitals that took part and are not in the sum.
fn left_behind(view: View<'_>, pool: &OpenedPool) -> Option<String> {
    let left: Vec<SiteSlug> = pool
        .roster
        .iter()
        .filter(|site| !pool.survivors.contains(site))
        .cloned()
        .collect();
    if left.is_empty() {
        return None;
    }
    let are = if left.len() == 1 { "is" } else { "are" };
    Some(format!(
        "{} {are} not in the sum: no masked numbers came in time.",
        names(view, &left)
    ))
}

/// The AUC over all patients, within hospitals, and as the mean over hospitals.
fn areas(view: View<'_>, pool: &OpenedPool) -> Table {
    let level = number::level_words(view.study.protocol.pooling.level);
    let head = format!("AUC ({level} CI)");
    let mut table = Table::prose(
        "One model, three questions: AUC over all patients and within hospitals",
        &["Pool", &head, "From", "Compares"],
    );
    let summed = pool.analyses.iter();
    for one in summed.filter(|one| one.key.metric == Metric::Auc && one.key.is_whole()) {
        let Some(own) = one.sites.first() else {
            continue;
        };
        table.group(format!(
            "{}, {}",
            view.model(&one.key.model),
            view.endpoint(&one.key.endpoint)
        ));
        table.push(Row::new(
            "All patients as one",
            vec![
                words::site_cell(Metric::Auc, own),
                Shown::words("masked sum"),
                Shown::words("any two patients, also of different hospitals"),
            ],
        ));
        let of_sites = view
            .overall(Metric::Auc)
            .find(|analysis| analysis.key == one.key);
        if let Some(analysis) = of_sites {
            within(&mut table, analysis);
        }
    }
    table
}

/// Within hospitals: the common effect, then the random-effects mean.
fn within(table: &mut Table, analysis: &Analysis) {
    let estimates = || Shown::words("hospitals' estimates");
    if let PoolOutcome::Pooled(pooled) = &analysis.pool {
        let mut others = pooled.robustness.others.iter();
        let common = others.find(|other| other.tau2_estimator == Tau2Estimator::Fixed);
        if let Some(common) = common {
            let style = words::style(Metric::Auc);
            let shown = Shown::number(number::real(common.estimate, style));
            let shown = match common.interval {
                Some([low, high]) => shown.with(format!("({})", number::range(low, high, style))),
                None => shown,
            };
            table.push(Row::new(
                "Within hospitals, weighted by precision",
                vec![
                    shown,
                    estimates(),
                    Shown::words("two patients of one hospital; these hospitals only"),
                ],
            ));
        }
    }
    table.push(
        Row::new(
            "Random-effects mean (headline)",
            vec![
                mean_cell(analysis),
                estimates(),
                Shown::words("two patients of one hospital; the typical hospital"),
            ],
        )
        .class("pool"),
    );
}

fn why_they_differ() -> String {
    "They differ because the first also compares patients of different hospitals: it rises where \
     hospitals with more events also have higher scores, and falls where the scores of hospitals \
     are shifted against each other; the other two compare within hospitals only, and differ by \
     how much a large hospital counts."
        .to_owned()
}

/// Calibration, operating points and utility of one model over all patients.
fn measures(view: View<'_>, pool: &OpenedPool, model: &ModelId) -> Table {
    let level = number::level_words(view.study.protocol.pooling.level);
    let head = format!("Estimate ({level} CI, these patients only)");
    let mut table = Table::new(
        format!("{} over all patients of the masked sum", view.model(model)),
        &["Measure", &head, "Patients", "Events"],
    );
    let own = pool.analyses.iter();
    let own = own.filter(|one| one.key.model == *model && one.key.axis.is_none());
    for analysis in own {
        let Some(site) = analysis.sites.first() else {
            continue;
        };
        table.push(Row::new(
            words::key(view, &analysis.key),
            cells(analysis.key.metric, site),
        ));
    }
    table.notes.push(
        "From the mean score of each bin of the protocol's grid: counts, rates and O:E are those \
         of the rows; what depends on scores within a bin, such as the slope, is that of the binned \
         score."
            .to_owned(),
    );
    table
}

fn cells(metric: Metric, site: &SiteEstimate) -> Vec<Shown> {
    vec![
        words::site_cell(metric, site),
        number::count(&site.n),
        number::count(&site.events),
    ]
}

fn counts(view: View<'_>, pool: &OpenedPool) -> Table {
    let mut table = Table::new(
        "2×2 tables over all patients of the masked sum",
        &[
            "Model and threshold",
            "True positives",
            "False positives",
            "False negatives",
            "True negatives",
        ],
    );
    for one in &pool.tables {
        let cells = [
            &one.true_positive,
            &one.false_positive,
            &one.false_negative,
            &one.true_negative,
        ];
        table.push(Row::new(
            format!("{} at {}", view.model(&one.model), one.threshold),
            cells.into_iter().map(number::count).collect(),
        ));
    }
    table
}

/// One axis: each level's patients, events and measures.
fn levels(view: View<'_>, one: &SubgroupTable<Disclosed>) -> Table {
    const SHOWN: [Measure; 4] = [
        Measure::Auc,
        Measure::Tpr,
        Measure::Fpr,
        Measure::ObservedExpected,
    ];
    let (label, _) = view.axis(&one.axis);
    let mut head = vec!["Level", "Patients", "Events"];
    head.extend(SHOWN.map(|measure| words::measure(measure).0));
    let mut table = Table::new(
        format!(
            "{label}: {} over all patients of the masked sum, positive at or above {}",
            view.model(&one.model),
            one.threshold
        ),
        &head,
    );
    for row in &one.rows {
        let mut cells = vec![number::count(&row.n), number::count(&row.events)];
        cells.extend(SHOWN.map(|measure| {
            let found = row.measures.iter().find(|one| one.measure == measure);
            found.map_or_else(Shown::none, |found| {
                let style = words::measure(measure).1;
                number::estimate(&found.value, &found.low, &found.high, style)
            })
        }));
        let empty = matches!(row.n, Cell::Zero);
        if !empty {
            table.push(Row::new(row.level.clone(), cells));
        }
    }
    table
}
