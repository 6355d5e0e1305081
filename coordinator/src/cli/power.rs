//! `fedval study power`: how many hospitals and patients, asked and answered in clinical words.
//!
//! Numbers come from the command line, then from the study file's `[sample_size]`, its roster
//! and its acceptance bound.
//!
//! From: a person's guesses.
//! To: `shared::numeric::planning`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use shared::fault::{Code, Fault};
use shared::numeric::Interval;
use shared::numeric::distribution::normal_critical;
use shared::numeric::planning::external::{self, Operating, Predictor, UnitInformation};
use shared::numeric::planning::network::{Aim, Expected, Network, spread_on_logit};
use shared::numeric::planning::power::{auc_drop_size, two_proportions_size};
use shared::study::{Estimand, SiteRole, StudyProtocol};

use super::output::Answer;
use super::study::read_source;

mod words;

/// Two-sided level of the tests for a change between periods.
const ALPHA: f64 = 0.05;

/// How many hospitals and patients a study needs, and what it can show.
#[derive(Debug, Args)]
pub(super) struct Power {
    /// A study file; its `[sample_size]`, sites, bound and level stand in for absent flags.
    file: Option<PathBuf>,
    /// Share of patients with the event.
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    prevalence: Option<f64>,
    /// AUC you expect at a typical hospital.
    #[arg(long, value_name = "AUC", allow_negative_numbers = true)]
    auc: Option<f64>,
    /// How much hospitals differ: standard deviation of their true AUCs.
    #[arg(long, value_name = "SD", allow_negative_numbers = true)]
    spread: Option<f64>,
    /// Number of hospitals.
    #[arg(long, value_name = "K")]
    sites: Option<u64>,
    /// Patients of each hospital.
    #[arg(long, value_name = "N")]
    patients: Option<u64>,
    /// The acceptance bound: the AUC that must be reached.
    #[arg(long, value_name = "AUC", allow_negative_numbers = true)]
    at_least: Option<f64>,
    /// What the bound is about.
    #[arg(long, value_enum)]
    estimand: Option<About>,
    /// Chance you want that the answer is "met", if your guesses are right.
    #[arg(
        long,
        default_value_t = 0.8,
        value_name = "SHARE",
        allow_negative_numbers = true
    )]
    chance: f64,
    /// Wished width of the interval of log(O:E), end to end.
    #[arg(
        long,
        default_value_t = 0.2,
        value_name = "WIDTH",
        allow_negative_numbers = true
    )]
    oe_width: f64,
    /// Wished width of the interval of the AUC.
    #[arg(
        long,
        default_value_t = 0.1,
        value_name = "WIDTH",
        allow_negative_numbers = true
    )]
    auc_width: f64,
    /// Wished width of the interval of the calibration slope.
    #[arg(
        long,
        default_value_t = 0.2,
        value_name = "WIDTH",
        allow_negative_numbers = true
    )]
    slope_width: f64,
    /// Wished width of the interval of the standardised net benefit.
    #[arg(
        long,
        default_value_t = 0.2,
        value_name = "WIDTH",
        allow_negative_numbers = true
    )]
    net_benefit_width: f64,
    /// Decision threshold, for the net benefit.
    #[arg(long, value_name = "RISK", allow_negative_numbers = true)]
    threshold: Option<f64>,
    /// Mean and standard deviation of the linear predictor, when known; otherwise they follow
    /// from prevalence and AUC.
    #[arg(long, num_args = 2, value_names = ["MEAN", "SD"], allow_negative_numbers = true)]
    predictor: Option<Vec<f64>>,
    /// Smallest fall of the AUC between two periods that must be noticed.
    #[arg(long, value_name = "AUC", allow_negative_numbers = true)]
    drop: Option<f64>,
    /// Two shares: a change of the share of positive answers that must be noticed.
    #[arg(long, num_args = 2, value_names = ["FROM", "TO"], allow_negative_numbers = true)]
    change: Option<Vec<f64>>,
    /// Share of such changes that may be missed.
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    miss: Option<f64>,
}

