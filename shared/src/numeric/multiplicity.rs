//! P values adjusted for how many were looked at, over a family declared beforehand.
//!
//! From: `pool`, with the p values of the declared gaps.
//! To: the report's table of gaps.

use super::sum::count;

/// P values adjusted in two ways, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub struct Adjusted {
    /// After Holm (1979): with these, the chance that any true null of the family is rejected
    /// is at most the level, whatever the dependence.
    pub holm: Vec<f64>,
    /// After Benjamini and Hochberg (1995, doi:10.1111/j.2517-6161.1995.tb02031.x): with
    /// these, the expected share of true nulls among the rejected is at most the level, for
    /// independent or positively dependent tests.
    pub benjamini_hochberg: Vec<f64>,
}

/// Holm's (1979, <https://www.jstor.org/stable/4615733>) and Benjamini and Hochberg's adjusted p
/// values of the family `p`, as R's `p.adjust`; `None` if a value is not in `[0, 1]`. An
/// empty family is adjusted to itself.
pub fn adjust(p: &[f64]) -> Option<Adjusted> {
    if !p.iter().all(|p| (0.0..=1.0).contains(p)) {
        return None;
    }
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut holm = vec![0.0; p.len()];
    let mut so_far = 0.0_f64;
    for (place, index) in order.iter().enumerate() {
        so_far = so_far
            .max(p[*index] * count((p.len() - place) as u64))
            .min(1.0);
        holm[*index] = so_far;
    }
    let mut benjamini_hochberg = vec![0.0; p.len()];
    let mut so_far = 1.0_f64;
    for (place, index) in order.iter().enumerate().rev() {
        let factor = count(p.len() as u64) / count(place as u64 + 1);
        so_far = so_far.min(p[*index] * factor);
        benjamini_hochberg[*index] = so_far;
    }
    Some(Adjusted {
        holm,
        benjamini_hochberg,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_and_order_do_not_matter() {
        let p = [0.03, 0.0001, 0.9, 0.03, 0.2];
        let found = adjust(&p).unwrap();
        assert_eq!(found.holm[0], found.holm[3]);
        assert_eq!(found.benjamini_hochberg[0], found.benjamini_hochberg[3]);
        let mut turned = p;
        turned.reverse();
        let mut back = adjust(&turned).unwrap().holm;
        back.reverse();
        assert_eq!(back, found.holm);
    }

    #[test]
    fn one_is_itself_and_nonsense_is_refused() {
        let one = adjust(&[0.04]).unwrap();
        assert_eq!((one.holm, one.benjamini_hochberg), (vec![0.04], vec![0.04]));
        assert_eq!(adjust(&[]).unwrap().holm, Vec::<f64>::new());
        assert_eq!(adjust(&[0.1, f64::NAN]), None);
        assert_eq!(adjust(&[1.1]), None);
    }
}
