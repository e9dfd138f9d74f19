#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;
use crate::cbor::{Key, message};
use crate::{Algorithm, Go, cose};
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What a double was asked, and how its uses ended.
#[derive(Default)]
struct Seen {
    asked: Vec<Vec<u8>>,
    ended: Vec<After>,
}

/// A way to a device that says what it was told to.
struct StubPort {
    answers: VecDeque<Vec<u8>>,
    seen: Rc<RefCell<Seen>>,
}

impl Port for StubPort {
    fn exchange(
        &mut self,
        message: &[u8],
        _asks: Asks,
        _patience: &mut Patience<'_>,
    ) -> Result<Vec<u8>, Fault> {
        self.seen.borrow_mut().asked.push(message.to_vec());
        self.answers.pop_front().ok_or(Fault::Removed)
    }

    fn end(&mut self, after: After) {
        self.seen.borrow_mut().ended.push(after);
    }
}

/// getInfo of a key with a PIN: CTAP 2.1 or 2.0.
fn info(new: bool) -> Vec<u8> {
    message(0x00, |out| {
        out.map(6)?.u8(1)?.array(1)?.str(if new { "FIDO_2_1" } else { "FIDO_2_0" })?;
        out.u8(2)?.array(1)?.str("hmac-secret")?.u8(3)?.bytes(&[0xaa; 16])?;
        out.u8(4)?.map(2)?.str("clientPin")?.bool(true)?.str("pinUvAuthToken")?.bool(new)?;
        out.u8(6)?.array(1)?.u8(if new { 2 } else { 1 })?.u8(7)?.u8(2)?;
        Ok(())
    })
    .unwrap()
}

fn device(answers: &[Vec<u8>], new: bool) -> (Device, Rc<RefCell<Seen>>) {
    let seen = Rc::<RefCell<Seen>>::default();
    let answers = std::iter::once(info(new)).chain(answers.iter().cloned()).collect();
    let port = Box::new(StubPort { answers, seen: Rc::clone(&seen) });
    let device = patiently(|patience| Device::start("key".into(), port, patience)).unwrap();
    assert_eq!(std::mem::take(&mut seen.borrow_mut().ended), [After::Leave]);
    (device, seen)
}

