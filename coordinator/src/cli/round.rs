//! `fedval round`: launch, follow, close.
//!
//! From: the coordinator's staff and scripts.
//! To: `desk`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde_json::json;
use shared::fault::{Code, Fault};
use shared::pool::result::SiteOutcome;
use shared::study::{RoundId, SiteRole, SiteSlug};

use super::output::{Answer, Format, Manners, print, print_json, table};
use crate::config::Home;
use crate::consortium::Consortium;
use crate::desk::{self, Wish};
use crate::link::system_now;
use crate::round::launch::names;
use crate::round::view::{ExchangeView, RoundView};
use crate::store::{AuditEntry, Store};

/// How often `watch` and `wait` look.
const LOOK: Duration = Duration::from_millis(200);

/// Launch, follow and close rounds.
#[derive(Debug, Subcommand)]
pub(super) enum Round {
    /// Ask every invited site of a locked study.
    Launch(Launch),
    /// List the rounds.
    List,
    /// Show where every site stands.
    Status(Named),
    /// Print every change until nothing more will come.
    Watch(Timed),
    /// Wait until every site is done; exit code 3 when the time is up first.
    Wait(Timed),
    /// Take a release that was set aside because another site sent the same numbers.
    Accept(Accept),
    /// Take nothing more; names who is missing.
    Close(Named),
}

/// Take a release that was set aside.
#[derive(Debug, Args)]
pub(super) struct Accept {
    /// The round.
    round: RoundId,
    /// The site.
    #[arg(long)]
    site: SiteSlug,
    /// Why, for the audit trail.
    #[arg(long)]
    reason: String,
}

/// Ask every invited site of a locked study.
#[derive(Debug, Args)]
pub(super) struct Launch {
    /// The locked study.
    locked: PathBuf,
    /// Name of the round; default: STUDY.r1.
    #[arg(long)]
    round: Option<RoundId>,
    /// An invited site that is not to be asked; the report names it.
    #[arg(long, value_name = "SITE")]
    without: Vec<SiteSlug>,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
}

/// One round.
#[derive(Debug, Args)]
pub(super) struct Named {
    /// The round.
    round: RoundId,
}

/// One round and a patience.
#[derive(Debug, Args)]
pub(super) struct Timed {
    /// The round.
    round: RoundId,
    /// Longest wait, such as 90s, 10m or 3h; without it, as long as it takes.
    #[arg(long, value_parser = duration)]
    timeout: Option<Duration>,
}

/// Reads `90s`, `10m`, `3h`, `2d`, or seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err("write for example 90s, 10m or 3h".to_owned()),
    };
    let count: u64 = digits
        .parse()
        .map_err(|_| "write for example 90s, 10m or 3h".to_owned())?;
    Ok(Duration::from_secs(
        count.saturating_mul(factor).min(366 * 86_400),
    ))
}

/// What every verb of this noun needs.
struct Desk<'a> {
    home: &'a Home,
    store: Store,
    consortium: Consortium,
}

impl Desk<'_> {
    /// Notes that findings of checks, which repeat released numbers, are shown; nothing when there
    /// are none.
    fn note_findings(&self, command: &str, view: &RoundView) -> Result<(), Fault> {
        let told = view.sites.iter().filter(|site| !site.findings.is_empty());
        let sites: Vec<&SiteSlug> = told.map(|site| &site.site).collect();
        if sites.is_empty() {
            return Ok(());
        }
        let entry = AuditEntry::new(system_now(), command)
            .study(&view.study)
            .round(&view.round)
            .shown(sites.into_iter());
        self.store.note(&entry)
    }

    fn status(&self, round: &RoundId) -> Result<RoundView, Fault> {
        desk::status(
            self.home,
            &self.store,
            &self.consortium,
            round,
            system_now(),
        )
    }
}