/// What an acceptance bound is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum About {
    /// The mean over hospitals.
    Mean,
    /// The next hospital.
    NextSite,
}

impl About {
    fn aim(self) -> Aim {
        match self {
            Self::Mean => Aim::Mean,
            Self::NextSite => Aim::NextSite,
        }
    }
}

impl From<Estimand> for About {
    fn from(estimand: Estimand) -> Self {
        match estimand {
            Estimand::Mean => Self::Mean,
            Estimand::NextSite => Self::NextSite,
        }
    }
}

/// Every guess, complete and in range.
struct Guess {
    network: Network,
    /// Standard deviation of the AUC between hospitals, as it was given.
    spread: f64,
    bound: Option<(f64, About)>,
    chance: f64,
}

/// What several hospitals can show.
struct Several {
    expected: Expected,
    chance: Option<f64>,
    sites: Option<u64>,
    patients: Option<u64>,
    sites_for_width: Option<u64>,
}

/// Patients that one hospital alone would need, by criterion.
struct Alone {
    oe: Option<u64>,
    auc: Option<u64>,
    slope: Option<u64>,
    net_benefit: Option<u64>,
    information: UnitInformation,
}

/// What one hospital of the planned size can show of calibration.
struct OneSite {
    oe: Interval,
    slope: Interval,
}

/// Patients per period for the changes that were asked for.
struct Change {
    miss: f64,
    drop: Option<(f64, Option<u64>)>,
    share: Option<(f64, f64, Option<f64>)>,
}

impl Power {
    pub(super) fn run(&self) -> Result<Answer, Fault> {
        let protocol = self.file.as_deref().map(read_source).transpose()?;
        let guess = self.guess(protocol.as_ref())?;
        let several = self.several(&guess)?;
        let alone = self.alone(&guess)?;
        let one = one_site(&guess, &alone)?;
        let change = self.change(&guess, protocol.as_ref())?;
        let text = words::text(self, &guess, &several, &alone, &one, change.as_ref());
        let data = data(&guess, &several, &alone, &one, change.as_ref());
        let mut answer = Answer::new(text, &data)?;
        answer.warnings = words::warnings(&guess, &several);
        if let Some(file) = &self.file {
            return Ok(answer.next(format!("fedval study check {}", file.display())));
        }
        Ok(answer)
    }

    fn guess(&self, protocol: Option<&StudyProtocol>) -> Result<Guess, Fault> {
        let plan = protocol.and_then(|protocol| protocol.sample_size.as_ref());
        let bound = protocol.map(|protocol| protocol.analysis.primary.acceptance);
        let external = protocol.map(|protocol| {
            let external = |role| matches!(role, SiteRole::External);
            let sites = protocol.site.iter().filter(|site| external(site.role));
            sites.count() as u64
        });
        let prevalence = asked("prevalence", self.prevalence, plan.map(|p| p.prevalence))?;
        within("prevalence", prevalence, 0.0, 1.0)?;
        let auc = asked("auc", self.auc, plan.map(|p| p.auc))?;
        within("auc", auc, 0.5, 1.0)?;
        let spread = asked("spread", self.spread, plan.map(|p| p.spread))?;
        if !(0.0..0.5).contains(&spread) {
            return Err(outside("spread", spread, "0 and 0.5"));
        }
        let sites = asked("sites", self.sites, external)?;
        whole("sites", sites, 1, 1000)?;
        let patients = asked("patients", self.patients, plan.map(|p| p.patients_per_site))?;
        whole("patients", patients, 2, 100_000_000)?;
        within("chance", self.chance, 0.0, 1.0)?;
        let at_least = self.at_least.or(bound.map(|bound| bound.at_least));
        if let Some(at_least) = at_least {
            within("at-least", at_least, 0.0, 1.0)?;
        }
        let declared = bound.map(|bound| bound.estimand.into());
        let about = self.estimand.or(declared).unwrap_or(About::Mean);
        let logit_spread = spread_on_logit(auc, spread).ok_or_else(beyond)?;
        Ok(Guess {
            network: Network {
                auc,
                spread: logit_spread,
                prevalence,
                sites,
                patients,
                level: protocol.map_or(0.95, |protocol| protocol.pooling.level),
            },
            spread,
            bound: at_least.map(|bound| (bound, about)),
            chance: self.chance,
        })
    }

