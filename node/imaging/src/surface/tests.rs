//! Reference values of the programs that the conventions are named after, and every convention by
//! its definition on thousands of small random masks.

use std::path::Path;

use serde_json::Value;

use super::*;
use crate::mask::Region;

/// Agreement with programs that compute in double precision.
const DOUBLE: f64 = 1e-11;
/// Values of the reference file have twelve digits.
const DIGITS: f64 = 1e-12;

fn reference() -> Value {
    let file = "../../tests/fixtures/imaging/segmentation.json";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Two masks, and how they are to be compared.
struct Pair {
    truth: Mask,
    prediction: Mask,
    spacing: [f64; 3],
    plane: bool,
}

impl Pair {
    fn compared(&self, tolerances: &[f64]) -> Option<Surface> {
        let (truth, prediction) = (&self.truth, &self.prediction);
        compare(truth, prediction, self.spacing, self.plane, tolerances)
    }
}

#[path = "../../../../tests/harness/recipe.rs"]
#[allow(unreachable_pub, reason = "public where the product's tests use it")]
mod recipe;

/// Two masks of a recipe; `spacing` where it names none.
fn pair(recipe: &Value, spacing: f64) -> Pair {
    let made = recipe::Made::of(recipe, spacing);
    let mask = |voxels: &[bool]| {
        let mut mask = Mask::empty(Region::whole(made.shape));
        for place in (0..voxels.len()).filter(|place| voxels[*place]) {
            let [width, height, _] = made.shape;
            mask.insert([
                place % width,
                place / width % height,
                place / width / height,
            ]);
        }
        mask
    };
    Pair {
        truth: mask(&made.truth),
        prediction: mask(&made.prediction),
        spacing: made.spacing,
        plane: made.shape[2] == 1,
    }
}

/// The value that the reference file calls `name`, where it is one of ours.
fn named(name: &str, overlap: Overlap, surface: &Surface) -> Option<f64> {
    let nsd = surface.nsd[0];
    Some(match name {
        "tp" => overlap.both as f64,
        "fp" => (overlap.prediction - overlap.both) as f64,
        "fn" => (overlap.truth - overlap.both) as f64,
        "voxels_truth" => overlap.truth as f64,
        "voxels_pred" => overlap.prediction as f64,
        "dice" => overlap.dice()?,
        "iou" => overlap.iou()?,
        "volume_similarity_taha" => overlap.volume_similarity()?,
        // ITK's and seg-metrics' quantities of that name follow from the counts.
        "volume_similarity_itk" => -signed_difference(overlap),
        "volume_similarity_signed_2x" => signed_difference(overlap),
        "relative_volume_error" | "relative_volume_difference" => {
            overlap.relative_volume_error()?
        }
        "absolute_volume_difference_ratio" => overlap.relative_volume_error()?.abs(),
        "centre_of_mass_distance" => surface.centre,
        "border_voxels_truth" => surface.border[0] as f64,
        "border_voxels_pred" => surface.border[1] as f64,
        "hd" => surface.hd,
        "hd100" => surface.hd_of_area,
        "hd95_max_of_directed" => surface.hd95.max_of_directed,
        "hd95_pooled" => surface.hd95.pooled,
        "hd95_mean_of_directed" => surface.hd95.mean_of_directed,
        "hd95_area_weighted_max_of_directed" => surface.hd95.of_area,
        "assd_pooled" => surface.assd,
        "masd_mean_of_directed" | "assd_mean_of_directed" => surface.masd,
        "assd_area_weighted_pooled" => surface.assd_of_area,
        "assd_area_weighted_mean_of_directed" => surface.masd_of_area,
        "surface_area_truth_mm" => surface.area[0],
        "surface_area_pred_mm" => surface.area[1],
        "nsd_2mm_voxel_count" => nsd.voxel,
        "nsd_2mm_area_weighted" => nsd.of_area,
        "nsd_2mm_gandlf_form" => nsd.mean_of_directed,
        _ => return None,
    })
}

fn signed_difference(overlap: Overlap) -> f64 {
    let (truth, prediction) = (overlap.truth as f64, overlap.prediction as f64);
    2.0 * (prediction - truth) / (prediction + truth)
}

/// Names in the reference file that are measured to another border, in another precision or in
/// one direction only, and are not ours.
fn is_foreign(name: &str) -> bool {
    let endings = ["_maurer_contour", "_itk_filled_region", "fullyconnected"];
    name == "tn" || name.starts_with("asd_") || endings.iter().any(|end| name.ends_with(end))
}

#[test]
fn every_convention_equals_the_programs_it_is_named_after() {
    let reference = reference();
    let mut compared = 0;
    for (case, entry) in reference["cases"].as_object().unwrap() {
        let pair = pair(&entry["recipe"], 1.0);
        let overlap = Overlap::of(&pair.truth, &pair.prediction);
        let surface = pair.compared(&[2.0]).unwrap();
        for (tool, values) in entry["values"].as_object().unwrap() {
            let tolerance = reference["relative_tolerance_per_tool"][tool]
                .as_f64()
                .unwrap();
            for (name, expected) in values.as_object().unwrap() {
                let found = named(name, overlap, &surface);
                let (Some(found), Some(expected)) = (found, expected.as_f64()) else {
                    assert!(is_foreign(name), "{case}, {tool}: {name} is not compared");
                    continue;
                };
                // There the tool subtracts unsigned counts, and a smaller prediction wraps.
                if name == "absolute_volume_difference_ratio" && expected > 1e6 {
                    continue;
                }
                let apart = (found - expected).abs();
                assert!(
                    apart <= tolerance * expected.abs() + DIGITS,
                    "{case}, {tool}, {name}: {found} is not {expected}"
                );
                compared += 1;
            }
        }
    }
    assert!(compared >= 550, "{compared} values");
}

#[test]
fn a_tie_at_the_tolerance_is_within_it() {
    let reference = reference();
    let case = &reference["tie_at_tolerance"];
    let header = crate::geometry::from_single(0.4_f32);
    for spacing in [0.4, header, f64::from(0.4_f32)] {
        let found = pair(&case["recipe"], spacing).compared(&[2.0]).unwrap();
        assert_eq!(found.nsd[0].voxel, 1.0);
    }
    let wide = pair(&case["recipe"], 0.4001)
        .compared(&[2.0, 2.001])
        .unwrap();
    assert!((wide.nsd[0].voxel - 0.762_839_879_154).abs() < DIGITS);
    assert_eq!(wide.nsd[1].voxel, 1.0);
}

#[test]
fn an_empty_mask_has_no_distance() {
    let region = Region::whole([12, 12, 12]);
    let mut cube = Mask::empty(region);
    for place in 0..125 {
        cube.insert([3 + place % 5, 3 + place / 5 % 5, 3 + place / 25]);
    }
    let none = Mask::empty(region);
    for (truth, prediction) in [(&none, &none), (&cube, &none), (&none, &cube)] {
        assert_eq!(compare(truth, prediction, [1.0; 3], false, &[2.0]), None);
    }
    let neither = Overlap::of(&none, &none);
    assert_eq!((neither.dice(), neither.iou()), (None, None));
    assert_eq!(neither.volume_similarity(), None);
    assert_eq!(neither.relative_volume_error(), None);
    let false_alarm = Overlap::of(&none, &cube);
    assert_eq!(false_alarm.dice(), Some(0.0));
    assert_eq!(false_alarm.volume_similarity(), Some(0.0));
    assert_eq!(false_alarm.relative_volume_error(), None);
    let missed = Overlap::of(&cube, &none);
    assert_eq!(missed.iou(), Some(0.0));
    assert_eq!(missed.relative_volume_error(), Some(-1.0));
    // Without a tolerance there is no surface Dice, and nothing is negative zero.
    let same = compare(&cube, &cube, [1.0; 3], false, &[0.0]).unwrap();
    assert!(same.hd.is_sign_positive() && same.assd.is_sign_positive());
    assert_eq!(
        (same.hd, same.nsd[0].voxel, same.nsd[0].of_area),
        (0.0, 1.0, 1.0)
    );
    assert_eq!(compare(&cube, &cube, [1.0; 3], false, &[]).unwrap().nsd, []);
}

/// Numbers below a bound, one after the other.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 += 1;
        (recipe::mixed(self.0) % bound as u64) as usize
    }

    fn spacing(&mut self) -> [f64; 3] {
        [0; 3].map(|_| [0.3, 0.585_94, 0.75, 1.0, 2.5, 5.0][self.below(6)])
    }

    /// Voxels of a box within `shape`, each with a chance of `tenths`; one at least.
    fn mask(&mut self, shape: [usize; 3], tenths: usize) -> Mask {
        let mut mask = Mask::empty(Region::whole(shape));
        let low = shape.map(|extent| self.below(extent));
        let high = [0, 1, 2].map(|axis| low[axis] + 1 + self.below(shape[axis] - low[axis]));
        for z in low[2]..high[2] {
            for y in low[1]..high[1] {
                for x in low[0]..high[0] {
                    if self.below(10) < tenths {
                        mask.insert([x, y, z]);
                    }
                }
            }
        }
        mask.insert(low);
        mask
    }

    fn pair(&mut self) -> Pair {
        let plane = self.below(3) == 0;
        let wide = [7, 9, 70, 150][[0, 0, 0, 1, 1, 1, 2, 3][self.below(8)]];
        let deep = if plane { 1 } else { 1 + self.below(6) };
        let shape = [1 + self.below(wide), 1 + self.below(8), deep];
        let tenths = [1, 3, 5, 8, 10][self.below(5)];
        Pair {
            truth: self.mask(shape, tenths),
            prediction: self.mask(shape, tenths),
            spacing: self.spacing(),
            plane,
        }
    }
}