impl Round {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Launch(_) => "round launch",
            Self::List => "round list",
            Self::Status(_) => "round status",
            Self::Watch(_) => "round watch",
            Self::Wait(_) => "round wait",
            Self::Accept(_) => "round accept",
            Self::Close(_) => "round close",
        }
    }

    pub(super) fn run(&self, home: &Home, manners: Manners) -> Result<Answer, Fault> {
        let desk = Desk {
            home,
            store: home.store()?,
            consortium: Consortium::load(&home.ca_dir())?,
        };
        match self {
            Self::Launch(launch) => launch.run(&desk),
            Self::List => list(&desk),
            Self::Status(named) => status(&desk, &named.round),
            Self::Watch(timed) => watch(&desk, timed, manners),
            Self::Wait(timed) => wait(&desk, timed),
            Self::Accept(wish) => accept(&desk, wish),
            Self::Close(named) => close(&desk, &named.round),
        }
    }
}

fn accept(desk: &Desk<'_>, wish: &Accept) -> Result<Answer, Fault> {
    let Accept {
        round,
        site,
        reason,
    } = wish;
    if reason.trim().is_empty() {
        return Err(Fault::new(
            Code::UsageInvalid,
            "taking a release that was set aside needs its reason",
            "the audit trail keeps who took it and why",
            "say it with --reason \"...\"",
        ));
    }
    let taken = desk.store.accept(round, site, reason, system_now())?;
    let text = format!("{site} is pooled in {round} again; the audit trail says why");
    let data = json!({"round": round, "site": site, "documents": taken});
    Ok(Answer::new(text, &data)?.next(format!("fedval round status {round}")))
}

impl Launch {
    fn run(&self, desk: &Desk<'_>) -> Result<Answer, Fault> {
        let locked = std::fs::read(&self.locked).map_err(|error| {
            Fault::new(
                Code::ProtocolUnreadable,
                format!("{} cannot be read", self.locked.display()),
                error.to_string(),
                "give the file that fedval study lock wrote",
            )
        })?;
        let wish = Wish {
            locked: &locked,
            round: self.round.as_ref(),
            without: &self.without,
            dry_run: self.dry_run,
        };
        let done = desk::launch(&desk.store, &desk.consortium, wish, system_now())?;
        let (sites, left_out) = (&done.asked.sites, &done.asked.left_out);
        let verb = if self.dry_run { "would ask" } else { "asks" };
        let text = format!(
            "round {} {verb} {} site(s): {}\nprotocol  {}",
            done.round,
            sites.len(),
            names(sites.iter()),
            done.protocol
        );
        let data = json!({
            "round": done.round,
            "protocol": done.protocol,
            "sites": sites,
            "without": left_out,
            "dry_run": self.dry_run,
            "launched_at": done.stored.as_ref().map(|row| row.launched_at),
            "expires_at": done.stored.as_ref().map(|row| row.expires_at),
        });
        let mut answer = Answer::new(text, &data)?;
        if !left_out.is_empty() {
            let left = names(left_out.iter());
            answer = answer.warn(format!("not asked, and named in the report: {left}"));
        }
        Ok(if self.dry_run {
            answer.next(format!("fedval round launch {}", self.locked.display()))
        } else {
            answer.next(format!("fedval round watch {}", done.round))
        })
    }
}

fn list(desk: &Desk<'_>) -> Result<Answer, Fault> {
    let rounds = desk.store.rounds()?;
    let rows: Vec<Vec<String>> = rounds
        .iter()
        .map(|row| {
            vec![
                row.id.to_string(),
                row.state.as_str().to_owned(),
                row.launched_at.to_string(),
                row.expires_at.to_string(),
            ]
        })
        .collect();
    let data: Vec<_> = rounds
        .iter()
        .map(|row| {
            json!({
                "round": row.id,
                "study": row.study,
                "protocol": row.protocol,
                "state": row.state,
                "launched_at": row.launched_at,
                "expires_at": row.expires_at,
            })
        })
        .collect();
    Answer::new(
        table(&["round", "state", "launched", "jobs expire"], &rows),
        &data,
    )
}

