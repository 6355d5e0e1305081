//! A small study of masks at one site, made from the shipped template.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::Answer;
use serde_json::Value;
use toml::Table;

const TEMPLATE: &str = include_str!("../../shared/src/study/template/segmentation.toml");

const DETECTION: &str = include_str!("../../shared/src/study/template/detection.toml");

/// A study, and the folder of one of its sites.
pub(crate) struct Study {
    folder: tempfile::TempDir,
    protocol: Table,
}

/// The folder with sample images and reference values.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/imaging")
}

fn parsed(text: &str) -> Table {
    text.parse().unwrap()
}

impl Study {
    /// One endpoint for each set of labels, under the conventions of `segmentation`, a TOML table.
    pub(crate) fn new(structures: &[Vec<u16>], segmentation: &str) -> Self {
        let mut protocol = parsed(TEMPLATE);
        let endpoint = |labels: &Vec<u16>| {
            let name = name(labels);
            let text = format!(
                "id = \"{name}\"\nlabel = \"{name}\"\nfield = \"truth\"\nevent = \"it\"\n\
                 [structure]\nlabels = {labels:?}\n[reference_standard]\ndefinition = \"outline\"\n\
                 rationale = \"sample\"\nreaders = 1\nreader_rule = \"single\"\n\
                 blinded_to_model = true\n"
            );
            toml::Value::Table(parsed(&text))
        };
        let endpoints = structures.iter().map(endpoint).collect();
        protocol.insert("endpoint".to_owned(), toml::Value::Array(endpoints));
        protocol.insert("segmentation".to_owned(), parsed(segmentation).into());
        // What masks need, and what images say; no demographics.
        let keep = |list: &mut toml::Value, key: &str, names: &[&str]| {
            let list = list.as_array_mut().unwrap();
            list.retain(|one| !names.contains(&one[key].as_str().unwrap()));
        };
        keep(&mut protocol["subgroup"], "id", &["age", "sex"]);
        keep(&mut protocol["field"], "name", &["age", "sex"]);
        let primary = protocol["analysis"]["primary"].as_table_mut().unwrap();
        primary.insert("endpoint".to_owned(), name(&structures[0]).into());
        Self {
            folder: tempfile::tempdir().unwrap(),
            protocol,
        }
    }

    /// Candidates against the lesions of one endpoint, `lesion`, under the conventions of
    /// `candidates`, a TOML table.
    pub(crate) fn of_detection(candidates: &str) -> Self {
        let mut protocol = parsed(DETECTION);
        let keep = |list: &mut toml::Value, key: &str, names: &[&str]| {
            let list = list.as_array_mut().unwrap();
            list.retain(|one| !names.contains(&one[key].as_str().unwrap()));
        };
        let dropped = ["age", "sex", "manufacturer", "slice-thickness"];
        keep(&mut protocol["subgroup"], "id", &dropped);
        keep(
            &mut protocol["field"],
            "name",
            &["age", "sex", "manufacturer", "slice_thickness", "image"],
        );
        let structure = protocol["endpoint"][0]["structure"].as_table_mut().unwrap();
        structure.insert("candidates".to_owned(), parsed(candidates).into());
        Self {
            folder: tempfile::tempdir().unwrap(),
            protocol,
        }
    }

