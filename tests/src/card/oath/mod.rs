//! The OATH applet: credentials that compute HMACs of a challenge, some of them only after a touch, all of
//! them behind an access code if there is one.
//!
//! Follows Yubico's YKOATH protocol documentation and what `ykman` 5 sends and reads. This file holds the
//! state and the table of instructions; `credential` what one credential is and computes, `code` the
//! access code.

mod code;
mod credential;
#[cfg(test)]
mod tests;

use ring::rand::{SecureRandom, SystemRandom};

use super::apdu::{Command, Reply, Sw, sw};
use super::profile::{Oath as Ability, Profile};
use super::tlv;
use code::Code;
use credential::{Answer, Credential};

/// The applet's identifier.
pub(super) const AID: &[u8] = &[0xa0, 0x00, 0x00, 0x05, 0x27, 0x21, 0x01];
/// The applet's own way to ask for the next piece of an answer.
pub(super) const SEND_REMAINING: u8 = 0xa5;

/// Tags of the protocol.
mod tag {
    pub(super) const NAME: u32 = 0x71;
    pub(super) const LISTED: u32 = 0x72;
    pub(super) const KEY: u32 = 0x73;
    pub(super) const CHALLENGE: u32 = 0x74;
    pub(super) const RESPONSE: u32 = 0x75;
    pub(super) const TRUNCATED: u32 = 0x76;
    pub(super) const NO_RESPONSE: u32 = 0x77;
    pub(super) const VERSION: u32 = 0x79;
    pub(super) const ALGORITHM: u32 = 0x7b;
    pub(super) const TOUCH: u32 = 0x7c;
}

mod ins {
    pub(super) const PUT: u8 = 0x01;
    pub(super) const DELETE: u8 = 0x02;
    pub(super) const SET_CODE: u8 = 0x03;
    pub(super) const RESET: u8 = 0x04;
    pub(super) const RENAME: u8 = 0x05;
    pub(super) const LIST: u8 = 0xa1;
    pub(super) const CALCULATE: u8 = 0xa2;
    pub(super) const VALIDATE: u8 = 0xa3;
    pub(super) const CALCULATE_ALL: u8 = 0xa4;
}

/// The longest name of a credential.
const LONGEST_NAME: usize = 64;
/// The longest challenge of CALCULATE that was seen to work.
const LONGEST_CHALLENGE: usize = 8;
/// P1 and P2 of RESET, so that nobody does it by mistake.
const MEANT: u16 = 0xdead;

/// What became of a command.
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

/// A calculation that waits for its touch.
pub(super) struct Pending {
    name: Vec<u8>,
    challenge: Vec<u8>,
    answer: Answer,
}

/// The applet's memory.
#[derive(Debug)]
pub(crate) struct Oath {
    /// A random name of the applet, which salts the access code; another one after each reset.
    device: [u8; 8],
    credentials: Vec<Credential>,
    code: Option<Code>,
    session: Session,
}

/// What is lost at SELECT, reset and power off.
#[derive(Debug, Default)]
struct Session {
    /// What the host must answer to prove that it knows the access code.
    challenge: [u8; 8],
    /// It has been proved.
    unlocked: bool,
}

/// Eight random bytes. A failing system generator leaves zeros; then nothing works any more.
fn random() -> [u8; 8] {
    let mut bytes = [0; 8];
    let _ = SystemRandom::new().fill(&mut bytes); // see above
    bytes
}

impl Oath {
    /// An applet as it leaves the factory.
    pub(super) fn new() -> Self {
        Self { device: random(), credentials: Vec::new(), code: None, session: Session::default() }
    }

    /// Forgets everything volatile.
    pub(super) fn forget_session(&mut self) {
        self.session = Session::default();
    }

    /// The answer to SELECT; with a code it holds the challenge of this session.
    pub(super) fn selected(&mut self, profile: &Profile) -> Reply {
        let mut answer =
            [tlv::write(tag::VERSION, &profile.version()), tlv::write(tag::NAME, &self.device)].concat();
        if let Some(code) = &self.code {
            self.session.challenge = random();
            answer.extend(tlv::write(tag::CHALLENGE, &self.session.challenge));
            answer.extend(tlv::write(tag::ALGORITHM, &[code.algorithm()]));
        }
        Reply::ok(answer)
    }

