//! Whether a protocol makes sense: every name resolves, every number is in its range, every
//! threshold lies on the grid. All problems are told at once, with a mend each.
//!
//! From: `protocol`.
//! To: `fedval study check`, `lock`.

use std::collections::{BTreeMap, BTreeSet};

mod axis;
mod detection;

use super::{
    Axis, AxisRule, Estimand, Field, FieldKind, Grid, Model, ModelRole, ModelRun, Operator,
    PrimaryMetric, SamplingDesign, Scalar, Spacing, StudyProtocol, Tau2Estimator, Term,
};
use crate::numeric::distribution::inverse_logit;

mod extra;
mod formula;
mod intervals;
mod masked;
mod segmentation;
mod utility;

pub use segmentation::SIZE_AXIS;

/// Most thresholds per model and endpoint (rule D7).
pub const THRESHOLDS_MAX: usize = 5;
/// Most thresholds of the decision curve.
pub const CURVE_MAX: usize = 50;
/// Most levels of one axis (rule D15).
pub const LEVELS_MAX: usize = 40;
/// Most bins of the histogram.
pub const BINS_MAX: usize = 1024;
/// Most steps of an exchange of Newton blocks (decision P4).
pub const STEPS_MAX: u32 = 8;
/// Bins when the source names none.
pub const BINS_DEFAULT: usize = 128;
/// The logit grid covers [-14, 14]: probabilities from 8e-7 to 1 - 8e-7.
const LOGIT_SPAN: f64 = 14.0;

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Where, as a path: `threshold[1].value`.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub fix: String,
}

/// The protocol as it will be locked: histogram edges as numbers, thresholds among them, and
/// the digests of formulas.
pub fn expand(protocol: &StudyProtocol) -> StudyProtocol {
    let mut expanded = protocol.clone();
    if protocol.is_segmentation() {
        axis::expand(&mut expanded);
        return expanded;
    }
    let mut edges = grid_edges(&protocol.histogram);
    edges.extend(protocol.threshold.iter().map(|threshold| threshold.value));
    if protocol.histogram.edges.is_empty() {
        let section = protocol.decision_curve.iter();
        edges.extend(section.flat_map(|curve| curve.thresholds.iter().copied()));
    }
    edges.retain(|edge| *edge > 0.0 && *edge < 1.0);
    edges.sort_by(f64::total_cmp);
    edges.dedup();
    for model in &mut expanded.model {
        if let Some(digest) = model.formula.as_ref().and_then(|one| one.sha256().ok()) {
            model.sha256 = Some(digest);
        }
    }
    expanded.histogram = Grid {
        spacing: None,
        bins: None,
        edges,
    };
    expanded.subgroup.extend(
        failure_axis(protocol)
            .filter(|axis| protocol.subgroup.iter().all(|known| known.id != axis.id)),
    );
    axis::expand(&mut expanded);
    expanded
}

/// The axis of the failure analysis' categories, unless a declared axis has them already.
fn failure_axis(protocol: &StudyProtocol) -> Option<Axis> {
    let failure = protocol.failure.as_ref()?;
    let field = protocol.find_field(&failure.field)?;
    let rule = if field.levels.is_empty() {
        AxisRule::Band
    } else {
        AxisRule::Level
    };
    let same = |axis: &&Axis| axis.field == failure.field && axis.rule == rule;
    if protocol.subgroup.iter().any(|axis| same(&axis)) {
        return None;
    }
    Some(Axis {
        id: failure.field.as_str().replace('_', "-").parse().ok()?,
        label: failure.label.clone(),
        field: failure.field.clone(),
        rule,
        prespecified: true,
        axes: Vec::new(),
        levels: Vec::new(),
        ordered: false,
        target: BTreeMap::new(),
        target_source: None,
    })
}

/// Inner edges of the grid, ascending, in (0, 1).
fn grid_edges(grid: &Grid) -> Vec<f64> {
    if !grid.edges.is_empty() {
        return grid.edges.clone();
    }
    let bins = u32::try_from(grid.bins.unwrap_or(BINS_DEFAULT).min(BINS_MAX)).unwrap_or(0);
    let width = f64::from(bins);
    (1..bins)
        .filter_map(|index| match grid.spacing.unwrap_or(Spacing::Logit) {
            Spacing::Logit => {
                inverse_logit(-LOGIT_SPAN + 2.0 * LOGIT_SPAN * f64::from(index) / width)
            }
            Spacing::Probability => Some(f64::from(index) / width),
        })
        .collect()
}

