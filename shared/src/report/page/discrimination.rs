//! Discrimination: AUC by hospital with its pool, ROC curves, and the distribution of
//! predictions by outcome.
//!
//! From: analyses of the AUC, curves from histograms.
//! To: `document::Section`.

use super::super::document::{Block, Figure, Row, Section, Source, Table};
use super::super::figure::distribution::{self, BARS, Panel, rebin};
use super::super::figure::roc::{self, Curve, Look, Square};
use super::super::number::{self, Shown, Style, range, real};
use super::super::view::{self, LISTED, View};
use super::super::words::{self, join};
use super::estimates::{forest, heterogeneity, mean_cell};
use super::precision;
use super::reading;
use super::robustness;
use crate::disclosure::policy::Profile;
use crate::pool::result::{Analysis, AreaBounds, MergedCurve, Metric, PoolOutcome, RocPoint};
use crate::statistic::confusion::RateMeasure;
use crate::study::{EndpointId, ModelId, SiteRole, SiteSlug};

/// The page.
pub(super) fn page(view: View<'_>) -> Section {
    let mut blocks = Vec::new();
    let analyses: Vec<&Analysis> = view.overall(Metric::Auc).collect();
    for analysis in &analyses {
        let model = view.model(&analysis.key.model);
        blocks.push(Block::Figure(forest(
            view,
            analysis,
            &caption(view, analysis),
        )));
        if let PoolOutcome::Pooled(pooled) = &analysis.pool {
            blocks.extend(words::prediction_sentence(Metric::Auc, pooled).map(Block::Text));
            blocks.extend(robustness::withheld_note(view, "AUC", analysis).map(Block::Note));
        } else if let Some(reason) = words::no_pool(&analysis.pool) {
            blocks.push(Block::Note(format!("{model}: {reason}")));
        }
    }
    if analyses.is_empty() {
        blocks.push(Block::Note("No hospital released an AUC.".to_owned()));
    } else {
        let parts: Vec<_> = analyses
            .iter()
            .map(|analysis| (label(view, analysis), *analysis))
            .collect();
        blocks.push(Block::Table(heterogeneity(
            &parts,
            "AUC: mean over hospitals and spread between them",
        )));
        for analysis in &analyses {
            let name = format!("AUC of {}", view.model(&analysis.key.model));
            blocks.extend(robustness::blocks(view, &name, analysis));
        }
    }
    blocks.extend(super::moderator::blocks(view));
    blocks.extend(precision::measures(view));
    for (model, endpoint) in curve_keys(view) {
        curves(view, &model, &endpoint, &mut blocks);
    }
    Section {
        id: "discrimination",
        title: "Discrimination",
        blocks,
    }
}

fn label(view: View<'_>, analysis: &Analysis) -> String {
    format!(
        "{}, {}",
        view.model(&analysis.key.model),
        words::analysis_role(analysis.role)
    )
}

fn caption(view: View<'_>, analysis: &Analysis) -> String {
    let apart = analysis
        .sites
        .iter()
        .any(|site| site.role != SiteRole::External);
    let marks = if matches!(analysis.pool, PoolOutcome::Pooled(_)) {
        "Squares: estimate, area in proportion to the weight; lines: 95% confidence interval; \
         diamond: random-effects mean."
    } else {
        "Squares: estimate; lines: 95% confidence interval; there is no pool."
    };
    let mut text = format!(
        "AUC of {} for {} by hospital ({} analysis). {marks} An arrow marks an interval that runs \
         beyond the axis.",
        view.model(&analysis.key.model),
        view.endpoint(&analysis.key.endpoint),
        words::analysis_role(analysis.role),
    );
    if apart {
        text.push_str(" Open circles: hospitals that are not external; they enter no pool.");
    }
    text
}

