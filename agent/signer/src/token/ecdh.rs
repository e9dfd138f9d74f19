//! ECDH on P-256 with a private key in this process's memory, for kinds whose hardware, or file, gives the key
//! itself. The point multiplication is `p256`'s, which is constant-time.

use super::Computed;
use p256::elliptic_curve::point::AffineCoordinates as _;
use signet_protocol::refusal::{Code, Refusal};
use zeroize::Zeroizing;

/// The x-coordinate that a private key and a point have in common.
pub(super) fn agree(key: &p256::SecretKey, point: &[u8; 65]) -> Result<Computed, Refusal> {
    let point = p256::PublicKey::from_sec1_bytes(point).map_err(|_| {
        let message = "the record asks for a point that is not on the curve";
        Refusal::new(Code::Rollback, message, "signet doctor")
    })?;
    let shared = (point.to_projective() * *key.to_nonzero_scalar()).to_affine();
    let mut x = Zeroizing::new(shared.x());
    let shared = Computed::init_with_mut(|to: &mut [u8; 32]| to.copy_from_slice(&x));
    x.fill(0);
    Ok(shared)
}
