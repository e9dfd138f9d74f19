//! What a card has heard and said, for the test to read.

mod fido;
mod oath;

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The applets of a device, as the log tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applet {
    /// PIV.
    Piv,
    /// OATH.
    Oath,
    /// Management.
    Management,
    /// OTP, of firmware 4 only.
    Otp,
    /// FIDO.
    Fido,
}

/// One event on the card's contacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Power came.
    PowerOn,
    /// Power went.
    PowerOff,
    /// A reset.
    Reset,
    /// One APDU and its answer.
    Apdu(Exchange),
}

/// One APDU and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The applet that was selected when it was answered: for SELECT the new one.
    pub applet: Option<Applet>,
    /// When it came.
    pub at: Instant,
    /// How long the answer took.
    pub took: Duration,
    /// The command as sent.
    pub command: Vec<u8>,
    /// The answer; empty when there was none.
    pub reply: Vec<u8>,
    /// Whether a touch was asked for, and whether it came.
    pub touched: Option<bool>,
}

impl Exchange {
    /// The instruction byte.
    #[must_use]
    pub fn ins(&self) -> Option<u8> {
        self.command.get(1).copied()
    }

    /// The status word of the answer.
    #[must_use]
    pub fn sw(&self) -> Option<u16> {
        self.reply.last_chunk().copied().map(u16::from_be_bytes)
    }

    /// Whether it used (or tried to use) the private key of a slot.
    #[must_use]
    pub fn is_key_use(&self) -> bool {
        matches!(self.command.get(1..4), Some([0x87, _, slot]) if *slot != 0x9b)
    }

    /// Whether it asked (or tried to ask) the OATH applet for the code of one credential.
    #[must_use]
    pub fn is_calculation(&self) -> bool {
        self.applet == Some(Applet::Oath) && self.ins() == Some(oath::CALCULATE)
    }

    /// The challenge of a calculation.
    #[must_use]
    pub fn challenge(&self) -> Option<&[u8]> {
        if self.is_calculation() { oath::challenge(&self.command) } else { None }
    }
}

/// Everything a card has heard and said so far.
#[derive(Debug, Clone, Default)]
pub struct Events(pub Vec<Event>);

impl Events {
    /// The APDUs.
    pub fn apdus(&self) -> impl Iterator<Item = &Exchange> {
        self.0.iter().filter_map(|event| match event {
            Event::Apdu(exchange) => Some(exchange),
            Event::PowerOn | Event::PowerOff | Event::Reset => None,
        })
    }

    /// How many APDUs an applet answered, its SELECT among them.
    #[must_use]
    pub fn of(&self, applet: Applet) -> usize {
        self.apdus().filter(|exchange| exchange.applet == Some(applet)).count()
    }

    /// How many times power came.
    #[must_use]
    pub fn power_ons(&self) -> usize {
        self.0.iter().filter(|event| **event == Event::PowerOn).count()
    }

    /// How many times power went.
    #[must_use]
    pub fn power_offs(&self) -> usize {
        self.0.iter().filter(|event| **event == Event::PowerOff).count()
    }

    /// How many resets there were.
    #[must_use]
    pub fn resets(&self) -> usize {
        self.0.iter().filter(|event| **event == Event::Reset).count()
    }

    /// How many codes of OATH credentials were given out, one asked for at a time.
    #[must_use]
    pub fn calculations(&self) -> usize {
        self.apdus().filter(|exchange| exchange.is_calculation() && exchange.sw() == Some(0x9000)).count()
    }

    /// The challenge of every calculation, also of those that were refused.
    #[must_use]
    pub fn challenges(&self) -> Vec<&[u8]> {
        self.apdus().filter_map(Exchange::challenge).collect()
    }

    /// How many APDUs had this instruction.
    #[must_use]
    pub fn count(&self, ins: u8) -> usize {
        self.apdus().filter(|exchange| exchange.ins() == Some(ins)).count()
    }

    /// How many uses of a private key succeeded.
    #[must_use]
    pub fn key_uses(&self) -> usize {
        self.apdus().filter(|exchange| exchange.is_key_use() && exchange.sw() == Some(0x9000)).count()
    }

    /// How many uses of a private key were refused for want of a verified PIN.
    #[must_use]
    pub fn key_uses_without_pin(&self) -> usize {
        self.apdus()
            .filter(|exchange| {
                exchange.is_key_use() && exchange.sw() == Some(0x6982) && exchange.touched.is_none()
            })
            .count()
    }

