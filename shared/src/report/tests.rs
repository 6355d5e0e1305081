//! Properties of whole bundles over three studies: as pooled, under disclosure control, and
//! with too few sites.

use super::*;
use crate::pool::result::{About, Answer, Flag, PoolOutcome, SiteOutcome, Withheld};
use crate::statistic::{Cell, Statistic};

const HOSTILE: &str = "<script>alert('x')</script> \"q\" & =cmd()";

pub(super) use super::testdata::heart;

/// The same under `standard`: small counts hidden, others rounded to 5, and one hospital that
/// does not release, so that two external hospitals remain and there is no pool.
pub(super) fn guarded() -> PooledStudy {
    let mut study = heart();
    study.profiles = vec!["standard".to_owned()];
    for site in &mut study.sites {
        site.profile = Some("standard".to_owned());
    }
    let mut value = serde_json::to_value(&study).unwrap();
    guard(&mut value);
    let mut study: PooledStudy = serde_json::from_value(value).unwrap();
    for analysis in &mut study.analyses {
        analysis
            .sites
            .retain(|site| site.site.as_str() != "switzerland");
        for site in &mut analysis.sites {
            site.weight = None;
        }
        if !matches!(
            analysis.pool,
            PoolOutcome::NotPooled | PoolOutcome::ConfoundedWithSite
        ) {
            analysis.pool = PoolOutcome::TooFewSites {
                sites: 2,
                minimum: 3,
            };
        }
    }
    for table in &mut study.tables {
        table
            .sites
            .retain(|site| site.site.as_str() != "switzerland");
    }
    study.calibration.clear();
    study.merged.retain(|curve| {
        curve
            .site
            .as_ref()
            .is_none_or(|site| site.as_str() != "switzerland")
    });
    let silent = study
        .sites
        .iter_mut()
        .find(|site| site.site.as_str() == "switzerland")
        .unwrap();
    (silent.outcome, silent.statistics) = (SiteOutcome::NotReleased, Vec::new());
    (silent.profile, silent.release, silent.bytes) = (None, None, None);
    study.verdict.answer = Answer::NotAnswered;
    (study.verdict.sites, study.verdict.interval) = (2, None);
    study.withheld = vec![
        Withheld {
            site: "switzerland".parse().unwrap(),
            item: None,
            about: None,
            rules: String::new(),
            known: "nothing".to_owned(),
            effect: "two external hospitals remain; no pool".to_owned(),
        },
        Withheld {
            site: "va".parse().unwrap(),
            item: Some("subgroup sex, level female".to_owned()),
            about: Some(About {
                statistic: "subgroup".to_owned(),
                axis: Some("sex".parse().unwrap()),
                level: Some("female".to_owned()),
                ..About::default()
            }),
            rules: "D2 D4".to_owned(),
            known: "between 0 and 9 patients".to_owned(),
            effect: "no gap for sex at this hospital".to_owned(),
        },
    ];
    study
}

/// Hides integers below 10 and rounds the others to 5, wherever a cell stands.
fn guard(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Array(items) => items.iter_mut().for_each(guard),
        serde_json::Value::Object(fields) => {
            let number = fields.get("value").and_then(serde_json::Value::as_u64);
            let is_cell = fields.get("state").is_some_and(|state| state == "value");
            if let (true, Some(number)) = (is_cell, number) {
                let cell = if number < 10 {
                    serde_json::json!({"state": "suppressed", "lo": 0, "hi": 9})
                } else {
                    let rounded = (number + 2) / 5 * 5;
                    serde_json::json!({"state": "rounded", "value": rounded, "lo": rounded - 2, "hi": rounded + 2})
                };
                *value = cell;
            } else {
                fields.values_mut().for_each(guard);
            }
        }
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}

fn provenance() -> Provenance {
    Provenance {
        software: "fedval 0.1.0".to_owned(),
        facts: BTreeMap::from([("Transport".to_owned(), "QUIC".to_owned())]),
    }
}

