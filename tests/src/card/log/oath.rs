//! How APDUs of the OATH applet are written down: element by element, keys, codes and everything random
//! named instead of printed, so that two runs of the same course look the same.

use super::hex;
use crate::card::tlv;

// Instructions, as in the applet itself.
const PUT: u8 = 0x01;
const SET_CODE: u8 = 0x03;
pub(super) const CALCULATE: u8 = 0xa2;
const VALIDATE: u8 = 0xa3;
/// SELECT with P1 = 4, whose data is no list of elements; CALCULATE ALL with another one.
const SELECT: u8 = 0xa4;

/// Which instruction a command's elements are those of.
fn ins(command: &[u8]) -> Option<u8> {
    match command.get(1..3)? {
        [SELECT, 4] => Some(SELECT),
        // CALCULATE ALL: the elements of CALCULATE.
        [SELECT, _] => Some(CALCULATE),
        [ins, ..] => Some(*ins),
        [] => None,
    }
}

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
    let data = match ins(command) {
        Some(SELECT) | None => hex(data),
        Some(ins) => elements(ins, data),
    };
    format!("{} {data}", hex(header)).trim_end().to_owned()
}

/// The answer to a command.
pub(super) fn reply(command: &[u8], reply: &[u8]) -> String {
    let (data, sw) = reply.split_at(reply.len().saturating_sub(2));
    let data = ins(command).map_or_else(|| hex(data), |ins| elements(ins, data));
    format!("{data} {}", hex(sw)).trim_start().to_owned()
}

fn elements(ins: u8, mut data: &[u8]) -> String {
    let mut words = Vec::new();
    // What is no element (the property of PUT, an Le, a piece of a long answer) is written as it is.
    while let Some((tag, value, rest)) = tlv::first(data).filter(|(tag, _, _)| *tag != 0x78) {
        let head = data.get(..data.len() - rest.len() - value.len()).unwrap_or_default();
        words.push(format!("{}{}", hex(head), shown(ins, tag, value)));
        data = rest;
    }
    words.push(hex(data));
    words.join(" ").trim_end().to_owned()
}

fn shown(ins: u8, tag: u32, value: &[u8]) -> String {
    let named = |what: &str, bytes: &[u8]| format!(" ({what}: {} bytes)", bytes.len());
    match (ins, tag, value) {
        (SELECT, 0x71, device) => named("device", device),
        (PUT, 0x73, [kind, digits, key @ ..]) => format!("{kind:02x}{digits:02x}{}", named("key", key)),
        (_, 0x73, [kind, key @ ..]) => format!("{kind:02x}{}", named("key", key)),
        (CALCULATE, 0x74, date) if date.len() == 8 && date.iter().all(u8::is_ascii_digit) => {
            " (a date)".to_owned()
        }
        (CALCULATE, 0x74, text) if text.iter().all(u8::is_ascii_graphic) => hex(text),
        (_, 0x74, random) => named("challenge", random),
        (SET_CODE | VALIDATE, 0x75, proof) => named("proof", proof),
        (_, 0x75 | 0x76, [digits, code @ ..]) => format!("{digits:02x}{}", named("code", code)),
        (_, _, value) => hex(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_codes_and_everything_random_are_named() {
        let secret = [7; 44];
        let put = [&[0, 1, 0, 0, 0x3b, 0x71, 7][..], b"lk-date", &[0x73, 0x2e, 0x22, 6], &secret, &[0x78, 2]];
        assert_eq!(command(&put.concat()), "000100003b 71076c6b2d64617465 732e2206 (key: 44 bytes) 7802");
        // Random bytes may look like digits or text; they are named all the same.
        let code = [&[0, 3, 0, 0, 0x29, 0x73, 9, 0x21, 6][..], b"0000000", &[0x74, 4], b"1234"];
        assert_eq!(command(&code.concat()), "0003000029 730921 (key: 8 bytes) 7404 (challenge: 4 bytes)");
        let selected = [&[0x71, 8][..], b"abcdefgh", &[0x74, 8], b"20261122", &[0x90, 0]].concat();
        assert_eq!(
            reply(&[0, SELECT, 4, 0], &selected),
            "7108 (device: 8 bytes) 7408 (challenge: 8 bytes) 9000"
        );
        let check = [&[0, CALCULATE, 0, 0, 13, 0x71, 1, b'x', 0x74, 8][..], b"signet-0", &[0]].concat();
        assert_eq!(command(&check), "00a200000d 710178 74087369676e65742d30 00");
        assert_eq!(challenge(&check), Some(&b"signet-0"[..]));
        assert_eq!(
            reply(&[0, CALCULATE, 0, 0], &[0x76, 5, 6, 1, 2, 3, 4, 0x90, 0]),
            "760506 (code: 4 bytes) 9000"
        );
        assert_eq!(reply(&[0, CALCULATE, 0, 0], &[0x69, 0x82]), "6982");
        let all = [0x71, 1, b'x', 0x7c, 1, 6, 0x90, 0];
        assert_eq!(reply(&[0, 0xa4, 0, 1], &all), "710178 7c0106 9000");
    }
}
