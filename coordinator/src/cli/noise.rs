//! `fedval study noise`: what differential privacy at the hospitals would do to a study, before
//! anything is spent.
//!
//! From: a study file, a policy's parameters, guesses.
//! To: `shared::numeric::planning`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use shared::disclosure::noise::{Amount, Mechanism, NoisePlan, NoiseStamp, groups, histograms};
use shared::fault::{Code, Fault};
use shared::numeric::noise::Estimate;
use shared::numeric::planning::noise::{Expected, Hospitals, mean_absolute};
use shared::study::{SiteRole, validate};

use super::output::Answer;
use super::study::read_source;

/// What differential privacy would do to a study: the expected error of counts and of the AUC.
#[derive(Debug, Args)]
pub(super) struct Noise {
    /// The study file; its models, endpoints and grid decide how much noise a count gets.
    file: PathBuf,
    /// What one release spends, as the hospitals' policies would say.
    #[arg(long, default_value = "1", value_name = "EPSILON")]
    epsilon: Amount,
    /// How the noise is distributed.
    #[arg(long, value_enum, default_value = "discrete-laplace")]
    mechanism: Distribution,
    /// The delta of the discrete Gaussian.
    #[arg(long, value_name = "DELTA")]
    delta: Option<Amount>,
    /// Blocks of the prediction grid.
    #[arg(long, default_value_t = 32, value_name = "N")]
    blocks: u32,
    /// Rows of one patient that are counted.
    #[arg(long, default_value_t = 1, value_name = "N")]
    rows_per_patient: u32,
    /// Number of hospitals; those of the study file when absent.
    #[arg(long, value_name = "K")]
    sites: Option<u32>,
    /// Patients of each hospital; of `[sample_size]` when absent.
    #[arg(long, value_name = "N")]
    patients: Option<u32>,
    /// Share of patients with the event; likewise.
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    prevalence: Option<f64>,
    /// AUC you expect; likewise.
    #[arg(long, value_name = "AUC", allow_negative_numbers = true)]
    auc: Option<f64>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Distribution {
    /// Pure differential privacy.
    DiscreteLaplace,
    /// With a delta.
    DiscreteGaussian,
}

impl Distribution {
    fn mechanism(self) -> Mechanism {
        match self {
            Self::DiscreteLaplace => Mechanism::DiscreteLaplace,
            Self::DiscreteGaussian => Mechanism::DiscreteGaussian,
        }
    }
}

/// What is asked about, complete.
struct Plan {
    stamp: NoiseStamp,
    histograms: usize,
    edges: Vec<f64>,
    hospitals: Hospitals,
}

impl Noise {
    pub(super) fn run(&self) -> Result<Answer, Fault> {
        let plan = self.plan()?;
        let spread = plan.stamp.spread();
        let expected = plan
            .hospitals
            .expected(&plan.edges, spread)
            .ok_or_else(|| {
                usage(
                    "these guesses have no answer",
                    "give an AUC above 0.5 and a prevalence between 0 and 1",
                )
            })?;
        let mut answer = Answer::new(words(&plan, &expected), &data(&plan, &expected))?;
        if expected.site.is_none() {
            answer = answer.warn(
                "at one hospital a class is less than five standard deviations of its noise: no AUC \
                 of its own is printed, and it enters no pool",
            );
        }
        Ok(answer)
    }