fn shown(view: &RoundView) -> String {
    let rows: Vec<Vec<String>> = view
        .sites
        .iter()
        .map(|site| {
            let state = site
                .state
                .map_or_else(|| "not asked".to_owned(), |s| s.to_string());
            let moment = |at: Option<shared::study::Timestamp>| {
                at.map(|at| at.to_string()).unwrap_or_default()
            };
            let remark = site.refusal.clone().unwrap_or_else(|| {
                let rules: Vec<&str> = site.findings.iter().map(|f| f.rule.as_str()).collect();
                if rules.is_empty() {
                    String::new()
                } else {
                    format!("set aside: {}", rules.join(", "))
                }
            });
            vec![
                site.site.to_string(),
                state,
                moment(site.since),
                moment(site.heard_at),
                site.waiting_on.unwrap_or_default().to_owned(),
                remark,
            ]
        })
        .collect();
    let headings = [
        "site",
        "state",
        "since",
        "last heard",
        "waiting on",
        "remark",
    ];
    let exchanges = view.exchanges.iter();
    let exchanges: String = exchanges
        .map(|exchange| format!("\n{}", exchange.line()))
        .collect();
    format!(
        "round {}  {}  launched {}  jobs expire {}\n{}{}{}",
        view.round,
        view.state.as_str(),
        view.launched_at,
        view.expires_at,
        table(&headings, &rows),
        exchanges,
        set_aside(view)
    )
}

/// Findings that are told in full, of one site.
const FINDINGS_MAX: usize = 3;

/// Why releases were set aside, in sentences.
fn set_aside(view: &RoundView) -> String {
    let mut text = String::new();
    for site in &view.sites {
        for finding in site.findings.iter().take(FINDINGS_MAX) {
            text.push_str(&format!(
                "\n{}: {}: {} ({})",
                site.site, finding.place, finding.what, finding.rule
            ));
        }
        let more = site.findings.len().saturating_sub(FINDINGS_MAX);
        if more > 0 {
            text.push_str(&format!(
                "\n{}: {more} more findings, with --format json",
                site.site
            ));
        }
    }
    text
}

fn status(desk: &Desk<'_>, round: &RoundId) -> Result<Answer, Fault> {
    let view = desk.status(round)?;
    desk.note_findings("round status", &view)?;
    let answer = Answer::new(shown(&view), &view)?;
    Ok(if view.state.is_open() {
        answer.next(format!("fedval round watch {round}"))
    } else {
        answer.next(format!("fedval report build {round} --out DIR"))
    })
}

/// Looks until `enough` says so or the time is up; the last look, and whether it was enough.
fn look_until(
    desk: &Desk<'_>,
    timed: &Timed,
    mut seen: impl FnMut(&RoundView),
) -> Result<(RoundView, bool), Fault> {
    let start = Instant::now();
    loop {
        let view = desk.status(&timed.round)?;
        seen(&view);
        if view.settled {
            return Ok((view, true));
        }
        if timed.timeout.is_some_and(|limit| start.elapsed() >= limit) {
            return Ok((view, false));
        }
        std::thread::sleep(LOOK);
    }
}

fn timed_out(view: &RoundView) -> Fault {
    let mut missing = view.missing();
    missing.extend(view.exchanges.iter().map(ExchangeView::line));
    Fault::new(
        Code::WaitTimedOut,
        format!("round {} is not finished", view.round),
        format!("still missing: {}", missing.join(", ")),
        "wait longer with --timeout, or close the round: who is missing will be named",
    )
}

fn wait(desk: &Desk<'_>, timed: &Timed) -> Result<Answer, Fault> {
    let (view, settled) = look_until(desk, timed, |_| {})?;
    desk.note_findings("round wait", &view)?;
    let mut answer = Answer::new(shown(&view), &view)?;
    if !settled {
        answer.fault = Some(timed_out(&view));
        return Ok(answer);
    }
    Ok(answer.next(format!("fedval round close {}", timed.round)))
}

