//! CTAPHID (CTAP 2.1, 11.2): messages over the reports of a USB device.
//!
//! Promises: a channel of our own; packets of others' channels are passed over; packets of ours come in
//! order or are garbage. A device that is busy with somebody else is asked again until the caller's time
//! is up. One whose answer is no longer wanted is told so, and waited for until it is idle.

mod packet;
mod usb;

use super::{After, Asks, Halt, LONGEST, Port, graced, kept_alive, unanswered};
use crate::patience::Over;
use crate::{Fault, Patience, Wait};
use packet::{Message, Packet, Part, cut, read};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::time::Duration;
pub(crate) use usb::keys;

/// Commands (CTAP 2.1, 11.2.9).
const INIT: u8 = 0x06;
const CBOR: u8 = 0x10;
const CANCEL: u8 = 0x11;
const KEEPALIVE: u8 = 0x3b;
const ERROR: u8 = 0x3f;
/// The channel that everybody may use, for [`INIT`] only.
const BROADCAST: u32 = 0xffff_ffff;
/// The capability to take [`CBOR`].
const TAKES_CBOR: u8 = 0x04;
/// Errors (CTAP 2.1, 11.2.9.1.6).
const CHANNEL_BUSY: u8 = 0x06;
const LOCK_REQUIRED: u8 = 0x0a;
const INVALID_CHANNEL: u8 = 0x0b;
/// Most old packets that are thrown away before a question is put.
const STALE: usize = 512;

/// Reports of one device, in and out.
trait Reports {
    /// Sends one.
    fn write(&mut self, packet: &Packet) -> Result<(), Fault>;
    /// Takes the next one; nothing if none comes within `limit`.
    fn read(&mut self, limit: Duration) -> Result<Option<Packet>, Fault>;
}

/// A device, and our channel to it.
struct Hid<R> {
    reports: R,
    channel: u32,
}

/// What came of a question.
enum Answer {
    Whole(Vec<u8>),
    /// Somebody else's turn.
    Busy,
}

impl<R: Reports> Hid<R> {
    /// Gets a channel.
    fn open(reports: R, patience: &mut Patience<'_>) -> Result<Self, Fault> {
        let mut device = Self { reports, channel: BROADCAST };
        let mut nonce = [0; 8];
        SystemRandom::new().fill(&mut nonce).map_err(|_| Fault::Unsupported("random numbers"))?;
        let (channel, capabilities) = device.init(&nonce, patience).map_err(|halt| match halt {
            Halt::Over(over) => unanswered(over, Wait::Processing),
            Halt::Fault(fault) => fault,
        })?;
        if capabilities & TAKES_CBOR == 0 {
            return Err(Fault::Unsupported("FIDO2"));
        }
        if matches!(channel, 0 | BROADCAST) {
            return Err(Fault::Garbage("a channel that is none"));
        }
        device.channel = channel;
        Ok(device)
    }

    /// The new channel, and what the device can.
    fn init(&mut self, nonce: &[u8; 8], patience: &mut Patience<'_>) -> Result<(u32, u8), Halt> {
        loop {
            self.send(INIT, nonce)?;
            loop {
                match self.receive(Wait::Processing, patience)? {
                    (INIT, data) => {
                        if let Some(answer) = init_answer(&data, nonce) {
                            return Ok(answer);
                        }
                        // The answer to another program's question.
                        patience.pace(Wait::Processing)?;
                    }
                    (ERROR, data) if data == [CHANNEL_BUSY] => break,
                    (_, _) => return Err(Fault::Garbage("no channel").into()),
                }
            }
            rest(Wait::Processing, patience)?;
        }
    }

    fn send(&mut self, command: u8, data: &[u8]) -> Result<(), Fault> {
        cut(self.channel, command, data)?.iter().try_for_each(|packet| self.reports.write(packet))
    }

