//! The operating card: what a threshold means for a thousand patients, at a hospital's own
//! event rate and at each declared prevalence.
//!
//! From: released rates at a threshold, pooled sensitivity and specificity where there are any.
//! To: `page::operating`.

use super::super::document::{Row, Table};
use super::super::number::{Shown, Style, real};
use super::super::view::View;
use super::operating::{Found, class};
use crate::pool::result::Metric;
use crate::statistic::Disclosed;
use crate::statistic::confusion::{Confusion, Rate, RateMeasure};
use crate::study::Threshold;

/// Patients of a card.
const PATIENTS: f64 = 1000.0;

/// A share with the ends of its interval, where there is one.
#[derive(Clone, Copy)]
struct Share {
    value: f64,
    ends: Option<(f64, f64)>,
}

impl Share {
    fn of(rate: &Rate<Disclosed>) -> Option<Self> {
        Some(Self {
            value: rate.value.number()?,
            ends: rate.low.number().zip(rate.high.number()),
        })
    }

    fn complement(self) -> Self {
        Self {
            value: 1.0 - self.value,
            ends: self.ends.map(|(low, high)| (1.0 - high, 1.0 - low)),
        }
    }

    /// How many of `patients`, with the interval.
    fn among(self, patients: f64) -> Shown {
        let people = |share: f64| real(patients * share, Style::Plain(0));
        let shown = Shown::number(people(self.value));
        match self.ends {
            Some((low, high)) => shown.with(format!("({} to {})", people(low), people(high))),
            None => shown,
        }
    }
}

fn share(table: &Confusion<Disclosed>, wanted: RateMeasure) -> Option<Share> {
    let rate = table.rates.iter().find(|rate| rate.measure == wanted)?;
    Share::of(rate)
}

/// The card of one threshold: a group of rows per prevalence. Empty where no hospital released
/// sensitivity and specificity.
pub(super) fn table(view: View<'_>, threshold: &Threshold, tables: &Found<'_>) -> Table {
    let mut card = Table::new(
        format!(
            "Of 1000 patients: {} at {}",
            view.model(&threshold.model),
            threshold.value
        ),
        &[
            "Hospital",
            "With the event",
            "True alerts",
            "Missed",
            "False alerts",
            "Rightly not alerted",
        ],
    );
    card.group("1000 patients like the hospital's own".to_owned());
    for (name, role, found) in tables {
        let rate = |wanted| share(found, wanted);
        let (Some(sensitivity), Some(specificity), Some(prevalence)) = (
            rate(RateMeasure::Sensitivity),
            rate(RateMeasure::Specificity),
            rate(RateMeasure::Prevalence),
        ) else {
            continue;
        };
        // The hospital's event rate is itself an estimate: no interval of the product.
        let plain = |share: Share| Share {
            ends: None,
            ..share
        };
        let cells = cells(prevalence.value, plain(sensitivity), plain(specificity));
        card.push(Row::new(name, cells).class(class(*role)));
    }
    for target in &view.study.protocol.target_prevalence {
        if target.endpoint != threshold.endpoint {
            continue;
        }
        let prevalence = real(target.value, Style::Percent);
        card.group(format!(
            "1000 patients at a prevalence of {prevalence} ({})",
            target.source.trim_end_matches('.')
        ));
        if let Some((sensitivity, specificity)) = means(view, threshold) {
            let cells = cells(target.value, sensitivity, specificity);
            card.push(Row::new("Mean over hospitals", cells).class("pool"));
        }
        for (name, role, found) in tables {
            let rate = |wanted| share(found, wanted);
            if let (Some(sensitivity), Some(specificity)) = (
                rate(RateMeasure::Sensitivity),
                rate(RateMeasure::Specificity),
            ) {
                let cells = cells(target.value, sensitivity, specificity);
                card.push(Row::new(name, cells).class(class(*role)));
            }
        }
    }
    card.notes.push(
        "Numbers of patients, rounded. A declared prevalence replaces the hospital's event rate; \
         sensitivity and specificity are taken as they are, which holds only if patients of the \
         other population are as hard to tell apart. Intervals: 95%, from those of sensitivity \
         and specificity."
            .to_owned(),
    );
    card
}

fn cells(prevalence: f64, sensitivity: Share, specificity: Share) -> Vec<Shown> {
    let (events, others) = (PATIENTS * prevalence, PATIENTS * (1.0 - prevalence));
    vec![
        Shown::number(real(events, Style::Plain(0))),
        sensitivity.among(events),
        sensitivity.complement().among(events),
        specificity.complement().among(others),
        specificity.among(others),
    ]
}

/// Pooled sensitivity and specificity at the threshold, where both are pooled.
fn means(view: View<'_>, threshold: &Threshold) -> Option<(Share, Share)> {
    let mean = |metric| {
        let mut analyses = view.overall(metric).filter(|analysis| {
            analysis.key.model == threshold.model
                && analysis.key.endpoint == threshold.endpoint
                && analysis.key.threshold == Some(threshold.value)
        });
        let pooled = analyses.next()?.pool.pooled()?;
        Some(Share {
            value: pooled.estimate,
            ends: Some((pooled.low, pooled.high)),
        })
    };
    Some((mean(Metric::Sensitivity)?, mean(Metric::Specificity)?))
}
