//! What a person reads when something is wrong: a code, what, why, and how to mend it.
//! Every code has a page `docs/reference/errors/<code>.md`; a test walks the list.
//!
//! From: both commands.
//! To: standard error, the JSON envelope. Never the wire: what crosses it is `wire::Refusal`.

use serde::Serialize;

/// How a command ends; the numbers are the process' exit codes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// Done, or every check passed.
    Done = 0,
    /// It ran, and the answer is no.
    No = 1,
    /// The command was used wrongly.
    Usage = 2,
    /// Not finished within the time-out.
    TimedOut = 3,
    /// Not joined, expired, revoked, not allowed.
    Identity = 4,
    /// A defect of ours.
    Internal = 5,
    /// The other side cannot be reached.
    Network = 6,
    /// Waits for a person, or refused by the site's policy.
    Human = 7,
    /// The configuration is not valid.
    Config = 78,
    /// Interrupted from the keyboard.
    Interrupted = 130,
}

macro_rules! codes {
    ($($name:ident = $text:literal, $exit:ident, $title:literal;)*) => {
        /// Every error a person can meet.
        #[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// Every code, in the order of the reference.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code as printed: `FV-DATA-014`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The heading of the code's page.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// The exit code of a command that ends with this fault.
            pub fn exit(self) -> Exit {
                match self { $(Self::$name => Exit::$exit,)* }
            }
        }
    };
}

codes! {
    // the command line
    UsageInvalid = "FV-CLI-001", Usage, "the command was used wrongly";
    CheckFailed = "FV-CLI-002", No, "a check failed";
    // configuration
    ConfigUnreadable = "FV-CONF-001", Config, "a configuration file cannot be read";
    ConfigInvalid = "FV-CONF-002", Config, "a configuration file is not valid";
    StateDirUnusable = "FV-CONF-003", Config, "the state directory cannot be used";
    StateDirLocked = "FV-CONF-004", Config, "another process uses this state directory";
    OutputUnwritable = "FV-CONF-005", Config, "an output file cannot be written";
    StorageKeyMissing = "FV-CONF-006", Config, "the key of the stored results is missing";
    // study protocol
    ProtocolUnreadable = "FV-STUDY-001", Config, "the study file cannot be read";
    ProtocolInvalid = "FV-STUDY-002", No, "the study file is not a valid protocol";
    ProtocolNotLocked = "FV-STUDY-003", No, "the study is not locked";
    ProtocolAltered = "FV-STUDY-004", No, "the locked protocol was altered";
    SignoffMissing = "FV-STUDY-005", Human, "a required sign-off is missing";
    UnknownStudy = "FV-STUDY-006", No, "no such study here";
    // identity
    NotInitialised = "FV-ID-001", Identity, "this coordinator has not been initialised";
    WrongCoordinator = "FV-ID-002", Identity, "the coordinator's certificate is not the one in the invitation";
    TokenInvalid = "FV-ID-003", Identity, "the invitation token is not usable";
    NotJoined = "FV-ID-004", Identity, "this node has not joined a consortium";
    AlreadyJoined = "FV-ID-005", Identity, "this node has already joined";
    WordsDiffer = "FV-ID-006", Identity, "the words do not match";
    UnknownSite = "FV-ID-007", No, "no such site";
    CertificateRefused = "FV-ID-008", Identity, "the coordinator refused this node's certificate";
    AlreadyInitialised = "FV-ID-009", No, "this coordinator is already initialised";
    ApprovalPending = "FV-ID-010", Human, "the coordinator has not approved this node yet";
    // network
    Unreachable = "FV-NET-001", Network, "the coordinator cannot be reached";
    AddressInvalid = "FV-NET-002", Config, "the address is not valid";
    VersionUnsupported = "FV-NET-003", Network, "the other side speaks no common version";
    PeerMisbehaved = "FV-NET-004", Network, "the other side broke the protocol";
    // data at the site
    TableUnreadable = "FV-DATA-001", No, "the table cannot be read";
    TableMalformed = "FV-DATA-002", No, "the table is not well formed";
    ColumnMissing = "FV-DATA-003", No, "a mapped column is not in the table";
    ColumnDuplicate = "FV-DATA-004", No, "a column name stands twice in the header";
    FieldUnmapped = "FV-DATA-005", Config, "a declared field has no column";
    ValueNotNumber = "FV-DATA-006", No, "values that should be numbers are not";
    ValueOutOfRange = "FV-DATA-007", No, "values lie outside the declared range";
    LogitsSuspected = "FV-DATA-008", No, "declared probabilities look like logits";
    LevelUnknown = "FV-DATA-009", No, "values are not among the declared levels";
    LabelInvalid = "FV-DATA-010", No, "labels are not 0 and 1";
    IdentifierInvalid = "FV-DATA-011", No, "identifiers are empty or differ only by white space";
    OutcomeConflict = "FV-DATA-012", No, "one case has two different labels";
    NoCases = "FV-DATA-013", No, "no case is left to analyse";
    OneClass = "FV-DATA-014", No, "only one outcome class is present";
    ScoresConstant = "FV-DATA-015", No, "every prediction is the same";
    TableChanged = "FV-DATA-016", No, "the table changed while it was read";
    TableTooLarge = "FV-DATA-017", No, "the table exceeds a limit";
    EncodingUnsupported = "FV-DATA-018", No, "the table's text encoding is not UTF-8";
    FieldUnknown = "FV-DATA-019", Config, "the mapping names a field the protocol does not declare";
    TableMismatch = "FV-DATA-020", No, "the table is not the one whose hash is configured";
    CaseConflict = "FV-DATA-021", No, "one case stands twice with different values";
    // policy and release
    PolicyMissing = "FV-POL-001", Human, "no disclosure policy is configured";
    PolicyInvalid = "FV-POL-002", Config, "the disclosure policy is not valid";
    NotReleased = "FV-POL-003", Human, "the site's own policy does not release this";
    OpenDataRefused = "FV-POL-004", Human, "open-data may not be used here";
    ConfirmationNeeded = "FV-POL-005", Human, "a person must confirm this release";
    NotWaiting = "FV-POL-006", No, "this job is not waiting for approval";
    ContractExpired = "FV-POL-007", Human, "the contract behind the policy has expired";
    SecondApprover = "FV-POL-008", Human, "another person must approve too";
    PreviewStale = "FV-POL-009", No, "another release left after this one was computed";
    ApprovalNotSigned = "FV-POL-010", Human, "the approval is not signed with the approver's own key";
    PrivacySpent = "FV-POL-011", Human, "the privacy budget is spent";
    PrivacyUnkept = "FV-POL-012", Config, "nothing remembers the privacy budget";
    // jobs, rounds, ledger
    UnknownJob = "FV-JOB-001", No, "no such job here";
    JobRefused = "FV-JOB-002", Human, "the node does not accept this job";
    UnknownRound = "FV-ROUND-001", No, "no such round";
    RoundState = "FV-ROUND-002", No, "the round's state does not allow this";
    RoundIncomplete = "FV-ROUND-003", No, "the round closed with too few sites";
    WaitTimedOut = "FV-ROUND-004", TimedOut, "the round did not finish in time";
    LedgerBroken = "FV-LEDGER-001", No, "the ledger's chain is broken";
    LedgerBehind = "FV-LEDGER-002", Human, "the ledger is older than the coordinator's last receipt";
    UnknownEntry = "FV-LEDGER-003", No, "no such ledger entry";
    CoordinatorAltered = "FV-LEDGER-004", Human, "the coordinator's record contradicts what it signed before";
    // releases and reports
    ReleaseInvalid = "FV-REPORT-001", No, "a release file is not valid";
    ReleaseMismatch = "FV-REPORT-002", No, "release files do not belong together";
    BundleInvalid = "FV-REPORT-003", No, "a report bundle is not valid";
    ReportsDiffer = "FV-REPORT-004", No, "two reports differ";
    // ours
    StoreFailed = "FV-INT-001", Internal, "the local database failed";
    Internal = "FV-INT-002", Internal, "a defect in this program";
}

