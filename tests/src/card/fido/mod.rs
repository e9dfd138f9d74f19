//! The FIDO applet: a CTAP 2.1 authenticator (or one of CTAP 2.0) as it is spoken to over ISO 7816 (CTAP
//! 2.1, section 11.3). It has no U2F and no credentials that it could find by itself.
//!
//! This file holds the state and the APDUs, `command` the table of commands; each command has a file of its
//! own. Keys are indexed by the name of the credential, not wrapped in it.

mod assert;
mod cbor;
mod client_pin;
pub(super) mod command;
mod consent;
mod cose;
mod credential;
mod hand;
mod hmac_secret;
mod info;
mod lie;
mod make;
mod pin;
mod protocol;
mod request;
mod status;
#[cfg(test)]
mod tests;
mod token;

use std::time::Instant;

use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};

use super::apdu::{Command, Reply, Sw, sw};
use super::profile::Profile;
use super::touch::Manner;
pub(super) use cbor::Value;
use command::{Outcome, Task};
pub use credential::Algorithm;
use credential::Credential;
pub use hand::Made;
use lie::Lies;
pub use lie::{Assertion, Lie};
use pin::Pin;
use protocol::{Agreement, Protocol, Shared};
use status::Status;
use token::Token;

/// The applet's identifier.
pub(super) const AID: &[u8] = &[0xa0, 0x00, 0x00, 0x06, 0x47, 0x2f, 0x00, 0x01];

/// Instructions (CTAP 2.1, section 11.3.5).
pub(super) mod ins {
    pub(in crate::card) const MESSAGE: u8 = 0x10;
    pub(in crate::card) const GET_RESPONSE: u8 = 0x11;
    pub(in crate::card) const CONTROL: u8 = 0x12;
}

/// The class of all of them.
const CLASS: u8 = 0x80;
/// P1 of a message whose sender understands that the answer may take its time …
const PATIENT: u8 = 0x80;
/// … and of the question for it, when it is not wanted any more.
const CANCEL: u8 = 0x11;
/// "Not yet": one byte says what is waited for.
pub(super) const NOT_YET: Sw = 0x9100;
/// A touch is waited for.
const UP_NEEDED: u8 = 2;
/// The answer to SELECT of one that has no U2F.
const GREETING: &[u8] = b"FIDO_2_0";
/// Tries of the finger.
const UV_TRIES: u8 = 3;

/// Flags of authenticator data (WebAuthn, section 6.1).
mod flag {
    pub(super) const UP: u8 = 0x01;
    pub(super) const UV: u8 = 0x04;
    pub(super) const AT: u8 = 0x40;
    pub(super) const ED: u8 = 0x80;
}

/// What became of an APDU.
pub(super) enum Step {
    /// It is answered.
    Done(Reply),
    /// It goes on after a touch.
    Touch(Pending),
}

impl<T: Into<Reply>> From<T> for Step {
    fn from(reply: T) -> Self {
        Self::Done(reply.into())
    }
}

/// A command that waits for its touch.
pub(super) struct Pending {
    command: u8,
    task: Task,
    pub(super) manner: Manner,
}

impl Pending {
    /// Its host does not want it any more.
    pub(super) fn cancelled(self) -> Reply {
        Reply::ok(vec![status::KEEPALIVE_CANCEL])
    }
}

/// The applet's memory.
#[derive(Debug)]
pub(crate) struct Fido {
    credentials: Vec<Credential>,
    counter: u32,
    pin: Pin,
    uv_left: u8,
    session: Session,
    lies: Lies,
    /// What was agreed on, until the test's hand takes it.
    secrets: Vec<(&'static str, Vec<u8>)>,
    assertions: usize,
    probes: usize,
}

/// What is lost at SELECT, reset and power off.
#[derive(Default)]
struct Session {
    /// One key for each protocol.
    agreements: [Option<Agreement>; 2],
    token: Option<Token>,
    /// A command whose host asks again and again.
    waiting: Option<Pending>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Session").field("token", &self.token).finish_non_exhaustive()
    }
}

/// Random bytes. A failing system generator leaves zeros; then nothing works any more.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let _ = SystemRandom::new().fill(&mut bytes); // see above
    bytes
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes).as_ref().first_chunk().copied().unwrap_or_default()
}

impl Fido {
    /// An applet as it leaves the factory.
    pub(super) fn new() -> Self {
        Self {
            credentials: Vec::new(),
            counter: 0,
            pin: Pin::new(),
            uv_left: UV_TRIES,
            session: Session::default(),
            lies: Lies::default(),
            secrets: Vec::new(),
            assertions: 0,
            probes: 0,
        }
    }

