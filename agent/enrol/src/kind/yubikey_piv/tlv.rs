//! Tag, length, value with one-byte tags: DER (X.690) as certificates use it, and the data objects
//! that `ykman` keeps on a card.
//!
//! Promises: reads foreign bytes without a panic; a length that is not DER's shortest, or longer
//! than what is there, is no value.

/// One value: its tag, its content, and all its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tlv<'a> {
    /// The tag.
    pub(super) tag: u8,
    /// The content.
    pub(super) value: &'a [u8],
    /// Tag, length and content.
    pub(super) whole: &'a [u8],
}

/// The first value, and what follows it.
pub(super) fn take(bytes: &[u8]) -> Option<(Tlv<'_>, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => {
            let (&length, rest) = rest.split_first()?;
            (usize::from(length), rest)
        }
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _longer => return None,
    };
    let shortest = match first {
        0x81 => length > 0x7f,
        0x82 => length > 0xff,
        _one_byte => true,
    };
    if !shortest {
        return None;
    }
    let (value, after) = rest.split_at_checked(length)?;
    let whole = bytes.get(..bytes.len().checked_sub(after.len())?)?;
    Some((Tlv { tag, value, whole }, after))
}

/// The only value with this tag, with nothing after it.
pub(super) fn only(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    match take(bytes)? {
        (found, []) if found.tag == tag => Some(found.value),
        _other => None,
    }
}

/// The values that stand one after another; ends at the first that is none.
pub(super) fn each(bytes: &[u8]) -> impl Iterator<Item = Tlv<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (found, after) = take(rest)?;
        rest = after;
        Some(found)
    })
}

/// The content of the first value, if it has this tag.
pub(super) fn first(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    take(bytes).filter(|(found, _)| found.tag == tag).map(|(found, _)| found.value)
}

/// The content of the first value with this tag.
pub(super) fn find(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    each(bytes).find(|found| found.tag == tag).map(|found| found.value)
}

/// Writes a value of at most 127 bytes; longer ones are never written here.
pub(super) fn put(out: &mut Vec<u8>, tag: u8, value: &[u8]) -> Option<()> {
    let length = u8::try_from(value.len()).ok().filter(|length| *length <= 0x7f)?;
    out.extend_from_slice(&[tag, length]);
    out.extend_from_slice(value);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::{each, find, only, put, take};

    #[test]
    fn short_and_long_lengths() {
        assert_eq!(only(&[0x89, 2, 7, 8], 0x89), Some(&[7, 8][..]));
        let long = [&[0x30, 0x81, 0x80][..], &[5; 0x80]].concat();
        assert_eq!(only(&long, 0x30), Some(&[5; 0x80][..]));
        let longer = [&[0x30, 0x82, 1, 0][..], &[5; 0x100]].concat();
        assert_eq!(
            take(&longer).map(|(found, rest)| (found.value.len(), found.whole.len(), rest.len())),
            Some((256, 260, 0))
        );
    }

    #[test]
    fn what_is_not_der_is_nothing() {
        let cases: [&[u8]; 8] = [
            &[],
            &[0x30],
            &[0x30, 1],
            &[0x30, 0x81, 1, 9],
            &[0x30, 0x82, 0, 1, 9],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x83, 0, 0, 1, 9],
            &[0x30, 0x81],
        ];
        for case in cases {
            assert_eq!(take(case), None, "{case:02x?}");
        }
        assert_eq!(only(&[0x30, 0, 0], 0x30), None, "something follows");
    }

    #[test]
    fn values_are_found_by_tag_and_written_back() {
        let mut out = Vec::new();
        assert_eq!(put(&mut out, 0x81, &[2]).and_then(|()| put(&mut out, 0x83, &[1, 2, 3, 4])), Some(()));
        assert_eq!(out, [0x81, 1, 2, 0x83, 4, 1, 2, 3, 4]);
        assert_eq!(find(&out, 0x83), Some(&[1, 2, 3, 4][..]));
        assert_eq!(find(&out, 0x82), None);
        assert_eq!(each(&out).count(), 2);
        assert_eq!(put(&mut out, 0x81, &[0; 128]), None);
    }
}
