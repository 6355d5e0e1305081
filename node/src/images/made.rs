//! A simulated hospital's folder: masks and candidates of a made-up model beside made-up
//! references, and the table that names them. The same seed gives the same bytes on every machine. Nobody's images
//! are behind them.
//!
//! What a hospital really has is in it: patients with two scans, lesions that are missed, false
//! alarms, scans without any lesion, a file that ends early and one that lies elsewhere.
//!
//! From: `fedval sim`, by way of a command that is not for people.
//! To: a folder that `cohort` reads as any other.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use imaging::dicom::{self, Uids};
use imaging::geometry::Geometry;
use imaging::nifti;
use imaging::segmentation::{Segmentation, Voxels};
use shared::numeric::random::Draws;

/// How a hospital stores its masks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Form {
    /// NIfTI, plain.
    Nifti,
    /// NIfTI, packed.
    NiftiPacked,
    /// DICOM segmentations.
    DicomSeg,
}

impl Form {
    fn ending(self) -> &'static str {
        match self {
            Self::Nifti => "nii",
            Self::NiftiPacked => "nii.gz",
            Self::DicomSeg => "dcm",
        }
    }
}

/// Voxels of a scan.
const SHAPE: [usize; 3] = [48, 44, 24];
/// Scans of a hospital, two of each fifth patient.
const SCANS: u64 = 120;
/// The scan whose prediction ends early, and the one whose prediction lies elsewhere.
const FAULTY: [u64; 2] = [17, 31];
const SCANNERS: [&str; 3] = ["Siemens Healthineers", "GE HealthCare", "Philips"];

/// Labels of the made masks.
const ORGAN: u16 = 1;
const LESION: u16 = 2;

/// Where the first voxel lies, in the coordinates of NIfTI.
const ORIGIN: [f64; 3] = [-24.0, -22.0, 10.0];

/// Writes the hospital of `seed` into `folder`: `manifest.csv`, the folder `masks`, and
/// `candidates.csv` with the candidates of every scan.
///
/// # Errors
/// What the file system says.
pub(crate) fn write(folder: &Path, seed: u64, form: Form) -> io::Result<()> {
    std::fs::create_dir_all(folder.join("masks"))?;
    let mut table = "case_id,patient,truth,prediction,age,sex,scanner\n".to_owned();
    let mut list = "scan,x,y,z,score\n".to_owned();
    let mut draws = Draws::new(seed);
    // Each hospital has its own case mix, and its own trouble with the model.
    let hospital = Hospital {
        lesions: 0.45 + 0.25 * draws.unit(),
        missed: 0.15 + 0.2 * draws.unit(),
        unsteady_mm: 0.6 + 0.8 * draws.unit(),
        thick: draws.below(2) == 0,
    };
    let mut patient = 0;
    let mut about = String::new();
    for scan in 0..SCANS {
        if scan % 6 != 5 {
            patient += 1;
            let age = 30 + draws.below(55);
            let sex = ["female", "male"][usize::from(draws.below(5) < 2)];
            let scanner = SCANNERS[usize::try_from(draws.below(3)).unwrap_or(0)];
            about = format!("{age},{sex},{scanner}");
        }
        let Scan {
            truth,
            prediction,
            candidates,
        } = hospital.scan(&mut draws);
        for (place, score) in candidates {
            let [x, y, z] = place;
            let _ = writeln!(list, "S{scan:03},{x:.2},{y:.2},{z:.2},{score:.3}");
        }
        let name = |which: &str| format!("masks/{which}-{scan:03}.{}", form.ending());
        store(&folder.join(name("truth")), &truth, form, [seed, scan, 0])?;
        let path = folder.join(name("prediction"));
        store(&path, &moved(prediction, scan), form, [seed, scan, 1])?;
        if scan == FAULTY[0] {
            let bytes = std::fs::read(&path)?;
            std::fs::write(&path, &bytes[..bytes.len() / 3])?;
        }
        let (truth, prediction) = (name("truth"), name("prediction"));
        let row = format!("S{scan:03},P{patient:03},{truth},{prediction},{about}");
        let _ = writeln!(table, "{row}");
    }
    std::fs::write(folder.join("candidates.csv"), list)?;
    std::fs::write(folder.join("manifest.csv"), table)
}

/// What there is of one scan.
struct Scan {
    truth: Segmentation,
    prediction: Segmentation,
    /// Where the model sees lesions, in the coordinates of NIfTI, each with its score.
    candidates: Vec<([f64; 3], f64)>,
}

/// The second faulty prediction was made on another scan.
fn moved(mut mask: Segmentation, scan: u64) -> Segmentation {
    if let (true, Some(affine)) = (scan == FAULTY[1], &mut mask.geometry.affine) {
        affine[0][3] += 7.5;
    }
    mask
}

