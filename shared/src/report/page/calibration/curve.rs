//! The calibration figure: observed against predicted risk, over all external sites where their
//! bins may be added, and by site.
//!
//! From: `pool::calibration`, analyses of slope and joint intercept, merged histograms.
//! To: the calibration page.

use super::super::super::document::{Figure, Row, Source, Table};
use super::super::super::figure::calibration::{Bin, Calibration, draw};
use super::super::super::figure::distribution::rebin;
use super::super::super::figure::roc::{Curve, Look};
use super::super::super::number::{self, Shown, Style, real};
use super::super::super::view::{LISTED, View};
use super::super::reading;
use crate::numeric::distribution::{inverse_logit, logit};
use crate::pool::result::{Analysis, CalibrationCurve, Metric, SiteResult};
use crate::study::{EndpointId, ModelId, SiteRole};

/// Sites beyond this number are drawn grey and not named in the key.
const NAMED: usize = 4;

/// The figure of a model; `None` when no site has a curve or a slope.
pub(super) fn figure(view: View<'_>, model: &ModelId, endpoint: &EndpointId) -> Option<Figure> {
    let found: Vec<&CalibrationCurve> = view
        .study
        .calibration
        .iter()
        .filter(|curve| curve.model == *model && curve.endpoint == *endpoint)
        .collect();
    let merged = found.iter().copied().find(|curve| curve.site.is_none());
    let (mut curves, straight) = of_sites(view, model, endpoint, &found);
    curves.extend(merged.map(|merged| Curve {
        label: "Merged patients".to_owned(),
        site: "Merged patients".to_owned(),
        points: points(merged),
        operating: Vec::new(),
        band: band(merged),
        look: Look::Bold,
    }));
    if curves.is_empty() {
        return None;
    }
    let plot = Calibration {
        curves,
        bins: merged.map(bins).unwrap_or_default(),
        distribution: distribution(view, model, endpoint),
    };
    let name = view.model(model);
    let title = format!("Calibration of {name}");
    let (data, source) = if found.is_empty() {
        (lines(view, &title, model, endpoint), Source::Estimates)
    } else {
        (data(view, &title, &found), Source::Counts)
    };
    Some(Figure {
        label: String::new(),
        reading: reading(view, model, endpoint),
        caption: caption(
            view,
            model,
            endpoint,
            merged,
            straight,
            plot.distribution.is_some(),
        ),
        svg: draw(
            &format!("calibration-{model}-{endpoint}"),
            &title,
            &describe(view, model, endpoint),
            &plot,
        ),
        data,
        narrow: true,
        source,
    })
}

/// One curve per released site, and whether any of them is only a logistic recalibration.
fn of_sites(
    view: View<'_>,
    model: &ModelId,
    endpoint: &EndpointId,
    found: &[&CalibrationCurve],
) -> (Vec<Curve>, bool) {
    let mut curves = Vec::new();
    let mut straight = false;
    let mut hue = 0;
    let many = view.external().len() > NAMED;
    for site in view.released() {
        let own = found
            .iter()
            .find(|curve| curve.site.as_ref() == Some(&site.site));
        let flexible = own
            .map(|curve| points(curve))
            .filter(|points| !points.is_empty());
        let points = flexible.or_else(|| {
            let line = line(view, site, model, endpoint)?;
            straight = true;
            Some(line)
        });
        let Some(mut points) = points else { continue };
        if many {
            points = fewer(points);
        }
        let external = site.role == SiteRole::External;
        let look = if external && !many {
            hue += 1;
            Look::Hue(hue - 1)
        } else {
            Look::Grey
        };
        let label = match (many, external) {
            (true, _) => String::new(),
            (false, true) => site.display_name.clone(),
            (false, false) => format!("{} (not external)", site.display_name),
        };
        curves.push(Curve {
            label,
            site: site.display_name.clone(),
            points,
            operating: Vec::new(),
            band: Vec::new(),
            look,
        });
    }
    (curves, straight)
}

/// A curve of many, by fewer points; its ends stay.
fn fewer(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    const MOST: usize = 16;
    let step = points.len().div_ceil(MOST).max(1);
    let last = points.len().saturating_sub(1);
    let kept = points.into_iter().enumerate();
    kept.filter(|(index, _)| index.is_multiple_of(step) || *index == last)
        .map(|(_, point)| point)
        .collect()
}

fn points(curve: &CalibrationCurve) -> Vec<(f64, f64)> {
    curve
        .points
        .iter()
        .map(|point| (point.predicted, point.observed))
        .collect()
}