    /// Carries one command out.
    pub(super) fn execute(&mut self, profile: &Profile, command: &Command) -> Step {
        if self.is_locked() && !matches!(command.ins, ins::RESET | ins::VALIDATE) {
            return sw::SECURITY.into();
        }
        let data = &command.data;
        match (command.ins, command.parameters()) {
            (ins::RENAME, _) if profile.firmware < (5, 3, 1) => sw::UNKNOWN_INS.into(),
            (ins::PUT, 0) => self.put(profile, data).into(),
            (ins::DELETE, 0) => self.delete(data).into(),
            (ins::SET_CODE, 0) if !profile.oath_sets_code => sw::OK.into(),
            (ins::SET_CODE, 0) => self.set_code(data).into(),
            (ins::RESET, MEANT) => self.reset().into(),
            (ins::RENAME, 0) => self.rename(data).into(),
            (ins::LIST, 0) => self.list().into(),
            (ins::CALCULATE, 0 | 1) => match answer(profile, command) {
                Ok(answer) => self.calculate(answer, data),
                Err(refused) => refused.into(),
            },
            (ins::VALIDATE, 0) => self.validate(data).into(),
            (ins::CALCULATE_ALL, 0 | 1) => match answer(profile, command) {
                Ok(answer) => self.calculate_all(answer, data).into(),
                Err(refused) => refused.into(),
            },
            (ins::PUT..=ins::RENAME | ins::LIST..=ins::CALCULATE_ALL, _) => sw::WRONG_P1P2.into(),
            (_, _) => sw::UNKNOWN_INS.into(),
        }
    }

    /// Goes on with a calculation after its touch.
    pub(super) fn touched(&mut self, pending: &Pending) -> Reply {
        match self.find(&pending.name) {
            Some(credential) => Reply::ok(credential.calculate(&pending.challenge, pending.answer)),
            None => sw::INVALIDATED.into(), // deleted by the test's hand meanwhile
        }
    }

    fn is_locked(&self) -> bool {
        self.code.is_some() && !self.session.unlocked
    }

    fn find(&mut self, name: &[u8]) -> Option<&mut Credential> {
        self.credentials.iter_mut().find(|credential| credential.name == name)
    }

    fn put(&mut self, profile: &Profile, data: &[u8]) -> Reply {
        let Some(new) = Credential::parse(profile, data) else { return sw::WRONG_DATA.into() };
        let full = self.credentials.len() >= profile.oath_credentials;
        match self.find(&new.name) {
            Some(_) if !profile.oath_overwrites => sw::CONDITIONS.into(),
            Some(old) => {
                *old = new;
                sw::OK.into()
            }
            None if full => sw::NO_SPACE.into(),
            None => {
                self.credentials.push(new);
                sw::OK.into()
            }
        }
    }

    fn delete(&mut self, data: &[u8]) -> Reply {
        let Some((tag::NAME, name, [])) = tlv::first(data) else { return sw::WRONG_DATA.into() };
        let before = self.credentials.len();
        self.credentials.retain(|credential| credential.name != name);
        if self.credentials.len() == before { sw::INVALIDATED } else { sw::OK }.into()
    }

    fn rename(&mut self, data: &[u8]) -> Reply {
        let parts = tlv::parse(data).unwrap_or_default();
        let [(tag::NAME, old), (tag::NAME, new)] = parts.as_slice() else { return sw::WRONG_DATA.into() };
        if !is_name(new) || (old != new && self.find(new).is_some()) {
            return sw::WRONG_DATA.into(); // for a name that is taken a guess
        }
        match self.find(old) {
            Some(credential) => {
                credential.name = new.to_vec();
                sw::OK.into()
            }
            None => sw::INVALIDATED.into(),
        }
    }

    fn list(&self) -> Reply {
        let entry = |credential: &Credential| {
            tlv::write(tag::LISTED, &[&[credential.kind()][..], &credential.name].concat())
        };
        Reply::ok(self.credentials.iter().flat_map(entry).collect())
    }

