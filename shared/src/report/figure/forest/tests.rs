//! The classic faults of forest plots, each against a committed drawing of a fixed input:
//! wording and level of the interval, the scale in the head, arrows for clipped intervals, and
//! the width. `FEDVAL_BLESS=1` writes the drawings anew.

use super::*;

fn site(label: &str, point: (f64, f64, f64), weight: f64) -> ForestRow {
    let (estimate, low, high) = point;
    ForestRow::Site {
        label: label.to_owned(),
        n: "40 / 120".to_owned(),
        point: Some((estimate, Some((low, high)))),
        text: format!("{estimate:.2} ({low:.2} to {high:.2})"),
        weight: Some(weight),
        last: format!("{weight:.1}%"),
        apart: false,
        without: None,
    }
}

fn plot(width: f64, log: bool, rows: Vec<ForestRow>) -> Forest {
    Forest {
        id: "golden".to_owned(),
        title: "Forest plot".to_owned(),
        description: "Two hospitals and their mean.".to_owned(),
        width,
        row_label: "Hospital".to_owned(),
        n_label: "Events / n".to_owned(),
        estimate_label: "AUC (95% CI)".to_owned(),
        scale_label: if log {
            "logarithmic scale"
        } else {
            "linear scale"
        }
        .to_owned(),
        last_label: "Weight".to_owned(),
        axis: Axis {
            low: 0.5,
            high: 1.0,
            ticks: vec![(0.5, "0.5".to_owned()), (1.0, "1.0".to_owned())],
            log,
            label: "AUC".to_owned(),
            references: vec![(0.5, String::new())],
        },
        rows,
    }
}

fn rows() -> Vec<ForestRow> {
    vec![
        site("North", (0.8, 0.7, 0.9), 20.0),
        site("South", (0.7, 0.6, 0.8), 80.0),
        ForestRow::Pool {
            label: "Random-effects mean, k = 2".to_owned(),
            n: "80 / 240".to_owned(),
            point: (0.75, 0.65, 0.85),
            text: "0.75 (0.65 to 0.85)".to_owned(),
        },
        ForestRow::Prediction {
            label: "95% prediction interval".to_owned(),
            ends: (0.55, 0.95),
            text: "(0.55 to 0.95)".to_owned(),
        },
    ]
}

#[allow(
    clippy::disallowed_methods,
    reason = "drawings are compared with committed ones"
)]
fn golden(name: &str, drawn: &str) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/figure/golden");
    let path = std::path::Path::new(folder).join(name);
    if std::env::var("FEDVAL_BLESS").is_ok_and(|value| value == "1") {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(&path, format!("{drawn}\n")).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(drawn, kept.trim_end(), "{name}: FEDVAL_BLESS=1 rewrites it");
}

/// The `nth` attribute of that name as a number.
fn numbers(svg: &str, attribute: &str) -> Vec<f64> {
    svg.split(&format!(" {attribute}=\""))
        .skip(1)
        .filter_map(|rest| rest.split('"').next()?.parse().ok())
        .collect()
}

#[test]
fn the_head_names_the_interval_and_the_scale() {
    let drawn = plot(FULL, false, rows()).draw();
    golden("forest-head.svg", &drawn);
    assert!(drawn.contains(">AUC (95% CI)<") && !drawn.contains("95%-CI"));
    assert!(drawn.contains(">linear scale<"));
    let log = plot(FULL, true, rows()).draw();
    golden("forest-log.svg", &log);
    assert!(log.contains(">logarithmic scale<"));
}

#[test]
fn an_interval_beyond_the_axis_ends_in_an_arrow() {
    let inside = plot(FULL, false, rows()).draw();
    let mut clipped = rows();
    clipped.push(site("Both ways", (0.75, 0.2, 1.4), 10.0));
    clipped.push(ForestRow::Prediction {
        label: "95% prediction interval".to_owned(),
        ends: (0.3, 0.9),
        text: "(0.30 to 0.90)".to_owned(),
    });
    let drawn = plot(FULL, false, clipped).draw();
    golden("forest-arrows.svg", &drawn);
    let heads = |svg: &str| svg.matches("<polygon").count();
    assert_eq!(heads(&drawn), heads(&inside) + 3);
    // What lies beyond the axis is not drawn beyond it.
    let (left, right) = Layout::of(FULL, 6, false).plot;
    let ends = numbers(&drawn, "x1")
        .into_iter()
        .chain(numbers(&drawn, "x2"));
    let bars: Vec<f64> = ends.filter(|x| *x > 0.0 && *x < FULL).collect();
    assert!(bars.iter().all(|x| (left - 0.1..=right + 0.1).contains(x)));
}

#[test]
fn the_width_is_the_callers() {
    let drawn = plot(620.0, false, rows()).draw();
    golden("forest-width.svg", &drawn);
    assert!(drawn.contains("viewBox=\"0 0 620 ") && drawn.contains(" width=\"620\""));
    let widest = numbers(&drawn, "x").into_iter().fold(0.0, f64::max);
    assert!(widest <= 620.0, "{widest}");
}

#[test]
fn the_area_of_a_square_is_the_weight() {
    let drawn = plot(FULL, false, rows()).draw();
    let sides: Vec<f64> = drawn
        .split("<rect ")
        .skip(1)
        .flat_map(|rest| numbers(&format!(" {rest}"), "width"))
        .take(2)
        .collect();
    let ratio = (sides[1] * sides[1]) / (sides[0] * sides[0]);
    assert!((ratio - 4.0).abs() < 0.2, "{sides:?}");
    assert!(drawn.contains("data-pool"), "the diamond");
}
