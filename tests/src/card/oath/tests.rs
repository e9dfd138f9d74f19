//! The applet without a reader: refusals first.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::time::Instant;

use ring::hmac;

use crate::card::device::{Device, Step};
use crate::card::profile::Profile;
use crate::card::tlv;

const AID: &[u8] = &[0xa0, 0, 0, 5, 0x27, 0x21, 1];
/// AWS's published example secret, as the first step of its signature takes it.
const SECRET: &[u8] = b"AWS4wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// TOTP with SHA-256, six digits.
const DATE_KEY: [u8; 2] = [0x22, 6];

/// A chip and the hand that sends it APDUs.
struct Hand {
    device: Device,
    touches: bool,
    asked: usize,
}

impl Hand {
    /// With the applet selected.
    fn new(profile: Profile) -> Self {
        let mut hand = Self { device: Device::new(profile), touches: true, asked: 0 };
        assert_eq!(hand.select().1, 0x9000);
        hand
    }

    fn select(&mut self) -> (Vec<u8>, u16) {
        self.send(0xa4, 0x0400, AID)
    }

    fn send(&mut self, ins: u8, parameters: u16, data: &[u8]) -> (Vec<u8>, u16) {
        let length = u8::try_from(data.len()).unwrap();
        let command = [&[0, ins][..], &parameters.to_be_bytes(), &[length], data].concat();
        let mut reply = match self.device.execute(&command, Instant::now()) {
            Step::Done(reply) => reply,
            Step::Touch(waiting) => {
                self.asked += 1;
                self.device.finish(waiting, self.touches, Instant::now())
            }
        };
        let sw = reply.split_off(reply.len() - 2);
        (reply, u16::from_be_bytes([sw[0], sw[1]]))
    }

    /// PUT with what stands behind the key.
    fn put(&mut self, name: &str, kind: [u8; 2], key: &[u8], rest: &[u8]) -> u16 {
        let key = tlv::write(0x73, &[&kind[..], key].concat());
        self.send(1, 0, &[tlv::write(0x71, name.as_bytes()), key, rest.to_vec()].concat()).1
    }

    fn calculate(&mut self, name: &str, challenge: &[u8], p2: u16) -> (Vec<u8>, u16) {
        let data = [tlv::write(0x71, name.as_bytes()), tlv::write(0x74, challenge)].concat();
        self.send(0xa2, p2, &data)
    }

    fn names(&self) -> Vec<String> {
        self.device.oath.names()
    }

    /// Sets an access code of sixteen equal bytes.
    fn set_code(&mut self, byte: u8) -> u16 {
        let proof = tlv::write(0x75, &mac(byte, b"12345678"));
        let key = tlv::write(0x73, &[&[0x21][..], &[byte; 16]].concat());
        self.send(3, 0, &[key, tlv::write(0x74, b"12345678"), proof].concat()).1
    }

    /// Proves a code for the challenge of the last SELECT.
    fn validate(&mut self, byte: u8, challenge: &[u8]) -> (Vec<u8>, u16) {
        let data = [tlv::write(0x75, &mac(byte, challenge)), tlv::write(0x74, b"my turn!")].concat();
        self.send(0xa3, 0, &data)
    }
}

fn mac(byte: u8, message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &[byte; 16]);
    hmac::sign(&key, message).as_ref().to_vec()
}

fn challenge(selected: &[u8]) -> Option<Vec<u8>> {
    tlv::find(&tlv::parse(selected).unwrap(), 0x74).map(<[u8]>::to_vec)
}

#[test]
fn a_card_without_the_applet_does_not_know_it() {
    let mut device = Device::new(Profile::v5_7_1().without_oath());
    let command = [&[0, 0xa4, 4, 0, 7][..], AID].concat();
    let Step::Done(reply) = device.execute(&command, Instant::now()) else { unreachable!() };
    assert_eq!(reply, [0x6a, 0x82]);
}

