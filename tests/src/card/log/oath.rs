//! How APDUs of the OATH applet are written down: element by element, keys, codes and everything random
//! named instead of printed, so that two runs of the same course look the same.

use super::hex;
use crate::card::tlv;

/// CALCULATE.
pub(super) const CALCULATE: u8 = 0xa2;
/// SELECT, whose data is no list of elements.
const SELECT: u8 = 0xa4;

/// The challenge of a CALCULATE (also with an Le behind it).
pub(super) fn challenge(command: &[u8]) -> Option<&[u8]> {
    let (0x71, _, rest) = tlv::first(split(command).1)? else { return None };
    let (0x74, challenge, _) = tlv::first(rest)? else { return None };
    Some(challenge)
}

/// Header and data. Yubico's own programs send extended lengths: 00 and two bytes.
fn split(command: &[u8]) -> (&[u8], &[u8]) {
    let header = if command.get(4) == Some(&0) && command.len() > 7 { 7 } else { 5 };
    command.split_at_checked(header).unwrap_or((command, &[]))
}

pub(super) fn command(command: &[u8]) -> String {
    let (header, data) = split(command);
    let data = match command.get(1) {
        Some(&SELECT) => hex(data),
        Some(_) | None => elements(data),
    };
    format!("{} {data}", hex(header)).trim_end().to_owned()
}

pub(super) fn reply(reply: &[u8]) -> String {
    let (data, sw) = reply.split_at(reply.len().saturating_sub(2));
    format!("{} {}", elements(data), hex(sw)).trim_start().to_owned()
}

fn elements(mut data: &[u8]) -> String {
    let mut words = Vec::new();
    // What is no element (the property of PUT, an Le, a piece of a long answer) is written as it is.
    while let Some((tag, value, rest)) = tlv::first(data).filter(|(tag, _, _)| *tag != 0x78) {
        let head = data.get(..data.len() - rest.len() - value.len()).unwrap_or_default();
        words.push(format!("{}{}", hex(head), shown(tag, value)));
        data = rest;
    }
    words.push(hex(data));
    words.join(" ").trim_end().to_owned()
}

fn shown(tag: u32, value: &[u8]) -> String {
    let named = |what: &str, bytes: &[u8]| format!(" ({what}: {} bytes)", bytes.len());
    match (tag, value) {
        // Type, digits, key; in SET CODE type and key.
        (0x73, [kind, digits @ 6..=8, key @ ..]) => format!("{:02x}{digits:02x}{}", kind, named("key", key)),
        (0x73, [kind, key @ ..]) => format!("{kind:02x}{}", named("key", key)),
        (0x74, date) if date.len() == 8 && date.iter().all(u8::is_ascii_digit) => " (a date)".to_owned(),
        (0x74, text) if text.iter().all(u8::is_ascii_graphic) => hex(text),
        (0x74, random) => named("challenge", random),
        // Digits and code; a proof of the access code has no digits, and is 20 bytes long.
        (0x75, proof) if proof.len() == 20 => named("proof", proof),
        (0x75 | 0x76, [digits, code @ ..]) => format!("{digits:02x}{}", named("code", code)),
        (0x71, device) if device.len() == 8 && !device.iter().all(u8::is_ascii_graphic) => {
            named("device", device)
        }
        (_, value) => hex(value),
    }
}
