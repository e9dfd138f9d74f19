//! Making credentials, and what the applet says of itself.

use super::*;

#[test]
fn a_request_is_read_strictly() {
    let mut hand = Hand::of(Fido::v2_1());
    for (why, message, status) in [
        ("nothing", vec![], 0x03),
        ("an unknown command", vec![0x44], 0x01),
        ("no next assertion", vec![8], 0x30),
        ("no parameters", vec![1], 0x12),
        ("no map", vec![1, 0x01], 0x11),
        ("out of order", vec![2, 0xa2, 2, 1, 1, 1], 0x12),
        ("something behind", vec![6, 0xa1, 2, 1, 0], 0x12),
        ("a longer form", vec![6, 0xa1, 0x18, 2, 1], 0x12),
        ("too much", [vec![1], vec![0; 1200]].concat(), 0x39),
    ] {
        assert_eq!(hand.raw(&message), (status, vec![]), "{why}");
    }
    for (why, more, status) in [
        ("a short hash", (1, bytes(&[1; 31])), 0x03),
        ("a text for a hash", (1, "hash".into()), 0x11),
        ("nobody's", (2, Value::map([("name", Value::from("x"))])), 0x14),
        ("for nobody", (3, Value::map([("name", Value::from("x"))])), 0x14),
        ("RSA only", (4, vec![algorithm(-257)].into()), 0x26),
        ("no algorithm", (4, Value::Array(vec![])), 0x26),
        ("an algorithm without type", (4, vec![Value::map([("alg", Value::from(-7))])].into()), 0x14),
        ("an algorithm that is a number", (4, vec![Value::from(-7)].into()), 0x11),
        ("nine names", (5, vec![descriptor(&[1]); 9].into()), 0x15),
        ("a name without a type", (5, vec![Value::map([("id", bytes(&[1]))])].into()), 0x14),
        ("without presence", (7, option("up", false)), 0x2c),
        ("resident", (7, option("rk", true)), 0x2b),
        ("with a finger", (7, option("uv", true)), 0x2c),
        ("an option that is no truth", (7, Value::map([("rk", Value::from(1))])), 0x11),
        ("hmac-secret that is no truth", (6, Value::map([("hmac-secret", Value::from(1))])), 0x11),
        ("enterprise", (10, 1.into()), 0x02),
    ] {
        assert_eq!(hand.make(vec![more]), Err(status), "{why}");
    }
    for missing in 1..=4 {
        let Value::Map(entries) = make(vec![]) else { unreachable!() };
        let left = entries.into_iter().filter(|(key, _)| *key != Value::Int(missing)).collect();
        assert_eq!(hand.say(command::MAKE_CREDENTIAL, Value::Map(left)), Err(0x14), "without {missing}");
    }
    assert_eq!((hand.asked, hand.device.fido.credentials.len()), (0, 0));
}

#[test]
fn a_credential_is_attested_by_itself() {
    for (fido, wanted, got) in [
        (Fido::v2_1(), vec![-257, -7, -8], Algorithm::Es256),
        (Fido::v2_1(), vec![-8, -7], Algorithm::EdDsa),
        (Fido::v2_1().without_eddsa(), vec![-8, -7], Algorithm::Es256),
    ] {
        let mut hand = Hand::of(fido);
        let list: Vec<Value> = wanted.iter().map(|code| algorithm(*code)).collect();
        let said = hand.make(vec![(4, list.into()), (6, option("hmac-secret", true))]).unwrap();
        assert_eq!(said.get(1), Some(&"packed".into()));
        let (Some(Value::Bytes(data)), Some(statement)) = (said.get(2), said.get(3)) else {
            panic!("{said:?}")
        };
        let made = &hand.device.fido.credentials[0];
        assert_eq!(data[..32], sha256(RP.as_bytes()));
        assert_eq!(data[32], 0xc1, "presence, a credential, an extension; no verification");
        assert_eq!(data[33..37], [0, 0, 0, 1]);
        assert_eq!(data[53..55], [0, 48]);
        assert_eq!(data[55..103], made.id);
        assert!(data.ends_with(&option("hmac-secret", true).to_bytes()));
        assert_eq!(statement.get("alg"), Some(&got.code().into()));
        let as_assertion = Value::map([(2, bytes(data)), (3, statement.get("sig").unwrap().clone())]);
        assert!(is_signed(&as_assertion, got, &made.public_key()));
    }
}

