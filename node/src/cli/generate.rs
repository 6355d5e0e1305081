//! Shell completions and manual pages, generated from the command's own definition.
//!
//! From: clap.
//! To: standard output, a folder.

use std::path::Path;

use clap::Command;
use clap_complete::Shell;
use shared::fault::{Code, Exit, Fault};

use super::{Outcome, one};

pub(super) fn completion(shell: Shell, command: &mut Command) -> Outcome {
    clap_complete::generate(shell, command, "fedval-node", &mut std::io::stdout());
    Ok(Exit::Done)
}

pub(super) fn man(out: &Path, command: Command) -> Outcome {
    let write = || {
        std::fs::create_dir_all(out)?;
        clap_mangen::generate_to(command, out)
    };
    write().map_err(|fault: std::io::Error| {
        one(Fault::new(
            Code::OutputUnwritable,
            format!("the manual pages cannot be written to {}", out.display()),
            fault.to_string(),
            "name a folder you may write",
        ))
    })?;
    Ok(Exit::Done)
}
