//! Surfaces of two masks under every convention, at the sizes of the imaging page. Masks are
//! ellipsoids with a hole and a far piece, made here; `peers/surface.py` makes the same ones.
//!
//! From: this file's solids.
//! To: criterion's files.

#![allow(missing_docs, reason = "a program")]
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a bench stops at the first fault"
)]

mod cpu;

use std::hint::black_box;

use cpu::Cpu;
use criterion::{BenchmarkId, Criterion};
use imaging::geometry::Geometry;
use imaging::mask::Region;
use imaging::segmentation::{Segmentation, Voxels};
use imaging::surface::{Overlap, compare};

/// Volumes: voxels and millimetres between them.
const SIZES: [([usize; 3], [f64; 3]); 5] = [
    ([64, 64, 64], [1.0, 1.0, 1.0]),
    ([128, 128, 128], [1.0, 1.0, 1.0]),
    ([128, 128, 64], [0.75, 0.75, 2.5]),
    ([256, 256, 256], [1.0, 1.0, 1.0]),
    ([512, 512, 300], [0.75, 0.75, 1.5]),
];

/// An organ of about a third of the volume in each direction, moved by `shift` of its size, with
/// a hollow, and a small piece far from it.
fn organ(shape: [usize; 3], spacing: [f64; 3], shift: f64) -> Segmentation {
    let size = shape.map(|n| n as f64);
    let inside = |at: [usize; 3], centre: [f64; 3], radius: [f64; 3]| {
        let part = |a: usize| (at[a] as f64 / size[a] - centre[a]) / radius[a];
        part(0) * part(0) + part(1) * part(1) + part(2) * part(2) <= 1.0
    };
    let middle = [0.48 + shift, 0.47 - shift, 0.51 + shift / 2.0];
    let mut labels = Vec::with_capacity(shape.iter().product());
    for z in 0..shape[2] {
        for y in 0..shape[1] {
            for x in 0..shape[0] {
                let at = [x, y, z];
                let organ = inside(at, middle, [0.31, 0.27, 0.34])
                    && !inside(at, [0.57, 0.5, 0.47], [0.08, 0.07, 0.09]);
                let piece = inside(at, [0.12 + shift, 0.81, 0.81], [0.05, 0.05, 0.05]);
                labels.push(u16::from(organ || piece));
            }
        }
    }
    Segmentation {
        is_open: false,
        geometry: Geometry {
            shape,
            spacing,
            affine: None,
        },
        voxels: Voxels::Labels(labels),
    }
}

fn main() {
    let mut criterion: Criterion<Cpu> = cpu::criterion();
    // The form that CI tries takes the small ones.
    let all = std::env::args().any(|word| word == "--bench");
    for (shape, spacing) in SIZES.into_iter().take(if all { SIZES.len() } else { 1 }) {
        let (truth, prediction) = (organ(shape, spacing, 0.0), organ(shape, spacing, 0.01));
        let name = format!("{}x{}x{}", shape[0], shape[1], shape[2]);
        criterion.bench_with_input(BenchmarkId::new("surfaces", name), &shape, |bench, _| {
            bench.iter(|| {
                let extents = [&truth, &prediction].map(|one| one.extent(black_box(&[1])).unwrap());
                let region: Region = extents[0].union(extents[1]);
                let masks = [&truth, &prediction].map(|one| one.structure(&[1], region));
                let overlap = Overlap::of(&masks[0], &masks[1]);
                let surface = compare(&masks[0], &masks[1], spacing, false, &[2.0]).unwrap();
                (overlap.both, surface.hd95.max_of_directed.to_bits())
            });
        });
    }
    criterion.final_summary();
}
