#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, unreachable_pub)]
//! Nothing but the record that was written opens, and nothing makes the reader panic.

mod token;

use proptest::prelude::*;
use signet_envelope::{Opened, Record, hpke, seal};
use token::Token;

const META: &[u8] = br#"{"version":1,"epoch":1,"account":"123456789012"}"#;
const PAYLOAD: &[u8] = br#"{"secret":"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY","totp_seed":null}"#;

/// All that a signer does: parse, find the stanza, ask the token, open.
fn open(file: &[u8], token: &Token) -> Option<Opened> {
    let record = Record::parse(file).ok()?;
    let public = token.public();
    record.encs_for(&public).find_map(|enc| record.open(&public, &enc, &token.dh(&enc)).ok())
}

#[test]
fn every_flipped_bit_is_refused() {
    let (one, two) = (Token::random(), Token::random());
    let file = seal(META, &[one.public(), two.public()], PAYLOAD).unwrap();
    assert_eq!(&*open(&file, &one).unwrap(), PAYLOAD);
    assert_eq!(&*open(&file, &two).unwrap(), PAYLOAD);
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut bad = file.clone();
            bad[at] ^= 1 << bit;
            assert!(open(&bad, &one).is_none() && open(&bad, &two).is_none(), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn every_cut_and_every_byte_too_many_is_refused() {
    let token = Token::random();
    let file = seal(META, &[token.public()], PAYLOAD).unwrap();
    for length in 0..file.len() {
        assert!(open(&file[..length], &token).is_none(), "cut at {length}");
    }
    for at in 0..=file.len() {
        let mut bad = file.clone();
        bad.insert(at, b'A');
        assert!(open(&bad, &token).is_none(), "one more at {at}");
    }
}

#[test]
fn a_stanza_cannot_be_dropped_added_or_swapped() {
    let (one, two) = (Token::random(), Token::random());
    let file = seal(META, &[one.public(), two.public()], PAYLOAD).unwrap();
    let other = seal(META, &[one.public(), two.public()], PAYLOAD).unwrap();
    let lines: Vec<&[u8]> = file.split_inclusive(|byte| *byte == b'\n').collect();
    let foreign: Vec<&[u8]> = other.split_inclusive(|byte| *byte == b'\n').collect();
    let at = lines.iter().position(|line| line.starts_with(b"-> p256tag")).unwrap();
    let stanza = at..at + 2;
    let mut dropped = lines.clone();
    dropped.drain(at + 2..at + 4);
    let mut doubled = lines.clone();
    doubled.splice(at..at, lines[stanza.clone()].iter().copied());
    let mut swapped = lines.clone();
    swapped[at..at + 4].rotate_left(2);
    let mut mixed = lines.clone();
    mixed.splice(at + 2..at + 4, foreign[at + 2..at + 4].iter().copied());
    let mut headless = lines;
    let end = headless.iter().position(|line| line.starts_with(b"--- ")).unwrap();
    headless.splice(..=end, foreign[..=end].iter().copied());
    for (case, lines) in [
        ("dropped", dropped),
        ("doubled", doubled),
        ("swapped", swapped),
        ("mixed", mixed),
        ("header", headless),
    ] {
        assert!(open(&lines.concat(), &one).is_none(), "{case}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_sealed_opens(
        meta in proptest::collection::vec(any::<u8>(), 0..2000),
        payload in proptest::collection::vec(any::<u8>(), 0..2000),
        others in 0usize..4,
    ) {
        let token = Token::random();
        let mut recipients: Vec<_> = (0..others).map(|_| Token::random().public()).collect();
        recipients.push(token.public());
        let file = seal(&meta, &recipients, &payload).unwrap();
        let record = Record::parse(&file).unwrap();
        prop_assert_eq!(record.meta(), &meta[..]);
        prop_assert_eq!(record.recipients(), recipients.len());
        let opened = open(&file, &token).unwrap();
        prop_assert_eq!(&*opened, &payload[..]);
        prop_assert!(open(&file, &Token::random()).is_none());
    }

    #[test]
    fn random_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..4000)) {
        prop_assert!(Record::parse(&bytes).is_err());
        prop_assert!(hpke::OneTimeKey::new().unwrap().open(b"", &bytes).is_err());
    }

    /// Bytes that look like a record for a while.
    #[test]
    fn near_records_do_no_harm(
        text in "age-encryption.org/v1\n(-> (signet/meta/v1|p256tag)( [A-Za-z0-9+/]{0,88}){0,3}\n([A-Za-z0-9+/]{64}\n){0,2}[A-Za-z0-9+/]{0,63}\n){0,4}--- ?[A-Za-z0-9+/]{0,44}\n.{0,40}",
    ) {
        prop_assert!(Record::parse(text.as_bytes()).is_err());
    }

    #[test]
    fn damaged_records_do_no_harm(
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let token = Token::new([1; 32]);
        let file = seal(META, &[token.public()], PAYLOAD).unwrap();
        let mut bad = file.clone();
        for (place, byte) in places {
            let at = place.index(bad.len());
            bad[at] = byte;
        }
        prop_assume!(bad != file);
        prop_assert!(open(&bad, &token).is_none());
    }
}
