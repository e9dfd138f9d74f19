//! authenticatorMakeCredential (CTAP 2.1, section 6.1).

use std::time::Instant;

use super::cbor::Value;
use super::command::{Outcome, Task};
use super::consent::{Consent, For};
use super::credential::{Algorithm, Credential};
use super::info::{AAGUID, NAMES, algorithms};
use super::request::{Request, needed};
use super::status::{self, Status};
use super::token::MAKE;
use super::{Fido, flag, hmac_secret, sha256};
use crate::card::profile::Fido as Ability;

// Parameters.
const CLIENT_DATA_HASH: i64 = 1;
const RP: i64 = 2;
const USER: i64 = 3;
const ALGORITHMS: i64 = 4;
const EXCLUDED: i64 = 5;
const EXTENSIONS: i64 = 6;
const OPTIONS: i64 = 7;
const PROOF: i64 = 8;
const PROTOCOL: i64 = 9;
const ENTERPRISE: i64 = 10;

/// A credential that waits for its touch.
pub(super) struct Make {
    consent: Consent,
    client_data_hash: Vec<u8>,
    rp_id: String,
    algorithm: Algorithm,
    hmac_secret: bool,
}

impl Fido {
    pub(super) fn make(
        &mut self,
        ability: Ability,
        request: Request<'_>,
        now: Instant,
    ) -> Result<Outcome, Status> {
        let client_data_hash = request.hash(CLIENT_DATA_HASH)?;
        let rp_id = needed(needed(request.map(RP)?)?.text("id")?)?;
        needed(needed(request.map(USER)?)?.bytes("id")?)?;
        let wanted = request.algorithms(ALGORITHMS)?;
        if Self::is_question(request, PROOF)? {
            return Ok(Outcome::Touch(Task::Question));
        }
        let known = |code: &i64| algorithms(ability).iter().find(|algorithm| algorithm.code() == *code);
        let algorithm = *wanted.iter().find_map(known).ok_or(status::UNSUPPORTED_ALGORITHM)?;
        if request.option(OPTIONS, "up")? == Some(false) {
            return Err(status::INVALID_OPTION);
        }
        if request.option(OPTIONS, "rk")? == Some(true) {
            return Err(status::UNSUPPORTED_OPTION);
        }
        if request.any(ENTERPRISE).is_some() {
            return Err(status::INVALID_PARAMETER);
        }
        let what = For {
            permission: MAKE,
            rp_id,
            client_data_hash,
            options: OPTIONS,
            proof: PROOF,
            protocol: PROTOCOL,
        };
        let consent = self.consent(ability, request, &what, now)?;
        // CTAP 2.1 has an option for it: makeCredUvNotRqd.
        if self.pin.is_set() && !ability.permissions && !consent.verified && !consent.finger {
            return Err(status::PIN_REQUIRED);
        }
        if request.names(EXCLUDED, NAMES)?.iter().any(|id| self.find(id, rp_id).is_some()) {
            return Ok(Outcome::Touch(Task::Excluded));
        }
        let hmac_secret = match request.map(EXTENSIONS)? {
            Some(inputs) if ability.hmac_secret => inputs.truth(hmac_secret::NAME)?.unwrap_or(false),
            Some(_) | None => false,
        };
        let task = Task::Make(Make {
            consent,
            client_data_hash: client_data_hash.to_vec(),
            rp_id: rp_id.to_owned(),
            algorithm,
            hmac_secret,
        });
        Ok(if consent.present { Outcome::Ready(task) } else { Outcome::Touch(task) })
    }

    /// After the touch. The attestation is one by the credential's own key (WebAuthn, section 8.2).
    pub(super) fn made(&mut self, ability: Ability, make: &Make) -> Result<Value, Status> {
        let verified = self.touched_with(ability, make.consent)?;
        let credential = Credential::make(&make.rp_id, make.algorithm, make.hmac_secret);
        let uv = if verified { flag::UV } else { 0 };
        let ed = if make.hmac_secret { flag::ED } else { 0 };
        let length = u16::try_from(credential.id.len()).unwrap_or(u16::MAX);
        let mut data = self.authenticator_data(ability, &make.rp_id, flag::UP | flag::AT | uv | ed);
        data.extend(AAGUID);
        data.extend(length.to_be_bytes());
        data.extend(&credential.id);
        data.extend(credential.cose().to_bytes());
        if make.hmac_secret {
            data.extend(Value::map([(hmac_secret::NAME, true.into())]).to_bytes());
        }
        let signature = credential.sign(&[&data[..], &make.client_data_hash].concat());
        self.credentials.push(credential);
        let statement =
            Value::map([("alg", make.algorithm.code().into()), ("sig", Value::from(signature.as_slice()))]);
        Ok(Value::map([(1, Value::from("packed")), (2, data.as_slice().into()), (3, statement)]))
    }

    /// The first half of all authenticator data; counts.
    pub(super) fn authenticator_data(&mut self, ability: Ability, rp_id: &str, flags: u8) -> Vec<u8> {
        if ability.counts {
            self.counter = self.counter.wrapping_add(1);
        }
        let counter = if ability.counts { self.counter } else { 0 };
        [&sha256(rp_id.as_bytes())[..], &[flags], &counter.to_be_bytes()].concat()
    }
}
