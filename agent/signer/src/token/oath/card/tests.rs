#![allow(clippy::unwrap_used)]
use super::*;
use crate::token::card::apdu::tests::StubChannel;
use crate::token::oath::applet_key;
use proptest::prelude::*;

const DEVICE_NAME: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
/// A new applet's answer to SELECT, and what follows it where there is an access code.
const SELECTED: [u8; 15] = [0x79, 3, 5, 7, 1, 0x71, 8, 1, 2, 3, 4, 5, 6, 7, 8];
const ASKS: [u8; 13] = [0x74, 8, 9, 9, 9, 9, 9, 9, 9, 9, 0x7b, 1, 1];
const OK: [u8; 2] = [0x90, 0x00];

fn key() -> AppletKey {
    applet_key("ABCDEFGHIJKLMNOPQRSTUVWXYZ", &DEVICE_NAME)
}

#[test]
fn an_applet_tells_its_name_and_whether_it_asks_for_a_code() {
    let open = select(&StubChannel::new(&[&[&SELECTED[..], &OK].concat()])).ok().unwrap().unwrap();
    assert_eq!((open.device, open.challenge), (DEVICE_NAME, None));
    let locked = select(&StubChannel::new(&[&[&SELECTED[..], &ASKS, &OK].concat()])).ok().unwrap().unwrap();
    assert_eq!((locked.device, locked.challenge.as_deref()), (DEVICE_NAME, Some(&[9; 8][..])));
    let announced = StubChannel::new(&[&[0x61, 15], &[&SELECTED[..], &OK].concat()]);
    assert_eq!(select(&announced).ok().unwrap().unwrap().device, DEVICE_NAME);
    assert_eq!(announced.asked.borrow().get(1).unwrap(), &[0x00, 0xc0, 0x00, 0x00, 15]);
    assert!(matches!(select(&StubChannel::new(&[&[0x6a, 0x82]])), Ok(None)));
    for garbage in [&[0x90, 0x00][..], &[0x71, 7, 1, 2, 3, 4, 5, 6, 7, 0x90, 0x00], &[0x71, 8, 1, 0x90, 0x00]]
    {
        assert_eq!(select(&StubChannel::new(&[garbage])).err(), Some(Fault::Garbage), "{garbage:?}");
    }
}

/// Computed with `yubikit`: `_derive_key(bytes(range(1, 9)), "ABCDEFGHIJKLMNOPQRSTUVWXYZ")`.
#[test]
fn the_key_of_an_access_code_is_the_one_of_ykman() {
    assert_eq!(signet_envelope::hex(key().expose_secret()), "d7fea703cde48550698e5c60f1378676");
}

#[test]
fn an_applet_that_takes_any_code_does_not_pass_for_ours() {
    // It says 9000, and proves nothing: anything but the HMAC of our own challenge.
    for proof in [&[][..], &[0x75, 20, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]] {
        let card = StubChannel::new(&[&[proof, &OK].concat()]);
        assert_eq!(validate(&card, &key(), &[9; 8]), Err(Fault::Garbage));
        let asked = card.asked.borrow();
        let sent = asked.first().unwrap();
        assert_eq!(sent.get(..7).unwrap(), [0, 0xa3, 0, 0, 32, 0x75, 20]);
        assert_eq!(sent.get(7..27).unwrap(), hmac_sha1(&key(), &[9; 8]).as_ref());
    }
    assert_eq!(validate(&StubChannel::new(&[&[0x6a, 0x80]]), &key(), &[9; 8]), Ok(Done::No(0x6a80)));
}

#[test]
fn a_credential_is_put_with_its_touch() {
    let card = StubChannel::new(&[&OK]);
    let secret = b"AWS4wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    assert_eq!(put(&card, "lk-date", secret), Ok(Done::Yes));
    let head = [0, 1, 0, 0, 0x3b, 0x71, 7, 0x6c, 0x6b, 0x2d, 0x64, 0x61, 0x74, 0x65, 0x73, 0x2e, 0x22, 6];
    let sent = [&head[..], secret, &[0x78, 2]].concat();
    assert_eq!(card.asked.borrow().first().unwrap(), &sent);
}

#[test]
fn the_longest_name_and_key_fit_into_the_buffer_that_holds_them() {
    let card = StubChannel::new(&[&OK]);
    assert_eq!(put(&card, &"n".repeat(LONGEST_NAME), &[7; LONGEST_KEY]), Ok(Done::Yes));
    let data = 2 + LONGEST_NAME + 2 + 2 + LONGEST_KEY + 2;
    assert!(data <= 8 + LONGEST_NAME + LONGEST_KEY);
    assert_eq!(card.asked.borrow().first().unwrap().len(), 5 + data);
}

