//! The shape of a release: what was asked, under which policy, and which numbers are shown and
//! which withheld, without the numbers. Two releases of one shape tell the same kind of thing
//! about the same levels.
//!
//! It covers the protocol up to the digests of its public data sets, the policy, the program's
//! version, the exchange, the steps that the job declares to ask for beyond it, and every statistic with its models, axes, levels and thresholds; of a
//! histogram that there are blocks, since their edges follow the data.
//!
//! From: the reviewed release, the protocol.
//! To: `approval`, the ledger.

use serde_json::{Map, Value, json};
use shared::disclosure::ReceivedRelease;
use shared::fault::Fault;
use shared::identity::{Digest, to_canonical};
use shared::study::StudyProtocol;
use shared::study::job::Exchange;

/// Name and version of what is hashed.
const SCHEMA: &str = "fedval.release-shape/2";

/// The digest of a release's shape; `declared` are the steps that its job goes on with, which the
/// same approval covers.
///
/// # Errors
/// `FV-INT-002` when it cannot be written.
pub fn shape(
    release: &ReceivedRelease,
    protocol: &StudyProtocol,
    declared: &[Exchange],
) -> Result<Digest, Fault> {
    let internal = |why: String| Fault::internal(format!("a release's shape: {why}"));
    let mut question = protocol.clone();
    // The next version of a data set asks nothing new.
    question.public_dataset.clear();
    let question = to_canonical(&question).map_err(|fault| internal(fault.to_string()))?;
    let statistics = release.statistics.iter().map(serde_json::to_value);
    let statistics: Result<Vec<Value>, _> = statistics.collect();
    let statistics = statistics.map_err(|fault| internal(fault.to_string()))?;
    let header = &release.header;
    let document = json!({
        "schema": SCHEMA,
        "question": Digest::of(&question),
        "site": header.site,
        "exchange": header.exchange,
        "step": header.step,
        "declared": declared,
        "policy": header.policy,
        "clustered": header.clustered,
        "software": header.software,
        "statistics": statistics.into_iter().map(outline).collect::<Vec<_>>(),
        "noisy": release.noisy.iter().map(|one| (&one.model, &one.endpoint)).collect::<Vec<_>>(),
    });
    let bytes = to_canonical(&document).map_err(|fault| internal(fault.to_string()))?;
    Ok(Digest::of(&bytes))
}

/// A statistic without its numbers.
fn outline(value: Value) -> Value {
    match value {
        Value::Object(fields) => cell(&fields).unwrap_or_else(|| {
            let each = fields.into_iter();
            Value::Object(each.map(|(key, value)| (key, outline(value))).collect())
        }),
        Value::Array(list) => {
            let mut list: Vec<Value> = list.into_iter().map(|one| outline(unplaced(one))).collect();
            if list.iter().all(|one| one.get("block").is_some()) {
                list.dedup();
            }
            Value::Array(list)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// What is told of a number: that it is shown, withheld, or does not exist and why.
fn cell(fields: &Map<String, Value>) -> Option<Value> {
    match fields.get("state")?.as_str()? {
        "value" | "rounded" | "zero" => Some(json!("shown")),
        "suppressed" => Some(json!("withheld")),
        _ => Some(Value::Object(fields.clone())),
    }
}

/// A block of a histogram without its place.
fn unplaced(mut value: Value) -> Value {
    if let Value::Object(fields) = &mut value
        && fields.contains_key("first")
        && fields.contains_key("last")
    {
        fields.remove("first");
        fields.remove("last");
        fields.insert("block".to_owned(), Value::Null);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_edges_are_left_out_and_levels_kept() {
        let one = |count: u64, last: u64, state: &str| {
            outline(json!({
                "statistic": "histogram",
                "level": "65 and over",
                "n": { "state": state, "value": count, "lo": 1, "hi": 2 },
                "blocks": [
                    { "first": 0, "last": last, "count": { "state": "value", "value": count } },
                    { "first": last + 1, "last": 99, "count": { "state": "value", "value": 7 } },
                ],
                "rates": [{ "low": { "state": "value", "value": 0.5 }, "measure": "recall" }],
            }))
        };
        assert_eq!(one(3, 5, "value"), one(4, 90, "rounded"));
        assert_ne!(one(3, 5, "value"), one(3, 5, "suppressed"));
        let text = one(3, 5, "value").to_string();
        assert!(
            text.contains("65 and over") && text.contains("recall"),
            "{text}"
        );
        assert!(!text.contains('3') && !text.contains("0.5"), "{text}");
    }

    #[test]
    fn why_a_number_does_not_exist_belongs_to_the_shape() {
        let one = |reason: &str| outline(json!({ "state": "not-computed", "reason": reason }));
        assert_eq!(one("one-class"), one("one-class"));
        assert_ne!(one("one-class"), one("no-cases"));
    }
}
