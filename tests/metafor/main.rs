//! `check.R`, the comparison of a bundle with R's metafor, accepts a bundle that agrees and
//! refuses one that does not. `.ci/run metafor` applies it to the bundle of a whole round; set
//! `FEDVAL_BUNDLE` to apply it here to a bundle of your own.
//!
//! Without R or metafor these tests skip, saying so; with `CI=true` they fail instead.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Three sites and what metafor 3.8-1 makes of them:
/// `rma(yi, vi, method = "REML", test = "adhoc", control = list(threshold = 1e-14))`.
const INPUTS: &str = "\
slab,yi,vi,metric,scale,model,endpoint,analysis,axis,level,threshold,role
budapest,1.9721,0.041,auc,logit,m,e,primary,overall,overall,,external
basel,0.9983,0.2205,auc,logit,m,e,primary,overall,overall,,external
longbeach,1.0734,0.0561,auc,logit,m,e,primary,overall,overall,,external
cleveland,2.5,0.03,auc,logit,m,e,primary,overall,overall,,development
";
const HEADER: &str = "scope,model,endpoint,analysis,axis,level,threshold,metric,scale,k_sites,estimate,ci_low,ci_high,tau2,i2,q";
const AGREES: &str = "pooled,m,e,primary,overall,overall,,auc,logit,3,0.80305859900764387,\
    0.49083468639105299,0.94520009984842246,0.24735256232856814,76.815595138405868,9.7643680092700986";

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("metafor/check.R")
}

/// Whether R and metafor are here. Written past the test runner's capture, so that a skip shows.
fn metafor_is_here(test: &str) -> bool {
    let found = Command::new("Rscript")
        .args(["-e", "library(metafor)"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !found {
        let note = "R with metafor is not installed (Debian: r-base-core r-cran-metafor)";
        assert!(std::env::var_os("CI").is_none(), "{test}: {note}");
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {note}");
    }
    found
}

fn check(bundle: &Path, flags: &[&str]) -> Output {
    Command::new("Rscript")
        .arg(script())
        .arg(bundle)
        .args(flags)
        .output()
        .expect("Rscript runs")
}

fn bundle_with(estimate_rows: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let estimates = format!("{HEADER}\n{}\n", estimate_rows.join("\n"));
    std::fs::write(folder.path().join("estimates.csv"), estimates).expect("writable");
    std::fs::write(folder.path().join("meta_input.csv"), INPUTS).expect("writable");
    folder
}

fn said(output: &Output) -> String {
    let parts = [&output.stdout, &output.stderr].map(|part| String::from_utf8_lossy(part));
    parts.concat()
}

#[test]
fn a_bundle_that_agrees_is_accepted() {
    if metafor_is_here("a_bundle_that_agrees_is_accepted") {
        let output = check(bundle_with(&[AGREES]).path(), &[]);
        assert!(output.status.success(), "{}", said(&output));
        assert!(
            said(&output).contains("1 passed, 0 failed"),
            "{}",
            said(&output)
        );
    }
}

#[test]
fn a_difference_of_two_in_ten_to_the_eighth_is_refused() {
    if metafor_is_here("a_difference_of_two_in_ten_to_the_eighth_is_refused") {
        for (column, value, other) in [
            ("estimate", "0.80305859900764387", "0.80305861900764387"),
            ("ci_low", "0.49083468639105299", "0.49083466639105299"),
            ("tau2", "0.24735256232856814", "0.24735258232856814"),
            ("k_sites", "logit,3,", "logit,4,"),
        ] {
            let output = check(bundle_with(&[&AGREES.replace(value, other)]).path(), &[]);
            assert!(!output.status.success(), "{column}: {}", said(&output));
            assert!(
                said(&output).contains(column),
                "{column}: {}",
                said(&output)
            );
        }
    }
}

#[test]
fn a_bundle_without_a_pool_is_refused_unless_expected() {
    if metafor_is_here("a_bundle_without_a_pool_is_refused_unless_expected") {
        let bundle = bundle_with(&[]);
        assert!(!check(bundle.path(), &[]).status.success());
        assert!(check(bundle.path(), &["--allow-none"]).status.success());
    }
}

#[test]
fn the_bundle_named_by_the_caller_agrees() {
    let Some(bundle) = std::env::var_os("FEDVAL_BUNDLE") else {
        return;
    };
    if metafor_is_here("the_bundle_named_by_the_caller_agrees") {
        let output = check(Path::new(&bundle), &[]);
        assert!(output.status.success(), "{}", said(&output));
    }
}
