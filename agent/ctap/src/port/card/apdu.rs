//! CTAP in APDUs (CTAP 2.1, 11.3; ISO 7816-4): short ones, chained out and fetched in parts.
//!
//! Promises: an answer is bounded in rounds and bytes, whatever the card says. A card that tells what it
//! waits for is asked on until it is done; one that does not know how blocks, and so do we.

use crate::port::{Asks, GRACE, Halt, LONGEST, kept_alive};
use crate::{Fault, Patience, Wait};
use std::time::{Duration, Instant};

/// The applet (CTAP 2.1, 11.3.3).
const AID: [u8; 8] = [0xa0, 0x00, 0x00, 0x06, 0x47, 0x2f, 0x00, 0x01];
const SELECT: [u8; 4] = [0x00, 0xa4, 0x04, 0x00];
/// NFCCTAP_MSG (CTAP 2.1, 11.3.5.1), from a client that asks on after a keepalive, and from one that blocks.
const MESSAGE: [u8; 4] = [0x80, 0x10, 0x80, 0x00];
const MESSAGE_BLOCKING: [u8; 4] = [0x80, 0x10, 0x00, 0x00];
/// NFCCTAP_GETRESPONSE (CTAP 2.1, 11.3.7.2), to ask on and to cancel.
const ASK_ON: [u8; 4] = [0x80, 0x11, 0x00, 0x00];
const CANCEL: [u8; 4] = [0x80, 0x11, 0x11, 0x00];
/// Marks all commands of a chain but the last (ISO 7816-4, 5.1.1).
const CHAIN: u8 = 0x10;
/// Most bytes of one command.
const BLOCK: usize = 255;
/// Most rounds of fetching one answer: 30 where the card fills each.
const ROUNDS: usize = 128;
/// How long a keepalive is left alone.
const PAUSE: Duration = Duration::from_millis(50);

/// Something that takes a command and gives the raw response.
pub(super) trait Channel {
    /// One exchange. `wait` is what the card waits for, as far as it has said so.
    fn transmit(
        &mut self,
        command: &[u8],
        asks: Asks,
        wait: &mut Wait,
        patience: &mut Patience<'_>,
    ) -> Result<Vec<u8>, Halt>;
    /// Whether Le is sent with data: under T=0 it must not be.
    fn le(&self) -> bool;
}

/// Whether a card tells what it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    AsksOn,
    Blocks,
}

/// What goes with every command of an exchange.
pub(super) struct Exchange<'e, 'p, C> {
    pub(super) channel: &'e mut C,
    pub(super) asks: Asks,
    pub(super) wait: Wait,
    pub(super) patience: &'e mut Patience<'p>,
}

struct Response {
    data: Vec<u8>,
    status: u16,
}

impl<C: Channel> Exchange<'_, '_, C> {
    /// Selects the applet; says whether there is one.
    pub(super) fn select(&mut self) -> Result<bool, Halt> {
        Ok(self.send(SELECT, &AID)?.status == 0x9000)
    }

    /// A message, and the answer.
    pub(super) fn message(&mut self, message: &[u8], manner: &mut Manner) -> Result<Vec<u8>, Halt> {
        if *manner == Manner::Blocks {
            return whole(self.send(MESSAGE_BLOCKING, message)?);
        }
        let mut response = self.send(MESSAGE, message)?;
        // It does not know the bit: nothing has been done yet.
        if matches!(response.status, 0x6a86 | 0x6b00 | 0x6d00) {
            response = self.send(MESSAGE_BLOCKING, message)?;
            if response.status == 0x9000 {
                *manner = Manner::Blocks;
            }
        }
        while response.status == 0x9100 {
            self.wait = kept_alive(&response.data, self.wait);
            self.patience.tell(self.wait)?;
            std::thread::sleep(PAUSE.min(self.patience.step()));
            response = self.send(ASK_ON, &[])?;
        }
        whole(response)
    }

    /// Tells a card that was asked on that nobody waits any more, and waits until it has heard.
    pub(super) fn cancel(&mut self) -> Result<(), Halt> {
        let until = Instant::now() + GRACE;
        let mut response = self.send(CANCEL, &[])?;
        while response.status == 0x9100 && Instant::now() < until {
            std::thread::sleep(PAUSE);
            response = self.send(ASK_ON, &[])?;
        }
        Ok(())
    }

    /// A command with data in as many parts as it needs, or one without data, and the whole response.
    fn send(&mut self, head: [u8; 4], data: &[u8]) -> Result<Response, Halt> {
        let mut blocks = data.chunks(BLOCK).peekable();
        let mut next = Vec::new();
        while let Some(block) = blocks.next() {
            next = command(head, block);
            if blocks.peek().is_none() {
                break;
            }
            if let Some(class) = next.first_mut() {
                *class |= CHAIN;
            }
            let response = self.response(&next)?;
            if response.status != 0x9000 {
                return Ok(response);
            }
        }
        if data.is_empty() {
            next = head.to_vec();
        }
        if data.is_empty() || self.channel.le() {
            next.push(0);
        }
        self.collect(next)
    }

    fn collect(&mut self, mut next: Vec<u8>) -> Result<Response, Halt> {
        let mut data = Vec::new();
        for _ in 0..ROUNDS {
            let part = self.response(&next)?;
            data.extend(part.data);
            if data.len() > LONGEST {
                return Err(Fault::Garbage("an answer that is too long").into());
            }
            match part.status.to_be_bytes() {
                // 61xx: xx more bytes (ISO 7816-4, 5.1.3).
                [0x61, more] => next = vec![0x00, 0xc0, 0x00, 0x00, more],
                // 6Cxx: the same again, with xx as Le.
                [0x6c, right] if next.len() == 5 => {
                    next.pop();
                    next.push(right);
                }
                _end => return Ok(Response { data, status: part.status }),
            }
        }
        Err(Fault::Garbage("an answer without end").into())
    }

    fn response(&mut self, command: &[u8]) -> Result<Response, Halt> {
        let raw = self.channel.transmit(command, self.asks, &mut self.wait, self.patience)?;
        let (data, status) = raw.split_last_chunk::<2>().ok_or(Fault::Garbage("an answer without status"))?;
        Ok(Response { data: data.to_vec(), status: u16::from_be_bytes(*status) })
    }
}

fn whole(response: Response) -> Result<Vec<u8>, Halt> {
    match response.status {
        0x9000 => Ok(response.data),
        // The instruction, or the class, is not known: an older standard.
        0x6d00 | 0x6e00 => Err(Fault::Unsupported("FIDO2").into()),
        _other => Err(Fault::Garbage("a status word").into()),
    }
}

fn command(head: [u8; 4], data: &[u8]) -> Vec<u8> {
    let mut bytes = head.to_vec();
    bytes.push(u8::try_from(data.len()).unwrap_or(u8::MAX));
    bytes.extend_from_slice(data);
    bytes
}

#[cfg(test)]
mod tests;