fn text(bundle: &Bundle, name: &str) -> String {
    String::from_utf8(bundle.files[name].clone()).unwrap()
}

/// Also writes the bundles below the folder named by FEDVAL_REPORT_DIR, for a person to look at.
#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "pages are looked at in a browser"
)]
fn every_file_is_there_and_the_manifest_holds_its_digest() {
    for (name, study) in [
        ("heart", heart()),
        ("guarded", guarded()),
        ("many", many(30)),
    ] {
        let out = bundle(&study, &provenance()).unwrap();
        let manifest: serde_json::Value =
            serde_json::from_slice(&out.files["manifest.json"]).unwrap();
        assert_eq!(out.files.len(), 25);
        for (path, bytes) in out
            .files
            .iter()
            .filter(|(path, _)| *path != "manifest.json")
        {
            assert_eq!(
                manifest["files"][path]["sha256"],
                Digest::of(bytes).hex(),
                "{path}"
            );
        }
        let Ok(folder) = std::env::var("FEDVAL_REPORT_DIR") else {
            continue;
        };
        for (path, bytes) in &out.files {
            let path = std::path::Path::new(&folder).join(name).join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }
}

/// `count` external hospitals, each a copy of one of the three.
fn many(count: usize) -> PooledStudy {
    let mut study = heart();
    let copy =
        |index: usize| -> crate::study::SiteSlug { format!("site-{index:02}").parse().unwrap() };
    let sites: Vec<_> = study
        .sites
        .iter()
        .filter(|site| site.site.as_str() != "cleveland")
        .cloned()
        .collect();
    for index in 0..count - 3 {
        let mut site = sites[index % 3].clone();
        (site.site, site.display_name) = (copy(index), format!("Hospital {index}"));
        study.sites.push(site);
    }
    for analysis in &mut study.analyses {
        let own: Vec<_> = analysis.sites[1..].to_vec();
        for index in 0..count - 3 {
            let mut site = own[index % 3].clone();
            site.site = copy(index);
            analysis.sites.push(site);
        }
        if let PoolOutcome::Pooled(pool) = &mut analysis.pool {
            pool.k = count;
            lengthen(&mut pool.robustness, count, copy);
        }
    }
    for table in &mut study.tables {
        let own: Vec<_> = table.sites[1..].to_vec();
        for index in 0..count - 3 {
            let mut site = own[index % 3].clone();
            site.site = copy(index);
            table.sites.push(site);
        }
    }
    let curves: Vec<_> = study
        .merged
        .iter()
        .filter(|curve| curve.site.is_some())
        .cloned()
        .collect();
    for index in 0..2 * (count - 3) {
        let mut curve = curves[index % curves.len()].clone();
        curve.site = Some(copy(index / 2));
        study.merged.push(curve);
    }
    study
}

/// As many rows per hospital as a pool of `count` has.
fn lengthen(
    robustness: &mut crate::pool::result::Robustness,
    count: usize,
    copy: impl Fn(usize) -> crate::study::SiteSlug,
) {
    if robustness.leave_one_out.is_empty() {
        return;
    }
    for index in 0..count - 3 {
        let mut left = robustness.leave_one_out[index % 3].clone();
        left.site = copy(index);
        robustness.leave_one_out.push(left);
        let mut one = robustness.influence[index % 3].clone();
        one.site = copy(index);
        robustness.influence.push(one);
        let mut drawn = robustness.shrunken[index % 3].clone();
        drawn.site = copy(index);
        robustness.shrunken.push(drawn);
        let mut step = robustness.cumulative[index % 3].clone();
        step.site = copy(index);
        robustness.cumulative.push(step);
    }
}

#[test]
fn the_page_says_what_a_pool_hangs_on_and_what_is_withheld() {
    let mut study = heart();
    let page = |study: &PooledStudy| text(&bundle(study, &provenance()).unwrap(), "report.html");
    let whole = page(&study);
    for words in [
        "without each hospital, and as hospitals are added",
        "influence of each hospital, and its estimate drawn to the mean",
        "by other models of the spread between hospitals",
        "DerSimonian-Laird",
        "Counts: bivariate binomial-normal",
    ] {
        assert!(whole.contains(words), "{words}");
    }
    assert!(!whole.contains("withheld, not at random"));
    let PoolOutcome::Pooled(pool) = &mut study.analyses[0].pool else {
        panic!("the fixture has a pool")
    };
    pool.robustness.withheld = Some(crate::pool::result::Bounds {
        sites: vec!["va".parse().unwrap()],
        low: Some(0.612),
        high: Some(0.862),
        interval_low: Some(0.555),
        interval_high: Some(0.913),
    });
    let hidden = page(&study);
    assert!(hidden.contains("withheld, not at random, at 1 hospital"));
    assert!(hidden.contains("0.612 and 0.862"), "bounds");
    let files = bundle(&study, &provenance()).unwrap();
    assert!(text(&files, "estimates.csv").contains(",va,0.612,0.862"));
    let robustness = text(&files, "robustness.csv");
    for part in [
        "leave-one-out",
        "cumulative",
        "influence",
        "shrunken",
        "chosen",
        "other-model",
    ] {
        assert!(robustness.contains(&format!(",{part},")), "{part}");
    }
    assert!(text(&files, "summary_points.csv").contains(",binomial-normal,3,"));
}

#[test]
fn checklists_stand_on_their_page_and_in_files_of_their_own() {
    let out = bundle(&heart(), &provenance()).unwrap();
    let page = text(&out, "report.html");
    for part in [
        "<h2 id=\"checklists\">",
        "<details><summary>TRIPOD+AI: ",
        "<a href=\"#discrimination\">Discrimination</a>",
        "the interests of every author",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for part in page.split("<a href=\"#").skip(1) {
        let id = part.split('"').next().unwrap();
        assert!(
            page.contains(&format!(" id=\"{id}\"")),
            "#{id} leads nowhere"
        );
    }
    let rows = parse(&text(&out, "checklists/tripod-ai.csv"));
    assert_eq!(rows.len(), 53);
    let funding = (1..53)
        .find(|&row| column(&rows, "item", row) == "18a")
        .unwrap();
    assert_eq!(column(&rows, "state", funding), "complete");
    assert_eq!(column(&rows, "stands_on", funding), "report.html#methods");
    let hospital = parse(&text(&out, "checklists/probast-ai.csv"));
    assert_eq!(column(&hospital, "site", 1), "hungarian");
}

#[test]
fn thirty_hospitals_stay_below_a_megabyte() {
    let out = bundle(&many(30), &provenance()).unwrap();
    assert!(
        out.files["report.html"].len() < 1_000_000,
        "{}",
        out.files["report.html"].len()
    );
}

/// Curves and ranges of every hospital, as `many` leaves out.
fn crowd(count: usize) -> PooledStudy {
    let mut study = many(count);
    let own: Vec<_> = study
        .calibration
        .iter()
        .filter(|curve| curve.site.is_some())
        .cloned()
        .collect();
    for index in 0..count - 3 {
        let mut curve = own[index % own.len()].clone();
        curve.site = Some(format!("site-{index:02}").parse().unwrap());
        study.calibration.push(curve);
    }
    for axis in &mut study.fairness {
        let own = axis.sites.clone();
        for index in 0..count - 3 {
            let mut site = own[index % own.len()].clone();
            site.site = format!("site-{index:02}").parse().unwrap();
            axis.sites.push(site);
        }
    }
    study
}

#[test]
fn two_hundred_hospitals_stay_below_three_megabytes() {
    for (count, most) in [(30, 1_000_000), (200, 3_000_000)] {
        let out = bundle(&crowd(count), &provenance()).unwrap();
        let page = text(&out, "report.html");
        assert!(
            page.len() <= most,
            "{count} hospitals: {} bytes",
            page.len()
        );
        assert!(page.contains("estimates.csv has all"));
    }
}

#[test]
fn every_figure_is_read_in_words_and_has_its_numbers() {
    for study in [heart(), guarded(), many(30)] {
        let page = text(&bundle(&study, &provenance()).unwrap(), "report.html");
        let figures: Vec<&str> = page
            .split("<figure")
            .skip(1)
            .map(|rest| rest.split("</figure>").next().unwrap())
            .collect();
        assert!(figures.len() > 8, "{}", figures.len());
        for figure in figures {
            let (_, reading) = figure.split_once("class=\"reading\">").unwrap();
            let reading = reading.split("</span>").next().unwrap();
            assert!(reading.len() > 30 && reading.ends_with('.'), "{reading}");
            assert!(figure.contains("class=\"source\">Source: "), "{reading}");
            assert!(figure.contains("role=\"img\"") && figure.contains("<desc"));
            assert!(figure.contains("<details>") && figure.contains("<tbody>"));
        }
    }
}

#[test]
fn summary_first_then_statistics_then_what_is_missing() {
    let page = text(&bundle(&heart(), &provenance()).unwrap(), "report.html");
    let at = |words: &str| page.find(words).unwrap_or_else(|| panic!("{words}"));
    let order = [
        "of 100 such pairs",
        "In the words of statistics",
        "Full statistics",
        "Not assessed, each with its reason",
        "fedval 0.1.0",
        "<span class=\"no\">18</span> Glossary",
    ];
    let places: Vec<usize> = order.iter().map(|words| at(words)).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn the_same_input_gives_the_same_bytes_and_provenance_stays_in_its_place() {
    let first = bundle(&heart(), &provenance()).unwrap();
    assert_eq!(first, bundle(&heart(), &provenance()).unwrap());
    let other = bundle(
        &heart(),
        &Provenance {
            software: "other 9.9".to_owned(),
            ..Provenance::default()
        },
    )
    .unwrap();
    for (name, bytes) in &first.files {
        let differs = *bytes != other.files[name];
        assert_eq!(
            differs,
            [
                "report.html",
                "report.json",
                "manifest.json",
                "methods.md",
                "ro-crate-metadata.json"
            ]
            .contains(&name.as_str()),
            "{name}"
        );
    }
    let cut = |bundle: &Bundle| {
        let page = text(bundle, "report.html");
        let (before, after) = page.split_once("<p class=\"built\">").unwrap();
        let page = format!("{before}{}", after.split_once("</p>").unwrap().1);
        let (head, tail) = page
            .split_once("<dl class=\"terms\" id=\"build\">")
            .unwrap();
        (
            head.to_owned(),
            tail.split_once("</dl>").unwrap().1.to_owned(),
        )
    };
    assert_eq!(cut(&first), cut(&other));
}

#[test]
fn nothing_is_fetched_and_nothing_but_one_script_is_run() {
    for study in [heart(), guarded()] {
        let page = text(&bundle(&study, &provenance()).unwrap(), "report.html");
        assert!(
            page.contains("default-src &#39;none&#39;")
                || page.contains("default-src &#x27;none&#x27;")
                || page.contains("default-src 'none'")
        );
        let (_, script) = page.split_once("<script>").unwrap();
        let (script, rest) = script.split_once("</script>").unwrap();
        assert!(!rest.contains("<script") && page.matches("<script").count() == 1);
        assert!(script.len() <= 15_000, "{} bytes", script.len());
        let digest = ring::digest::digest(&ring::digest::SHA256, script.as_bytes());
        let hash = data_encoding::BASE64.encode(digest.as_ref());
        let allowed = hash.replace('+', "&#43;");
        assert!(
            page.contains(&hash) || page.contains(&allowed),
            "the script's digest"
        );
        assert!(!page.contains("unsafe-") && !page.contains(" onclick"));
        let page = page.replace(script, "");
        for forbidden in [
            "<img", "<link", " src=", "@import", "url(", "style=", "<iframe",
        ] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(!page.contains("href=\"http"));
    }
}

#[test]
fn report_json_reads_back_and_follows_its_schema() {
    for study in [heart(), guarded()] {
        let out = bundle(&study, &provenance()).unwrap();
        let report: Report = serde_json::from_slice(&out.files["report.json"]).unwrap();
        assert_eq!((report.schema.as_str(), &report.study), (SCHEMA, &study));
        let schema: serde_json::Value =
            serde_json::from_slice(&out.files["schema/report.schema.json"]).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&out.files["report.json"]).unwrap();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| error.to_string())
            .take(3)
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
        let mut broken = value;
        broken["study"]["verdict"]["answer"] = "perhaps".into();
        assert!(!validator.is_valid(&broken));
    }
}

/// Fields by row; quotes as in RFC 4180.
pub(super) fn parse(csv: &str) -> Vec<Vec<String>> {
    let mut rows = vec![vec![String::new()]];
    let mut quoted = false;
    let mut letters = csv.chars().peekable();
    while let Some(letter) = letters.next() {
        let row = rows.last_mut().unwrap();
        match (letter, quoted) {
            ('"', true) if letters.peek() == Some(&'"') => {
                row.last_mut().unwrap().push(letters.next().unwrap())
            }
            ('"', _) => quoted = !quoted,
            (',', false) => row.push(String::new()),
            ('\n', false) => rows.push(vec![String::new()]),
            (other, _) => row.last_mut().unwrap().push(other),
        }
    }
    rows.pop();
    rows
}

fn column<'a>(rows: &'a [Vec<String>], name: &str, row: usize) -> &'a str {
    let index = rows[0].iter().position(|head| head == name).unwrap();
    &rows[row][index]
}