mod definition {
    //! Every convention as its definition says, point against point.

    use super::*;

    /// Distances of one direction, each with its weight, ascending.
    type Directed = Vec<(f64, f64)>;

    type Point = [i64; 3];

    fn is_inside(mask: &Mask, at: Point) -> bool {
        let at = at.map(|place| usize::try_from(place).unwrap_or(usize::MAX));
        mask.contains(at)
    }

    fn moved(at: Point, by: Point) -> Point {
        [0, 1, 2].map(|axis| at[axis] + by[axis])
    }

    /// All places of a box from 0, and one beyond along the first `more` axes.
    fn places(shape: [usize; 3], more: usize) -> Vec<Point> {
        let end = |axis: usize| (shape[axis] + usize::from(axis < more)) as i64;
        let mut places = Vec::new();
        for z in 0..end(2) {
            for y in 0..end(1) {
                places.extend((0..end(0)).map(|x| [x, y, z]));
            }
        }
        places
    }

    fn border(mask: &Mask, plane: bool) -> Vec<(Point, f64)> {
        let mut steps = vec![[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]];
        if !plane {
            steps.extend([[0, 0, 1], [0, 0, -1]]);
        }
        let mut places = places(mask.shape(), 0);
        places.retain(|at| {
            is_inside(mask, *at) && steps.iter().any(|step| !is_inside(mask, moved(*at, *step)))
        });
        places.into_iter().map(|at| (at, 1.0)).collect()
    }

