//! How much surface passes between eight voxels, or how much contour between four.
//!
//! The surface is that of marching cubes (Lorensen and Cline 1987, doi:10.1145/37402.37422) with
//! its vertices half-way between voxel centres, as Nikolov et al. (2021, doi:10.2196/26151) weigh
//! distances with it. Two choices make it definite. They are the only ones of those tried that
//! give the areas of that paper's program, and they treat inside and outside, axes and directions
//! alike, so that a mirrored mask has the same surface:
//!
//! - On a face whose corners are inside crosswise, the corners of the rarer kind among the eight
//!   are cut off one by one (where there are four of each, either way gives the same area).
//! - A polygon that lies in no plane is cut into the triangles that are largest at equal spacing,
//!   whatever the spacing is.
//!
//! From: the spacing.
//! To: `tally`.

use std::sync::LazyLock;

/// A corner of the cube or, between two of them, the middle of its edge: twice its coordinates.
type Point = [i32; 3];

type Triangle = [Point; 3];

/// Sizes by pattern of voxels.
pub(super) struct Sizes {
    /// Ascending.
    distinct: Vec<f64>,
    /// For each pattern the place of its size.
    class: [u8; 256],
}

impl Sizes {
    /// Surface by pattern of eight voxels: bit `dx + 2 dy + 4 dz`.
    pub(super) fn areas(spacing: [f64; 3]) -> Self {
        /// The triangles of each pattern, which no spacing changes.
        static TRIANGLES: LazyLock<Vec<Vec<Triangle>>> =
            LazyLock::new(|| (0..=u8::MAX).map(triangles).collect());
        Self::of(|pattern| {
            let triangles = TRIANGLES.get(usize::from(pattern)).into_iter().flatten();
            triangles.map(|one| area(*one, spacing)).sum()
        })
    }

    /// Contour by pattern of four voxels in a plane: bit `dx + 2 dy`; higher bits are ignored.
    pub(super) fn lengths([sx, sy, _]: [f64; 3]) -> Self {
        let slanted = (sx * sx + sy * sy).sqrt() / 2.0;
        Self::of(|pattern| match pattern & 0b1111 {
            0b0000 | 0b1111 => 0.0,
            // A straight line along x, or along y.
            0b0011 | 0b1100 => sx,
            0b0101 | 0b1010 => sy,
            // Crosswise: two corners cut off.
            0b0110 | 0b1001 => 2.0 * slanted,
            _ => slanted,
        })
    }

    /// The different sizes; square millimetres, in a plane millimetres.
    pub(super) fn distinct(&self) -> &[f64] {
        &self.distinct
    }

    /// Which of the different sizes a pattern has.
    pub(super) fn class(&self, pattern: u8) -> u8 {
        self.class[usize::from(pattern)]
    }

    fn of(size: impl Fn(u8) -> f64) -> Self {
        let sizes: Vec<f64> = (0..=u8::MAX).map(size).collect();
        let mut distinct = sizes.clone();
        distinct.sort_unstable_by(f64::total_cmp);
        distinct.dedup();
        let place = |size: f64| distinct.partition_point(|one| *one < size);
        let mut class = [0; 256];
        for (class, size) in class.iter_mut().zip(sizes) {
            *class = u8::try_from(place(size)).unwrap_or(u8::MAX);
        }
        Self { distinct, class }
    }
}

/// The polygons of a pattern, each a closed walk over middles of edges.
fn polygons(pattern: u8) -> Vec<Vec<Point>> {
    let mut lines = lines(pattern);
    let mut polygons = Vec::new();
    while let Some([start, mut end]) = lines.pop() {
        let mut walk = vec![start];
        while end != start {
            walk.push(end);
            let Some(next) = lines.iter().position(|line| line.contains(&end)) else {
                break;
            };
            let [a, b] = lines.swap_remove(next);
            end = if a == end { b } else { a };
        }
        polygons.push(walk);
    }
    polygons
}

