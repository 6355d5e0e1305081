//! Two masks of an organ, from label volumes to every convention of surface distance, at the sizes
//! of hospitals' images: the goal is 2 s and 600 MiB for the largest. The same masks, bit for bit,
//! are made by `peers/surface.py`.
//!
//! From: the solids below.
//! To: criterion's files.

#![allow(missing_docs, reason = "a program")]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "a bench stops at the first fault, and its volumes are small"
)]

mod cpu;

use cpu::Cpu;
use criterion::Criterion;
use imaging::geometry::Geometry;
use imaging::segmentation::{Segmentation, Voxels};
use imaging::surface::{Overlap, Surface, compare};

/// How voxels are set or cleared, and the solid's centre and radii in half voxels.
type Solid = (Act, [i64; 3], [i64; 3]);

#[derive(Clone, Copy, PartialEq)]
enum Act {
    /// Sets an ellipsoid.
    Set,
    /// Clears an ellipsoid.
    Clear,
    /// Clears a box.
    Cut,
}

/// An organ with a hollow, and three pieces away from it.
const TRUTH: [Solid; 5] = [
    (Act::Set, [62, 60, 66], [40, 34, 44]),
    (Act::Clear, [74, 64, 60], [10, 9, 12]),
    (Act::Set, [16, 104, 104], [7, 7, 7]),
    (Act::Set, [108, 20, 24], [5, 5, 6]),
    (Act::Set, [20, 20, 110], [4, 4, 4]),
];
/// The organ somewhat displaced and notched, two of the pieces, and one where there is none.
const PREDICTION: [Solid; 6] = [
    (Act::Set, [64, 62, 64], [38, 36, 43]),
    (Act::Clear, [72, 64, 62], [9, 10, 11]),
    (Act::Set, [18, 103, 105], [6, 8, 7]),
    (Act::Set, [106, 21, 24], [5, 4, 6]),
    (Act::Set, [110, 108, 20], [5, 5, 5]),
    (Act::Cut, [64, 28, 64], [12, 4, 12]),
];

/// Voxels, how much larger than 64 x 64 x 64 the solids are, and spacing in millimetres.
const SIZES: [([usize; 3], [i64; 3], [f64; 3]); 5] = [
    ([64, 64, 64], [1, 1, 1], [1.0, 1.0, 1.0]),
    ([128, 128, 128], [2, 2, 2], [1.0, 1.0, 1.0]),
    ([128, 128, 64], [2, 2, 1], [0.75, 0.75, 2.5]),
    ([256, 256, 256], [4, 4, 4], [1.0, 1.0, 1.0]),
    ([512, 512, 300], [8, 8, 4], [0.75, 0.75, 1.5]),
];

fn volume(
    solids: &[Solid],
    (shape, scale, spacing): ([usize; 3], [i64; 3], [f64; 3]),
) -> Segmentation {
    // Written, and not only promised, so that memory is counted as after reading a file.
    let mut labels = vec![u16::MAX; shape.iter().product()];
    labels.fill(0);
    for (act, centre, radius) in solids {
        let scaled = |of: &[i64; 3]| [0, 1, 2].map(|axis| of[axis] * scale[axis]);
        let (centre, radius) = (scaled(centre), scaled(radius));
        let span = |axis: usize| {
            let low = ((centre[axis] - radius[axis] + 1) / 2).max(0) as usize;
            low..((centre[axis] + radius[axis]) as usize / 2 + 1).min(shape[axis])
        };
        let product: i64 = radius.iter().product();
        let part = |axis: usize, at: usize| {
            let apart = (2 * at as i64 - centre[axis]) * (product / radius[axis]);
            apart * apart
        };
        let whole = product * product;
        for z in span(2) {
            for y in span(1) {
                let rest = part(1, y) + part(2, z);
                for x in span(0) {
                    if *act == Act::Cut || part(0, x) + rest <= whole {
                        labels[(z * shape[1] + y) * shape[0] + x] = u16::from(*act == Act::Set);
                    }
                }
            }
        }
    }
    let geometry = Geometry {
        shape,
        spacing,
        affine: None,
    };
    Segmentation {
        is_open: false,
        geometry,
        voxels: Voxels::Labels(labels),
    }
}

fn measured(truth: &Segmentation, prediction: &Segmentation) -> (Overlap, Surface) {
    let extents = [truth, prediction].map(|one| one.extent(&[1]).unwrap());
    let region = extents[0].union(extents[1]);
    let masks = [truth, prediction].map(|one| one.structure(&[1], region));
    let overlap = Overlap::of(&masks[0], &masks[1]);
    let spacing = truth.geometry.spacing;
    (
        overlap,
        compare(&masks[0], &masks[1], spacing, false, &[2.0]).unwrap(),
    )
}

/// The most memory this process has had, in MiB, where the system says so.
fn peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<usize>().ok()? / 1024)
}

fn main() {
    // What CI tries once is the smallest.
    let is_bench = std::env::args().any(|word| word == "--bench");
    let mut criterion: Criterion<Cpu> = cpu::criterion();
    let mut clock = Criterion::default().sample_size(10).configure_from_args();
    for size in SIZES
        .into_iter()
        .take(if is_bench { SIZES.len() } else { 1 })
    {
        let (truth, prediction) = (volume(&TRUTH, size), volume(&PREDICTION, size));
        let [x, y, z] = size.0;
        criterion.bench_function(&format!("surfaces/{x}x{y}x{z}"), |bench| {
            bench.iter(|| measured(&truth, &prediction));
        });
        // Two pairs by two threads, by the clock: what a second processor is worth.
        clock.bench_function(&format!("two/{x}x{y}x{z}"), |bench| {
            bench.iter(|| {
                std::thread::scope(|scope| {
                    let other = scope.spawn(|| measured(&truth, &prediction));
                    (measured(&truth, &prediction), other.join().unwrap())
                })
            });
        });
        let kept = std::env::var_os("FEDVAL_BENCH_DATA").map(std::path::PathBuf::from);
        if let (Some(folder), Some(peak)) = (kept, peak()) {
            std::fs::create_dir_all(&folder).unwrap();
            let file = folder.join(format!("surfaces-{x}x{y}x{z}.txt"));
            std::fs::write(file, peak.to_string()).unwrap();
        }
    }
    criterion.final_summary();
    clock.final_summary();
}
