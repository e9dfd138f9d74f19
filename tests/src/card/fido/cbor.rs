//! CBOR as CTAP wants it: the canonical form and nothing else (CTAP 2.1, section 8).
//!
//! An encoder and a decoder of its own on purpose: those of the clients under test shall have somebody to
//! disagree with.

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Int(i64),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Bool(bool),
}

/// Arrays and maps lie in one another at most this deep.
const DEEPEST: u8 = 4;

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl From<Vec<Self>> for Value {
    fn from(values: Vec<Self>) -> Self {
        Self::Array(values)
    }
}

impl Value {
    /// A map; its order is made canonical when it is written.
    pub(crate) fn map<K: Into<Self>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// What stands under a key of a map.
    pub(crate) fn get(&self, key: impl Into<Self>) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        let key = key.into();
        entries.iter().find(|(found, _)| *found == key).map(|(_, value)| value)
    }

    /// Written canonically.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Int(number) => match u64::try_from(*number) {
                Ok(number) => head(0, number),
                Err(_) => head(1, !number.cast_unsigned()),
            },
            Self::Bytes(bytes) => [head(2, length(bytes)), bytes.clone()].concat(),
            Self::Text(text) => [head(3, length(text.as_bytes())), text.as_bytes().to_vec()].concat(),
            Self::Array(values) => {
                let written: Vec<Vec<u8>> = values.iter().map(Self::to_bytes).collect();
                [head(4, length(&written)), written.concat()].concat()
            }
            Self::Map(entries) => {
                let mut written: Vec<(Vec<u8>, Vec<u8>)> =
                    entries.iter().map(|(key, value)| (key.to_bytes(), value.to_bytes())).collect();
                written.sort_by(|(a, _), (b, _)| order(a).cmp(&order(b)));
                let pairs: Vec<u8> =
                    written.iter().flat_map(|(key, value)| [&key[..], value].concat()).collect();
                [head(5, length(&written)), pairs].concat()
            }
            Self::Bool(truth) => vec![if *truth { 0xf5 } else { 0xf4 }],
        }
    }

    /// Reads one value and nothing behind it; `None` when it is not canonical.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        match first(bytes, 0)? {
            (value, []) => Some(value),
            (_, [_, ..]) => None,
        }
    }
}

/// Keys stand in the order of their type, then of their length, then of their bytes.
fn order(key: &[u8]) -> (Option<u8>, usize, &[u8]) {
    (key.first().map(|byte| byte >> 5), key.len(), key)
}

fn length<T>(of: &[T]) -> u64 {
    u64::try_from(of.len()).unwrap_or(u64::MAX)
}

/// Major type and argument, as short as can be (RFC 8949, section 3).
fn head(major: u8, argument: u64) -> Vec<u8> {
    let major = major << 5;
    let bytes = argument.to_be_bytes();
    let (size, used) = match argument {
        0..=23 => return vec![major | bytes.last().copied().unwrap_or(0)],
        24..=0xff => (24, 1),
        0x100..=0xffff => (25, 2),
        0x1_0000..=0xffff_ffff => (26, 4),
        0x1_0000_0000.. => (27, 8),
    };
    [&[major | size], bytes.get(8 - used..).unwrap_or_default()].concat()
}

