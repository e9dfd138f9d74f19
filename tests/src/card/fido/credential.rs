//! One credential: its key, its name, and the secrets that hmac-secret computes with.

use p256::SecretKey;
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::cbor::Value;
use super::{random, sha256};
use crate::card::piv;

/// What a key signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The number of COSE (RFC 9053, tables 1 and 2).
    pub(super) fn code(self) -> i64 {
        match self {
            Self::Es256 => -7,
            Self::EdDsa => -8,
        }
    }
}

/// Bytes of a credential's name.
const ID: usize = 48;

#[derive(Debug)]
pub(super) struct Credential {
    pub(super) id: Vec<u8>,
    pub(super) rp_id: String,
    pub(super) secrets: Option<Secrets>,
    key: Key,
}

/// The two secrets of hmac-secret (CTAP 2.1, section 12.5): they have nothing in common.
#[derive(Debug)]
pub(super) struct Secrets {
    pub(super) with_uv: [u8; 32],
    pub(super) without_uv: [u8; 32],
}

#[derive(Debug)]
enum Key {
    Es256(SecretKey),
    EdDsa(Ed25519KeyPair),
}

impl Credential {
    /// A fresh one.
    pub(super) fn make(rp_id: &str, algorithm: Algorithm, hmac_secret: bool) -> Self {
        let key = match algorithm {
            Algorithm::Es256 => Key::Es256(piv::fresh()),
            Algorithm::EdDsa => {
                let seed: [u8; 32] = random();
                Key::EdDsa(Ed25519KeyPair::from_seed_unchecked(&seed).expect("32 bytes are a seed"))
            }
        };
        let secrets = hmac_secret.then(|| Secrets { with_uv: random(), without_uv: random() });
        Self { id: random::<ID>().to_vec(), rp_id: rp_id.to_owned(), secrets, key }
    }

    /// The uncompressed point, or the 32 bytes of the EdDSA key.
    pub(super) fn public_key(&self) -> Vec<u8> {
        match &self.key {
            Key::Es256(secret) => piv::point(secret).to_vec(),
            Key::EdDsa(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// The public key as COSE writes it (RFC 9053, sections 7.1 and 7.2).
    pub(super) fn cose(&self) -> Value {
        match &self.key {
            Key::Es256(secret) => super::cose::ec2(Algorithm::Es256.code(), &piv::point(secret)),
            Key::EdDsa(pair) => super::cose::okp(Algorithm::EdDsa.code(), pair.public_key().as_ref()),
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.key {
            Key::Es256(secret) => piv::sign(secret, &sha256(message)).unwrap_or_default(),
            Key::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}