fn store(path: &Path, mask: &Segmentation, form: Form, number: [u64; 3]) -> io::Result<()> {
    if form != Form::DicomSeg {
        return nifti::write(path, mask);
    }
    let [seed, scan, which] = number;
    // UIDs below 2.25 need no registration.
    let of = |part: u64| format!("2.25.{seed}.{scan}.{part}");
    let (study, series, object) = (of(1), of(10 + which), of(20 + which));
    dicom::write(
        path,
        mask,
        &Uids {
            study: &study,
            series: &series,
            object: &object,
            frame_of_reference: &of(2),
        },
    )
}

struct Hospital {
    /// Chance that a scan has lesions.
    lesions: f64,
    /// Chance that the model misses one.
    missed: f64,
    /// How far outlines lie apart.
    unsteady_mm: f64,
    /// Whether slices lie 2.5 mm apart.
    thick: bool,
}

/// A ball in millimetres from the first voxel.
#[derive(Clone, Copy)]
struct Ball {
    centre: [f64; 3],
    radius: f64,
}

impl Hospital {
    /// Reference, prediction and candidates of one scan.
    fn scan(&self, draws: &mut Draws) -> Scan {
        let spacing = [1.0, 1.0, if self.thick { 2.5 } else { 1.5 }];
        let depth = 24.0 * spacing[2];
        let organ = Ball {
            centre: [20.0, 20.0, depth / 2.0].map(|at| at + 2.0 * around_zero(draws)),
            radius: 10.0 + 1.5 * around_zero(draws),
        };
        let mut truth = vec![(ORGAN, organ)];
        let mut prediction = vec![(ORGAN, self.outlined(organ, draws))];
        let mut candidates = Vec::new();
        let mut seen = |ball: Ball, score: f64| {
            let place = std::array::from_fn(|axis| ball.centre[axis] + ORIGIN[axis]);
            candidates.push((place, score));
        };
        if draws.unit() < self.lesions {
            for _ in 0..=draws.below(3) {
                let lesion = Ball {
                    centre: [
                        39.0 + 2.0 * around_zero(draws),
                        5.0 + 33.0 * draws.unit(),
                        5.0 + (depth - 10.0) * draws.unit(),
                    ],
                    radius: 1.6 + 2.6 * draws.unit(),
                };
                truth.push((LESION, lesion));
                let outlined = self.outlined(lesion, draws);
                if draws.unit() >= self.missed {
                    prediction.push((LESION, outlined));
                    seen(outlined, 0.4 + 0.6 * draws.unit());
                } else if draws.below(3) > 0 {
                    // Too unsure for an outline.
                    seen(outlined, 0.5 * draws.unit());
                }
            }
        }
        if draws.unit() < 0.3 {
            let false_alarm = Ball {
                centre: [8.0, 37.0, 8.0 + (depth - 16.0) * draws.unit()],
                radius: 1.6 + draws.unit(),
            };
            prediction.push((LESION, false_alarm));
            seen(false_alarm, 0.3 + 0.6 * draws.unit());
        }
        for _ in 0..draws.below(4) {
            let noise = Ball {
                centre: [6.0, 6.0 + 30.0 * draws.unit(), depth * draws.unit()],
                radius: 1.0,
            };
            seen(noise, 0.6 * draws.unit());
        }
        Scan {
            truth: voxels(&truth, spacing),
            prediction: voxels(&prediction, spacing),
            candidates,
        }
    }

    /// The ball as the model draws it.
    fn outlined(&self, ball: Ball, draws: &mut Draws) -> Ball {
        let share = self.unsteady_mm * ball.radius / 10.0;
        Ball {
            centre: ball.centre.map(|at| at + share * around_zero(draws)),
            radius: ball.radius + share * around_zero(draws),
        }
    }
}

/// The sum of three uniform draws in `[-1, 1)`: mean 0, standard deviation 1.
fn around_zero(draws: &mut Draws) -> f64 {
    (0..3).map(|_| 2.0 * draws.unit() - 1.0).sum()
}

#[allow(
    clippy::cast_precision_loss,
    reason = "voxels of one axis are few hundred"
)]
fn voxels(balls: &[(u16, Ball)], spacing: [f64; 3]) -> Segmentation {
    let [width, height, depth] = SHAPE;
    let label = |at: [usize; 3]| {
        let inside = |ball: &Ball| {
            let apart = |axis: usize| at[axis] as f64 * spacing[axis] - ball.centre[axis];
            let squared: f64 = (0..3).map(|axis| apart(axis) * apart(axis)).sum();
            squared <= ball.radius * ball.radius
        };
        let last = balls.iter().rev().find(|(_, ball)| inside(ball));
        last.map_or(0, |(label, _)| *label)
    };
    let each = (0..width * height * depth).map(|place| {
        label([
            place % width,
            place / width % height,
            place / width / height,
        ])
    });
    let [x, y, z] = spacing;
    let [left, back, low] = ORIGIN;
    Segmentation {
        is_open: false,
        geometry: Geometry {
            shape: SHAPE,
            spacing,
            affine: Some([[x, 0.0, 0.0, left], [0.0, y, 0.0, back], [0.0, 0.0, z, low]]),
        },
        voxels: Voxels::Labels(each.collect()),
    }
}