#[test]
fn csv_rows_are_as_wide_as_their_heads() {
    for study in [heart(), guarded()] {
        let out = bundle(&study, &provenance()).unwrap();
        for name in [
            "estimates.csv",
            "curves.csv",
            "counts.csv",
            "failures.csv",
            "sites.csv",
            "tests.csv",
            "meta_input.csv",
        ] {
            let rows = parse(&text(&out, name));
            assert!(rows.len() > 1, "{name}");
            assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{name}");
        }
    }
}

#[test]
fn meta_input_gives_exactly_the_rows_of_each_pool() {
    let study = heart();
    let rows = parse(&text(
        &bundle(&study, &provenance()).unwrap(),
        "meta_input.csv",
    ));
    let mut names = std::collections::BTreeSet::new();
    for analysis in &study.analyses {
        let name = analysis_slug(&analysis.key);
        assert!(names.insert(name.clone()), "{name} stands twice");
        let found: Vec<usize> = (1..rows.len())
            .filter(|&row| {
                column(&rows, "analysis", row) == name && column(&rows, "in_pool", row) == "true"
            })
            .collect();
        let PoolOutcome::Pooled(pool) = &analysis.pool else {
            assert!(found.is_empty(), "{name}");
            continue;
        };
        assert_eq!(found.len(), pool.k, "{name}");
        let inside: Vec<_> = analysis
            .sites
            .iter()
            .filter(|site| site.excluded.is_none())
            .collect();
        for (row, site) in found.iter().zip(inside) {
            assert_eq!(column(&rows, "yi", *row).parse::<f64>().ok(), site.yi);
            assert_eq!(column(&rows, "vi", *row).parse::<f64>().ok(), site.vi);
        }
    }
    assert!(names.contains("auc.p_b.disease"));
    assert!(names.contains("gap-tpr.p_b.disease.age.65-and-over.at-0.5"));
}

