//! What masked sums add to what eight hospitals of a screening study may show alone. The table
//! stands in `docs/reference/statistics/masked-sums.md`; this program checks that it is the one it
//! makes, and writes it anew with `FEDVAL_BLESS=1`.
//!
//! From: `coordinator::sim` (the study and its tables), `harness::masked`.
//! To: the help page of masked sums.

use std::fmt::Write as _;
use std::path::Path;

use coordinator::sim::{SimStudy, screening};
use harness::{heart, masked, path};
use shared::disclosure::{Policy, ReceivedRelease};
use shared::statistic::stage::Cell;
use shared::statistic::{Cases, Disclosed, Statistic};
use shared::study::{StudyProtocol, source, validate};

const SITES: u64 = 8;
const OPENING: &str = "<!-- comparison -->\n\n";
const CLOSING: &str = "<!-- /comparison -->";

fn study() -> StudyProtocol {
    validate::expand(&source::parse(&SimStudy::Screening(SITES).source()).unwrap())
}

fn cases(protocol: &StudyProtocol, hospital: u64) -> Cases {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("table.csv");
    std::fs::write(&file, screening::table(hospital)).unwrap();
    heart::read(protocol, &file)
}

/// Of 2x2 tables, subgroup rows and histogram blocks: how many show their counts, and how many are
/// there.
fn shown<'a>(statistics: impl Iterator<Item = &'a Statistic<Disclosed>> + Clone) -> [String; 3] {
    let is_shown = |cell: &Cell<u64>| cell.number().is_some();
    let tables: Vec<bool> = statistics
        .clone()
        .filter_map(Statistic::confusion)
        .map(|one| is_shown(&one.true_positive))
        .collect();
    let rows: Vec<bool> = statistics
        .clone()
        .filter_map(Statistic::subgroup_table)
        .flat_map(|one| &one.rows)
        .filter(|row| row.level != "not recorded")
        .map(|row| is_shown(&row.events) && is_shown(&row.true_positive))
        .collect();
    let blocks = statistics.filter_map(Statistic::histogram);
    let blocks: Vec<usize> = blocks
        .filter(|one| one.model.as_str() == "ai")
        .map(|one| one.events.len())
        .collect();
    let of = |found: &[bool]| {
        let yes = found.iter().filter(|shown| **shown).count();
        format!("{yes} of {}", found.len())
    };
    let (least, most) = (blocks.iter().min().unwrap(), blocks.iter().max().unwrap());
    let blocks = if least == most {
        format!("{least}")
    } else {
        format!("{least} to {most}")
    };
    [of(&tables), of(&rows), blocks]
}

fn table() -> String {
    let protocol = study();
    let names: Vec<String> = (1..=SITES).map(|n| format!("hospital-{n:02}")).collect();
    let all: Vec<Cases> = (1..=SITES).map(|n| cases(&protocol, n)).collect();
    let policy = path::standard();
    let each = names.iter().zip(&all);
    let releases: Vec<ReceivedRelease> = each
        .filter_map(|(site, cases)| path::release(&protocol, cases, &policy, site))
        .collect();
    let alone = shown(releases.iter().flat_map(|release| &release.statistics));
    let pooled = path::pooled(&protocol, &releases);
    let merged = pooled.merged.iter().any(|curve| curve.site.is_none());

    let sites: Vec<(&str, Cases)> = names.iter().map(String::as_str).zip(all).collect();
    let rules = Policy::over_hospitals(policy.min_cell()).unwrap();
    let reviewed = masked::reviewed(&protocol, &sites, &rules);
    let together = shown(reviewed.statistics.iter());
    let pool = masked::pool(&protocol, reviewed);
    let curve = pool.curves.iter().find(|one| one.model.as_str() == "ai");
    let curve = curve.unwrap();

    let mut text =
        String::from("| | released by hospitals alone | from the masked sum |\n|---|---|---|\n");
    let _ = writeln!(
        text,
        "| 2x2 tables shown, exact in the sum | {} | {} |",
        alone[0], together[0]
    );
    let _ = writeln!(
        text,
        "| rows of subgroup tables shown | {} | {} |",
        alone[1], together[1]
    );
    let _ = writeln!(
        text,
        "| blocks of the histogram of events of one score | {} per hospital | {} |",
        alone[2], together[2]
    );
    let _ = writeln!(
        text,
        "| ROC curve over all patients | {} | {} points, AUC {:.3} |",
        if merged { "drawn" } else { "none" },
        curve.points.len(),
        curve.auc
    );
    text
}

#[test]
fn the_worth_of_masked_sums_is_what_their_page_says() {
    let page =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/statistics/masked-sums.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let from = text.find(OPENING).unwrap() + OPENING.len();
    let to = text.find(CLOSING).unwrap();
    let made = table();
    if std::env::var_os("FEDVAL_BLESS").is_some() {
        std::fs::write(&page, format!("{}{made}{}", &text[..from], &text[to..])).unwrap();
        return;
    }
    assert_eq!(text[from..to], made);
}