    fn corners(mask: &Mask, plane: bool, spacing: [f64; 3]) -> Vec<(Point, f64)> {
        let sizes = if plane {
            Sizes::lengths(spacing)
        } else {
            Sizes::areas(spacing)
        };
        let mut found = Vec::new();
        for at in places(mask.shape(), if plane { 2 } else { 3 }) {
            let voxel = |corner: i64| {
                let dz = if plane { 0 } else { (corner >> 2 & 1) - 1 };
                moved(at, [(corner & 1) - 1, (corner >> 1 & 1) - 1, dz])
            };
            let inside = (0..8).filter(|corner| is_inside(mask, voxel(*corner)));
            let pattern = inside.fold(0_u8, |pattern, corner| pattern | 1 << corner);
            if pattern != 0 && pattern != u8::MAX {
                let size = sizes.distinct()[usize::from(sizes.class(pattern))];
                found.push((at, size));
            }
        }
        found
    }

    fn directed(from: &[(Point, f64)], to: &[(Point, f64)], spacing: [f64; 3]) -> Directed {
        let distance = |one: Point, other: Point| {
            let apart = [0, 1, 2].map(|axis| (one[axis] - other[axis]) as f64 * spacing[axis]);
            (apart[0] * apart[0] + apart[1] * apart[1] + apart[2] * apart[2]).sqrt()
        };
        let mut found: Directed = from
            .iter()
            .map(|(at, weight)| {
                let all = to.iter().map(|(other, _)| distance(*at, *other));
                (all.fold(f64::INFINITY, f64::min), *weight)
            })
            .collect();
        found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        found
    }

