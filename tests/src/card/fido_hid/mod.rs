//! The FIDO applet as a device on USB: the device's half of CTAPHID (CTAP 2.1, section 11.2) in front of the
//! same code that answers APDUs.
//!
//! Packets in, packets out: no threads, no clock and no device file. Whoever carries the packets calls
//! [`HidKey::tick`] often enough while [`HidKey::is_busy`].

mod packet;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::fido::{Fido, Pending, Step};
use super::profile::Profile;
use super::touch::{Manner, Touch};
pub use packet::Packet;
use packet::{Message, Part, cut};

/// Commands (CTAP 2.1, section 11.2.9).
mod command {
    pub(super) const PING: u8 = 0x01;
    pub(super) const INIT: u8 = 0x06;
    pub(super) const CBOR: u8 = 0x10;
    pub(super) const CANCEL: u8 = 0x11;
    pub(super) const KEEPALIVE: u8 = 0x3b;
    pub(super) const ERROR: u8 = 0x3f;
}

/// Errors (CTAP 2.1, section 11.2.9.1.6).
mod error {
    pub(super) const INVALID_COMMAND: u8 = 0x01;
    pub(super) const INVALID_LENGTH: u8 = 0x03;
    pub(super) const INVALID_SEQUENCE: u8 = 0x04;
    pub(super) const TIMEOUT: u8 = 0x05;
    pub(super) const CHANNEL_BUSY: u8 = 0x06;
    pub(super) const INVALID_CHANNEL: u8 = 0x0b;
}

/// The channel on which channels are asked for.
const BROADCAST: u32 = 0xffff_ffff;
/// Version of CTAPHID.
const VERSION: u8 = 2;
/// Capabilities: takes CBOR, takes no U2F.
const CAPABILITIES: u8 = 0x04 | 0x08;
/// A touch is waited for.
const UP_NEEDED: u8 = 2;
/// How often that is said.
const KEEPALIVE_PACE: Duration = Duration::from_millis(100);
/// How long the rest of a message may take: a guess.
const REST: Duration = Duration::from_secs(3);

/// A virtual authenticator on USB.
#[derive(Debug)]
pub struct HidKey {
    profile: Profile,
    fido: Fido,
    finger: Touch,
    /// The channels that were given out.
    channels: BTreeSet<u32>,
    transaction: Option<Transaction>,
    touches_asked: usize,
    cancelled: usize,
    refused_busy: usize,
}

/// What one channel has begun; all others wait meanwhile.
struct Transaction {
    channel: u32,
    stage: Stage,
}

enum Stage {
    /// The message is not whole yet.
    Hears(Message, Instant),
    /// The touch has not come yet: since when it is waited for, and when that was said last.
    Waits { pending: Pending, since: Instant, told: Instant },
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Transaction").field("channel", &self.channel).finish_non_exhaustive()
    }
}