fn patiently<T>(act: impl FnOnce(&mut Patience<'_>) -> T) -> T {
    act(&mut Patience::until(Instant::now() + Duration::from_secs(9), &mut |_| Go::On))
}

/// The answer to getKeyAgreement; nobody knows the secret of this one.
fn agreement() -> Vec<u8> {
    let (_, point) = Shared::agree(Protocol::One, &generator()).unwrap();
    message(0x00, |out| cose::write_point(out.map(1)?.u8(1)?, &point)).unwrap()
}

/// The point G of P-256 (SP 800-186, 3.2.1.3).
pub(crate) fn generator() -> [u8; 65] {
    let hex = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
               4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    std::array::from_fn(|at| u8::from_str_radix(hex.get(2 * at..2 * at + 2).unwrap(), 16).unwrap())
}

fn auth_data(flags: u8) -> Vec<u8> {
    let hash = ring::digest::digest(&ring::digest::SHA256, b"signet");
    [hash.as_ref(), &[flags, 0, 0, 0, 9]].concat()
}

fn asserted(id: &[u8], flags: u8) -> Vec<u8> {
    message(0x00, |out| {
        out.map(3)?.u8(1)?.map(2)?.str("id")?.bytes(id)?.str("type")?.str("public-key")?;
        out.u8(2)?.bytes(&auth_data(flags))?.u8(3)?.bytes(&[0x30, 0x01])?;
        Ok(())
    })
    .unwrap()
}

/// The answer to makeCredential, for the first credential of the tests of authenticator data.
fn made() -> Vec<u8> {
    let mut data = crate::auth_data::tests::attested(&[9; 48]);
    data.get_mut(..32).unwrap().copy_from_slice(auth_data(0).get(..32).unwrap());
    message(0x00, |out| {
        out.map(3)?.u8(1)?.str("none")?.u8(2)?.bytes(&data)?.u8(3)?.map(0)?;
        Ok(())
    })
    .unwrap()
}

fn make_request<'a>() -> MakeRequest<'a> {
    MakeRequest {
        rp: "signet",
        user_id: b"prod",
        user_name: "prod",
        client_data_hash: &[1; 32],
        algorithms: &[Algorithm::Es256, Algorithm::EdDsa],
        exclude: &[],
        hmac_secret: true,
    }
}

fn use_of<'a>(ids: &'a [Vec<u8>], salt: Option<&'a [u8; 32]>) -> AssertRequest<'a> {
    AssertRequest { rp: "signet", client_data_hash: &[1; 32], ids, up: true, hmac_secret: salt }
}

#[test]
fn it_says_what_it_is() {
    let (device, seen) = device(&[], true);
    assert_eq!((device.name(), device.info().max_ids, device.info().max_message), ("key", Some(2), 1024));
    assert_eq!(device.info().options.client_pin, Some(true));
    assert_eq!(seen.borrow().asked, [[0x04]]);
}

#[test]
fn a_list_is_asked_for_in_parts_without_a_person() {
    let ids: Vec<Vec<u8>> = (0..5).map(|number| vec![number; 16]).collect();
    let (mut key, seen) = device(&[vec![0x2e], vec![0x2e], asserted(&[4; 16], 0)], true);
    assert_eq!(patiently(|patience| key.holds("signet", &ids, patience)), Ok(Some(vec![4; 16])));
    let seen = seen.borrow();
    assert_eq!(seen.ended, [After::Leave; 3]);
    let last = seen.asked.last().unwrap();
    let sent = Value::only(last.get(1..).unwrap()).unwrap().map().unwrap();
    assert_eq!(sent.get(3).unwrap().array().unwrap().len(), 1);
    let up = sent.get(5).unwrap().map().unwrap().get("up").unwrap().truth();
    assert_eq!(up, Some(false));
    assert!(sent.get(6).is_none());
}

#[test]
fn long_ids_are_cut_by_the_size_of_the_message() {
    let (mut key, _) = device(&[], true);
    key.info.max_ids = Some(100);
    let ids = vec![vec![1; 300]; 5];
    let lengths: Vec<usize> = lists(&key.info, &ids).iter().map(Vec::len).collect();
    assert_eq!(lengths, [2, 2, 1]);
    key.info.max_id_length = Some(299);
    assert!(lists(&key.info, &ids).is_empty(), "they cannot be its own");
    key.info.max_ids = None;
    key.info.max_id_length = None;
    assert_eq!(lists(&key.info, &ids).len(), 5);
}

#[test]
fn a_use_with_a_touch_ends_with_a_reset() {
    let ids = [vec![7; 16]];
    let (mut key, seen) = device(&[asserted(&[7; 16], 1), vec![0x2f]], true);
    let assertion = patiently(|patience| key.get_assertion(&use_of(&ids, None), None, patience)).unwrap();
    assert_eq!(
        (assertion.id, assertion.auth_data, assertion.signature),
        (vec![7; 16], auth_data(1), vec![0x30, 1])
    );
    let late = patiently(|patience| key.get_assertion(&use_of(&ids, None), None, patience));
    assert_eq!(late.err(), Some(Fault::NotTouched));
    assert_eq!(seen.borrow().ended, [After::Reset; 2]);
}

#[test]
fn only_what_was_asked_for_is_an_answer() {
    let ids = [vec![7; 16], vec![8; 16]];
    let elsewhere = message(0x00, |out| {
        out.map(2)?.u8(2)?.bytes(&[0; 37])?.u8(3)?.bytes(&[1])?;
        Ok(())
    });
    let unnamed = message(0x00, |out| {
        out.map(2)?.u8(2)?.bytes(&auth_data(1))?.u8(3)?.bytes(&[1])?;
        Ok(())
    });
    let (elsewhere, unnamed) = (elsewhere.unwrap(), unnamed.unwrap());
    for answer in
        [asserted(&[9; 16], 1), elsewhere, unnamed.clone(), asserted(&[7; 16], 0x41), vec![], vec![0]]
    {
        let (mut key, _) = device(std::slice::from_ref(&answer), true);
        let done = patiently(|patience| key.get_assertion(&use_of(&ids, None), None, patience));
        assert!(matches!(done, Err(Fault::Garbage(_))), "{answer:02x?}");
    }
    let (mut key, _) = device(&[unnamed], true);
    let only = ids.get(..1).unwrap();
    let done = patiently(|patience| key.get_assertion(&use_of(only, None), None, patience)).unwrap();
    assert_eq!(done.id, [7; 16], "where only one could answer");
}

#[test]
fn a_wrong_pin_is_told_with_its_tries_and_leaves_the_card_alone() {
    let tries = |left: u8| vec![0x00, 0xa1, 0x03, left];
    for (answers, fault) in [
        (vec![agreement(), vec![0x31], tries(7)], Fault::PinWrong(7)),
        (vec![agreement(), vec![0x31], tries(0)], Fault::PinBlocked),
        (vec![agreement(), vec![0x31], vec![0, 0xa2, 3, 5, 4, 0xf5]], Fault::PowerCycleNeeded),
        (vec![agreement(), vec![0x32]], Fault::PinBlocked),
        (vec![agreement(), vec![0x34]], Fault::PowerCycleNeeded),
    ] {
        let (mut key, seen) = device(&answers, true);
        let token =
            patiently(|patience| key.pin_token(b"1234", Permission::GetAssertion, "signet", patience));
        assert_eq!(token.err(), Some(fault));
        assert_eq!(seen.borrow().ended, [After::Leave]);
    }
    let (mut key, seen) = device(&[], true);
    let token = patiently(|patience| key.pin_token(b"123", Permission::GetAssertion, "signet", patience));
    assert_eq!(token.err(), Some(Fault::PinPolicy));
    assert_eq!(seen.borrow().asked.len(), 1, "it was not sent");
}

#[test]
fn an_older_key_is_asked_for_a_token_without_permissions() {
    for (new, command) in [(true, 9), (false, 5)] {
        let (mut key, seen) = device(&[agreement(), vec![0x01]], new);
        let token =
            patiently(|patience| key.pin_token(b"1234", Permission::GetAssertion, "signet", patience));
        assert_eq!(token.err(), Some(Fault::Status(1)));
        let seen = seen.borrow();
        let sent = seen.asked.last().unwrap();
        let sent = Value::only(sent.get(1..).unwrap()).unwrap().map().unwrap();
        assert_eq!(sent.get(2).unwrap().number(), Some(command));
        assert_eq!(sent.get(9).is_some(), new);
        assert_eq!(seen.ended, [After::Reset], "it is not known what the key has done");
    }
}

#[test]
fn a_credential_is_read_and_its_algorithm_must_be_one_asked_for() {
    let (mut key, seen) = device(&[made()], true);
    let credential = patiently(|patience| key.make_credential(&make_request(), None, patience)).unwrap();
    assert_eq!((credential.id.as_slice(), credential.public_key.as_slice()), (&[9; 48][..], &[0xcc; 32][..]));
    assert_eq!((credential.algorithm, credential.hmac_secret), (Algorithm::EdDsa, true));
    assert_eq!((credential.counter, credential.flags, credential.format.as_str()), (7, 0xc5, "none"));
    assert_eq!(seen.borrow().ended, [After::Reset]);
    let (mut key, _) = device(&[made()], true);
    let request = MakeRequest { algorithms: &[Algorithm::Es256], ..make_request() };
    let done = patiently(|patience| key.make_credential(&request, None, patience));
    assert_eq!(done.err(), Some(Fault::Garbage("an algorithm that was not asked for")));
}

#[test]
fn a_message_that_is_too_long_is_not_sent() {
    let (mut key, seen) = device(&[], true);
    let ids = vec![vec![1; 300]; 5];
    let done = patiently(|patience| key.get_assertion(&use_of(&ids, None), None, patience));
    assert_eq!(done.err(), Some(Fault::Unsupported("a message of this length")));
    assert_eq!(seen.borrow().asked.len(), 1);
}

#[test]
fn maps_are_written_in_order() {
    // CTAP 2.1, 8: the keys of every map here, as they must stand.
    let (shared, ours) = Shared::agree(Protocol::Two, &generator()).unwrap();
    let salting = Salting { protocol: Protocol::Two, shared, ours };
    let ids = [vec![7; 16]];
    let request = AssertRequest { up: false, ..use_of(&ids, Some(&[3; 32])) };
    let exclude = MakeRequest { exclude: &ids, ..make_request() };
    for sent in [request.message(None, Some(&salting)).unwrap(), exclude.message(None).unwrap()] {
        ordered(Value::only(sent.get(1..).unwrap()).unwrap());
    }
}

/// Holds the keys of every map against each other: by kind, then by length, then by bytes.
fn ordered(value: Value<'_>) {
    let written = |key: &Key<'_>| match key {
        Key::Number(number) => message(0, |out| out.i64(*number).map(drop)).unwrap(),
        Key::Text(text) => message(0, |out| out.str(text).map(drop)).unwrap(),
    };
    value.array().into_iter().flatten().for_each(ordered);
    if let Some(map) = value.map() {
        let keys: Vec<Vec<u8>> = map.entries().iter().map(|(key, _)| written(key)).collect();
        let mut sorted = keys.clone();
        sorted.sort_by_key(|key| (key.get(1).map(|kind| kind >> 5), key.len(), key.clone()));
        assert_eq!(keys, sorted);
        map.entries().iter().for_each(|(_, value)| ordered(*value));
    }
}

