//! One hospital beside the others: the page that its own people read first, in the copy of the
//! report that they make themselves. It holds nothing that the report does not.
//!
//! From: analyses over all cases, as pooled.
//! To: `document::Section`.

use super::super::document::{Block, Row, Section, Table};
use super::super::number::{Shown, level_words, range, real};
use super::super::view::View;
use super::super::words;
use super::estimates::mean_cell;
use crate::pool::result::{
    Analysis, AnalysisRole, PoolOutcome, Pooled, SiteEstimate, SiteOutcome, SiteResult,
};
use crate::study::{ModelId, SiteRole};

/// The page of `site`.
pub(super) fn page(view: View<'_>, site: &SiteResult) -> Section {
    let name = &site.display_name;
    let mut blocks = vec![Block::Text(format!(
        "This copy of the report was made at {name}. It says nothing that the report of the \
         consortium does not say; what {name} released is picked out here and, where scripts run, \
         in every figure."
    ))];
    if site.outcome == SiteOutcome::Released {
        blocks.extend(view.study.analyses.iter().filter_map(|analysis| {
            let primary = analysis.role == AnalysisRole::Primary && analysis.key.is_whole();
            let own = of(analysis, site).filter(|_| primary)?;
            Some(Block::Text(sentence(view, analysis, own, name)))
        }));
        if site.role != SiteRole::External {
            blocks.push(Block::Note(format!(
                "{name} took part as {} hospital: its results stand apart and enter no mean.",
                words::site_role(site.role)
            )));
        }
        let models = view.study.protocol.model.iter();
        blocks.extend(models.filter_map(|model| table(view, site, &model.id).map(Block::Table)));
        blocks.push(Block::Note(
            "A difference from the mean may come from other patients, another way of measuring, or \
             chance, and not only from the model: see the sections on case mix and heterogeneity \
             before anything is changed."
                .to_owned(),
        ));
    } else {
        blocks.push(Block::Note(format!(
            "{name} in this round: {}. There are no numbers of it in this report.",
            words::outcome(site.outcome)
        )));
    }
    Section {
        id: "own",
        title: "This hospital and the others",
        blocks,
    }
}

fn of<'a>(analysis: &'a Analysis, site: &SiteResult) -> Option<&'a SiteEstimate> {
    let mut rows = analysis.sites.iter();
    rows.find(|row| row.site == site.site)
}

/// The primary result of this hospital, and where it lies.
fn sentence(view: View<'_>, analysis: &Analysis, own: &SiteEstimate, name: &str) -> String {
    let style = words::style(analysis.key.metric);
    let what = words::key(view, &analysis.key);
    let Some(value) = own.estimate.number() else {
        return format!("{what}: {name} released no number.");
    };
    let interval = match (own.low.number(), own.high.number()) {
        (Some(low), Some(high)) => format!(" ({})", range(low, high, style)),
        _ => String::new(),
    };
    let shown = format!("{what} was {}{interval} at {name}", real(value, style));
    let Some(pooled) = analysis.pool.pooled() else {
        return format!("{shown}. There is no mean to compare it with.");
    };
    format!(
        "{shown}, and {} ({}) on average over {} external hospitals. {}",
        real(pooled.estimate, style),
        range(pooled.low, pooled.high, style),
        pooled.k,
        place(value, pooled)
    )
}

fn place(value: f64, pooled: &Pooled) -> &'static str {
    if value < pooled.low {
        "It lies below the interval of that mean."
    } else if value > pooled.high {
        "It lies above the interval of that mean."
    } else {
        "It lies within the interval of that mean."
    }
}

/// Every metric of one model over all cases that hospitals are pooled by.
fn table(view: View<'_>, site: &SiteResult, model: &ModelId) -> Option<Table> {
    let level = level_words(view.study.protocol.pooling.level);
    let own = format!("This hospital ({level} CI)");
    let mean = format!("Mean over hospitals ({level} CI)");
    let mut table = Table::new(
        format!(
            "{}: {} and the others",
            view.model(model),
            site.display_name
        ),
        &["Measure", &own, "Patients", &mean, "Prediction interval"],
    );
    let all = view.study.analyses.iter();
    let compared = all.filter(|one| {
        one.key.model == *model && one.key.is_whole() && one.pool != PoolOutcome::NotPooled
    });
    for analysis in compared {
        let Some(own) = of(analysis, site) else {
            continue;
        };
        let ahead = analysis.pool.pooled().map_or_else(Shown::none, |pooled| {
            words::prediction_cell(analysis.key.metric, pooled)
        });
        table.push(Row::new(
            words::key(view, &analysis.key),
            vec![
                words::site_cell(analysis.key.metric, own),
                super::super::number::count(&own.n),
                mean_cell(analysis),
                ahead,
            ],
        ));
    }
    (!table.groups.is_empty()).then_some(table)
}
