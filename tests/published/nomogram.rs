//! A formula computed at the node is the same model as the column somebody computed before.
//!
//! From: the bundled tables with one more column, written by this test's own arithmetic.
//! To: nothing.

use std::path::Path;

use harness::heart::{self, SITES};
use harness::load;
use harness::path;
use node::cohort::TableSource;
use shared::disclosure::ReceivedRelease;
use shared::statistic::Cases;
use shared::study::{FieldName, Formula, ModelRun, StudyProtocol, validate};

const FORMULA: &str = r#"
intercept = -6.2
link = "logit"
terms = [
  { field = "age", coefficient = 0.913_7, scale = 10 },
  { field = "age", coefficient = -0.000_413, power = 2 },
  { field = "sex", level = "male", coefficient = 1.459_1 },
  { field = "has_chol", coefficient = -0.723_3 },
]
"#;

/// The same sum, as a spreadsheet would have it. No two different patients have the same sum, so
/// that rounding cannot make or break a tie.
fn risk(age: f64, male: bool, chol: f64) -> f64 {
    let sum = -6.2 + 0.091_37 * age - 0.000_413 * age * age + if male { 1.459_1 } else { 0.0 }
        - 0.723_3 * chol;
    1.0 / (1.0 + (-sum).exp())
}

/// The bundled study with `p_a` replaced by the formula.
fn by_formula() -> StudyProtocol {
    let mut protocol = heart::written();
    let model = protocol
        .model
        .iter_mut()
        .find(|one| one.id.as_str() == "p_a");
    let model = model.unwrap();
    model.field = None;
    model.run = ModelRun::Formula;
    model.formula = Some(toml::from_str::<Formula>(FORMULA).unwrap());
    protocol
}

/// The same with the prediction in column `p_c`.
fn by_column() -> StudyProtocol {
    let mut protocol = heart::protocol();
    let name: FieldName = "p_c".parse().unwrap();
    let field = protocol
        .field
        .iter_mut()
        .find(|one| one.name.as_str() == "p_a");
    field.unwrap().name = name.clone();
    let model = protocol
        .model
        .iter_mut()
        .find(|one| one.id.as_str() == "p_a");
    model.unwrap().field = Some(name);
    protocol
}

fn table(site: &str, folder: &Path) -> TableSource {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/examples/heart/data");
    let text = std::fs::read_to_string(data.join(format!("{site}.csv"))).unwrap();
    let mut lines = text.lines();
    let header = lines.next().unwrap();
    let names: Vec<&str> = header.split(',').collect();
    let at = |name: &str| names.iter().position(|one| *one == name).unwrap();
    let (age, sex, chol) = (at("age"), at("sex"), at("has_chol"));
    let mut out = format!("{header},p_c\n");
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |place: usize| cells[place].parse::<f64>().unwrap();
        let value = risk(number(age), cells[sex] == "male", number(chol));
        out.push_str(&format!("{line},{value}\n"));
    }
    let path = folder.join(format!("{site}.csv"));
    std::fs::write(&path, out).unwrap();
    TableSource::new(path)
}

fn cases(protocol: &StudyProtocol, source: &TableSource) -> Cases {
    let loaded = load(protocol, source);
    loaded.unwrap_or_else(|faults| panic!("{faults:?}")).cases
}

/// Every number of a release, as JSON says it, with the place where it stands.
fn numbers(release: &ReceivedRelease) -> Vec<(String, f64)> {
    fn walk(place: &str, value: &serde_json::Value, found: &mut Vec<(String, f64)>) {
        match value {
            serde_json::Value::Number(number) => {
                found.push((place.to_owned(), number.as_f64().unwrap()));
            }
            serde_json::Value::Array(items) => {
                let each = items.iter().enumerate();
                each.for_each(|(index, item)| walk(&format!("{place}/{index}"), item, found));
            }
            serde_json::Value::Object(fields) => {
                let each = fields.iter();
                each.for_each(|(name, item)| walk(&format!("{place}/{name}"), item, found));
            }
            serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::String(_) => {
            }
        }
    }
    let mut found = Vec::new();
    let value = serde_json::to_value(&release.statistics).unwrap();
    walk("", &value, &mut found);
    found
}

#[test]
fn a_formula_equals_its_column() {
    assert_eq!(validate::check(&by_formula()), []);
    let (formula, column) = (validate::expand(&by_formula()), by_column());
    assert_eq!(validate::check(&formula), []);
    let folder = tempfile::tempdir().unwrap();
    for site in SITES {
        let source = table(site, folder.path());
        let (one, other) = (cases(&formula, &source), cases(&column, &source));
        for (a, b) in one.score[1].iter().zip(&other.score[1]) {
            assert!((a.unwrap() - b.unwrap()).abs() < 1e-14);
        }
        let read = |protocol, cases| {
            let release = path::release(protocol, cases, &path::open_data(), site);
            numbers(&release.unwrap())
        };
        let (one, other) = (read(&formula, &one), read(&column, &other));
        assert_eq!(one.len(), other.len());
        assert!(one.len() > 100);
        for ((place, a), (same, b)) in one.iter().zip(&other) {
            assert_eq!(place, same);
            assert!((a - b).abs() <= 1e-10 * b.abs() + 1e-12, "{place}: {a} {b}");
        }
    }
}

/// The lock writes the digest, and a later change of one digit is refused.
#[test]
fn a_formula_is_pinned_by_its_digest() {
    let locked = validate::expand(&by_formula());
    let model = locked.find_model(&"p_a".parse().unwrap()).unwrap();
    let formula = model.formula.as_ref().unwrap();
    assert_eq!(model.sha256, formula.sha256().ok());
    let mut changed = locked.clone();
    let model = changed
        .model
        .iter_mut()
        .find(|one| one.id.as_str() == "p_a");
    model.unwrap().formula.as_mut().unwrap().intercept = -6.3;
    let problems = validate::check(&changed);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].what.contains("digest"));
}

/// Staff read the formula itself before they approve, and its digest.
#[test]
fn the_preview_shows_the_formula() {
    let locked = validate::expand(&by_formula());
    let text = node::preview::text("job", &locked, (&[], None), &[], None);
    let model = locked.find_model(&"p_a".parse().unwrap()).unwrap();
    let formula = model.formula.as_ref().unwrap();
    assert!(text.contains(&formula.words()), "{text}");
    assert!(text.contains(&formula.sha256().unwrap()));
    assert!(text.contains("[sex is male]"));
}

/// What the site has not recorded is not guessed: no prediction, and the flow says so.
#[test]
fn a_missing_input_gives_no_prediction() {
    let locked = validate::expand(&by_formula());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let text = "case_id,age,sex,has_chol,has_ca,has_thal,y,p_a,p_b\n\
        a,60,male,1,1,1,1,0.5,0.6\nb,,male,1,1,1,0,0.5,0.4\nc,50,female,0,1,1,0,0.5,0.3\n";
    std::fs::write(&path, text).unwrap();
    let cases = cases(&locked, &TableSource::new(path));
    let missing: Vec<bool> = cases.score[1].iter().map(Option::is_none).collect();
    assert_eq!(missing, [false, true, false]);
}
