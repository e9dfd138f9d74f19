//! The PIN/UV auth protocols (CTAP 2.1, sections 6.5.6 and 6.5.7): what host and token agree on, and how
//! they encrypt and prove with it.

use aes::Aes256;
use aes::cipher::{Block, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use p256::{SecretKey, ecdh};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::hmac;

use super::cbor::Value;
use super::status::{self, Status};
use super::{cose, random, sha256};
use crate::card::piv;
use crate::card::profile::Fido as Ability;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    One,
    Two,
}

/// Bytes of an AES block.
const BLOCK: usize = 16;

impl Protocol {
    /// The protocol of a number.
    pub(super) fn of(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::One),
            2 => Some(Self::Two),
            _ => None,
        }
    }

    /// Whether this proves a message with a key.
    pub(super) fn verify(self, key: &[u8], message: &[u8], proof: &[u8]) -> bool {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
        let length = match self {
            Self::One => 16,
            Self::Two => 32,
        };
        tag.as_ref().get(..length) == Some(proof)
    }
}

/// The protocol of a number, if the device has it.
pub(super) fn offered(ability: Ability, number: i64) -> Result<Protocol, Status> {
    let known = ability.protocols.iter().any(|offered| i64::from(*offered) == number);
    Protocol::of(number).filter(|_| known).ok_or(status::INVALID_PARAMETER)
}

/// The token's key of the agreements, until the next time without power or the next wrong PIN.
#[derive(Debug)]
pub(super) struct Agreement(SecretKey);

impl Agreement {
    pub(super) fn fresh() -> Self {
        Self(piv::fresh())
    }

    pub(super) fn public(&self) -> Value {
        cose::ec2(cose::AGREEMENT, &piv::point(&self.0))
    }

    /// What is agreed on with the host's key; `None` when that is no key.
    pub(super) fn with(&self, theirs: &Value, protocol: Protocol) -> Option<Shared> {
        let theirs = cose::agreement_key(theirs)?;
        let agreed = ecdh::diffie_hellman(self.0.to_nonzero_scalar(), theirs.as_affine());
        let agreed: [u8; 32] = (*agreed.raw_secret_bytes()).into();
        let (mac, aes) = match protocol {
            Protocol::One => (sha256(&agreed), sha256(&agreed)),
            Protocol::Two => (derived(&agreed, b"CTAP2 HMAC key")?, derived(&agreed, b"CTAP2 AES key")?),
        };
        Some(Shared { protocol, agreed, mac, aes })
    }
}

fn derived(agreed: &[u8], what: &[u8]) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    let drawn = Salt::new(HKDF_SHA256, &[0; 32]).extract(agreed);
    drawn.expand(&[what], HKDF_SHA256).ok()?.fill(&mut key).ok()?;
    Some(key)
}

/// What has been agreed on.
pub(super) struct Shared {
    protocol: Protocol,
    agreed: [u8; 32],
    mac: [u8; 32],
    aes: [u8; 32],
}

impl Shared {
    /// What nobody else may know of it, by name.
    pub(super) fn secrets(&self) -> Vec<(&'static str, Vec<u8>)> {
        let Self { agreed, mac, aes, .. } = self;
        [("what was agreed on", agreed), ("the key of proofs", mac), ("the key of the cipher", aes)]
            .map(|(name, bytes)| (name, bytes.to_vec()))
            .to_vec()
    }

    /// Whether this proves a message.
    pub(super) fn verify(&self, message: &[u8], proof: &[u8]) -> bool {
        self.protocol.verify(&self.mac, message, proof)
    }

    /// Encrypts whole blocks (AES-256-CBC without filling).
    pub(super) fn encrypt(&self, plain: &[u8]) -> Vec<u8> {
        let (iv, mut out) = match self.protocol {
            Protocol::One => ([0; BLOCK], Vec::new()),
            Protocol::Two => {
                let iv: [u8; BLOCK] = random();
                (iv, iv.to_vec())
            }
        };
        let (cipher, mut last) = (self.cipher(), iv);
        for block in plain.as_chunks().0 {
            let mut block = Block::<Aes256>::from(xor(block, &last));
            cipher.encrypt_block(&mut block);
            last = block.into();
            out.extend(last);
        }
        out
    }