#[test]
fn a_dispatcher_announces_what_the_applet_says_and_gives_it_to_get_response() {
    let plain = Hand::new(Profile::v5_7_1()).select();
    let mut hand =
        Hand { device: Device::new(Profile::v5_7_1().announcing_select()), touches: true, asked: 0 };
    assert_eq!(hand.select(), (vec![], 0x610f));
    let (told, status) = hand.send(0xc0, 0, &[]);
    assert_eq!((&told[..5], told.len(), status), (&plain.0[..5], 15, 0x9000));
    assert_eq!(hand.send(0xc0, 0, &[]).1, 0x6d00, "only what SELECT said");
    assert_eq!(hand.select().1, 0x610f);
    assert_eq!(hand.send(0xa5, 0, &[]).1, 0x6d00, "nothing of it is the applet's to give");
}

#[test]
fn wrong_parameters_instructions_and_data_are_refused() {
    let mut hand = Hand::new(Profile::v5_7_1());
    for (ins, parameters, sw) in [
        (0x01, 1, 0x6a86),
        (0x04, 0, 0x6a86),
        (0xa2, 2, 0x6a86),
        (0xa5, 0, 0x6985), // nothing remains to be sent
        (0xc0, 0, 0x6d00), // the way of PIV is not the way of this applet
        (0x06, 0, 0x6d00),
        (0xa6, 0, 0x6d00),
        (0x01, 0, 0x6a80),
        (0x02, 0, 0x6a80),
        (0x03, 0, 0x6a80),
        (0x05, 0, 0x6a80),
        (0xa2, 0, 0x6a80),
        (0xa3, 0, 0x6a80),
        (0xa4, 0, 0x6a80),
    ] {
        assert_eq!(hand.send(ins, parameters, &[]).1, sw, "{ins:02x} {parameters:04x}");
    }
}

#[test]
fn a_credential_that_is_not_sound_is_not_put() {
    let mut hand = Hand::new(Profile::v5_7_1());
    let key = [7; 20];
    for (why, kind, key, rest) in [
        ("a key of 13 bytes", DATE_KEY, &key[..13], &[][..]),
        ("a key longer than a block", DATE_KEY, &[7; 65], &[]),
        ("five digits", [0x22, 5], &key, &[]),
        ("an unknown type", [0x32, 6], &key, &[]),
        ("an unknown hash", [0x24, 6], &key, &[]),
        ("an unknown property", DATE_KEY, &key, &[0x78, 4]),
        ("a property with a length", DATE_KEY, &key, &[0x78, 1, 2]),
        ("a counter of three bytes", [0x12, 6], &key, &[0x7a, 3, 0, 0, 1]),
    ] {
        assert_eq!(hand.put("x", kind, key, rest), 0x6a80, "{why}");
    }
    assert_eq!(hand.put("", DATE_KEY, &key, &[]), 0x6a80, "no name");
    assert_eq!(hand.put(&"n".repeat(65), DATE_KEY, &key, &[]), 0x6a80, "too long a name");
    assert!(hand.names().is_empty());
    assert_eq!(hand.put(&"n".repeat(64), DATE_KEY, &[7; 64], &[0x78, 2]), 0x9000);
}

#[test]
fn old_firmware_knows_neither_sha_512_nor_renaming_nor_touch() {
    let old = Profile { firmware: (4, 2, 3), ..Profile::v5_7_1() };
    let mut hand = Hand::new(old);
    assert_eq!(hand.put("x", [0x23, 6], &[7; 20], &[]), 0x6a80);
    assert_eq!(hand.put("x", DATE_KEY, &[7; 20], &[0x78, 2]), 0x6a80);
    assert_eq!(hand.send(5, 0, &[]).1, 0x6d00);
    let mut hand = Hand::new(Profile { firmware: (4, 3, 1), ..Profile::v5_7_1() });
    assert_eq!(hand.put("x", [0x23, 6], &[7; 20], &[0x78, 2]), 0x9000);
}