#[test]
fn estimates_read_back_and_suppressed_ones_say_so() {
    let study = heart();
    let rows = parse(&text(
        &bundle(&study, &provenance()).unwrap(),
        "estimates.csv",
    ));
    let PoolOutcome::Pooled(pool) = &study.analyses[0].pool else {
        panic!("no pool")
    };
    assert_eq!(column(&rows, "scope", 1), "pooled");
    for (name, value) in [
        ("estimate", pool.estimate),
        ("ci_low", pool.low),
        ("ci_high", pool.high),
        ("tau2", pool.tau2),
        ("q", pool.q),
        ("p_value", pool.p_value),
    ] {
        assert_eq!(
            column(&rows, name, 1).parse::<f64>().unwrap(),
            value,
            "{name}"
        );
    }
    assert_eq!(column(&rows, "scope", 2), "development");
    assert_eq!(column(&rows, "k_sites", 1), "3");
    let counts = parse(&text(
        &bundle(&guarded(), &provenance()).unwrap(),
        "counts.csv",
    ));
    let hidden: Vec<usize> = (1..counts.len())
        .filter(|&row| column(&counts, "suppressed", row) == "true")
        .collect();
    assert!(!hidden.is_empty());
    for row in hidden {
        assert_eq!(column(&counts, "count", row), "");
        assert_eq!(
            (
                column(&counts, "count_low", row),
                column(&counts, "count_high", row)
            ),
            ("0", "9")
        );
        assert!(!column(&counts, "reason", row).is_empty());
    }
}

