//! CBOR as CTAP uses it (RFC 8949; CTAP 2.1, 8).
//!
//! Promises: a value is read only after all of it was found to be in form: definite lengths, no tags,
//! text that is UTF-8, keys that are integers or text and stand once in their map, no deeper than
//! [`DEPTH`] and of no more than [`ITEMS`] items. The order of keys is not held against an
//! authenticator, and unknown ones are no fault. What is written stands in the order that CTAP demands
//! as long as its writer keeps to it: integers up, then negative ones down, then text, shorter first.

use crate::Fault;
use minicbor::data::Type;
use minicbor::decode::Decoder;
use minicbor::encode::{Encoder, Error};
use std::convert::Infallible;

/// Maps and arrays in each other (CTAP 2.1, 8).
const DEPTH: usize = 4;
/// Items of one value, keys among them: the longest answers have about a hundred.
const ITEMS: usize = 1024;

/// Where a message is written.
pub(crate) type Writer = Encoder<Vec<u8>>;
/// Whether it was. Nothing can fail, but the type says so.
pub(crate) type Written = Result<(), Error<Infallible>>;

/// Writes CBOR after `head`, the byte of the command.
pub(crate) fn message(head: u8, body: impl FnOnce(&mut Writer) -> Written) -> Result<Vec<u8>, Fault> {
    let mut writer = Encoder::new(vec![head]);
    body(&mut writer).map_err(|_| Fault::Unsupported("the message"))?;
    Ok(writer.into_writer())
}

/// The key of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key<'b> {
    Number(i64),
    Text(&'b str),
}

impl From<i64> for Key<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl<'b> From<&'b str> for Key<'b> {
    fn from(text: &'b str) -> Self {
        Self::Text(text)
    }
}

/// One value in form, as it was written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'b>(&'b [u8]);

/// A map in form.
#[derive(Debug)]
pub(crate) struct Map<'b>(Vec<(Key<'b>, Value<'b>)>);

impl<'b> Value<'b> {
    /// The first value, and what follows it.
    pub(crate) fn split(bytes: &'b [u8]) -> Option<(Self, &'b [u8])> {
        let mut decoder = Decoder::new(bytes);
        let mut items = ITEMS;
        walk(&mut decoder, DEPTH, &mut items)?;
        let (value, rest) = bytes.split_at_checked(decoder.position())?;
        Some((Self(value), rest))
    }

    /// The only value.
    pub(crate) fn only(bytes: &'b [u8]) -> Option<Self> {
        match Self::split(bytes)? {
            (value, []) => Some(value),
            (_, _more) => None,
        }
    }

    /// Its map.
    pub(crate) fn map(self) -> Option<Map<'b>> {
        let mut decoder = Decoder::new(self.0);
        let count = decoder.map().ok()??;
        let mut entries = Vec::new();
        for _ in 0..count {
            let key = key(&mut decoder)?;
            entries.push((key, self.next(&mut decoder)?));
        }
        Some(Map(entries))
    }

    /// The elements of its array.
    pub(crate) fn array(self) -> Option<Vec<Value<'b>>> {
        let mut decoder = Decoder::new(self.0);
        let count = decoder.array().ok()??;
        let mut elements = Vec::new();
        for _ in 0..count {
            elements.push(self.next(&mut decoder)?);
        }
        Some(elements)
    }

    /// Its bytes.
    pub(crate) fn bytes(self) -> Option<&'b [u8]> {
        Decoder::new(self.0).bytes().ok()
    }

    /// Its text.
    pub(crate) fn text(self) -> Option<&'b str> {
        Decoder::new(self.0).str().ok()
    }

    /// Its number.
    pub(crate) fn number(self) -> Option<i64> {
        Decoder::new(self.0).i64().ok()
    }

    /// Its truth.
    pub(crate) fn truth(self) -> Option<bool> {
        Decoder::new(self.0).bool().ok()
    }

    /// One of its own, at the decoder's place.
    fn next(self, decoder: &mut Decoder<'b>) -> Option<Self> {
        let from = decoder.position();
        // It was walked through before: it is in form, and not deep.
        decoder.skip().ok()?;
        self.0.get(from..decoder.position()).map(Self)
    }
}

