//! How APDUs of the FIDO applet are written down: whole messages, whatever pieces they came in, with every
//! key, proof, hash and name of a credential named instead of printed; two runs of the same course look the
//! same, also where a signature is a byte longer or the host asked more often whether there is an answer.

use std::fmt::{Result, Write};

use super::{Applet, Events, Exchange, hex};
use crate::card::fido::{Value, command, ins};

/// SELECT.
const SELECT: u8 = 0xa4;
/// GET RESPONSE of ISO 7816.
const NEXT_PIECE: u8 = 0xc0;
/// The bit of CLA that says "more follows".
const MORE: u8 = 0x10;

impl Events {
    /// The CTAP commands that were sent whole, in their order.
    #[must_use]
    pub fn ctap_commands(&self) -> Vec<u8> {
        let mut talk = Talk::default();
        let sent = self.apdus().filter(|exchange| exchange.applet == Some(Applet::Fido));
        sent.filter_map(|exchange| talk.message(exchange)?.first().copied()).collect()
    }
}

/// What has come in pieces so far.
#[derive(Debug, Default)]
pub(super) struct Talk {
    sent: Vec<u8>,
    told: Vec<u8>,
    /// The command that is being answered.
    command: Option<u8>,
}

impl Talk {
    /// The message that ends with this APDU.
    fn message(&mut self, exchange: &Exchange) -> Option<Vec<u8>> {
        let [cla, ins::MESSAGE, ..] = exchange.command.as_slice() else { return None };
        self.sent.extend(data(&exchange.command));
        if cla & MORE != 0 {
            return None;
        }
        self.told.clear();
        let message = std::mem::take(&mut self.sent);
        self.command = message.first().copied();
        Some(message)
    }

    pub(super) fn write(&mut self, exchange: &Exchange, text: &mut String) -> Result {
        let header = exchange.command.get(..4).unwrap_or(&exchange.command);
        let sw = exchange.sw();
        match header.get(1) {
            // How often the host asks is a matter of time.
            Some(&ins::GET_RESPONSE) if sw == Some(crate::card::fido::NOT_YET) => return Ok(()),
            Some(&SELECT) => {
                self.command = None;
                writeln!(text, "> {}", hex(&exchange.command))?;
            }
            Some(&NEXT_PIECE) => writeln!(text, "> {} (the next piece)", hex(header))?,
            Some(&ins::MESSAGE) => match self.message(exchange) {
                Some(message) => writeln!(text, "> {} {}", hex(header), shown_message(&message))?,
                None => writeln!(text, "> {} (a piece)", hex(header))?,
            },
            Some(_) | None => writeln!(text, "> {}", hex(&exchange.command))?,
        }
        match exchange.touched {
            Some(true) => writeln!(text, "* touched")?,
            Some(false) => writeln!(text, "* not touched")?,
            None => {}
        }
        let (said, word) = exchange.reply.split_at(exchange.reply.len().saturating_sub(2));
        match (sw, self.command) {
            (None, _) => writeln!(text, "* no answer"),
            (Some(0x6100..=0x61ff), _) => {
                self.told.extend(said);
                writeln!(text, "< (a piece) 61")
            }
            (Some(0x9000), Some(command)) if header.first().is_some_and(|cla| cla & MORE == 0) => {
                self.told.extend(said);
                let whole = std::mem::take(&mut self.told);
                writeln!(text, "< {} 9000", shown_answer(command, &whole))
            }
            (Some(_), _) => {
                writeln!(text, "< {}", format!("{} {}", hex(said), hex(word)).trim_start())
            }
        }
    }
}

/// The data of an APDU, short or extended.
fn data(command: &[u8]) -> &[u8] {
    match command.get(4..) {
        Some([0, high, low, rest @ ..]) => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            rest.get(..length).unwrap_or(rest)
        }
        Some([length, rest @ ..]) => rest.get(..usize::from(*length)).unwrap_or(rest),
        Some([]) | None => &[],
    }
}