    /// Decrypts; `None` when these are not whole blocks.
    pub(super) fn decrypt(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (iv, bytes) = match self.protocol {
            Protocol::One => ([0; BLOCK], bytes),
            Protocol::Two => bytes.split_first_chunk().map(|(iv, rest)| (*iv, rest))?,
        };
        let (blocks, []) = bytes.as_chunks::<BLOCK>() else { return None };
        let (cipher, mut last, mut plain) = (self.cipher(), iv, Vec::new());
        for bytes in blocks {
            let mut block = Block::<Aes256>::from(*bytes);
            cipher.decrypt_block(&mut block);
            plain.extend(xor(&block.into(), &last));
            last = *bytes;
        }
        Some(plain)
    }

    fn cipher(&self) -> Aes256 {
        Aes256::new(&self.aes.into())
    }
}

fn xor(a: &[u8; BLOCK], b: &[u8; BLOCK]) -> [u8; BLOCK] {
    let mut out = *a;
    for (byte, other) in out.iter_mut().zip(b) {
        *byte ^= other;
    }
    out
}

/// The host's side, for tests.
#[cfg(test)]
impl Shared {
    pub(super) fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(super) fn mac(&self) -> &[u8] {
        &self.mac
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn both_sides_agree_and_each_reads_what_the_other_wrote() {
        let (token, host) = (Agreement::fresh(), Agreement::fresh());
        for protocol in [Protocol::One, Protocol::Two] {
            let ours = token.with(&host.public(), protocol).unwrap();
            let theirs = host.with(&token.public(), protocol).unwrap();
            let written = ours.encrypt(&[7; 48]);
            assert_eq!(theirs.decrypt(&written).unwrap(), [7; 48]);
            assert_ne!(written[..16], written[16..32], "chained");
            assert_eq!(ours.decrypt(&written[..written.len() - 1]), None);
            assert_eq!(ours.encrypt(&[7; 48]) == written, protocol == Protocol::One);
            let proof = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &ours.mac), b"message");
            let length = if protocol == Protocol::One { 16 } else { 32 };
            assert!(theirs.verify(b"message", &proof.as_ref()[..length]));
            assert!(!theirs.verify(b"message", &proof.as_ref()[..8]));
            assert!(!theirs.verify(b"another", &proof.as_ref()[..length]));
        }
    }

    /// NIST SP 800-38A, F.2.5: AES-256-CBC.
    #[test]
    fn the_cipher_is_the_one_of_the_standard() {
        let aes = [
            0x60, 0x3d, 0xeb, 0x10, 0x15, 0xca, 0x71, 0xbe, 0x2b, 0x73, 0xae, 0xf0, 0x85, 0x7d, 0x77, 0x81,
            0x1f, 0x35, 0x2c, 0x07, 0x3b, 0x61, 0x08, 0xd7, 0x2d, 0x98, 0x10, 0xa3, 0x09, 0x14, 0xdf, 0xf4,
        ];
        let two = Shared { protocol: Protocol::Two, agreed: [0; 32], mac: [0; 32], aes };
        let iv: [u8; 16] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let block =
            [0xf5, 0x8c, 0x4c, 0x04, 0xd6, 0xe5, 0xf1, 0xba, 0x77, 0x9e, 0xab, 0xfb, 0x5f, 0x7b, 0xfb, 0xd6];
        let plain =
            [0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96, 0xe9, 0x3d, 0x7e, 0x11, 0x73, 0x93, 0x17, 0x2a];
        assert_eq!(two.decrypt(&[iv, block].concat()).unwrap(), plain);
    }

    #[test]
    fn what_is_no_key_is_not_agreed_with() {
        let token = Agreement::fresh();
        let Value::Map(good) = token.public() else { unreachable!() };
        let without = |label: i64| {
            let left = good.iter().filter(|(key, _)| *key != Value::Int(label)).cloned();
            Value::Map(left.collect())
        };
        for label in [1, 3, -1, -2, -3] {
            assert!(token.with(&without(label), Protocol::Two).is_none(), "without {label}");
        }
        let Value::Map(mut off) = without(-3) else { unreachable!() };
        off.push((Value::Int(-3), Value::Bytes(vec![1; 32])));
        assert!(token.with(&Value::Map(off), Protocol::One).is_none(), "off the curve");
    }
}