    fn calculate(&mut self, answer: Answer, data: &[u8]) -> Step {
        let parts = tlv::parse(data).unwrap_or_default();
        let [(tag::NAME, name), (tag::CHALLENGE, challenge)] = parts.as_slice() else {
            return sw::WRONG_DATA.into();
        };
        let Some(credential) = self.find(name) else { return sw::INVALIDATED.into() };
        if challenge.len() > LONGEST_CHALLENGE || (challenge.is_empty() && !credential.counts()) {
            return sw::WRONG_DATA.into();
        }
        if credential.touch {
            let (name, challenge) = (name.to_vec(), challenge.to_vec());
            return Step::Touch(Pending { name, challenge, answer });
        }
        Reply::ok(credential.calculate(challenge, answer)).into()
    }

    /// Every code that needs neither a touch nor a counter.
    fn calculate_all(&mut self, answer: Answer, data: &[u8]) -> Reply {
        let Some((tag::CHALLENGE, challenge, [])) = tlv::first(data) else { return sw::WRONG_DATA.into() };
        if challenge.is_empty() || challenge.len() > LONGEST_CHALLENGE {
            return sw::WRONG_DATA.into();
        }
        let entry = |credential: &mut Credential| {
            let digits = [credential.digits];
            let code = match (credential.counts(), credential.touch) {
                (true, _) => tlv::write(tag::NO_RESPONSE, &digits),
                (false, true) => tlv::write(tag::TOUCH, &digits),
                (false, false) => credential.calculate(challenge, answer),
            };
            [tlv::write(tag::NAME, &credential.name), code].concat()
        };
        Reply::ok(self.credentials.iter_mut().flat_map(entry).collect())
    }

    fn reset(&mut self) -> Reply {
        *self = Self::new();
        sw::OK.into()
    }
}

/// In which form the answer goes out.
fn answer(profile: &Profile, command: &Command) -> Result<Answer, Sw> {
    match (profile.oath, command.p2) {
        (Ability::Full, 0) => Ok(Answer::Whole),
        (Ability::Refusing(status), 0) => Err(status),
        (Ability::Full | Ability::Truncating | Ability::Refusing(_) | Ability::Absent, _) => {
            Ok(Answer::Truncated)
        }
    }
}

fn is_name(name: &[u8]) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
}

/// The test's hand inside the applet.
impl Oath {
    pub(in crate::card) fn device(&self) -> [u8; 8] {
        self.device
    }

    pub(in crate::card) fn names(&self) -> Vec<String> {
        let name = |credential: &Credential| String::from_utf8_lossy(&credential.name).into_owned();
        self.credentials.iter().map(name).collect()
    }

    /// The key of a credential, and whether it asks for a touch.
    pub(in crate::card) fn key(&self, name: &str) -> Option<(Vec<u8>, bool)> {
        let found = self.credentials.iter().find(|credential| credential.name == name.as_bytes())?;
        Some((found.key.clone(), found.touch))
    }

    pub(in crate::card) fn put_by_hand(&mut self, name: &str, key: &[u8], touch: bool) {
        self.credentials.retain(|credential| credential.name != name.as_bytes());
        self.credentials.push(Credential::by_hand(name, key, touch));
    }

    pub(in crate::card) fn delete_by_hand(&mut self, name: &str) -> bool {
        let before = self.credentials.len();
        self.credentials.retain(|credential| credential.name != name.as_bytes());
        self.credentials.len() < before
    }

    pub(in crate::card) fn has_code(&self) -> bool {
        self.code.is_some()
    }

    pub(in crate::card) fn set_code_by_hand(&mut self, password: Option<&str>) {
        self.code = password.map(|password| Code::of_password(password, &self.device));
        self.session = Session::default();
    }

    /// Whether this is the access code now.
    pub(in crate::card) fn is_code(&self, password: &str) -> bool {
        self.code.as_ref() == Some(&Code::of_password(password, &self.device))
    }

    pub(in crate::card) fn is_unlocked(&self) -> bool {
        self.session.unlocked
    }
}