fn shown_message(message: &[u8]) -> String {
    let Some((&command, parameters)) = message.split_first() else { return "(nothing)".to_owned() };
    let name = match command {
        command::MAKE_CREDENTIAL => "make credential",
        command::GET_ASSERTION => "get assertion",
        command::GET_INFO => "get info",
        command::CLIENT_PIN => "client pin",
        command::RESET => "reset",
        command::GET_NEXT_ASSERTION => "get next assertion",
        command::SELECTION => "selection",
        _ => "unknown",
    };
    format!("{command:02x} {name} {}", shown_cbor(Side { command, asks: true }, parameters))
        .trim_end()
        .to_owned()
}

fn shown_answer(command: u8, answer: &[u8]) -> String {
    let Some((&status, cbor)) = answer.split_first() else { return "(nothing)".to_owned() };
    format!("{status:02x} {}", shown_cbor(Side { command, asks: false }, cbor)).trim_end().to_owned()
}

fn shown_cbor(side: Side, bytes: &[u8]) -> String {
    match Value::read(bytes) {
        _ if bytes.is_empty() => String::new(),
        Some(Value::Map(entries)) => map(&entries, |key, value| side.shown(key, key, value)),
        Some(_) | None => format!("(not CBOR: {} bytes)", bytes.len()),
    }
}

fn map(entries: &[(Value, Value)], shown: impl Fn(&Value, &Value) -> String) -> String {
    let entry = |(key, value): &(Value, Value)| format!("{}: {}", plain(key), shown(key, value));
    format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
}

fn plain(value: &Value) -> String {
    match value {
        Value::Int(number) => number.to_string(),
        Value::Text(text) => format!("{text:?}"),
        Value::Bool(truth) => truth.to_string(),
        Value::Bytes(bytes) => format!("({} bytes)", bytes.len()),
        Value::Array(_) | Value::Map(_) => "(more)".to_owned(),
    }
}

/// One half of a command.
#[derive(Debug, Clone, Copy)]
struct Side {
    command: u8,
    asks: bool,
}

impl Side {
    /// A value, by the parameter it is (or is a part of), and by its own key.
    fn shown(self, parameter: &Value, key: &Value, value: &Value) -> String {
        match (self.name(parameter, key), value) {
            (Some("key"), Value::Map(_)) => "(key)".to_owned(),
            (Some("signature"), Value::Bytes(_)) => "(signature)".to_owned(),
            (Some("authenticator data"), Value::Bytes(bytes)) => authenticator_data(bytes),
            (Some(name), Value::Bytes(bytes)) => format!("({name}: {} bytes)", bytes.len()),
            (_, Value::Map(entries)) => map(entries, |key, value| self.shown(parameter, key, value)),
            (_, Value::Array(values)) => {
                let values: Vec<String> =
                    values.iter().map(|value| self.shown(parameter, parameter, value)).collect();
                format!("[{}]", values.join(", "))
            }
            (_, other) => plain(other),
        }
    }

    fn name(self, parameter: &Value, key: &Value) -> Option<&'static str> {
        let (Value::Int(parameter), nested) = (parameter, parameter != key) else { return None };
        Some(match (self.command, self.asks, parameter, key) {
            (command::MAKE_CREDENTIAL, true, 1, _) | (command::GET_ASSERTION, true, 2, _) => {
                "client data hash"
            }
            (command::MAKE_CREDENTIAL, true, 3, _) => "user",
            (command::MAKE_CREDENTIAL, true, 8, _)
            | (command::GET_ASSERTION, true, 6, _)
            | (command::CLIENT_PIN, true, 4, _)
            | (command::GET_ASSERTION, true, 4, Value::Int(3)) => "proof",
            (command::GET_ASSERTION, true, 4, Value::Int(1)) => "key",
            (command::GET_ASSERTION, true, 4, Value::Int(2)) => "salts",
            (command::CLIENT_PIN, true, 3, _) | (command::CLIENT_PIN, false, 1, _) => "key",
            (command::CLIENT_PIN, true, 5, _) => "new PIN",
            (command::CLIENT_PIN, true, 6, _) => "PIN",
            (command::CLIENT_PIN, false, 2, _) => "token",
            (command::MAKE_CREDENTIAL | command::GET_ASSERTION, false, 2, _) => "authenticator data",
            (command::MAKE_CREDENTIAL | command::GET_ASSERTION, false, 3, _) => "signature",
            (command::GET_INFO, false, 3, _) => "model",
            (_, _, _, Value::Text(text)) if text == "id" && nested => "credential",
            (_, _, _, _) => return None,
        })
    }
}

