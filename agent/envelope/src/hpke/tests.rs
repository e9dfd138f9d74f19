#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
//! Published vectors, and the refusals of a one-time key.

use super::*;
use crate::hash::hex;

const RECEIVER: &str = "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8a0e539c7f62fb3d30ad6aa8f80e30f1d128aafd68a2ce72ea0";
const ENC: &str = "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4";
const DH: &str = "13f918529458d2542531406888c8a6d4ea7ff473a6f4db452ac3c4ae1d01cea1";

/// HKDF-SHA256 and AES-128-GCM, the suite of RFC 9180, A.3.
const AES: Suite = Suite { id: b"HPKE\x00\x10\x00\x01\x00\x01", algorithm: &aead::AES_128_GCM };

fn unhex<const N: usize>(text: &str) -> [u8; N] {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    let bytes: Vec<u8> = (0..text.len()).step_by(2).map(digit).collect();
    bytes.try_into().unwrap()
}

/// RFC 9180, A.3.1: shared secret, key, nonce, and the first encryption's plaintext.
#[test]
fn rfc_9180_a_3_1() {
    let (dh, enc, receiver) = (unhex::<32>(DH), unhex(ENC), unhex(RECEIVER));
    let info = b"Ode on a Grecian Urn";
    let shared = shared_secret(&dh, &enc, &receiver);
    assert_eq!(hex(&shared), "c0d26aeab536609a572b07695d933b589dcf363ff9d93c93adea537aeabb8cb8");
    let derived = schedule(AES, &shared, info);
    assert_eq!(hex(&derived.key), "868c066ef58aae6dc589b6cfdd18f97e");
    assert_eq!(hex(&derived.nonce), "4e0bc5018beba4bf004cca59");
    let sealed = seal_with(AES, &dh, &enc, &receiver, info, b"with no AAD here").unwrap();
    assert_eq!(*open_with(AES, &dh, &enc, &receiver, info, &sealed).unwrap(), b"with no AAD here");
}

/// The same keys in the suite and with the `info` of p256tag.
#[test]
fn p256tag_key_and_nonce() {
    let derived =
        derive(CHACHA, &unhex::<32>(DH), &unhex(ENC), &unhex(RECEIVER), b"age-encryption.org/p256tag");
    assert_eq!(hex(&derived.key), "674d7b74bc7ae9c10405a72d9e8835b55eb1b27b63209382a30e7dcf2a03ec5e");
    assert_eq!(hex(&derived.nonce), "c4ef94afc4910fc09f7fb097");
}

#[test]
fn an_answer_opens_once_for_its_key_and_info() {
    let key = OneTimeKey::new().unwrap();
    let sealed = seal(&key.public(), b"info", b"123456").unwrap();
    assert_eq!(sealed.len(), POINT + 6 + 16);
    assert_eq!(*key.open(b"info", &sealed).unwrap(), b"123456");
}

#[test]
fn an_answer_for_another_prompt_is_refused() {
    let key = OneTimeKey::new().unwrap();
    let sealed = seal(&key.public(), b"prompt 1", b"123456").unwrap();
    assert_eq!(key.open(b"prompt 2", &sealed).unwrap_err(), Error::Damaged);
    assert_eq!(OneTimeKey::new().unwrap().open(b"prompt 1", &sealed).unwrap_err(), Error::Damaged);
}

#[test]
fn every_changed_or_missing_byte_of_an_answer_is_refused() {
    let length = POINT + 6 + 16;
    for at in 0..length {
        let key = OneTimeKey::new().unwrap();
        let mut sealed = seal(&key.public(), b"info", b"123456").unwrap();
        sealed[at] ^= 1;
        assert_eq!(key.open(b"info", &sealed).unwrap_err(), Error::Damaged, "byte {at}");
        let key = OneTimeKey::new().unwrap();
        let sealed = seal(&key.public(), b"info", b"123456").unwrap();
        assert_eq!(key.open(b"info", &sealed[..at]).unwrap_err(), Error::Damaged, "cut at {at}");
    }
}

#[test]
fn an_answer_is_not_sealed_to_a_point_off_the_curve() {
    let mut public = OneTimeKey::new().unwrap().public();
    public[64] ^= 1;
    assert_eq!(seal(&public, b"", b"x").unwrap_err(), Error::PublicKey);
    assert_eq!(seal(&[0; POINT], b"", b"x").unwrap_err(), Error::PublicKey);
}
