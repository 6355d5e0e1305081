//! The grid that planes of one volume lie on: the order of slices and their distance along the
//! common normal. Positions decide; what the object states about distances only helps where
//! slices are left out.
//!
//! Specification: PS3.3 section C.7.6.2 (image plane).
//!
//! From: `functional`, `series`.
//! To: `seg`, `series`.

use crate::geometry::Geometry;
use crate::limit::Limits;
use crate::refusal::{Reason, Refusal};

/// How far a slice may be from its place on the grid, in slices.
const OFF_GRID: f64 = 0.05;
/// What each slice that is left out adds to that, since distances are written with few digits.
const PER_SLICE: f64 = 5e-4;
/// Largest sum of both.
const OFF_GRID_MAX: f64 = 0.25;
/// How far directions may be from parallel, and first pixels from one line, in pixels.
const NOT_ALIGNED: f64 = 1e-2;
/// Positions closer than this are one slice, millimetres.
const SAME_MM: f64 = 1e-3;

/// A plane in the patient, millimetres; axes point left, posterior, superior.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Plane {
    /// Of the first pixel's centre.
    pub(super) position: [f64; 3],
    pub(super) along_row: [f64; 3],
    pub(super) along_column: [f64; 3],
    /// Between columns, between rows.
    pub(super) spacing: [f64; 2],
    /// Between slices, if stated.
    pub(super) between: Option<f64>,
    /// Thickness of the slice, if stated.
    pub(super) thickness: Option<f64>,
}

impl Plane {
    /// A plane from its parts; `None` where a part is no direction or no length. The standard's
    /// first spacing is between rows.
    pub(super) fn of(position: &[f64], directions: &[f64], spacing: &[f64]) -> Option<Self> {
        let along_row = triple(directions.get(..3)?)?;
        let along_column = triple(directions.get(3..6)?)?;
        let unit = |one: [f64; 3]| (dot(one, one) - 1.0).abs() < NOT_ALIGNED;
        let square = dot(along_row, along_column).abs() < NOT_ALIGNED;
        let (rows, columns) = (*spacing.first()?, *spacing.get(1)?);
        let is_plane =
            unit(along_row) && unit(along_column) && square && rows > 0.0 && columns > 0.0;
        Some(Self {
            position: triple(position)?,
            along_row,
            along_column,
            spacing: [columns, rows],
            between: None,
            thickness: None,
        })
        .filter(|_| is_plane)
    }

    fn normal(&self) -> [f64; 3] {
        let (a, b) = (self.along_row, self.along_column);
        let cross = [
            a[1] * b[2] - a[2] * b[1],
            a[2] * b[0] - a[0] * b[2],
            a[0] * b[1] - a[1] * b[0],
        ];
        let length = dot(cross, cross).sqrt();
        cross.map(|part| part / length)
    }

    /// Whether another plane is a slice of the same volume, whatever its depth.
    fn is_beside(&self, other: &Self, normal: [f64; 3]) -> bool {
        let near = |a: f64, b: f64, by: f64| (a - b).abs() < by;
        let parallel = (0..3).all(|i| {
            near(self.along_row[i], other.along_row[i], NOT_ALIGNED)
                && near(self.along_column[i], other.along_column[i], NOT_ALIGNED)
        });
        let equal = (0..2).all(|i| near(self.spacing[i], other.spacing[i], 1e-4 * self.spacing[i]));
        let way: [f64; 3] = std::array::from_fn(|i| other.position[i] - self.position[i]);
        let depth = dot(way, normal);
        let pixel = self.spacing[0].min(self.spacing[1]);
        let line = (0..3).all(|i| near(way[i], depth * normal[i], NOT_ALIGNED * pixel.max(1.0)));
        parallel && equal && line
    }
}

