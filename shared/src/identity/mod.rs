//! Who said what: digests, canonical bytes, signatures, words for the telephone.
//!
//! From: nothing of ours.
//! To: locked protocols, jobs, releases, ledgers, enrolment.

mod address;
mod canonical;
mod digest;
mod document;
mod merkle;
mod signing;
mod succession;
mod token;
mod words;

pub use address::{Address, InvalidAddress};
pub use canonical::{CanonicalError, check_canonical, from_canonical, to_canonical};
pub use digest::{Digest, InvalidDigest};
pub use document::{
    CLOCK_SKEW_SECONDS, CONSORTIUM_NAME_MAX, DocumentFault, KEY_CERTIFICATE_SCHEMA, KeyCertificate,
    KeyPurpose, KeyStatement, Signed,
};
pub use merkle::{Departure, PROOF_MAX, Tree, TreeHead};
pub use signing::{
    CountingEntropy, Entropy, InvalidKeyText, NoEntropy, Nonce, PublicKey, Serial, Signature,
    SigningKey,
};
pub use succession::{SUCCESSIONS_MAX, Succession, succeeds};
pub use token::{InvitationSecret, JoinToken, SECRET_BYTES, TokenFault};
pub use words::{WORD_COUNT, enrolment_words, words_agree};