fn band(curve: &CalibrationCurve) -> Vec<(f64, f64, f64)> {
    curve
        .points
        .iter()
        .filter_map(|point| Some((point.predicted, point.low?, point.high?)))
        .collect()
}

fn bins(curve: &CalibrationCurve) -> Vec<Bin> {
    curve
        .tenths
        .iter()
        .map(|bin| Bin {
            predicted: bin.predicted,
            observed: bin.observed,
            interval: bin.low.zip(bin.high),
        })
        .collect()
}

/// The logistic recalibration of a site that releases slope and intercept and no bins.
fn line(
    view: View<'_>,
    site: &SiteResult,
    model: &ModelId,
    endpoint: &EndpointId,
) -> Option<Vec<(f64, f64)>> {
    let value = |metric| {
        let mut analyses = view.overall(metric);
        let found =
            analyses.find(|one| one.key.model == *model && one.key.endpoint == *endpoint)?;
        let row = found.sites.iter().find(|row| row.site == site.site)?;
        row.estimate.number()
    };
    let (slope, intercept) = (
        value(Metric::CalibrationSlope)?,
        value(Metric::JointIntercept)?,
    );
    (1..=49_u8)
        .map(|step| {
            let predicted = f64::from(step) / 50.0;
            let observed = inverse_logit(intercept + slope * logit(predicted)?)?;
            Some((predicted, observed))
        })
        .collect()
}

type Bars = [f64; super::super::super::figure::distribution::BARS];

fn distribution(view: View<'_>, model: &ModelId, endpoint: &EndpointId) -> Option<(Bars, Bars)> {
    let merged = view.study.merged.iter().find(|curve| {
        curve.model == *model && curve.endpoint == *endpoint && curve.site.is_none()
    })?;
    let bars = |blocks: &[crate::pool::result::BlockShare]| {
        rebin(
            blocks
                .iter()
                .map(|block| (block.from, block.to, block.share)),
        )
    };
    Some((bars(&merged.events), bars(&merged.non_events)))
}

/// Slopes and ratios of observed to expected events, from the smallest to the largest.
fn reading(view: View<'_>, model: &ModelId, endpoint: &EndpointId) -> String {
    let said = |metric: Metric, name: &str, meaning: &str| {
        let mut all = view.overall(metric);
        let found = all.find(|one| one.key.model == *model && one.key.endpoint == *endpoint)?;
        let ends = reading::ends(view, found)?;
        let ran = if ends.count > 1 { "ran from" } else { "was" };
        Some(format!(
            "{name} {ran} {}; {meaning}.",
            ends.words(Style::Plain(2))
        ))
    };
    let parts = [
        said(
            Metric::CalibrationSlope,
            "The calibration slope",
            "1 is ideal, below 1 the predictions are too extreme",
        ),
        said(
            Metric::ObservedExpected,
            "Observed over expected events",
            "above 1 there were more events than predicted",
        ),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        "No external hospital released a slope or a ratio of observed to expected events."
            .to_owned()
    } else {
        parts.join(" ")
    }
}

fn describe(view: View<'_>, model: &ModelId, endpoint: &EndpointId) -> String {
    let slopes = view
        .overall(Metric::CalibrationSlope)
        .find(|one| one.key.model == *model && one.key.endpoint == *endpoint);
    let words = |analysis: &Analysis| -> Vec<String> {
        let rows = analysis.sites.iter();
        rows.filter_map(|row| {
            let slope = real(row.estimate.number()?, Style::Plain(2));
            Some(format!("{} {slope}", view.site(&row.site)))
        })
        .collect()
    };
    match slopes.map(words) {
        Some(words) if !words.is_empty() => format!("Slopes: {}.", words.join("; ")),
        Some(_) | None => "No hospital released a slope.".to_owned(),
    }
}

fn caption(
    view: View<'_>,
    model: &ModelId,
    endpoint: &EndpointId,
    merged: Option<&CalibrationCurve>,
    straight: bool,
    distribution: bool,
) -> String {
    let mut text = format!(
        "Calibration of {} for {}: predicted risk against the share of events. Dashed: perfect \
         calibration.",
        view.model(model),
        view.endpoint(endpoint)
    );
    if let Some(curve) = merged {
        let how = if curve.knots > 0 {
            "restricted cubic spline"
        } else {
            "straight line on the logit scale"
        };
        let band = if curve.points.iter().any(|point| point.low.is_some()) {
            " with its pointwise 95% band"
        } else {
            "; no band, since patients repeat"
        };
        text.push_str(&format!(
            " Black: merged patients of external hospitals, {how}{band}; it mixes their case \
             mixes. Points: tenths of the predictions with 95% intervals."
        ));
    }
    if straight {
        text.push_str(
            " Where a hospital's policy keeps its bins, its line is the logistic recalibration, \
             which cannot bend.",
        );
    }
    if distribution {
        text.push_str(" Below: predictions of events (up) and of non-events (down).");
    }
    text
}

