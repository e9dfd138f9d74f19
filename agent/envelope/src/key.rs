//! A token's public key: a point on P-256, checked.

use ring::{agreement, rand::SystemRandom};

use crate::{Error, bech32};

/// Length of an uncompressed point (SEC 1, 2.3.3).
pub(crate) const POINT: usize = 65;

/// DER of a SubjectPublicKeyInfo for P-256 (RFC 5480, 2) up to the point: SEQUENCE { SEQUENCE {
/// id-ecPublicKey, secp256r1 }, BIT STRING, no unused bits }.
const SPKI_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The public key of a token: an uncompressed P-256 point known to lie on the curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; POINT]);

impl PublicKey {
    /// Takes 65 bytes: `04`, x, y (SEC 1, 2.3.3).
    ///
    /// # Errors
    /// [`Error::PublicKey`] unless they are a point on the curve.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let point: [u8; POINT] = bytes.try_into().map_err(|_| Error::PublicKey)?;
        check_point(&point)?;
        Ok(Self(point))
    }

    /// The 65 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; POINT] {
        &self.0
    }

    /// The compressed point (SEC 1, 2.3.3): `02` or `03` by the parity of y, then x.
    #[must_use]
    pub fn compressed(&self) -> [u8; 33] {
        let mut out = [0; 33];
        let [_, xy @ ..] = &self.0;
        let parity = xy.last().map_or(0, |byte| byte & 1);
        for (to, from) in out.iter_mut().zip([2 | parity].iter().chain(xy)) {
            *to = *from;
        }
        out
    }

    /// DER SubjectPublicKeyInfo (RFC 5480, 2).
    #[must_use]
    pub fn spki_der(&self) -> Vec<u8> {
        [&SPKI_HEAD[..], &self.0].concat()
    }

    /// `age1tag1…`: the recipient that age tools seal to.
    #[must_use]
    pub fn age_recipient(&self) -> String {
        bech32::encode("age1tag", &self.compressed())
    }
}

/// Refuses points off the curve, short, compressed or zero ones: `ring` checks a peer's point
/// before it agrees, so one agreement with a throw-away key is the check.
pub(crate) fn check_point(point: &[u8; POINT]) -> Result<(), Error> {
    let mine = agreement::EphemeralPrivateKey::generate(&agreement::ECDH_P256, &SystemRandom::new())
        .map_err(|_| Error::Random)?;
    let peer = agreement::UnparsedPublicKey::new(&agreement::ECDH_P256, point);
    agreement::agree_ephemeral(mine, &peer, |_| ()).map_err(|_| Error::PublicKey)
}