/// Everything that is wrong with `protocol`; empty when it may be locked.
pub fn check(protocol: &StudyProtocol) -> Vec<Problem> {
    let mut found = Found(Vec::new());
    format_version(protocol, &mut found);
    fields(protocol, &mut found);
    models(protocol, &mut found);
    endpoints(protocol, &mut found);
    eligibility(protocol, &mut found);
    thresholds(protocol, &mut found);
    grid(protocol, &mut found);
    utility::check(protocol, &mut found);
    axis::check(protocol, &mut found);
    analysis(protocol, &mut found);
    design(protocol, &mut found);
    intervals::check(protocol, &mut found);
    one_stage(protocol, &mut found);
    masked::check(protocol, &mut found);
    sites(protocol, &mut found);
    sample_size(protocol, &mut found);
    extra::check(protocol, &mut found);
    segmentation::check(protocol, &mut found);
    found.0
}

fn sample_size(protocol: &StudyProtocol, found: &mut Found) {
    let Some(plan) = &protocol.sample_size else {
        return;
    };
    let drift = plan.drift.as_ref();
    for (holds, place, what, fix) in [
        (
            plan.prevalence > 0.0 && plan.prevalence < 1.0,
            "sample_size.prevalence",
            "a prevalence is a share",
            "write a number between 0 and 1",
        ),
        (
            plan.auc > 0.5 && plan.auc < 1.0,
            "sample_size.auc",
            "an expected AUC lies between 0.5 and 1",
            "write for example 0.8",
        ),
        (
            plan.spread >= 0.0 && plan.spread < 0.5,
            "sample_size.spread",
            "a standard deviation of the AUC lies between 0 and 0.5",
            "write for example 0.05",
        ),
        (
            plan.patients_per_site >= 2,
            "sample_size.patients_per_site",
            "a hospital has at least 2 patients",
            "write how many patients each hospital can give",
        ),
        (
            !plan.chosen_by.trim().is_empty() && !plan.source.trim().is_empty(),
            "sample_size",
            "it must say who chose these numbers and where they come from",
            "fill in chosen_by and source",
        ),
        (
            drift.is_none_or(|drift| drift.drop > 0.0 && drift.drop < plan.auc),
            "sample_size.drift.drop",
            "a fall is a part of the AUC",
            "write for example 0.05",
        ),
        (
            drift.is_none_or(|drift| drift.miss > 0.0 && drift.miss < 1.0),
            "sample_size.drift.miss",
            "the share of falls that may be missed is a share",
            "write for example 0.1",
        ),
    ] {
        found.unless(holds, place, what, fix);
    }
}

struct Found(Vec<Problem>);

impl Found {
    fn add(&mut self, place: impl Into<String>, what: impl Into<String>, fix: impl Into<String>) {
        self.0.push(Problem {
            place: place.into(),
            what: what.into(),
            fix: fix.into(),
        });
    }

    fn unless(&mut self, holds: bool, place: &str, what: &str, fix: &str) {
        if !holds {
            self.add(place, what, fix);
        }
    }

    fn unique<'a>(&mut self, place: &str, names: impl Iterator<Item = &'a str>) {
        let mut seen = BTreeSet::new();
        for name in names {
            if !seen.insert(name) {
                self.add(
                    place,
                    format!("\"{name}\" is declared twice"),
                    "give each its own name",
                );
            }
        }
    }
}

fn format_version(protocol: &StudyProtocol, found: &mut Found) {
    let known = protocol.protocol_version == 1;
    found.unless(
        known,
        "protocol_version",
        "this program knows version 1",
        "write 1",
    );
    let version = &protocol.version;
    found.unless(
        !version.is_empty() && version.len() <= 32,
        "version",
        "a version has 1 to 32 characters",
        "write for example \"1.0.0\"",
    );
    for (place, text) in [("title", &protocol.title), ("question", &protocol.question)] {
        found.unless(
            !text.trim().is_empty(),
            place,
            "this text is empty",
            "say it in a sentence",
        );
    }
}