#[test]
fn hostile_names_stay_text_everywhere() {
    let mut study = heart();
    study.protocol.title = HOSTILE.to_owned();
    study.protocol.question = HOSTILE.to_owned();
    study.sites[1].display_name = format!("={HOSTILE}");
    study.protocol.model[0].name = HOSTILE.to_owned();
    study.tables[0].levels[0] = HOSTILE.to_owned();
    study.profiles.push(HOSTILE.to_owned());
    let out = bundle(
        &study,
        &Provenance {
            software: HOSTILE.to_owned(),
            ..Provenance::default()
        },
    )
    .unwrap();
    let page = text(&out, "report.html");
    assert_eq!(page.matches("<script").count(), 1, "the report's own");
    assert!(page.contains("script&") && page.contains("alert("));
    for name in ["sites.csv", "meta_input.csv", "counts.csv"] {
        let rows = parse(&text(&out, name));
        assert!(
            rows.iter()
                .flatten()
                .all(|field| !field.starts_with(['=', '@'])),
            "{name}"
        );
        assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{name}");
    }
}

#[test]
fn the_four_states_look_different_on_the_page() {
    let page = text(&bundle(&guarded(), &provenance()).unwrap(), "report.html");
    for sample in [
        "<td class=\"suppressed\">&lt;10</td>",
        "<td class=\"num rounded\">about ",
        "<td class=\"num zero\">0</td>",
        "<td class=\"not-computed\">not computed: ",
    ] {
        assert!(page.contains(sample), "{sample}");
    }
    assert!(
        !page.contains("<td>0</td>"),
        "a plain zero may not be printed"
    );
}

