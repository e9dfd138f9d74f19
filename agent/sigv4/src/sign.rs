//! String to sign, derivation of the key, signature, `authorization`.
//!
//! `ring` wipes neither its HMAC contexts nor its tags. What is ours here (the prefixed secret and
//! each derived key) is wiped when dropped; the rest dies with the process, which is why a signer
//! lives for one use only.

use crate::{Error, Prepared, date};
use ring::{digest, hmac};
use std::fmt::Write as _;
use zeroize::Zeroizing;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// SHA-256.
#[must_use]
pub fn sha256(data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    copy(&mut out, digest::digest(&digest::SHA256, data).as_ref());
    out
}

/// SHA-256 as lower-case hex.
#[must_use]
pub fn sha256_hex(data: &[u8]) -> String {
    hex(&sha256(data))
}

/// The string to sign of a prepared request.
#[must_use]
pub fn string_to_sign(prepared: &Prepared) -> String {
    string_to_sign_of(prepared.amz_date(), prepared.scope(), prepared.canonical_sha256())
}

/// The string to sign of any canonical request, by its hash.
pub(crate) fn string_to_sign_of(amz_date: &str, scope: &str, canonical_sha256: &[u8; 32]) -> String {
    let mut out = String::with_capacity(ALGORITHM.len() + amz_date.len() + scope.len() + 67);
    for part in [ALGORITHM, amz_date, scope] {
        out.push_str(part);
        out.push('\n');
    }
    push_hex(&mut out, canonical_sha256);
    out
}

/// The value of the `authorization` header.
#[must_use]
pub fn authorization(access_key_id: &str, prepared: &Prepared, signature: &str) -> String {
    let (scope, signed) = (prepared.scope(), prepared.signed_headers());
    let mut out = String::with_capacity(160 + access_key_id.len() + scope.len() + signed.len());
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "{ALGORITHM} Credential={access_key_id}/{scope}, SignedHeaders={signed}, Signature={signature}"
    );
    out
}

/// What the secret answers to a challenge: HMAC-SHA256 under `AWS4` and the secret. The only place
/// where the secret is used. A token that holds the secret answers the same.
#[must_use]
pub fn answer(secret: &[u8], challenge: &[u8]) -> Zeroizing<[u8; 32]> {
    hmac_sha256(&hmac_key(secret), challenge)
}

/// The HMAC key that [`answer`] uses, and that a token holds: `AWS4` and the secret.
#[must_use]
pub fn hmac_key(secret: &[u8]) -> Zeroizing<Vec<u8>> {
    // Exactly as large as it gets: a vector that grew would leave a copy behind.
    let mut prefixed = Zeroizing::new(Vec::with_capacity(4 + secret.len()));
    prefixed.extend_from_slice(b"AWS4");
    prefixed.extend_from_slice(secret);
    prefixed
}

/// The first key of the chain: good for one date, all regions and services; a leaked one is worth
/// the secret for seven days. Wiped when dropped, never shown, never leaves the process.
pub struct DateKey {
    key: Zeroizing<[u8; 32]>,
    date: String,
}

impl DateKey {
    /// HMAC of the date (`YYYYMMDD`, or an `x-amz-date`, of which the first eight characters count)
    /// under the secret.
    pub fn derive(secret: &[u8], date: &str) -> Result<Self, Error> {
        Self::answered(&answer(secret, &challenge(date)?), date)
    }

    /// The key that somebody else has computed: `answer` is what the secret, or the token that holds
    /// it, answers to the [`challenge`] of `date`. Whether it is right only AWS can tell.
    pub fn answered(answer: &[u8; 32], date: &str) -> Result<Self, Error> {
        challenge(date)?;
        let date = date.get(..8).ok_or(Error::Date)?;
        let mut key = Zeroizing::new([0; 32]);
        copy(&mut key, answer);
        Ok(Self { key, date: date.to_owned() })
    }

    /// The signature of a prepared request, lower-case hex. The request must be of this key's date.
    pub fn sign(&self, prepared: &Prepared) -> Result<String, Error> {
        let (service, region) = (prepared.service(), prepared.region());
        if prepared.amz_date().get(..8) != Some(self.date.as_str()) {
            return Err(Error::DateMismatch);
        }
        Ok(self.signature(region, service, &string_to_sign(prepared)))
    }

    #[cfg(test)]
    pub(crate) fn hex(&self) -> String {
        hex(&self.key)
    }

    /// The rest of the chain: region, service, terminator, string to sign.
    pub(crate) fn signature(&self, region: &str, service: &str, string_to_sign: &str) -> String {
        let region = hmac_sha256(&*self.key, region.as_bytes());
        let service = hmac_sha256(&*region, service.as_bytes());
        let signing = hmac_sha256(&*service, b"aws4_request");
        hex(&hmac_sha256(&*signing, string_to_sign.as_bytes()))
    }
}

/// What a date key is the answer to: the eight digits of a date (`YYYYMMDD`, or an `x-amz-date`, of
/// which the first eight characters count).
pub fn challenge(date: &str) -> Result<[u8; 8], Error> {
    let date = date.get(..8).ok_or(Error::Date)?;
    date::to_unix(&format!("{date}T000000Z"))?;
    date.as_bytes().try_into().map_err(|_| Error::Date)
}

fn hmac_sha256(key: &[u8], data: &[u8]) -> Zeroizing<[u8; 32]> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut out = Zeroizing::new([0; 32]);
    copy(&mut out, hmac::sign(&key, data).as_ref());
    out
}

/// Both are 32 bytes long: SHA-256 has no other output.
fn copy(to: &mut [u8; 32], from: &[u8]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

pub(crate) fn hex(bytes: &[u8; 32]) -> String {
    let mut out = String::with_capacity(64);
    push_hex(&mut out, bytes);
    out
}

fn push_hex(out: &mut String, bytes: &[u8; 32]) {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    // Always text: sixteen ASCII letters.
    out.push_str(std::str::from_utf8(&text).unwrap_or_default());
}
