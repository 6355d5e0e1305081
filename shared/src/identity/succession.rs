//! A site's new certificate key, vouched for by the one before: whoever confirmed the old key by
//! telephone need not be called again after a renewal, and the consortium's CA, which could issue a
//! certificate for any key, cannot put another one in its place.
//!
//! From: a node's renewal.
//! To: `masking::step`, where other sites follow the chain from the key that they confirmed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PublicKey, Signature, SigningKey};

/// Most links that are followed.
pub const SUCCESSIONS_MAX: usize = 64;

const DOMAIN: &str = "fedval.key-succession/1";

/// One key's word for the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Succession {
    /// The key before.
    pub from: PublicKey,
    /// The key after.
    pub to: PublicKey,
    /// By the key before, over the key after.
    pub signature: Signature,
}

impl Succession {
    /// `from` hands over to `to`.
    pub fn sign(from: &SigningKey, to: PublicKey) -> Self {
        Self {
            from: from.public(),
            to,
            signature: from.sign(DOMAIN, to.as_bytes()),
        }
    }

    fn holds(&self) -> bool {
        self.from
            .verify(DOMAIN, self.to.as_bytes(), &self.signature)
    }
}

/// Whether `chain`, oldest first, leads from a key that was confirmed to the one in use.
pub fn succeeds(confirmed: PublicKey, chain: &[Succession], now: PublicKey) -> bool {
    if chain.len() > SUCCESSIONS_MAX {
        return false;
    }
    let mut at = confirmed;
    let later = chain.iter().skip_while(|link| link.from != confirmed);
    for link in later {
        if link.from != at || !link.holds() {
            return false;
        }
        at = link.to;
    }
    at == now
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    fn chain(keys: &[SigningKey]) -> Vec<Succession> {
        let each = keys.windows(2);
        each.map(|pair| Succession::sign(&pair[0], pair[1].public()))
            .collect()
    }

    #[test]
    fn only_the_key_before_hands_over() {
        let keys = [key(1), key(2), key(3)];
        let good = chain(&keys);
        let last = keys[2].public();
        assert!(succeeds(last, &[], last));
        assert!(succeeds(last, &good, last));
        assert!(succeeds(keys[0].public(), &good, last));
        assert!(succeeds(keys[1].public(), &good, last));
        assert!(!succeeds(keys[0].public(), &good[..1], last));
        assert!(!succeeds(keys[0].public(), &good[1..], last));
        assert!(!succeeds(key(9).public(), &good, last));
        let mut forged = good.clone();
        forged[1] = Succession {
            signature: key(9).sign(DOMAIN, last.as_bytes()),
            ..forged[1].clone()
        };
        assert!(!succeeds(keys[0].public(), &forged, last));
        let swapped = vec![good[1].clone(), good[0].clone()];
        assert!(!succeeds(keys[0].public(), &swapped, last));
        let long: Vec<SigningKey> = (0..70).map(key).collect();
        assert!(!succeeds(
            long[0].public(),
            &chain(&long),
            long[69].public()
        ));
    }
}
