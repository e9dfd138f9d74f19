//! PIN, tokens, and the finger.

use std::time::Duration;

use super::*;
use crate::card::profile::Uv;

#[test]
fn both_protocols_set_and_change_the_pin() {
    for protocol in [1, 2] {
        let mut hand = Hand::of(Fido::v2_1());
        assert_eq!(hand.token(protocol, PIN, None).err(), Some(0x35), "no PIN yet");
        assert_eq!(hand.change_pin(protocol, PIN, "654321"), Err(0x35));
        assert_eq!(hand.set_pin(protocol, "123"), Err(0x37), "too short");
        hand.set_pin(protocol, PIN).unwrap();
        assert_eq!(hand.set_pin(protocol, PIN), Err(0x33), "not twice");
        assert_eq!(hand.change_pin(protocol, "111111", "654321"), Err(0x31));
        assert_eq!(hand.device.fido.pin.left(), 7);
        hand.change_pin(protocol, PIN, "654321").unwrap();
        assert!(hand.device.fido.pin.is("654321"));
        assert_eq!(hand.device.fido.pin.left(), 8);
        assert!(hand.token(protocol, "654321", None).is_ok());
    }
}

#[test]
fn a_wrong_proof_costs_no_try_and_sets_nothing() {
    let mut hand = Hand::of(Fido::v2_1());
    let (shared, key) = hand.agree(2);
    let new = shared.encrypt(&padded(PIN));
    let proof = shared.prove(b"something else");
    let refused = hand.client_pin(vec![(1, 2.into()), (2, 3.into()), (3, key), (4, proof), (5, bytes(&new))]);
    assert_eq!(refused, Err(0x33));
    assert!(!hand.device.fido.pin.is_set());
}

#[test]
fn wrong_pins_are_counted_and_shown() {
    let mut hand = Hand::of(Fido::v2_1());
    hand.device.fido.pin.set_by_hand(Some(PIN));
    let shown = |hand: &mut Hand| {
        let said = hand.client_pin(vec![(2, 1.into())]).unwrap();
        (said.get(3).cloned(), said.get(4).cloned())
    };
    assert_eq!(shown(&mut hand), (Some(8.into()), Some(false.into())));
    for said in [0x31, 0x31, 0x34, 0x34] {
        assert_eq!(hand.token(2, "111111", None).err(), Some(said));
    }
    assert_eq!(shown(&mut hand), (Some(5.into()), Some(true.into())));
    hand.device.reset();
    hand.select();
    assert_eq!(hand.token(2, PIN, None).err(), Some(0x34), "the reader's reset is not enough");
    hand.device.power_off();
    hand.select();
    assert!(hand.token(2, PIN, None).is_ok());
    hand.device.fido.pin.set_left(1);
    assert_eq!(hand.token(1, "111111", None).err(), Some(0x32));
    assert_eq!(hand.token(1, PIN, None).err(), Some(0x32), "for ever");
    assert_eq!(hand.change_pin(1, PIN, "654321"), Err(0x32));
}

#[test]
fn after_a_wrong_pin_the_agreed_key_is_another() {
    let mut hand = Hand::of(Fido::v2_1());
    hand.device.fido.pin.set_by_hand(Some(PIN));
    let public =
        |hand: &mut Hand, protocol: i64| hand.client_pin(vec![(1, protocol.into()), (2, 2.into())]).unwrap();
    let before = [public(&mut hand, 1), public(&mut hand, 2)];
    assert_eq!(before, [public(&mut hand, 1), public(&mut hand, 2)]);
    assert_eq!(hand.token(2, "111111", None).err(), Some(0x31));
    assert_eq!(public(&mut hand, 1), before[0]);
    assert_ne!(public(&mut hand, 2), before[1]);
}

