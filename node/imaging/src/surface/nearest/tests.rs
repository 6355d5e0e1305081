//! Each way to the nearest point against all points.

use super::*;

/// The next number of a stream, below `bound`.
fn below(state: &mut u64, bound: usize) -> usize {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize % bound
}

fn random(shape: [usize; 3], points: usize, state: &mut u64) -> Rows {
    let mut rows = Rows::empty(shape);
    for _ in 0..points {
        let [x, y, z] = shape.map(|extent| below(state, extent));
        rows.row_mut(y, z)[x / BITS] |= 1 << (x % BITS);
    }
    rows
}

fn points(rows: &Rows) -> Vec<[usize; 3]> {
    let mut points = Vec::new();
    rows.each(|at| points.push(at));
    points
}

/// A set, the points it is asked for, and their squared distances from it.
struct Case {
    from: Rows,
    to: Rows,
    spacing: [f64; 3],
}

impl Case {
    fn new(state: &mut u64) -> Self {
        let extents = [[200, 30, 12], [40, 9, 30], [500, 3, 1], [3, 80, 40]][below(state, 4)];
        let shape = extents.map(|extent| 1 + below(state, extent));
        let (many, few) = (1 + below(state, 400), 1 + below(state, 60));
        Self {
            from: random(shape, many, state),
            to: random(shape, few, state),
            spacing: [0; 3].map(|_| [0.25, 0.7, 1.0, 3.0][below(state, 4)]),
        }
    }

    fn squared(&self, steps: [usize; 3]) -> f64 {
        let part = |axis: usize| (real(steps[axis]) * self.spacing[axis]).powi(2);
        part(0) + part(1) + part(2)
    }

    /// Asserts that `steps` lead to a point of the set, and that none is nearer.
    fn check(&self, way: &str, at: [usize; 3], steps: [usize; 3]) {
        let apart = |point: [usize; 3]| [0, 1, 2].map(|axis| point[axis].abs_diff(at[axis]));
        let all: Vec<[usize; 3]> = points(&self.to).into_iter().map(apart).collect();
        assert!(
            all.contains(&steps),
            "{way}: no point {steps:?} from {at:?}"
        );
        let least = all.iter().map(|steps| self.squared(*steps));
        let least = least.fold(f64::INFINITY, f64::min);
        let found = self.squared(steps);
        assert!(
            found <= least * (1.0 + 1e-12),
            "{way}: {found}, not {least}, from {at:?}"
        );
    }
}

#[test]
fn every_way_leads_to_the_nearest_point() {
    let mut state = 5;
    let mut seen = 0;
    for _ in 0..400 {
        let case = Case::new(&mut state);
        let squares = Squares::new(case.to.shape, case.spacing);
        let mut around = Around::new(&case.to, &squares, case.spacing);
        let mut pyramid = Pyramid::new(&case.to, &squares);
        for at in points(&case.from) {
            if let Some(steps) = around.nearest(at) {
                case.check("around", at, steps);
                seen += 1;
            }
            case.check("pyramid", at, pyramid.nearest(at).unwrap());
        }
        let sweep = Sweep::new(&case.to, &squares, case.spacing);
        let mut swept = Vec::new();
        for column in 0..case.from.shape[0].div_ceil(BITS) {
            sweep.column(&case.from, column, &mut |at, steps| swept.push((at, steps)));
        }
        let mut all = Vec::new();
        each_nearest(&case.from, &case.to, case.spacing, |at, steps| {
            all.push((at, steps))
        });
        for (way, mut found) in [("sweep", swept), ("all", all)] {
            for (at, steps) in &found {
                case.check(way, *at, *steps);
            }
            found.sort_unstable_by_key(|([x, y, z], _)| [*z, *y, *x]);
            let visited: Vec<[usize; 3]> = found.into_iter().map(|(at, _)| at).collect();
            assert_eq!(visited, points(&case.from), "{way}");
        }
    }
    assert!(seen > 10_000, "{seen} points were seen around");
}

#[test]
fn an_empty_set_is_near_nothing() {
    let mut state = 1;
    let from = random([70, 5, 5], 40, &mut state);
    let none = Rows::empty([70, 5, 5]);
    each_nearest(&from, &none, [1.0; 3], |at, _| panic!("{at:?}"));
    each_nearest(&none, &from, [1.0; 3], |at, _| panic!("{at:?}"));
}