/// One error for a person: code, what, why, fix.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The code.
    pub code: Code,
    /// What happened, one line.
    pub what: String,
    /// Why, one or two lines.
    pub why: String,
    /// What to do about it, one or two lines.
    pub fix: String,
}

impl Fault {
    /// A fault with its four parts.
    pub fn new(
        code: Code,
        what: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            code,
            what: what.into(),
            why: why.into(),
            fix: fix.into(),
        }
    }

    /// A defect of ours.
    pub fn internal(what: impl Into<String>) -> Self {
        Self::new(
            Code::Internal,
            what,
            "this program met a state it should never be in",
            "nothing was sent; please report this with the command you ran",
        )
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let indent = |text: &str| text.replace('\n', "\n        ");
        writeln!(out, "{}  {}", self.code.as_str(), indent(&self.what))?;
        writeln!(out, "  why   {}", indent(&self.why))?;
        write!(out, "  fix   {}", indent(&self.fix))
    }
}

impl std::error::Error for Fault {}

/// The one shape of `--format json`.
#[derive(Debug, Serialize)]
pub struct Envelope<T: Serialize> {
    /// `fedval.cli/1`.
    pub schema: &'static str,
    /// The command, such as `site list`.
    pub command: String,
    /// Whether the command did what was asked.
    pub ok: bool,
    /// The result; absent on error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<T>,
    /// The error; absent on success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<FaultView>,
    /// Remarks that do not change the result.
    pub warnings: Vec<String>,
    /// Commands that make sense now.
    pub next: Vec<String>,
}

/// A fault as data.
#[derive(Debug, Serialize)]
pub struct FaultView {
    /// The code.
    pub code: &'static str,
    /// What happened.
    pub what: String,
    /// Why.
    pub why: String,
    /// How to mend it.
    pub fix: String,
    /// The page about the code.
    pub docs: String,
}

impl From<&Fault> for FaultView {
    fn from(fault: &Fault) -> Self {
        let code = fault.code.as_str();
        Self {
            code,
            what: fault.what.clone(),
            why: fault.why.clone(),
            fix: fault.fix.clone(),
            docs: format!("docs/reference/errors/{code}.md"),
        }
    }
}

impl<T: Serialize> Envelope<T> {
    /// A success.
    pub fn success(command: &str, data: T, next: Vec<String>) -> Self {
        Self {
            schema: "fedval.cli/1",
            command: command.to_owned(),
            ok: true,
            data: Some(data),
            error: None,
            warnings: Vec::new(),
            next,
        }
    }
}

impl Envelope<()> {
    /// A failure.
    pub fn failure(command: &str, fault: &Fault) -> Self {
        Self {
            schema: "fedval.cli/1",
            command: command.to_owned(),
            ok: false,
            data: None,
            error: Some(FaultView::from(fault)),
            warnings: Vec::new(),
            next: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique() {
        let mut texts: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), Code::ALL.len());
    }

    #[test]
    fn four_parts_are_printed() {
        let fault = Fault::new(Code::OneClass, "a", "b", "c\nd");
        assert_eq!(
            fault.to_string(),
            "FV-DATA-014  a\n  why   b\n  fix   c\n        d"
        );
    }
}
