//! `fedval init`: a consortium in a new state directory.
//!
//! From: a name and an address.
//! To: `desk::initialise`.

use std::net::SocketAddr;
use std::path::Path;

use clap::Args;
use serde_json::json;
use shared::fault::Fault;

use super::output::Answer;
use crate::desk;
use crate::link::system_now;

/// Make a consortium: its CA, its study-signing key, its database.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// Name of the consortium, shown in its certificates.
    #[arg(long)]
    name: String,
    /// What nodes dial, such as coord.example.org:443.
    #[arg(long, value_name = "HOST:PORT")]
    address: String,
    /// Where QUIC listens; default: every address, the port of --address.
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,
}

impl Init {
    pub(super) fn run(&self, dir: &Path) -> Result<Answer, Fault> {
        let (home, consortium) =
            desk::initialise(dir, &self.name, &self.address, self.listen, system_now())?;
        let fingerprint = consortium.ca.fingerprint();
        let signing = consortium.signing.key.public().fingerprint();
        let text = format!(
            "made the consortium \"{}\" in {}\n\
             CA fingerprint     {fingerprint}\n\
             study-signing key  {signing}\n\
             keys (back them up, keep them private)  {}\n\
             key of stored results (back it up apart from the database)  {}",
            self.name,
            dir.display(),
            home.ca_dir().display(),
            home.storage_keys().display()
        );
        let data = json!({
            "name": self.name,
            "dir": dir,
            "address": self.address,
            "ca": fingerprint,
            "study_signing_key": signing,
            "storage_keys": home.storage_keys(),
        });
        Ok(Answer::new(text, &data)?
            .next("fedval serve")
            .next("fedval site invite SITE"))
    }
}
