//! As much of DER writing (ITU-T X.690) as signatures and attestation certificates need.

use super::tlv;

/// BOOLEAN TRUE.
pub(super) const TRUE: [u8; 3] = [0x01, 0x01, 0xff];

pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv::write(0x30, &parts.concat())
}

pub(super) fn set(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv::write(0x31, &parts.concat())
}

/// An INTEGER of big-endian bytes without sign: no leading zeros but the one that keeps it positive.
pub(super) fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let mut digits: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    if digits.first().is_none_or(|first| first & 0x80 != 0) {
        digits.insert(0, 0);
    }
    tlv::write(0x02, &digits)
}

pub(super) fn octets(bytes: &[u8]) -> Vec<u8> {
    tlv::write(0x04, bytes)
}

/// A BIT STRING of whole bytes.
pub(super) fn bits(bytes: &[u8]) -> Vec<u8> {
    tlv::write(0x03, &[&[0], bytes].concat())
}

pub(super) fn utf8(text: &str) -> Vec<u8> {
    tlv::write(0x0c, text.as_bytes())
}

pub(super) fn utc_time(text: &str) -> Vec<u8> {
    tlv::write(0x17, text.as_bytes())
}

/// `[number] EXPLICIT`, constructed.
pub(super) fn explicit(number: u8, inside: &[u8]) -> Vec<u8> {
    tlv::write(u32::from(0xa0 | number), inside)
}

/// An OBJECT IDENTIFIER (section 8.19): the first two arcs in one, base 128, high bit for "more".
pub(super) fn oid(arcs: &[u64]) -> Vec<u8> {
    let (first, rest) = match arcs {
        [first, second, rest @ ..] => (first * 40 + second, rest),
        [..] => (0, arcs),
    };
    let mut out = Vec::new();
    for arc in std::iter::once(&first).chain(rest) {
        let mut digits = vec![u8::try_from(arc & 0x7f).unwrap_or(0)];
        let mut left = arc >> 7;
        while left > 0 {
            digits.push(u8::try_from(left & 0x7f).unwrap_or(0) | 0x80);
            left >>= 7;
        }
        out.extend(digits.iter().rev());
    }
    tlv::write(0x06, &out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_positive_and_short() {
        assert_eq!(unsigned(&[0, 0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(unsigned(&[0, 0]), [2, 1, 0]);
        assert_eq!(unsigned(&[0x7f]), [2, 1, 0x7f]);
    }

    #[test]
    fn an_identifier_is_written_in_base_128() {
        // ecdsa-with-SHA256 (RFC 5758).
        assert_eq!(oid(&[1, 2, 840, 10045, 4, 3, 2]), [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]);
    }
}
