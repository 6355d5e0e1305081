//! Differential privacy at this node: a question is paid for in ledger and database, then noise is
//! drawn once and kept, so that the same question has the same answer and costs nothing again.
//!
//! A crash before the payment costs nothing. After it the loss stands, and what was not kept is
//! drawn again: nobody saw the first draw, since counts leave `answer` only when they are kept.
//!
//! From: `measure` (exact counts), the policy.
//! To: `shared::disclosure` (a release), `store` (budget, memory), the ledger.

mod source;

use serde_json::{Value, json};
use shared::disclosure::noise::{Amount, Counted, NoisePlan, NoiseStamp, Noisy, groups};
use shared::fault::{Code, Fault};
use shared::identity::{Digest, to_canonical};
use shared::study::{RoundId, StudyProtocol, Timestamp};

use crate::cohort::{People, TableSource};
use crate::link::SystemEntropy;
use crate::store::{Asked, Claim, Store};
use crate::waypoint;

pub use source::Noise;

/// Name and version of what is hashed.
const SCHEMA: &str = "fedval.noise-question/1";

/// Parts of a protocol from which it follows who is counted where; the rest of it changes no count.
const PARTS: [&str; 5] = ["model", "endpoint", "eligibility", "field", "missing"];

/// The memory that pays.
#[derive(Clone, Copy)]
pub struct Purse<'a> {
    /// The node's database.
    pub store: &'a Store,
    /// When.
    pub now: Timestamp,
}

/// Who asks for what, of which table.
pub(crate) struct Wish<'a> {
    pub(crate) protocol: &'a StudyProtocol,
    pub(crate) digest: Digest,
    pub(crate) job: Option<(RoundId, Digest)>,
    /// Digest of the table's bytes, and how its columns are read.
    pub(crate) table: (Digest, &'a TableSource),
    pub(crate) people: &'a People,
    pub(crate) plan: &'a NoisePlan,
}

/// The counts with noise, or why there are none.
///
/// # Errors
/// `FV-POL-011` when the budget does not cover them; `FV-LEDGER-001`, `FV-INT-001`.
pub(crate) fn answer(purse: Purse<'_>, wish: &Wish<'_>, counted: Counted) -> Result<Noisy, Fault> {
    if wish.people.tag.is_empty() {
        return Err(Fault::internal(
            "nobody of the table is known to the ledger",
        ));
    }
    let stamp = counted.stamp().clone();
    let question = question(wish, &stamp)?;
    let asked = Asked {
        study: &wish.protocol.slug,
        protocol: wish.digest,
        round: wish.job.as_ref().map(|(round, _)| round.clone()),
        job: wish.job.as_ref().map(|(_, job)| *job),
        now: purse.now,
        question,
        stamp: &stamp,
        budget: wish.plan.epsilon_budget,
        people: wish.people,
    };
    match purse.store.spend(&asked)? {
        Claim::Kept { bytes, digest } => Noisy::reload(&bytes, digest, wish.protocol)
            .ok_or_else(|| Fault::internal("counts with noise that were kept cannot be read")),
        Claim::Exhausted { left } => Err(exhausted(&stamp, wish.plan.epsilon_budget, left)),
        Claim::Draw => {
            waypoint::pass("node.noise.spent");
            let mut noise = Noise::new(&stamp, SystemEntropy)?;
            let noisy = counted.with_noise(|| noise.draw())?;
            waypoint::pass("node.noise.drawn");
            let bytes = noisy.bytes().map_err(|fault| {
                Fault::internal(format!("counts with noise cannot be written: {fault}"))
            })?;
            purse.store.drawn(&asked, &bytes)?;
            waypoint::pass("node.noise.stored");
            Ok(noisy)
        }
    }
}

/// One digest for everything that asks the same of the same table: lists are sorted, so that their
/// order asks nothing new, and titles, versions and rounds are left out.
fn question(wish: &Wish<'_>, stamp: &NoiseStamp) -> Result<Digest, Fault> {
    let internal = |why: String| Fault::internal(format!("a question under noise: {why}"));
    let protocol =
        serde_json::to_value(wish.protocol).map_err(|fault| internal(fault.to_string()))?;
    let parts: serde_json::Map<String, Value> = PARTS
        .iter()
        .map(|part| {
            let mut value = protocol.get(*part).cloned().unwrap_or(Value::Null);
            if let Value::Object(section) = &mut value {
                section.remove("description");
            }
            ((*part).to_owned(), sorted(value))
        })
        .collect();
    let ends = groups(wish.protocol, stamp.blocks);
    let edges = &wish.protocol.histogram.edges;
    let edges: Vec<f64> = ends
        .iter()
        .filter_map(|end| edges.get(*end as usize).copied())
        .collect();
    let (fingerprint, source) = wish.table;
    let document = json!({
        "schema": SCHEMA,
        "protocol": parts,
        "edges": edges,
        "noise": stamp,
        "table": fingerprint,
        "columns": {
            "key": source.key,
            "cluster": source.cluster,
            "map": source.map,
            "absent": source.absent,
            "codes": source.codes,
            "transform": source.transform,
            "missing": source.missing,
        },
    });
    let bytes = to_canonical(&document).map_err(|fault| internal(fault.to_string()))?;
    Ok(Digest::of(&bytes))
}

/// A list of entries, or each list of a section, in the order of their texts. Lists inside an entry
/// stay as they are: there order may mean something.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(mut list) => {
            list.sort_by_cached_key(ToString::to_string);
            Value::Array(list)
        }
        Value::Object(fields) => {
            let each = fields.into_iter().map(|(key, value)| match value {
                Value::Array(_) => (key, sorted(value)),
                Value::Object(_)
                | Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_) => (key, value),
            });
            Value::Object(each.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

fn exhausted(stamp: &NoiseStamp, budget: Amount, left: Amount) -> Fault {
    Fault::new(
        Code::PrivacySpent,
        "the privacy budget does not cover this release",
        format!(
            "it would spend epsilon {} on every patient of the table; of {budget}, {left} is left of \
             the patient with the least",
            stamp.epsilon
        ),
        "nothing to do: the budget is for life. A question that was answered before is answered \
         again at no cost; a table of other patients has a budget of its own",
    )
}

/// A policy with noise where there is no memory that could pay.
pub(crate) fn unkept() -> Fault {
    Fault::new(
        Code::PrivacyUnkept,
        "a policy with differential privacy needs this node's ledger",
        "what is spent is remembered by patient, and here nobody remembers",
        "run it on the joined node of this site: name its configuration with --config",
    )
}
