//! "Did you mean", as the end of a sentence.
//!
//! From: words people typed.
//! To: `cohort::map`.

use shared::study::source::nearest;

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
    fn a_near_word_is_offered_and_a_strange_one_is_not() {
        let known = ["age_years", "sex", "ai_prob"];
        assert_eq!(did_you_mean("height", known), "");
        assert_eq!(did_you_mean("sexx", known), "; did you mean \"sex\"?");
    }
}