/// Models and endpoints with curves, in the order they are listed.
fn curve_keys(view: View<'_>) -> Vec<(ModelId, EndpointId)> {
    let mut keys: Vec<(ModelId, EndpointId)> = Vec::new();
    for curve in &view.study.merged {
        let key = (curve.model.clone(), curve.endpoint.clone());
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

fn curves(view: View<'_>, model: &ModelId, endpoint: &EndpointId, blocks: &mut Vec<Block>) {
    let all: Vec<&MergedCurve> = view
        .study
        .merged
        .iter()
        .filter(|curve| curve.model == *model && curve.endpoint == *endpoint)
        .collect();
    let role = |curve: &MergedCurve| curve.site.as_ref().and_then(|site| view.role(site));
    let (own, merged): (Vec<_>, Vec<_>) =
        all.iter().copied().partition(|curve| curve.site.is_some());
    let (external, apart): (Vec<_>, Vec<_>) = own
        .into_iter()
        .partition(|curve| role(curve) == Some(SiteRole::External));
    let name = view.model(model);
    blocks.push(Block::Heading(format!(
        "{name}: curves and distribution of predictions"
    )));
    let data = auc_table(view, &external, &apart, &merged);
    blocks.push(Block::Figure(roc_figure(
        view,
        model,
        endpoint,
        (&external, &apart, &merged),
    )));
    blocks.push(Block::Table(data));
    let precision = precision::figure(view, model, endpoint, (&external, &apart, &merged));
    blocks.extend(precision.map(Block::Figure));
    let ordered: Vec<&MergedCurve> = external.iter().chain(&apart).copied().collect();
    if !ordered.is_empty() {
        blocks.push(Block::Figure(distribution_figure(
            view, model, endpoint, &ordered,
        )));
    }
}

/// The first part of a figure's id, which no other figure of the report has.
fn id_of(kind: &str, summed: bool) -> String {
    let sum = if summed { "-of-sum" } else { "" };
    format!("{kind}{sum}")
}

/// Curves of external hospitals, of the others, and the merged one.
pub(super) type Split<'a> = (
    &'a [&'a MergedCurve],
    &'a [&'a MergedCurve],
    &'a [&'a MergedCurve],
);

pub(super) fn curve_name(view: View<'_>, curve: &MergedCurve) -> String {
    match &curve.site {
        Some(site) => view.site(site),
        None => "Merged patients".to_owned(),
    }
}

/// Points (1 - specificity, sensitivity) at the prespecified thresholds of one hospital.
fn operating(view: View<'_>, curve: &MergedCurve) -> Vec<(f64, f64)> {
    let Some(slug) = &curve.site else {
        return vec![];
    };
    let Some(site) = view.study.sites.iter().find(|site| site.site == *slug) else {
        return vec![];
    };
    view::confusions(site)
        .filter(|table| table.model == curve.model && table.endpoint == curve.endpoint)
        .filter_map(|table| {
            let rate = |wanted| {
                let found = table.rates.iter().find(|rate| rate.measure == wanted)?;
                found.value.number()
            };
            Some((
                1.0 - rate(RateMeasure::Specificity)?,
                rate(RateMeasure::Sensitivity)?,
            ))
        })
        .collect()
}

pub(super) fn roc_figure(
    view: View<'_>,
    model: &ModelId,
    endpoint: &EndpointId,
    split: Split<'_>,
) -> Figure {
    let (external, apart, merged) = split;
    let many = external.len() > 4;
    let make = |curve: &MergedCurve, look: Look, named: bool| Curve {
        label: if named {
            curve_name(view, curve)
        } else {
            String::new()
        },
        site: curve_name(view, curve),
        points: if many && look == Look::Grey {
            outline(curve)
        } else {
            let points = curve.points.iter();
            points.map(|point| (point.fpr, point.tpr)).collect()
        },
        band: if look == Look::Bold {
            let band = |point: &RocPoint| Some((point.fpr, point.band?[0], point.band?[1]));
            curve.points.iter().filter_map(band).collect()
        } else {
            vec![]
        },
        operating: if named {
            operating(view, curve)
        } else {
            vec![]
        },
        look,
    };
    let mut lines = Vec::new();
    for curve in apart {
        lines.push(make(curve, Look::Grey, !many));
        if let Some(last) = lines.last_mut().filter(|_| !many) {
            last.label.push_str(" (not external)");
        }
    }
    for (index, curve) in external.iter().enumerate() {
        let look = if many { Look::Grey } else { Look::Hue(index) };
        lines.push(make(curve, look, !many));
    }
    lines.extend(merged.iter().map(|curve| make(curve, Look::Bold, true)));
    let name = view.model(model);
    let drawn: Vec<&MergedCurve> = external
        .iter()
        .chain(apart)
        .chain(merged)
        .copied()
        .collect();
    let id = format!("{}-{model}-{endpoint}", id_of("roc", external.is_empty()));
    let title = format!("ROC curves of {name}");
    let description = areas_under(view, &drawn);
    let caption = roc_caption(view, (&name, endpoint), split, &lines);
    let points = points_table(view, &title, split, many);
    let own: Vec<&MergedCurve> = external.to_vec();
    let drawn: Vec<&MergedCurve> = external
        .iter()
        .chain(apart)
        .chain(merged)
        .copied()
        .collect();
    Figure {
        label: String::new(),
        reading: reading::areas(view, &own, merged),
        caption,
        svg: roc::draw(Square::Roc, &id, &title, &description, (&lines, &[])),
        data: points,
        narrow: true,
        source: histograms(view, &drawn),
    }
}