#[test]
fn restrictions_are_stamped_and_absent_otherwise() {
    let page = text(&bundle(&heart(), &provenance()).unwrap(), "report.html");
    assert!(page.contains("Public data: disclosure control off"));
    assert!(!page.contains("Unsigned releases") && !page.contains("Protocol not locked"));
    let mut study = guarded();
    (study.signed, study.locked) = (false, false);
    let page = text(&bundle(&study, &provenance()).unwrap(), "report.html");
    assert!(!page.contains("Public data: disclosure control off"));
    assert!(page.contains("Unsigned releases") && page.contains("Protocol not locked"));
}

#[test]
fn too_few_sites_means_no_pool_and_every_site_is_shown() {
    let page = text(&bundle(&guarded(), &provenance()).unwrap(), "report.html");
    assert!(
        page.contains("There is no pooled result. 2 external hospitals gave a usable estimate")
    );
    assert!(page.contains("not released under its own policy"));
    assert!(page.contains("Withheld, not at random"));
    assert!(page.contains("0.888 (0.839 to 0.923) at Hungarian"));
    assert!(!page.contains("Random-effects mean, k ="));
}

#[test]
fn flags_are_said_on_the_front_page_beside_the_pool_and_in_the_file() {
    let mut study = heart();
    for analysis in &mut study.analyses {
        if let PoolOutcome::Pooled(pool) = &mut analysis.pool {
            let influence = pool.robustness.influence.iter_mut();
            influence.for_each(|one| one.flags.clear());
        }
    }
    let count = |study: &PooledStudy| {
        let page = text(&bundle(study, &provenance()).unwrap(), "report.html");
        page.matches("standing out from the other hospitals")
            .count()
    };
    assert_eq!(count(&study), 0);
    let PoolOutcome::Pooled(pool) = &mut study.analyses[0].pool else {
        panic!("the fixture has a pool")
    };
    let one = &mut pool.robustness.influence[1];
    one.flags = vec![Flag::Outlying, Flag::MovesMean];
    let site = one.site.clone();
    // On the front page, and beside the tables of the pool.
    assert_eq!(count(&study), 2);
    let files = bundle(&study, &provenance()).unwrap();
    let page = text(&files, "report.html");
    assert!(page.contains("studentised residual beyond 3"));
    assert!(page.contains("without it the mean would be"));
    let csv = text(&files, "robustness.csv");
    let flags = "studentised residual beyond 3; the mean without it lies outside";
    let row = csv.lines().find(|line| line.contains(flags)).unwrap();
    assert!(row.contains(&format!(",{site},")), "{row}");
}

