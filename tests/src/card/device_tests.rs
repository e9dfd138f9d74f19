//! The chip's behaviour without a reader: refusals first.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::time::{Duration, Instant};

use p256::SecretKey;
use p256::elliptic_curve::sec1::ToSec1Point;

use super::device::{Device, Step};
use super::piv::{PinPolicy, TouchPolicy};
use super::profile::Profile;

const SELECT: &str = "00a4040005a000000308";
const VERIFY: &str = "0020008008313233343536ffff";
const FACTORY_MGMT: &str = "ff03 9b18 010203040506070801020304050607080102030405060708";

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// A chip with PIV selected, and the hand that sends it APDUs.
struct Hand {
    device: Device,
    now: Instant,
    /// Whether the finger touches.
    touches: bool,
    asked: usize,
}

impl Hand {
    fn new(profile: Profile) -> Self {
        let mut hand = Self { device: Device::new(profile), now: Instant::now(), touches: true, asked: 0 };
        assert_eq!(hand.sw(SELECT), 0x9000);
        hand
    }

    fn send(&mut self, command: &[u8]) -> (Vec<u8>, u16) {
        let mut reply = match self.device.execute(command, self.now) {
            Step::Done(reply) => reply,
            Step::Touch(waiting) => {
                self.asked += 1;
                self.device.finish(waiting, self.touches, self.now)
            }
        };
        let sw = reply.split_off(reply.len() - 2);
        (reply, u16::from_be_bytes([sw[0], sw[1]]))
    }

    fn sw(&mut self, hex: &str) -> u16 {
        self.send(&unhex(hex)).1
    }

    /// ECDH with the key of a slot.
    fn agree(&mut self, slot: u8) -> (Vec<u8>, u16) {
        let point = SecretKey::from_slice(&[7; 32]).unwrap().public_key().to_sec1_point(false);
        let head = [0, 0x87, 0x11, slot, 0x47, 0x7c, 0x45, 0x82, 0, 0x85, 0x41];
        self.send(&[&head[..], point.as_bytes()].concat())
    }

    fn key(&mut self, slot: u8, pin: PinPolicy, touch: TouchPolicy) {
        let Device { profile, piv, .. } = &mut self.device;
        piv.make_key(profile, slot, pin, touch).unwrap();
    }
}

#[test]
fn without_a_selected_applet_nothing_works() {
    let mut device = Device::new(Profile::v5_7_1());
    for command in [VERIFY, "00fd0000", "00f8000000", "00870395 00"] {
        let Step::Done(reply) = device.execute(&unhex(command), Instant::now()) else {
            panic!("asked for a touch")
        };
        assert_eq!(reply, [0x6d, 0x00], "{command}");
    }
}

#[test]
fn unknown_things_are_refused_with_the_words_that_real_programs_expect() {
    let mut hand = Hand::new(Profile::v5_7_1());
    assert_eq!(hand.sw("00a4040005a000000309"), 0x6a82, "unknown applet");
    assert_eq!(hand.sw("00a4040003a00000"), 0x6a82, "too short a name");
    assert_eq!(hand.sw("0001000000"), 0x6d00, "unknown instruction");
    assert_eq!(hand.sw("00f7009600"), 0x6a88, "metadata of biometrics");
    assert_eq!(hand.sw("00f7009500"), 0x6a88, "metadata of an empty slot");
    assert_eq!(hand.sw("00cb3fff055c035fff00"), 0x6a82, "an absent object");
    assert_eq!(hand.sw("0047009505ac03800111"), 0x6982, "generation without the management key");
    assert_eq!(hand.sw("00db3fff085c035fc10953015500"), 0x6982, "writing without the management key");
    assert_eq!(hand.sw(&format!("00ffff{}", &FACTORY_MGMT[2..])), 0x6700, "a command of a wrong length");
    assert_eq!(hand.sw("00fb000000"), 0x6985, "reset while PIN and PUK are not blocked");
    assert_eq!(hand.sw("00f9950000"), 0x6a88, "attestation of an empty slot");
    assert_eq!(hand.agree(0x95).1, 0x6a88, "use of an empty slot");
}

#[test]
fn a_bare_card_has_no_attestation_and_two_retired_slots() {
    let mut hand = Hand::new(Profile::bare());
    hand.key(0x83, PinPolicy::Always, TouchPolicy::Always);
    assert_eq!(hand.sw("00f9830000"), 0x6d00);
    let Device { profile, piv, .. } = &mut hand.device;
    assert_eq!(piv.make_key(profile, 0x84, PinPolicy::Always, TouchPolicy::Always), None);
    hand.touches = false;
    assert_eq!(hand.sw(VERIFY), 0x9000);
    assert_eq!(hand.agree(0x83).1, 0x6600, "its own word for a missing touch");
}

