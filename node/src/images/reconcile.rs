//! Whether table and files tell the same story: images of one patient under two patients of the
//! table, several series of a study, files beside the named ones that no row names. None of it
//! changes what is measured; all of it is for the people at the site, before they approve.
//!
//! From: `measured`.
//! To: findings.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use shared::study::{Field, StudyProtocol};

use super::answer::{Answer, Origin};
use super::measured::{Images, SHOWN};
use super::question::Files;
use crate::cohort::Finding;

/// Names that are looked at when files without a row are sought; more are a folder of another
/// kind.
const LOOKED_AT: usize = 200_000;

/// What images say of whose they are, against the table.
pub(super) fn origins(
    field: &Field,
    images: &Images<'_>,
    patient: &[u32],
    answers: &[Answer],
    findings: &mut Vec<Finding>,
) {
    let known: Vec<(usize, &Origin)> = answers
        .iter()
        .enumerate()
        .filter_map(|(row, answer)| Some((row, answer.origin.as_ref()?)))
        .collect();
    let mut say = |what: &str, rows: &BTreeSet<usize>, hint: &str| {
        if rows.is_empty() {
            return;
        }
        let places: Vec<String> = rows
            .iter()
            .take(SHOWN)
            .map(|row| (images.place)(*row))
            .collect();
        let more = if rows.len() > places.len() {
            ", ..."
        } else {
            ""
        };
        let hint = format!("{hint}; {}{more}", places.join(", "));
        findings.push(Finding::field(&field.name, what, rows.len() as u64, hint));
    };
    let of = |row: usize| patient.get(row).copied();
    say(
        "images of one patient stand under several patients of the table",
        &split(
            known
                .iter()
                .map(|(row, origin)| (*row, origin.patient, of(*row))),
        ),
        "they count as different patients, which makes intervals too narrow; mend the patient column",
    );
    say(
        "one patient of the table has images of several patients",
        &split(
            known
                .iter()
                .map(|(row, origin)| (*row, of(*row), origin.patient)),
        ),
        "right where an identifier changed; otherwise mend the patient column or the paths",
    );
    say(
        "several series of one study",
        &split(
            known
                .iter()
                .map(|(row, origin)| (*row, origin.study, origin.series)),
        ),
        "each counts as a case; look whether the protocol means one series of each study",
    );
    let many = known.iter().filter(|(_, origin)| origin.series_count > 1);
    say(
        "the folder holds several series",
        &many.map(|(row, _)| *row).collect(),
        "what images say is read from the first; name a folder with one series",
    );
    let mut seen = BTreeSet::new();
    let again = known
        .iter()
        .filter(|(_, origin)| origin.series.is_some_and(|series| !seen.insert(series)));
    say(
        "the same series as an earlier row's",
        &again.map(|(row, _)| *row).collect(),
        "they are counted; look whether a scan stands under two names",
    );
}

/// Rows of groups in which something that should be one is several.
fn split<K: Ord, V: Ord>(
    rows: impl Iterator<Item = (usize, Option<K>, Option<V>)>,
) -> BTreeSet<usize> {
    let mut groups: BTreeMap<K, (BTreeSet<V>, Vec<usize>)> = BTreeMap::new();
    for (row, group, value) in rows {
        if let (Some(group), Some(value)) = (group, value) {
            let (values, rows) = groups.entry(group).or_default();
            values.insert(value);
            rows.push(row);
        }
    }
    let several = groups.into_values().filter(|(values, _)| values.len() > 1);
    several.flat_map(|(_, rows)| rows).collect()
}

/// Files that lie beside those of a field, are named as they are, and stand in no row.
pub(super) fn strangers(study: &StudyProtocol, files: &[Files], findings: &mut Vec<Finding>) {
    let all: BTreeSet<&Path> = files
        .iter()
        .flatten()
        .flatten()
        .map(PathBuf::as_path)
        .collect();
    for (at, field) in study.field.iter().enumerate() {
        let named = files.iter().filter_map(|files| files.get(at)?.as_deref());
        let named: BTreeSet<&Path> = named.collect();
        let Some(shape) = Shape::of(&named) else {
            continue;
        };
        let found = shape.beside(&all);
        if found.is_empty() {
            continue;
        }
        let shown: Vec<String> = found
            .iter()
            .take(SHOWN)
            .map(|path| path.display().to_string())
            .collect();
        let more = if found.len() > shown.len() {
            ", ..."
        } else {
            ""
        };
        findings.push(Finding::field(
            &field.name,
            "files beside the named ones that no row names",
            found.len() as u64,
            format!(
                "not analysed; look whether cases are missing from the table: {}{more}",
                shown.join(", ")
            ),
        ));
    }
}

/// How the paths of a field are made: a folder, and the names below it, each with what they
/// share at their start and end.
struct Shape {
    root: PathBuf,
    levels: Vec<Ends>,
}

/// What the names of a level share.
struct Ends {
    start: Vec<u8>,
    end: Vec<u8>,
}

