//! The proof of an approval, made in the signer and checked wherever it is read.

use crate::Fault;
use crate::assertion::{self, Assertion};
use crate::order::{NONCE, client_data_hash};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signet_protocol::approval::Proof;
use signet_protocol::record::Credential;

/// The proof that an assertion is.
#[must_use]
pub fn of(factor: &str, assertion: Assertion<'_>, nonce: &[u8; NONCE], order: String) -> Proof {
    Proof {
        factor: factor.to_owned(),
        credential: STANDARD.encode(assertion.credential),
        nonce: STANDARD.encode(nonce),
        order,
        authenticator_data: STANDARD.encode(assertion.authenticator_data),
        signature: STANDARD.encode(assertion.signature),
    }
}

/// Checks that a proof approves `order` by that credential; gives its counter.
///
/// # Errors
/// As [`assertion::check`]; [`Fault::Order`].
pub fn check(credential: &Credential, proof: &Proof, order: &str, last: Option<u32>) -> Result<u32, Fault> {
    if proof.order != order {
        return Err(Fault::Order);
    }
    let decoded = |text: &str| STANDARD.decode(text).map_err(|_| Fault::Garbled);
    let nonce: [u8; NONCE] = decoded(&proof.nonce)?.try_into().map_err(|_| Fault::Garbled)?;
    let (id, data) = (decoded(&proof.credential)?, decoded(&proof.authenticator_data)?);
    let signature = decoded(&proof.signature)?;
    let assertion = Assertion { credential: &id, authenticator_data: &data, signature: &signature };
    assertion::check(credential, assertion, &client_data_hash(&nonce, &proof.order), last)
}
