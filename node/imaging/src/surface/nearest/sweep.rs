//! The nearest points for many points of a few columns at once: along the rows, then across the
//! rows of a plane, then across the planes. Each step finds, for every place of a line, which of
//! the answers of the step before is nearest: the lower envelope of parabolas (Felzenszwalb and
//! Huttenlocher 2012, doi:10.4086/toc.2012.v008a019).
//!
//! From: `nearest`.
//! To: `nearest`.

use super::{Squares, real};
use crate::surface::rows::{BITS, Rows, each_bit};

/// Answers within planes that are kept at a time: 4 MiB.
const KEPT: usize = 1 << 19;

/// The nearest point within a plane: steps along its row, and the row.
#[derive(Clone, Copy, Default)]
struct InPlane {
    steps: u32,
    y: u32,
}

/// A set of points, ready to be swept.
pub(super) struct Sweep<'a> {
    to: &'a Rows,
    squares: &'a Squares,
    spacing: [f64; 3],
    /// Planes with points, and their rows with points.
    planes: Vec<(usize, Vec<usize>)>,
}

impl<'a> Sweep<'a> {
    /// The points of `to`.
    pub(super) fn new(to: &'a Rows, squares: &'a Squares, spacing: [f64; 3]) -> Self {
        let [_, height, depth] = to.shape;
        let is_filled = |y: usize, z: usize| to.row(y, z).iter().any(|word| *word != 0);
        let planes = (0..depth).map(|z| (z, (0..height).filter(|y| is_filled(*y, z)).collect()));
        Self {
            to,
            squares,
            spacing,
            planes: planes
                .filter(|(_, rows): &(_, Vec<_>)| !rows.is_empty())
                .collect(),
        }
    }

    /// What sweeping 64 columns costs in which the points of these `lines` are open.
    pub(super) fn steps(&self, lines: &[u64]) -> usize {
        let wanted = lines.iter().filter(|line| **line != 0).count();
        let rows: usize = self.planes.iter().map(|(_, rows)| rows.len()).sum();
        let columns = lines.iter().fold(0, |any, line| any | line).count_ones() as usize;
        columns * (rows + wanted * self.planes.len())
    }

    /// Calls `visit` with each open point of the 64 columns `column`, and the steps along each axis
    /// to the nearest point; never, where there is none.
    pub(super) fn column(
        &self,
        open: &Rows,
        column: usize,
        visit: &mut impl FnMut([usize; 3], [usize; 3]),
    ) {
        let lines = super::lines(open, column);
        let mut columns = lines.iter().fold(0, |any, line| any | line);
        let kept = self.planes.len() * lines.len();
        let at_once = (KEPT / kept.max(1)).max(1);
        while columns != 0 {
            let mut chosen = Vec::new();
            each_bit(columns, |bit| chosen.push(bit));
            chosen.truncate(at_once);
            for bit in &chosen {
                columns &= !(1 << bit);
            }
            self.strip(open, (column, &chosen), &lines, visit);
        }
    }

    /// The same for some of the columns.
    fn strip(
        &self,
        open: &Rows,
        (column, chosen): (usize, &[usize]),
        lines: &[u64],
        visit: &mut impl FnMut([usize; 3], [usize; 3]),
    ) {
        // By row first, so that the answers of one line across the planes lie together.
        let row = self.planes.len() * chosen.len();
        let mut answers = vec![InPlane::default(); lines.len() * row];
        let mut envelope = Envelope::new(self.spacing[1]);
        for (plane, filled) in self.planes.iter().enumerate() {
            for (place, bit) in chosen.iter().enumerate() {
                let x = column * BITS + bit;
                self.across_rows(filled, x, lines, &mut envelope, |y, answer| {
                    answers[y * row + plane * chosen.len() + place] = answer;
                });
            }
        }
        let mut envelope = Envelope::new(self.spacing[2]);
        for (y, line) in lines.iter().enumerate() {
            for (place, bit) in chosen.iter().enumerate() {
                if line >> bit & 1 == 0 {
                    continue;
                }
                let answer = |plane: usize| answers[y * row + plane * chosen.len() + place];
                self.across_planes(y, answer, &mut envelope);
                for z in 0..self.to.shape[2] {
                    if open.row(y, z)[column] >> bit & 1 == 0 {
                        continue;
                    }
                    if let Some((plane_z, plane)) = envelope.lowest(z) {
                        let InPlane { steps, y: row_y } = answer(plane);
                        let steps = [
                            steps as usize,
                            y.abs_diff(row_y as usize),
                            z.abs_diff(plane_z),
                        ];
                        visit([column * BITS + bit, y, z], steps);
                    }
                }
            }
        }
    }