/// What a ROC figure shows, in one sentence.
fn areas_under(view: View<'_>, curves: &[&MergedCurve]) -> String {
    let areas: Vec<String> = curves
        .iter()
        .map(|curve| {
            format!(
                "{} {}",
                curve_name(view, curve),
                real(curve.auc, Style::Plain(3))
            )
        })
        .collect();
    format!("Area under each curve: {}.", areas.join("; "))
}

fn roc_caption(
    view: View<'_>,
    (name, endpoint): (&str, &EndpointId),
    split: Split<'_>,
    lines: &[Curve],
) -> String {
    let (external, _, merged) = split;
    let mut caption = format!(
        "ROC curves of {name} for {}, from score histograms.",
        view.endpoint(endpoint)
    );
    if lines.iter().any(|line| !line.operating.is_empty()) {
        caption.push_str(" Filled markers: prespecified thresholds.");
    }
    if !merged.is_empty() {
        caption.push_str(" Black: merged patients; includes between-site pairs.");
    }
    if lines.iter().any(|line| !line.band.is_empty()) {
        let method = view.study.protocol.intervals.proportion.words();
        caption.push_str(&format!(
            " Grey area: {method} intervals of the merged sensitivity, point by point; these \
             sites only."
        ));
    }
    if external.len() > 4 {
        caption.push_str(" Grey: single hospitals, named in the table.");
    }
    caption
}

/// The points behind the curves; fewer of them for many hospitals.
fn points_table(view: View<'_>, title: &str, split: Split<'_>, many: bool) -> Table {
    let (external, apart, merged) = split;
    let most = if many { 6 } else { 40 };
    let mut points = Table::new(
        title,
        &[
            "Curve and threshold",
            "False positive rate",
            "True positive rate",
        ],
    );
    for curve in external.iter().chain(apart).chain(merged) {
        points.group(curve_name(view, curve));
        for point in thinned(curve, most) {
            let head = point.threshold.map_or_else(
                || "none positive".to_owned(),
                |at| format!("≥ {}", real(at, Style::Plain(4))),
            );
            points.push(Row::new(
                head,
                vec![
                    Shown::number(real(point.fpr, Style::Plain(3))),
                    Shown::number(real(point.tpr, Style::Plain(3))),
                ],
            ));
        }
    }
    points.cut_groups(LISTED, "curves.csv");
    points.label = "Data".to_owned();
    points.notes.push(format!(
        "At most {most} points per curve; all points are in curves.csv."
    ));
    points
}

/// A curve of many, by fewer points; its ends stay.
fn outline(curve: &MergedCurve) -> Vec<(f64, f64)> {
    let kept = thinned(curve, POINTS_MAX);
    let last = curve.points.last();
    let points = kept.iter().chain(last);
    points.map(|point| (point.fpr, point.tpr)).collect()
}

/// Points where the curve moves, at most about `most` of them.
fn thinned(curve: &MergedCurve, most: usize) -> Vec<RocPoint> {
    let mut moving = curve.points.clone();
    moving.dedup_by(|next, kept| next.fpr == kept.fpr && next.tpr == kept.tpr);
    let step = moving.len().div_ceil(most).max(1);
    moving.into_iter().step_by(step).collect()
}

