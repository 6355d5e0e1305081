//! The repository's files, as text.

use std::path::{Path, PathBuf};

/// A text file of the repository.
pub(crate) struct Text {
    /// Path from the repository's root, with forward slashes.
    pub(crate) path: String,
    /// The whole text.
    pub(crate) text: String,
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests
        .parent()
        .expect("tests/ lies in the repository")
        .to_path_buf()
}

/// The text of the file at `path`, seen from the root.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every text file below `folder` whose name ends with one of `endings`, in path order.
pub(crate) fn texts(folder: &str, endings: &[&str]) -> Vec<Text> {
    paths(folder)
        .into_iter()
        .filter(|path| endings.iter().any(|ending| path.ends_with(ending)))
        .map(|path| Text {
            text: read(&path),
            path,
        })
        .collect()
}

/// Every Rust file of ours: the members, their tests, and the fuzz targets.
pub(crate) fn rust() -> Vec<Text> {
    ["shared", "node", "coordinator", "tests"]
        .iter()
        .flat_map(|folder| texts(folder, &[".rs"]))
        .collect()
}

/// Every file below `folder`, in path order, without what tools generate.
pub(crate) fn paths(folder: &str) -> Vec<String> {
    const GENERATED: [&str; 6] = [
        "target",
        "node_modules",
        ".git",
        "artifacts",
        "coverage",
        "corpus",
    ];
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(dir) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else {
            continue;
        };
        for entry in entries {
            let entry = entry.expect("a readable folder");
            let name = entry
                .file_name()
                .into_string()
                .expect("file names are UTF-8");
            if GENERATED.contains(&name.as_str()) {
                continue;
            }
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let below = path.strip_prefix(root()).expect("a path below the root");
                found.push(below.to_str().expect("paths are UTF-8").to_owned());
            }
        }
    }
    found.sort();
    found
}