    fn weight(one: &Directed) -> f64 {
        one.iter().map(|pair| pair.1).sum()
    }

    fn moment(one: &Directed) -> f64 {
        one.iter().map(|pair| pair.0 * pair.1).sum()
    }

    fn within(one: &Directed, tau: f64) -> f64 {
        let near = one
            .iter()
            .filter(|pair| pair.0 <= tau + 1e-6 * tau.max(1.0));
        near.map(|pair| pair.1).sum()
    }

    fn joined(both: &[Directed; 2]) -> Directed {
        let mut all = [both[0].clone(), both[1].clone()].concat();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        all
    }

    /// Linear between order statistics, as numpy's default.
    fn percentile(one: &Directed) -> f64 {
        let place = 0.95 * (one.len() - 1) as f64;
        let below = place.floor() as usize;
        let above = (below + 1).min(one.len() - 1);
        one[below].0 + (one[above].0 - one[below].0) * (place - place.floor())
    }

    fn weighted_percentile(one: &Directed) -> f64 {
        let whole = weight(one);
        let mut reached = 0.0;
        let found = one.iter().find(|pair| {
            reached += pair.1;
            reached / whole >= 0.95
        });
        found.unwrap().0
    }

    fn centre(mask: &Mask) -> [f64; 3] {
        let inside: Vec<Point> = places(mask.shape(), 0)
            .into_iter()
            .filter(|at| is_inside(mask, *at))
            .collect();
        let sum = |axis: usize| inside.iter().map(|at| at[axis]).sum::<i64>();
        [0, 1, 2].map(|axis| sum(axis) as f64 / inside.len() as f64)
    }

    pub(super) fn surface(pair: &Pair, tolerances: &[f64]) -> Surface {
        let masks = [&pair.truth, &pair.prediction];
        let both = |points: [Vec<(Point, f64)>; 2]| {
            [
                directed(&points[0], &points[1], pair.spacing),
                directed(&points[1], &points[0], pair.spacing),
            ]
        };
        let voxels = both(masks.map(|mask| border(mask, pair.plane)));
        let areas = both(masks.map(|mask| corners(mask, pair.plane, pair.spacing)));
        let pooled = |both: &[Directed; 2], of: &dyn Fn(&Directed) -> f64| {
            (of(&both[0]) + of(&both[1])) / (weight(&both[0]) + weight(&both[1]))
        };
        let mean = |both: &[Directed; 2], of: &dyn Fn(&Directed) -> f64| {
            (of(&both[0]) / weight(&both[0]) + of(&both[1]) / weight(&both[1])) / 2.0
        };
        let far = |both: &[Directed; 2]| joined(both).last().unwrap().0;
        let percentiles = voxels.each_ref().map(percentile);
        let weighted = areas.each_ref().map(weighted_percentile);
        let centres = masks.map(centre);
        let apart =
            [0, 1, 2].map(|axis| (centres[0][axis] - centres[1][axis]) * pair.spacing[axis]);
        Surface {
            border: voxels.each_ref().map(|one| one.len() as u64),
            area: areas.each_ref().map(weight),
            hd: far(&voxels),
            hd_of_area: far(&areas),
            hd95: Hd95 {
                max_of_directed: percentiles[0].max(percentiles[1]),
                pooled: percentile(&joined(&voxels)),
                mean_of_directed: (percentiles[0] + percentiles[1]) / 2.0,
                of_area: weighted[0].max(weighted[1]),
            },
            assd: pooled(&voxels, &moment),
            masd: mean(&voxels, &moment),
            assd_of_area: pooled(&areas, &moment),
            masd_of_area: mean(&areas, &moment),
            nsd: tolerances
                .iter()
                .map(|tau| Nsd {
                    voxel: pooled(&voxels, &|one| within(one, *tau)),
                    of_area: pooled(&areas, &|one| within(one, *tau)),
                    mean_of_directed: mean(&voxels, &|one| within(one, *tau)),
                })
                .collect(),
            centre: apart.iter().map(|part| part * part).sum::<f64>().sqrt(),
        }
    }
}

