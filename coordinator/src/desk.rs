//! What the people at the coordinating centre do: make a consortium, lock a study, launch and
//! close a round. The command line and the simulator call these.
//!
//! From: `cli`, `fedval sim`.
//! To: `consortium`, `round`, `store`.

use std::net::SocketAddr;
use std::path::Path;

use shared::fault::{Code, Fault};
use shared::identity::{Digest, DocumentFault};
use shared::study::lock::{LockFault, LockedProtocol, Signoff};
use shared::study::validate::Problem;
use shared::study::{RoundId, SiteSlug, StudyProtocol, Timestamp, lock, source};

use crate::config::{self, Home};
use crate::consortium::Consortium;
use crate::link::SystemEntropy;
use crate::round::RoundEvent;
use crate::round::launch::{self, Asked, Locked};
use crate::round::view::{self, RoundView};
use crate::store::{RoundRow, Store};
use crate::waypoint;

/// Makes a consortium in `dir`: CA, study-signing key, receipt key, configuration, database.
///
/// # Errors
/// [`Fault`] when `dir` holds one already, or cannot be written.
pub fn initialise(
    dir: &Path,
    name: &str,
    address: &str,
    listen: Option<SocketAddr>,
    now: Timestamp,
) -> Result<(Home, Consortium), Fault> {
    config::parse_address(address)?;
    let mut home = Home::open(dir)?;
    let consortium = Consortium::create(name, now, &mut SystemEntropy)?;
    consortium.save(&home.ca_dir())?;
    home.config.server.public_address = Some(address.to_owned());
    if listen.is_some() {
        home.config.server.quic_listen = listen;
    }
    config::save(&home.config, dir)?;
    home.store()?;
    Ok((home, consortium))
}

/// Reads a study's TOML source; `file` is its name for people.
///
/// # Errors
/// [`Fault`] with line, column and the likely word.
pub fn read_study(text: &str, file: &str) -> Result<StudyProtocol, Fault> {
    source::parse(text).map_err(|fault| fault.into_fault(Code::ProtocolInvalid, file))
}

/// The fault for a protocol with problems: the first is told, the others are counted.
pub fn problems_fault(problems: &[Problem], file: &str) -> Fault {
    let lines =
        |part: fn(&Problem) -> String| problems.iter().map(part).collect::<Vec<_>>().join("\n");
    Fault::new(
        Code::ProtocolInvalid,
        format!("{file} may not be locked: {} to mend", problems.len()),
        lines(|problem| format!("{}: {}", problem.place, problem.what)),
        lines(|problem| format!("{}: {}", problem.place, problem.fix)),
    )
}

/// Locks a study: the bytes of the signed document.
///
/// # Errors
/// [`Fault`] when the study is not valid or a sign-off is missing.
pub fn lock_study(
    consortium: &Consortium,
    protocol: &StudyProtocol,
    signoffs: &[Signoff],
    file: &str,
    now: Timestamp,
) -> Result<Vec<u8>, Fault> {
    let key = &consortium.signing;
    lock::lock(protocol, signoffs, now, &key.key, key.certificate.clone()).map_err(|fault| {
        match fault {
            LockFault::Invalid(problems) => problems_fault(&problems, file),
            LockFault::SignoffMissing(role) => Fault::new(
                Code::SignoffMissing,
                format!("\"{role}\" has not signed off"),
                "the protocol names who must agree before it can no longer be changed",
                format!("add --signoff {role}=\"Full Name\""),
            ),
            LockFault::Canonical(error) => Fault::internal(error.to_string()),
        }
    })
}

