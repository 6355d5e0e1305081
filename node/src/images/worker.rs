//! The reader process: it takes files in and gives numbers out, line by line. Before it opens
//! anything it gives up what a reader does not need: memory beyond a limit, writing files, the
//! network, other programs. What a hostile file can then reach is its own answer.
//!
//! From: `pool`, through a pipe.
//! To: `pool`, through another.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, setrlimit};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use super::allowance::Allowance;
use super::answer::Answer;
use super::candidates::Lists;
use super::question::{Files, Task};
use super::score;

/// Files open at once.
const OPEN_FILES: u64 = 64;

/// Answers until its input ends.
pub(crate) fn serve() -> ExitCode {
    let mut lines = std::io::stdin().lock().lines();
    let Some(task) = lines.next().and_then(|line| read::<Task>(line.ok()?)) else {
        return ExitCode::FAILURE;
    };
    if confine(&task.allowance).is_none() {
        return ExitCode::FAILURE;
    }
    // A panic is one case's failure, and its message could hold what a file holds.
    std::panic::set_hook(Box::new(|_| {}));
    let limits = task.allowance.limits();
    let mut lists = Lists::default();
    let mut out = std::io::stdout().lock();
    for line in lines {
        let Some(files) = line.ok().and_then(read::<Files>) else {
            return ExitCode::FAILURE;
        };
        let scored = catch_unwind(AssertUnwindSafe(|| {
            score::case(&task.plan, &files, &mut lists, &limits)
        }));
        let Ok(answer) = scored else {
            return ExitCode::FAILURE;
        };
        if write(&mut out, &answer).is_none() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn read<T: serde::de::DeserializeOwned>(line: String) -> Option<T> {
    serde_json::from_str(&line).ok()
}

fn write(out: &mut impl Write, answer: &Answer) -> Option<()> {
    let text = serde_json::to_string(answer).ok()?;
    writeln!(out, "{text}").ok()?;
    out.flush().ok()
}

/// Gives up everything that is not needed; `None` where the machine does not let it.
fn confine(allowance: &Allowance) -> Option<()> {
    let at_most = |resource: Resource, most: u64| {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit).ok()
    };
    at_most(Resource::As, allowance.memory_bytes)?;
    at_most(Resource::Nofile, OPEN_FILES)?;
    at_most(Resource::Fsize, 0)?;
    at_most(Resource::Core, 0)?;
    let rules: BTreeMap<i64, Vec<_>> = DENIED
        .iter()
        .chain(DENIED_BY_OLD_NAMES)
        .map(|call| (*call, Vec::new()))
        .collect();
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM.unsigned_abs()),
        std::env::consts::ARCH.try_into().ok()?,
    );
    let program: BpfProgram = filter.ok()?.try_into().ok()?;
    seccompiler::apply_filter(&program).ok()
}

/// What a reader of images has no need of: network, other processes, and changing what files there
/// are.
const DENIED: &[i64] = &[
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_io_uring_setup,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_fchmodat,
    libc::SYS_fchownat,
    libc::SYS_truncate,
    libc::SYS_mount,
    libc::SYS_bpf,
];

/// The same by the names that older machines have beside them.
#[cfg(target_arch = "x86_64")]
const DENIED_BY_OLD_NAMES: &[i64] = &[
    libc::SYS_unlink,
    libc::SYS_rmdir,
    libc::SYS_rename,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_mkdir,
    libc::SYS_mknod,
    libc::SYS_creat,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
];
#[cfg(not(target_arch = "x86_64"))]
const DENIED_BY_OLD_NAMES: &[i64] = &[];

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::path::Path;
    use std::process::Command;

    use super::*;

    const WHERE: &str = "FEDVAL_TEST_CONFINED";

    /// Limits hold for a whole process, so the test runs itself again as the reader.
    #[test]
    fn a_confined_reader_reaches_no_network_starts_nothing_and_writes_nothing() {
        if let Ok(place) = std::env::var(WHERE) {
            let (address, file) = place.split_once(' ').unwrap();
            TcpStream::connect(address).unwrap();
            confine(&Allowance::default()).unwrap();
            let denied = TcpStream::connect(address).unwrap_err();
            assert_eq!(denied.raw_os_error(), Some(libc::EPERM));
            let denied = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap_err();
            assert_eq!(denied.raw_os_error(), Some(libc::EPERM));
            Command::new("true").spawn().unwrap_err();
            let table = Path::new(file).with_file_name("table");
            let elsewhere = table.with_file_name("elsewhere");
            for denied in [
                std::fs::remove_file(&table),
                std::fs::rename(&table, &elsewhere),
                std::fs::hard_link(&table, &elsewhere),
                std::os::unix::fs::symlink(&table, &elsewhere),
                std::fs::create_dir(&elsewhere),
            ] {
                assert_eq!(denied.unwrap_err().raw_os_error(), Some(libc::EPERM));
            }
            // The last word: who tries to write ends here, or is told that it may not.
            let written = std::fs::write(file, "a row of a table");
            println!("confined {}", written.is_err());
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("told");
        std::fs::write(file.with_file_name("table"), "rows").unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let name = "a_confined_reader_reaches_no_network_starts_nothing_and_writes_nothing";
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args([
            &format!("images::worker::tests::{name}"),
            "--exact",
            "--nocapture",
        ]);
        again.env(WHERE, format!("{address} {}", file.display()));
        let answer = again.output().unwrap();
        let said = String::from_utf8_lossy(&answer.stdout);
        let ended = answer.status.code().is_none();
        let told = String::from_utf8_lossy(&answer.stderr);
        assert!(ended || said.contains("confined true"), "{said} {told}");
        assert_eq!(std::fs::metadata(&file).map_or(0, |file| file.len()), 0);
    }
}