/// Every figure of a comparison, with its name.
fn figures(surface: &Surface) -> Vec<(String, f64)> {
    let Surface {
        border,
        area,
        hd,
        hd_of_area,
        hd95,
        ..
    } = surface;
    let mut figures = vec![
        ("border of the truth", border[0] as f64),
        ("border of the prediction", border[1] as f64),
        ("area of the truth", area[0]),
        ("area of the prediction", area[1]),
        ("hd", *hd),
        ("hd of area", *hd_of_area),
        ("hd95 max", hd95.max_of_directed),
        ("hd95 pooled", hd95.pooled),
        ("hd95 mean", hd95.mean_of_directed),
        ("hd95 of area", hd95.of_area),
        ("assd", surface.assd),
        ("masd", surface.masd),
        ("assd of area", surface.assd_of_area),
        ("masd of area", surface.masd_of_area),
        ("centre", surface.centre),
    ];
    for nsd in &surface.nsd {
        figures.push(("nsd", nsd.voxel));
        figures.push(("nsd of area", nsd.of_area));
        figures.push(("nsd mean", nsd.mean_of_directed));
    }
    let named = figures.into_iter();
    named
        .map(|(name, figure)| (name.to_owned(), figure))
        .collect()
}

fn assert_same(what: &str, found: &Surface, expected: &Surface) {
    let (found, expected) = (figures(found), figures(expected));
    assert_eq!(found.len(), expected.len());
    for ((name, found), (_, expected)) in found.iter().zip(&expected) {
        assert!(
            found.is_finite() && *found >= 0.0,
            "{what}, {name}: {found}"
        );
        let apart = (found - expected).abs();
        assert!(
            apart <= DOUBLE * expected.max(0.1),
            "{what}, {name}: {found} is not {expected}"
        );
    }
}

const TOLERANCES: [f64; 4] = [0.0, 0.3, 1.0, 2.5];

#[test]
fn every_convention_is_what_its_definition_says() {
    let mut draw = Draw(1);
    for round in 0..4000 {
        let pair = draw.pair();
        let found = pair.compared(&TOLERANCES).unwrap();
        let expected = definition::surface(&pair, &TOLERANCES);
        assert_same(&format!("round {round}"), &found, &expected);
    }
}

/// The same voxels seen otherwise: turned, mirrored, with the axes' spacings.
fn turned(pair: &Pair, order: [usize; 3], mirrored: [bool; 3]) -> Pair {
    let shape = order.map(|axis| pair.truth.shape()[axis]);
    let turn = |mask: &Mask| {
        let mut turned = Mask::empty(Region::whole(shape));
        mask.each(|at| {
            turned.insert([0, 1, 2].map(|axis| {
                let place = at[order[axis]];
                if mirrored[axis] {
                    shape[axis] - 1 - place
                } else {
                    place
                }
            }));
        });
        turned
    };
    Pair {
        truth: turn(&pair.truth),
        prediction: turn(&pair.prediction),
        spacing: order.map(|axis| pair.spacing[axis]),
        plane: pair.plane,
    }
}

