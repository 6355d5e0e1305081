//! Choices of intervals, the bootstrap, the partial area's range, target prevalences.
//!
//! From: `validate`.
//! To: `validate`.

use super::Found;
use crate::study::StudyProtocol;
use crate::study::intervals::{RESAMPLES_MAX, RESAMPLES_MIN, SEED_MAX};

/// Most target prevalences per endpoint.
const PREVALENCES_MAX: usize = 5;

pub(super) fn check(protocol: &StudyProtocol, found: &mut Found) {
    let bootstrap = &protocol.bootstrap;
    found.unless(
        (RESAMPLES_MIN..=RESAMPLES_MAX).contains(&bootstrap.resamples),
        "bootstrap.resamples",
        "it is not from 100 to 100000",
        "write 2000",
    );
    found.unless(
        bootstrap.seed <= SEED_MAX,
        "bootstrap.seed",
        "it is above 2^53",
        "write any smaller number, for example the date",
    );
    if let Some(range) = &protocol.partial_auc {
        let valid = range.lowest >= 0.0 && range.lowest < range.highest && range.highest <= 1.0;
        found.unless(
            valid,
            "partial_auc",
            "the range is not 0 <= lowest < highest <= 1",
            "write for example over = \"specificity\", lowest = 0.9, highest = 1.0",
        );
    }
    for (index, target) in protocol.target_prevalence.iter().enumerate() {
        let place = format!("target_prevalence[{index}]");
        found.unless(
            target.value > 0.0 && target.value < 1.0,
            &place,
            "a prevalence lies strictly between 0 and 1",
            "give the share of patients with the event in the target population",
        );
        found.unless(
            protocol.find_endpoint(&target.endpoint).is_some(),
            &place,
            "its endpoint is not declared",
            "use a declared id",
        );
        found.unless(
            !target.source.trim().is_empty(),
            &place,
            "source is empty",
            "name the population and where its prevalence comes from",
        );
        let same = protocol
            .target_prevalence
            .iter()
            .filter(|other| other.endpoint == target.endpoint);
        let twice = same
            .clone()
            .filter(|other| other.value == target.value)
            .count()
            > 1;
        found.unless(
            !twice && same.count() <= PREVALENCES_MAX,
            &place,
            "it is declared twice, or there are more than five for one endpoint",
            "keep at most five different ones",
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::study::intervals::{PartialRange, RangeOver, TargetPrevalence};
    use crate::study::{StudyProtocol, source, template, validate};

    fn protocol() -> StudyProtocol {
        source::parse(template::BINARY).unwrap()
    }

    fn places(protocol: &StudyProtocol) -> Vec<String> {
        validate::check(protocol)
            .into_iter()
            .map(|problem| problem.place)
            .collect()
    }

    #[test]
    fn defaults_are_written_into_the_lock() {
        let json = serde_json::to_value(protocol()).unwrap();
        assert_eq!(json["intervals"]["proportion"], "wilson");
        assert_eq!(json["bootstrap"]["resamples"], 2000);
        assert_eq!(json["bootstrap"]["seed"], 20_260_101);
    }

    #[test]
    fn values_out_of_range_are_named() {
        let mut protocol = protocol();
        protocol.bootstrap.resamples = 50;
        protocol.bootstrap.seed = u64::MAX;
        protocol.partial_auc = Some(PartialRange {
            over: RangeOver::Specificity,
            lowest: 1.0,
            highest: 0.9,
        });
        let endpoint = protocol.endpoint[0].id.clone();
        let target = |value| TargetPrevalence {
            endpoint: endpoint.clone(),
            value,
            source: "registry".to_owned(),
        };
        protocol.target_prevalence = vec![target(0.02), target(0.02), target(1.0)];
        let expected = [
            "bootstrap.resamples",
            "bootstrap.seed",
            "partial_auc",
            "target_prevalence[0]",
            "target_prevalence[1]",
            "target_prevalence[2]",
        ];
        assert_eq!(places(&protocol), expected);
        protocol.target_prevalence = vec![target(0.02)];
        protocol.partial_auc = None;
        protocol.bootstrap = Default::default();
        assert_eq!(places(&protocol), [""; 0]);
    }
}
