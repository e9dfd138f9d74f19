//! PIN/UV auth protocols 1 and 2 (CTAP 2.1, 6.5.6 and 6.5.7): a secret shared with the authenticator
//! for one message, and what is done with it.

use crate::Fault;
use aes::Aes256;
use cbc::cipher::array::Array;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{digest, hkdf, hmac};
use zeroize::Zeroizing;

/// A block of AES.
const BLOCK: usize = 16;

/// Which of the two is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    One,
    Two,
}

impl Protocol {
    /// As messages name it.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    /// The MAC of a message under a token or a shared key.
    pub(crate) fn authenticate(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
        let bytes = tag.as_ref();
        match self {
            Self::One => bytes.get(..16).unwrap_or(bytes).to_vec(),
            Self::Two => bytes.to_vec(),
        }
    }
}

/// What both sides know and nobody else.
pub(crate) struct Shared {
    protocol: Protocol,
    /// For MACs.
    mac: Zeroizing<Vec<u8>>,
    /// For AES-256.
    aes: Zeroizing<Vec<u8>>,
}

impl Shared {
    /// Agrees with the authenticator's key; gives our own public key too.
    pub(crate) fn agree(protocol: Protocol, theirs: &[u8; 65]) -> Result<(Self, [u8; 65]), Fault> {
        let dark = |_| Fault::Unsupported("random numbers");
        let private = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).map_err(dark)?;
        let ours = private.compute_public_key().map_err(dark)?;
        let ours = ours.as_ref().try_into().map_err(|_| Fault::Unsupported("the key agreement"))?;
        let theirs = UnparsedPublicKey::new(&ECDH_P256, theirs);
        // It checks that the point is on the curve.
        let shared = agree_ephemeral(private, &theirs, |secret| Self::of(protocol, secret));
        let shared = shared.map_err(|_| Fault::Garbage("a point that is none"))?;
        Ok((shared.ok_or(Fault::Unsupported("the key agreement"))?, ours))
    }

    fn of(protocol: Protocol, secret: &[u8]) -> Option<Self> {
        match protocol {
            Protocol::One => {
                let key = Zeroizing::new(digest::digest(&digest::SHA256, secret).as_ref().to_vec());
                Some(Self { protocol, mac: key.clone(), aes: key })
            }
            Protocol::Two => {
                // The salt is 32 bytes of zero.
                let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, &[0; 32]).extract(secret);
                let derive = |info: &[u8]| {
                    let mut key = Zeroizing::new(vec![0; 32]);
                    let info = [info];
                    extracted.expand(&info, hkdf::HKDF_SHA256).ok()?.fill(&mut key).ok()?;
                    Some(key)
                };
                Some(Self { protocol, mac: derive(b"CTAP2 HMAC key")?, aes: derive(b"CTAP2 AES key")? })
            }
        }
    }

    /// Encrypts whole blocks.
    pub(crate) fn encrypt(&self, plain: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut iv = [0; BLOCK];
        if self.protocol == Protocol::Two {
            SystemRandom::new().fill(&mut iv).map_err(|_| Fault::Unsupported("random numbers"))?;
        }
        self.encrypt_from(&iv, plain).ok_or(Fault::Unsupported("this length"))
    }

    fn encrypt_from(&self, iv: &[u8; BLOCK], plain: &[u8]) -> Option<Vec<u8>> {
        // As long as it gets, and turned in place: no copy of the plain text stays behind.
        let mut bytes = Vec::with_capacity(BLOCK + plain.len());
        if self.protocol == Protocol::Two {
            bytes.extend_from_slice(iv);
        }
        let from = bytes.len();
        bytes.extend_from_slice(plain);
        let (blocks, odd) = Array::slice_as_chunks_mut(bytes.get_mut(from..)?);
        if !odd.is_empty() {
            return None;
        }
        cbc::Encryptor::<Aes256>::new_from_slices(&self.aes, iv).ok()?.encrypt_blocks(blocks);
        Some(bytes)
    }

    /// Decrypts whole blocks.
    pub(crate) fn decrypt(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (iv, sealed) = match self.protocol {
            Protocol::One => (&[0; BLOCK], sealed),
            Protocol::Two => sealed.split_first_chunk::<BLOCK>()?,
        };
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let (blocks, odd) = Array::slice_as_chunks_mut(&mut bytes);
        if !odd.is_empty() {
            return None;
        }
        cbc::Decryptor::<Aes256>::new_from_slices(&self.aes, iv).ok()?.decrypt_blocks(blocks);
        Some(bytes)
    }

    /// The MAC of a message.
    pub(crate) fn authenticate(&self, message: &[u8]) -> Vec<u8> {
        self.protocol.authenticate(&self.mac, message)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    // Figures computed with Python's `cryptography`, and the same by `python-fido2`.
    const MESSAGE: &[u8] = b"client data hash";

    fn secret() -> Vec<u8> {
        (1..=32).collect()
    }

    fn plain() -> Vec<u8> {
        (0x40..0x60).collect()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn protocol_one_is_as_computed_elsewhere() {
        let shared = Shared::of(Protocol::One, &secret()).unwrap();
        assert_eq!(hex(&shared.mac), "ae216c2ef5247a3782c135efa279a3e4cdc61094270f5d2be58c6204b7a612c9");
        let sealed = shared.encrypt(&plain()).unwrap();
        assert_eq!(hex(&sealed), "3d79f18b036d1c1eeaefb27fb1aacad655f9663d3328ba2e0d0dde7f3f55df82");
        assert_eq!(*shared.decrypt(&sealed).unwrap(), plain());
        assert_eq!(hex(&shared.authenticate(MESSAGE)), "56b343acfc1aa93ae7ea1c312a97bc44");
    }

    #[test]
    fn protocol_two_is_as_computed_elsewhere() {
        let shared = Shared::of(Protocol::Two, &secret()).unwrap();
        assert_eq!(hex(&shared.mac), "9eb685ea1bd795e05cbfbe28f0ef46f1b89ae3a73161c4d64d1181082e82db67");
        assert_eq!(hex(&shared.aes), "e56b82398cbb09e2a1b546808a716befa7907d17976b72193c6f909413c73184");
        let iv: [u8; BLOCK] = std::array::from_fn(|at| 0xa0 + u8::try_from(at).unwrap());
        let sealed = shared.encrypt_from(&iv, &plain()).unwrap();
        let expected = "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf7ae2aae641693280a1784072a231320d0a8ad453ab0776131935a6a5cb85a50b";
        assert_eq!(hex(&sealed), expected);
        assert_eq!(*shared.decrypt(&sealed).unwrap(), plain());
        let mac = "9850f20f392637d861818f8dbf87d203fb56e34a1eeba221b43f413af59d6eca";
        assert_eq!(hex(&shared.authenticate(MESSAGE)), mac);
        assert_ne!(shared.encrypt(&plain()).unwrap(), shared.encrypt(&plain()).unwrap(), "a fresh IV each");
    }

    #[test]
    fn both_sides_agree() {
        for protocol in [Protocol::One, Protocol::Two] {
            let theirs = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).unwrap();
            let public = theirs.compute_public_key().unwrap();
            let (shared, ours) = Shared::agree(protocol, public.as_ref().try_into().unwrap()).unwrap();
            let ours = UnparsedPublicKey::new(&ECDH_P256, ours);
            let same =
                agree_ephemeral(theirs, &ours, |secret| Shared::of(protocol, secret)).unwrap().unwrap();
            assert_eq!((&same.mac, &same.aes), (&shared.mac, &shared.aes));
        }
    }

    #[test]
    fn a_point_off_the_curve_is_garbage() {
        assert_eq!(
            Shared::agree(Protocol::Two, &[4; 65]).err(),
            Some(Fault::Garbage("a point that is none"))
        );
    }

    #[test]
    fn odd_lengths_are_refused() {
        for protocol in [Protocol::One, Protocol::Two] {
            let shared = Shared::of(protocol, &secret()).unwrap();
            assert!(shared.encrypt(&[0; 17]).is_err());
            for length in [1, 15, 17, 33] {
                assert!(shared.decrypt(&vec![0; length]).is_none());
            }
        }
        assert!(Shared::of(Protocol::Two, &secret()).unwrap().decrypt(&[]).is_none());
    }
}