    /// Changes the protocol.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Table)) -> Self {
        change(&mut self.protocol);
        self
    }

    /// Where the site's table lies; paths in it start here.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes the table: patient, truth, prediction.
    pub(crate) fn table(&self, rows: &[[String; 3]]) {
        let mut text = "patient,truth,prediction\n".to_owned();
        for row in rows {
            text.push_str(&row.join(","));
            text.push('\n');
        }
        fs::write(self.folder().join("manifest.csv"), text).unwrap();
    }

    /// Runs `fedval-node measure` under a shipped policy.
    pub(crate) fn measure(&self, policy: &str, extra: &[&str]) -> Answer {
        Answer::of(&mut self.measuring(policy, "none.toml", extra))
    }

    /// The same as a command, on the node that `config` describes.
    pub(crate) fn measuring(&self, policy: &str, config: &str, extra: &[&str]) -> Command {
        let text = toml::to_string(&self.protocol).unwrap();
        fs::write(self.folder().join("study.toml"), text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_fedval-node-under-test"));
        command.current_dir(self.folder());
        command.args(["measure", "--study", "study.toml", "--data", "manifest.csv"]);
        command.args(["--site", "site-a", "--policy", policy, "--format", "json"]);
        command.args(["--out", "release.json", "--config", config]);
        let fields = self.protocol["field"].as_array().unwrap();
        let images = fields
            .iter()
            .any(|one| one["name"].as_str() == Some("image"));
        if images && !extra.iter().any(|word| word.starts_with("image=")) {
            command.args(["--map", "image="]);
        }
        command.args(extra);
        command
    }

    /// The release of published data: the first run says the digest that the protocol must list.
    pub(crate) fn published(self, extra: &[&str]) -> (Self, Release) {
        let public = self.with(|protocol| {
            protocol.insert("visibility".to_owned(), "public".into());
            list(protocol, &"0".repeat(64));
        });
        let refused = public.measure("open-data", extra);
        let said = refused.out + &refused.err;
        let (_, after) = said
            .split_once("its digest is ")
            .unwrap_or_else(|| panic!("{said}"));
        let digest = after[..64].to_owned();
        let listed = public.with(|protocol| list(protocol, &digest));
        listed.measure("open-data", extra).expect(0);
        let bytes = fs::read(listed.folder().join("release.json")).unwrap();
        let release = Release(serde_json::from_slice(&bytes).unwrap());
        (listed, release)
    }
}

fn list(protocol: &mut Table, digest: &str) {
    let entry = format!("site = \"site-a\"\nlicence = \"CC0-1.0\"\nsha256 = \"{digest}\"\n");
    let list = vec![toml::Value::Table(parsed(&entry))];
    protocol.insert("public_dataset".to_owned(), toml::Value::Array(list));
}

/// The endpoint of a set of labels.
pub(crate) fn name(labels: &[u16]) -> String {
    let texts: Vec<String> = labels.iter().map(u16::to_string).collect();
    format!("label-{}", texts.join("-"))
}

/// A release as it was written.
pub(crate) struct Release(Value);

impl Release {
    pub(crate) fn read(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap())
    }

    /// Estimates over all cases of an endpoint, by metric.
    pub(crate) fn estimates(&self, endpoint: &str) -> BTreeMap<String, f64> {
        let all = self.0["statistics"].as_array().unwrap();
        let mut found = BTreeMap::new();
        for one in all {
            let key = &one["key"];
            let value = match one["value"]["state"].as_str() {
                Some("zero") => Some(0.0),
                Some(_) | None => one["value"]["value"].as_f64(),
            };
            if key["endpoint"] == endpoint && key["axis"].is_null() {
                let metric = key["metric"].as_str().unwrap().to_owned();
                found.extend(value.map(|value| (metric, value)));
            }
        }
        found
    }

    /// The sensitivities of an endpoint by false positives per scan, rising.
    pub(crate) fn sensitivities(&self, endpoint: &str) -> Vec<f64> {
        let all = self.0["statistics"].as_array().unwrap().iter();
        let found = all.filter(|one| {
            one["key"]["metric"] == "froc-sensitivity" && one["key"]["endpoint"] == endpoint
        });
        found
            .map(|one| one["value"]["value"].as_f64().unwrap())
            .collect()
    }

    /// Cases of a level in the table of characteristics; at most what is told.
    pub(crate) fn level(&self, axis: &str, level: &str) -> Option<u64> {
        let all = self.0["statistics"].as_array().unwrap().iter();
        let mut axes = all.filter_map(|one| one["axes"].as_array()).flatten();
        let found = axes.find(|one| one["axis"] == axis)?;
        let mut levels = found["levels"].as_array()?.iter();
        levels.find(|one| one["level"] == level)?["n"]["value"].as_u64()
    }

    /// A statistic of an endpoint that has the member `with`.
    pub(crate) fn statistic(&self, endpoint: &str, with: &str) -> &Value {
        let mut all = self.0["statistics"].as_array().unwrap().iter();
        all.find(|one| one["endpoint"] == endpoint && !one[with].is_null())
            .unwrap()
    }
}
