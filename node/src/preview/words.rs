//! The preview's sentences: why an item is withheld and what staff can do about it, and what the
//! coordinator can infer from a release together with the earlier ones.
//!
//! From: the reviewed release, its items, what came before.
//! To: the preview, as text and as a page.

use std::fmt::Write as _;

use shared::disclosure::noise::NoiseStamp;
use shared::disclosure::rule::Rule;
use shared::disclosure::{Item, Profile, ReceivedRelease, Verdict};
use shared::statistic::Cell;
use shared::study::StudyProtocol;

use super::Further;
use super::difference::Difference;

/// Why a rule decided as it did, and what staff can do about it.
pub(super) fn reason(rule: Rule, verdict: Verdict, k: u64) -> (String, &'static str) {
    match verdict {
        Verdict::Pass => ("every rule is met".to_owned(), "Nothing to do."),
        Verdict::Review => (
            format!("allowed, and close to the limit of {k} patients"),
            "Ask whether somebody who knows your hospital could recognise one of so few. If so, reject \
             with a reason.",
        ),
        Verdict::Fail => withheld(rule, k),
    }
}

fn withheld(rule: Rule, k: u64) -> (String, &'static str) {
    const NOTHING: &str = "Nothing to do: it stays here. More eligible patients would show it, never another setting of \
         this round.";
    const LEVELS: &str = "Nothing to do: it stays here. A study with wider levels could show it; that is a new version \
         of its protocol.";
    const POLICY: &str = "Nothing to do. Whether a contract allows it is for your data-protection officer to say, in \
         the policy file.";
    let (why, what) = match rule {
        Rule::Admission => (
            format!("the patients, or those of one outcome, are too few for any release (limit {k})"),
            NOTHING,
        ),
        Rule::SmallCell => (format!("fewer than {k} patients stand behind it"), NOTHING),
        Rule::Zero => (
            "nobody is in this group, which says something about everybody in it".to_owned(),
            NOTHING,
        ),
        Rule::Margin => (
            format!(
                "beside the totals, or an earlier release, a group of fewer than {k} patients could be \
                 calculated"
            ),
            LEVELS,
        ),
        Rule::Rate => (
            format!(
                "those with and those without must each be {k} patients or more, in a group that may \
                 be shown"
            ),
            NOTHING,
        ),
        Rule::Histogram => (
            format!("a block of scores would have fewer than {k} patients"),
            NOTHING,
        ),
        Rule::OperatingPoint => (
            format!("one of the four cells at this threshold has fewer than {k} patients"),
            NOTHING,
        ),
        Rule::Estimate => (
            format!(
                "a class has fewer than {k} patients, or one patient carries more than half of the \
                 number or two more than two thirds, or fewer than {k} change between the two it compares"
            ),
            NOTHING,
        ),
        Rule::Moment => (
            "too few patients, or too few without a value, or one patient carries more than half of \
             the sum or two more than two thirds"
                .to_owned(),
            NOTHING,
        ),
        Rule::Block => (
            "exact sums leave public data, or under a contract, only".to_owned(),
            POLICY,
        ),
        Rule::Coefficient => (
            "the line is fitted to fewer than ten patients per coefficient".to_owned(),
            NOTHING,
        ),
        Rule::Noise => (
            "under differential privacy only score histograms leave, with noise on every count"
                .to_owned(),
            POLICY,
        ),
        Rule::CaseValue => (
            format!("values of cases leave in blocks of {k} patients or more, and as means"),
            NOTHING,
        ),
    };
    (format!("rule {}: {why}", rule.id()), what)
}

/// One paragraph: what the coordinator can infer from these bytes, together with the earlier
/// releases of this site.
pub(super) fn inference(
    protocol: &StudyProtocol,
    release: &ReceivedRelease,
    items: &[Item],
    difference: &Difference,
    further: &[Further],
) -> String {
    if let Some(noise) = &release.header.policy.noise {
        return with_noise(release, noise);
    }
    let mut text = String::from("The coordinator learns ");
    text.push_str(&cohorts(release));
    text.push_str(&contents(protocol, release));
    let hidden = items
        .iter()
        .filter(|item| item.verdict == Verdict::Fail)
        .count();
    let k = release.header.policy.min_cell;
    let protects = release.header.policy.profile != Profile::OpenData.as_str();
    if protects {
        let _ = write!(
            text,
            " It sees that {} withheld, which can mean that their groups are small, \
             and not how small. Counts are rounded to multiples of {}, and every number was checked to \
             speak about {k} patients or more, alone and beside the others of this release.",
            if hidden == 1 {
                "1 number is".to_owned()
            } else {
                format!("{hidden} numbers are")
            },
            release.header.policy.rounding
        );
    } else {
        text.push_str(
            " The profile open-data protects nobody: counts are exact and may be about one patient. It \
             is for tables that anybody may download, and releases are not compared.",
        );
    }
    if protects {
        earlier(&mut text, difference, k);
    }
    further.iter().for_each(|one| text.push_str(&one.inference));
    text.push_str(" It sees no row, no identifier, no image, and not who is in which group.");
    text
}