#[test]
fn a_full_applet_takes_nothing_new_but_replaces_what_it_has() {
    let mut hand = Hand::new(Profile::v5_7_1().oath_credentials(2));
    for name in ["a", "b"] {
        assert_eq!(hand.put(name, DATE_KEY, &[7; 20], &[]), 0x9000);
    }
    assert_eq!(hand.put("c", DATE_KEY, &[7; 20], &[]), 0x6a84);
    assert_eq!(hand.put("b", DATE_KEY, &[8; 20], &[]), 0x9000);
    assert_eq!(hand.device.oath.key("b"), Some((vec![8; 20], false)));
    let mut bare = Hand::new(Profile::bare());
    assert_eq!(bare.put("a", DATE_KEY, &[7; 20], &[]), 0x9000);
    assert_eq!(bare.put("a", DATE_KEY, &[8; 20], &[]), 0x6985, "another maker's wants a DELETE first");
}

#[test]
fn the_whole_answer_is_the_hmac_of_the_challenge() {
    let mut hand = Hand::new(Profile::v5_7_1());
    assert_eq!(hand.put("lk-date", DATE_KEY, SECRET, &[]), 0x9000);
    let (reply, sw) = hand.calculate("lk-date", b"20261122", 0);
    // Computed by Python's hmac, openssl and a device of another maker.
    let wanted = "6edd3791c771b48f72c099485a21d8d5dfaaba7c68ddcc76efc3ba460c08a83b";
    let shown: String = reply[3..].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((&reply[..3], shown.as_str(), sw), (&[0x75, 0x21, 6][..], wanted, 0x9000));
    for (why, name, challenge, sw) in [
        ("no such name", "lk-datum", &b"20261122"[..], 0x6984),
        ("too long a challenge", "lk-date", b"2026-11-22", 0x6a80),
        ("no challenge", "lk-date", b"", 0x6a80),
    ] {
        assert_eq!(hand.calculate(name, challenge, 0), (vec![], sw), "{why}");
    }
}

/// RFC 6238, appendix B, and RFC 4226, appendix D.
#[test]
fn codes_are_those_of_the_standards() {
    let mut hand = Hand::new(Profile::v5_7_1());
    let seed: Vec<u8> = (b'1'..=b'9').chain([b'0']).cycle().take(64).collect();
    for (kind, length, code) in [(0x21, 20, 94_287_082), (0x22, 32, 46_119_246), (0x23, 64, 90_693_936)] {
        assert_eq!(hand.put("t", [kind, 8], &seed[..length], &[]), 0x9000);
        let (reply, _) = hand.calculate("t", &[0, 0, 0, 0, 0, 0, 0, 1], 1);
        assert_eq!(reply[..3], [0x76, 5, 8]);
        assert_eq!(u32::from_be_bytes(reply[3..].try_into().unwrap()) % 100_000_000, code, "{kind:02x}");
    }
    assert_eq!(hand.put("h", [0x11, 6], &seed[..20], &[0x7a, 4, 0, 0, 0, 1]), 0x9000);
    for code in [287_082, 359_152] {
        let (reply, _) = hand.calculate("h", &[], 1);
        assert_eq!(u32::from_be_bytes(reply[3..].try_into().unwrap()) % 1_000_000, code);
    }
}

#[test]
fn a_truncating_card_gives_four_bytes_whatever_is_asked() {
    let mut hand = Hand::new(Profile::v5_7_1().truncating());
    assert_eq!(hand.put("x", DATE_KEY, SECRET, &[]), 0x9000);
    let (whole, truncated) = (hand.calculate("x", b"20261122", 0), hand.calculate("x", b"20261122", 1));
    assert_eq!((whole.0[0], whole.0.len()), (0x76, 7));
    assert_eq!(whole, truncated);
}

