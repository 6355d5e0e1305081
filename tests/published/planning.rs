//! Sample sizes and power, and how often a study planned so says what the plan promised.
//!
//! From: `power.*`, `ss.external_validation`; simulated studies.
//! To: `numeric::planning`.

use harness::random::Draw;
use shared::numeric::distribution::logit;
use shared::numeric::planning::external::{Predictor, auc_size, log_oe_standard_error, oe_size};
use shared::numeric::planning::network::{Aim, Network};
use shared::numeric::planning::power::{
    auc_events, cohen_h, goodness_of_fit_size, two_means_size, two_proportions_power,
    two_proportions_size,
};
use shared::pool::random_effects::RandomEffects;

use crate::reference::Entry;

fn number(entry: &Entry, key: &str) -> f64 {
    entry.input[key].as_f64().unwrap()
}

pub fn power(entry: &mut Entry) {
    let (alpha, power) = (number(entry, "alpha"), number(entry, "power"));
    match entry.id.as_str() {
        "power.two_proportions" => {
            let (p1, p2) = (number(entry, "p1"), number(entry, "p2"));
            entry.check("/cohen_h", cohen_h(p1, p2));
            entry.check("/n_per_group", two_proportions_size(p1, p2, alpha, power));
            let at_100 = two_proportions_power(p1, p2, 100.0, alpha);
            entry.check("/power_at_n100", at_100);
        }
        "power.chi2_gof" => {
            let bins = entry.input["bins"].as_u64().unwrap() as u32;
            let w = number(entry, "effect_size_w");
            entry.check("/n", goodness_of_fit_size(w, bins, alpha, power));
        }
        "power.ttest_ind" => {
            let d = number(entry, "d");
            entry.check("/n_per_group", two_means_size(d, alpha, power));
        }
        "power.auc.one" => {
            let ratio = number(entry, "kappa_controls_per_case");
            let (auc, null) = (number(entry, "auc"), number(entry, "null"));
            let events = auc_events(auc, null, ratio, alpha, power);
            entry.check("/ncases", events);
            entry.check("/ncontrols", events.map(|events| events * ratio));
        }
        _ => {}
    }
}

pub fn external(entry: &mut Entry) {
    let prevalence = number(entry, "prevalence");
    let width = |key: &str| number(entry, key);
    let (oe, auc, slope) = (
        width("log_oe_ci_width"),
        width("cstat_ci_width"),
        width("slope_ci_width"),
    );
    let normal = &entry.input["lp_normal"];
    let predictor = Predictor::Normal {
        mean: normal["mean"].as_f64().unwrap(),
        sd: normal["sd"].as_f64().unwrap(),
    };
    let area = number(entry, "cstatistic");
    let size = oe_size(prevalence, oe, 0.95).unwrap();
    entry.check("/n_oe", size);
    // The size is the smallest whole number whose standard error is at most this one.
    let wished = entry.expected["oe_naive_se_log"].as_f64().unwrap();
    assert!(log_oe_standard_error(size, prevalence).unwrap() <= wished);
    assert!(log_oe_standard_error(size - 1, prevalence).unwrap() > wished);
    entry.describes(&["/oe_naive_se_log"]);
    entry.check(
        "/n_cstat_newcombe",
        auc_size(prevalence, area, auc, 0.95).unwrap(),
    );
    let unit = predictor.unit_information().unwrap();
    entry.check(
        "/unit_information",
        vec![unit.intercept, unit.cross, unit.slope],
    );
    entry.check("/n_slope", unit.slope_size(slope, 0.95).unwrap());
}

/// A standard normal number by the sum of twelve uniform ones would have short tails; this is
/// Box and Muller's.
fn normal(draw: &mut Draw) -> f64 {
    let (u, v) = (1.0 - draw.unit(), draw.unit());
    (-2.0 * u.ln()).sqrt() * (2.0 * std::f64::consts::PI * v).cos()
}

/// Pools simulated hospitals as the report does and counts how often the lower limit reaches
/// the bound.
fn simulated(plan: &Network, bound: f64, aim: Aim, draw: &mut Draw) -> f64 {
    const STUDIES: usize = 800;
    let (centre, wished) = (logit(plan.auc).unwrap(), logit(bound).unwrap());
    let alone = Network {
        spread: 0.0,
        sites: 2,
        ..*plan
    };
    let site = alone.expected().unwrap().site;
    let within = (logit(site.upper).unwrap() - centre) / 1.959_963_984_540_054;
    let mut met = 0;
    for _ in 0..STUDIES {
        let estimates: Vec<f64> = (0..plan.sites)
            .map(|_| centre + plan.spread * normal(draw) + within * normal(draw))
            .collect();
        let variances = vec![within * within; estimates.len()];
        let fit = RandomEffects::fit(&estimates, &variances, plan.level).unwrap();
        let interval = match aim {
            Aim::Mean => fit.mean.interval,
            Aim::NextSite => fit.prediction,
        };
        met += usize::from(interval.unwrap().lower >= wished);
    }
    met as f64 / STUDIES as f64
}

#[test]
fn planned_chances_come_true() {
    let mut draw = Draw(20_240_917);
    for (sites, patients, spread) in [(4, 400, 0.4), (8, 300, 0.3), (12, 150, 0.3)] {
        let plan = Network {
            auc: 0.82,
            spread,
            prevalence: 0.3,
            sites,
            patients,
            level: 0.95,
        };
        for (aim, bound) in [(Aim::Mean, 0.77), (Aim::Mean, 0.74), (Aim::NextSite, 0.6)] {
            let planned = plan.chance(bound, aim).unwrap();
            let found = simulated(&plan, bound, aim, &mut draw);
            println!("{sites} sites, {aim:?} {bound}: planned {planned:.3}, came true {found:.3}");
            assert!((planned - found).abs() < 0.07, "{planned} {found}");
        }
    }
    // Hospitals that are alike: the guard widens the interval, the plan is too hopeful.
    let alike = Network {
        auc: 0.82,
        spread: 0.0,
        prevalence: 0.3,
        sites: 6,
        patients: 300,
        level: 0.95,
    };
    let planned = alike.chance(0.79, Aim::Mean).unwrap();
    let found = simulated(&alike, 0.79, Aim::Mean, &mut draw);
    println!("alike: planned {planned:.3}, came true {found:.3}");
    assert!(found < planned);
}
