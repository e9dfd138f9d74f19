//! A P-256 key that does what a token does with a point, and nothing else.
#![allow(dead_code)] // each test file uses its part

use p256::elliptic_curve::sec1::ToSec1Point;
use p256::{AffinePoint, PublicKey, SecretKey};

/// The stand-in for a token.
pub struct Token(pub SecretKey);

impl Token {
    /// A key from 32 bytes, which must be a scalar: all but about one in 2^32 are.
    pub fn new(seed: [u8; 32]) -> Self {
        Self(SecretKey::from_slice(&seed).unwrap())
    }

    /// A key from the system's random bytes.
    pub fn random() -> Self {
        let mut seed = [0; 32];
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut seed).unwrap();
        Self::new(seed)
    }

    /// Its public key.
    pub fn public(&self) -> signet_envelope::PublicKey {
        let point = self.0.public_key().to_sec1_point(false);
        signet_envelope::PublicKey::from_bytes(point.as_bytes()).unwrap()
    }

    /// The x-coordinate of the point times the private key.
    pub fn dh(&self, enc: &[u8; 65]) -> [u8; 32] {
        let point = PublicKey::from_sec1_bytes(enc).unwrap();
        let product: AffinePoint = (point.to_projective() * *self.0.to_nonzero_scalar()).into();
        let bytes = product.to_sec1_point(false);
        bytes.as_bytes()[1..33].try_into().unwrap()
    }
}
