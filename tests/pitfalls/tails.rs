//! Tails and quantiles against values computed with 40 digits (mpmath 1.3).
//!
//! From: `numeric::distribution`.
//! To: nothing.

use shared::numeric::distribution::{
    SMALLEST_TAIL, beta_quantile, binomial_sf, chi2_quantile, chi2_sf, normal_quantile, normal_sf,
    t_quantile, t_sf,
};
use shared::numeric::table;

#[track_caller]
fn close(got: Option<f64>, expected: f64, tolerance: f64) {
    let got = got.unwrap();
    assert!(
        (got - expected).abs() <= tolerance * expected.abs(),
        "{got:e} is not {expected:e}"
    );
}

/// One minus a distribution function is 0 beyond about 1e-16 and has lost its digits long before.
#[test]
fn tails_far_out_keep_their_digits() {
    close(normal_sf(5.0), 2.866_515_718_791_939e-7, 1e-13);
    close(normal_sf(8.5), 9.479_534_822_203_318e-18, 1e-13);
    close(normal_sf(20.0), 2.753_624_118_606_233_7e-89, 1e-12);
    close(normal_sf(37.0), 5.725_571_222_524_577e-300, 1e-11);
    close(t_sf(50.0, 3.0), 8.808_576_020_635_988e-6, 1e-12);
    close(t_sf(12.0, 9.0), 3.849_943_111_492_826e-7, 1e-12);
    close(t_sf(40.0, 19.0), 4.153_878_599_669_215e-20, 1e-11);
    close(t_sf(1e6, 1.0), 3.183_098_861_836_845_7e-7, 1e-11);
    close(t_sf(1e8, 2.0), 4.999_999_999_999_999e-17, 1e-11);
    close(chi2_sf(100.0, 1.0), 1.523_970_604_832_105e-23, 1e-13);
    close(chi2_sf(700.0, 1.0), 2.990_226_975_124_620_3e-154, 1e-11);
    close(chi2_sf(200.0, 4.0), 3.757_276_735_781_044e-42, 1e-11);
    close(chi2_sf(1200.0, 10.0), 1.440_803_432_639_930_3e-251, 1e-10);
    close(
        binomial_sf(90, 100, 0.5),
        1.661_024_489_726_826_4e-18,
        1e-11,
    );
    close(
        binomial_sf(300, 1000, 0.1),
        1.760_249_723_804_470_4e-69,
        1e-10,
    );
}

/// A p value is small and never 0 because of a subtraction.
#[test]
fn a_strong_association_has_a_p_value() {
    let found = table::association(&[vec![900.0, 100.0], vec![100.0, 900.0]]);
    let test = found.chi2.unwrap();
    assert!(test.statistic > 1200.0);
    assert!(test.p > 0.0 && test.p < 1e-270, "{:e}", test.p);
}

/// statrs is wrong by orders of magnitude for some laws at tails it accepts: ours are right to
/// the smallest tail we give, and refused beyond it.
#[test]
fn quantiles_are_right_at_the_smallest_tail() {
    let (low, high) = (SMALLEST_TAIL, 1.0 - SMALLEST_TAIL);
    close(normal_quantile(high), 3.719_016_485_455_680_6, 1e-12);
    close(normal_quantile(low), -3.719_016_485_455_680_6, 1e-12);
    for (df, expected) in [
        (1.0, 3_183.098_757_118_151),
        (2.0, 70.700_071_074_964_28),
        (3.0, 22.203_742_273_204_183),
        (4.0, 13.033_671_720_896_456),
        (9.0, 6.010_132_129_081_441),
        (30.0, 4.233_985_957_272_021),
        (100.0, 3.861_599_790_950_059_8),
    ] {
        close(t_quantile(high, df), expected, 1e-10);
        close(t_quantile(low, df), -expected, 1e-10);
    }
    for (df, below, above) in [
        (1.0, 1.570_796_335_019_567e-8, 15.136_705_226_623_397),
        (2.0, 0.000_200_010_000_666_716_67, 18.420_680_743_952_365),
        (3.0, 0.005_214_832_329_027_978, 21.107_513_466_160_214),
        (10.0, 0.888_920_357_912_895_8, 35.564_013_941_952_11),
        (100.0, 55.724_598_450_501_693, 161.318_656_959_047_43),
    ] {
        close(chi2_quantile(low, df), below, 1e-10);
        close(chi2_quantile(high, df), above, 1e-10);
    }
    for (a, b, below, above) in [
        (
            1.0,
            10.0,
            1.000_045_002_850_206_6e-5,
            0.601_892_829_446_502_8,
        ),
        (
            0.5,
            0.5,
            2.467_401_079_978_779_1e-8,
            0.999_999_975_325_989_2,
        ),
        (
            3.0,
            98.0,
            0.000_870_116_675_472_270_7,
            0.131_258_824_618_338_73,
        ),
        (98.0, 3.0, 0.868_741_175_381_661_3, 0.999_129_883_324_527_7),
        (
            1.0,
            1000.0,
            1.000_049_953_328_584_6e-7,
            0.009_168_055_107_232_443,
        ),
    ] {
        close(beta_quantile(low, a, b), below, 1e-9);
        close(beta_quantile(high, a, b), above, 1e-9);
    }
    for beyond in [1e-5, 1e-9, 1.0 - 1e-5, 0.0, 1.0] {
        assert_eq!(normal_quantile(beyond), None);
        assert_eq!(t_quantile(beyond, 1.0), None);
        assert_eq!(chi2_quantile(beyond, 1.0), None);
        assert_eq!(beta_quantile(beyond, 0.5, 0.5), None);
    }
}

/// Every quantile that an interval can ask for is where its tail says it is.
#[test]
fn quantiles_have_the_tails_they_promise() {
    for df in (1..=60).chain([100, 250, 1000]) {
        let df = f64::from(df);
        for tail in [1e-4, 1e-3, 0.005, 0.025, 0.05, 0.1, 0.25, 0.4] {
            let at = t_quantile(1.0 - tail, df).unwrap();
            close(t_sf(at, df), tail, 1e-9);
            for p in [tail, 1.0 - tail] {
                let at = chi2_quantile(p, df).unwrap();
                close(chi2_sf(at, df), 1.0 - p, 1e-9);
            }
        }
    }
}