    /// The next message on our channel.
    fn receive(&mut self, wait: Wait, patience: &mut Patience<'_>) -> Result<(u8, Vec<u8>), Halt> {
        let mut begun: Option<Message> = None;
        loop {
            let packet = self.reports.read(patience.step())?;
            // Whatever came: a flood of others' packets makes nobody wait for ever.
            patience.pace(wait)?;
            let Some((channel, part)) = packet.as_ref().and_then(read) else { continue };
            if channel != self.channel {
                continue;
            }
            let message = match (begun.take(), part) {
                (None, Part::First(command, length, data)) => Message::begin(command, length, data)?,
                (Some(mut message), Part::Next(number, data)) => {
                    message.add(number, data)?;
                    message
                }
                // The end of a message whose beginning was thrown away.
                (None, Part::Next(..)) => continue,
                (Some(_), Part::First(..)) => return Err(Fault::Garbage("packets out of order").into()),
            };
            match message.whole() {
                Ok(whole) => return Ok(whole),
                Err(more) => begun = Some(more),
            }
        }
    }

    /// Waits for the answer to a question.
    fn answer(&mut self, wait: &mut Wait, patience: &mut Patience<'_>) -> Result<Answer, Halt> {
        loop {
            match self.receive(*wait, patience)? {
                (CBOR, data) => return Ok(Answer::Whole(data)),
                (KEEPALIVE, data) => {
                    *wait = kept_alive(&data, *wait);
                    patience.tell(*wait)?;
                }
                (ERROR, data) => match data.as_slice() {
                    [CHANNEL_BUSY] => return Ok(Answer::Busy),
                    [LOCK_REQUIRED] => return Err(Fault::Busy.into()),
                    [INVALID_CHANNEL] => return Err(Fault::Disturbed.into()),
                    _ => return Err(Fault::Garbage("an error of CTAPHID").into()),
                },
                (_, _) => return Err(Fault::Garbage("an answer to something else").into()),
            }
        }
    }

    /// Tells the device that nobody waits any more, and waits until it has heard.
    fn cancel(&mut self) -> Result<(), Halt> {
        self.send(CANCEL, &[])?;
        // What it answers, if it had answered by then, is of no use.
        graced(|patience| self.answer(&mut Wait::Processing, patience)).map(drop)
    }

    fn ask(&mut self, message: &[u8], wait: &mut Wait, patience: &mut Patience<'_>) -> Result<Vec<u8>, Halt> {
        for _ in 0..STALE {
            // An answer that came too late for its question.
            if self.reports.read(Duration::ZERO)?.is_none() {
                break;
            }
        }
        loop {
            self.send(CBOR, message)?;
            match self.answer(wait, patience) {
                Ok(Answer::Whole(data)) => return Ok(data),
                Ok(Answer::Busy) => rest(*wait, patience)?,
                Err(Halt::Over(over)) => {
                    // It may be gone, or deaf: then nothing more can be done.
                    let _ = self.cancel();
                    return Err(over.into());
                }
                Err(fault) => return Err(fault),
            }
        }
    }
}

impl<R: Reports> Port for Hid<R> {
    fn exchange(
        &mut self,
        message: &[u8],
        _asks: Asks,
        patience: &mut Patience<'_>,
    ) -> Result<Vec<u8>, Fault> {
        let mut wait = Wait::Processing;
        let answer = self.ask(message, &mut wait, patience).map_err(|halt| match halt {
            Halt::Over(over) => unanswered(over, wait),
            Halt::Fault(fault) => fault,
        })?;
        debug_assert!(answer.len() <= LONGEST);
        Ok(answer)
    }

    /// A token lives in our hands alone: there is nothing to forget.
    fn end(&mut self, _after: After) {}
}

/// Gives another program time to come to an end.
fn rest(wait: Wait, patience: &mut Patience<'_>) -> Result<(), Over> {
    std::thread::sleep(patience.step());
    patience.tell(wait)
}

/// Channel and capabilities, if this answers our question.
fn init_answer(data: &[u8], nonce: &[u8; 8]) -> Option<(u32, u8)> {
    let (theirs, rest) = data.split_first_chunk::<8>()?;
    let (channel, rest) = rest.split_first_chunk::<4>()?;
    // Versions of protocol and device, four bytes, then the capabilities.
    let capabilities = rest.get(4)?;
    (theirs == nonce).then_some((u32::from_be_bytes(*channel), *capabilities))
}

#[cfg(test)]
mod tests;