    fn several(&self, guess: &Guess) -> Result<Several, Fault> {
        within("auc-width", self.auc_width, 0.0, 1.0)?;
        let network = &guess.network;
        let bound = |find: &dyn Fn(f64, Aim) -> Option<u64>| {
            guess.bound.and_then(|(at, about)| find(at, about.aim()))
        };
        Ok(Several {
            expected: network.expected().ok_or_else(beyond)?,
            chance: guess
                .bound
                .and_then(|(at, about)| network.chance(at, about.aim())),
            sites: bound(&|at, aim| network.sites_for_chance(at, aim, guess.chance)),
            patients: bound(&|at, aim| network.patients_for_chance(at, aim, guess.chance)),
            sites_for_width: network.sites_for_width(self.auc_width),
        })
    }

    fn alone(&self, guess: &Guess) -> Result<Alone, Fault> {
        let Network {
            prevalence,
            auc,
            level,
            ..
        } = guess.network;
        for (name, width) in [
            ("oe-width", self.oe_width),
            ("slope-width", self.slope_width),
            ("net-benefit-width", self.net_benefit_width),
        ] {
            within(name, width, 0.0, 10.0)?;
        }
        let predictor = match self.predictor.as_deref() {
            Some([mean, sd]) => {
                within("predictor", *sd, 0.0, 100.0)?;
                Predictor::Normal {
                    mean: *mean,
                    sd: *sd,
                }
            }
            Some(_) | None => Predictor::Binormal { prevalence, auc },
        };
        let information = predictor.unit_information().ok_or_else(beyond)?;
        let operating = self
            .threshold
            .map(|threshold| {
                within("threshold", threshold, 0.0, 1.0)?;
                Operating::binormal(prevalence, auc, threshold).ok_or_else(beyond)
            })
            .transpose()?;
        Ok(Alone {
            oe: external::oe_size(prevalence, self.oe_width, level),
            auc: external::auc_size(prevalence, auc, self.auc_width, level),
            slope: information.slope_size(self.slope_width, level),
            net_benefit: operating.and_then(|o| o.net_benefit_size(self.net_benefit_width, level)),
            information,
        })
    }

    fn change(
        &self,
        guess: &Guess,
        protocol: Option<&StudyProtocol>,
    ) -> Result<Option<Change>, Fault> {
        let plan = protocol.and_then(|protocol| protocol.sample_size.as_ref());
        let plan = plan.and_then(|plan| plan.drift.as_ref());
        let drop = self.drop.or(plan.map(|drift| drift.drop));
        if drop.is_none() && self.change.is_none() {
            return Ok(None);
        }
        let miss = asked("miss", self.miss, plan.map(|drift| drift.miss))?;
        within("miss", miss, 0.0, 1.0)?;
        let Network {
            prevalence, auc, ..
        } = guess.network;
        if let Some(drop) = drop {
            within("drop", drop, 0.0, auc)?;
        }
        let share = match self.change.as_deref() {
            Some([from, to]) => {
                within("change", *from, 0.0, 1.0)?;
                within("change", *to, 0.0, 1.0)?;
                let size = two_proportions_size(*from, *to, ALPHA, 1.0 - miss);
                Some((*from, *to, size))
            }
            Some(_) | None => None,
        };
        let fall = |drop| auc_drop_size(auc, drop, prevalence, ALPHA, 1.0 - miss);
        Ok(Some(Change {
            miss,
            drop: drop.map(|drop| (drop, fall(drop))),
            share,
        }))
    }
}

