//! The plan in sentences.
//!
//! From: the plan's numbers.
//! To: the terminal.

use shared::numeric::Interval;
use shared::numeric::planning::network::Aim;

use super::{About, Alone, Change, Guess, OneSite, Power, Several};

/// Below this many expected events a hospital says little by itself.
const FEW_EVENTS: f64 = 10.0;
/// Below this many hospitals the report makes no statement about the next one (decision C5).
const PREDICTION_SITES: u64 = 5;

/// The whole answer for a person.
pub(super) fn text(
    wish: &Power,
    guess: &Guess,
    several: &Several,
    alone: &Alone,
    one: &OneSite,
    change: Option<&Change>,
) -> String {
    let mut parts = vec![
        expectation(guess, several),
        precision(guess, several, one),
        width(wish, several),
    ];
    parts.extend(guess.bound.map(|bound| answer(guess, several, bound)));
    parts.push(riley(wish, alone));
    parts.extend(change.map(|change| changes(guess, change)));
    parts.push(
        "All of this takes the guesses as true. Subgroups have fewer patients than the whole: \
         ask again with theirs."
            .to_owned(),
    );
    parts.join("\n\n")
}

/// Remarks on guesses that make a poor study.
pub(super) fn warnings(guess: &Guess, several: &Several) -> Vec<String> {
    let network = &guess.network;
    let mut found = Vec::new();
    let events = events(network.patients, network.prevalence);
    if events < FEW_EVENTS {
        found.push(format!(
            "a hospital has about {events:.0} patients with the event: its own AUC will hardly \
             be told apart from chance, and its cells will often be withheld"
        ));
    }
    if network.sites < PREDICTION_SITES {
        found.push(format!(
            "with fewer than {PREDICTION_SITES} hospitals the report makes no statement about \
             the next one"
        ));
    }
    if guess.bound.is_some_and(|(at, _)| at >= network.auc) {
        found.push("the bound is not below the AUC you expect: \"met\" would be luck".to_owned());
    }
    if several.expected.mean.is_none() {
        found.push("one hospital is not pooled: its own interval is the answer".to_owned());
    }
    found
}

#[expect(
    clippy::cast_precision_loss,
    reason = "numbers of patients are far below 2^53"
)]
fn events(patients: u64, prevalence: f64) -> f64 {
    patients as f64 * prevalence
}

fn span(interval: Interval) -> String {
    format!("{:.2} to {:.2}", interval.lower, interval.upper)
}

fn in_hundred(share: f64) -> String {
    let hundredths = 100.0 * share;
    if hundredths > 99.0 {
        "more than 99 in 100".to_owned()
    } else if hundredths < 1.0 {
        "less than 1 in 100".to_owned()
    } else {
        format!("{hundredths:.0} in 100")
    }
}

fn hospitals(count: u64) -> String {
    match count {
        1 => "1 hospital".to_owned(),
        _ => format!("{count} hospitals"),
    }
}

fn expectation(guess: &Guess, several: &Several) -> String {
    let network = &guess.network;
    let level = 100.0 * network.level;
    if guess.spread == 0.0 {
        return format!(
            "You expect an AUC of {:.2} at every hospital, with no difference between them.",
            network.auc
        );
    }
    format!(
        "You expect an AUC of {:.2} at a typical hospital. Hospitals differ: the true AUC of \
         {level:.0} in 100 hospitals lies between {:.2} and {:.2}.",
        network.auc, several.expected.hospitals.lower, several.expected.hospitals.upper
    )
}

fn precision(guess: &Guess, several: &Several, one: &OneSite) -> String {
    let network = &guess.network;
    let level = 100.0 * network.level;
    let all = network.patients.saturating_mul(network.sites);
    let mut lines = vec![format!(
        "{} of {} patients, {all} in all, about {:.0} of them with the event, would show ({level:.0} % intervals):",
        hospitals(network.sites),
        network.patients,
        events(all, network.prevalence)
    )];
    let mut line = |what: &str, interval: String| lines.push(format!("  {what:<34} {interval}"));
    if let Some(mean) = several.expected.mean {
        line("the mean AUC", span(mean));
    }
    if let Some(next) = several.expected.next_site {
        line("the AUC of the next hospital", span(next));
    }
    line("one hospital: its AUC", span(several.expected.site));
    line("one hospital: O:E, if it is 1", span(one.oe));
    line("one hospital: slope, if it is 1", span(one.slope));
    lines.join("\n")
}

