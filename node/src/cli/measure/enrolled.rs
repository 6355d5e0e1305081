//! What `measure` may do on a node that has joined: of a study that the node takes part in, nothing
//! leaves as a file that would not leave as an answer to a job.
//!
//! From: the configuration, the store.
//! To: `measure`.

use shared::disclosure::{Policy, ReceivedRelease};
use shared::fault::{Code, Fault};
use shared::study::StudySlug;

use super::Study;
use crate::approval::Ask;
use crate::config::NodeConfig;
use crate::daemon::StateLock;
use crate::measure;
use crate::person::Person;
use crate::store::Store;

/// The node of this machine, if the measurement is its site's.
pub(super) struct Enrolled {
    pub(super) config: NodeConfig,
    pub(super) store: Store,
    pub(super) _lock: StateLock,
}

impl Enrolled {
    /// A study that jobs of this node may be about: on the site's list, or asked for before.
    fn knows(&self, study: &StudySlug) -> Result<bool, Fault> {
        let asked = self.store.jobs()?.iter().any(|job| job.study == *study);
        Ok(asked || self.config.allows(study))
    }

    /// A file of a known study is a release like any other: of somebody who may decide, under the
    /// site's own policy, and not after the study was left.
    pub(super) fn may_measure(&self, study: &Study, policy: &Policy) -> Result<(), Fault> {
        let slug = &study.protocol.slug;
        if !self.knows(slug)? {
            return Ok(());
        }
        Person::myself().may_decide(&self.config.access)?;
        if self.store.left()?.contains_key(slug) {
            return Err(Fault::new(
                Code::NotReleased,
                format!("nothing of the study {slug} is measured"),
                "people of this site have left the study",
                "see when and why: fedval-node ledger list",
            ));
        }
        let own = measure::policy(self.config.disclosure.policy.as_deref())?;
        if own.stamp().digest != policy.stamp().digest {
            return Err(Fault::new(
                Code::NotReleased,
                format!("the study {slug} is measured under the site's own policy only"),
                "this node takes part in it, and --policy names another policy",
                "name the file of [disclosure] policy in node.toml with --policy",
            ));
        }
        Ok(())
    }

    /// What two people must approve, or somebody must sign, does not leave as a file.
    pub(super) fn may_write(&self, study: &Study, bytes: &[u8]) -> Result<(), Fault> {
        if !self.knows(&study.protocol.slug)? {
            return Ok(());
        }
        let release = ReceivedRelease::read(bytes)
            .map_err(|fault| Fault::internal(format!("a reviewed release: {fault}")))?;
        let entries = self.store.entries()?;
        let asked: (_, &[_]) = (&release, &[]);
        let ask = Ask::of(&self.config, &entries, &study.protocol, asked, true)?;
        let take_part = "take part in a round: fedval-node run, then job approve";
        if ask.people > 1 {
            return Err(Fault::new(
                Code::SecondApprover,
                "two people must approve this release",
                ask.words(study.protocol.slug.as_str(), &[]).join(" "),
                take_part,
            ));
        }
        if !self.config.access.keys.is_empty() {
            return Err(Fault::new(
                Code::ApprovalNotSigned,
                "this release needs its approver's signature",
                "this site lists keys of its approvers, and a file has no place for a signature",
                take_part,
            ));
        }
        Ok(())
    }
}
