//! Subgroup axes: fields that fit, pairs of axes, shares of a target population.
//!
//! From: `protocol`.
//! To: `validate`, which tells every problem at once and expands pairs for the lock.

use super::{Found, LEVELS_MAX};
use crate::study::{Axis, AxisRule, FieldKind, NOT_RECORDED, StudyProtocol, pair_levels};

/// Gives each pair its levels and the field of its first axis; a pair that names no two axes
/// stays as it is, and `check` says so.
pub(super) fn expand(protocol: &mut StudyProtocol) {
    let declared = protocol.subgroup.clone();
    for axis in &mut protocol.subgroup {
        if axis.rule != AxisRule::Pair {
            continue;
        }
        let parts: Vec<&Axis> = axis
            .axes
            .iter()
            .filter_map(|id| declared.iter().find(|one| one.id == *id))
            .collect();
        let levels = |one: &Axis| {
            let field = protocol.field.iter().find(|field| field.name == one.field);
            field.map_or_else(Vec::new, |field| one.levels(field))
        };
        if let [first, second] = parts.as_slice() {
            axis.field = first.field.clone();
            axis.levels = pair_levels(&levels(first), &levels(second));
        }
    }
}

pub(super) fn check(protocol: &StudyProtocol, found: &mut Found) {
    found.unique(
        "subgroup",
        protocol.subgroup.iter().map(|axis| axis.id.as_str()),
    );
    for (index, axis) in protocol.subgroup.iter().enumerate() {
        let place = format!("subgroup \"{}\"", axis.id);
        if axis.rule == AxisRule::Pair {
            pair(protocol, index, axis, &place, found);
        } else {
            single(protocol, axis, &place, found);
        }
        target(protocol, axis, &place, found);
    }
}

fn single(protocol: &StudyProtocol, axis: &Axis, place: &str, found: &mut Found) {
    let field = protocol.find_field(&axis.field);
    let fits = field.is_some_and(|field| match axis.rule {
        AxisRule::Level => field.kind == FieldKind::Category,
        AxisRule::Band => field.bands.len() >= 2,
        AxisRule::Availability => field.kind == FieldKind::Binary,
        AxisRule::Pair => false,
    });
    found.unless(
        fits,
        place,
        "its field does not fit its rule",
        "level needs a category, band a number with bands, availability a binary field",
    );
    found.unless(
        axis.axes.is_empty() && axis.levels.is_empty(),
        place,
        "only a pair names axes",
        "write rule = \"pair\", or remove axes",
    );
    found.unless(
        !axis.ordered || axis.rule == AxisRule::Level,
        place,
        "ordered goes with rule = \"level\"",
        "remove it: bands are always ordered, the others never",
    );
}

fn pair(protocol: &StudyProtocol, index: usize, axis: &Axis, place: &str, found: &mut Found) {
    let before = |id: &crate::study::AxisId| {
        let earlier = protocol.subgroup[..index].iter();
        earlier
            .clone()
            .any(|one| one.id == *id && one.rule != AxisRule::Pair)
    };
    let named = matches!(axis.axes.as_slice(), [one, two] if one != two);
    found.unless(
        named && axis.axes.iter().all(before),
        place,
        "a pair names two axes that are declared before it and are no pairs",
        "write axes = [\"sex\", \"age\"], and this entry after both",
    );
    let mut alone = protocol.clone();
    expand(&mut alone);
    let levels = alone.subgroup.get(index).map_or(0, |one| one.levels.len());
    found.unless(
        levels <= LEVELS_MAX,
        place,
        "the pair has more than 40 levels, those not recorded included",
        "cross axes with fewer levels",
    );
    let written = axis.levels.is_empty()
        || alone
            .subgroup
            .get(index)
            .is_some_and(|one| one.levels == axis.levels);
    found.unless(
        written,
        place,
        "its levels are not those of its two axes",
        "remove levels: the lock writes them",
    );
    found.unless(
        !axis.ordered && axis.target.is_empty(),
        place,
        "a pair has no order and no target shares",
        "declare them on its two axes",
    );
}

