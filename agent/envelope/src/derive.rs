//! A private P-256 key made of a secret: `DeriveKeyPair` of RFC 9180, 7.1.3, for DHKEM(P-256, HKDF-SHA256).

use crate::hpke::{KEM_SUITE, expand_labelled, extract};
use crate::{Error, Secret};

/// Order of the group, big-endian (SEC 2, 2.4.2).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
    0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The scalar of the key, big-endian. The same secret always gives the same key.
///
/// # Errors
/// [`Error::Random`] for a secret of which no key can be made: there is none to be found.
pub fn private_key(secret: &[u8; 32]) -> Result<Secret, Error> {
    let prk = extract(KEM_SUITE, b"", "dkp_prk", secret);
    (0..=u8::MAX)
        .map(|counter| expand_labelled(KEM_SUITE, &prk, "candidate", &[&[counter]], 32))
        .find(|candidate| candidate.iter().any(|byte| *byte != 0) && candidate[..] < ORDER[..])
        .ok_or(Error::Random)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::private_key;
    use crate::hex;

    fn bytes(text: &str) -> [u8; 32] {
        let digits: Vec<u8> = text.chars().map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap()).collect();
        let pairs: Vec<u8> =
            digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
        pairs.try_into().unwrap()
    }

    /// RFC 9180, A.3.1: of sender and of receiver.
    #[test]
    fn the_vectors_of_the_rfc() {
        for (ikm, sk) in [
            (
                "4270e54ffd08d79d5928020af4686d8f6b7d35dbe470265f1f5aa22816ce860e",
                "4995788ef4b9d6132b249ce59a77281493eb39af373d236a1fe415cb0c2d7beb",
            ),
            (
                "668b37171f1072f3cf12ea8a236a45df23fc13b82af3609ad1e354f6ef817550",
                "f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2",
            ),
        ] {
            assert_eq!(hex(&private_key(&bytes(ikm)).unwrap()), sk);
        }
    }
}
