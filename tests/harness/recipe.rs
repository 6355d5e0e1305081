//! Two masks from a recipe of the reference file: solids set and cleared one after the other, in
//! half voxels. The unit tests of `imaging` include this file too.
//!
//! From: `segmentation.json`.
//! To: tests of masks.

use serde_json::Value;

/// Voxels of truth and prediction, the first axis fastest.
pub struct Made {
    /// Voxels along each axis; 1 along the third of a plane.
    pub shape: [usize; 3],
    /// Millimetres between them.
    pub spacing: [f64; 3],
    /// The reference mask.
    pub truth: Vec<bool>,
    /// The predicted one.
    pub prediction: Vec<bool>,
}

impl Made {
    /// The pair of `recipe`; `spacing` where it names none.
    pub fn of(recipe: &Value, spacing: f64) -> Self {
        let shape = axes(&recipe["shape"], 1).map(|extent| extent as usize);
        let mut spacings = [spacing; 3];
        let named = recipe["spacing"].as_array().into_iter().flatten();
        for (at, one) in named.enumerate() {
            spacings[at] = one.as_f64().unwrap();
        }
        let mut prediction = solids(&recipe["prediction"], shape);
        if let Some(speckle) = recipe.get("speckle_prediction") {
            let word = |key: &str| speckle[key].as_u64().unwrap();
            speckled(&mut prediction, shape, word("seed"), word("modulus"));
        }
        Self {
            shape,
            spacing: spacings,
            truth: solids(&recipe["truth"], shape),
            prediction,
        }
    }
}

/// A whole number for each axis; for a plane, `third` along the third.
fn axes(value: &Value, third: i64) -> [i64; 3] {
    let numbers = value.as_array().unwrap().iter();
    let mut axes: Vec<i64> = numbers.map(|one| one.as_i64().unwrap()).collect();
    axes.resize(3, third);
    axes.try_into().unwrap()
}

fn solids(solids: &Value, shape: [usize; 3]) -> Vec<bool> {
    let mut voxels = vec![false; shape.iter().product()];
    for solid in solids.as_array().unwrap() {
        let (centre, radius) = (axes(&solid[2], 0), axes(&solid[3], 1));
        let is_box = solid[1] == "box";
        // A voxel of the solid satisfies |2 x - c| <= r along each axis.
        let span = |axis: usize| {
            let low = (centre[axis] - radius[axis]).max(0) as usize;
            let high = (centre[axis] + radius[axis]) as usize / 2 + 1;
            low.div_ceil(2)..high.min(shape[axis])
        };
        let product: i128 = radius.iter().map(|r| i128::from(*r)).product();
        let part = |axis: usize, at: usize| {
            let apart = i128::from(2 * at as i64 - centre[axis]);
            let scaled = apart * (product / i128::from(radius[axis].max(1)));
            scaled * scaled
        };
        for z in span(2) {
            for y in span(1) {
                let rest = part(1, y) + part(2, z);
                for x in span(0) {
                    if is_box || part(0, x) + rest <= product * product {
                        voxels[(z * shape[1] + y) * shape[0] + x] = solid[0] == "+";
                    }
                }
            }
        }
    }
    voxels
}

/// Sets one voxel in about `modulus`, by a splitmix64 word of its place.
fn speckled(voxels: &mut [bool], [width, height, depth]: [usize; 3], seed: u64, modulus: u64) {
    // The last axis is the fastest in the recipes.
    for place in 0..voxels.len() {
        if mixed((place as u64).wrapping_add(seed)).is_multiple_of(modulus) {
            let [x, y, z] = [
                place / depth / height,
                place / depth % height,
                place % depth,
            ];
            voxels[(z * height + y) * width + x] = true;
        }
    }
}

/// A splitmix64 word.
pub fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
