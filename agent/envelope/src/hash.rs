//! SHA-256, HMAC-SHA256 and HKDF-SHA256 (RFC 5869) over `ring`.
//!
//! `ring`'s own HKDF keeps its pseudorandom key to itself; HPKE needs it labelled twice, so
//! Extract and Expand stand here over HMAC.

use ring::{digest, hmac};
use zeroize::Zeroizing;

use crate::Secret;

/// Length of a SHA-256 output.
pub(crate) const HASH: usize = 32;

/// SHA-256.
#[must_use]
pub fn sha256(data: &[u8]) -> [u8; HASH] {
    let mut out = [0; HASH];
    out.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
    out
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(data: &[u8]) -> String {
    use std::fmt::Write as _;
    data.iter().fold(String::with_capacity(data.len() * 2), |mut out, byte| {
        // writing to a string cannot fail
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// HMAC-SHA256 over the parts one after the other. HKDF-Extract is this, with the salt as key.
pub(crate) fn mac(key: &[u8], parts: &[&[u8]]) -> Secret {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut context = hmac::Context::with_key(&key);
    for part in parts {
        context.update(part);
    }
    Zeroizing::new(context.sign().as_ref().to_vec())
}

/// Compares an HMAC-SHA256 in constant time.
pub(crate) fn mac_is(key: &[u8], data: &[u8], tag: &[u8]) -> bool {
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), data, tag).is_ok()
}

/// HKDF-Expand of at most 32 bytes, which is its first block: all that age and HPKE ask for here.
pub(crate) fn expand(prk: &[u8], info: &[&[u8]], length: usize) -> Secret {
    let mut parts = info.to_vec();
    parts.push(&[1]);
    let mut block = mac(prk, &parts);
    block.truncate(length.min(HASH));
    block
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// RFC 5869, A.1, as far as the first block goes.
    #[test]
    fn hkdf_of_rfc_5869() {
        let prk = mac(&(0..=0x0c).collect::<Vec<u8>>(), &[&[0x0b; 22]]);
        assert_eq!(hex(&prk), "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
        let okm = expand(&prk, &[&(0xf0..=0xf9).collect::<Vec<u8>>()], 32);
        assert_eq!(hex(&okm), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
    }

    #[test]
    fn a_changed_mac_is_another() {
        let tag = mac(b"key", &[b"da", b"ta"]);
        assert!(mac_is(b"key", b"data", &tag));
        assert!(!mac_is(b"key", b"datA", &tag));
        assert!(!mac_is(b"keY", b"data", &tag));
        assert!(!mac_is(b"key", b"data", tag.get(..31).unwrap()));
    }
}
