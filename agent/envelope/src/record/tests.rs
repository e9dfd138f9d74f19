#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
//! The published bytes of a record, and what the grammar refuses. What needs a token's private key
//! stands in `tests/`.

use zeroize::Zeroizing;

use super::*;
use crate::hash::hex;

/// `skR` of RFC 9180, A.3.1 gives this public key, and with `enc` this ECDH result.
const RECIPIENT: &str = "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8a0e539c7f62fb3d30ad6aa8f80e30f1d128aafd68a2ce72ea0";
const ENC: &str = "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4";
const DH: &str = "13f918529458d2542531406888c8a6d4ea7ff473a6f4db452ac3c4ae1d01cea1";
const HEADER: &str = "age-encryption.org/v1
-> signet/meta/v1
eyJ2IjoxfQ
-> p256tag Z20N/w BKknGcYZXVCFEE9GmouYFNWDj/crYFAeLERm5eZ7MlrJhTbXthoa9LeOW3+VHAkAvoY8QDzmXJv8uTgmVyItGMQ
dT2swi6la4WQ1wbXKYLFiazVKMPOavDycaY5pueDjMc
--- f6kdaAC3kVCMkceSz9JXHpNtM6ks2yccmeSm6M/pFlQ
";

fn unhex<const N: usize>(text: &str) -> [u8; N] {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    let bytes: Vec<u8> = (0..text.len()).step_by(2).map(digit).collect();
    bytes.try_into().unwrap()
}

fn recipient() -> PublicKey {
    PublicKey::from_bytes(&unhex::<65>(RECIPIENT)).unwrap()
}

fn vector_file_key() -> FileKey {
    FileKey::read(Zeroizing::new((0..16).collect())).unwrap()
}

fn vector() -> Vec<u8> {
    let key = vector_file_key();
    let to = Wrapped::make_with(&recipient(), &key, &unhex(ENC), &unhex::<32>(DH)).unwrap();
    let nonce: [u8; 16] = (0x10..0x20).collect::<Vec<u8>>().try_into().unwrap();
    assemble(&key, &nonce, &[meta_stanza(b"{\"v\":1}"), to.stanza()], b"signet").unwrap()
}

#[test]
fn the_vector_is_written_byte_for_byte() {
    let file = vector();
    let (header, payload) = file.split_at(HEADER.len());
    assert_eq!(std::str::from_utf8(header).unwrap(), HEADER);
    assert_eq!(hex(payload), "101112131415161718191a1b1c1d1e1ff6d058b057aade9fd730477bf54901a1084e9c47b468");
}

#[test]
fn the_vector_opens() {
    let record = Record::parse(&vector()).unwrap();
    assert_eq!(record.meta(), b"{\"v\":1}");
    assert_eq!(record.header_sha256(), sha256(HEADER.as_bytes()));
    assert_eq!(record.enc_for(&recipient()), Some(unhex(ENC)));
    let opened = record.open(&recipient(), &unhex(ENC), &unhex(DH)).unwrap();
    assert_eq!(&*opened, b"signet");
}

#[test]
fn a_wrong_token_is_not_the_same_as_damage() {
    let record = Record::parse(&vector()).unwrap();
    assert_eq!(record.open(&recipient(), &unhex(ENC), &[7; 32]).err(), Some(Error::NotMine));
    let other = PublicKey::from_bytes(&unhex::<65>(ENC)).unwrap();
    assert_eq!(record.enc_for(&other), None);
    assert_eq!(record.open(&other, &unhex(ENC), &unhex(DH)).err(), Some(Error::NotMine));
}

/// Two stanzas with one tag: the first does not open, the second does.
#[test]
fn each_stanza_of_a_tag_is_tried() {
    let key = vector_file_key();
    let good = Wrapped::make_with(&recipient(), &key, &unhex(ENC), &unhex::<32>(DH)).unwrap();
    let mut bad = good.stanza();
    bad.body[0] ^= 1;
    let file = assemble(&key, &[0; 16], &[meta_stanza(b"m"), bad, good.stanza()], b"payload").unwrap();
    let record = Record::parse(&file).unwrap();
    assert_eq!(record.encs_for(&recipient()).count(), 2);
    assert_eq!(&*record.open(&recipient(), &unhex(ENC), &unhex(DH)).unwrap(), b"payload");
}

#[test]
fn a_body_of_whole_lines_is_ended_by_an_empty_one() {
    for length in [0, 47, 48, 49, 95, 96, 97] {
        let key = vector_file_key();
        let to = Wrapped::make_with(&recipient(), &key, &unhex(ENC), &unhex::<32>(DH)).unwrap();
        let meta = vec![b'm'; length];
        let file = assemble(&key, &[0; 16], &[meta_stanza(&meta), to.stanza()], b"").unwrap();
        let record = Record::parse(&file).unwrap();
        assert_eq!(record.meta(), meta, "{length}");
        assert!(record.open(&recipient(), &unhex(ENC), &unhex(DH)).unwrap().is_empty());
    }
}