#[test]
fn a_card_that_refuses_whole_codes_gives_truncated_ones() {
    let mut hand = Hand::new(Profile::v5_7_1().refusing_whole_codes(0x6d00));
    assert_eq!(hand.put("x", DATE_KEY, SECRET, &[0x78, 2]), 0x9000);
    assert_eq!((hand.calculate("x", b"20261122", 0), hand.asked), ((vec![], 0x6d00), 0));
    assert_eq!(hand.calculate("x", b"20261122", 1).0[..2], [0x76, 5]);
}

#[test]
fn a_touch_is_asked_for_each_time_and_its_absence_refused() {
    let mut hand = Hand::new(Profile::bare());
    assert_eq!(hand.put("x", DATE_KEY, SECRET, &[0x78, 2]), 0x9000);
    hand.touches = false;
    assert_eq!(hand.calculate("x", b"20261122", 0), (vec![], 0x6982), "also where PIV says otherwise");
    hand.touches = true;
    assert_eq!(hand.calculate("x", b"20261122", 0).1, 0x9000);
    assert_eq!(hand.calculate("x", b"20261122", 0).1, 0x9000);
    assert_eq!(hand.asked, 3);
}

#[test]
fn all_codes_at_once_leave_out_touch_and_counters_and_come_in_pieces() {
    let mut hand = Hand::new(Profile::v5_7_1());
    assert_eq!(hand.put("touch", DATE_KEY, SECRET, &[0x78, 2]), 0x9000);
    assert_eq!(hand.put("counts", [0x12, 6], SECRET, &[]), 0x9000);
    for number in 10..40 {
        assert_eq!(hand.put(&format!("a{number}"), DATE_KEY, SECRET, &[]), 0x9000);
    }
    let (mut all, mut sw) = hand.send(0xa4, 1, &tlv::write(0x74, b"20261122"));
    while sw >> 8 == 0x61 {
        let piece = hand.send(0xa5, 0, &[]);
        all.extend(piece.0);
        sw = piece.1;
    }
    assert_eq!((sw, hand.asked), (0x9000, 0));
    let all = tlv::parse(&all).unwrap();
    let tags: Vec<u32> = all.iter().skip(1).step_by(2).map(|(tag, _)| *tag).collect();
    assert_eq!(tags, [&[0x7c, 0x77][..], &[0x76; 30]].concat());
    assert_eq!(hand.calculate("counts", &[], 1).0[..2], [0x76, 5], "and the counter has not moved");
}

#[test]
fn credentials_are_listed_renamed_and_deleted() {
    let mut hand = Hand::new(Profile::v5_7_1());
    for name in ["a", "b"] {
        assert_eq!(hand.put(name, DATE_KEY, SECRET, &[]), 0x9000);
    }
    assert_eq!(hand.send(0xa1, 0, &[]).0, [0x72, 2, 0x22, b'a', 0x72, 2, 0x22, b'b']);
    assert_eq!(hand.send(5, 0, &[0x71, 1, b'a', 0x71, 1, b'b']).1, 0x6a80, "taken");
    assert_eq!(hand.send(5, 0, &[0x71, 1, b'z', 0x71, 1, b'c']).1, 0x6984);
    assert_eq!(hand.send(5, 0, &[0x71, 1, b'a', 0x71, 1, b'c']).1, 0x9000);
    assert_eq!(hand.send(2, 0, &[0x71, 1, b'a']).1, 0x6984);
    assert_eq!(hand.send(2, 0, &[0x71, 1, b'b']).1, 0x9000);
    assert_eq!(hand.names(), ["c"]);
}

