//! `fedval-node report`: a hospital's own copy of the pooled report, with its results beside the
//! others'. Nothing is sent.
//!
//! From: a bundle that the coordinator published, this site's name and its ledger.
//! To: one HTML file.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use shared::fault::{Code, Exit, Fault};
use shared::identity::Digest;
use shared::report::{self, Report};

use super::output::Output;
use super::{Cli, Outcome, one};
use crate::config::NodeConfig;
use crate::ledger::Event;
use crate::private::write_new;
use crate::store::Store;

/// A hospital's own copy of the pooled report.
#[derive(Debug, Args)]
pub(super) struct SiteReport {
    /// The bundle: the folder, or its `report.json`.
    bundle: PathBuf,
    /// The file; it must not exist yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl SiteReport {
    pub(super) fn run(&self, cli: &Cli, output: &Output) -> Outcome {
        let config = cli.config()?;
        let report = read(&self.bundle).map_err(one)?;
        let slug = &config.site.slug;
        let page = report::site_page(&report, slug)
            .map_err(|error| one(Fault::internal(error.to_string())))?;
        let Some(page) = page else {
            return Err(one(Fault::new(
                Code::BundleInvalid,
                format!("{slug} is not in the report {}", self.bundle.display()),
                "its protocol invites other hospitals",
                "name the bundle of a study that this hospital was invited to",
            )));
        };
        let counted = report.study.sites.iter().find(|site| site.site == *slug);
        let counted = counted.and_then(|site| site.bytes);
        let known = known(&config, counted).map_err(one)?;
        write_new(&self.out, &page).map_err(one)?;
        let text = format!("{}\n{}\n", self.out.display(), known.words(counted));
        let data = json!({
            "file": self.out,
            "release": counted,
            "is_ours": matches!(known, Known::Ours),
        });
        output.result("report", Exit::Done, data, &text, &[])
    }
}

/// Whether what the report counts of this hospital is what left it.
enum Known {
    /// The ledger has a release of these bytes.
    Ours,
    /// It has none.
    Strange,
    /// The report has nothing of this hospital, or this node keeps no ledger.
    Unknown,
}

impl Known {
    fn words(&self, counted: Option<Digest>) -> String {
        match (self, counted) {
            (Self::Ours, Some(digest)) => {
                format!("the report counts what this node's ledger says was released: {digest}")
            }
            (Self::Strange, Some(digest)) => format!(
                "CAUTION: the report counts {digest} as this hospital's, and this node's ledger \
                 has no such release; ask the coordinator"
            ),
            (Self::Unknown, Some(digest)) => {
                format!("the report counts {digest}; this node keeps no ledger to compare with")
            }
            (_, None) => "the report counts nothing of this hospital".to_owned(),
        }
    }
}

fn known(config: &NodeConfig, counted: Option<Digest>) -> Result<Known, Fault> {
    let Some(counted) = counted else {
        return Ok(Known::Unknown);
    };
    let Ok(store) = Store::open_read_only(&config.storage.dir) else {
        return Ok(Known::Unknown);
    };
    let ours = store
        .entries()?
        .into_iter()
        .any(|entry| matches!(&entry.event, Event::Approved { digest, .. } if *digest == counted));
    Ok(if ours { Known::Ours } else { Known::Strange })
}

fn read(bundle: &Path) -> Result<Report, Fault> {
    let folder = bundle.is_dir();
    let path = if folder {
        bundle.join("report.json")
    } else {
        bundle.to_owned()
    };
    let invalid = |why: String| {
        Fault::new(
            Code::BundleInvalid,
            format!("{} is not a report", path.display()),
            why,
            "name the folder of a bundle, as the coordinator published it",
        )
    };
    let bytes = std::fs::read(&path).map_err(|error| invalid(error.to_string()))?;
    // A report without a manifest can say nothing about it.
    let manifest = std::fs::read(bundle.join("manifest.json")).ok();
    let manifest = manifest.as_deref().filter(|_| folder);
    Report::read(&bytes, manifest).map_err(invalid)
}