    /// Forgets everything volatile but the wrong PINs.
    pub(super) fn forget_session(&mut self) {
        self.session = Session::default();
    }

    /// The device has been without power, not only its card at the hands of the reader: wrong PINs in a row
    /// are forgotten too.
    pub(super) fn power_off(&mut self) {
        self.forget_session();
        self.pin.power_off();
    }

    pub(super) fn selected() -> Reply {
        Reply::ok(GREETING.to_vec())
    }

    fn has_token(&self) -> bool {
        self.session.token.as_ref().is_some_and(Token::is_worth_something)
    }

    fn agreement(&mut self, protocol: Protocol) -> &Agreement {
        let [one, two] = &mut self.session.agreements;
        let kept = match protocol {
            Protocol::One => one,
            Protocol::Two => two,
        };
        kept.get_or_insert_with(Agreement::fresh)
    }

    /// Agrees with the host's key.
    fn agree(&mut self, protocol: Protocol, theirs: &Value) -> Result<Shared, Status> {
        let shared = self.agreement(protocol).with(theirs, protocol).ok_or(status::INVALID_PARAMETER)?;
        self.secrets.extend(shared.secrets());
        Ok(shared)
    }

    fn forget_agreement(&mut self, protocol: Protocol) {
        let [one, two] = &mut self.session.agreements;
        match protocol {
            Protocol::One => *one = None,
            Protocol::Two => *two = None,
        }
    }

    fn find(&self, id: &[u8], rp_id: &str) -> Option<&Credential> {
        self.credentials.iter().find(|credential| credential.id == id && credential.rp_id == rp_id)
    }

    /// Carries one APDU out.
    pub(super) fn execute(&mut self, profile: &Profile, command: &Command, now: Instant) -> Step {
        if profile.fido.is_none() || command.cla != CLASS {
            return sw::UNKNOWN_INS.into();
        }
        let manner = match (command.ins, command.p1, command.p2) {
            (ins::MESSAGE, 0, 0) => Manner::Blocks,
            (ins::MESSAGE, PATIENT, 0) => Manner::Polled,
            (ins::GET_RESPONSE, 0, 0) => {
                let waiting = self.session.waiting.take();
                return waiting.map_or(sw::CONDITIONS.into(), Step::Touch);
            }
            (ins::GET_RESPONSE, CANCEL, 0) => {
                let waiting = self.session.waiting.take();
                return waiting.map_or(sw::CONDITIONS.into(), |pending| pending.cancelled().into());
            }
            (ins::CONTROL, _, _) => return sw::OK.into(),
            (ins::MESSAGE | ins::GET_RESPONSE, _, _) => return sw::WRONG_P1P2.into(),
            (_, _, _) => return sw::UNKNOWN_INS.into(),
        };
        self.session.waiting = None;
        self.take(profile, &command.data, manner, now)
    }

    /// Carries one message out, whatever way it came; the data of a reply is the answer.
    pub(super) fn take(&mut self, profile: &Profile, message: &[u8], manner: Manner, now: Instant) -> Step {
        let Some(ability) = profile.fido else {
            return Reply::ok(vec![status::INVALID_COMMAND]).into();
        };
        let Some((&command, parameters)) = message.split_first() else {
            return Reply::ok(vec![status::INVALID_LENGTH]).into();
        };
        let said = match self.message(profile, ability, command, parameters, now) {
            Ok(Outcome::Touch(task)) => return Step::Touch(Pending { command, task, manner }),
            Ok(Outcome::Ready(task)) => self.carry_out(ability, task, now),
            Ok(Outcome::Done(answer)) => Ok(answer),
            Err(status) => Err(status),
        };
        self.reply(command, said).into()
    }

    /// Says that a command still waits, and keeps it.
    pub(super) fn keep(&mut self, pending: Pending) -> Reply {
        self.session.waiting = Some(Pending { manner: Manner::PolledAgain, ..pending });
        Reply { data: vec![UP_NEEDED], sw: NOT_YET }
    }

    /// Goes on after the touch, or after the wait for it.
    pub(super) fn finish(
        &mut self,
        profile: &Profile,
        pending: Pending,
        touched: bool,
        now: Instant,
    ) -> Reply {
        let said = match (profile.fido, pending.task) {
            (_, Task::Excluded) => Err(status::CREDENTIAL_EXCLUDED), // in any case
            (_, Task::Question) if !touched => Err(status::OPERATION_DENIED),
            (Some(ability), task) if touched => self.carry_out(ability, task, now),
            (_, _) => Err(status::USER_ACTION_TIMEOUT),
        };
        self.reply(pending.command, said)
    }
}