fn fields(protocol: &StudyProtocol, found: &mut Found) {
    found.unique(
        "field",
        protocol.field.iter().map(|field| field.name.as_str()),
    );
    for field in &protocol.field {
        let place = format!("field \"{}\"", field.name);
        let levels = field.levels.len();
        if (field.kind == FieldKind::Category) != (levels > 0) {
            found.add(
                &place,
                "levels and kind disagree",
                "give levels to a category, and only to it",
            );
        }
        found.unless(
            levels <= LEVELS_MAX,
            &place,
            "more than 40 levels",
            "merge rare levels",
        );
        found.unique(&place, field.levels.iter().map(String::as_str));
        if let Some([low, high]) = field.range {
            let valid = low.is_finite() && high.is_finite() && low < high;
            found.unless(
                valid,
                &place,
                "range is not low < high",
                "write range = [low, high]",
            );
        }
        bands(field, &place, found);
    }
}

fn bands(field: &Field, place: &str, found: &mut Found) {
    if field.bands.is_empty() {
        return;
    }
    let numeric = matches!(
        field.kind,
        FieldKind::Integer | FieldKind::Number | FieldKind::Probability
    );
    found.unless(
        numeric,
        place,
        "bands need a number",
        "remove bands or change the kind",
    );
    let ascending = field.bands.windows(2).all(|pair| pair[0] < pair[1]);
    let finite = field.bands.iter().all(|edge| edge.is_finite());
    found.unless(
        field.bands.len() >= 2 && ascending && finite,
        place,
        "bands are not at least two increasing numbers",
        "write bands = [18, 50, 65, 120]",
    );
}

fn kind_of(protocol: &StudyProtocol, name: &super::FieldName) -> Option<FieldKind> {
    protocol.find_field(name).map(|field| field.kind)
}

fn models(protocol: &StudyProtocol, found: &mut Found) {
    found.unique(
        "model",
        protocol.model.iter().map(|model| model.id.as_str()),
    );
    let index = protocol
        .model
        .iter()
        .filter(|model| model.role == ModelRole::Index)
        .count();
    found.unless(
        index == 1,
        "model",
        "there is not exactly one model with role \"index\"",
        "give the model under validation role = \"index\" and every other role = \"comparator\"",
    );
    for model in &protocol.model {
        let place = format!("model \"{}\"", model.id);
        match model.run {
            _ if protocol.is_segmentation() => {
                segmentation::model(protocol, model, &place, found);
            }
            ModelRun::PredictionsTable => predictions(protocol, model, &place, found),
            ModelRun::Formula => formula::check(protocol, model, &place, found),
        }
        if let Some(hash) = &model.sha256 {
            found.unless(
                is_sha256(hash),
                &place,
                "sha256 is not 64 hex digits",
                "give the whole digest",
            );
        }
        found.unless(
            !model.missing_inputs.trim().is_empty(),
            &place,
            "missing_inputs is empty",
            "say what the model does when an input is missing",
        );
    }
}