/// Slopes and intercepts, where the drawn lines are made of nothing else.
fn lines(view: View<'_>, title: &str, model: &ModelId, endpoint: &EndpointId) -> Table {
    let mut table = Table::new(title, &["Hospital", "Slope", "Joint intercept"]);
    table.label = "Data".to_owned();
    let of = |metric| {
        let mut all = view.overall(metric);
        all.find(|one| one.key.model == *model && one.key.endpoint == *endpoint)
    };
    let (slopes, intercepts) = (of(Metric::CalibrationSlope), of(Metric::JointIntercept));
    for site in view.released() {
        let cell = |analysis: Option<&Analysis>| {
            let mut rows = analysis.into_iter().flat_map(|one| &one.sites);
            let row = rows.find(|row| row.site == site.site);
            row.map_or_else(Shown::none, |row| {
                number::estimate(&row.estimate, &row.low, &row.high, Style::Plain(2))
            })
        };
        let cells = vec![cell(slopes), cell(intercepts)];
        table.push(Row::new(&site.display_name, cells));
    }
    table.cut(LISTED, "estimates.csv");
    table
}

fn data(view: View<'_>, title: &str, curves: &[&CalibrationCurve]) -> Table {
    let mut table = Table::new(
        title,
        &["Tenth", "n", "Events", "Mean prediction", "Observed"],
    );
    table.label = "Data".to_owned();
    for curve in curves {
        let name = curve.site.as_ref();
        table.group(name.map_or_else(|| "Merged patients".to_owned(), |site| view.site(site)));
        for bin in &curve.tenths {
            let share = Shown::number(real(bin.observed, Style::Percent));
            let share = match bin.low.zip(bin.high) {
                Some((low, high)) => {
                    share.with(format!("({})", number::range(low, high, Style::Percent)))
                }
                None => share,
            };
            let cells = vec![
                number::plain_count(bin.n),
                number::plain_count(bin.events),
                Shown::number(real(bin.predicted, Style::Percent)),
                share,
            ];
            let tenth = (bin.predicted * 10.0).floor().min(9.0) / 10.0;
            let head = format!(
                "{} to {}",
                real(tenth, Style::Plain(1)),
                real(tenth + 0.1, Style::Plain(1))
            );
            table.push(Row::new(head, cells));
        }
    }
    table.cut_groups(LISTED, "report.json");
    table
}

/// Calibration error and parts of the Brier score of merged patients, and of each site's.
pub(super) fn parts(view: View<'_>) -> Table {
    let mut table = Table::new(
        "Brier score taken apart over tenths of the predictions",
        &[
            "Patients",
            "n",
            "Brier score",
            "Reliability",
            "Resolution",
            "Uncertainty",
            "Variance within",
            "Covariance within",
            "Calibration error (ECE)",
        ],
    );
    let mut group = None;
    for curve in &view.study.calibration {
        let of = (&curve.model, &curve.endpoint);
        if group != Some(of) {
            group = Some(of);
            table.group(format!("{}, {}", view.model(of.0), view.endpoint(of.1)));
        }
        let plain = |value| Shown::number(real(value, Style::Plain(4)));
        let cells = vec![
            number::plain_count(curve.n),
            plain(curve.brier),
            plain(curve.reliability),
            plain(curve.resolution),
            plain(curve.uncertainty),
            plain(curve.within_variance),
            plain(curve.within_covariance),
            plain(curve.ece),
        ];
        let (head, class) = match &curve.site {
            Some(site) => {
                let external = view.role(site) == Some(SiteRole::External);
                (view.site(site), if external { "" } else { "apart" })
            }
            None => ("Merged patients".to_owned(), "pool"),
        };
        table.push(Row::new(head, cells).class(class));
    }
    table.cut(LISTED, "report.json");
    table.notes.push(
        "Brier score = reliability − resolution + uncertainty + variance within − covariance \
         within. Reliability is miscalibration (lower is better), resolution the spread of risk \
         that the model tells apart (higher is better). Calibration error grows by chance alone \
         where tenths hold few patients."
            .to_owned(),
    );
    table
}