#[test]
fn a_code_locks_everything_until_it_is_proved() {
    let mut hand = Hand::new(Profile::v5_7_1());
    assert_eq!(hand.put("x", DATE_KEY, SECRET, &[0x78, 2]), 0x9000);
    assert_eq!(hand.validate(1, b"").1, 0x6984, "there is no code");
    let wrong = [tlv::write(0x73, &[&[0x21][..], &[1; 16]].concat()), vec![0x74, 1, 0, 0x75, 1, 0]].concat();
    assert_eq!(hand.send(3, 0, &wrong).1, 0x6984, "a code that the host does not prove is not set");
    assert_eq!(hand.set_code(1), 0x9000);
    assert_eq!(hand.calculate("x", b"20261122", 0).1, 0x9000, "who sets it knows it");

    let asked = hand.asked;
    let first = challenge(&hand.select().0).unwrap();
    for ins in [1, 2, 3, 5, 0xa1, 0xa2, 0xa4] {
        assert_eq!(hand.send(ins, 0, &[]).1, 0x6982, "{ins:02x}");
    }
    assert_eq!(
        (hand.calculate("x", b"20261122", 0).1, hand.asked),
        (0x6982, asked),
        "nobody is asked to touch"
    );
    assert_eq!(hand.validate(2, &first).1, 0x6a80, "another code");
    assert_eq!(hand.validate(1, &first), (tlv::write(0x75, &mac(1, b"my turn!")), 0x9000));
    assert_eq!(hand.calculate("x", b"20261122", 0).1, 0x9000);

    let second = challenge(&hand.select().0).unwrap();
    assert_ne!(first, second);
    assert_eq!(hand.validate(1, &first).1, 0x6a80, "an old proof");
    assert_eq!(hand.validate(1, &second).1, 0x9000);
    assert_eq!(hand.send(3, 0, &[0x73, 0]).1, 0x9000);
    assert_eq!(challenge(&hand.select().0), None, "the code is gone");
}

#[test]
fn a_deaf_applet_takes_a_code_and_asks_for_none() {
    let mut hand = Hand::new(Profile::v5_7_1().deaf_to_codes());
    assert_eq!(hand.set_code(1), 0x9000);
    assert_eq!(challenge(&hand.select().0), None);
    assert_eq!(hand.send(0xa1, 0, &[]), (vec![], 0x9000));
}

#[test]
fn what_was_proved_is_forgotten_at_reset_and_with_another_applet() {
    let mut hand = Hand::new(Profile::v5_7_1());
    assert_eq!(hand.set_code(1), 0x9000);
    for forget in ["select", "another applet", "reset"] {
        let asked = challenge(&hand.select().0).unwrap();
        assert_eq!(hand.validate(1, &asked).1, 0x9000);
        assert!(hand.device.oath.is_unlocked());
        match forget {
            "another applet" => {
                assert_eq!(hand.send(0xa4, 0x0400, &[0xa0, 0, 0, 3, 8]).1, 0x9000);
                assert_eq!(hand.send(0xa1, 0, &[]).1, 0x6d00, "PIV does not list");
            }
            "reset" => hand.device.power_off(),
            _ => assert_eq!(hand.select().1, 0x9000),
        }
        assert!(!hand.device.oath.is_unlocked(), "after {forget}");
    }
}

#[test]
fn a_reset_needs_no_code_and_leaves_nothing() {
    let mut hand = Hand::new(Profile::v5_7_1());
    assert_eq!(hand.put("x", DATE_KEY, SECRET, &[]), 0x9000);
    assert_eq!(hand.set_code(1), 0x9000);
    let (locked, device) = (hand.select().0, hand.device.oath.device());
    assert!(challenge(&locked).is_some());
    assert_eq!(hand.send(4, 0xdead, &[]).1, 0x9000);
    assert_ne!(hand.device.oath.device(), device, "it has another name");
    assert_eq!(challenge(&hand.select().0), None);
    assert!(hand.names().is_empty());
}

#[test]
fn a_code_made_of_a_password_is_the_one_that_ykman_makes() {
    let mut hand = Hand::new(Profile::v5_7_1());
    hand.device.oath.set_code_by_hand(Some("swordfish"));
    assert!(hand.device.oath.is_code("swordfish") && !hand.device.oath.is_code("sword"));
    assert!(challenge(&hand.select().0).is_some());
    hand.device.oath.set_code_by_hand(None);
    assert_eq!(challenge(&hand.select().0), None);
}