#[test]
fn with_a_pin_it_is_verified_and_without_one_it_is_not() {
    let mut hand = Hand::of(Fido::v2_1());
    hand.device.fido.pin.set_by_hand(Some(PIN));
    let flags = |said: Value| match said.get(2) {
        Some(Value::Bytes(data)) => data[32],
        _ => panic!("{said:?}"),
    };
    assert_eq!(hand.make(vec![]).map(flags), Ok(0x41), "CTAP 2.1 has the option makeCredUvNotRqd");
    let proof = hand.token(2, PIN, Some((1, Some(RP)))).unwrap();
    assert_eq!(hand.make(proof.to_make()).map(flags), Ok(0x45));
    assert_eq!(hand.make(vec![(8, bytes(&[])), (9, 2.into())]), Err(0x31), "is there a PIN? there is");
    hand.device.fido.pin.set_by_hand(None);
    assert_eq!(hand.make(vec![(8, bytes(&[])), (9, 2.into())]), Err(0x35));
    hand.touches = false;
    assert_eq!(hand.make(vec![(8, bytes(&[])), (9, 2.into())]), Err(0x27));
    assert_eq!(hand.make(vec![]), Err(0x2f));
}

#[test]
fn an_excluded_credential_is_told_only_after_the_wait() {
    let mut hand = Hand::of(Fido::v2_1());
    let (id, _) = hand.credential(Algorithm::Es256);
    let excluded = |id: &[u8]| vec![(5, vec![descriptor(&[1]), descriptor(id)].into())];
    assert_eq!(hand.make(excluded(&id)), Err(0x19));
    hand.touches = false;
    assert_eq!(hand.make(excluded(&id)), Err(0x19));
    assert_eq!(hand.asked, 2);
    let elsewhere = [excluded(&id), vec![(2, Value::map([("id", Value::from("example.org"))]))]].concat();
    assert_eq!(hand.make(elsewhere), Err(0x2f), "another relying party's");
}

#[test]
fn a_reset_takes_everything_and_wants_a_touch() {
    let mut hand = Hand::of(Fido::v2_1());
    hand.device.fido.pin.set_by_hand(Some(PIN));
    let (id, _) = hand.credential(Algorithm::Es256);
    hand.touches = false;
    assert_eq!(hand.raw(&[command::RESET]), (0x2f, vec![]));
    assert_eq!(hand.raw(&[command::SELECTION]), (0x2f, vec![]));
    hand.touches = true;
    assert_eq!(hand.raw(&[command::SELECTION]), (0, vec![]));
    assert!(hand.assert(&id, vec![]).is_ok());
    assert_eq!(hand.raw(&[command::RESET]), (0, vec![]));
    assert_eq!(hand.assert(&id, vec![]), Err(0x2e));
    assert!(!hand.device.fido.pin.is_set());
}

#[test]
fn what_it_says_of_itself_follows_its_profile() {
    let info = |fido: Fido| Value::read(&Hand::of(fido).raw(&[command::GET_INFO]).1).unwrap();
    let new = info(Fido::v2_1());
    assert_eq!(new.get(1), Some(&vec![Value::from("FIDO_2_0"), "FIDO_2_1".into()].into()));
    assert_eq!(new.get(6), Some(&vec![Value::from(2), 1.into()].into()));
    assert_eq!(new.get(14), Some(&0x0005_0701.into()));
    assert_eq!(info(Fido::v2_1().without_hmac_secret()).get(2), None);
    assert_eq!(info(Fido::v2_0()).get(1), Some(&vec![Value::from("FIDO_2_0")].into()));
    let finger = info(Fido::v2_1().uv(crate::card::profile::Uv::Never));
    assert_eq!(finger.get(4).unwrap().get("uv"), Some(&true.into()));
    let mut none = Device::new(Profile::v5_7_1().without_fido());
    let Step::Done(said) =
        none.execute(&[&[0, 0xa4, 4, 0, 8][..], crate::card::fido::AID].concat(), Instant::now())
    else {
        panic!("asked for a touch")
    };
    assert_eq!(said, [0x6a, 0x82]);
}
