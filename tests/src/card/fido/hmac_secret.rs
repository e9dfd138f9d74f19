//! The extension hmac-secret (CTAP 2.1, section 12.5): secrets of a credential that only its token can
//! compute, of salts that only host and token know.

use ring::hmac;

use super::Fido;
use super::cbor::Value;
use super::protocol::offered;
use super::request::{Request, needed};
use super::status::{self, Status};
use crate::card::profile::Fido as Ability;

/// Its name in requests and answers.
pub(super) const NAME: &str = "hmac-secret";

impl Fido {
    /// The encrypted secrets.
    pub(super) fn compute(
        &mut self,
        ability: Ability,
        input: Request<'_>,
        secret: &[u8; 32],
    ) -> Result<Value, Status> {
        let number = input.number(4)?.unwrap_or(1);
        let protocol = offered(ability, number)?;
        let theirs = needed(input.map(1)?)?;
        let (salts, proof) = (needed(input.bytes(2)?)?, needed(input.bytes(3)?)?);
        let shared = self.agree(protocol, theirs.0)?;
        if !shared.verify(salts, proof) {
            return Err(status::PIN_AUTH_INVALID);
        }
        let salts = shared.decrypt(salts).filter(|salts| matches!(salts.len(), 32 | 64));
        let salts = salts.ok_or(status::INVALID_PARAMETER)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let secrets: Vec<u8> =
            salts.chunks(32).flat_map(|salt| hmac::sign(&key, salt).as_ref().to_vec()).collect();
        Ok(shared.encrypt(&secrets).as_slice().into())
    }
}
