//! Six words that two people compare by telephone: 66 bits of a digest of the public key in a
//! node's certificate request. Whoever swaps the key on its way changes the words.
//!
//! From: the public key of a certificate request.
//! To: `fedval-node join`, `fedval site approve`.

use super::{Digest, PublicKey};

/// How many words are compared.
pub const WORD_COUNT: usize = 6;

/// Bits of one word: the list has 2,048 (BIP 39, English).
const WORD_BITS: usize = 11;

/// The words of a joining node's public key, separated by single spaces.
pub fn enrolment_words(key: &PublicKey) -> String {
    let digest = Digest::of_list(&[b"fedval.enrolment-words/1", key.as_bytes()]);
    let list = bip39::Language::English.word_list();
    let bit = |at: usize| usize::from(digest.as_bytes()[at / 8] >> (7 - at % 8) & 1);
    let words: Vec<&str> = (0..WORD_COUNT)
        .map(|word| {
            let first = word * WORD_BITS;
            let index = (first..first + WORD_BITS).fold(0, |index, at| index << 1 | bit(at));
            list[index]
        })
        .collect();
    words.join(" ")
}

/// True when a person's spelling says the expected words; case and white space do not matter.
pub fn words_agree(given: &str, expected: &str) -> bool {
    let given: Vec<_> = given.split_whitespace().map(str::to_lowercase).collect();
    let expected: Vec<_> = expected.split_whitespace().collect();
    given.len() == WORD_COUNT && given == expected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_six_and_belong_to_one_key() {
        let first = enrolment_words(&PublicKey::from_bytes([1; 32]));
        let second = enrolment_words(&PublicKey::from_bytes([2; 32]));
        assert_ne!(first, second);
        assert_eq!(first.split(' ').count(), WORD_COUNT);
        for word in first.split(' ') {
            assert!(bip39::Language::English.find_word(word).is_some());
        }
    }

    #[test]
    fn words_never_change_between_versions() {
        assert_eq!(
            enrolment_words(&PublicKey::from_bytes([0; 32])),
            "sand sand pet adult ice same"
        );
    }

    #[test]
    fn spelling_is_compared_as_people_write() {
        let expected = enrolment_words(&PublicKey::from_bytes([1; 32]));
        assert!(words_agree(&expected, &expected));
        assert!(words_agree(
            &format!("  {}\n", expected.to_uppercase().replace(' ', "   ")),
            &expected
        ));
        let five: Vec<_> = expected.split(' ').take(5).collect();
        assert!(!words_agree(&five.join(" "), &expected));
        assert!(!words_agree("", &expected));
        assert!(!words_agree("", ""));
    }
}
