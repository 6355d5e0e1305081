//! Women and men of the bundled study through the public path: contingency and subgroup tables
//! against the reference values of its four hospitals.
//!
//! From: `configs/examples/heart`, `tests/fixtures/reference`.
//! To: nothing.

use harness::heart::{self, SITES};
use harness::path;
use shared::pool::result::Cmh;
use shared::statistic::Statistic;
use shared::statistic::contingency::ContingencyKind;
use shared::statistic::subgroup::Measure;

use crate::heart_round::{close, exact, expected, find, number};

/// Counts and tests of the table outcome by sex.
#[test]
fn contingency_tables_equal_the_reference() {
    let protocol = heart::four_external("p_a");
    let releases = heart::releases(&protocol, &path::open_data());
    for (site, release) in SITES.iter().zip(&releases) {
        let value = expected(&format!("ct.heart.sex_y.{site}"));
        let table = find(release, |statistic| match statistic {
            Statistic::Contingency(one)
                if one.kind == ContingencyKind::OutcomeBySubgroup && one.axis.as_str() == "sex" =>
            {
                Some(one.clone())
            }
            _ => None,
        })
        .unwrap();
        for (row, cells) in table.rows.iter().zip(value["table"].as_array().unwrap()) {
            for (cell, count) in row.cells.iter().zip(cells.as_array().unwrap()) {
                assert_eq!(Some(exact(*cell)), count.as_u64(), "{site} {}", row.level);
            }
        }
        close(
            site,
            exact(table.chi_squared),
            number(&value, "/chi2"),
            1e-8,
        );
        close(site, exact(table.p_value), number(&value, "/p"), 1e-8);
        close(
            site,
            exact(table.cramers_v),
            number(&value, "/cramers_v"),
            1e-8,
        );
        assert_eq!(f64::from(table.degrees_of_freedom), number(&value, "/df"));
    }
    let study = path::pooled(&protocol, &releases);
    let table = study
        .tables
        .iter()
        .find(|one| one.kind == ContingencyKind::OutcomeBySubgroup && one.axis.as_str() == "sex")
        .unwrap();
    let all = expected("ct.heart.sex_y");
    for (row, cells) in table.total.iter().zip(all["table"].as_array().unwrap()) {
        for (cell, count) in row.iter().zip(cells.as_array().unwrap()) {
            assert_eq!(Some(exact(*cell)), count.as_u64());
        }
    }
    let value = expected("cmh.heart.sex_y_by_site");
    let Cmh::Computed {
        statistic,
        p_value,
        odds_ratio,
        odds_ratio_interval,
        ..
    } = &table.cmh
    else {
        panic!("{:?}", table.cmh)
    };
    close("CMH", *statistic, number(&value, "/chi2"), 1e-8);
    close("CMH p", *p_value, number(&value, "/p"), 1e-8);
    close(
        "odds ratio",
        odds_ratio.unwrap(),
        number(&value, "/or_mh"),
        1e-8,
    );
    let [low, high] = odds_ratio_interval.unwrap();
    close("odds ratio", low, number(&value, "/or_mh_ci95/0"), 1e-8);
    close("odds ratio", high, number(&value, "/or_mh_ci95/1"), 1e-8);
}

/// The reference has women and men of all four sites together: counts add over the sites.
#[test]
fn subgroup_counts_add_to_the_reference() {
    let protocol = heart::four_external("p_a");
    let value = expected("fair.heart.sex");
    let releases = heart::releases(&protocol, &path::open_data());
    for (place, level) in ["female", "male"].into_iter().enumerate() {
        let mut sum = [0_u64; 5];
        let (mut events, mut expected_events) = (0.0, 0.0);
        for release in &releases {
            let row = find(release, |statistic| match statistic {
                Statistic::SubgroupTable(one) if one.axis.as_str() == "sex" => {
                    Some(one.rows[place].clone())
                }
                _ => None,
            })
            .unwrap();
            assert_eq!(row.level, level);
            let cells = [
                row.n,
                row.true_positive,
                row.false_positive,
                row.false_negative,
                row.true_negative,
            ];
            for (sum, cell) in sum.iter_mut().zip(cells) {
                *sum += exact(cell);
            }
            let ratio = &row.measures[5];
            assert_eq!(ratio.measure, Measure::ObservedExpected);
            let observed = exact(row.events) as f64;
            events += observed;
            expected_events += ratio
                .value
                .exact()
                .filter(|r| *r > 0.0)
                .map_or(0.0, |r| observed / r);
        }
        let group = &value["by_group"][level];
        for (sum, key) in sum.iter().zip(["n", "tp", "fp", "fn", "tn"]) {
            assert_eq!(Some(*sum), group[key].as_u64(), "{level} {key}");
        }
        if level == "male" {
            let ratio = events / expected_events;
            close("O:E of men", ratio, number(group, "/o_e"), 1e-8);
        }
    }
}