impl<'b> Map<'b> {
    /// What stands under a key.
    pub(crate) fn get<'k>(&self, key: impl Into<Key<'k>>) -> Option<Value<'b>> {
        let key = key.into();
        self.0.iter().find(|(this, _)| *this == key).map(|(_, value)| *value)
    }

    /// All of it, in the order in which it stands.
    #[cfg(test)]
    pub(crate) fn entries(&self) -> &[(Key<'b>, Value<'b>)] {
        &self.0
    }

    /// What stands under a key, if anything does, in the form that it must have.
    pub(crate) fn read<'k, T>(
        &self,
        key: impl Into<Key<'k>>,
        form: impl FnOnce(Value<'b>) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let Some(value) = self.get(key) else { return Ok(None) };
        form(value).map(Some).ok_or(Fault::Garbage("a value of the wrong kind"))
    }

    /// What must stand under a key.
    pub(crate) fn need<'k, T>(
        &self,
        key: impl Into<Key<'k>>,
        form: impl FnOnce(Value<'b>) -> Option<T>,
    ) -> Result<T, Fault> {
        self.read(key, form)?.ok_or(Fault::Garbage("a value is missing"))
    }
}

fn key<'b>(decoder: &mut Decoder<'b>) -> Option<Key<'b>> {
    match decoder.datatype().ok()? {
        Type::String => decoder.str().ok().map(Key::Text),
        _number => decoder.i64().ok().map(Key::Number),
    }
}

