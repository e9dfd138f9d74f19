//! Every part of an assertion wrong once, and what is made of it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use signet_fido::assertion::{Assertion, check_credential};
use signet_fido::{Fault, order, proof};
use signet_protocol::approval::{Approval, Proof};
use signet_protocol::record::{Algorithm, Credential};

const NONCE: [u8; 32] = [7; 32];

/// An authenticator of a few lines.
struct Key {
    ecdsa: EcdsaKeyPair,
    credential: Credential,
}

fn approval(seq: u64) -> Approval {
    Approval {
        version: 1,
        key: "prod-root".into(),
        access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
        action: "sts:GetCallerIdentity".into(),
        scope: Some("20261122/us-east-1/sts/aws4_request".into()),
        request_sha256: "00".repeat(32),
        reason: None,
        time: "2026-11-22T03:00:00Z".into(),
        seq,
    }
}

fn text(seq: u64) -> String {
    order::text(&approval(seq)).unwrap()
}

fn data(relying_party: &str, flags: u8, counter: u32) -> Vec<u8> {
    let hash = digest(&SHA256, relying_party.as_bytes());
    [hash.as_ref(), &[flags], &counter.to_be_bytes()].concat()
}

impl Key {
    fn new(user_verification: bool, counter: Option<u32>) -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let ecdsa =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let credential = Credential {
            id: STANDARD.encode([9; 64]),
            algorithm: Algorithm::Es256,
            public_key: STANDARD.encode(ecdsa.public_key()),
            aaguid: "0".repeat(32),
            transports: vec!["usb".into()],
            user_verification,
            counter,
        };
        Self { ecdsa, credential }
    }

    fn signs(&self, data: &[u8], order: &str) -> Proof {
        let hash = order::client_data_hash(&NONCE, order);
        let signature = self.ecdsa.sign(&SystemRandom::new(), &[data, &hash].concat()).unwrap();
        let assertion =
            Assertion { credential: &[9; 64], authenticator_data: data, signature: signature.as_ref() };
        proof::of("fido2-1", assertion, &NONCE, order.to_owned())
    }

    fn says(&self, proof: &Proof, last: Option<u32>) -> Result<u32, Fault> {
        proof::check(&self.credential, proof, &text(17), last)
    }
}

#[test]
fn a_good_assertion_is_taken_and_tells_its_counter() {
    let key = Key::new(true, Some(4));
    assert_eq!(key.says(&key.signs(&data("signet", 5, 5), &text(17)), None), Ok(5));
    let touched = Key::new(false, Some(0));
    assert_eq!(touched.says(&touched.signs(&data("signet", 1, 1), &text(17)), None), Ok(1));
    let silent = Key::new(false, None);
    assert_eq!(silent.says(&silent.signs(&data("signet", 1, 0), &text(17)), Some(3)), Ok(0));
}

#[test]
fn ed25519_is_taken_too() {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let mut credential = Key::new(false, Some(0)).credential;
    credential.algorithm = Algorithm::EdDsa;
    credential.public_key = STANDARD.encode(pair.public_key());
    let (data, order) = (data("signet", 1, 2), text(17));
    let signature = pair.sign(&[&data[..], &order::client_data_hash(&NONCE, &order)].concat());
    let assertion =
        Assertion { credential: &[9; 64], authenticator_data: &data, signature: signature.as_ref() };
    let proof = proof::of("fido2-1", assertion, &NONCE, order.clone());
    assert_eq!(proof::check(&credential, &proof, &order, None), Ok(2));
    credential.algorithm = Algorithm::Es256;
    assert_eq!(proof::check(&credential, &proof, &order, None), Err(Fault::Credential));
}