#[test]
fn what_is_withheld_stands_in_the_page_and_in_two_files() {
    let study = guarded();
    let files = bundle(&study, &provenance()).unwrap();
    let page = text(&files, "report.html");
    for words in ["Rules on such items", "D2, D4", "not told"] {
        assert!(page.contains(words), "{words}");
    }
    let csv = text(&files, "withheld.csv");
    let whole = csv.lines().find(|line| line.starts_with("switzerland,"));
    assert!(whole.unwrap().contains(",the whole release,,"), "no rule");
    assert!(csv.contains("va,withheld,subgroup,,,,sex,female,"));
    let head = files.files["missing_from_pools.csv"].clone();
    assert!(head.starts_with(b"analysis,metric,"));
}

#[test]
fn a_study_without_results_still_has_a_report() {
    let mut study = guarded();
    study.analyses.clear();
    study.merged.clear();
    study.tables.clear();
    for site in &mut study.sites {
        site.statistics.clear();
        site.outcome = SiteOutcome::NoAnswer;
    }
    let page = text(&bundle(&study, &provenance()).unwrap(), "report.html");
    assert!(page.contains("no answer before the round closed"));
}

#[test]
fn headings_and_tables_are_in_order() {
    let page = text(&bundle(&heart(), &provenance()).unwrap(), "report.html");
    let mut last = 1;
    for (at, _) in page.match_indices("<h") {
        let Some(level) = page[at + 2..]
            .chars()
            .next()
            .and_then(|level| level.to_digit(10))
        else {
            continue;
        };
        assert!(level <= last + 1, "h{level} after h{last}");
        last = level;
    }
    assert_eq!(page.matches("<h1").count(), 1);
    assert!(page.matches("<th ").count() == page.matches(" scope=\"").count());
    let mut ids = std::collections::BTreeSet::new();
    for part in page.split(" id=\"").skip(1) {
        let id = part.split('"').next().unwrap();
        assert!(ids.insert(id.to_owned()), "id {id} stands twice");
    }
}

#[test]
fn fixtures_have_what_the_tests_are_about() {
    let hidden = |study: &PooledStudy| {
        study
            .sites
            .iter()
            .flat_map(|site| &site.statistics)
            .filter_map(Statistic::confusion)
            .any(|table| table.false_positive.is_suppressed())
    };
    assert!(hidden(&guarded()) && !hidden(&heart()));
    let first = &heart().analyses[0];
    assert_eq!(
        first.sites[1].estimate,
        Cell::Value {
            value: first.sites[1].estimate.number().unwrap()
        }
    );
}