impl Ends {
    fn of(names: &BTreeSet<&OsStr>) -> Self {
        let names: Vec<&[u8]> = names.iter().map(|name| name.as_encoded_bytes()).collect();
        let first = names.first().copied().unwrap_or_default();
        let shared = |count: &dyn Fn(&[u8]) -> usize| names.iter().map(|name| count(name)).min();
        let start = shared(&|name| alike(first.iter(), name.iter())).unwrap_or(0);
        let end = shared(&|name| alike(first.iter().rev(), name.iter().rev())).unwrap_or(0);
        // Digits belong to what tells cases apart, even where all of them begin alike.
        let start = first[..start]
            .iter()
            .rposition(|byte| !byte.is_ascii_digit());
        let start = &first[..start.map_or(0, |at| at + 1)];
        let end = &first[first.len() - end..];
        let end = end
            .iter()
            .position(|byte| !byte.is_ascii_alphanumeric())
            .map_or(&[][..], |at| &end[at..]);
        Self {
            start: start.to_vec(),
            end: end.to_vec(),
        }
    }

    fn fits(&self, name: &OsStr) -> bool {
        let name = name.as_encoded_bytes();
        name.len() >= self.start.len() + self.end.len()
            && name.starts_with(&self.start)
            && name.ends_with(&self.end)
            && !name.starts_with(b".")
    }
}

fn alike<'a>(left: impl Iterator<Item = &'a u8>, right: impl Iterator<Item = &'a u8>) -> usize {
    left.zip(right)
        .take_while(|(left, right)| left == right)
        .count()
}

impl Shape {
    /// Of two paths or more that differ in names only, not in how deep they lie.
    fn of(paths: &BTreeSet<&Path>) -> Option<Self> {
        let parts: Vec<Vec<Component<'_>>> = paths
            .iter()
            .map(|path| path.components().collect())
            .collect();
        let (first, others) = parts.split_first()?;
        if others.is_empty() || others.iter().any(|one| one.len() != first.len()) {
            return None;
        }
        let differs = |at: usize| others.iter().any(|one| one[at] != first[at]);
        let root = (0..first.len()).find(|at| differs(*at))?;
        let levels = (root..first.len())
            .map(|at| Ends::of(&parts.iter().map(|one| one[at].as_os_str()).collect()));
        Some(Self {
            root: first[..root].iter().collect(),
            levels: levels.collect(),
        })
    }

    /// Entries of this shape that are not among `named`, in order.
    fn beside(&self, named: &BTreeSet<&Path>) -> Vec<PathBuf> {
        let mut folders = vec![self.root.clone()];
        let mut left = LOOKED_AT;
        for ends in &self.levels {
            let mut below = Vec::new();
            for folder in &folders {
                let Ok(entries) = std::fs::read_dir(folder) else {
                    continue;
                };
                for entry in entries.flatten().take(left) {
                    left -= 1;
                    if ends.fits(&entry.file_name()) {
                        below.push(entry.path());
                    }
                }
            }
            folders = below;
        }
        folders.retain(|path| !named.contains(path.as_path()));
        folders.sort();
        folders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beside(there: &[&str], named: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for path in there.iter().chain(named) {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let named: Vec<PathBuf> = named.iter().map(|path| folder.path().join(path)).collect();
        let named: BTreeSet<&Path> = named.iter().map(PathBuf::as_path).collect();
        let Some(shape) = Shape::of(&named) else {
            return Vec::new();
        };
        let found = shape.beside(&named).into_iter();
        let short = found.map(|path| {
            path.strip_prefix(folder.path())
                .unwrap()
                .display()
                .to_string()
        });
        short.collect()
    }

    #[test]
    fn files_of_the_same_shape_are_found_in_every_layout() {
        // nnU-Net: one folder, one name for each case.
        let found = beside(
            &[
                "labelsTs/la_007.nii.gz",
                "labelsTs/dataset.json",
                "labelsTs/.la_9.nii.gz",
            ],
            &["labelsTs/la_001.nii.gz", "labelsTs/la_003.nii.gz"],
        );
        assert_eq!(found, ["labelsTs/la_007.nii.gz"]);
        // BIDS: a folder for each subject, other images beside.
        let found = beside(
            &[
                "sub-03/anat/sub-03_lesion.nii.gz",
                "sub-03/anat/sub-03_T1w.nii.gz",
                "README",
            ],
            &[
                "sub-01/anat/sub-01_lesion.nii.gz",
                "sub-02/anat/sub-02_lesion.nii.gz",
            ],
        );
        assert_eq!(found, ["sub-03/anat/sub-03_lesion.nii.gz"]);
        // One folder, references and predictions.
        let found = beside(
            &["m/truth-2.nii", "m/prediction-0.nii"],
            &["m/truth-0.nii", "m/truth-1.nii"],
        );
        assert_eq!(found, ["m/truth-2.nii"]);
        // A series is a folder.
        let found = beside(&["c/series/1.dcm"], &["a/series", "b/series"]);
        assert_eq!(found, ["c/series"]);
    }

    #[test]
    fn paths_without_a_common_shape_say_nothing() {
        assert!(beside(&["b.nii"], &["a.nii"]).is_empty());
        assert!(beside(&["a/x.nii"], &["a/b/c.nii", "d.nii"]).is_empty());
    }

    #[test]
    fn groups_that_should_be_one_are_told_by_row() {
        let rows = [
            (0, Some(1), Some('a')),
            (1, Some(1), Some('b')),
            (2, Some(2), Some('a')),
            (3, None, Some('c')),
        ];
        assert_eq!(split(rows.into_iter()), BTreeSet::from([0, 1]));
    }
}