    /// Fills `envelope` with the answers of all planes to one line.
    fn across_planes(&self, y: usize, answer: impl Fn(usize) -> InPlane, envelope: &mut Envelope) {
        envelope.clear();
        for (plane, (z, _)) in self.planes.iter().enumerate() {
            let found = answer(plane);
            let along = self.squares.of(0, found.steps as usize);
            let across = self.squares.of(1, y.abs_diff(found.y as usize));
            envelope.push(*z, along + across, plane);
        }
    }

    /// Calls `keep` with the nearest point of a plane from (x, y), for every y in which a point is
    /// open.
    fn across_rows(
        &self,
        (z, rows): &(usize, Vec<usize>),
        x: usize,
        lines: &[u64],
        envelope: &mut Envelope,
        mut keep: impl FnMut(usize, InPlane),
    ) {
        envelope.clear();
        for y in rows {
            if let Some(steps) = self.to.along(x, *y, *z) {
                envelope.push(*y, self.squares.of(0, steps), steps);
            }
        }
        for (y, line) in lines.iter().enumerate() {
            if *line == 0 {
                continue;
            }
            if let Some((place, steps)) = envelope.lowest(y) {
                let narrow = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
                keep(
                    y,
                    InPlane {
                        steps: narrow(steps),
                        y: narrow(place),
                    },
                );
            }
        }
    }
}

/// One parabola of an envelope.
struct Parabola {
    place: usize,
    /// Its value at its place, square millimetres.
    value: f64,
    /// What it stands for.
    answer: usize,
    /// From where on it is the lowest.
    from: f64,
}

/// The lower envelope of parabolas `value + spacing^2 (place - at)^2`.
struct Envelope {
    squared: f64,
    lowest: Vec<Parabola>,
    /// The last one asked for.
    cursor: usize,
}

impl Envelope {
    fn new(spacing: f64) -> Self {
        Self {
            squared: spacing * spacing,
            lowest: Vec::new(),
            cursor: 0,
        }
    }

    fn clear(&mut self) {
        self.lowest.clear();
        self.cursor = 0;
    }

    /// Adds a parabola whose place lies beyond all others.
    fn push(&mut self, place: usize, value: f64, answer: usize) {
        let mut from = f64::NEG_INFINITY;
        while let Some(last) = self.lowest.last() {
            let (apart, middle) = (real(place - last.place), real(place + last.place) / 2.0);
            from = middle + (value - last.value) / (2.0 * self.squared * apart);
            if from > last.from {
                break;
            }
            self.lowest.pop();
            from = f64::NEG_INFINITY;
        }
        self.lowest.push(Parabola {
            place,
            value,
            answer,
            from,
        });
    }

    /// Place and answer of the lowest parabola at `at`, which never goes back.
    fn lowest(&mut self, at: usize) -> Option<(usize, usize)> {
        let at = real(at);
        while self
            .lowest
            .get(self.cursor + 1)
            .is_some_and(|next| next.from < at)
        {
            self.cursor += 1;
        }
        let lowest = self.lowest.get(self.cursor)?;
        Some((lowest.place, lowest.answer))
    }
}
