//! authenticatorClientPIN (CTAP 2.1, section 6.5.5): everything about the PIN, and the tokens that it or
//! a finger is given for.

use std::time::Instant;

use super::Fido;
use super::cbor::Value;
use super::command::{Outcome, Task};
use super::protocol::{Protocol, Shared, offered};
use super::request::{Request, needed};
use super::status::{self, Status};
use super::token::{ASSERT, MAKE, Token};
use crate::card::profile::{Fido as Ability, Uv};

mod subcommand {
    pub(super) const PIN_TRIES: i64 = 1;
    pub(super) const KEY_AGREEMENT: i64 = 2;
    pub(super) const SET_PIN: i64 = 3;
    pub(super) const CHANGE_PIN: i64 = 4;
    pub(super) const TOKEN_FOR_PIN: i64 = 5;
    pub(super) const TOKEN_FOR_UV: i64 = 6;
    pub(super) const UV_TRIES: i64 = 7;
    pub(super) const TOKEN_FOR_PIN_WITH_PERMISSIONS: i64 = 9;
}

// Parameters.
const PROTOCOL: i64 = 1;
const SUBCOMMAND: i64 = 2;
const AGREEMENT: i64 = 3;
const PROOF: i64 = 4;
const NEW_PIN: i64 = 5;
const PIN_HASH: i64 = 6;
const PERMISSIONS: i64 = 9;
const RP_ID: i64 = 10;

/// A token that is given for a finger.
pub(super) struct UvToken {
    protocol: Protocol,
    shared: Shared,
    permissions: u8,
    rp_id: Option<String>,
}

impl Fido {
    pub(super) fn client_pin(
        &mut self,
        ability: Ability,
        request: Request<'_>,
        now: Instant,
    ) -> Result<Outcome, Status> {
        match needed(request.number(SUBCOMMAND)?)? {
            subcommand::PIN_TRIES => {
                let for_now = self.pin.is_blocked_for_now();
                Ok(Value::map([(3, Value::from(i64::from(self.pin.left()))), (4, for_now.into())]).into())
            }
            subcommand::KEY_AGREEMENT => {
                let protocol = protocol(ability, request)?;
                Ok(Value::map([(1, self.agreement(protocol).public())]).into())
            }
            subcommand::SET_PIN => self.set_pin(ability, request),
            subcommand::CHANGE_PIN => self.change_pin(ability, request),
            subcommand::TOKEN_FOR_PIN => self.token_for_pin(ability, request, now),
            subcommand::TOKEN_FOR_PIN_WITH_PERMISSIONS if ability.permissions => {
                self.token_with_permissions(ability, request, now)
            }
            subcommand::TOKEN_FOR_UV if ability.permissions && ability.uv != Uv::Absent => {
                self.token_for_uv(ability, request)
            }
            subcommand::UV_TRIES if ability.uv != Uv::Absent => {
                Ok(Value::map([(5, Value::from(i64::from(self.uv_left)))]).into())
            }
            // For CTAP 2.0, which has no such word, a guess.
            _ => Err(status::INVALID_SUBCOMMAND),
        }
    }

    fn set_pin(&mut self, ability: Ability, request: Request<'_>) -> Result<Outcome, Status> {
        let protocol = protocol(ability, request)?;
        let (new, proof) = (needed(request.bytes(NEW_PIN)?)?, needed(request.bytes(PROOF)?)?);
        if self.pin.is_set() {
            return Err(status::PIN_AUTH_INVALID);
        }
        let shared = self.shared(protocol, request)?;
        if !shared.verify(new, proof) {
            return Err(status::PIN_AUTH_INVALID);
        }
        self.pin.set(&shared.decrypt(new).ok_or(status::PIN_AUTH_INVALID)?)?;
        Ok(Outcome::Done(None))
    }

    fn change_pin(&mut self, ability: Ability, request: Request<'_>) -> Result<Outcome, Status> {
        let protocol = protocol(ability, request)?;
        let (new, proof) = (needed(request.bytes(NEW_PIN)?)?, needed(request.bytes(PROOF)?)?);
        let hash = needed(request.bytes(PIN_HASH)?)?;
        self.pin.may_be_tried()?;
        let shared = self.shared(protocol, request)?;
        if !shared.verify(&[new, hash].concat(), proof) {
            return Err(status::PIN_AUTH_INVALID);
        }
        self.check_pin(protocol, &shared, hash)?;
        self.pin.set(&shared.decrypt(new).ok_or(status::PIN_AUTH_INVALID)?)?;
        self.session.token = None;
        Ok(Outcome::Done(None))
    }