#[test]
fn tries_count_down_block_and_come_back() {
    let mut hand = Hand::new(Profile::v5_7_1());
    let wrong = "0020008008363534333231ffff";
    assert_eq!(hand.sw("0020008006313233343536"), 0x6a80, "a PIN that is not filled up costs no try");
    assert_eq!(hand.sw(wrong), 0x63c2);
    assert_eq!(hand.sw(VERIFY), 0x9000);
    assert_eq!(hand.sw("00200080"), 0x9000, "verified");
    assert_eq!(hand.sw(wrong), 0x63c2, "the right one gave all tries back");
    assert_eq!(hand.sw("00200080"), 0x63c2, "and a wrong one takes the verification away");
    assert_eq!(hand.sw(wrong), 0x63c1);
    assert_eq!(hand.sw(wrong), 0x6983);
    assert_eq!(hand.sw(VERIFY), 0x6983, "blocked for the right one too");
    assert_eq!(hand.device.piv.tries(), (0, 3));
    assert_eq!(hand.sw("002c0080103131313131313131313233343536ffff"), 0x63c2, "a wrong PUK");
    assert_eq!(hand.sw("002c0080103132333435363738323436383130ffff"), 0x9000);
    assert!(hand.device.piv.is_pin(b"246810"));
    assert_eq!(hand.device.piv.tries(), (3, 3));
}

#[test]
fn pin_always_is_used_up_by_one_operation_even_without_its_touch() {
    let mut hand = Hand::new(Profile::v5_7_1());
    hand.key(0x95, PinPolicy::Always, TouchPolicy::Always);
    assert_eq!(hand.agree(0x95).1, 0x6982, "no PIN");
    assert_eq!(hand.asked, 0, "and no touch was asked for");
    assert_eq!(hand.sw(VERIFY), 0x9000);
    hand.touches = false;
    assert_eq!(hand.agree(0x95).1, 0x6982, "no touch");
    hand.touches = true;
    assert_eq!(hand.agree(0x95).1, 0x6982, "the PIN is used up");
    assert_eq!(hand.asked, 1);
    assert_eq!(hand.sw(VERIFY), 0x9000);
    assert_eq!(hand.agree(0x95).1, 0x9000);
    assert_eq!(hand.agree(0x95).1, 0x6982);
}

#[test]
fn pin_once_lasts_until_select_or_reset() {
    let mut hand = Hand::new(Profile::v5_7_1());
    hand.key(0x9a, PinPolicy::Once, TouchPolicy::Never);
    for forget in ["select", "another applet", "reset", "take back"] {
        assert_eq!(hand.sw(VERIFY), 0x9000);
        assert_eq!((hand.agree(0x9a).1, hand.agree(0x9a).1), (0x9000, 0x9000));
        match forget {
            "another applet" => assert_eq!(hand.sw("00a4040008a000000527471117"), 0x9000),
            "reset" => hand.device.power_off(),
            "take back" => assert_eq!(hand.sw("0020ff8000"), 0x9000),
            _ => {}
        }
        if forget != "take back" {
            assert_eq!(hand.sw(SELECT), 0x9000);
        }
        assert_eq!(hand.agree(0x9a).1, 0x6982, "after {forget}");
    }
}

#[test]
fn a_cached_touch_lasts_fifteen_seconds() {
    let mut hand = Hand::new(Profile::v5_7_1());
    hand.key(0x95, PinPolicy::Never, TouchPolicy::Cached);
    for (later, asked) in [(0, 1), (14, 1), (2, 2), (10, 2)] {
        hand.now += Duration::from_secs(later);
        assert_eq!(hand.agree(0x95).1, 0x9000);
        assert_eq!(hand.asked, asked);
    }
}

#[test]
fn the_agreed_secret_is_the_one_the_other_side_computes() {
    let mut hand = Hand::new(Profile::v5_7_1());
    hand.key(0x95, PinPolicy::Never, TouchPolicy::Never);
    let card = p256::PublicKey::from_sec1_bytes(&hand.device.piv.public_key(0x95).unwrap()).unwrap();
    let ours = SecretKey::from_slice(&[7; 32]).unwrap().diffie_hellman(&card);
    let (reply, sw) = hand.agree(0x95);
    assert_eq!(sw, 0x9000);
    assert_eq!(reply, [&[0x7c, 0x22, 0x82, 0x20][..], ours.raw_secret_bytes()].concat());
}

#[test]
fn a_point_off_the_curve_is_refused() {
    let mut hand = Hand::new(Profile::v5_7_1());
    hand.key(0x95, PinPolicy::Never, TouchPolicy::Never);
    let bad = [&[0, 0x87, 0x11, 0x95, 0x47, 0x7c, 0x45, 0x82, 0, 0x85, 0x41, 4][..], &[7; 64]].concat();
    assert_eq!(hand.send(&bad).1, 0x6a80);
}

#[test]
fn metadata_has_the_shape_of_the_vendors_documentation() {
    let mut hand = Hand::new(Profile::v5_7_1());
    hand.key(0x95, PinPolicy::Always, TouchPolicy::Always);
    assert_eq!(hand.send(&unhex("00f70080")), (unhex("0101ff 050101 06020303"), 0x9000));
    assert_eq!(hand.send(&unhex("00f7009b")), (unhex("01010a 02020001 050101"), 0x9000));
    let (reply, sw) = hand.send(&unhex("00f70095"));
    assert_eq!(sw, 0x9000);
    assert!(reply.starts_with(&unhex("010111 02020302 030101 0443 8641")));
    assert_eq!(reply.len(), 79);
    let mut old = Hand::new(Profile::v5_2_7());
    assert_eq!(old.sw("00f70080"), 0x6d00, "firmware before 5.3 has none");
}