#[test]
fn parameters_are_looked_at_before_anything_is_spent() {
    let mut hand = Hand::of(Fido::v2_1());
    hand.device.fido.pin.set_by_hand(Some(PIN));
    let key = hand.agree(2).1;
    let hash = bytes(&[0; 32]);
    for (why, entries, status) in [
        ("no subcommand", vec![(1, 2.into())], 0x14),
        ("no protocol", vec![(2, 2.into())], 0x14),
        ("a protocol that is not there", vec![(1, 3.into()), (2, 2.into())], 0x02),
        ("a text for a number", vec![(1, "2".into()), (2, 2.into())], 0x11),
        ("a subcommand that is not there", vec![(1, 2.into()), (2, 8.into())], 0x3e),
        ("no finger", vec![(1, 2.into()), (2, 7.into())], 0x3e),
        ("no key", vec![(1, 2.into()), (2, 5.into()), (6, hash.clone())], 0x14),
        ("no PIN", vec![(1, 2.into()), (2, 5.into()), (3, key.clone())], 0x14),
        (
            "a key that is none",
            vec![(1, 2.into()), (2, 5.into()), (3, option("x", true)), (6, hash.clone())],
            0x02,
        ),
        (
            "permissions the old way",
            vec![(1, 2.into()), (2, 5.into()), (3, key.clone()), (6, hash.clone()), (9, 1.into())],
            0x02,
        ),
        ("none", vec![(1, 2.into()), (2, 9.into()), (3, key.clone()), (6, hash.clone())], 0x14),
        (
            "none at all",
            vec![(1, 2.into()), (2, 9.into()), (3, key.clone()), (6, hash.clone()), (9, 0.into())],
            0x02,
        ),
        ("too many", vec![(1, 2.into()), (2, 9.into()), (3, key), (6, hash), (9, 7.into())], 0x40),
    ] {
        assert_eq!(hand.client_pin(entries), Err(status), "{why}");
    }
    assert_eq!(hand.device.fido.pin.left(), 8);
}

#[test]
fn an_old_device_has_protocol_1_and_tokens_without_end() {
    let mut hand = Hand::of(Fido::v2_0());
    let info = Value::read(&hand.raw(&[command::GET_INFO]).1).unwrap();
    assert_eq!(info.get(6), Some(&vec![Value::from(1)].into()));
    assert_eq!(info.get(4).unwrap().get("pinUvAuthToken"), None);
    assert_eq!(hand.client_pin(vec![(1, 2.into()), (2, 2.into())]), Err(0x02));
    hand.set_pin(1, PIN).unwrap();
    assert_eq!(hand.token(1, PIN, Some((2, Some(RP)))).err(), Some(0x3e));
    assert_eq!(hand.make(vec![]).err(), Some(0x36), "no credential without the PIN");
    let proof = hand.token(1, PIN, None).unwrap();
    assert_eq!(proof.token.len(), 16);
    let (id, _) = hand.credential(Algorithm::Es256);
    for _ in 0..2 {
        hand.now += Duration::from_hours(1);
        assert_eq!(signed(&hand.assert(&id, proof.to_assert()).unwrap()).0[32], 0x05);
        hand.make(proof.to_make()).unwrap();
    }
}

#[test]
fn a_token_is_for_what_it_was_asked_for() {
    let mut hand = Hand::of(Fido::v2_1());
    hand.device.fido.pin.set_by_hand(Some(PIN));
    let (id, _) = hand.credential(Algorithm::Es256);
    let proof = hand.token(2, PIN, Some((1, Some(RP)))).unwrap();
    assert_eq!(hand.assert(&id, proof.to_assert()), Err(0x33), "not for assertions");
    let proof = hand.token(2, PIN, Some((2, Some(RP)))).unwrap();
    assert_eq!(hand.make(proof.to_make()), Err(0x33), "not for credentials");
    let proof = hand.token(2, PIN, Some((3, Some("example.org")))).unwrap();
    assert_eq!(hand.assert(&id, proof.to_assert()), Err(0x33), "not for us");
    assert_eq!(hand.make(proof.to_make()), Err(0x33));
    let proof = hand.token(2, PIN, Some((3, None))).unwrap();
    let old = hand.token(2, PIN, Some((3, None))).unwrap();
    assert_eq!(hand.assert(&id, proof.to_assert()), Err(0x33), "the newest is the only one");
    let mut wrong = old.to_assert();
    wrong[1].1 = 1.into();
    assert_eq!(hand.assert(&id, wrong), Err(0x33), "of another protocol");
    assert_eq!(hand.assert(&id, vec![(6, bytes(&[1; 32])), (7, 2.into())]), Err(0x33));
    assert_eq!(hand.assert(&id, vec![(6, bytes(&[1; 32]))]), Err(0x14), "of none");
    assert_eq!(hand.assert(&id, old.to_assert()).map(|said| signed(&said).0[32]), Ok(0x05));
    assert_eq!(hand.asked, 1);
}