fn one_site(guess: &Guess, alone: &Alone) -> Result<OneSite, Fault> {
    let Network {
        prevalence,
        patients,
        level,
        ..
    } = guess.network;
    let critical = normal_critical(level).ok_or_else(beyond)?;
    let oe = external::oe_interval(patients, prevalence, level);
    let slope = alone.information.slope_standard_error(patients);
    let slope = slope.and_then(|se| Interval::around(1.0, critical * se));
    Ok(OneSite {
        oe: oe.ok_or_else(beyond)?,
        slope: slope.ok_or_else(beyond)?,
    })
}

/// What each question asks, for the fault that says that its answer is missing.
fn question(name: &str) -> &'static str {
    match name {
        "prevalence" => "which share of the patients has the event",
        "auc" => "which AUC you expect at a typical hospital",
        "spread" => "how much the true AUC differs between hospitals",
        "sites" => "how many hospitals take part",
        "patients" => "how many patients each hospital gives",
        "miss" => "which share of such changes may be missed",
        _ => "a number",
    }
}

fn asked<T>(name: &str, flag: Option<T>, file: Option<T>) -> Result<T, Fault> {
    flag.or(file).ok_or_else(|| {
        Fault::new(
            Code::UsageInvalid,
            format!("--{name} is missing: {}", question(name)),
            "a plan needs this guess, and no study file with [sample_size] gives it",
            format!("add --{name}, or name a study file; see: fedval study power --help"),
        )
    })
}

fn within(name: &str, value: f64, low: f64, high: f64) -> Result<(), Fault> {
    if value > low && value < high {
        return Ok(());
    }
    Err(outside(
        name,
        value,
        &format!("{low} and {high}, both excluded"),
    ))
}

fn outside(name: &str, value: f64, range: &str) -> Fault {
    Fault::new(
        Code::UsageInvalid,
        format!("--{name} {value} is not possible"),
        format!("it lies between {range}"),
        "write the number as a decimal, such as 0.05 for 5 of 100",
    )
}

fn whole(name: &str, value: u64, low: u64, high: u64) -> Result<(), Fault> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(Fault::new(
        Code::UsageInvalid,
        format!("--{name} {value} is not possible"),
        format!("it lies between {low} and {high}"),
        "write how many you expect",
    ))
}

fn beyond() -> Fault {
    Fault::new(
        Code::UsageInvalid,
        "these guesses together have no plan",
        "an interval or a number of patients leaves what can be computed",
        "check the AUC and the spread; typical are 0.7 to 0.95 and 0.01 to 0.1",
    )
}

fn pair(interval: Interval) -> Value {
    json!([interval.lower, interval.upper])
}

fn data(
    guess: &Guess,
    several: &Several,
    alone: &Alone,
    one: &OneSite,
    change: Option<&Change>,
) -> Value {
    let network = &guess.network;
    let estimand = guess.bound.map(|(_, about)| match about {
        About::Mean => "mean",
        About::NextSite => "next-site",
    });
    json!({
        "guess": {
            "prevalence": network.prevalence,
            "auc": network.auc,
            "spread": guess.spread,
            "spread_logit": network.spread,
            "sites": network.sites,
            "patients_per_site": network.patients,
            "level": network.level,
            "at_least": guess.bound.map(|(at, _)| at),
            "estimand": estimand,
            "chance": guess.chance,
        },
        "expected": {
            "hospitals": pair(several.expected.hospitals),
            "mean": several.expected.mean.map(pair),
            "next_site": several.expected.next_site.map(pair),
            "one_site": {
                "auc": pair(several.expected.site),
                "oe": pair(one.oe),
                "slope": pair(one.slope),
            },
        },
        "chance_met": several.chance,
        "needed": {
            "sites": several.sites,
            "patients_per_site": several.patients,
            "sites_for_width": several.sites_for_width,
        },
        "one_hospital_alone": {
            "oe": alone.oe,
            "auc": alone.auc,
            "slope": alone.slope,
            "net_benefit": alone.net_benefit,
        },
        "change": change.map(|change| json!({
            "miss": change.miss,
            "drop": change.drop.map(|(drop, n)| json!({"auc": drop, "patients": n})),
            "share": change.share.map(|(from, to, n)| {
                json!({"from": from, "to": to, "patients": n.map(f64::ceil)})
            }),
        })),
    })
}
