//! An authenticator of a few lines, and a log of the uses that it approves. Entries are made here and linked when
//! they are read, so that a test can change any of them and the chain still holds.

#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use signet_fido::assertion::Assertion;
use signet_fido::{order, proof};
use signet_protocol::approval::{Approval, Proof};
use signet_protocol::audit::{Entry, Facts, GENESIS, Phase};
use signet_protocol::record::{Algorithm, Credential, Factor, FactorKind};

/// The counter with which an authenticator is enrolled.
const ENROLLED: u32 = 4;

enum Signs {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

/// An authenticator that was enrolled as a factor.
pub(crate) struct Approver {
    signs: Signs,
    pub(crate) factor: Factor,
    pub(crate) counter: u32,
    /// Present and verified, or present alone.
    pub(crate) flags: u8,
}

impl Approver {
    /// One that counts, and verifies the person.
    pub(crate) fn new(number: u8, algorithm: Algorithm) -> Self {
        let random = SystemRandom::new();
        let (signs, public_key) = match algorithm {
            Algorithm::Es256 => {
                let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random)
                    .unwrap();
                let public_key = STANDARD.encode(pair.public_key());
                (Signs::Es256(pair), public_key)
            }
            Algorithm::EdDsa => {
                let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
                let public_key = STANDARD.encode(pair.public_key());
                (Signs::EdDsa(pair), public_key)
            }
        };
        let credential = Credential {
            id: STANDARD.encode([number; 48]),
            algorithm,
            public_key,
            aaguid: format!("{number:032x}"),
            transports: vec!["nfc".into(), "usb".into()],
            user_verification: true,
            counter: Some(ENROLLED),
        };
        let factor = Factor {
            id: format!("fido2-{number}"),
            kind: FactorKind::Fido2,
            label: format!("key \u{fc} \"{number}\""),
            created: "2026-11-22T03:00:00Z".into(),
            credential: Some(credential),
        };
        Self { signs, factor, counter: ENROLLED, flags: 5 }
    }

    /// The same where a touch is all: it verifies nobody, and its counter is always zero.
    pub(crate) fn plain(mut self) -> Self {
        let credential = self.factor.credential.as_mut().unwrap();
        (credential.user_verification, credential.counter) = (false, None);
        Self { counter: 0, flags: 1, ..self }
    }

    fn counts(&self) -> bool {
        self.factor.credential.as_ref().unwrap().counter.is_some()
    }

    /// Signs an order, whatever it says.
    pub(crate) fn approves(&mut self, text: &str) -> Proof {
        self.counter += u32::from(self.counts());
        let nonce = [u8::try_from(self.counter % 251).unwrap(); 32];
        let hash = digest(&SHA256, b"signet");
        let data = [hash.as_ref(), &[self.flags], &self.counter.to_be_bytes()].concat();
        let signed = [&data[..], &order::client_data_hash(&nonce, text)].concat();
        let signature = match &self.signs {
            Signs::Es256(pair) => pair.sign(&SystemRandom::new(), &signed).unwrap().as_ref().to_vec(),
            Signs::EdDsa(pair) => pair.sign(&signed).as_ref().to_vec(),
        };
        let credential = STANDARD.decode(&self.factor.credential.as_ref().unwrap().id).unwrap();
        let assertion =
            Assertion { credential: &credential, authenticator_data: &data, signature: &signature };
        proof::of(&self.factor.id, assertion, &nonce, text.to_owned())
    }
}

/// The entries of a log.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) entries: Vec<Entry>,
}

impl Log {
    /// Adds an entry; gives its number.
    pub(crate) fn note(&mut self, phase: Phase, id: &str, facts: Facts) -> u64 {
        let seq = u64::try_from(self.entries.len()).unwrap() + 1;
        let time = format!("2026-11-22T{:02}:{:02}:{:02}Z", seq / 3600 % 24, seq / 60 % 60, seq % 60);
        self.entries.push(Entry { seq, id: id.into(), time, phase, facts, prev: String::new() });
        seq
    }

    /// An act on a key that sets its factors.
    pub(crate) fn sets(&mut self, key: &str, action: &str, factors: &[&Approver]) {
        let id = format!("set-{}", self.entries.len());
        let mut facts = asked(key, action);
        facts.region = None;
        self.note(Phase::Intent, &id, facts.clone());
        facts.result = Some("done".into());
        facts.enrolled = Some(factors.iter().map(|approver| approver.factor.clone()).collect());
        self.note(Phase::Outcome, &id, facts);
    }

    /// A use that was approved, with its order as it should be; gives its id.
    pub(crate) fn uses(&mut self, key: &str, approver: &mut Approver) -> String {
        let id = format!("{:032x}", self.entries.len());
        self.uses_as(&id, asked(key, "sts:GetCallerIdentity"), approver, |_| ());
        id
    }

    /// The same, with an order that says something else.
    pub(crate) fn uses_as(
        &mut self,
        id: &str,
        mut facts: Facts,
        approver: &mut Approver,
        edit: impl FnOnce(&mut Approval),
    ) {
        let seq = self.note(Phase::Intent, id, facts.clone());
        let mut order = Approval {
            version: 1,
            key: facts.key.clone().unwrap(),
            access_key_id: facts.access_key_id.clone().unwrap(),
            action: facts.action.clone().unwrap(),
            scope: facts.region.as_ref().map(|region| format!("20261122/{region}/sts/aws4_request")),
            request_sha256: facts.request_sha256.clone().unwrap(),
            reason: facts.reason.clone(),
            time: self.entries.last().unwrap().time.clone(),
            seq,
        };
        edit(&mut order);
        facts.proof = Some(approver.approves(&order::text(&order).unwrap()));
        facts.factors = Some(vec!["fido2".into()]);
        facts.result = Some("signed".into());
        self.note(Phase::Outcome, id, facts);
    }

    /// The lines, linked.
    pub(crate) fn lines(&self) -> Vec<Vec<u8>> {
        let hash = |bytes: &[u8]| -> String {
            digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let mut prev = GENESIS.to_owned();
        let mut linked = |entry: &Entry| {
            let line = Entry { prev: prev.clone(), ..entry.clone() }.line(hash).unwrap();
            prev = line.hash;
            line.text.into_bytes()
        };
        self.entries.iter().map(&mut linked).collect()
    }
}

/// What an intent says.
pub(crate) fn asked(key: &str, action: &str) -> Facts {
    Facts {
        key: Some(key.into()),
        access_key_id: Some("AKIAIOSFODNN7EXAMPLE".into()),
        account: Some("123456789012".into()),
        action: Some(action.into()),
        region: Some("us-east-1".into()),
        host: Some("sts.us-east-1.amazonaws.com".into()),
        request_sha256: Some("ab".repeat(32)),
        uid: Some(1000),
        reason: Some("INC-7 \u{6771}\u{4eac} \"quoted\"".into()),
        ..Facts::default()
    }
}