#[test]
fn orientation_and_region_change_nothing() {
    let mut draw = Draw(77);
    for round in 0..300 {
        let pair = draw.pair();
        let expected = pair.compared(&TOLERANCES).unwrap();
        let mirrored = [0; 3].map(|_| draw.below(2) == 1);
        let order = if pair.plane {
            [[0, 1, 2], [1, 0, 2]][draw.below(2)]
        } else {
            [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]][draw.below(5)]
        };
        let found = turned(&pair, order, mirrored)
            .compared(&TOLERANCES)
            .unwrap();
        assert_same(&format!("round {round}, turned"), &found, &expected);

        let shape = pair.truth.shape();
        let more = if pair.plane { [3, 2, 0] } else { [70, 2, 1] };
        let wide = Region::whole([0, 1, 2].map(|axis| shape[axis] + more[axis]));
        let wider = Pair {
            truth: pair.truth.within(wide),
            prediction: pair.prediction.within(wide),
            ..pair
        };
        let found = wider.compared(&TOLERANCES).unwrap();
        assert_same(
            &format!("round {round}, in a wider region"),
            &found,
            &expected,
        );
    }
}

#[test]
fn swapped_masks_swap_what_is_directed() {
    let mut draw = Draw(500);
    for round in 0..200 {
        let pair = draw.pair();
        let mut expected = pair.compared(&TOLERANCES).unwrap();
        expected.border.swap(0, 1);
        expected.area.swap(0, 1);
        let swapped = Pair {
            truth: pair.prediction,
            prediction: pair.truth,
            ..pair
        };
        let found = swapped.compared(&TOLERANCES).unwrap();
        assert_same(&format!("round {round}"), &found, &expected);
    }
}

/// Plates at the ends of a long volume, and noise in its halves: everything is far away.
#[test]
fn far_apart_masks_are_exact_and_quick() {
    let region = Region::whole([700, 90, 60]);
    let (mut left, mut right) = (Mask::empty(region), Mask::empty(region));
    for z in 0..60 {
        for y in 0..90 {
            left.insert([3, y, z]);
            right.insert([690, y, z]);
        }
    }
    let found = compare(&left, &right, [0.5, 0.7, 2.0], false, &[343.0, 343.5]).unwrap();
    assert_eq!((found.hd, found.hd95.pooled), (343.5, 343.5));
    assert_eq!((found.hd_of_area, found.hd95.of_area), (343.5, 343.5));
    assert_eq!((found.nsd[0].voxel, found.nsd[1].voxel), (0.0, 1.0));
    assert_eq!(found.centre, 343.5);

    let (mut here, mut there) = (Mask::empty(region), Mask::empty(region));
    let mut draw = Draw(9);
    for z in 0..60 {
        for y in 0..90 {
            for x in 0..100 {
                if draw.below(2) == 0 {
                    here.insert([x, y, z]);
                }
                if draw.below(2) == 0 {
                    there.insert([600 + x, y, z]);
                }
            }
            here.insert([99, y, z]);
            there.insert([600, y, z]);
        }
    }
    // The nearest point lies in the same row, on the face towards the other mask.
    let found = compare(&here, &there, [1.0; 3], false, &[501.0]).unwrap();
    let border = border::voxels(&here, false);
    let (mut sum, mut most) = (0.0, 0.0_f64);
    border.each(|[x, _, _]| {
        sum += (600 - x) as f64;
        most = most.max((600 - x) as f64);
    });
    border::voxels(&there, false).each(|[x, _, _]| {
        sum += (x - 99) as f64;
        most = most.max((x - 99) as f64);
    });
    assert_eq!(found.hd, most);
    let points = (found.border[0] + found.border[1]) as f64;
    assert!((found.assd - sum / points).abs() < 1e-9);
}