#[test]
fn only_a_whole_hmac_is_an_answer() {
    let whole = [&[0x75, 33, 6][..], &[7; 32], &OK].concat();
    let card = StubChannel::new(&[&whole]);
    let Ok(Calculated::Answer(answer)) = calculate(&card, "lk-date", b"20261122") else { unreachable!() };
    assert_eq!(answer.expose_secret(), &[7; 32]);
    let sent = [&[0, 0xa2, 0, 0, 0x13, 0x71, 7][..], b"lk-date", &[0x74, 8], b"20261122"].concat();
    assert_eq!(card.asked.borrow().first().unwrap(), &sent);

    let of = |answer: &[u8]| calculate(&StubChannel::new(&[answer]), "a", b"signet-0");
    assert!(matches!(of(&[0x76, 5, 6, 1, 2, 3, 4, 0x90, 0x00]), Ok(Calculated::Truncated)));
    for refused in [[0x6d, 0x00], [0x6a, 0x86], [0x6b, 0x00]] {
        assert!(matches!(of(&refused), Ok(Calculated::Truncated)));
    }
    assert!(matches!(of(&[0x6f, 0x00]), Ok(Calculated::Unexpected(0x6f00))));
    for touch in [[0x69, 0x82], [0x66, 0x00], [0x69, 0x85]] {
        assert!(matches!(of(&touch), Ok(Calculated::NotTouched)));
    }
    assert!(matches!(of(&[0x69, 0x84]), Ok(Calculated::Missing)));
    for length in [0_u8, 21, 32, 34, 65] {
        let other = [&[0x75, length][..], &vec![7; usize::from(length)], &OK].concat();
        assert!(matches!(of(&other), Ok(Calculated::Unexpected(0x9000))), "{length}");
    }
    assert_eq!(of(&OK).err(), Some(Fault::Garbage));
}

#[test]
fn a_list_tells_the_name_and_the_others_however_long_it_is() {
    let entry =
        |algorithm: u8, name: &str| [&[0x72, name.len() as u8 + 1, algorithm][..], name.as_bytes()].concat();
    let first = [entry(0x22, "signet-prod"), entry(0x21, "GitHub:me")].concat();
    let card = StubChannel::new(&[
        &[&first[..], &[0x61, 0x10]].concat(),
        &[&entry(0x22, "signet-x")[..], &OK].concat(),
    ]);
    let listed = list(&card, "signet-prod").unwrap();
    assert_eq!((listed.named, listed.others, listed.is_ours()), (Some(0x22), 1, true));
    assert_eq!(card.asked.borrow().get(1).unwrap().get(1), Some(&SEND_REMAINING));
    let other = [&entry(0x21, "signet-prod")[..], &OK].concat();
    assert!(!list(&StubChannel::new(&[&other]), "signet-prod").unwrap().is_ours());
    assert_eq!(list(&StubChannel::new(&[&[0x72, 0, 0x90, 0x00]]), "a"), Err(Fault::Garbage));
    assert_eq!(list(&StubChannel::new(&[&[0x71, 1, 1, 0x90, 0x00]]), "a"), Err(Fault::Garbage));
}

proptest! {
    #[test]
    fn no_card_makes_it_panic(answers: Vec<Vec<u8>>, name in ".{0,64}", challenge: Vec<u8>) {
        let answers: Vec<&[u8]> = answers.iter().map(Vec::as_slice).collect();
        let card = StubChannel::new(&answers);
        let _ = (select(&card).is_ok(), validate(&card, &key(), &challenge), set_code(&card, &key()));
        let _ = (list(&card, &name), put(&card, &name, &[7; LONGEST_KEY]), delete(&card, &name));
        let _ = calculate(&card, &name, b"20261122").is_ok();
    }

    #[test]
    fn answers_that_are_nearly_right_do_not_make_it_panic(mut answer: Vec<u8>, tag in 0x71_u8..0x7c) {
        let length = u8::try_from(answer.len().min(127)).unwrap();
        answer.splice(..0, [tag, length]);
        answer.extend(OK);
        let card = StubChannel::new(&[&answer]);
        let _ = (select(&card).is_ok(), list(&card, "signet-a"), calculate(&card, "a", b"20261122").is_ok());
    }
}
