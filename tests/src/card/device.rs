//! The chip: its applets, which of them is selected, and the chain of APDUs. No threads, no clock of
//! its own and no sockets: bytes in, bytes out.
//!
//! A command that needs a touch stops half-way: [`Step::Touch`] is the promise to go on with
//! [`Device::finish`] once the finger has decided, so that nobody holds the device meanwhile.

use std::time::Instant;

use super::apdu::{Chain, Command, GET_RESPONSE, Link, Reply, sw};
use super::fido::{self, Fido};
use super::log::Applet;
use super::management;
use super::oath::{self, Oath};
use super::piv::{self, Piv};
use super::profile::{self, Profile};
use super::touch::Manner;

/// What became of a command.
pub(super) enum Step {
    /// It is answered.
    Done(Vec<u8>),
    /// It waits for a touch.
    Touch(Waiting),
}

/// A command that waits for a touch.
pub(super) struct Waiting {
    pending: Pending,
    max: usize,
}

enum Pending {
    Piv(piv::Pending),
    Oath(oath::Pending),
    Fido(fido::Pending),
}

impl Waiting {
    /// How it waits.
    pub(super) fn manner(&self) -> Manner {
        match &self.pending {
            Pending::Piv(_) | Pending::Oath(_) => Manner::Blocks,
            Pending::Fido(pending) => pending.manner,
        }
    }
}

/// SELECT by name (ISO 7816-4, section 7.1.1).
const SELECT: u8 = 0xa4;
/// Yubico's OTP applet, from which hosts read the serial number of firmware 4.
const OTP_AID: &[u8] = &[0xa0, 0x00, 0x00, 0x05, 0x27, 0x20, 0x01];

#[derive(Debug)]
pub(super) struct Device {
    pub(super) profile: Profile,
    pub(super) piv: Piv,
    pub(super) oath: Oath,
    pub(super) fido: Fido,
    selected: Option<Applet>,
    chain: Chain,
    /// What the applet said to SELECT has been announced only.
    announced: bool,
}

impl Device {
    pub(super) fn new(profile: Profile) -> Self {
        Self {
            piv: Piv::new(&profile),
            oath: Oath::new(),
            fido: Fido::new(),
            profile,
            selected: None,
            chain: Chain::default(),
            announced: false,
        }
    }

    /// The applet that is selected.
    pub(super) fn selected(&self) -> Option<Applet> {
        self.selected
    }

    /// The reader switches the card off or on, or resets it: everything volatile is lost, but what only the
    /// loss of the device's own power takes away.
    pub(super) fn reset(&mut self) {
        self.selected = None;
        self.chain = Chain::default();
        self.announced = false;
        self.forget_sessions();
    }

    /// The device is without power: pulled out.
    pub(super) fn power_off(&mut self) {
        self.reset();
        self.fido.power_off();
    }

    fn forget_sessions(&mut self) {
        self.piv.forget_session();
        self.oath.forget_session();
        self.fido.forget_session();
    }

    /// Takes one APDU.
    pub(super) fn execute(&mut self, bytes: &[u8], now: Instant) -> Step {
        let Some(command) = Command::parse(bytes) else {
            return Step::Done(Reply::from(sw::WRONG_LENGTH).to_bytes());
        };
        let max = command.max;
        let next = match self.selected {
            Some(Applet::Oath) if !self.announced => oath::SEND_REMAINING,
            Some(Applet::Oath | Applet::Piv | Applet::Management | Applet::Otp | Applet::Fido) | None => {
                GET_RESPONSE
            }
        };
        self.announced = false;
        let touch = |pending| Step::Touch(Waiting { pending, max });
        let reply = match self.chain.take(command, next) {
            Link::Answered(reply) => return Step::Done(reply.to_bytes()),
            Link::Whole(command) if command.ins == SELECT && command.p1 == 4 => {
                let reply = self.select(&command.data);
                self.announced = self.profile.announces_select && !reply.data.is_empty();
                reply
            }
            Link::Whole(command) => match self.selected {
                Some(Applet::Piv) => match self.piv.execute(&self.profile, &command, now) {
                    piv::Step::Done(reply) => reply,
                    piv::Step::Touch(pending) => return touch(Pending::Piv(pending)),
                },
                Some(Applet::Oath) => match self.oath.execute(&self.profile, &command) {
                    oath::Step::Done(reply) => reply,
                    oath::Step::Touch(pending) => return touch(Pending::Oath(pending)),
                },
                Some(Applet::Fido) => match self.fido.execute(&self.profile, &command, now) {
                    fido::Step::Done(reply) => reply,
                    fido::Step::Touch(pending) => return touch(Pending::Fido(pending)),
                },
                Some(Applet::Management) => management::execute(&self.profile, &command),
                Some(Applet::Otp) => self.otp(&command),
                None => sw::UNKNOWN_INS.into(),
            },
        };
        let max = if self.announced { 0 } else { max };
        Step::Done(self.chain.give(reply, max).to_bytes())
    }

    /// Goes on with a command after its touch, or after the wait for it.
    pub(super) fn finish(&mut self, waiting: Waiting, touched: bool, now: Instant) -> Vec<u8> {
        let reply = match waiting.pending {
            Pending::Piv(pending) if touched => self.piv.touched(pending, now),
            Pending::Piv(_) => self.profile.touch_refusal.into(),
            Pending::Oath(pending) if touched => self.oath.touched(&pending),
            Pending::Oath(_) => sw::SECURITY.into(),
            Pending::Fido(pending) => self.fido.finish(&self.profile, pending, touched, now),
        };
        self.chain.give(reply, waiting.max).to_bytes()
    }

    /// Says of a command that it still waits, and keeps it until it is asked for again.
    pub(super) fn keep(&mut self, waiting: Waiting) -> Vec<u8> {
        let reply = match waiting.pending {
            Pending::Fido(pending) => self.fido.keep(pending),
            // They answer after the touch and not before.
            Pending::Piv(_) | Pending::Oath(_) => sw::CONDITIONS.into(),
        };
        self.chain.give(reply, waiting.max).to_bytes()
    }

    fn select(&mut self, name: &[u8]) -> Reply {
        // A partial name selects the applet it is the beginning of (ISO 7816-4, section 7.1.1);
        // Yubico's programs send the five bytes of NIST's registration.
        let is = |aid: &[u8]| name.len() >= 5 && (aid.starts_with(name) || name.starts_with(aid));
        let profile = &self.profile;
        let applet = if profile.piv && is(piv::AID) {
            Applet::Piv
        } else if profile.oath != profile::Oath::Absent && is(oath::AID) {
            Applet::Oath
        } else if profile.fido.is_some() && is(fido::AID) {
            Applet::Fido
        } else if profile.management && is(management::AID) {
            Applet::Management
        } else if profile.firmware.0 < 5 && is(OTP_AID) {
            Applet::Otp
        } else {
            return sw::NOT_FOUND.into();
        };
        self.forget_sessions();
        self.selected = Some(applet);
        match applet {
            Applet::Piv => piv::selected(),
            Applet::Oath => self.oath.selected(&self.profile),
            Applet::Fido => Fido::selected(),
            Applet::Management => management::selected(&self.profile),
            Applet::Otp => Reply::ok([&self.profile.version()[..], &[0, 0, 0]].concat()),
        }
    }

    fn otp(&self, command: &Command) -> Reply {
        match (command.ins, command.p1) {
            (0x01, 0x10) => Reply::ok(self.profile.serial.to_be_bytes().to_vec()),
            (_, _) => sw::UNKNOWN_INS.into(),
        }
    }
}
