//! Using credentials: assertions, hmac-secret, counters, and lies about them.

use super::*;
use crate::card::fido::Lie;

#[test]
fn an_assertion_is_signed_by_the_key_of_its_credential() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let mut hand = Hand::of(Fido::v2_1());
        let (id, key) = hand.credential(algorithm);
        let said = hand.assert(&id, vec![]).unwrap();
        assert!(is_signed(&said, algorithm, &key));
        assert_eq!(said.get(1), Some(&descriptor(&id)));
        let (data, _) = signed(&said);
        assert_eq!((&data[..32], data[32], &data[33..]), (&sha256(RP.as_bytes())[..], 1, &[0, 0, 0, 1][..]));
    }
}

#[test]
fn what_is_not_there_or_not_meant_is_refused() {
    let mut hand = Hand::of(Fido::v2_1());
    let (id, _) = hand.credential(Algorithm::Es256);
    for (why, more, status) in [
        ("no list", vec![(1, Value::from(RP)), (2, bytes(&HASH))], 0x2e),
        ("an empty list", vec![(1, RP.into()), (2, bytes(&HASH)), (3, Value::Array(vec![]))], 0x2e),
        (
            "an unknown name",
            vec![(1, RP.into()), (2, bytes(&HASH)), (3, vec![descriptor(&[1])].into())],
            0x2e,
        ),
        (
            "another's",
            vec![(1, "example.org".into()), (2, bytes(&HASH)), (3, vec![descriptor(&id)].into())],
            0x2e,
        ),
        ("no relying party", vec![(2, bytes(&HASH)), (3, vec![descriptor(&id)].into())], 0x14),
        ("no hash", vec![(1, RP.into()), (3, vec![descriptor(&id)].into())], 0x14),
    ] {
        assert_eq!(hand.say(command::GET_ASSERTION, Value::map(more)), Err(status), "{why}");
    }
    assert_eq!(hand.assert(&id, vec![(5, option("rk", false))]), Err(0x2b));
    assert_eq!(hand.assert(&id, vec![(5, option("uv", true))]), Err(0x2c));
    assert_eq!((hand.asked, hand.device.fido.counter), (0, 0));
    hand.touches = false;
    assert_eq!(hand.assert(&id, vec![]), Err(0x2f));
    assert_eq!((hand.asked, hand.device.fido.assertions), (1, 0));
}

#[test]
fn a_silent_question_needs_no_touch_and_says_so() {
    let mut hand = Hand::of(Fido::v2_1());
    let (id, key) = hand.credential(Algorithm::Es256);
    let said = hand.assert(&id, vec![(5, option("up", false))]).unwrap();
    assert!(is_signed(&said, Algorithm::Es256, &key));
    assert_eq!(signed(&said).0[32], 0);
    assert_eq!((hand.asked, hand.device.fido.probes, hand.device.fido.assertions), (0, 1, 0));
}

#[test]
fn the_counter_is_the_devices_or_always_zero() {
    let mut hand = Hand::of(Fido::v2_1());
    let ids = [hand.credential(Algorithm::Es256).0, hand.credential(Algorithm::EdDsa).0];
    let counters: Vec<u8> =
        [0, 1, 0].map(|at| signed(&hand.assert(&ids[at], vec![]).unwrap()).0[36]).to_vec();
    assert_eq!(counters, [1, 2, 3]);
    let mut hand = Hand::of(Fido::v2_1().never_counting());
    let (id, _) = hand.credential(Algorithm::Es256);
    for _ in 0..2 {
        assert_eq!(signed(&hand.assert(&id, vec![]).unwrap()).0[33..], [0; 4]);
    }
}

/// Asks hmac-secret for the secrets of one or two salts.
fn secrets(
    hand: &mut Hand,
    protocol: i64,
    id: &[u8],
    salts: &[u8],
    more: Vec<(i64, Value)>,
) -> Result<Vec<u8>, u8> {
    let (shared, key) = hand.agree(protocol);
    let salts = shared.encrypt(salts);
    let input = Value::map([(1, key), (2, bytes(&salts)), (3, shared.prove(&salts)), (4, protocol.into())]);
    let more = [more, vec![(4, Value::map([("hmac-secret", input)]))]].concat();
    let (data, _) = signed(&hand.assert(id, more)?);
    assert_eq!(data[32] & 0x80, 0x80);
    let Some(Value::Bytes(secrets)) = Value::read(&data[37..]).unwrap().get("hmac-secret").cloned() else {
        panic!("no secrets")
    };
    Ok(shared.decrypt(&secrets).unwrap())
}

