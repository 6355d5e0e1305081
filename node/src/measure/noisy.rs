//! A measurement under differential privacy (D20): counts, payment, noise, review.
//!
//! From: `measure`, when the policy asks for noise.
//! To: `measure`, as any measurement.

use shared::disclosure::noise::{Counted, NoisePlan};
use shared::disclosure::{Policy, Reviewed};
use shared::fault::{Code, Fault};
use shared::study::plan::StatisticKind;

use super::{Measured, Question, header, load, outcome};
use crate::cohort::{Finding, Means, TableSource};
use crate::noise::{self, Wish};
use crate::spoken::Spoken;

/// Measures under differential privacy (D20): the score histograms with noise, and nothing else.
/// Groups of earlier releases are not compared, since noise stands between these counts and any
/// group; nor does this release speak about groups.
pub(super) fn run(
    question: &Question<'_>,
    source: &TableSource,
    means: &Means<'_>,
    (policy, plan): (&Policy, &NoisePlan),
) -> Result<Measured, Vec<Fault>> {
    let protocol = question.protocol;
    let purse = question.purse.ok_or_else(|| vec![noise::unkept()])?;
    let (mut loaded, _) = load(question, source, means, policy)?;
    let counted = Some(())
        .filter(|()| question.kinds.contains(&StatisticKind::Histogram))
        .and_then(|()| Counted::measure(protocol, &loaded.cases, plan));
    let wish = Wish {
        protocol,
        digest: question.digest,
        job: question.job.clone(),
        table: (loaded.fingerprint, source),
        people: &loaded.people,
        plan,
    };
    let noisy = match counted {
        None => Err("rule D20: differential privacy covers nothing of what is asked".to_owned()),
        Some(counted) => match noise::answer(purse, &wish, counted) {
            Ok(noisy) => Ok(noisy),
            Err(fault) if fault.code == Code::PrivacySpent => Err(fault.to_string()),
            Err(fault) => return Err(vec![fault]),
        },
    };
    let spent = purse.store.spent().map_err(|fault| vec![fault])?;
    let (what, why) = (
        "privacy budget",
        format!(
            "rule D20: of epsilon {}, {} is spent on the patient with the most",
            plan.epsilon_budget, spent.most
        ),
    );
    loaded.findings.push(Finding::table(what, 0, why));
    let (items, outcome) = match noisy {
        Err(why) => (Vec::new(), Err(why)),
        Ok(noisy) => {
            let mut reviewed = Reviewed::of_noise(policy, protocol, noisy);
            let items = std::mem::take(&mut reviewed.items);
            let clustered = plan.rows_per_patient > 1;
            let header = header(question, policy.stamp(), clustered, loaded.fingerprint)?;
            (items, outcome(reviewed, header)?)
        }
    };
    Ok(Measured {
        findings: loaded.findings,
        items,
        outcome,
        spoken: Spoken {
            people: loaded.people,
            groups: Vec::new(),
            after: None,
        },
        needs_person: false,
        kept: loaded.kept,
    })
}