#[test]
fn a_token_ends_with_a_touch_with_time_and_with_the_session() {
    for protocol in [1, 2] {
        let mut hand = Hand::of(Fido::v2_1());
        hand.device.fido.pin.set_by_hand(Some(PIN));
        let (id, _) = hand.credential(Algorithm::Es256);
        let proof = hand.token(protocol, PIN, None).unwrap();
        let silent = [proof.to_assert(), vec![(5, option("up", false))]].concat();
        for _ in 0..2 {
            assert_eq!(signed(&hand.assert(&id, silent.clone()).unwrap()).0[32], 0x04, "a question is free");
        }
        hand.assert(&id, proof.to_assert()).unwrap();
        assert_eq!(hand.assert(&id, proof.to_assert()), Err(0x33), "after a touch");
        assert!(!hand.device.fido.has_token());

        for (why, ways) in [("unused", [31, 0]), ("used", [20, 581])] {
            let proof = hand.token(protocol, PIN, None).unwrap();
            let silent = [proof.to_assert(), vec![(5, option("up", false))]].concat();
            hand.now += Duration::from_secs(ways[0]);
            let _ = hand.assert(&id, silent);
            hand.now += Duration::from_secs(ways[1]);
            assert_eq!(hand.assert(&id, proof.to_assert()), Err(0x33), "{why}, and too late");
        }

        for forget in ["reset", "power off", "another applet", "select"] {
            let proof = hand.token(protocol, PIN, None).unwrap();
            assert!(hand.device.fido.has_token());
            match forget {
                "reset" => hand.device.reset(),
                "power off" => hand.device.power_off(),
                "another applet" => {
                    hand.apdu(&[0, 0xa4, 4, 0, 5, 0xa0, 0, 0, 3, 8]);
                }
                _ => {}
            }
            hand.select();
            assert!(!hand.device.fido.has_token(), "after {forget}");
            assert_eq!(hand.assert(&id, proof.to_assert()), Err(0x33), "after {forget}");
        }
    }
}

#[test]
fn a_finger_stands_for_the_pin_and_for_the_touch() {
    let mut hand = Hand::of(Fido::v2_1().uv(Uv::Matches));
    let (id, _) = hand.credential(Algorithm::Es256);
    assert_eq!(signed(&hand.assert(&id, vec![(5, option("uv", true))]).unwrap()).0[32], 0x05);
    let (shared, key) = hand.agree(2);
    let wish = vec![(1, 2.into()), (2, 6.into()), (3, key), (9, 2.into()), (10, RP.into())];
    let Ok(Some(Value::Bytes(token))) = hand.client_pin(wish.clone()).map(|said| said.get(2).cloned()) else {
        panic!("no token for a finger")
    };
    let proof = Proof { protocol: 2, token: shared.decrypt(&token).unwrap() };
    assert_eq!(hand.asked, 2);
    assert_eq!(signed(&hand.assert(&id, proof.to_assert()).unwrap()).0[32], 0x05);
    assert_eq!(hand.asked, 2, "one touch is enough");
    assert_eq!(hand.assert(&id, proof.to_assert()), Err(0x33), "and good for one thing");

    hand.device.fido.pin.set_by_hand(Some(PIN));
    hand.device.profile.fido = Some(Fido::v2_1().uv(Uv::Never));
    assert_eq!(hand.assert(&id, vec![(5, option("uv", true))]), Err(0x27));
    assert_eq!(hand.client_pin(wish.clone()), Err(0x3f));
    assert_eq!(hand.client_pin(wish.clone()), Err(0x3c), "the third");
    assert_eq!(hand.client_pin(vec![(2, 7.into())]).unwrap().get(5), Some(&0.into()));
    assert_eq!(hand.assert(&id, vec![(5, option("uv", true))]), Err(0x36), "now by PIN only");
    hand.token(2, PIN, None).unwrap();
    assert_eq!(hand.client_pin(vec![(2, 7.into())]).unwrap().get(5), Some(&3.into()));
    hand.touches = false;
    assert_eq!(hand.client_pin(wish), Err(0x2f));
}
