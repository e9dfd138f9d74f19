//! The APDUs: pieces both ways, and waits that the host asks after.

use super::*;
use crate::card::device::Waiting;
use crate::card::touch::Manner;

/// Sends an APDU that must end in a wait.
fn wait(hand: &mut Hand, apdu: &[u8]) -> Waiting {
    match hand.device.execute(apdu, hand.now) {
        Step::Touch(waiting) => waiting,
        Step::Done(reply) => panic!("answered at once: {reply:02x?}"),
    }
}

const SELECTION: [u8; 6] = [0x80, 0x10, 0x80, 0, 1, command::SELECTION];
const ASK_ON: [u8; 5] = [0x80, 0x11, 0, 0, 0];
const CANCEL: [u8; 5] = [0x80, 0x11, 0x11, 0, 0];

#[test]
fn a_patient_host_is_told_to_ask_on() {
    let mut hand = Hand::of(Fido::v2_1());
    let waiting = wait(&mut hand, &SELECTION);
    assert_eq!(waiting.manner(), Manner::Polled);
    assert_eq!(hand.device.keep(waiting), [2, 0x91, 0]);
    let waiting = wait(&mut hand, &ASK_ON);
    assert_eq!(waiting.manner(), Manner::PolledAgain);
    assert_eq!(hand.device.keep(waiting), [2, 0x91, 0]);
    let waiting = wait(&mut hand, &ASK_ON);
    assert_eq!(hand.device.finish(waiting, true, hand.now), [0, 0x90, 0]);
    assert_eq!(hand.apdu(&ASK_ON), [0x69, 0x85], "there is nothing any more");
}

#[test]
fn a_wait_ends_when_it_is_cancelled_or_the_host_wants_something_else() {
    let mut hand = Hand::of(Fido::v2_1());
    assert_eq!(hand.apdu(&CANCEL), [0x69, 0x85]);
    for end in ["cancel", "another command", "select", "reset"] {
        let waiting = wait(&mut hand, &SELECTION);
        hand.device.keep(waiting);
        match end {
            "cancel" => assert_eq!(hand.apdu(&CANCEL), [0x2d, 0x90, 0]),
            "another command" => assert_eq!(hand.raw(&[command::GET_INFO]).0, 0),
            "select" => hand.select(),
            _ => {
                hand.device.reset();
                hand.select();
            }
        }
        assert_eq!(hand.apdu(&ASK_ON), [0x69, 0x85], "after {end}");
    }
}

#[test]
fn a_host_that_cannot_ask_is_kept_waiting() {
    let mut hand = Hand::of(Fido::v2_1());
    assert_eq!(wait(&mut hand, &[0x80, 0x10, 0, 0, 1, command::SELECTION]).manner(), Manner::Blocks);
}

#[test]
fn messages_and_answers_come_in_pieces() {
    let mut hand = Hand::of(Fido::v2_1());
    let message = [vec![command::MAKE_CREDENTIAL], make(vec![(6, option("hmac-secret", true))]).to_bytes()];
    let message = message.concat();
    let (first, second) = message.split_at(60);
    let apdu = |cla: u8, data: &[u8]| {
        [&[cla, 0x10, 0x80, 0, u8::try_from(data.len()).unwrap()], data, &[0]].concat()
    };
    assert_eq!(hand.apdu(&apdu(0x90, first)), [0x90, 0]);
    let mut answer = hand.apdu(&apdu(0x80, second));
    assert_eq!(answer.len(), 258);
    assert_eq!(answer[256], 0x61);
    answer.truncate(256);
    answer.extend(hand.apdu(&[0, 0xc0, 0, 0, 0]));
    assert!(answer.ends_with(&[0x90, 0]) && answer[0] == 0);
    assert!(Value::read(&answer[1..answer.len() - 2]).is_some());
}

#[test]
fn other_apdus_are_refused() {
    let mut hand = Hand::of(Fido::v2_1());
    for (apdu, sw) in [
        (&[0, 3, 0, 0, 0][..], [0x6d, 0]),
        (&[0, 0x10, 0, 0, 1, 4], [0x6d, 0]),
        (&[0x80, 0x10, 1, 0, 1, 4], [0x6a, 0x86]),
        (&[0x80, 0x13, 0, 0, 1, 4], [0x6d, 0]),
        (&[0x80, 0x12, 1, 0, 0], [0x90, 0]),
    ] {
        assert_eq!(hand.apdu(apdu), sw, "{apdu:02x?}");
    }
}
