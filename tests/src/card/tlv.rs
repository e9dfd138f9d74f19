//! BER-TLV as PIV uses it (ISO 7816-4, section 5.2.2): reading of foreign bytes, and writing with
//! lengths in their minimal form, which the `yubikey` crate insists on.

/// Reads the elements of one level; `None` when the bytes are not a whole sequence of elements.
pub(crate) fn parse(mut bytes: &[u8]) -> Option<Vec<(u32, &[u8])>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (tag, value, rest) = first(bytes)?;
        found.push((tag, value));
        bytes = rest;
    }
    Some(found)
}

/// Reads the first element: its tag, its value, and what comes after it.
pub(crate) fn first(bytes: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    let (tag, rest) = tag(bytes)?;
    let (length, rest) = length(rest)?;
    let (value, rest) = rest.split_at_checked(length)?;
    Some((tag, value, rest))
}

/// The value of one element among those of a level.
pub(crate) fn find<'a>(elements: &[(u32, &'a [u8])], tag: u32) -> Option<&'a [u8]> {
    elements.iter().find(|(found, _)| *found == tag).map(|(_, value)| *value)
}

/// Writes one element.
pub(crate) fn write(tag: u32, value: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = tag.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    let length = value.len().to_be_bytes();
    let significant = length.iter().skip_while(|byte| **byte == 0);
    match value.len() {
        // One byte says it all; zero has no significant byte of its own.
        0 => out.push(0),
        1..=0x7f => out.extend(significant),
        _ => {
            let count = u8::try_from(significant.clone().count()).unwrap_or(0);
            out.push(0x80 | count);
            out.extend(significant);
        }
    }
    out.extend_from_slice(value);
    out
}

fn tag(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (first, mut rest) = bytes.split_first()?;
    let mut tag = u32::from(*first);
    if first & 0x1f == 0x1f {
        loop {
            let (next, after) = rest.split_first()?;
            tag = tag.checked_mul(256)?.checked_add(u32::from(*next))?;
            rest = after;
            if next & 0x80 == 0 {
                break;
            }
        }
    }
    Some((tag, rest))
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    if *first < 0x80 {
        return Some((usize::from(*first), rest));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 3 {
        return None;
    }
    let (digits, rest) = rest.split_at_checked(count)?;
    Some((digits.iter().fold(0, |length, byte| length * 256 + usize::from(*byte)), rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_cut_element_is_refused() {
        for bytes in
            [&[0x5c][..], &[0x5c, 2, 1], &[0x5f], &[0x5c, 0x81], &[0x5c, 0x80], &[0x5c, 0x84, 0, 0, 0, 1]]
        {
            assert_eq!(parse(bytes), None, "{bytes:02x?}");
        }
    }

    #[test]
    fn what_is_written_is_read_and_lengths_are_minimal() {
        for (size, header) in [(0, 2), (0x7f, 2), (0x80, 3), (0xff, 3), (0x100, 4)] {
            let value = vec![7; size];
            let bytes = write(0x53, &value);
            assert_eq!(bytes.len(), size + header, "of {size}");
            assert_eq!(parse(&bytes).unwrap(), [(0x53, &value[..])]);
        }
        assert_eq!(write(0x7f49, &[1]), [0x7f, 0x49, 1, 1]);
    }
}