fn auc_table(
    view: View<'_>,
    external: &[&MergedCurve],
    apart: &[&MergedCurve],
    merged: &[&MergedCurve],
) -> Table {
    let mut table = Table::prose(
        "AUC within hospitals and over merged patients",
        &[
            "Curve",
            "AUC of the binned score",
            "Largest distance to the raw score's AUC",
            "Compares",
        ],
    );
    let line = |curve: &MergedCurve, what: &str, class| {
        Row::new(
            curve_name(view, curve),
            vec![
                auc_cell(view, curve),
                if curve.exact {
                    Shown::number(format!("±{:.3}", curve.error_bound))
                } else {
                    Shown::none()
                },
                Shown::words(what),
            ],
        )
        .class(class)
    };
    for curve in external {
        table.push(line(curve, "pairs of patients of one hospital", ""));
    }
    let first = external.first().or(merged.first());
    if let Some(within) = first.and_then(|curve| within_site(view, curve)) {
        table.push(within.class("pool"));
    }
    for curve in merged {
        let names: Vec<String> = curve.sites.iter().map(|site| view.site(site)).collect();
        let what = format!(
            "merged patients; includes between-site pairs ({})",
            join(&names)
        );
        table.push(line(curve, &what, "pool"));
    }
    let of_merged = |one: &&AreaBounds| {
        let same =
            |curve: &&MergedCurve| one.model == curve.model && one.endpoint == curve.endpoint;
        one.site.is_none() && external.first().is_some_and(same)
    };
    for one in view.study.area_bounds.iter().filter(of_merged) {
        let names: Vec<String> = one.sites.iter().map(|site| view.site(site)).collect();
        let row = Row::new(
            "Merged patients",
            vec![
                region(one),
                Shown::none(),
                Shown::words(format!(
                    "merged patients; includes between-site pairs ({})",
                    join(&names)
                )),
            ],
        );
        table.push(row.class("pool"));
        table.notes.push(
            "Between: every AUC that the released blocks allow, whatever the scores and counts \
             inside them; no interval of chance."
                .to_owned(),
        );
    }
    for curve in apart {
        table.push(line(curve, "not external; in no pool", "apart"));
    }
    table.cut(view::DRAWN, "estimates.csv");
    table.notes.push("The interval of the merged curve says something about these sites only, and nothing about other hospitals.".to_owned());
    table
}

/// All that merged and rounded blocks say of an AUC.
fn region(found: &AreaBounds) -> Shown {
    Shown::words(number::region(found.low, found.high)).with("(merged, rounded blocks)")
}

fn auc_cell(view: View<'_>, curve: &MergedCurve) -> Shown {
    if !curve.exact {
        // Merged and rounded blocks say where the AUC lies, and no more.
        let found = view.study.area_bounds.iter().find(|one| {
            one.model == curve.model && one.endpoint == curve.endpoint && one.site == curve.site
        });
        return found.map_or_else(Shown::none, region);
    }
    let shown = Shown::number(real(curve.auc, Style::Plain(3)));
    if view.clustered() {
        return shown.with("(interval not available: patients repeat)");
    }
    let Some(variance) = curve
        .variance
        .filter(|_| curve.auc > 0.0 && curve.auc < 1.0)
    else {
        return shown.with("(no interval)");
    };
    let odds = libm::log(curve.auc / (1.0 - curve.auc));
    let half = Z95 * variance.max(0.0).sqrt() / (curve.auc * (1.0 - curve.auc));
    let back = |value: f64| 1.0 / (1.0 + libm::exp(-value));
    let ends = range(back(odds - half), back(odds + half), Style::Plain(3));
    let scope = if curve.site.is_none() {
        "; these sites only"
    } else {
        ""
    };
    shown.with(format!("({ends}{scope})"))
}

/// The 0.975 quantile of the standard normal distribution.
const Z95: f64 = 1.959_963_984_540_054;

/// The headline beside the merged AUC: the mean of within-site AUCs (decision C7).
fn within_site(view: View<'_>, curve: &MergedCurve) -> Option<Row> {
    let analysis = view.overall(Metric::Auc).find(|analysis| {
        analysis.key.model == curve.model && analysis.key.endpoint == curve.endpoint
    })?;
    Some(Row::new(
        "Random-effects mean (headline)",
        vec![
            mean_cell(analysis),
            Shown::none(),
            Shown::words("pairs within hospitals, AUCs of raw scores averaged over hospitals"),
        ],
    ))
}