fn triple(values: &[f64]) -> Option<[f64; 3]> {
    values.get(..3)?.try_into().ok()
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Where planes lie as slices of one volume.
pub(super) struct Grid {
    /// As slices are stored: columns, rows, slices.
    pub(super) geometry: Geometry,
    /// The slice of each plane.
    pub(super) slice: Vec<usize>,
}

impl Grid {
    /// The grid of some planes of `size` columns and rows. Slices may be left out where `gaps`
    /// are allowed; no two planes then need differ.
    ///
    /// # Errors
    /// `incomplete-series` where planes are no slices of one volume, or unevenly spaced;
    /// `too-large`.
    pub(super) fn of(
        planes: &[Plane],
        size: [usize; 2],
        gaps: bool,
        limits: &Limits,
    ) -> Result<Self, Refusal> {
        let incomplete = |why: String| Refusal::new(Reason::IncompleteSeries, why);
        let first = planes
            .first()
            .ok_or_else(|| incomplete("no slices".to_owned()))?;
        let normal = first.normal();
        if !planes.iter().all(|plane| first.is_beside(plane, normal)) {
            let why = "the planes are no parallel slices in one column: they differ in direction \
                       or spacing, or are tilted";
            return Err(incomplete(why.to_owned()));
        }
        let depth = |plane: &Plane| dot(plane.position, normal);
        let mut depths: Vec<f64> = planes.iter().map(depth).collect();
        depths.sort_unstable_by(f64::total_cmp);
        depths.dedup_by(|a, b| (*a - *b).abs() < SAME_MM);
        if !gaps && depths.len() < planes.len() {
            return Err(incomplete("two slices lie in one place".to_owned()));
        }
        let start = depths.first().copied().unwrap_or(0.0);
        let steps = steps(&depths, first, gaps).ok_or_else(|| incomplete(uneven(&depths)))?;
        let geometry = geometry(first, normal, &steps, start, size, limits)?;
        let slice = planes.iter().map(|plane| {
            let place = ((depth(plane) - start) / steps.step).round();
            whole(place).min(steps.last)
        });
        Ok(Self {
            slice: slice.collect(),
            geometry,
        })
    }
}

/// What unevenly spaced slices are refused with: how many, and their gaps.
fn uneven(depths: &[f64]) -> String {
    let gaps = depths.windows(2).map(|pair| pair[1] - pair[0]);
    let (least, most) = gaps.fold((f64::INFINITY, 0.0_f64), |(least, most), gap| {
        (least.min(gap), most.max(gap))
    });
    format!(
        "{} slices are not evenly spaced: {least:.3} to {most:.3} mm apart",
        depths.len()
    )
}

/// The distance of slices, and the place of the last.
struct Steps {
    step: f64,
    last: usize,
    /// Whether no slice has its neighbour beside it.
    sparse: bool,
}

/// The distance that fits ascending positions: what is stated, where positions lie on it, else
/// their smallest gap. Three or more slices that are all equally far apart are neighbours,
/// whatever is stated: some scanners state the gap between slices instead of their distance.
fn steps(depths: &[f64], first: &Plane, gaps: bool) -> Option<Steps> {
    if depths.len() < 2 {
        let step = first.between.or(first.thickness).unwrap_or(1.0);
        return Some(Steps {
            step,
            last: 0,
            sparse: false,
        });
    }
    let smallest = depths
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .fold(f64::INFINITY, f64::min);
    let own = fitted(depths, smallest);
    if !gaps {
        return own.filter(|own| own.last + 1 == depths.len());
    }
    let stated = first.between.and_then(|between| fitted(depths, between));
    match (stated, own) {
        (Some(stated), Some(own)) => {
            let even = depths.len() > 2 && own.last + 1 == depths.len();
            Some(if stated.sparse && even { own } else { stated })
        }
        (stated, own) => stated.or(own),
    }
}

/// The distance near `step` on whose multiples all positions lie.
fn fitted(depths: &[f64], step: f64) -> Option<Steps> {
    let (start, end) = (*depths.first()?, *depths.last()?);
    let mut place = 0.0;
    let mut places = vec![place];
    let mut sparse = true;
    for pair in depths.windows(2) {
        let gap = (pair[1] - pair[0]) / step;
        let slices = gap.round();
        let off = (OFF_GRID + PER_SLICE * slices).min(OFF_GRID_MAX);
        if slices < 1.0 || (gap - slices).abs() > off {
            return None;
        }
        sparse &= slices > 1.0;
        place += slices;
        places.push(place);
    }
    // Over the whole volume the distance is known better than over one gap.
    let step = (end - start) / place;
    let on_grid = depths
        .iter()
        .zip(&places)
        .all(|(depth, place)| ((depth - start) / step - place).abs() <= OFF_GRID_MAX);
    on_grid.then(|| Steps {
        step,
        last: whole(place),
        sparse,
    })
}

fn whole(value: f64) -> usize {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of slices: not negative, and the cast keeps to the largest number"
    )]
    let whole = value.max(0.0) as usize;
    whole
}

fn geometry(
    first: &Plane,
    normal: [f64; 3],
    steps: &Steps,
    start: f64,
    [columns, rows]: [usize; 2],
    limits: &Limits,
) -> Result<Geometry, Refusal> {
    let shape = [columns, rows, steps.last.saturating_add(1)];
    bounded(shape, limits)?;
    let base = dot(first.position, normal);
    let origin: [f64; 3] = std::array::from_fn(|i| first.position[i] + (start - base) * normal[i]);
    // Right, anterior, superior from left, posterior, superior.
    let affine = std::array::from_fn(|row| {
        let turn = if row < 2 { -1.0 } else { 1.0 };
        [
            turn * first.along_row[row] * first.spacing[0],
            turn * first.along_column[row] * first.spacing[1],
            turn * normal[row] * steps.step,
            turn * origin[row],
        ]
    });
    Geometry {
        shape,
        spacing: [first.spacing[0], first.spacing[1], steps.step],
        affine: Some(affine),
    }
    .checked()
}