fn predictions(protocol: &StudyProtocol, model: &Model, place: &str, found: &mut Found) {
    let kind = model
        .field
        .as_ref()
        .and_then(|name| kind_of(protocol, name));
    found.unless(
        kind == Some(FieldKind::Probability),
        place,
        "its field is not a declared probability",
        "declare [[field]] with this name and kind = \"probability\"",
    );
    found.unless(
        model.formula.is_none(),
        place,
        "it has a formula, but its predictions come from a table",
        "write run = \"formula\" and no field, or remove [model.formula]",
    );
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn endpoints(protocol: &StudyProtocol, found: &mut Found) {
    found.unless(
        !protocol.endpoint.is_empty(),
        "endpoint",
        "there is none",
        "declare [[endpoint]]",
    );
    found.unique(
        "endpoint",
        protocol
            .endpoint
            .iter()
            .map(|endpoint| endpoint.id.as_str()),
    );
    for endpoint in &protocol.endpoint {
        let place = format!("endpoint \"{}\"", endpoint.id);
        if protocol.is_segmentation() {
            // Its truth is checked with its structure.
            continue;
        }
        found.unless(
            kind_of(protocol, &endpoint.field) == Some(FieldKind::Binary),
            &place,
            "its field is not a declared binary field",
            "declare [[field]] with this name and kind = \"binary\"",
        );
    }
}

fn eligibility(protocol: &StudyProtocol, found: &mut Found) {
    let cluster = &protocol.eligibility.cluster;
    let valid = kind_of(protocol, cluster) == Some(FieldKind::Identifier);
    found.unless(
        valid,
        "eligibility.cluster",
        "it is not a declared identifier",
        "name the field that tells patients apart, kind = \"identifier\"",
    );
    let terms = [
        ("include", &protocol.eligibility.include),
        ("exclude", &protocol.eligibility.exclude),
    ];
    for (list, terms) in terms {
        for (index, term) in terms.iter().enumerate() {
            if let Some((what, fix)) = term_problem(protocol, term) {
                found.add(format!("eligibility.{list}[{index}]"), what, fix);
            }
        }
    }
}

/// Constants lie on declared bands or levels (decision P6), so that moving a constant by one
/// cannot single a patient out.
fn term_problem(protocol: &StudyProtocol, term: &Term) -> Option<(String, String)> {
    let Some(field) = protocol.find_field(&term.field) else {
        return Some((
            format!("\"{}\" is not declared", term.field),
            "declare it as [[field]]".into(),
        ));
    };
    let presence = matches!(term.op, Operator::Present | Operator::Missing);
    if presence != term.value.is_none() {
        return Some((
            "value and op disagree".into(),
            "give a value except with present and missing".into(),
        ));
    }
    let ordered = matches!(term.op, Operator::Ge | Operator::Lt);
    match (&term.value, field.kind) {
        (None, _) => None,
        (Some(Scalar::Text(level)), FieldKind::Category) if !ordered => {
            let known = field.levels.contains(level);
            (!known).then(|| {
                (
                    format!("\"{level}\" is not a declared level"),
                    "use a declared level".into(),
                )
            })
        }
        (Some(Scalar::Number(value)), FieldKind::Binary) if !ordered => {
            let known = *value == 0.0 || *value == 1.0;
            (!known).then(|| ("a binary field is 0 or 1".into(), "write 0 or 1".into()))
        }
        (Some(Scalar::Number(value)), FieldKind::Integer | FieldKind::Number) if ordered => {
            let known = field.bands.contains(value);
            (!known).then(|| {
                (
                    format!("{value} is not an edge of the field's bands"),
                    "use a band edge, or declare one: sites accept no other constants".into(),
                )
            })
        }
        (Some(_), _) => Some((
            "this comparison does not fit the field's kind".into(),
            "compare categories and binaries with eq or ne, numbers with ge or lt".into(),
        )),
    }
}

fn thresholds(protocol: &StudyProtocol, found: &mut Found) {
    for (index, entry) in protocol.threshold.iter().enumerate() {
        let place = format!("threshold[{index}]");
        let declared = protocol.find_model(&entry.model).is_some()
            && protocol.find_endpoint(&entry.endpoint).is_some();
        found.unless(
            declared,
            &place,
            "its model or endpoint is not declared",
            "use declared ids",
        );
        let inside = entry.value > 0.0 && entry.value < 1.0;
        found.unless(
            inside,
            &place,
            "a threshold lies strictly between 0 and 1",
            "at 0 everyone is positive, at 1 nobody: choose a clinical threshold between",
        );
        let count = protocol.thresholds(&entry.model, &entry.endpoint).len();
        found.unless(
            count <= THRESHOLDS_MAX,
            &place,
            "more than five thresholds for one model and endpoint",
            "choose at most five",
        );
        found.unless(
            !entry.source.trim().is_empty(),
            &place,
            "source is empty",
            "say who chose the threshold, when and why",
        );
    }
    let mut keys: Vec<_> = protocol
        .threshold
        .iter()
        .map(|entry| (&entry.model, &entry.endpoint, entry.value.to_bits()))
        .collect();
    keys.sort_unstable();
    let distinct = keys.windows(2).all(|pair| pair[0] != pair[1]);
    found.unless(
        distinct,
        "threshold",
        "a threshold is declared twice",
        "remove one of the two",
    );
}

fn grid(protocol: &StudyProtocol, found: &mut Found) {
    if protocol.is_segmentation() {
        return;
    }
    let grid = &protocol.histogram;
    let by_rule = grid.spacing.is_some() || grid.bins.is_some();
    if by_rule && !grid.edges.is_empty() {
        found.add(
            "histogram",
            "both a rule and edges are given",
            "give spacing and bins, or edges",
        );
    }
    let bins = grid.bins.unwrap_or(BINS_DEFAULT);
    found.unless(
        (8..=BINS_MAX).contains(&bins),
        "histogram.bins",
        "bins is not from 8 to 1024",
        "write 128",
    );
    let ascending = grid.edges.windows(2).all(|pair| pair[0] < pair[1]);
    let inside = grid.edges.iter().all(|edge| *edge > 0.0 && *edge < 1.0);
    found.unless(
        ascending && inside && grid.edges.len() < BINS_MAX + CURVE_MAX + THRESHOLDS_MAX * 16,
        "histogram.edges",
        "edges are not increasing numbers strictly between 0 and 1",
        "leave the edges to the lock: spacing = \"logit\", bins = 128",
    );
    let epsilon = protocol.clip_epsilon();
    found.unless(
        epsilon > 0.0 && epsilon < 0.01,
        "clip.epsilon",
        "epsilon is not in (0, 0.01)",
        "write for example 1e-6",
    );
}

fn analysis(protocol: &StudyProtocol, found: &mut Found) {
    primary(protocol, found);
    pooling(protocol, found);
    found.unless(
        protocol.disclosure.min_cell <= 1000,
        "disclosure.min_cell",
        "it is above 1000",
        "ask for 10 unless a rule of yours says otherwise",
    );
    let shuffles = protocol.permutation.map(|plan| plan.shuffles);
    found.unless(
        shuffles.is_none_or(|count| (99..=100_000).contains(&count)),
        "permutation.shuffles",
        "it is not from 99 to 100000",
        "write 9999",
    );
    found.unless(
        (1..=3650).contains(&protocol.rounds.deadline_days),
        "rounds.deadline_days",
        "it is not from 1 to 3650",
        "write for example 21",
    );
}

fn primary(protocol: &StudyProtocol, found: &mut Found) {
    let primary = &protocol.analysis.primary;
    let model = protocol.find_model(&primary.model);
    found.unless(
        model.is_some_and(|model| model.role == ModelRole::Index),
        "analysis.primary.model",
        "it is not the index model",
        "name the model under validation",
    );
    found.unless(
        protocol.find_endpoint(&primary.endpoint).is_some(),
        "analysis.primary.endpoint",
        "it is not declared",
        "name a declared endpoint",
    );
    let bound = primary.acceptance.at_least;
    let valid = match primary.metric {
        PrimaryMetric::Auc => bound > 0.5 && bound < 1.0,
        PrimaryMetric::Dice
        | PrimaryMetric::Nsd
        | PrimaryMetric::LesionSensitivity
        | PrimaryMetric::Cpm => bound > 0.0 && bound < 1.0,
    };
    found.unless(
        valid,
        "analysis.primary.acceptance.at_least",
        "a bound lies between 0 and 1, that of an AUC above 0.5",
        "choose the smallest value that would still be useful",
    );
}

fn pooling(protocol: &StudyProtocol, found: &mut Found) {
    let pooling = &protocol.pooling;
    found.unless(
        pooling.level > 0.5 && pooling.level < 1.0,
        "pooling.level",
        "a confidence level lies between 0.5 and 1",
        "write 0.95",
    );
    found.unless(
        pooling.min_sites >= 2,
        "pooling.min_sites",
        "it is below 2",
        "write 3 or more",
    );
    if protocol.analysis.primary.acceptance.estimand == Estimand::NextSite {
        found.unless(
            pooling.min_sites >= 5,
            "pooling.min_sites",
            "the next-site bound needs five sites",
            "write 5, or choose estimand = \"mean\"",
        );
        found.unless(
            pooling.tau2 != Tau2Estimator::Fixed,
            "pooling.tau2",
            "without between-site variance there is no next site to predict",
            "write REML, or choose estimand = \"mean\"",
        );
    }
}

fn design(protocol: &StudyProtocol, found: &mut Found) {
    let sampling = &protocol.sampling;
    let outcome_dependent = sampling.design == SamplingDesign::OutcomeDependent;
    if let Some(fractions) = sampling.fractions {
        let valid = [fractions.events, fractions.non_events]
            .iter()
            .all(|f| *f > 0.0 && *f <= 1.0);
        found.unless(
            valid,
            "sampling.fractions",
            "fractions are not in (0, 1]",
            "give the fraction sampled",
        );
        found.unless(
            outcome_dependent,
            "sampling.fractions",
            "fractions go with design = \"outcome-dependent\"",
            "remove them or change the design",
        );
    }
    let verification = &protocol.verification;
    let fractions = [
        verification.fraction_model_positive,
        verification.fraction_model_negative,
    ];
    found.unless(
        fractions.iter().all(|f| (0.0..=1.0).contains(f)),
        "verification",
        "fractions verified are not in [0, 1]",
        "write 1 when every case was verified",
    );
    found.unless(
        !verification.methods.is_empty(),
        "verification.methods",
        "it is empty",
        "name how the reference standard was established",
    );
}

/// Most moderators: each takes a degree of freedom from few sites.
const MODERATORS_MAX: usize = 3;

fn moderators(protocol: &StudyProtocol, found: &mut Found) {
    let declared = &protocol.pooling.moderator;
    let place = "pooling.moderator";
    found.unique(place, declared.iter().map(|one| one.id.as_str()));
    found.unless(
        declared.len() <= MODERATORS_MAX,
        place,
        "more than three moderators",
        "keep the properties of hospitals that were expected to matter",
    );
    let plain =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    for one in declared {
        found.unless(
            (1..=40).contains(&one.id.len())
                && one.id.chars().all(plain)
                && !one.label.trim().is_empty(),
            place,
            "a moderator needs an id of lower-case letters, digits and underscores, and a label",
            "write for example id = \"beds\", label = \"Beds, hundreds\"",
        );
    }
    for site in &protocol.site {
        let known = |id: &String| declared.iter().any(|one| one.id == *id);
        found.unless(
            site.moderators.keys().all(known)
                && site.moderators.values().all(|one| one.is_finite()),
            &format!("site \"{}\"", site.slug),
            "it has a value of a moderator that is not declared, or one that is no number",
            "declare it as [[pooling.moderator]], or remove it",
        );
        let complete = declared
            .iter()
            .all(|one| site.moderators.contains_key(&one.id));
        found.unless(
            complete || site.role != super::SiteRole::External,
            &format!("site \"{}\"", site.slug),
            "it has no value of a declared moderator",
            "write for example moderators = { beds = 9 } at every external site",
        );
    }
}

/// The start is a constant and the steps are few: a requester may not choose where a site
/// evaluates its rows, nor how often (decision P4).
fn one_stage(protocol: &StudyProtocol, found: &mut Found) {
    let Some(plan) = protocol.one_stage_calibration else {
        return;
    };
    let place = "one_stage_calibration";
    found.unless(
        plan.start == [0.0, 1.0],
        &format!("{place}.start"),
        "the steps start at another point than intercept 0 and slope 1",
        "write start = [0, 1]",
    );
    found.unless(
        (1..=STEPS_MAX).contains(&plan.max_steps),
        &format!("{place}.max_steps"),
        "a job may ask for 1 to 8 steps",
        "write max_steps = 8",
    );
    found.unless(
        protocol.sampling.design != SamplingDesign::OutcomeDependent,
        place,
        "with sampling by outcome the intercept over all rows says nothing",
        "leave the section out; the two-stage slope remains",
    );
}

fn sites(protocol: &StudyProtocol, found: &mut Found) {
    found.unless(
        !protocol.site.is_empty(),
        "site",
        "no site is invited",
        "declare [[site]]",
    );
    found.unique("site", protocol.site.iter().map(|site| site.slug.as_str()));
    moderators(protocol, found);
    for data in &protocol.public_dataset {
        found.unless(
            is_sha256(&data.sha256),
            "public_dataset",
            "sha256 is not 64 hex digits",
            "write the output of sha256sum",
        );
        found.unless(
            protocol.find_site(&data.site).is_some(),
            "public_dataset",
            "its site is not invited",
            "use a declared site",
        );
    }
}