#[test]
fn secrets_are_the_same_for_the_same_salt_and_others_with_the_user_verified() {
    let mut hand = Hand::of(Fido::v2_1());
    hand.device.fido.pin.set_by_hand(Some(PIN));
    let (id, _) = hand.credential(Algorithm::Es256);
    let both = secrets(&mut hand, 2, &id, &[[1; 32], [2; 32]].concat(), vec![]).unwrap();
    assert_eq!(both.len(), 64);
    for protocol in [1, 2] {
        assert_eq!(secrets(&mut hand, protocol, &id, &[1; 32], vec![]).unwrap(), both[..32]);
        assert_eq!(secrets(&mut hand, protocol, &id, &[2; 32], vec![]).unwrap(), both[32..]);
        let proof = hand.token(protocol, PIN, None).unwrap();
        let verified = secrets(&mut hand, protocol, &id, &[1; 32], proof.to_assert()).unwrap();
        assert!(verified.len() == 32 && verified != both[..32]);
        assert_eq!(secrets(&mut hand, protocol, &id, &[1; 31], vec![]), Err(0x02), "half a salt");
        assert_eq!(secrets(&mut hand, protocol, &id, &[1; 48], vec![]), Err(0x02));
        assert_eq!(secrets(&mut hand, protocol, &id, &[1; 32], vec![(5, option("up", false))]), Err(0x2b));
    }
    let (other, _) = hand.credential(Algorithm::Es256);
    assert_ne!(secrets(&mut hand, 2, &other, &[1; 32], vec![]).unwrap(), both[..32]);
    let key = hand.agree(2).1;
    let input = Value::map([(1, key), (2, bytes(&[1; 48])), (3, bytes(&[1; 32])), (4, 2.into())]);
    assert_eq!(hand.assert(&id, vec![(4, Value::map([("hmac-secret", input)]))]), Err(0x33));
}

#[test]
fn a_credential_without_hmac_secret_says_nothing_about_it() {
    let mut hand = Hand::of(Fido::v2_1());
    hand.make(vec![]).unwrap();
    let id = hand.device.fido.credentials[0].id.clone();
    let input = Value::map([(1, hand.agree(2).1), (2, bytes(&[1; 48])), (3, bytes(&[1; 32]))]);
    let said = hand.assert(&id, vec![(4, Value::map([("hmac-secret", input)]))]).unwrap();
    assert_eq!(signed(&said).0.len(), 37);
}

#[test]
fn lies_strike_once_and_where_they_fit() {
    let mut hand = Hand::of(Fido::v2_1());
    let (id, key) = hand.credential(Algorithm::Es256);
    let (other, other_key) = hand.credential(Algorithm::Es256);
    let lies = &mut hand.device.fido.lies;
    lies.tell(Lie::signed(|assertion| assertion.set_rp_id("example.org")));
    lies.tell(Lie::told(|assertion| assertion.set_counter(assertion.counter() + 7)));
    let said = hand.assert(&id, vec![(5, option("up", false))]).unwrap();
    assert!(is_signed(&said, Algorithm::Es256, &key), "a question is answered truly");
    let (data, signature) = signed(&hand.assert(&id, vec![]).unwrap());
    assert_eq!((&data[..32], &data[33..]), (&sha256(b"example.org")[..], &[0, 0, 0, 9][..]));
    let truth = [&data[..33], &[0, 0, 0, 2]].concat();
    let truth = Value::map([(2, bytes(&truth)), (3, bytes(&signature))]);
    assert!(is_signed(&truth, Algorithm::Es256, &key), "the first before the signature, the second after it");

    let told = other.clone();
    hand.device.fido.lies.tell(Lie::signed(|assertion| {
        assertion.signer = told;
        assertion.set_flags(assertion.flags() | 0x04);
    }));
    let said = hand.assert(&id, vec![]).unwrap();
    assert!(is_signed(&said, Algorithm::Es256, &other_key));
    assert_eq!((signed(&said).0[32], said.get(1)), (5, Some(&descriptor(&id))));

    hand.device.fido.lies.tell(Lie::answer(command::GET_ASSERTION, |bytes| bytes.truncate(40)));
    hand.device.fido.lies.tell(Lie::instead(command::GET_INFO, &[0x7f, 1, 2]));
    assert_eq!(hand.raw(&[command::GET_INFO]), (0x7f, vec![1, 2]));
    let whole = Value::map([(1, RP.into()), (2, bytes(&HASH)), (3, vec![descriptor(&id)].into())]);
    let message = [vec![command::GET_ASSERTION], whole.to_bytes()].concat();
    assert_eq!(hand.raw(&message).1.len(), 39);
    assert_eq!(hand.device.fido.lies.left(), 0);
    assert!(is_signed(&hand.assert(&id, vec![]).unwrap(), Algorithm::Es256, &key));
    assert_eq!(hand.device.fido.assertions, 4);
}
