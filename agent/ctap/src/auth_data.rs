//! Authenticator data (WebAuthn Level 3, 6.1), read by hand: its parts follow each other without
//! lengths of their own, so every byte must be accounted for.

use crate::Fault;
use crate::cbor::{Map, Value};

/// Attested credential data is included.
const AT: u8 = 0x40;
/// Extension data is included.
const ED: u8 = 0x80;
/// Longest credential id (WebAuthn Level 3, 4).
const LONGEST_ID: usize = 1023;

/// What it says.
#[derive(Debug)]
pub(crate) struct AuthData<'b> {
    /// SHA-256 of the relying party's id.
    pub(crate) rp_id_hash: [u8; 32],
    /// Its flags.
    pub(crate) flags: u8,
    /// The signature counter.
    pub(crate) counter: u32,
    /// The new credential.
    pub(crate) attested: Option<Attested<'b>>,
    /// What the extensions answer.
    pub(crate) extensions: Option<Map<'b>>,
}

/// A new credential.
#[derive(Debug)]
pub(crate) struct Attested<'b> {
    /// The authenticator's model.
    pub(crate) aaguid: [u8; 16],
    /// The credential's id.
    pub(crate) id: &'b [u8],
    /// Its public key.
    pub(crate) key: Map<'b>,
}

impl<'b> AuthData<'b> {
    /// Reads it to the last byte.
    pub(crate) fn parse(bytes: &'b [u8]) -> Result<Self, Fault> {
        Self::take(bytes).ok_or(Fault::Garbage("authenticator data"))
    }

    fn take(bytes: &'b [u8]) -> Option<Self> {
        let (rp_id_hash, rest) = bytes.split_first_chunk::<32>()?;
        let (&flags, rest) = rest.split_first()?;
        let (counter, mut rest) = rest.split_first_chunk::<4>()?;
        let mut attested = None;
        if flags & AT != 0 {
            let (credential, after) = Attested::take(rest)?;
            (attested, rest) = (Some(credential), after);
        }
        let mut extensions = None;
        if flags & ED != 0 {
            let (map, after) = Value::split(rest)?;
            (extensions, rest) = (Some(map.map()?), after);
        }
        rest.is_empty().then_some(Self {
            rp_id_hash: *rp_id_hash,
            flags,
            counter: u32::from_be_bytes(*counter),
            attested,
            extensions,
        })
    }

    /// As [`AuthData::parse`], for this relying party only.
    pub(crate) fn for_rp(bytes: &'b [u8], rp: &str) -> Result<Self, Fault> {
        let parsed = Self::parse(bytes)?;
        let hash = ring::digest::digest(&ring::digest::SHA256, rp.as_bytes());
        if hash.as_ref() != parsed.rp_id_hash {
            return Err(Fault::Garbage("another relying party"));
        }
        Ok(parsed)
    }
}

impl<'b> Attested<'b> {
    fn take(bytes: &'b [u8]) -> Option<(Self, &'b [u8])> {
        let (aaguid, rest) = bytes.split_first_chunk::<16>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        if length == 0 || length > LONGEST_ID {
            return None;
        }
        let (id, rest) = rest.split_at_checked(length)?;
        let (key, rest) = Value::split(rest)?;
        Some((Self { aaguid: *aaguid, id, key: key.map()? }, rest))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// What an authenticator would say of a new credential `id`, with hmac-secret.
    pub(crate) fn attested(id: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0xaa; 32];
        bytes.push(0xc5);
        bytes.extend(7u32.to_be_bytes());
        bytes.extend([0xbb; 16]);
        bytes.extend(u16::try_from(id.len()).unwrap().to_be_bytes());
        bytes.extend(id);
        bytes.extend([0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20]);
        bytes.extend([0xcc; 32]);
        bytes.extend([0xa1, 0x6b]);
        bytes.extend(b"hmac-secret");
        bytes.push(0xf5);
        bytes
    }

    #[test]
    fn every_part_is_found() {
        let bytes = attested(b"id");
        let data = AuthData::parse(&bytes).unwrap();
        assert_eq!((data.flags, data.counter, data.rp_id_hash), (0xc5, 7, [0xaa; 32]));
        let attested = data.attested.unwrap();
        assert_eq!((attested.id, attested.aaguid), (&b"id"[..], [0xbb; 16]));
        assert_eq!(attested.key.get(1).and_then(Value::number), Some(1));
        assert_eq!(data.extensions.unwrap().get("hmac-secret").and_then(Value::truth), Some(true));
    }

    #[test]
    fn flags_and_length_must_agree() {
        let whole = attested(b"id");
        for length in 0..whole.len() {
            assert!(AuthData::parse(whole.get(..length).unwrap()).is_err(), "{length}");
        }
        for flags in [0x05, 0x45, 0x85] {
            let mut other = whole.clone();
            *other.get_mut(32).unwrap() = flags;
            assert!(AuthData::parse(&other).is_err(), "{flags:02x}");
        }
        assert!(AuthData::parse(&[whole, vec![0]].concat()).is_err(), "something follows");
        assert!(AuthData::parse(&attested(&[])).is_err(), "an empty id");
        assert!(AuthData::parse(&attested(&[1; 1023])).is_ok());
        assert!(AuthData::parse(&attested(&[1; 1024])).is_err(), "a long id");
        let short = [vec![0xaa; 32], vec![0x01, 0, 0, 0, 9]].concat();
        assert_eq!(AuthData::parse(&short).unwrap().counter, 9);
    }

    #[test]
    fn another_relying_party_is_refused() {
        let hash = ring::digest::digest(&ring::digest::SHA256, b"signet");
        let bytes = [hash.as_ref(), &[1, 0, 0, 0, 0]].concat();
        assert!(AuthData::for_rp(&bytes, "signet").is_ok());
        assert_eq!(AuthData::for_rp(&bytes, "signer").err(), Some(Fault::Garbage("another relying party")));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = AuthData::parse(&bytes);
        }

        #[test]
        fn no_damage_makes_it_panic(at: proptest::sample::Index, to: u8, cut: proptest::sample::Index) {
            let mut bytes = attested(&[9; 48]);
            let (at, cut) = (at.index(bytes.len()), cut.index(bytes.len()));
            *bytes.get_mut(at).unwrap() = to;
            let _ = AuthData::parse(&bytes);
            let _ = AuthData::parse(bytes.get(cut..).unwrap());
            let _ = AuthData::parse(bytes.get(..cut).unwrap());
        }
    }
}
