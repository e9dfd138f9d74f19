//! Bech32 (BIP 173), as age writes its recipients: without the length limit, encoding only.

const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];

/// The checksum's polynomial over values of five bits.
fn polymod(values: impl Iterator<Item = u8>) -> u32 {
    values.fold(1, |state, value| {
        let top = state >> 25;
        let next = ((state & 0x01ff_ffff) << 5) ^ u32::from(value);
        GENERATOR
            .iter()
            .enumerate()
            .filter(|(bit, _)| (top >> bit) & 1 == 1)
            .fold(next, |sum, (_, generator)| sum ^ generator)
    })
}

/// Eight-bit bytes as five-bit values, the last one padded with zeros.
fn five_bits(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() * 8 / 5 + 1);
    let (mut held, mut bits) = (0u32, 0u32);
    for byte in data {
        held = ((held << 8) | u32::from(*byte)) & 0xfff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(((held >> bits) & 31) as u8);
        }
    }
    if bits > 0 {
        out.push(((held << (5 - bits)) & 31) as u8);
    }
    out
}

/// `prefix` must be lower case.
pub(crate) fn encode(prefix: &str, data: &[u8]) -> String {
    let values = five_bits(data);
    let high = prefix.bytes().map(|byte| byte >> 5);
    let low = prefix.bytes().map(|byte| byte & 31);
    let head = high.chain([0]).chain(low);
    let sum = polymod(head.chain(values.iter().copied()).chain([0; 6])) ^ 1;
    let check = (0..6).rev().map(|place| ((sum >> (5 * place)) & 31) as u8);
    let letters = values.iter().copied().chain(check);
    let text = letters.filter_map(|value| ALPHABET.get(usize::from(value))).map(|letter| char::from(*letter));
    format!("{prefix}1{}", text.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::encode;

    /// The valid strings of BIP 173 that carry whole bytes.
    #[test]
    fn bip_173() {
        assert_eq!(encode("a", b""), "a12uel5l");
        assert_eq!(
            encode(
                "abcdef",
                &[
                    0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6, 0x35, 0xcf, 0x84, 0x65, 0x3a, 0x56, 0xd7,
                    0xc6, 0x75, 0xbe, 0x77, 0xdf
                ]
            ),
            "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw"
        );
    }
}