/// The same under differential privacy.
fn with_noise(release: &ReceivedRelease, noise: &NoiseStamp) -> String {
    let histograms = release.noisy.len();
    let loss = libm::exp(noise.epsilon.to_f64());
    let delta = noise.delta.map_or_else(String::new, |delta| {
        format!(", but for a chance of {delta}")
    });
    format!(
        "The coordinator learns {}: by outcome and block of the prediction how many cases there are, \
         each count with noise that is off by {:.1} on average. Nothing exact leaves: no number of \
         patients, no table, no area. Whatever somebody knows already, with or without one patient \
         of yours in the table each possible answer is at most {loss:.2} times as likely{delta} \
         (epsilon {}). Earlier answers with noise add to that; the ledger keeps the sum for each \
         patient. It sees no row, no identifier, no image, and not who is in which group.",
        many(histograms, "score histogram"),
        noise.spread().absolute,
        noise.epsilon
    )
}

fn cohorts(release: &ReceivedRelease) -> String {
    let flows = release.statistics.iter().filter_map(|one| one.flow());
    let each: Vec<String> = flows
        .map(|flow| {
            let mut text = format!(
                "that {} patients were analysed for {}",
                count(&flow.patients),
                flow.endpoint
            );
            if flow.events.number().is_some() {
                let _ = write!(
                    text,
                    ", {} of the cases with the event",
                    count(&flow.events)
                );
            }
            text
        })
        .collect();
    if each.is_empty() {
        return "sums over the analysed patients.".to_owned();
    }
    each.join(", ") + "."
}

fn contents(protocol: &StudyProtocol, release: &ReceivedRelease) -> String {
    let models: Vec<&str> = protocol
        .model
        .iter()
        .map(|model| model.id.as_str())
        .collect();
    let mut text = format!(
        " It learns how well {} {} with the outcome at this hospital",
        models.join(" and "),
        if models.len() == 1 { "agrees" } else { "agree" }
    );
    let (mut shown, mut hidden) = (Vec::new(), Vec::new());
    let tables = release
        .statistics
        .iter()
        .filter_map(|one| one.characteristics());
    for axis in tables.flat_map(|table| &table.axes) {
        let levels = axis.levels.iter();
        let levels = levels.filter(|level| !level.n.is_suppressed()).count();
        let name = axis.axis.to_string();
        if levels == 0 {
            hidden.push(name);
        } else {
            shown.push(format!("{name} ({levels} levels)"));
        }
    }
    if !shown.is_empty() {
        let _ = write!(
            text,
            ", and how many patients there are by {}",
            shown.join(", ")
        );
    }
    if !hidden.is_empty() {
        let _ = write!(text, "; of {} it sees no level", hidden.join(", "));
    }
    text + "."
}

fn earlier(text: &mut String, difference: &Difference, k: u64) {
    if difference.releases == 0 {
        text.push_str(
            " This node remembers no earlier release, so there is nothing to combine it with.",
        );
        return;
    }
    let _ = write!(
        text,
        " Together with {} of this hospital, over all studies, no sum or difference of groups that \
         the node searches speaks about fewer than {k} patients (rules L2, L3, L5).",
        many(difference.releases, "earlier release")
    );
    let Some(last) = difference.last() else {
        text.push_str(" It is the first of this study whose numbers are kept here.");
        return;
    };
    let [new, other, _] = difference.counts();
    if difference.identical {
        let _ = write!(
            text,
            " It says nothing that the release of ledger entry {} did not say.",
            last.entry
        );
    } else {
        let _ = write!(
            text,
            " Since the release of ledger entry {}, {} came and {} went; of the numbers below {new} are new \
             and {other} say something else. By subtraction the coordinator can tell something about \
             those who came or went, as groups and not one by one.",
            last.entry,
            many(last.new, "patient"),
            many(last.gone, "patient")
        );
    }
}

/// `1 patient`, `2 patients`.
pub(super) fn many(number: usize, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {what}{s}")
}

/// A count as the coordinator reads it.
fn count(cell: &Cell<u64>) -> String {
    match cell {
        Cell::Value { value } => value.to_string(),
        Cell::Rounded { value, .. } => format!("about {value}"),
        Cell::Zero => "0".to_owned(),
        Cell::Suppressed { .. } | Cell::NotComputed { .. } => "an unknown number of".to_owned(),
    }
}
