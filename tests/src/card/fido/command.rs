//! The table of commands (CTAP 2.1, section 6), and what is left of one after its touch.

use std::time::Instant;

use super::cbor::Value;
use super::request::Request;
use super::status::{self, Status};
use super::{Fido, assert, client_pin, info, make};
use crate::card::apdu::Reply;
use crate::card::profile::{Fido as Ability, Profile};

pub(in crate::card) const MAKE_CREDENTIAL: u8 = 0x01;
pub(in crate::card) const GET_ASSERTION: u8 = 0x02;
pub(in crate::card) const GET_INFO: u8 = 0x04;
pub(in crate::card) const CLIENT_PIN: u8 = 0x06;
pub(in crate::card) const RESET: u8 = 0x07;
pub(in crate::card) const GET_NEXT_ASSERTION: u8 = 0x08;
pub(in crate::card) const SELECTION: u8 = 0x0b;

/// What is left to do after the touch.
pub(super) enum Task {
    Make(make::Make),
    Assert(assert::Assert),
    UvToken(client_pin::UvToken),
    /// To say that there is such a credential already.
    Excluded,
    /// To say whether there is a PIN.
    Question,
    Selection,
    Reset,
}

/// What became of a command.
pub(super) enum Outcome {
    /// Its answer, if it has one.
    Done(Option<Value>),
    /// A touch is needed …
    Touch(Task),
    /// … and there has been one.
    Ready(Task),
}

impl From<Value> for Outcome {
    fn from(answer: Value) -> Self {
        Self::Done(Some(answer))
    }
}

impl Fido {
    pub(super) fn message(
        &mut self,
        profile: &Profile,
        ability: Ability,
        command: u8,
        parameters: &[u8],
        now: Instant,
    ) -> Result<Outcome, Status> {
        if parameters.len() >= info::LONGEST {
            return Err(status::REQUEST_TOO_LARGE);
        }
        let read = || match Value::read(parameters) {
            Some(map @ Value::Map(_)) => Ok(map),
            Some(_) => Err(status::UNEXPECTED_TYPE),
            None => Err(status::INVALID_CBOR),
        };
        match command {
            MAKE_CREDENTIAL => self.make(ability, Request(&read()?), now),
            GET_ASSERTION => self.assert(ability, Request(&read()?), now),
            GET_INFO => Ok(self.info(profile, ability).into()),
            CLIENT_PIN => self.client_pin(ability, Request(&read()?), now),
            RESET => Ok(Outcome::Touch(Task::Reset)),
            // There is never more than one answer.
            GET_NEXT_ASSERTION => Err(status::NOT_ALLOWED),
            SELECTION if ability.permissions => Ok(Outcome::Touch(Task::Selection)),
            _ => Err(status::INVALID_COMMAND),
        }
    }

    pub(super) fn carry_out(
        &mut self,
        ability: Ability,
        task: Task,
        now: Instant,
    ) -> Result<Option<Value>, Status> {
        match task {
            Task::Make(make) => self.made(ability, &make).map(Some),
            Task::Assert(assert) => self.asserted(ability, &assert).map(Some),
            Task::UvToken(wish) => self.give_for_uv(ability, wish, now).map(Some),
            Task::Excluded => Err(status::CREDENTIAL_EXCLUDED),
            Task::Question if self.pin.is_set() => Err(status::PIN_INVALID),
            Task::Question => Err(status::PIN_NOT_SET),
            Task::Selection => Ok(None),
            Task::Reset => {
                let lies = std::mem::take(&mut self.lies);
                *self = Self { lies, ..Self::new() };
                Ok(None)
            }
        }
    }

    pub(super) fn reply(&mut self, command: u8, said: Result<Option<Value>, Status>) -> Reply {
        let mut bytes = match said {
            Ok(answer) => {
                [vec![status::OK], answer.map_or_else(Vec::new, |answer| answer.to_bytes())].concat()
            }
            Err(status) => vec![status],
        };
        self.lies.answer(command, &mut bytes);
        Reply::ok(bytes)
    }
}