#[test]
fn each_part_wrong_once() {
    let key = Key::new(true, Some(4));
    let good = data("signet", 5, 5);
    let of = |data: &[u8]| key.signs(data, &text(17));
    let with = |edit: &dyn Fn(&mut Proof)| {
        let mut proof = of(&good);
        edit(&mut proof);
        proof
    };
    let flipped = |text: &str, at: usize| {
        let mut bytes = STANDARD.decode(text).unwrap();
        bytes[at] ^= 1;
        STANDARD.encode(bytes)
    };
    let other = Key::new(true, Some(4));
    let cases: Vec<(&str, Proof, Option<u32>, Fault)> = vec![
        ("another relying party", of(&data("signet.example", 5, 5)), None, Fault::RelyingParty),
        ("nobody present", of(&data("signet", 4, 5)), None, Fault::NotPresent),
        ("no flags", of(&data("signet", 0, 5)), None, Fault::NotPresent),
        ("not verified", of(&data("signet", 1, 5)), None, Fault::NotVerified),
        ("attested data said", of(&data("signet", 0x45, 5)), None, Fault::Length),
        ("extensions said", of(&data("signet", 0x85, 5)), None, Fault::Length),
        ("more bytes", of(&[&good[..], &[0xa0]].concat()), None, Fault::Length),
        ("fewer bytes", of(&good[..36]), None, Fault::Length),
        ("no bytes", of(&[]), None, Fault::Length),
        ("counter as enrolled", of(&data("signet", 5, 4)), None, Fault::Counter),
        ("counter as last", of(&good), Some(5), Fault::Counter),
        ("counter behind last", of(&good), Some(u32::MAX), Fault::Counter),
        ("counter zero", of(&data("signet", 5, 0)), None, Fault::Counter),
        ("another request", key.signs(&good, &text(18)), None, Fault::Order),
        ("another request, renamed", with(&|proof| proof.order = text(18)), None, Fault::Order),
        (
            "the order of another signature",
            Proof { order: text(17), ..key.signs(&good, &text(18)) },
            None,
            Fault::Signature,
        ),
        ("another key", other.signs(&good, &text(17)), None, Fault::Signature),
        (
            "another credential",
            with(&|p| p.credential = STANDARD.encode([8; 64])),
            None,
            Fault::OtherCredential,
        ),
        (
            "a shorter credential",
            with(&|p| p.credential = STANDARD.encode([9; 63])),
            None,
            Fault::OtherCredential,
        ),
        ("no credential", with(&|p| p.credential.clear()), None, Fault::OtherCredential),
        ("another nonce", with(&|p| p.nonce = STANDARD.encode([8; 32])), None, Fault::Signature),
        ("a short nonce", with(&|p| p.nonce = STANDARD.encode([7; 31])), None, Fault::Garbled),
        ("a long nonce", with(&|p| p.nonce = STANDARD.encode([7; 33])), None, Fault::Garbled),
        ("no base64", with(&|p| p.nonce = "!".into()), None, Fault::Garbled),
        ("no signature", with(&|p| p.signature.clear()), None, Fault::Signature),
        ("signature flipped", with(&|p| p.signature = flipped(&p.signature, 20)), None, Fault::Signature),
        ("signature tag flipped", with(&|p| p.signature = flipped(&p.signature, 0)), None, Fault::Signature),
        (
            "counter raised after signing",
            with(&|p| p.authenticator_data = STANDARD.encode(data("signet", 5, 9))),
            None,
            Fault::Signature,
        ),
        (
            "verified said after signing",
            Proof { authenticator_data: STANDARD.encode(data("signet", 5, 6)), ..of(&data("signet", 1, 6)) },
            None,
            Fault::Signature,
        ),
    ];
    for (case, proof, last, fault) in &cases {
        assert_eq!(key.says(proof, *last), Err(*fault), "{case}");
    }
    let silent = Key::new(false, None);
    assert_eq!(silent.says(&silent.signs(&data("signet", 1, 1), &text(17)), None), Err(Fault::Counter));
}

#[test]
fn a_credential_has_a_form() {
    let good = Key::new(false, None).credential;
    assert_eq!(check_credential(&good), Ok(()));
    let edits: [&dyn Fn(&mut Credential); 8] = [
        &|c| c.id.clear(),
        &|c| c.id = STANDARD.encode([0; 1024]),
        &|c| c.public_key = STANDARD.encode([4; 64]),
        &|c| c.algorithm = Algorithm::EdDsa,
        &|c| c.aaguid = "x".repeat(32),
        &|c| c.transports = vec!["usb".into(); 9],
        &|c| c.transports = vec!["u\u{1b}[2J".into()],
        &|c| c.transports = vec![String::new()],
    ];
    for edit in edits {
        let mut wrong = good.clone();
        edit(&mut wrong);
        assert_eq!(check_credential(&wrong), Err(Fault::Credential), "{wrong:?}");
    }
}

#[test]
fn the_order_is_written_as_it_is_documented() {
    let text = text(17);
    assert_eq!(
        text,
        format!(
            "{{\"version\":1,\"key\":\"prod-root\",\"access_key_id\":\"AKIAIOSFODNN7EXAMPLE\",\
             \"action\":\"sts:GetCallerIdentity\",\"scope\":\"20261122/us-east-1/sts/aws4_request\",\
             \"request_sha256\":\"{}\",\"reason\":null,\"time\":\"2026-11-22T03:00:00Z\",\"seq\":17}}",
            "00".repeat(32)
        )
    );
    let hash = order::client_data_hash(&NONCE, &text);
    assert_eq!(
        hash,
        <[u8; 32]>::try_from(
            digest(&SHA256, &[b"signet/fido/v1", &NONCE[..], text.as_bytes()].concat()).as_ref()
        )
        .unwrap()
    );
}

proptest::proptest! {
    #[test]
    fn no_assertion_makes_it_panic(id: Vec<u8>, data: Vec<u8>, signature: Vec<u8>, last: Option<u32>) {
        let key = Key::new(true, Some(0));
        let assertion = Assertion { credential: &id, authenticator_data: &data, signature: &signature };
        let proof = proof::of("fido2-1", assertion, &NONCE, text(17));
        assert!(key.says(&proof, last).is_err());
    }
}
