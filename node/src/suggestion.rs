//! "Did you mean": the known word nearest to one that is not known.
//!
//! From: words people typed.
//! To: `config`, `cohort::map`.

/// The word of `known` most like `word`, when one is alike enough to be meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const ALIKE: f64 = 0.8;
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            let likeness = strsim::jaro_winkler(&lower, &candidate.to_lowercase());
            (candidate, likeness)
        })
        .filter(|(_, likeness)| *likeness >= ALIKE)
        .max_by(|left, right| left.1.total_cmp(&right.1))
        .map(|(candidate, _)| candidate)
}

/// `; did you mean "x"?`, or nothing.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known)
        .map(|candidate| format!("; did you mean \"{candidate}\"?"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_ignores_case_and_refuses_strangers() {
        let known = ["age_years", "sex", "ai_prob"];
        assert_eq!(nearest("Age_year", known), Some("age_years"));
        assert_eq!(nearest("height", known), None);
        assert_eq!(did_you_mean("sexx", known), "; did you mean \"sex\"?");
    }
}