fn watch(desk: &Desk<'_>, timed: &Timed, manners: Manners) -> Result<Answer, Fault> {
    let lines = manners.format != Format::Text;
    let mut known: Vec<String> = Vec::new();
    let mut exchanges: Vec<ExchangeView> = Vec::new();
    let (view, settled) = look_until(desk, timed, |view| {
        for exchange in &view.exchanges {
            if !exchanges.contains(exchange) {
                tell_step(view, exchange, lines);
            }
        }
        exchanges.clone_from(&view.exchanges);
        known.resize(view.sites.len(), String::new());
        for (site, before) in view.sites.iter().zip(&mut known) {
            let state = site.state.map_or("not asked", |state| state.as_str());
            if before == state {
                continue;
            }
            state.clone_into(before);
            if lines {
                print_json(&json!({
                    "schema": "fedval.cli/1",
                    "command": "round watch",
                    "at": system_now(),
                    "round": view.round,
                    "site": site.site,
                    "state": state,
                    "waiting_on": site.waiting_on,
                    "refusal": site.refusal,
                    "terminal": false,
                }));
            } else {
                print(&format!(
                    "{}  {:<20} {state}",
                    system_now(),
                    site.site.as_str()
                ));
            }
        }
    })?;
    desk.note_findings("round watch", &view)?;
    let data = json!({"round": view.round, "settled": settled, "view": view, "terminal": true});
    let mut answer = Answer::new("", &data)?;
    if !settled {
        answer.fault = Some(timed_out(&view));
    }
    Ok(answer)
}

/// One line about a change of an exchange.
fn tell_step(view: &RoundView, exchange: &ExchangeView, lines: bool) {
    if lines {
        print_json(&json!({
            "schema": "fedval.cli/1",
            "command": "round watch",
            "at": system_now(),
            "round": view.round,
            "exchange": exchange,
            "terminal": false,
        }));
    } else {
        print(&format!("{}  {}", system_now(), exchange.line()));
    }
}

/// Closing with fewer external releases than the protocol's minimum is done, and the answer is
/// no: there will be no pool.
fn close(desk: &Desk<'_>, round: &RoundId) -> Result<Answer, Fault> {
    desk::close(&desk.store, round, system_now())?;
    let view = desk.status(round)?;
    desk.note_findings("round close", &view)?;
    let (_, locked) = desk::find_round(&desk.store, &desk.consortium, round)?;
    let protocol = &locked.protocol;
    let external = view
        .sites
        .iter()
        .filter(|site| site.outcome == SiteOutcome::Released)
        .filter(|site| {
            let invited = protocol.find_site(&site.site);
            invited.is_some_and(|invited| invited.role == SiteRole::External)
        })
        .count();
    let missing = view.missing();
    let mut answer = Answer::new(
        shown(&view),
        &json!({
            "view": view,
            "missing": missing,
            "without_result": view.without_result(),
            "external_releases": external,
            "minimum": protocol.pooling.min_sites,
        }),
    )?;
    if !missing.is_empty() {
        answer = answer.warn(format!("closed without: {}", missing.join(", ")));
    }
    for remark in view.without_result() {
        answer = answer.warn(format!("no result: {remark}"));
    }
    let minimum = protocol.pooling.min_sites;
    if external < minimum {
        answer.fault = Some(Fault::new(
            Code::RoundIncomplete,
            format!(
                "round {round} closed with {external} external release(s); the protocol's minimum is {minimum}"
            ),
            "with fewer external sites there is no pool; the report shows the sites",
            format!("build the report all the same: fedval report build {round} --out DIR"),
        ));
        return Ok(answer);
    }
    Ok(answer.next(format!("fedval report build {round} --out DIR")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_read_in_common_units() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7_200)));
        for bad in ["", "h", "-1s", "1w", "1.5h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