    /// The events as text, one a line: `> command`, `< answer`, `* event`. PINs and PUKs are masked;
    /// points and secrets, and what else differs at each run (random challenges and their proofs, the name
    /// of the OATH applet, dates, how often a host asked FIDO for an answer), are named or left out.
    #[must_use]
    pub fn transcript(&self) -> String {
        let (mut text, mut talk) = (String::new(), fido::Talk::default());
        for event in &self.0 {
            // Writing to a String cannot fail.
            let _ = match event {
                Event::PowerOn => writeln!(text, "* power on"),
                Event::PowerOff => writeln!(text, "* power off"),
                Event::Reset => writeln!(text, "* reset"),
                Event::Apdu(exchange) if exchange.applet == Some(Applet::Fido) => {
                    talk.write(exchange, &mut text)
                }
                Event::Apdu(exchange) => exchange.write(&mut text),
            };
        }
        text
    }
}

impl Exchange {
    fn write(&self, text: &mut String) -> std::fmt::Result {
        let oath = self.applet == Some(Applet::Oath);
        let command = if oath { oath::command(&self.command) } else { shown_command(&self.command) };
        writeln!(text, "> {command}")?;
        match self.touched {
            Some(true) => writeln!(text, "* touched")?,
            Some(false) => writeln!(text, "* not touched")?,
            None => {}
        }
        if self.reply.is_empty() {
            return writeln!(text, "* no answer");
        }
        let reply = if oath {
            oath::reply(&self.command, &self.reply)
        } else {
            shown_reply(&self.reply, self.is_key_use())
        };
        writeln!(text, "< {reply}")
    }
}

fn shown_command(command: &[u8]) -> String {
    let (header, data) = command.split_at_checked(5).unwrap_or((command, &[]));
    let shown = match header.get(1) {
        // VERIFY, CHANGE REFERENCE DATA and RESET RETRY COUNTER carry nothing but PINs and PUKs.
        Some(0x20 | 0x24 | 0x2c) => "**".repeat(data.len()),
        Some(_) | None => shown(data),
    };
    format!("{} {shown}", hex(header)).trim_end().to_owned()
}

fn shown_reply(reply: &[u8], key_use: bool) -> String {
    let (data, sw) = reply.split_at(reply.len().saturating_sub(2));
    let data = match data {
        // 7C { 82 20 secret }: an agreed P-256 secret.
        [0x7c, 0x22, 0x82, 0x20, ..] if key_use => "7c228220 (secret: 32 bytes)".to_owned(),
        _ => shown(data),
    };
    format!("{data} {}", hex(sw)).trim_start().to_owned()
}

/// Hex, with every uncompressed P-256 point named instead.
fn shown(data: &[u8]) -> String {
    // A point follows its length (hex 41) and begins with 04 (SEC 1, section 2.3.3).
    let start = data.windows(2).position(|pair| pair == [0x41, 0x04]).map(|at| at + 1);
    match start.and_then(|start| Some((data.get(..start)?, data.get(start + 65..)?))) {
        Some((before, after)) => {
            format!("{} (point: 65 bytes) {}", hex(before), hex(after)).trim_end().to_owned()
        }
        None => hex(data),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The events as the card writes them.
#[derive(Debug, Default)]
pub(super) struct Log(Mutex<Events>);

impl Log {
    pub(super) fn push(&self, event: Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.push(event);
    }

    pub(super) fn read(&self) -> Events {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(command: &[u8], reply: &[u8]) -> Event {
        let (command, reply) = (command.to_vec(), reply.to_vec());
        let (at, took) = (Instant::now(), Duration::ZERO);
        Event::Apdu(Exchange { applet: Some(Applet::Piv), at, took, command, reply, touched: None })
    }

    #[test]
    fn a_transcript_shows_no_pin_no_point_and_no_secret() {
        let point = [&[0x04][..], &[0xab; 64]].concat();
        let ecdh = [&[0, 0x87, 0x11, 0x95, 0x47, 0x7c, 0x45, 0x82, 0, 0x85, 0x41][..], &point, &[0]].concat();
        let agreed = [&[0x7c, 0x22, 0x82, 0x20][..], &[0xcd; 32], &[0x90, 0]].concat();
        let events = Events(vec![
            exchange(&[0, 0x20, 0, 0x80, 8, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0xff, 0xff], &[0x90, 0]),
            exchange(&ecdh, &agreed),
            Event::Reset,
        ]);
        assert_eq!(
            events.transcript(),
            "> 0020008008 ****************\n< 9000\n\
             > 0087119547 7c4582008541 (point: 65 bytes) 00\n< 7c228220 (secret: 32 bytes) 9000\n* reset\n"
        );
    }

    #[test]
    fn a_key_use_without_pin_is_counted_apart_from_one_without_touch() {
        let mut events = Events(vec![exchange(&[0, 0x87, 0x11, 0x95, 0], &[0x69, 0x82])]);
        assert_eq!((events.key_uses_without_pin(), events.key_uses()), (1, 0));
        for event in &mut events.0 {
            if let Event::Apdu(exchange) = event {
                exchange.touched = Some(false);
            }
        }
        assert_eq!(events.key_uses_without_pin(), 0);
    }
}