/// Refuses a volume of more voxels than may be unpacked.
///
/// # Errors
/// `too-large`.
pub(super) fn bounded(shape: [usize; 3], limits: &Limits) -> Result<(), Refusal> {
    let voxels = shape
        .iter()
        .try_fold(1_u64, |all, one| all.checked_mul(*one as u64));
    if voxels.is_none_or(|voxels| voxels > limits.voxels) {
        let [columns, rows, slices] = shape;
        let why = format!("{columns} x {rows} x {slices} voxels");
        return Err(Refusal::new(Reason::TooLarge, why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planes(depths: &[f64], between: Option<f64>) -> Vec<Plane> {
        let plane = |depth: &f64| Plane {
            between,
            thickness: Some(1.0),
            ..Plane::of(
                &[-10.0, 20.0, *depth],
                &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
                &[0.9, 0.7],
            )
            .unwrap()
        };
        depths.iter().map(plane).collect()
    }

    fn grid(depths: &[f64], between: Option<f64>) -> Result<(f64, Vec<usize>), Reason> {
        let grid = Grid::of(&planes(depths, between), [4, 4], true, &Limits::default());
        grid.map(|grid| (grid.geometry.spacing[2], grid.slice))
            .map_err(|refusal| refusal.reason)
    }

    #[test]
    fn slices_are_put_where_their_positions_say() {
        assert_eq!(grid(&[5.0, 0.0, 2.5], None), Ok((2.5, vec![2, 0, 1])));
        // Left out in the middle.
        assert_eq!(grid(&[0.0, 2.5, 10.0], None), Ok((2.5, vec![0, 1, 4])));
        // Only what is stated tells that slices between the two were left out.
        assert_eq!(grid(&[0.0, 5.0], None), Ok((5.0, vec![0, 1])));
        assert_eq!(grid(&[0.0, 5.0], Some(2.5)), Ok((2.5, vec![0, 2])));
        assert_eq!(
            grid(&[0.0, 10.0, 15.0], Some(5.0)),
            Ok((5.0, vec![0, 2, 3]))
        );
        // One slice: what is stated, else the thickness.
        assert_eq!(grid(&[7.0], Some(3.0)), Ok((3.0, vec![0])));
        assert_eq!(grid(&[7.0], None), Ok((1.0, vec![0])));
        // Frames of two segments in one slice.
        assert_eq!(grid(&[0.0, 3.0, 0.0], None), Ok((3.0, vec![0, 1, 0])));
    }

    #[test]
    fn what_is_stated_never_outvotes_positions() {
        // The gap between slices instead of their distance.
        assert_eq!(grid(&[0.0, 6.0, 12.0], Some(1.0)), Ok((6.0, vec![0, 1, 2])));
        assert_eq!(grid(&[0.0, 5.0, 10.0], Some(3.0)), Ok((5.0, vec![0, 1, 2])));
        assert_eq!(grid(&[0.0, 5.0], Some(8.0)), Ok((5.0, vec![0, 1])));
    }

    #[test]
    fn uneven_and_tilted_slices_are_refused() {
        assert_eq!(grid(&[0.0, 2.5, 6.2], None), Err(Reason::IncompleteSeries));
        assert_eq!(grid(&[0.0, 1e-2, 1e9], None), Err(Reason::TooLarge));
        let limits = Limits::default();
        let mut tilted = planes(&[0.0, 2.5, 5.0], None);
        tilted[1].position[1] += 0.4;
        tilted[2].position[1] += 0.8;
        assert!(Grid::of(&tilted, [4, 4], true, &limits).is_err());
        let mut turned = planes(&[0.0, 2.5, 5.0], None);
        turned[2].along_row = [0.0, 1.0, 0.0];
        assert!(Grid::of(&turned, [4, 4], true, &limits).is_err());
    }

    /// A series has every slice, once.
    #[test]
    fn a_series_has_no_gaps() {
        let whole = |depths: &[f64]| {
            Grid::of(&planes(depths, None), [4, 4], false, &Limits::default()).is_ok()
        };
        assert!(whole(&[0.0, 2.5, 5.0]) && whole(&[3.0]));
        assert!(!whole(&[0.0, 2.5, 7.5]) && !whole(&[0.0, 2.5, 2.5]));
    }

    /// Distances written with three digits add up over many slices.
    #[test]
    fn rounded_positions_stay_on_the_grid() {
        let depths: Vec<f64> = (0..400)
            .map(|slice| (f64::from(slice) * 0.703_125 * 1e3).round() / 1e3)
            .collect();
        let (step, slices) = grid(&depths, Some(0.703)).unwrap();
        assert!((step - 0.703_125).abs() < 1e-5, "{step}");
        assert_eq!(slices, (0..400).collect::<Vec<_>>());
        let distant = [0.0, 0.703, 281.25];
        assert_eq!(grid(&distant, Some(0.703)).unwrap().1, [0, 1, 400]);
    }

    #[test]
    fn the_affine_points_right_anterior_superior() {
        let grid = Grid::of(
            &planes(&[100.0, 102.5], None),
            [4, 4],
            true,
            &Limits::default(),
        );
        let expected = [
            [-0.7, 0.0, 0.0, 10.0],
            [0.0, -0.9, 0.0, -20.0],
            [0.0, 0.0, 2.5, 100.0],
        ];
        assert_eq!(grid.unwrap().geometry.affine, Some(expected));
    }
}