/// Opens a locked study that this consortium signed.
///
/// # Errors
/// [`Fault`] when it is not locked, was altered, or another consortium signed it.
pub fn open_locked(
    consortium: &Consortium,
    bytes: &[u8],
    now: Timestamp,
) -> Result<(LockedProtocol, Digest), Fault> {
    lock::open(bytes, &consortium.ca.public(), None, now).map_err(|fault| {
        let code = match fault {
            DocumentFault::Form | DocumentFault::Schema => Code::ProtocolNotLocked,
            DocumentFault::NotCanonical
            | DocumentFault::BadSignature
            | DocumentFault::UnknownSigner
            | DocumentFault::WrongPurpose
            | DocumentFault::NotYetValid
            | DocumentFault::Expired => Code::ProtocolAltered,
        };
        Fault::new(
            code,
            "this is no study that this consortium has locked",
            fault.to_string(),
            "use the file that fedval study lock wrote, unchanged",
        )
    })
}

/// What a launch did, or would do.
#[derive(Clone, Debug)]
pub struct Launched {
    /// The round.
    pub round: RoundId,
    /// Digest of the locked protocol.
    pub protocol: Digest,
    /// Who is asked.
    pub asked: Asked,
    /// The stored round; absent after a dry run.
    pub stored: Option<RoundRow>,
}

/// A wish to launch a round.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// The locked study.
    pub locked: &'a [u8],
    /// The round's name; `STUDY.r1` when absent.
    pub round: Option<&'a RoundId>,
    /// Invited sites that are not to be asked.
    pub without: &'a [SiteSlug],
    /// Decide everything, store nothing.
    pub dry_run: bool,
}

/// Launches a round: one signed job per site, all or nothing. The same wish again changes
/// nothing.
///
/// # Errors
/// [`Fault`] when the study is not locked by this consortium, or a site cannot be asked.
pub fn launch(
    store: &Store,
    consortium: &Consortium,
    wish: Wish<'_>,
    now: Timestamp,
) -> Result<Launched, Fault> {
    let (locked, digest) = open_locked(consortium, wish.locked, now)?;
    let protocol = &locked.protocol;
    let round = wish
        .round
        .cloned()
        .map_or_else(|| launch::first_round(protocol), Ok)?;
    let asked = launch::ask(protocol, &store.sites()?, wish.without)?;
    let stored = if wish.dry_run {
        None
    } else {
        let document = Locked {
            protocol,
            digest,
            bytes: wish.locked,
        };
        let key = &consortium.signing;
        let launch = launch::sign(
            document,
            asked.clone(),
            &round,
            now,
            &key.key,
            &key.certificate,
        )?;
        let row = store.launch(&launch)?;
        waypoint::pass("coordinator.launch.stored");
        Some(row)
    };
    Ok(Launched {
        round,
        protocol: digest,
        asked,
        stored,
    })
}

/// A round with its protocol.
///
/// # Errors
/// [`Fault`] when there is no such round, or its protocol does not open.
pub fn find_round(
    store: &Store,
    consortium: &Consortium,
    round: &RoundId,
) -> Result<(RoundRow, LockedProtocol), Fault> {
    let row = store
        .round(round)?
        .ok_or_else(|| crate::store::unknown_round(round))?;
    let bytes = store
        .protocol(&row.protocol)?
        .ok_or_else(|| Fault::internal("a round's protocol is not stored"))?;
    // The signer was valid when the round was launched; its later expiry changes nothing.
    let (locked, _) = open_locked(consortium, &bytes, row.launched_at)?;
    Ok((row, locked))
}

/// Where a round stands.
///
/// # Errors
/// [`Fault`] when there is no such round.
pub fn status(
    home: &Home,
    store: &Store,
    consortium: &Consortium,
    round: &RoundId,
    now: Timestamp,
) -> Result<RoundView, Fault> {
    let (row, locked) = find_round(store, consortium, round)?;
    let beat_s = home.config.round.heartbeat_s;
    view::look(store, &row, &locked.protocol, beat_s, now)
}

/// Closes a round; what comes later is refused. Closing again changes nothing.
///
/// # Errors
/// [`Fault`] when there is no such round.
pub fn close(store: &Store, round: &RoundId, now: Timestamp) -> Result<(), Fault> {
    waypoint::pass("coordinator.close.asked");
    store.advance(round, &RoundEvent::Close { at: now }, now)?;
    waypoint::pass("coordinator.close.stored");
    Ok(())
}
