//! Tag, length, value, as cards and X.509 certificates write it (ISO 7816-4, 5.2.2; X.690, 8.1).
//!
//! Only what is met here: tags of one byte, definite lengths of up to two bytes. Never panics, never
//! reads past the end; a list with a damaged element is no list.

/// The first element and what follows it.
pub(in crate::token) fn split(data: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = data.split_first()?;
    // Five bits set: the tag goes on in further bytes (X.690, 8.1.2.4).
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0x00..=0x7f => (usize::from(first), rest),
        0x81 => {
            let (&low, rest) = rest.split_first()?;
            (usize::from(low), rest)
        }
        0x82 => {
            let (bytes, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*bytes)), rest)
        }
        0x80 | 0x83..=0xff => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((tag, value, rest))
}

/// The value of the first element with `tag`, if the whole of `data` is a list of elements.
pub(in crate::token) fn find(mut data: &[u8], tag: u8) -> Option<&[u8]> {
    let mut found = None;
    while !data.is_empty() {
        let (this, value, rest) = split(data)?;
        if this == tag && found.is_none() {
            found = Some(value);
        }
        data = rest;
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_cut_or_damaged_is_no_list() {
        let whole = [0x01, 0x01, 0x11, 0x02, 0x02, 0x03, 0x02];
        assert_eq!(find(&whole, 0x02), Some(&[3, 2][..]));
        for cut in [1, 2, 4, 5, 6] {
            assert_eq!(find(whole.get(..cut).unwrap(), 0x01), None, "{cut}");
        }
        assert_eq!(find(&[0x01, 0x80, 0x00, 0x00], 0x01), None, "indefinite length");
        assert_eq!(find(&[0x01, 0x83, 0, 0, 1, 9], 0x01), None, "three bytes of length");
        assert_eq!(find(&[0x7f, 0x49, 0x00], 0x7f), None, "tag of two bytes");
    }

    #[test]
    fn the_first_of_two_counts() {
        assert_eq!(find(&[0x82, 0x01, 7, 0x82, 0x01, 8], 0x82), Some(&[7][..]));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(data: Vec<u8>, tag: u8) {
            if let Some(value) = find(&data, tag) {
                prop_assert!(value.len() + 2 <= data.len());
            }
        }

        #[test]
        fn what_is_written_is_found(value in proptest::collection::vec(any::<u8>(), 0..400), tag in 0u8..0x1f) {
            let mut data = vec![tag, 0x82];
            data.extend((value.len() as u16).to_be_bytes());
            data.extend(&value);
            prop_assert_eq!(find(&data, tag), Some(&value[..]));
        }
    }
}