    fn token_for_pin(
        &mut self,
        ability: Ability,
        request: Request<'_>,
        now: Instant,
    ) -> Result<Outcome, Status> {
        let protocol = protocol(ability, request)?;
        if request.any(PERMISSIONS).is_some() || request.any(RP_ID).is_some() {
            return Err(status::INVALID_PARAMETER);
        }
        let token = match ability.permissions {
            true => Token::new(protocol, MAKE | ASSERT, None, now),
            false => Token::endless(protocol, now),
        };
        self.give_for_pin(protocol, request, token)
    }

    fn token_with_permissions(
        &mut self,
        ability: Ability,
        request: Request<'_>,
        now: Instant,
    ) -> Result<Outcome, Status> {
        let protocol = protocol(ability, request)?;
        let (permissions, rp_id) = permissions(request)?;
        self.give_for_pin(protocol, request, Token::new(protocol, permissions, rp_id, now))
    }

    fn give_for_pin(
        &mut self,
        protocol: Protocol,
        request: Request<'_>,
        token: Token,
    ) -> Result<Outcome, Status> {
        let hash = needed(request.bytes(PIN_HASH)?)?;
        needed(request.any(AGREEMENT))?;
        self.pin.may_be_tried()?;
        let shared = self.shared(protocol, request)?;
        self.check_pin(protocol, &shared, hash)?;
        Ok(self.give(&shared, token).into())
    }

    fn token_for_uv(&mut self, ability: Ability, request: Request<'_>) -> Result<Outcome, Status> {
        let protocol = protocol(ability, request)?;
        let (permissions, rp_id) = permissions(request)?;
        let shared = self.shared(protocol, request)?;
        if self.uv_left == 0 {
            return Err(status::UV_BLOCKED);
        }
        Ok(Outcome::Touch(Task::UvToken(UvToken { protocol, shared, permissions, rp_id })))
    }

    /// After the finger.
    pub(super) fn give_for_uv(
        &mut self,
        ability: Ability,
        wish: UvToken,
        now: Instant,
    ) -> Result<Value, Status> {
        let UvToken { protocol, shared, permissions, rp_id } = wish;
        self.verify_finger(ability)?;
        let mut token = Token::new(protocol, permissions, rp_id, now);
        token.present = true;
        Ok(self.give(&shared, token))
    }

    /// There is one token at a time.
    fn give(&mut self, shared: &Shared, token: Token) -> Value {
        let answer = Value::map([(2, Value::from(shared.encrypt(token.bytes()).as_slice()))]);
        self.secrets.push(("the token", token.bytes().to_vec()));
        self.session.token = Some(token);
        answer
    }

    fn shared(&mut self, protocol: Protocol, request: Request<'_>) -> Result<Shared, Status> {
        let theirs = needed(request.map(AGREEMENT)?)?;
        self.agree(protocol, theirs.0)
    }

    /// A right PIN brings back the tries of the finger; after a wrong one another key must be agreed on.
    fn check_pin(&mut self, protocol: Protocol, shared: &Shared, hash: &[u8]) -> Result<(), Status> {
        let hash = shared.decrypt(hash);
        let checked = self.pin.check(hash.as_deref());
        match checked {
            Ok(()) => self.uv_left = super::UV_TRIES,
            Err(_) => self.forget_agreement(protocol),
        }
        checked
    }
}

fn protocol(ability: Ability, request: Request<'_>) -> Result<Protocol, Status> {
    offered(ability, needed(request.number(PROTOCOL)?)?)
}

/// What a token shall be good for, and for which relying party.
fn permissions(request: Request<'_>) -> Result<(u8, Option<String>), Status> {
    let permissions = needed(request.number(PERMISSIONS)?)?;
    let rp_id = request.text(RP_ID)?.map(str::to_owned);
    match u8::try_from(permissions) {
        Ok(0) | Err(_) => Err(status::INVALID_PARAMETER),
        // Nothing here manages credentials, fingers, blobs or settings.
        Ok(permissions) if permissions & !(MAKE | ASSERT) != 0 => Err(status::UNAUTHORIZED_PERMISSION),
        Ok(permissions) => Ok((permissions, rp_id)),
    }
}