fn target(protocol: &StudyProtocol, axis: &Axis, place: &str, found: &mut Found) {
    let source = axis.target_source.as_deref().unwrap_or_default();
    if axis.target.is_empty() || axis.rule == AxisRule::Pair {
        found.unless(
            source.is_empty(),
            place,
            "target_source without target",
            "give the shares, or remove it",
        );
        return;
    }
    let levels = protocol
        .find_field(&axis.field)
        .map(|field| axis.levels(field));
    let mut known = levels.unwrap_or_default();
    known.retain(|level| level != NOT_RECORDED);
    known.sort_unstable();
    found.unless(
        known.iter().eq(axis.target.keys()),
        place,
        "target does not name each recorded level once",
        "give a share for each level of the axis",
    );
    let total = crate::numeric::sum::sum_iter(axis.target.values().copied());
    let proper = axis.target.values().all(|share| *share > 0.0);
    found.unless(
        proper && (total - 1.0).abs() < 1e-6,
        place,
        "target shares are not positive numbers that add to 1",
        "write shares such as { female = 0.51, male = 0.49 }",
    );
    found.unless(
        !source.trim().is_empty(),
        place,
        "target_source is empty",
        "say where the shares come from: a register, a census, a year",
    );
}

#[cfg(test)]
mod tests {
    use super::super::{check, expand};
    use crate::study::{StudyProtocol, source, template};

    fn with(axis: &str) -> StudyProtocol {
        let text =
            template::BINARY.replace("# The answer: met", &format!("{axis}\n# The answer: met"));
        source::parse(&text).unwrap()
    }

    fn problems(axis: &str) -> Vec<String> {
        check(&with(axis)).into_iter().map(|one| one.what).collect()
    }

    const PAIR: &str = "[[subgroup]]\nid = \"both\"\nlabel = \"Both\"\nrule = \"pair\"\n";

    #[test]
    fn a_pair_gets_the_products_of_its_levels_from_the_lock() {
        let protocol = with(&format!(
            "{PAIR}axes = [\"sex\", \"lab\"]\nprespecified = true\n"
        ));
        assert_eq!(check(&protocol), []);
        let locked = expand(&protocol);
        let axis = locked
            .subgroup
            .iter()
            .find(|one| one.id.as_str() == "both")
            .unwrap();
        let levels = axis.levels(locked.find_field(&axis.field).unwrap());
        assert_eq!(levels.len(), 9);
        assert_eq!(levels[0], "female, available");
        assert_eq!(levels[8], "not recorded, not recorded");
        assert_eq!(check(&locked), []);
        let mut changed = locked.clone();
        changed.subgroup.last_mut().unwrap().levels.pop();
        assert_ne!(check(&changed), []);
    }

    #[test]
    fn a_pair_needs_two_known_axes() {
        for axes in [
            "[\"sex\"]",
            "[\"sex\", \"sex\"]",
            "[\"sex\", \"none\"]",
            "[]",
        ] {
            let found = problems(&format!("{PAIR}axes = {axes}\n"));
            assert_eq!(found.len(), 1, "{axes}: {found:?}");
        }
    }

    #[test]
    fn target_shares_cover_the_levels_and_add_to_one() {
        let axis = |target: &str| {
            let text = template::BINARY.replace(
                "field = \"sex\"\nrule = \"level\"",
                &format!("field = \"sex\"\nrule = \"level\"\n{target}"),
            );
            check(&source::parse(&text).unwrap()).len()
        };
        assert_eq!(
            axis("target = { female = 0.5, male = 0.5 }\ntarget_source = \"census 2021\""),
            0
        );
        assert_eq!(axis("target = { female = 0.5, male = 0.5 }"), 1);
        assert_eq!(
            axis("target = { female = 0.5, male = 0.6 }\ntarget_source = \"census\""),
            1
        );
        assert_eq!(
            axis("target = { female = 1.0 }\ntarget_source = \"census\""),
            1
        );
        assert_eq!(axis("target_source = \"census\""), 1);
    }
}
