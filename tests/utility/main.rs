//! What disclosure rules cost: five made-up hospitals answer once without rules and once under
//! `standard`, through the product's own review and pool, and the two pools are compared. The table
//! stands in `docs/explanation/utility.md`; this program checks that it is the one it makes, and
//! writes it anew with `FEDVAL_BLESS=1`. From a seed, so that it is the same everywhere.
//!
//! From: `harness::path`.
//! To: `docs/explanation/utility.md`.

mod masked;
mod noise;

use std::fmt::Write as _;
use std::path::Path;

use harness::path;
use harness::random::{self, Draw, Row};
use shared::disclosure::{Policy, ReceivedRelease};
use shared::pool::result::PoolOutcome;
use shared::statistic::Metric;
use shared::study::plan::StatisticKind;
use shared::study::{SiteRole, StudyProtocol};

const SITES: usize = 5;
const SIZES: [usize; 4] = [100, 300, 1000, 5000];
const PREVALENCES: [f64; 3] = [0.05, 0.10, 0.15];
const ROUNDS: u64 = 20;
/// Distance of the classes' normal scores for an AUC of 0.85.
const APART: f64 = 1.4657;
const KINDS: [StatisticKind; 5] = [
    StatisticKind::Flow,
    StatisticKind::Confusion,
    StatisticKind::Auc,
    StatisticKind::ObservedExpected,
    StatisticKind::NetBenefit,
];
const METRICS: [Metric; 3] = [Metric::Auc, Metric::ObservedExpected, Metric::NetBenefit];

/// Two normal numbers (Box and Muller).
fn normal(draw: &mut Draw) -> [f64; 2] {
    let length = libm::sqrt(-2.0 * libm::log(1.0 - draw.unit()));
    let angle = 2.0 * std::f64::consts::PI * draw.unit();
    [length * libm::cos(angle), length * libm::sin(angle)]
}

/// A hospital whose predictions are calibrated: binormal scores as probabilities.
fn hospital(draw: &mut Draw, count: usize, prevalence: f64) -> Vec<Row> {
    let odds = libm::log(prevalence / (1.0 - prevalence));
    let each = (0..count).map(|place| {
        let event = draw.unit() < prevalence;
        let shift = if event { APART } else { 0.0 };
        let score = normal(draw).map(|value| {
            let logit = odds + APART * (value + shift) - APART * APART / 2.0;
            Some(1.0 / (1.0 + libm::exp(-logit)))
        });
        Row {
            patient: place as u32,
            outcome: Some(event),
            score,
            level: vec![0],
            number: Some(50.0),
        }
    });
    each.collect()
}

fn study(threshold: f64) -> StudyProtocol {
    let mut protocol = random::protocol(&[1], &[threshold]);
    let first = protocol.site[0].clone();
    protocol.site = (0..SITES)
        .map(|place| {
            let mut site = first.clone();
            site.slug = format!("hospital-{place}").parse().unwrap();
            site.role = SiteRole::External;
            site
        })
        .collect();
    protocol
}

/// The pooled value of each metric for the model under validation.
fn pooled(protocol: &StudyProtocol, releases: &[ReceivedRelease]) -> [Option<f64>; 3] {
    let study = path::pooled(protocol, releases);
    METRICS.map(|metric| {
        let mut analyses = study.analyses.iter().filter(|one| {
            let key = &one.key;
            let whole = key.axis.is_none() && key.comparator.is_none() && key.sensitivity.is_none();
            key.metric == metric && whole && key.model.as_str() == "p_b"
        });
        match &analyses.next()?.pool {
            PoolOutcome::Pooled(pool) => Some(pool.estimate),
            PoolOutcome::TooFewSites { .. }
            | PoolOutcome::ConfoundedWithSite
            | PoolOutcome::NotPooled
            | PoolOutcome::Failed => None,
        }
    })
}

#[derive(Default)]
struct Cost {
    released: usize,
    errors: [Vec<f64>; 3],
}

fn cost(size: usize, prevalence: f64) -> Cost {
    let protocol = study(prevalence);
    let mut cost = Cost::default();
    for round in 0..ROUNDS {
        let mut draw = Draw(round * 1_000_003 + size as u64 * 101 + (prevalence * 100.0) as u64);
        let tables: Vec<Vec<Row>> = (0..SITES)
            .map(|_| hospital(&mut draw, size, prevalence))
            .collect();
        let answers = |policy: &Policy| -> Vec<ReceivedRelease> {
            let each = tables
                .iter()
                .zip(&protocol.site)
                .filter_map(|(rows, site)| {
                    let cases = random::cases(&protocol, rows);
                    path::bytes_of(&protocol, &cases, policy, site.slug.as_str(), &KINDS)
                });
            each.map(|bytes| ReceivedRelease::read(&bytes).unwrap())
                .collect()
        };
        let open = pooled(&protocol, &answers(&path::open_data()));
        let releases = answers(&path::standard());
        cost.released += releases.len();
        let shown = pooled(&protocol, &releases);
        for ((errors, open), shown) in cost.errors.iter_mut().zip(open).zip(shown) {
            if let (Some(open), Some(shown)) = (open, shown) {
                errors.push((open - shown).abs());
            }
        }
    }
    cost
}

fn table() -> String {
    let mut text = String::from(
        "| patients | events | sites that release | AUC | O:E | net benefit |\n\
         |---|---|---|---|---|---|\n",
    );
    let lines: Vec<(usize, f64)> = SIZES
        .iter()
        .flat_map(|size| PREVALENCES.map(|prevalence| (*size, prevalence)))
        .collect();
    // The large hospitals take longest: each line is a thread of its own.
    let costs: Vec<Cost> = std::thread::scope(|scope| {
        let started: Vec<_> = lines
            .iter()
            .map(|(size, prevalence)| scope.spawn(|| cost(*size, *prevalence)))
            .collect();
        started.into_iter().map(|one| one.join().unwrap()).collect()
    });
    for ((size, prevalence), cost) in lines.into_iter().zip(costs) {
        let percent = 100.0 * cost.released as f64 / (ROUNDS as usize * SITES) as f64;
        let _ = write!(
            text,
            "| {size} | {:.0} % | {percent:.0} %",
            100.0 * prevalence
        );
        for errors in &cost.errors {
            let count = errors.len();
            if count == 0 {
                text.push_str(" | no pool");
                continue;
            }
            let mean = errors.iter().sum::<f64>() / count as f64;
            let most = errors.iter().copied().fold(0.0, f64::max);
            let _ = write!(text, " | {mean:.4} ({most:.4})");
            if count < ROUNDS as usize {
                let _ = write!(text, " in {count} of {ROUNDS}");
            }
        }
        text.push_str(" |\n");
    }
    text
}

/// Compares the table of a page with the one that is made, or writes it.
fn checked(page: &str, made: &str) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = std::fs::read_to_string(&page).unwrap();
    let (begin, end) = ("<!-- table -->\n", "<!-- end of table -->");
    let (before, rest) = text.split_once(begin).unwrap();
    let (written, after) = rest.split_once(end).unwrap();
    if std::env::var_os("FEDVAL_BLESS").is_some() {
        std::fs::write(&page, format!("{before}{begin}{made}{end}{after}")).unwrap();
        return;
    }
    assert_eq!(written, made, "write it anew with FEDVAL_BLESS=1");
}

#[test]
fn the_documented_cost_of_the_rules_is_what_they_cost() {
    checked("../docs/explanation/utility.md", &table());
}
