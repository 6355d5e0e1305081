//! The bundled study: the protocol of `configs/examples/heart`, and its four hospitals.
//!
//! From: `configs/examples/heart`.
//! To: tests that compare with reference values.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use node::cohort::{Caps, MISSING, Origin, TableSource};
use shared::disclosure::{Policy, ReceivedRelease};
use shared::statistic::Cases;
use shared::study::{ModelRole, SiteRole, StudyProtocol, source, validate};

use crate::path;

pub const SITES: [&str; 4] = ["cleveland", "hungarian", "switzerland", "va"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/examples/heart")
}

/// The protocol as it is written.
pub fn written() -> StudyProtocol {
    let text = std::fs::read_to_string(folder().join("study.toml")).unwrap();
    source::parse(&text).unwrap()
}

/// The protocol as it is locked.
pub fn protocol() -> StudyProtocol {
    validate::expand(&written())
}

/// The same with every site external and `index` as the model under validation: a fixture for
/// reference values over four sites, never a result (decision C9).
pub fn four_external(index: &str) -> StudyProtocol {
    let mut protocol = protocol();
    for site in &mut protocol.site {
        site.role = SiteRole::External;
    }
    for model in &mut protocol.model {
        model.role = if model.id.as_str() == index {
            ModelRole::Index
        } else {
            ModelRole::Comparator
        };
    }
    protocol.analysis.primary.model = index.parse().unwrap();
    protocol
}

/// The eligible cases of one site, read as a node reads them.
pub fn cases(protocol: &StudyProtocol, site: &str) -> Cases {
    read(protocol, &folder().join("data").join(format!("{site}.csv")))
}

/// The eligible cases of a file whose columns are named as the protocol's fields.
pub fn read(protocol: &StudyProtocol, file: &Path) -> Cases {
    let table = TableSource {
        path: file.to_owned(),
        key: None,
        cluster: None,
        map: BTreeMap::new(),
        absent: BTreeSet::new(),
        codes: BTreeMap::new(),
        transform: BTreeMap::new(),
        missing: MISSING.iter().map(|text| (*text).to_owned()).collect(),
        sha256: None,
        caps: Caps::default(),
        origin: Origin::Arguments,
    };
    let loaded = crate::load(protocol, &table);
    loaded
        .unwrap_or_else(|faults| panic!("{}: {faults:?}", file.display()))
        .cases
}

/// The four releases, in the protocol's order; a site whose review withholds is left out.
pub fn releases(protocol: &StudyProtocol, policy: &Policy) -> Vec<ReceivedRelease> {
    let one = |site: &&str| path::release(protocol, &cases(protocol, site), policy, site);
    SITES.iter().filter_map(one).collect()
}
