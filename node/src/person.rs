//! Users and groups of this machine: who a person is, and what the site's file lets them decide.
//!
//! From: the kernel's credentials, `/etc/passwd`, `/etc/group`, `config`.
//! To: `daemon::control`, `release`, the command line.

use std::collections::BTreeSet;

use shared::fault::{Code, Fault};

use crate::config::{AccessSection, Approver};

/// A user of this machine.
pub struct Person {
    uid: Option<u32>,
    gid: Option<u32>,
    /// Login name, or `uid N`.
    pub name: String,
}

impl Person {
    /// The user with these numbers.
    pub fn new(uid: u32, gid: u32) -> Self {
        let name = table("/etc/passwd")
            .into_iter()
            .find(|fields| fields.get(2).is_some_and(|field| *field == uid.to_string()))
            .and_then(|fields| fields.first().cloned())
            .unwrap_or_else(|| format!("uid {uid}"));
        Self {
            uid: Some(uid),
            gid: Some(gid),
            name,
        }
    }

    /// Whoever runs this process.
    pub fn myself() -> Self {
        Self::new(
            rustix::process::getuid().as_raw(),
            rustix::process::getgid().as_raw(),
        )
    }

    /// The user whom the ledger calls `name`.
    pub fn named(name: &str) -> Self {
        let fields = table("/etc/passwd")
            .into_iter()
            .find(|fields| fields.first().is_some_and(|first| first == name));
        let number = |at: usize| fields.as_ref()?.get(at)?.parse().ok();
        Self {
            uid: number(2),
            gid: number(3),
            name: name.to_owned(),
        }
    }

    /// Whether the site's configuration lets this person decide. Without a list only the user
    /// that runs the node may.
    ///
    /// # Errors
    /// `FV-POL-005` otherwise.
    pub fn may_decide(&self, access: &AccessSection) -> Result<(), Fault> {
        if self.is_first(access) || self.stands_in(&access.second_approvers) {
            return Ok(());
        }
        Err(Fault::new(
            Code::ConfirmationNeeded,
            format!("{} may not decide about releases", self.name),
            "[access] approvers of this node does not name this user or a group of theirs",
            "ask one of the named approvers",
        ))
    }

    fn is_first(&self, access: &AccessSection) -> bool {
        if access.approvers.is_empty() {
            return self.uid == Some(rustix::process::getuid().as_raw());
        }
        self.stands_in(&access.approvers)
    }

    fn stands_in(&self, list: &[Approver]) -> bool {
        list.iter().any(|approver| match approver {
            Approver::User(name) => *name == self.name,
            Approver::Group(group) => self.belongs_to(group),
        })
    }

    fn belongs_to(&self, group: &str) -> bool {
        let gid = self.gid.map(|gid| gid.to_string());
        table("/etc/group").iter().any(|fields| {
            let named = fields.first().is_some_and(|name| name == group);
            let own = gid.is_some() && fields.get(2) == gid.as_ref();
            let listed = fields
                .get(3)
                .is_some_and(|members| members.split(',').any(|member| member == self.name));
            named && (own || listed)
        })
    }
}

/// Whether there is one of each list among these people; without a second list any will do.
pub fn of_each_list(access: &AccessSection, names: &BTreeSet<&str>) -> bool {
    if access.second_approvers.is_empty() {
        return true;
    }
    let people: Vec<Person> = names.iter().map(|name| Person::named(name)).collect();
    let is_second = |other: &Person| other.stands_in(&access.second_approvers);
    people.iter().any(|one| {
        let mut others = people.iter().filter(|other| other.name != one.name);
        one.is_first(access) && others.any(is_second)
    })
}

/// A colon-separated table of the system.
fn table(path: &str) -> Vec<Vec<String>> {
    std::fs::read_to_string(path)
        .unwrap_or_default()
        .lines()
        .map(|line| line.split(':').map(str::to_owned).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lists_ask_for_one_of_each() {
        let user = |name: &str| Approver::User(name.to_owned());
        let mut access = AccessSection {
            approvers: vec![user("anna"), user("ben")],
            ..AccessSection::default()
        };
        let enough = |access: &AccessSection, names: &[&str]| {
            of_each_list(access, &names.iter().copied().collect())
        };
        assert!(enough(&access, &["anna", "ben"]));
        access.second_approvers = vec![user("dora")];
        assert!(!enough(&access, &["anna", "ben"]));
        assert!(enough(&access, &["anna", "dora"]));
        assert!(enough(&access, &["dora", "ben"]));
        assert!(!enough(&access, &["dora"]));
        assert!(Person::named("dora").may_decide(&access).is_ok());
        assert!(Person::named("emil").may_decide(&access).is_err());
        // Who stands in both lists is still one person.
        access.second_approvers = vec![user("anna")];
        assert!(!enough(&access, &["anna"]) && enough(&access, &["anna", "ben"]));
    }
}