/// Goes through one value; nothing if it is not in form.
fn walk(decoder: &mut Decoder<'_>, depth: usize, items: &mut usize) -> Option<()> {
    *items = items.checked_sub(1)?;
    match decoder.datatype().ok()? {
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => decoder.u64().ok().map(drop),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => decoder.int().ok().map(drop),
        Type::Bytes => decoder.bytes().ok().map(drop),
        Type::String => decoder.str().ok().map(drop),
        Type::Bool => decoder.bool().ok().map(drop),
        Type::Null => decoder.null().ok(),
        Type::Undefined => decoder.undefined().ok(),
        Type::F16 | Type::F32 | Type::F64 => decoder.skip().ok(),
        Type::Array => {
            let depth = depth.checked_sub(1)?;
            for _ in 0..decoder.array().ok()?? {
                walk(decoder, depth, items)?;
            }
            Some(())
        }
        Type::Map => {
            let depth = depth.checked_sub(1)?;
            let mut seen = Vec::new();
            for _ in 0..decoder.map().ok()?? {
                *items = items.checked_sub(1)?;
                let key = key(decoder)?;
                if seen.contains(&key) {
                    return None;
                }
                seen.push(key);
                walk(decoder, depth, items)?;
            }
            Some(())
        }
        Type::Simple
        | Type::BytesIndef
        | Type::StringIndef
        | Type::ArrayIndef
        | Type::MapIndef
        | Type::Tag
        | Type::Break
        | Type::Unknown(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_in_form_is_no_value() {
        let bad: [(&str, &[u8]); 13] = [
            ("nothing", &[]),
            ("cut text", &[0x62, 0x61]),
            ("text that is not UTF-8", &[0x61, 0xff]),
            ("bytes without end", &[0x5f, 0x41, 0x00, 0xff]),
            ("an array without end", &[0x9f, 0x00, 0xff]),
            ("a map without end", &[0xbf, 0x00, 0x00, 0xff]),
            ("a tag", &[0xc2, 0x41, 0x00]),
            ("a break", &[0xff]),
            ("a key twice", &[0xa2, 0x01, 0x00, 0x01, 0x00]),
            ("a key twice, once written long", &[0xa2, 0x01, 0x00, 0x18, 0x01, 0x00]),
            ("a key of bytes", &[0xa1, 0x41, 0x00, 0x00]),
            ("more bytes than there are", &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            ("more elements than there are", &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ];
        for (what, bytes) in bad {
            assert!(Value::split(bytes).is_none(), "{what}");
        }
        assert!(Value::only(&[0x00, 0x00]).is_none(), "something follows");
    }

    #[test]
    fn depth_and_items_end() {
        let nested = |depth: usize| [vec![0x81; depth], vec![0x00]].concat();
        assert!(Value::only(&nested(DEPTH)).is_some());
        assert!(Value::only(&nested(DEPTH + 1)).is_none());
        assert!(Value::only(&nested(7000)).is_none());
        let many =
            |count: u16| [vec![0x99], count.to_be_bytes().to_vec(), vec![0; usize::from(count)]].concat();
        assert!(Value::only(&many(1023)).is_some());
        assert!(Value::only(&many(1024)).is_none());
    }

    #[test]
    fn entries_are_found_by_key() {
        let map = [0xa3, 0x01, 0x61, 0x61, 0x20, 0x41, 0x05, 0x62, 0x75, 0x70, 0xf5];
        let map = Value::only(&map).unwrap().map().unwrap();
        assert_eq!(map.get(1).unwrap().text(), Some("a"));
        assert_eq!(map.get(-1).unwrap().bytes(), Some(&[5][..]));
        assert_eq!(map.get("up").unwrap().truth(), Some(true));
        assert!(map.get(2).is_none());
        assert_eq!(map.read(1, Value::bytes), Err(Fault::Garbage("a value of the wrong kind")));
    }

    /// Values, deeper and longer than is allowed too.
    fn value() -> impl Strategy<Value = Vec<u8>> {
        let of = |head: u8, length: usize, body: Vec<u8>| {
            let mut bytes = vec![head | 24, u8::try_from(length).unwrap()];
            bytes.extend(body);
            bytes
        };
        let leaf = prop_oneof![
            (0u8..24).prop_map(|number| vec![number]),
            any::<u32>().prop_map(|number| [vec![0x1a], number.to_be_bytes().to_vec()].concat()),
            any::<u64>().prop_map(|number| [vec![0x3b], number.to_be_bytes().to_vec()].concat()),
            Just(vec![0xf4]),
            Just(vec![0xf6]),
            "[a-z]{0,9}".prop_map(move |text| of(0x60, text.len(), text.into_bytes())),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(move |body| of(0x40, body.len(), body)),
        ];
        leaf.prop_recursive(6, 60, 8, move |inner| {
            let list = proptest::collection::vec(inner, 0..8);
            prop_oneof![
                list.clone().prop_map(move |list| of(0x80, list.len(), list.concat())),
                list.prop_map(move |list| of(0xa0, list.len() / 2, list.concat())),
            ]
        })
    }

    /// Everything that can be asked of a value, all the way down.
    fn look(value: Value<'_>) {
        let _ = (value.bytes(), value.text(), value.number(), value.truth());
        value.array().into_iter().flatten().for_each(look);
        value.map().into_iter().flat_map(|map| map.0).for_each(|(_, value)| look(value));
    }

    fn look_into(bytes: &[u8]) {
        if let Some((value, _)) = Value::split(bytes) {
            look(value);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            if let Some((value, rest)) = Value::split(&bytes) {
                prop_assert_eq!(value.0.len() + rest.len(), bytes.len());
                look(value);
            }
        }

        #[test]
        fn no_damage_makes_it_panic(mut bytes in value(), at: proptest::sample::Index, to: u8) {
            look_into(&bytes);
            let at = at.index(bytes.len());
            *bytes.get_mut(at).unwrap() = to;
            look_into(&bytes);
            bytes.truncate(at);
            look_into(&bytes);
        }
    }
}
