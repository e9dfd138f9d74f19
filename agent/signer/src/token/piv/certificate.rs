//! What is needed of an attestation certificate (RFC 5280, 4.1): the public key and Yubico's
//! extension with the policies.
//!
//! The chain is not checked here: enrol has done that. What a card says of itself in a use protects
//! against the wrong token, not against a lying one.

use super::card::SlotKey;
use crate::token::card::tlv::{find, split};

/// 1.3.6.1.4.1.41482.3.8: PIN policy and touch policy (Yubico, PIV attestation).
const POLICIES: [u8; 10] = [0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xc4, 0x0a, 0x03, 0x08];

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
/// `[0]` version and `[3]` extensions of a TBSCertificate.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// The key of a certificate, each part as far as it can be read.
pub(super) fn read(der: &[u8]) -> SlotKey {
    let body = find(der, SEQUENCE).and_then(|certificate| find(certificate, SEQUENCE));
    SlotKey::Known { point: body.and_then(point), policies: body.and_then(policies) }
}

/// SubjectPublicKeyInfo is the seventh field of a TBSCertificate that has a version.
fn point(body: &[u8]) -> Option<[u8; 65]> {
    let (tag, _, mut rest) = split(body)?;
    if tag != VERSION {
        return None;
    }
    // serial number, signature, issuer, validity, subject
    for _ in 0..5 {
        (_, _, rest) = split(rest)?;
    }
    let (_, info, _) = split(rest).filter(|(tag, ..)| *tag == SEQUENCE)?;
    // The first byte says how many bits of the last are unused: none.
    let (unused, point) = find(info, BIT_STRING)?.split_first()?;
    if *unused == 0 { point.try_into().ok() } else { None }
}

fn policies(body: &[u8]) -> Option<[u8; 2]> {
    let mut list = find(find(body, EXTENSIONS)?, SEQUENCE)?;
    while !list.is_empty() {
        let (_, extension, rest) = split(list)?;
        if find(extension, OBJECT_IDENTIFIER)? == POLICIES {
            return find(extension, OCTET_STRING)?.try_into().ok();
        }
        list = rest;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let value = parts.concat();
        let mut out = vec![tag, 0x82];
        out.extend((value.len() as u16).to_be_bytes());
        out.extend(value);
        out
    }

    fn certificate(policies: &[u8]) -> Vec<u8> {
        let bits = [&[0][..], &[4; 65]].concat();
        let info = element(SEQUENCE, &[&element(SEQUENCE, &[]), &element(BIT_STRING, &[&bits])]);
        let extension = |oid: &[u8], value: &[u8]| {
            element(SEQUENCE, &[&element(OBJECT_IDENTIFIER, &[oid]), &element(OCTET_STRING, &[value])])
        };
        let extensions =
            element(SEQUENCE, &[&extension(&[0x2b, 1], &[9, 9]), &extension(&POLICIES, policies)]);
        let empty = element(SEQUENCE, &[]);
        let fields: [&[u8]; 8] = [
            &element(VERSION, &[&[2, 1, 2]]),
            &element(2, &[&[7]]),
            &empty,
            &empty,
            &empty,
            &empty,
            &info,
            &element(EXTENSIONS, &[&extensions]),
        ];
        element(SEQUENCE, &[&element(SEQUENCE, &fields), &empty, &element(BIT_STRING, &[&[0, 1]])])
    }

    #[test]
    fn key_and_policies_are_found() {
        let expected = SlotKey::Known { point: Some([4; 65]), policies: Some([3, 2]) };
        assert_eq!(read(&certificate(&[3, 2])), expected);
        assert_eq!(read(&certificate(&[3])), SlotKey::Known { point: Some([4; 65]), policies: None });
    }

    #[test]
    fn a_cut_certificate_says_nothing() {
        let whole = certificate(&[3, 2]);
        let nothing = SlotKey::Known { point: None, policies: None };
        for length in 0..whole.len() {
            assert_eq!(whole.get(..length).map(read), Some(nothing), "{length}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, at in 0usize..200, flip: u8) {
            let _ = read(&bytes);
            let mut changed = certificate(&[3, 2]);
            if let Some(byte) = changed.get_mut(at) {
                *byte ^= flip;
            }
            let _ = read(&changed);
        }
    }
}