fn width(wish: &Power, several: &Several) -> String {
    match several.sites_for_width {
        Some(sites) => format!(
            "For an interval of the mean AUC no wider than {:.2}: {} of this size.",
            wish.auc_width,
            hospitals(sites)
        ),
        None => format!(
            "No number of hospitals makes the interval of the mean AUC narrower than {:.2}.",
            wish.auc_width
        ),
    }
}

fn answer(guess: &Guess, several: &Several, (bound, about): (f64, About)) -> String {
    let network = &guess.network;
    let subject = match about {
        About::Mean => "the mean AUC",
        About::NextSite => "the AUC of the next hospital",
    };
    let mut text = format!("The bound: {subject} is at least {bound:.2}. ");
    match several.chance {
        Some(chance) => text.push_str(&format!(
            "If your guesses are right, the chance that the answer is \"met\" is {}.",
            in_hundred(chance)
        )),
        None => text.push_str(&format!(
            "{} cannot answer it.",
            match about.aim() {
                Aim::Mean => "One hospital",
                Aim::NextSite => "Fewer than three hospitals",
            }
        )),
    }
    let wished = in_hundred(guess.chance);
    text.push_str(&format!("\nFor {wished}: "));
    let more_sites = several
        .sites
        .map(|sites| format!("{} of {} patients", hospitals(sites), network.patients));
    let more_patients = several
        .patients
        .map(|patients| format!("{} of {patients} patients", hospitals(network.sites)));
    match (more_sites, more_patients) {
        (Some(a), Some(b)) => text.push_str(&format!("{a}, or {b}.")),
        (Some(a), None) => text.push_str(&format!(
            "{a}. More patients at {} would not do: they differ too much.",
            hospitals(network.sites)
        )),
        (None, Some(b)) => text.push_str(&format!("{b}.")),
        (None, None) => text.push_str("no number of hospitals or patients does."),
    }
    text
}

fn riley(wish: &Power, alone: &Alone) -> String {
    let mut lines = vec!["One hospital alone would need (Riley 2021):".to_owned()];
    let mut line = |what: String, n: Option<u64>| {
        let patients = n.map_or_else(
            || "more than any study".to_owned(),
            |n| format!("{n} patients"),
        );
        lines.push(format!("  {what:<58} {patients}"));
    };
    line(
        format!(
            "for log(O:E) to within an interval of width {:.2}",
            wish.oe_width
        ),
        alone.oe,
    );
    line(
        format!("for the AUC, width {:.2}", wish.auc_width),
        alone.auc,
    );
    line(
        format!("for the calibration slope, width {:.2}", wish.slope_width),
        alone.slope,
    );
    if let Some(threshold) = wish.threshold {
        line(
            format!(
                "for the standardised net benefit at {threshold}, width {:.2}",
                wish.net_benefit_width
            ),
            alone.net_benefit,
        );
    }
    lines.join("\n")
}

fn changes(guess: &Guess, change: &Change) -> String {
    let mut lines = vec![format!(
        "To miss a change between two periods in no more than {}:",
        in_hundred(change.miss)
    )];
    let say = |n: Option<u64>| {
        n.map_or_else(
            || "no number of patients is enough".to_owned(),
            |n| format!("{n} patients in each period"),
        )
    };
    if let Some((drop, n)) = change.drop {
        let before = guess.network.auc;
        lines.push(format!(
            "  the AUC falls from {before:.2} to {:.2}: {}",
            before - drop,
            say(n)
        ));
    }
    if let Some((from, to, n)) = change.share {
        let n = n.map_or_else(
            || "no number of patients is enough".to_owned(),
            |n| format!("{:.0} patients in each period", n.ceil()),
        );
        lines.push(format!(
            "  the share of positive answers goes from {from} to {to}: {n}"
        ));
    }
    lines.join("\n")
}