impl HidKey {
    /// A key as it leaves the factory.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            fido: Fido::new(),
            finger: Touch::default(),
            channels: BTreeSet::new(),
            transaction: None,
            touches_asked: 0,
            cancelled: 0,
            refused_busy: 0,
        }
    }

    /// Sets what the finger does when a touch is asked for.
    pub fn touch(&mut self, habit: Touch) {
        self.finger = habit;
    }

    /// It is pulled out: all that is volatile is lost, also what was under way.
    pub fn pull_out(&mut self) {
        self.transaction = None;
        self.channels.clear();
        self.fido.power_off();
    }

    /// Whether something is under way.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.transaction.is_some()
    }

    /// Whether it waits for a touch.
    #[must_use]
    pub fn waits_for_touch(&self) -> bool {
        matches!(self.transaction, Some(Transaction { stage: Stage::Waits { .. }, .. }))
    }

    /// How many times a touch has been asked for.
    #[must_use]
    pub fn touches_asked(&self) -> usize {
        self.touches_asked
    }

    /// How many waits for a touch were cancelled by their host.
    #[must_use]
    pub fn cancelled(&self) -> usize {
        self.cancelled
    }

    /// How many messages were refused because another channel's was under way.
    #[must_use]
    pub fn refused_busy(&self) -> usize {
        self.refused_busy
    }

    /// Takes a packet; gives what it says to that.
    pub fn receive(&mut self, packet: &Packet, now: Instant) -> Vec<Packet> {
        let mut said = self.tick(now);
        said.extend(match packet::read(packet) {
            (channel, Part::First(command, length, data)) => self.first(channel, command, length, data, now),
            (channel, Part::Next(number, data)) => self.next(channel, number, data, now),
        });
        said.extend(self.tick(now));
        said
    }

    /// Time has gone on; gives what it says to that.
    pub fn tick(&mut self, now: Instant) -> Vec<Packet> {
        let Some(Transaction { channel, stage }) = self.transaction.take() else { return Vec::new() };
        match stage {
            Stage::Hears(_, until) if now >= until => fault(channel, error::TIMEOUT),
            Stage::Waits { pending, since, mut told } => {
                let waited = now.saturating_duration_since(since);
                let touched = match self.finger {
                    Touch::Now => true,
                    Touch::After(delay) => delay <= waited,
                    Touch::Never => false,
                };
                if touched || waited >= self.profile.touch_timeout {
                    let reply = self.fido.finish(&self.profile, pending, touched, now);
                    return cut(channel, command::CBOR, &reply.data);
                }
                let mut said = Vec::new();
                if now.saturating_duration_since(told) >= KEEPALIVE_PACE {
                    told = now;
                    said = keepalive(channel);
                }
                self.transaction =
                    Some(Transaction { channel, stage: Stage::Waits { pending, since, told } });
                said
            }
            stage @ Stage::Hears(..) => {
                self.transaction = Some(Transaction { channel, stage });
                Vec::new()
            }
        }
    }

    /// The first packet of a message.
    fn first(&mut self, channel: u32, command: u8, length: usize, data: &[u8], now: Instant) -> Vec<Packet> {
        let known = self.channels.contains(&channel);
        if command == command::INIT && (known || channel == BROADCAST) {
            return self.init(channel, length, data);
        }
        if !known {
            return fault(channel, error::INVALID_CHANNEL);
        }
        match self.transaction.take() {
            None if command == command::CANCEL => Vec::new(),
            None => match Message::begin(command, length, data) {
                Some(message) => self.hear(channel, message, now),
                None => fault(channel, error::INVALID_LENGTH),
            },
            Some(Transaction { channel: its, stage: Stage::Hears(..) }) if its == channel => {
                fault(channel, error::INVALID_SEQUENCE)
            }
            Some(Transaction { channel: its, stage: Stage::Waits { pending, .. } })
                if its == channel && command == command::CANCEL =>
            {
                self.cancelled += 1;
                cut(channel, command::CBOR, &pending.cancelled().data)
            }
            other => {
                self.transaction = other;
                if command == command::CANCEL {
                    return Vec::new();
                }
                self.refused_busy += 1;
                fault(channel, error::CHANNEL_BUSY)
            }
        }
    }

    /// A packet that follows. One that nobody waits for is passed over.
    fn next(&mut self, channel: u32, number: u8, data: &[u8], now: Instant) -> Vec<Packet> {
        match self.transaction.take() {
            Some(Transaction { channel: its, stage: Stage::Hears(mut message, _) }) if its == channel => {
                if message.add(number, data) {
                    self.hear(channel, message, now)
                } else {
                    fault(channel, error::INVALID_SEQUENCE)
                }
            }
            other => {
                self.transaction = other;
                Vec::new()
            }
        }
    }

    /// Gives a channel out, or begins anew on one.
    fn init(&mut self, channel: u32, length: usize, data: &[u8]) -> Vec<Packet> {
        let Some(nonce) = data.first_chunk::<8>().filter(|_| length == 8) else {
            return fault(channel, error::INVALID_LENGTH);
        };
        let given = if channel == BROADCAST {
            let new = self.channels.last().map_or(1, |last| last.wrapping_add(1));
            self.channels.insert(new);
            new
        } else {
            self.transaction.take_if(|transaction| transaction.channel == channel);
            channel
        };
        let [major, minor, build] = self.profile.version();
        let device = [VERSION, major, minor, build, CAPABILITIES];
        cut(channel, command::INIT, &[&nonce[..], &given.to_be_bytes(), &device].concat())
    }

    /// Has heard a message, or a part of it.
    fn hear(&mut self, channel: u32, message: Message, now: Instant) -> Vec<Packet> {
        if !message.is_whole() {
            self.transaction = Some(Transaction { channel, stage: Stage::Hears(message, now + REST) });
            return Vec::new();
        }
        match message.command {
            command::PING => cut(channel, command::PING, &message.data),
            command::CBOR if message.data.is_empty() => fault(channel, error::INVALID_LENGTH),
            command::CBOR => match self.fido.take(&self.profile, &message.data, Manner::Blocks, now) {
                Step::Done(reply) => cut(channel, command::CBOR, &reply.data),
                Step::Touch(pending) => {
                    self.touches_asked += 1;
                    let stage = Stage::Waits { pending, since: now, told: now };
                    self.transaction = Some(Transaction { channel, stage });
                    keepalive(channel)
                }
            },
            _ => fault(channel, error::INVALID_COMMAND),
        }
    }
}

fn fault(channel: u32, error: u8) -> Vec<Packet> {
    cut(channel, command::ERROR, &[error])
}

fn keepalive(channel: u32) -> Vec<Packet> {
    cut(channel, command::KEEPALIVE, &[UP_NEEDED])
}
