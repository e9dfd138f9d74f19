//! Base32 (RFC 4648, section 6), as seeds are written: without padding, case-blind, spaces and dashes
//! between groups allowed on the way in.

use zeroize::Zeroizing;

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Encodes without padding.
pub(super) fn encode(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    // room for everything from the start: growing would leave a copy behind
    let mut out = Zeroizing::new(Vec::with_capacity(bytes.len().saturating_mul(8) / 5 + 1));
    let (mut held, mut bits) = (0_u32, 0_u32);
    let letter = |value: u32| ALPHABET.get((value & 31) as usize).copied().unwrap_or(b'A');
    for byte in bytes {
        held = ((held << 8) | u32::from(*byte)) & 0xfff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(letter(held >> bits));
        }
    }
    if bits > 0 {
        out.push(letter(held << (5 - bits)));
    }
    out
}

/// Decodes; `None` unless it is base32 of whole bytes.
pub(super) fn decode(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    let (mut held, mut bits, mut letters) = (0_u32, 0_u32, 0_usize);
    let end = text.iter().rposition(|byte| *byte != b'=')? + 1;
    for byte in text.get(..end)?.iter().filter(|byte| !matches!(**byte, b' ' | b'-')) {
        let letter = byte.to_ascii_uppercase();
        let value = ALPHABET.iter().position(|known| *known == letter)?;
        held = ((held << 5) | u32::try_from(value).ok()?) & 0xfff;
        bits += 5;
        letters += 1;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from((held >> bits) & 0xff).ok()?);
        }
    }
    // 1, 3 and 6 letters end in no whole byte; bits that are left over must be zero
    let whole = !matches!(letters % 8, 1 | 3 | 6);
    (whole && held & ((1 << bits) - 1) == 0).then_some(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// RFC 4648, section 10.
    const VECTORS: [(&str, &str); 7] = [
        ("", ""),
        ("f", "MY"),
        ("fo", "MZXQ"),
        ("foo", "MZXW6"),
        ("foob", "MZXW6YQ"),
        ("fooba", "MZXW6YTB"),
        ("foobar", "MZXW6YTBOI"),
    ];

    #[test]
    fn the_vectors_both_ways() {
        for (plain, text) in VECTORS {
            assert_eq!(*encode(plain.as_bytes()), text.as_bytes());
            if !text.is_empty() {
                assert_eq!(*decode(text.as_bytes()).unwrap(), plain.as_bytes());
            }
        }
        assert_eq!(*decode(b"mzxw-6ytb oi======").unwrap(), b"foobar");
    }

    #[test]
    fn what_is_no_base32_is_refused() {
        for text in ["", "====", "M", "MZX", "MZXW6Y", "MZ", "MZXW1", "MZXW8", "MZ=Q", "MZXQ\n", "é"] {
            let decoded = decode(text.as_bytes());
            assert!(decoded.is_none(), "{text:?}");
        }
    }
}