/// An answer that is arbitrary, or one that was right before some bytes of it were changed.
fn answer() -> impl Strategy<Value = Vec<u8>> {
    let tries = vec![0x00, 0xa2, 0x03, 0x08, 0x04, 0xf4];
    let token = message(0x00, |out| out.map(1)?.u8(2)?.bytes(&[7; 48]).map(drop)).unwrap();
    let right =
        proptest::sample::select(vec![info(true), agreement(), asserted(&[7; 16], 1), made(), tries, token]);
    let changed = (
        right,
        proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..3),
        any::<bool>(),
    );
    let changed = changed.prop_map(|(mut bytes, changes, cut)| {
        for (at, to) in changes {
            let at = at.index(bytes.len());
            match bytes.get_mut(at) {
                Some(_) if cut && at > 0 => bytes.truncate(at),
                Some(byte) => *byte = to,
                None => {}
            }
        }
        bytes
    });
    prop_oneof![1 => any::<Vec<u8>>(), 1 => any::<Vec<u8>>().prop_map(|body| [vec![0x00], body].concat()), 6 => changed]
}

proptest! {
    #[test]
    fn no_answers_make_it_panic_or_ask_without_end(answers in proptest::collection::vec(answer(), 0..5), new: bool) {
        let ids = vec![vec![7; 16]; 3];
        let act = |act: &mut dyn FnMut(&mut Device, &mut Patience<'_>)| {
            let (mut key, seen) = device(&answers, new);
            patiently(|patience| act(&mut key, patience));
            assert!(seen.borrow().asked.len() <= 5);
        };
        act(&mut |key, patience| drop(key.holds("signet", &ids, patience)));
        act(&mut |key, patience| {
            let _ = key.pin_retries(patience);
        });
        act(&mut |key, patience| drop(key.pin_token(b"1234", Permission::MakeCredential, "signet", patience)));
        act(&mut |key, patience| drop(key.make_credential(&make_request(), None, patience)));
        act(&mut |key, patience| drop(key.get_assertion(&use_of(&ids, Some(&[1; 32])), None, patience)));
        act(&mut |key, patience| {
            key.info.options.uv = Some(true);
            drop(key.uv_token(Permission::GetAssertion, "signet", patience));
        });
    }

    #[test]
    fn no_info_makes_it_panic(answer in answer()) {
        let seen = Rc::<RefCell<Seen>>::default();
        let port = Box::new(StubPort { answers: VecDeque::from([answer]), seen });
        drop(patiently(|patience| Device::start("key".into(), port, patience)));
    }
}