/// The first value, and what stands behind it.
fn first(bytes: &[u8], deep: u8) -> Option<(Value, &[u8])> {
    let (major, argument, rest) = read_head(bytes)?;
    let inside = deep + 1;
    match major {
        0 => Some((Value::Int(i64::try_from(argument).ok()?), rest)),
        1 => Some((Value::Int(-1 - i64::try_from(argument).ok()?), rest)),
        2 | 3 => {
            let (value, rest) = rest.split_at_checked(usize::try_from(argument).ok()?)?;
            let value = match major {
                2 => Value::Bytes(value.to_vec()),
                _ => Value::Text(String::from_utf8(value.to_vec()).ok()?),
            };
            Some((value, rest))
        }
        4 | 5 if inside > DEEPEST => None,
        4 => {
            let (mut values, mut rest) = (Vec::new(), rest);
            for _ in 0..argument {
                let (value, after) = first(rest, inside)?;
                values.push(value);
                rest = after;
            }
            Some((Value::Array(values), rest))
        }
        5 => {
            let (mut entries, mut rest, mut last) = (Vec::new(), rest, None);
            for _ in 0..argument {
                let (key, after) = first(rest, inside)?;
                let written = order(rest.get(..rest.len() - after.len())?);
                if last.is_some_and(|last| last >= written) {
                    return None; // out of order, or twice
                }
                last = Some(written);
                let (value, after) = first(after, inside)?;
                entries.push((key, value));
                rest = after;
            }
            Some((Value::Map(entries), rest))
        }
        7 if bytes.len() == rest.len() + 1 => match argument {
            20 => Some((Value::Bool(false), rest)),
            21 => Some((Value::Bool(true), rest)),
            _ => None,
        },
        _ => None,
    }
}

fn read_head(bytes: &[u8]) -> Option<(u8, u64, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (major, size) = (first >> 5, first & 0x1f);
    let used = match size {
        0..=23 => return Some((major, u64::from(size), rest)),
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => return None, // reserved, or of indefinite length
    };
    let (digits, rest) = rest.split_at_checked(used)?;
    let argument = digits.iter().fold(0, |argument, byte| argument << 8 | u64::from(*byte));
    // A longer form than need be.
    (head(major, argument).len() == used + 1).then_some((major, argument, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for number in [0, 23, 24, 255, 256, 65_535, 65_536, 1 << 32, -1, -24, -25, -256, -257, i64::MIN] {
            let value = Value::Int(number);
            assert_eq!(Value::read(&value.to_bytes()).unwrap(), value);
        }
        let all = Value::map([
            ("b", Value::from(vec![Value::from(true), Value::from(&[1, 2][..])])),
            ("aa", Value::map([(-1, Value::from("x")), (3, Value::from(false))])),
        ]);
        let bytes = all.to_bytes();
        assert_eq!(
            bytes,
            [&[0xa2, 0x61, b'b', 0x82, 0xf5, 0x42, 1, 2, 0x62, b'a', b'a', 0xa2, 3, 0xf4, 0x20, 0x61, b'x']
                [..]]
            .concat(),
            "short keys first, positive numbers before negative ones"
        );
        assert_eq!(Value::read(&bytes).unwrap().get("b"), all.get("b"));
        assert_eq!(Value::read(&bytes).unwrap().to_bytes(), bytes);
    }

    #[test]
    fn what_is_not_canonical_is_refused() {
        for (why, bytes) in [
            ("nothing", &[][..]),
            ("cut short", &[0x42, 1]),
            ("cut short", &[0xa1, 1]),
            ("one byte too many", &[1, 1]),
            ("a longer number than need be", &[0x18, 23]),
            ("a longer length than need be", &[0x58, 1, 1]),
            ("of indefinite length", &[0x5f, 0x41, 1, 0xff]),
            ("out of order", &[0xa2, 2, 1, 1, 1]),
            ("a longer key first", &[0xa2, 0x62, b'a', b'a', 1, 0x61, b'b', 1]),
            ("a key twice", &[0xa2, 1, 1, 1, 1]),
            ("no text", &[0x61, 0xff]),
            ("a tag", &[0xc0, 1]),
            ("null", &[0xf6]),
            ("a half-width number", &[0xf9, 0, 0]),
            ("true, the long way", &[0xf8, 21]),
            ("too deep", &[0x81, 0x81, 0x81, 0x81, 0x81, 1]),
            ("more than there can be", &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ] {
            assert_eq!(Value::read(bytes), None, "{why}");
        }
    }
}