/// Every case is the vector with one thing wrong.
#[test]
fn the_grammar_refuses() {
    let stanza = &HEADER[HEADER.find("-> p256tag").unwrap()..HEADER.find("---").unwrap()];
    let payload = vector().split_off(HEADER.len());
    let cases = [
        ("version", "org/v1\n-> s", "org/v2\n-> s"),
        ("carriage return", "v1\neyJ", "v1\r\neyJ"),
        ("no metadata", "-> signet/meta/v1\neyJ2IjoxfQ\n", ""),
        ("unknown stanza first", "signet/meta/v1", "signet/meta/v2"),
        ("metadata with an argument", "meta/v1\n", "meta/v1 x\n"),
        ("metadata twice", "eyJ2IjoxfQ\n", "eyJ2IjoxfQ\n-> signet/meta/v1\neyJ2IjoxfQ\n"),
        ("metadata last", "-> signet/meta/v1\neyJ2IjoxfQ\n-> p256tag", "-> p256tag"),
        ("unknown stanza", "-> p256tag", "-> X25519"),
        ("no recipient", stanza, ""),
        ("padded base64", "eyJ2IjoxfQ", "eyJ2IjoxfQ=="),
        ("stray bits", "eyJ2IjoxfQ", "eyJ2IjoxfR"),
        ("alphabet of URLs", "Z20N/w", "Z20N_w"),
        ("two spaces", "p256tag Z20N/w", "p256tag  Z20N/w"),
        ("space at the end", "meta/v1\n", "meta/v1 \n"),
        ("control character", "p256tag Z20N/w", "p256tag\tZ20N/w"),
        ("one argument", "Z20N/w ", ""),
        ("three arguments", "Z20N/w ", "Z20N/w Z20N/w "),
        ("short tag", "Z20N/w ", "Z20N "),
        ("short point", "BKknGcYZ", "BKkn"),
        ("compressed point", "BKknGcYZ", "AqknGcYZ"),
        ("point off the curve", "ItGMQ", "ItGMA"),
        ("short body", "dT2swi6l", "dT2s"),
        ("empty line in a body", "eyJ2IjoxfQ\n", "eyJ2IjoxfQ\n\n"),
        ("arrow without a space", "-> p256tag", "->p256tag"),
        ("nameless stanza", "-> signet/meta/v1", "-> "),
        ("no space before the MAC", "--- f6", "---f6"),
        ("short MAC", "--- f6kd", "--- "),
        ("word after the MAC", "/pFlQ\n", "/pFlQ x\n"),
    ];
    for (case, from, to) in cases {
        assert!(HEADER.contains(from), "{case}: nothing to replace");
        let file = [HEADER.replacen(from, to, 1).as_bytes(), &payload].concat();
        assert!(Record::parse(&file).is_err(), "{case}");
    }
}

#[test]
fn the_caps_hold() {
    let one = recipient();
    assert_eq!(seal(b"", &[], b"").err(), Some(Error::NoRecipient));
    assert_eq!(seal(b"", &[one; MAX_RECIPIENTS + 1], b"").err(), Some(Error::TooLarge));
    assert_eq!(seal(b"", &[one], &vec![0; MAX_RECORD]).err(), Some(Error::TooLarge));
    assert_eq!(seal(&vec![0; MAX_RECORD], &[one], b"").err(), Some(Error::TooLarge));
    let most = seal(b"", &[one; MAX_RECIPIENTS], b"").unwrap();
    assert_eq!(Record::parse(&most).unwrap().recipients(), MAX_RECIPIENTS);

    let stanza = &HEADER[HEADER.find("-> p256tag").unwrap()..HEADER.find("---").unwrap()];
    let crowded = HEADER.replace(stanza, &stanza.repeat(MAX_RECIPIENTS + 1));
    assert_eq!(Record::parse(crowded.as_bytes()).err(), Some(Error::TooLarge));
    let mut long = vector();
    long.resize(MAX_RECORD + 1, 0);
    assert_eq!(Record::parse(&long).err(), Some(Error::TooLarge));
}

#[test]
fn a_file_key_and_a_nonce_are_used_once() {
    let files: Vec<Vec<u8>> = (0..50).map(|_| seal(b"m", &[recipient()], b"p").unwrap()).collect();
    let mut headers: Vec<[u8; 32]> =
        files.iter().map(|file| Record::parse(file).unwrap().header_sha256()).collect();
    headers.sort_unstable();
    headers.dedup();
    assert_eq!(headers.len(), 50);
    let mut nonces: Vec<[u8; 16]> = files.iter().map(|file| Record::parse(file).unwrap().nonce).collect();
    nonces.sort_unstable();
    nonces.dedup();
    assert_eq!(nonces.len(), 50);
}

#[test]
fn the_spki_is_what_a_certificate_holds() {
    let der = recipient().spki_der();
    assert_eq!(der.len(), 91);
    assert_eq!(usize::from(der[1]), der.len() - 2);
    assert_eq!(der[26..], unhex::<65>(RECIPIENT));
    assert_eq!(hex(&recipient().compressed()), format!("02{}", &RECIPIENT[2..66]));
}
