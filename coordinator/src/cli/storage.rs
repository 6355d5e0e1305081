//! `fedval storage`: the keys under which received results are stored.
//!
//! From: the coordinator's staff.
//! To: `store::rotate`.

use clap::{Args, Subcommand};
use serde_json::json;
use shared::fault::Fault;

use super::output::Answer;
use crate::config::Home;
use crate::link::system_now;

/// The keys under which received results are stored.
#[derive(Debug, Subcommand)]
pub(super) enum Storage {
    /// Make a new key and store everything under it; a running server follows.
    RotateKey(RotateKey),
}

/// Make a new key and store everything under it.
#[derive(Debug, Args)]
pub(super) struct RotateKey {
    /// Drop the old keys; backups of the database from before can no longer be read with this
    /// file.
    #[arg(long)]
    drop_old: bool,
}

impl Storage {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::RotateKey(_) => "storage rotate-key",
        }
    }

    pub(super) fn run(&self, home: &Home) -> Result<Answer, Fault> {
        match self {
            Self::RotateKey(rotate) => rotate.run(home),
        }
    }
}

impl RotateKey {
    fn run(&self, home: &Home) -> Result<Answer, Fault> {
        let done = home.store()?.rotate_key(self.drop_old, system_now())?;
        let file = home.storage_keys();
        let old = if self.drop_old {
            format!("old keys dropped: {}", done.dropped)
        } else {
            "the old keys stay in the file, for backups made before".to_owned()
        };
        let text = format!(
            "key in use      {}\nstored again    {} texts\nback up now     {}\n{old}",
            done.key,
            done.texts,
            file.display()
        );
        let data = json!({
            "key": done.key,
            "texts": done.texts,
            "dropped": done.dropped,
            "file": file,
            "wiped": done.wiped,
        });
        let mut answer = Answer::new(text, &data)?.next("fedval ledger verify");
        if !done.wiped {
            answer = answer.warn(
                "another process was reading: texts under the old key are still in fedval.db-wal until \
                 the server ends; stop it and give the command again where the old key is known",
            );
        }
        Ok(answer)
    }
}
