#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, unreachable_pub)]
//! Both ways against an independent implementation of RFC 9180, and of `p256tag` over it.

mod token;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::DhP256HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use proptest::prelude::*;
use signet_envelope::hpke as ours;
use signet_envelope::{PublicKey, Record};
use token::Token;

type PublicOf<K> = <K as Kem>::PublicKey;
type PrivateOf<K> = <K as Kem>::PrivateKey;
type EncOf<K> = <K as Kem>::EncappedKey;

fn theirs_open(private: &[u8], enc: &[u8], info: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let private = PrivateOf::<DhP256HkdfSha256>::from_bytes(private).unwrap();
    let enc = EncOf::<DhP256HkdfSha256>::from_bytes(enc).unwrap();
    hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, DhP256HkdfSha256>(
        &OpModeR::Base,
        &private,
        &enc,
        info,
        sealed,
        b"",
    )
    .ok()
}

fn theirs_seal(public: &[u8; 65], info: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let public = PublicOf::<DhP256HkdfSha256>::from_bytes(public).unwrap();
    let (enc, sealed) = hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, DhP256HkdfSha256>(
        &OpModeS::Base,
        &public,
        info,
        plaintext,
        b"",
    )
    .unwrap();
    [&enc.to_bytes()[..], &sealed].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_we_seal_they_open(
        info in proptest::collection::vec(any::<u8>(), 0..100),
        text in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let token = Token::random();
        let sealed = ours::seal(token.public().as_bytes(), &info, &text).unwrap();
        let private = token.0.to_bytes();
        prop_assert_eq!(theirs_open(&private, &sealed[..65], &info, &sealed[65..]), Some(text));
    }

    #[test]
    fn what_they_seal_we_open(
        info in proptest::collection::vec(any::<u8>(), 0..100),
        text in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let key = ours::OneTimeKey::new().unwrap();
        let sealed = theirs_seal(&key.public(), &info, &text);
        let opened = key.open(&info, &sealed).unwrap();
        prop_assert_eq!(opened.to_vec(), text);
    }

    /// The file key in a `p256tag` stanza of ours, found by them.
    #[test]
    fn they_open_our_stanzas(meta in proptest::collection::vec(any::<u8>(), 0..100)) {
        let token = Token::random();
        let record = signet_envelope::seal(&meta, &[token.public()], b"payload").unwrap();
        let enc = Record::parse(&record).unwrap().enc_for(&token.public()).unwrap();
        let text = String::from_utf8_lossy(&record).into_owned();
        let body = text.lines().skip_while(|line| !line.starts_with("-> p256tag")).nth(1).unwrap();
        let body = base64::Engine::decode(&base64::engine::general_purpose::STANDARD_NO_PAD, body).unwrap();
        let file_key = theirs_open(&token.0.to_bytes(), &enc, b"age-encryption.org/p256tag", &body);
        prop_assert_eq!(file_key.map(|key| key.len()), Some(16));
    }
}

#[test]
fn a_point_off_the_curve_is_no_public_key() {
    let good = *Token::random().public().as_bytes();
    assert!(PublicKey::from_bytes(&good).is_ok());
    let mut off = good;
    off[64] ^= 1;
    let mut compressed = good;
    compressed[0] = 2;
    let bad: [&[u8]; 6] = [&off, &compressed, &good[..64], &good[..33], &[0; 65], &[]];
    for bytes in bad {
        assert!(PublicKey::from_bytes(bytes).is_err());
    }
}