    fn plan(&self) -> Result<Plan, Fault> {
        let protocol = validate::expand(&read_source(&self.file)?);
        let guess = protocol.sample_size.as_ref();
        let asked = histograms(&protocol).len();
        let policy = NoisePlan {
            mechanism: self.mechanism.mechanism(),
            epsilon_per_release: self.epsilon,
            epsilon_budget: self.epsilon,
            delta: self.delta,
            rows_per_patient: self.rows_per_patient,
            blocks: self.blocks,
        };
        policy
            .check()
            .map_err(|(key, value, rule)| usage(&format!("{key} {value} is not possible"), rule))?;
        let stamp = policy.stamp(asked as u64).ok_or_else(|| {
            usage(
                "this study has no score histogram",
                "differential privacy covers histograms of predicted probabilities only",
            )
        })?;
        let ends = groups(&protocol, stamp.blocks);
        let edges = ends.iter().filter_map(|end| {
            let edge = protocol.histogram.edges.get(*end as usize);
            edge.copied()
        });
        let external = protocol.site.iter();
        let external = external
            .filter(|site| site.role == SiteRole::External)
            .count();
        let missing = |name: &str| {
            usage(
                &format!("--{name} is missing"),
                "name it, or give the study file a section [sample_size]",
            )
        };
        let patients = match (self.patients, guess) {
            (Some(patients), _) => f64::from(patients),
            (None, Some(guess)) => u32::try_from(guess.patients_per_site)
                .map(f64::from)
                .map_err(|_| missing("patients"))?,
            (None, None) => return Err(missing("patients")),
        };
        let sites = self
            .sites
            .unwrap_or_else(|| u32::try_from(external).unwrap_or(u32::MAX));
        Ok(Plan {
            stamp,
            histograms: asked,
            edges: edges.collect(),
            hospitals: Hospitals {
                sites: f64::from(sites),
                patients,
                prevalence: self
                    .prevalence
                    .or(guess.map(|guess| guess.prevalence))
                    .ok_or_else(|| missing("prevalence"))?,
                auc: self
                    .auc
                    .or(guess.map(|guess| guess.auc))
                    .ok_or_else(|| missing("auc"))?,
            },
        })
    }
}

fn usage(what: &str, why: &str) -> Fault {
    Fault::new(
        Code::UsageInvalid,
        what,
        why,
        "see: fedval study noise --help",
    )
}

fn words(plan: &Plan, expected: &Expected) -> String {
    let (stamp, hospitals) = (&plan.stamp, &plan.hospitals);
    let area = |found: Option<Estimate>| match found {
        Some(one) => format!(
            "off by {:.3} on average by noise, {:.3} by chance in the sample; {:.3} by both",
            mean_absolute(one.noise),
            mean_absolute(one.sampling),
            mean_absolute(one.variance())
        ),
        None => "not printed: a class drowns in its noise".to_owned(),
    };
    format!(
        "{} score histograms leave each hospital and nothing else, with {}.\n\n\
         {} hospitals of {} patients, {:.1} of 100 with the event, AUC {:.2}, {} blocks:\n  \
         {:<34} off by {:.1} on average\n  \
         {:<34} off by {:.1} on average\n  \
         {:<34} {}\n  \
         {:<34} {}\n\n\
         The noise is per release. What a hospital answered stays its answer; a further question spends \
         again. All of this takes the guesses as true.",
        plan.histograms,
        stamp.words(),
        hospitals.sites,
        hospitals.patients,
        100.0 * hospitals.prevalence,
        hospitals.auc,
        plan.edges.len() + 1,
        "each count",
        stamp.spread().absolute,
        "the total of a class",
        mean_absolute(expected.total * expected.total),
        "one hospital: its AUC",
        area(expected.site),
        "AUC of all counts added",
        area(expected.merged),
    )
}

fn data(plan: &Plan, expected: &Expected) -> Value {
    let area = |found: Option<Estimate>| {
        found.map(|one| {
            json!({
                "auc": one.value,
                "by_noise": mean_absolute(one.noise),
                "by_sample": mean_absolute(one.sampling),
                "by_both": mean_absolute(one.variance()),
            })
        })
    };
    json!({
        "noise": plan.stamp,
        "histograms": plan.histograms,
        "blocks": plan.edges.len() + 1,
        "sites": plan.hospitals.sites,
        "patients_per_site": plan.hospitals.patients,
        "prevalence": plan.hospitals.prevalence,
        "auc": plan.hospitals.auc,
        "mean_absolute_error": {
            "count": plan.stamp.spread().absolute,
            "class_total": mean_absolute(expected.total * expected.total),
            "one_site": area(expected.site),
            "merged": area(expected.merged),
        },
    })
}