pub(super) fn distribution_figure(
    view: View<'_>,
    model: &ModelId,
    endpoint: &EndpointId,
    curves: &[&MergedCurve],
) -> Figure {
    let summed = curves.iter().all(|curve| curve.site.is_none());
    let hospitals = curves.len();
    let curves = curves.get(..PANELS_MAX).unwrap_or(curves);
    let thresholds = view.study.protocol.thresholds(model, endpoint);
    let panels: Vec<Panel> = curves
        .iter()
        .map(|curve| Panel {
            label: curve_name(view, curve),
            events: rebin(
                curve
                    .events
                    .iter()
                    .map(|block| (block.from, block.to, block.share)),
            ),
            non_events: rebin(
                curve
                    .non_events
                    .iter()
                    .map(|block| (block.from, block.to, block.share)),
            ),
            thresholds: thresholds.clone(),
        })
        .collect();
    let name = view.model(model);
    let left = hospitals - curves.len();
    let rest = match left {
        0 => String::new(),
        left => format!(
            " The first {PANELS_MAX} hospitals of the protocol; the other {left} are in curves.csv."
        ),
    };
    let title = format!("Predictions of {name} by outcome");
    let mut data = shares_table(&title, &panels);
    data.label = "Data".to_owned();
    let sentences = panels
        .iter()
        .map(|panel| {
            format!(
                "{}: {} of events and {} of non-events have a prediction of 0.5 or more.",
                panel.label,
                upper_half(&panel.events),
                upper_half(&panel.non_events)
            )
        })
        .collect::<Vec<_>>();
    let description = sentences.join(" ");
    Figure {
        label: String::new(),
        reading: reading::some_sentences(&sentences),
        caption: format!(
            "Distribution of the predictions of {name} by outcome and hospital. Solid, upwards: \
             share of events; outlined, downwards: share of non-events; {BARS} bars of equal \
             width; dashed line: prespecified threshold. Wider blocks of the released histogram \
             are spread evenly over their bars.{rest}"
        ),
        svg: distribution::draw(
            &format!("{}-{model}-{endpoint}", id_of("distribution", summed)),
            &title,
            &description,
            &panels,
        ),
        data,
        narrow: false,
        source: histograms(view, curves),
    }
}

/// Where curves over score histograms come from.
pub(super) fn histograms(view: View<'_>, curves: &[&MergedCurve]) -> Source {
    let open = |slug: &SiteSlug| {
        let mut sites = view.study.sites.iter();
        let site = sites.find(|site| site.site == *slug);
        let profile = site.and_then(|site| site.profile.as_deref());
        profile
            .and_then(Profile::parse)
            .is_some_and(Profile::allows_blocks)
    };
    let mut all = curves.iter().flat_map(|curve| &curve.sites);
    Source::Histograms {
        whole: all.all(open),
    }
}

fn upper_half(shares: &[f64; BARS]) -> String {
    real(shares[BARS / 2..].iter().sum(), Style::Percent)
}

/// The bars behind the panels; for many hospitals one line each.
fn shares_table(title: &str, panels: &[Panel]) -> Table {
    let percent = |share: f64| Shown::number(real(share, Style::Percent));
    if panels.len() > MANY {
        let head = [
            "Hospital",
            "Events at 0.5 or more",
            "Non-events at 0.5 or more",
        ];
        let mut data = Table::new(title, &head);
        for panel in panels {
            let cells = [upper_half(&panel.events), upper_half(&panel.non_events)];
            data.push(Row::new(&panel.label, cells.map(Shown::number).to_vec()));
        }
        data.notes.push("All bars are in curves.csv.".to_owned());
        return data;
    }
    let mut data = Table::new(
        title,
        &["Prediction", "Share of events", "Share of non-events"],
    );
    for panel in panels {
        data.group(panel.label.clone());
        let mut low = 0_u32;
        for (event, other) in panel.events.iter().zip(&panel.non_events) {
            let high = low + 5;
            let head = format!(
                "{}.{:02} to {}.{:02}",
                low / 100,
                low % 100,
                high / 100,
                high % 100
            );
            data.push(Row::new(head, vec![percent(*event), percent(*other)]));
            low = high;
        }
    }
    data
}

/// Hospitals whose predictions are drawn.
const PANELS_MAX: usize = 12;
/// Points of a curve that is one of many.
const POINTS_MAX: usize = 24;
/// Hospitals beyond which data tables of figures are shortened.
const MANY: usize = 8;