/// The lines in which the surface meets the six faces of the cube.
fn lines(pattern: u8) -> Vec<[Point; 2]> {
    let is_inside = |corner: usize| pattern >> corner & 1 == 1;
    let rarer = pattern.count_ones() <= 4;
    let place = |corner: usize| [0, 1, 2].map(|axis| i32::from(corner >> axis & 1 == 1));
    let mut lines = Vec::new();
    for axis in 0..3 {
        let (u, v) = (1 << ((axis + 1) % 3), 1 << ((axis + 2) % 3));
        for side in [0, 1 << axis] {
            // Around the face; edge `i` joins corners `i` and `i + 1`.
            let around = [side, side + u, side + u + v, side + v];
            let corner = |at: usize| around[at % 4];
            let middle = |edge: usize| {
                let (a, b) = (place(corner(edge)), place(corner(edge + 1)));
                [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
            };
            let crossed: Vec<usize> = (0..4)
                .filter(|edge| is_inside(corner(*edge)) != is_inside(corner(edge + 1)))
                .collect();
            match crossed.as_slice() {
                [one, other] => lines.push([middle(*one), middle(*other)]),
                [_, _, _, _] => {
                    let cut = (0..4).filter(|at| is_inside(corner(*at)) == rarer);
                    lines.extend(cut.map(|at| [middle(at + 3), middle(at)]));
                }
                _ => {}
            }
        }
    }
    lines
}

/// The surface between the voxels of a pattern.
fn triangles(pattern: u8) -> Vec<Triangle> {
    let polygons = polygons(pattern);
    polygons.iter().flat_map(|one| largest_cut(one).1).collect()
}

/// The cut of a polygon into triangles whose area at equal spacing is largest, and that area.
fn largest_cut(polygon: &[Point]) -> (f64, Vec<Triangle>) {
    let mut best = (0.0, Vec::new());
    let [first, .., last] = polygon else {
        return best;
    };
    for apex in 1..polygon.len() - 1 {
        let (left, mut cut) = largest_cut(&polygon[..=apex]);
        let (right, rest) = largest_cut(&polygon[apex..]);
        let middle = [*first, polygon[apex], *last];
        let whole = left + right + area(middle, [1.0; 3]);
        // Cuts that tie up to rounding have the same area at any spacing.
        if whole > best.0 + 1e-9 {
            cut.extend(rest);
            cut.push(middle);
            best = (whole, cut);
        }
    }
    best
}

/// The area of a triangle.
fn area([a, b, c]: Triangle, spacing: [f64; 3]) -> f64 {
    // Coordinates are doubled.
    let along = |to: Point, axis: usize| f64::from(to[axis] - a[axis]) / 2.0 * spacing[axis];
    let part = |axis: usize| {
        let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
        along(b, u) * along(c, v) - along(b, v) * along(c, u)
    };
    let [x, y, z] = [part(0), part(1), part(2)];
    (x * x + y * y + z * z).sqrt() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(sizes: &Sizes, pattern: u8) -> f64 {
        sizes.distinct[usize::from(sizes.class[usize::from(pattern)])]
    }

    fn close(found: f64, expected: f64) {
        let apart = (found - expected).abs();
        assert!(apart <= 1e-12 * expected.abs(), "{found}, not {expected}");
    }

    #[test]
    fn plain_shapes_have_their_plain_areas() {
        let areas = Sizes::areas([1.0; 3]);
        for (pattern, expected) in [
            (0, 0.0),
            (0b1, 3.0_f64.sqrt() / 8.0),
            (0b11, 0.5_f64.sqrt()),
            (0b1111, 1.0),
            (0b0110, 3.0_f64.sqrt() / 4.0),
            (0b1_0111, 27.0_f64.sqrt() / 4.0),
        ] {
            close(size(&areas, pattern), expected);
            close(size(&areas, !pattern), expected);
        }
    }

    /// Sums of the areas of all patterns, and of their squares, in surface-distance 0.1.
    #[test]
    fn areas_are_those_of_the_program_that_introduced_them() {
        for (spacing, sum, squares) in [
            (
                [1.0, 1.0, 1.0],
                241.343_139_705_537_45,
                267.052_339_597_163_5,
            ),
            (
                [0.7, 1.3, 2.9],
                591.662_296_892_075_7,
                1_655.139_262_360_431_5,
            ),
            (
                [0.75, 0.75, 2.5],
                371.033_356_589_775_96,
                642.033_137_485_272_8,
            ),
        ] {
            let areas = Sizes::areas(spacing);
            let all = (0..=u8::MAX).map(|pattern| size(&areas, pattern));
            close(all.clone().sum(), sum);
            close(all.map(|area| area * area).sum(), squares);
        }
    }

    #[test]
    fn a_mirrored_or_turned_pattern_has_the_same_area() {
        let spacing = [0.7, 1.3, 2.9];
        let areas = Sizes::areas(spacing);
        let turned = Sizes::areas([spacing[1], spacing[2], spacing[0]]);
        for pattern in 0..=u8::MAX {
            let moved = |to: &dyn Fn(usize) -> usize| {
                let corners = (0..8).filter(|corner| pattern >> corner & 1 == 1);
                corners.fold(0_u8, |moved, corner| moved | 1 << to(corner))
            };
            for mirror in 1..8 {
                close(
                    size(&areas, moved(&|corner| corner ^ mirror)),
                    size(&areas, pattern),
                );
            }
            let turn = moved(&|corner| corner >> 1 | (corner & 1) << 2);
            close(size(&turned, turn), size(&areas, pattern));
        }
    }

    #[test]
    fn a_contour_is_measured_along_its_lines() {
        let lengths = Sizes::lengths([0.3, 0.4, 9.0]);
        for (pattern, expected) in [(0, 0.0), (1, 0.25), (3, 0.3), (5, 0.4), (6, 0.5), (7, 0.25)] {
            close(size(&lengths, pattern), expected);
            close(size(&lengths, !pattern), expected);
            close(size(&lengths, pattern | pattern << 4), expected);
        }
    }
}
