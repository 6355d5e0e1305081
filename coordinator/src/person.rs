//! Who runs this process, for the audit trail: the system's own words, never an argument or a
//! variable that a caller may set.
//!
//! From: the kernel, `/etc/passwd`.
//! To: `store::audit`.

/// `ada (uid 1000)`; after a change of user also who logged in: `root (uid 0), logged in as ada
/// (uid 1000)`.
pub(crate) fn this_user() -> String {
    let uid = rustix::process::getuid().as_raw();
    // The kernel sets it at login, and only a privileged process can change it afterwards.
    let login = std::fs::read_to_string("/proc/self/loginuid").ok();
    let login = login.and_then(|text| text.trim().parse().ok());
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    words(uid, login, &users)
}

/// What the kernel says where nobody logged in.
const NOBODY: u32 = u32::MAX;

fn words(uid: u32, login: Option<u32>, users: &str) -> String {
    let named = |uid: u32| {
        let found = users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)? == uid.to_string()).then_some(name)
        });
        found.map_or_else(
            || format!("uid {uid}"),
            |name| format!("{name} (uid {uid})"),
        )
    };
    match login.filter(|login| *login != NOBODY && *login != uid) {
        Some(login) => format!("{}, logged in as {}", named(uid), named(login)),
        None => named(uid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_user_hides_nobody() {
        let users = "root:x:0:0:root:/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\n";
        assert_eq!(words(1000, Some(1000), users), "ada (uid 1000)");
        assert_eq!(words(0, Some(NOBODY), users), "root (uid 0)");
        assert_eq!(
            words(0, Some(1000), users),
            "root (uid 0), logged in as ada (uid 1000)"
        );
        assert_eq!(words(7, None, users), "uid 7");
        assert!(this_user().contains(&rustix::process::getuid().as_raw().to_string()));
    }
}
