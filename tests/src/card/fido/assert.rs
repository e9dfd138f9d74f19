//! authenticatorGetAssertion (CTAP 2.1, section 6.2). No credential lives in the device by itself: without a
//! list of names there is none.

use std::time::Instant;

use super::cbor::Value;
use super::command::{Outcome, Task};
use super::consent::{Consent, For};
use super::credential::{Credential, Secrets};
use super::info::NAMES;
use super::lie::Assertion;
use super::request::{Request, descriptor, needed};
use super::status::{self, Status};
use super::token::ASSERT;
use super::{Fido, flag, hmac_secret};
use crate::card::profile::Fido as Ability;

// Parameters.
const RP_ID: i64 = 1;
const CLIENT_DATA_HASH: i64 = 2;
const ALLOWED: i64 = 3;
const EXTENSIONS: i64 = 4;
const OPTIONS: i64 = 5;
const PROOF: i64 = 6;
const PROTOCOL: i64 = 7;

/// An assertion that waits for its touch.
pub(super) struct Assert {
    consent: Consent,
    client_data_hash: Vec<u8>,
    rp_id: String,
    credential_id: Vec<u8>,
    /// The input of hmac-secret.
    salts: Option<Value>,
}

impl Fido {
    pub(super) fn assert(
        &mut self,
        ability: Ability,
        request: Request<'_>,
        now: Instant,
    ) -> Result<Outcome, Status> {
        let rp_id = needed(request.text(RP_ID)?)?;
        let client_data_hash = request.hash(CLIENT_DATA_HASH)?;
        if Self::is_question(request, PROOF)? {
            return Ok(Outcome::Touch(Task::Question));
        }
        let up = request.option(OPTIONS, "up")?.unwrap_or(true);
        if request.option(OPTIONS, "rk")?.is_some() {
            return Err(status::UNSUPPORTED_OPTION);
        }
        let what = For {
            permission: ASSERT,
            rp_id,
            client_data_hash,
            options: OPTIONS,
            proof: PROOF,
            protocol: PROTOCOL,
        };
        let consent = self.consent(ability, request, &what, now)?;
        let names = request.names(ALLOWED, NAMES)?;
        let found = names.iter().find_map(|id| self.find(id, rp_id)).ok_or(status::NO_CREDENTIALS)?;
        let salts = match request.map(EXTENSIONS)? {
            Some(inputs) if ability.hmac_secret => inputs.map(hmac_secret::NAME)?,
            Some(_) | None => None,
        };
        if salts.is_some() && !up {
            return Err(status::UNSUPPORTED_OPTION);
        }
        let task = Assert {
            consent,
            client_data_hash: client_data_hash.to_vec(),
            rp_id: rp_id.to_owned(),
            credential_id: found.id.clone(),
            salts: salts.map(|salts| salts.0.clone()),
        };
        Ok(match (up, consent) {
            (false, Consent { finger: false, verified, .. }) => {
                self.probes += 1;
                let assertion = self.finished(ability, &task, if verified { flag::UV } else { 0 }, None)?;
                self.signed(assertion)?.into()
            }
            (true, Consent { present: true, .. }) => Outcome::Ready(Task::Assert(task)),
            // A finger is no less there for not being asked for.
            (_, _) => Outcome::Touch(Task::Assert(task)),
        })
    }

    /// After the touch.
    pub(super) fn asserted(&mut self, ability: Ability, task: &Assert) -> Result<Value, Status> {
        let verified = self.touched_with(ability, task.consent)?;
        let secret = self.find(&task.credential_id, &task.rp_id).and_then(|found| found.secrets.as_ref());
        let secret =
            secret.map(|Secrets { with_uv, without_uv }| if verified { *with_uv } else { *without_uv });
        let computed = match (&task.salts, secret) {
            (Some(salts), Some(secret)) => Some(self.compute(ability, Request(salts), &secret)?),
            (_, _) => None,
        };
        let flags = flag::UP | if verified { flag::UV } else { 0 };
        let mut assertion = self.finished(ability, task, flags, computed)?;
        self.lies.before(&mut assertion);
        self.sign(&mut assertion)?;
        self.lies.after(&mut assertion);
        self.assertions += 1;
        Ok(answer(&assertion))
    }

    fn finished(
        &mut self,
        ability: Ability,
        task: &Assert,
        flags: u8,
        computed: Option<Value>,
    ) -> Result<Assertion, Status> {
        let ed = if computed.is_some() { flag::ED } else { 0 };
        let mut authenticator_data = self.authenticator_data(ability, &task.rp_id, flags | ed);
        if let Some(computed) = computed {
            authenticator_data.extend(Value::map([(hmac_secret::NAME, computed)]).to_bytes());
        }
        Ok(Assertion {
            credential_id: task.credential_id.clone(),
            signer: task.credential_id.clone(),
            authenticator_data,
            client_data_hash: task.client_data_hash.clone(),
            signature: Vec::new(),
        })
    }

    fn signed(&self, mut assertion: Assertion) -> Result<Value, Status> {
        self.sign(&mut assertion)?;
        Ok(answer(&assertion))
    }

    fn sign(&self, assertion: &mut Assertion) -> Result<(), Status> {
        let signer = self.credentials.iter().find(|credential| credential.id == assertion.signer);
        // Deleted by the test's hand meanwhile.
        let signer: &Credential = signer.ok_or(status::NO_CREDENTIALS)?;
        let message = [&assertion.authenticator_data[..], &assertion.client_data_hash].concat();
        assertion.signature = signer.sign(&message);
        Ok(())
    }
}

fn answer(assertion: &Assertion) -> Value {
    Value::map([
        (1, descriptor(&assertion.credential_id)),
        (2, assertion.authenticator_data.as_slice().into()),
        (3, assertion.signature.as_slice().into()),
    ])
}