/// Flags and counter.
fn authenticator_data(bytes: &[u8]) -> String {
    let Some([flags, counter @ ..]) = bytes.get(32..37) else {
        return format!("(authenticator data: {} bytes)", bytes.len());
    };
    let names = [(0x01, "UP "), (0x04, "UV "), (0x40, "AT "), (0x80, "ED ")];
    let set: String = names.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect();
    let counter = counter.iter().fold(0_u32, |counter, byte| counter << 8 | u32::from(*byte));
    format!("(authenticator data: {set}counter {counter})")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::card::log::Event;

    fn exchange(command: &[u8], reply: &[u8]) -> Event {
        let (command, reply) = (command.to_vec(), reply.to_vec());
        let (at, took) = (Instant::now(), Duration::ZERO);
        Event::Apdu(Exchange { applet: Some(Applet::Fido), at, took, command, reply, touched: None })
    }

    fn message(cla: u8, data: &[u8]) -> Vec<u8> {
        let length = u8::try_from(data.len()).unwrap_or(0);
        [&[cla, ins::MESSAGE, 0x80, 0, length], data].concat()
    }

    #[test]
    fn a_message_in_pieces_is_shown_whole_and_nothing_secret_is_shown() {
        let ask = Value::map([
            (1, Value::from("signet")),
            (2, Value::from(&[7; 32][..])),
            (3, vec![Value::map([("id", Value::from(&[8; 48][..])), ("type", "public-key".into())])].into()),
            (5, Value::map([("up", true.into())])),
            (6, Value::from(&[9; 32][..])),
        ]);
        let ask = [vec![command::GET_ASSERTION], ask.to_bytes()].concat();
        let (first, second) = ask.split_at(100);
        let data = [&[1; 32][..], &[5, 0, 0, 1, 2]].concat();
        let answer = Value::map([(2, Value::from(data.as_slice())), (3, Value::from(&[3; 71][..]))]);
        let answer = [vec![0], answer.to_bytes()].concat();
        let (one, two) = answer.split_at(50);
        let events = Events(vec![
            exchange(&message(0x90, first), &[0x90, 0]),
            exchange(&message(0x80, second), &[2, 0x91, 0]),
            exchange(&[0x80, 0x11, 0, 0, 0], &[2, 0x91, 0]),
            exchange(&[0x80, 0x11, 0, 0, 0], &[one, &[0x61, 7]].concat()),
            exchange(&[0, 0xc0, 0, 0, 7], &[two, &[0x90, 0]].concat()),
            exchange(&message(0x80, &[command::CLIENT_PIN, 0xff]), &[0x12, 0x90, 0]),
            exchange(&message(0x80, &[command::RESET]), &[0x6f, 0]),
        ]);
        assert_eq!(
            events.transcript(),
            "> 90108000 (a piece)\n< 9000\n\
             > 80108000 02 get assertion {1: \"signet\", 2: (client data hash: 32 bytes), 3: [{\"id\": \
             (credential: 48 bytes), \"type\": \"public-key\"}], 5: {\"up\": true}, 6: (proof: 32 bytes)}\n< 02 9100\n\
             > 8011000000\n< (a piece) 61\n\
             > 00c00000 (the next piece)\n< 00 {2: (authenticator data: UP UV counter 258), 3: (signature)} 9000\n\
             > 80108000 06 client pin (not CBOR: 1 bytes)\n< 12 9000\n\
             > 80108000 07 reset\n< 6f00\n"
        );
        assert_eq!(events.ctap_commands(), [2, 6, 7]);
    }
}
