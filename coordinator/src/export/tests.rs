//! Exports of a small report with a number, a zero, a hidden count and no release.

use std::io::Read as _;

use shared::identity::Digest;
use shared::pool::result::{
    Analysis, AnalysisRole, EstimateKey, Metric, PoolOutcome, PooledStudy, SiteEstimate,
    SiteOutcome,
};
use shared::pool::study::{RoundFacts, SiteAnswer, pool};
use shared::report::Provenance;
use shared::statistic::confusion::Confusion;
use shared::statistic::{Cell, Statistic};
use shared::study::{SiteRole, Timestamp, source, template, validate};

use super::*;

/// A study without releases, to which results are added by hand.
pub(crate) fn report() -> Report {
    let protocol = validate::expand(&source::parse(template::BINARY).unwrap());
    let facts = RoundFacts {
        protocol_digest: Digest::of(b"protocol"),
        locked: true,
        signed: true,
        round: None,
        closed_at: Timestamp::from_unix(1_795_168_800),
    };
    let sites = protocol.site.iter();
    let answers = sites.map(|site| {
        let answer = SiteAnswer::Without(SiteOutcome::NotReleased);
        (site.slug.clone(), answer)
    });
    let mut study = pool(&protocol, facts, answers.collect());
    add_results(&mut study);
    Report {
        schema: report::SCHEMA.to_owned(),
        provenance: Provenance {
            software: "fedval 0".to_owned(),
            ..Provenance::default()
        },
        study,
    }
}

fn add_results(study: &mut PooledStudy) {
    let protocol = study.protocol.clone();
    let (model, endpoint) = (
        protocol.model[0].id.clone(),
        protocol.endpoint[0].id.clone(),
    );
    let site = study
        .sites
        .iter_mut()
        .find(|site| site.role == SiteRole::External);
    let site = site.unwrap();
    site.outcome = SiteOutcome::Released;
    site.profile = Some("standard".to_owned());
    site.statistics = vec![Statistic::Confusion(Confusion {
        model: model.clone(),
        endpoint: endpoint.clone(),
        threshold: protocol.threshold[0].value,
        true_positive: Cell::Value { value: 81 },
        false_positive: Cell::Zero,
        false_negative: Cell::Suppressed { lo: 0, hi: 9 },
        true_negative: Cell::Value { value: 57 },
        rates: Vec::new(),
    })];
    let estimate = SiteEstimate {
        site: site.site.clone(),
        role: SiteRole::External,
        n: Cell::Value { value: 147 },
        events: Cell::Suppressed { lo: 81, hi: 90 },
        estimate: Cell::Value { value: 0.8125 },
        low: Cell::Value { value: 0.75 },
        high: Cell::Value { value: 0.875 },
        yi: Some(1.5),
        vi: Some(0.25),
        weight: None,
        excluded: None,
        correction: None,
        counts: None,
    };
    let key = EstimateKey::whole(Metric::Auc, model, endpoint);
    study.analyses = vec![Analysis {
        scale: Metric::Auc.entry().scale,
        key,
        role: AnalysisRole::Primary,
        sites: vec![estimate],
        pool: PoolOutcome::TooFewSites {
            sites: 1,
            minimum: 3,
        },
    }];
}

/// The parts of a zipped file that are XML, as one text.
fn xml(bytes: &[u8]) -> String {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut out = String::new();
    for index in 0..archive.len() {
        let mut part = archive.by_index(index).unwrap();
        if part.name().ends_with(".xml") {
            part.read_to_string(&mut out).unwrap();
        }
    }
    out
}

fn one(report: &Report, form: Form) -> Vec<u8> {
    let mut files = make(report, form).unwrap();
    assert_eq!(files.len(), 1);
    files.pop().unwrap().1
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    for form in [Form::Tables, Form::Figures, Form::Docx, Form::Xlsx] {
        let first = make(&report(), form).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(1100));
        assert!(first == make(&report(), form).unwrap(), "{form:?}");
    }
}

#[test]
fn a_hidden_count_is_not_a_zero_in_any_format() {
    let report = report();
    let word = xml(&one(&report, Form::Docx));
    assert!(word.contains("&lt;10</w:t>"), "Word");
    assert!(word.contains(">0</w:t>"), "the zero that was released");
    let excel = xml(&one(&report, Form::Xlsx));
    assert!(excel.contains("<t>hidden</t>"), "data sheets");
    assert!(excel.contains("<t>&lt;10</t>"), "tables as printed");
    assert!(excel.contains("<v>0.8125</v>"), "numbers are numbers");
    let bundle = crate::bundle::files(&report.study).unwrap();
    let tables = make(&report, Form::Tables).unwrap();
    let all = |files: &Files, ending: &str| {
        let files = files.iter().filter(|(name, _)| name.ends_with(ending));
        files
            .map(|(_, bytes)| String::from_utf8(bytes.clone()).unwrap())
            .collect::<String>()
    };
    assert!(all(&tables, ".csv").contains(",<10"));
    assert!(all(&tables, ".tex").contains("\\textless{}10"));
    assert!(all(&bundle, "report.html").contains("<td class=\"suppressed\">&lt;10</td>"));
    assert!(all(&bundle, "report.json").contains("\"state\":\"suppressed\""));
    let counts = all(&bundle, "counts.csv");
    assert!(counts.contains(",,0,9,suppressed,true,hidden by disclosure rules"));
    assert!(counts.contains(",0,0,0,zero,false,"), "{counts}");
}

#[test]
fn text_cannot_leave_its_cell() {
    let mut report = report();
    let hostile = "=1+1 <w:p/> & \u{1} ]]>";
    report.study.sites[0].display_name = hostile.to_owned();
    report.study.protocol.title = hostile.to_owned();
    for form in [Form::Docx, Form::Xlsx] {
        let text = xml(&one(&report, form));
        assert!(
            !text.contains("<w:p/>") && !text.contains('\u{1}'),
            "{form:?}"
        );
        assert!(!text.contains("<f>"), "{form:?}: a formula");
        assert!(text.contains("=1+1 &lt;w:p/&gt; &amp;"), "{form:?}");
    }
}

#[test]
fn a_bundle_that_was_changed_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let written = report();
    let files = crate::bundle::files(&written.study).unwrap();
    crate::bundle::write(&files, folder.path()).unwrap();
    assert_eq!(read(folder.path()).unwrap().study, written.study);
    let out = folder.path().join("more");
    let paths = export(folder.path(), Form::Docx, &out).unwrap();
    assert_eq!(paths, [out.join("report.docx")]);
    let path = folder.path().join("report.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("0.8125", "0.9125")).unwrap();
    assert_eq!(read(folder.path()).unwrap_err().code, Code::BundleInvalid);
    assert!(read(&path).is_ok(), "the file alone has no manifest");
    std::fs::write(&path, "{}").unwrap();
    assert_eq!(read(&path).unwrap_err().code, Code::BundleInvalid);
}
