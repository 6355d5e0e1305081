//! How much surface passes between eight voxels, or how much contour between four.
//!
//! The surface between the centres of eight voxels that are inside or outside is that of marching
//! cubes (Lorensen and Cline 1987, doi:10.1145/37402.37422) with its vertices half-way along the
//! edges, as Nikolov et al. (2021, doi:10.2196/26151) weigh surface distances. Two choices make
//! it definite, and both were found to give the areas of their tool: on a face whose corners are
//! inside crosswise, those corners are cut off by themselves of which there are fewer among the
//! eight (the inside ones where there are four of each); and a polygon that does not lie in one
//! plane is cut into triangles so that it is largest at equal spacing.
//!
//! From: the spacing.
//! To: `surface`.

/// Corners of the cube, by bit of a pattern: bit `x + 2 y + 4 z`.
fn corner(bit: usize) -> [i32; 3] {
    [bit & 1, bit >> 1 & 1, bit >> 2 & 1].map(|one| i32::from(one == 1))
}

/// A point half-way along an edge, in half voxels.
type Point = [i32; 3];

fn half_way(a: usize, b: usize) -> Point {
    let (a, b) = (corner(a), corner(b));
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

/// Surface of every pattern of eight voxels in square millimetres: areas, by pattern.
pub(super) fn areas(spacing: [f64; 3]) -> Vec<f64> {
    (0..=u8::MAX)
        .map(|pattern| area(pattern, spacing))
        .collect()
}

/// Contour of every pattern of four voxels in a plane, millimetres, by pattern; a pattern of eight
/// voxels is that of its lower four.
pub(super) fn lengths([sx, sy, _]: [f64; 3]) -> Vec<f64> {
    let slant = 0.5 * (sx * sx + sy * sy).sqrt();
    let length = |pattern: u8| match pattern & 15 {
        0b0000 | 0b1111 => 0.0,
        // Two voxels side by side along x, or along y.
        0b0011 | 0b1100 => sx,
        0b0101 | 0b1010 => sy,
        0b0110 | 0b1001 => 2.0 * slant,
        // One voxel, or all but one.
        _ => slant,
    };
    (0..=u8::MAX).map(length).collect()
}

fn area(pattern: u8, spacing: [f64; 3]) -> f64 {
    let loops = polygons(pattern);
    loops.iter().map(|one| largest(one, spacing)).sum()
}

/// The polygons of a pattern, each a closed walk over edges of the cube.
fn polygons(pattern: u8) -> Vec<Vec<Point>> {
    let mut segments = segments(pattern);
    let mut loops = Vec::new();
    while let Some((start, mut at)) = segments.pop() {
        let mut walk = vec![start];
        while at != start {
            walk.push(at);
            let Some(next) = segments.iter().position(|(a, b)| *a == at || *b == at) else {
                break;
            };
            let (a, b) = segments.swap_remove(next);
            at = if a == at { b } else { a };
        }
        loops.push(walk);
    }
    loops
}

/// Where the surface crosses the six faces.
fn segments(pattern: u8) -> Vec<(Point, Point)> {
    let inside = |bit: usize| pattern >> bit & 1 == 1;
    let alone = pattern.count_ones() <= 4;
    let mut found = Vec::new();
    for axis in 0..3 {
        let (u, v) = (1 << ((axis + 1) % 3), 1 << ((axis + 2) % 3));
        for side in [0, 1 << axis] {
            let face = [side, side + u, side + u + v, side + v];
            let changes: Vec<usize> = (0..4)
                .filter(|at| inside(face[*at]) != inside(face[(at + 1) % 4]))
                .collect();
            let middle = |at: usize| half_way(face[at], face[(at + 1) % 4]);
            if let [a, b] = changes.as_slice() {
                found.push((middle(*a), middle(*b)));
            } else if changes.len() == 4 {
                // Corner `at` lies between the edges before and after it.
                let cut = (0..4).filter(|at| inside(face[*at]) == alone);
                found.extend(cut.map(|at| (middle((at + 3) % 4), middle(at))));
            }
        }
    }
    found
}

/// The area of a polygon cut so that it is largest at equal spacing.
fn largest(polygon: &[Point], spacing: [f64; 3]) -> f64 {
    let equal = |a, b, c| triangle([a, b, c], [1.0; 3]);
    let own = |a, b, c| triangle([a, b, c], spacing);
    cut(polygon, &equal, &own).1
}

/// The best way to cut a polygon: its areas at equal spacing and at the volume's own.
fn cut(
    polygon: &[Point],
    equal: &impl Fn(Point, Point, Point) -> f64,
    own: &impl Fn(Point, Point, Point) -> f64,
) -> (f64, f64) {
    let [first, .., last] = polygon else {
        return (0.0, 0.0);
    };
    let mut best = (-1.0, 0.0);
    for middle in 1..polygon.len() - 1 {
        let apex = polygon[middle];
        let left = cut(&polygon[..=middle], equal, own);
        let right = cut(&polygon[middle..], equal, own);
        let whole = (
            left.0 + right.0 + equal(*first, apex, *last),
            left.1 + right.1 + own(*first, apex, *last),
        );
        // Ways that are equally large up to rounding give the same area at any spacing.
        if whole.0 > best.0 + 1e-9 {
            best = whole;
        }
    }
    if best.0 < 0.0 { (0.0, 0.0) } else { best }
}

fn triangle(points: [Point; 3], spacing: [f64; 3]) -> f64 {
    let [a, b, c] = points.map(|point| {
        let mut place = [0.0; 3];
        for axis in 0..3 {
            place[axis] = f64::from(point[axis]) / 2.0 * spacing[axis];
        }
        place
    });
    let (u, v) = (difference(b, a), difference(c, a));
    let cross = [
        u[1] * v[2] - u[2] * v[1],
        u[2] * v[0] - u[0] * v[2],
        u[0] * v[1] - u[1] * v[0],
    ];
    0.5 * (cross[0] * cross[0] + cross[1] * cross[1] + cross[2] * cross[2]).sqrt()
}

fn difference(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corner_an_edge_and_a_face_have_their_plain_areas() {
        let areas = areas([1.0; 3]);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        close(areas[0], 0.0);
        close(areas[255], 0.0);
        close(areas[1], 3.0_f64.sqrt() / 8.0);
        close(areas[0b11], 0.5_f64.sqrt());
        close(areas[0b1111], 1.0);
        for pattern in 0..=255_u8 {
            close(areas[usize::from(pattern)], areas[usize::from(!pattern)]);
        }
    }
}
