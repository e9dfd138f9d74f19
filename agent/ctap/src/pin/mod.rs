//! PIN and built-in verification (CTAP 2.1, 6.5).
//!
//! Promises: the PIN leaves this room only as the encryption of the first half of its SHA-256. What is
//! made here is messages, and what is read here is answers; sending them is the device's.

mod protocol;

use crate::cbor::{Map, Value, Writer, Written, message};
use crate::{Fault, Info, cose};
pub(crate) use protocol::{Protocol, Shared};
use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

/// The command (CTAP 2.1, 6.5.5).
const CLIENT_PIN: u8 = 0x06;
/// Its subcommands.
const GET_RETRIES: u8 = 0x01;
const GET_KEY_AGREEMENT: u8 = 0x02;
const GET_PIN_TOKEN: u8 = 0x05;
const GET_TOKEN_BY_UV: u8 = 0x06;
const GET_TOKEN_BY_PIN: u8 = 0x09;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// One makeCredential.
    MakeCredential,
    /// One getAssertion.
    GetAssertion,
}

impl Permission {
    /// Its bit (CTAP 2.1, 6.5.5.7).
    fn bit(self) -> u8 {
        match self {
            Self::MakeCredential => 0x01,
            Self::GetAssertion => 0x02,
        }
    }
}

/// How often a PIN may still be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// Tries left before it is blocked.
    pub left: u8,
    /// Whether it must be plugged in again before the next try.
    pub power_cycle: bool,
}

/// The authenticator's word that the person was verified: good for the next use, on the same device.
pub struct Token {
    protocol: Protocol,
    key: Zeroizing<Vec<u8>>,
}

impl Token {
    /// The MAC that shows it, and the protocol that this is spoken in.
    pub(crate) fn shows(&self, client_data_hash: &[u8; 32]) -> (Vec<u8>, u8) {
        (self.protocol.authenticate(&self.key, client_data_hash), self.protocol.number())
    }
}

/// The protocol to speak with a device: 2 where it can.
pub(crate) fn protocol(info: &Info) -> Result<Protocol, Fault> {
    match (info.pin_protocols.contains(&2), info.pin_protocols.contains(&1)) {
        (true, _) => Ok(Protocol::Two),
        (false, true) => Ok(Protocol::One),
        (false, false) => Err(Fault::Unsupported("a PIN/UV auth protocol that is known here")),
    }
}

/// Asks how many tries are left.
pub(crate) fn ask_retries(protocol: Protocol) -> Result<Vec<u8>, Fault> {
    message(CLIENT_PIN, |out| head(out, 2, protocol, GET_RETRIES))
}

/// How many are left.
pub(crate) fn retries(answer: &Map<'_>) -> Result<Retries, Fault> {
    let left = answer.need(3, Value::number)?;
    let power_cycle = answer.read(4, Value::truth)?.unwrap_or(false);
    let left = u8::try_from(left).map_err(|_| Fault::Garbage("tries"))?;
    Ok(Retries { left, power_cycle })
}

/// Asks for the key to agree with.
pub(crate) fn ask_agreement(protocol: Protocol) -> Result<Vec<u8>, Fault> {
    message(CLIENT_PIN, |out| head(out, 2, protocol, GET_KEY_AGREEMENT))
}

/// The key to agree with.
pub(crate) fn agreement(answer: &Map<'_>) -> Result<[u8; 65], Fault> {
    let key = answer.need(1, Value::map)?;
    cose::point(&key).ok_or(Fault::Garbage("a key to agree with"))
}

/// Whether this can be a PIN (CTAP 2.1, 6.5.1).
pub(crate) fn check(pin: &[u8]) -> Result<(), Fault> {
    let text = str::from_utf8(pin).map_err(|_| Fault::PinPolicy)?;
    let fits = pin.len() <= 63 && text.chars().count() >= 4 && !pin.contains(&0);
    if fits { Ok(()) } else { Err(Fault::PinPolicy) }
}

/// Asks for a token by the PIN; with permissions where the device knows them.
pub(crate) fn ask_token(
    (shared, ours): (&Shared, &[u8; 65]),
    protocol: Protocol,
    pin: &[u8],
    permission: Option<(Permission, &str)>,
) -> Result<Vec<u8>, Fault> {
    let hash = Zeroizing::new(digest(&SHA256, pin).as_ref().to_vec());
    let half = hash.get(..16).ok_or(Fault::PinPolicy)?;
    let sealed = shared.encrypt(half)?;
    let (command, entries) = if permission.is_some() { (GET_TOKEN_BY_PIN, 6) } else { (GET_PIN_TOKEN, 4) };
    message(CLIENT_PIN, |out| {
        head(out, entries, protocol, command)?;
        cose::write_point(out.u8(3)?, ours)?;
        out.u8(6)?.bytes(&sealed)?;
        permission.map_or(Ok(()), |permission| permitted(out, permission))
    })
}

/// Asks for a token by the device's own verification.
pub(crate) fn ask_token_by_uv(
    ours: &[u8; 65],
    protocol: Protocol,
    permission: (Permission, &str),
) -> Result<Vec<u8>, Fault> {
    message(CLIENT_PIN, |out| {
        head(out, 5, protocol, GET_TOKEN_BY_UV)?;
        cose::write_point(out.u8(3)?, ours)?;
        permitted(out, permission)
    })
}

/// The token.
pub(crate) fn token(answer: &Map<'_>, protocol: Protocol, shared: &Shared) -> Result<Token, Fault> {
    let sealed = answer.need(2, Value::bytes)?;
    let key = shared.decrypt(sealed).ok_or(Fault::Garbage("a token"))?;
    // CTAP 2.1, 6.5.6 and 6.5.7: 16 or 32 bytes under protocol 1, 32 under protocol 2; but keys older than
    // that, with a draft's protocol 2, may not know it.
    let right = matches!(key.len(), 16 | 32);
    if right { Ok(Token { protocol, key }) } else { Err(Fault::Garbage("a token")) }
}

fn head(out: &mut Writer, entries: u64, protocol: Protocol, command: u8) -> Written {
    out.map(entries)?.u8(1)?.u8(protocol.number())?.u8(2)?.u8(command)?;
    Ok(())
}

fn permitted(out: &mut Writer, (permission, rp): (Permission, &str)) -> Written {
    out.u8(9)?.u8(permission.bit())?.u8(10)?.str(rp)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::device::tests::generator;

    fn map(bytes: &[u8]) -> Map<'_> {
        Value::only(bytes).unwrap().map().unwrap()
    }

    #[test]
    fn questions_are_as_the_specification_writes_them() {
        assert_eq!(ask_retries(Protocol::Two).unwrap(), [0x06, 0xa2, 0x01, 0x02, 0x02, 0x01]);
        assert_eq!(ask_agreement(Protocol::One).unwrap(), [0x06, 0xa2, 0x01, 0x01, 0x02, 0x02]);
    }

    #[test]
    fn a_token_is_asked_for_without_the_pin() {
        let theirs = Shared::agree(Protocol::One, &generator()).unwrap().1;
        let (shared, ours) = Shared::agree(Protocol::One, &theirs).unwrap();
        let asked = ask_token((&shared, &ours), Protocol::One, b"271828", None).unwrap();
        let sent = map(asked.get(1..).unwrap());
        let hash = shared.decrypt(sent.need(6, Value::bytes).unwrap()).unwrap();
        let half =
            [0xde, 0xd7, 0x87, 0xfd, 0x3d, 0xdc, 0x88, 0x78, 0x28, 0xb1, 0xd6, 0x53, 0x3e, 0x4a, 0x3a, 0x91];
        assert_eq!(*hash, half);
        assert_eq!(sent.need(2, Value::number).unwrap(), 5);
        let permission = Some((Permission::GetAssertion, "signet"));
        let asked = ask_token((&shared, &ours), Protocol::One, b"271828", permission).unwrap();
        let sent = map(asked.get(1..).unwrap());
        assert_eq!(sent.need(2, Value::number).unwrap(), 9);
        assert_eq!(
            (sent.need(9, Value::number).unwrap(), sent.need(10, Value::text).unwrap()),
            (2, "signet")
        );
    }

    #[test]
    fn only_what_can_be_a_pin_is_one() {
        for good in ["1234", "пинк", "🔑🔑🔑🔑"] {
            assert_eq!(check(good.as_bytes()), Ok(()));
        }
        assert_eq!(check(&[b'x'; 63]), Ok(()));
        for bad in [&b"123"[..], &[b'x'; 64], "ключ".get(..6).unwrap().as_bytes(), &[0xff; 8], b"1234\0"]
        {
            assert_eq!(check(bad), Err(Fault::PinPolicy));
        }
    }

    #[test]
    fn tries_are_read_strictly() {
        let read = |bytes: &[u8]| retries(&map(bytes));
        assert_eq!(read(&[0xa1, 0x03, 0x08]), Ok(Retries { left: 8, power_cycle: false }));
        assert_eq!(read(&[0xa2, 0x03, 0x05, 0x04, 0xf5]), Ok(Retries { left: 5, power_cycle: true }));
        for bad in [&[0xa0][..], &[0xa1, 0x03, 0x20], &[0xa1, 0x03, 0x19, 1, 0], &[0xa2, 3, 5, 4, 1]] {
            assert!(matches!(read(bad), Err(Fault::Garbage(_))));
        }
    }

    #[test]
    fn a_token_of_another_length_is_garbage() {
        for protocol in [Protocol::One, Protocol::Two] {
            let (shared, _) = Shared::agree(protocol, &generator()).unwrap();
            for length in [0, 16, 32, 48] {
                let sealed = shared.encrypt(&vec![7; length]).unwrap();
                let answer = message(0xa1, |out| out.u8(2)?.bytes(&sealed).map(drop)).unwrap();
                assert_eq!(
                    token(&map(&answer), protocol, &shared).is_ok(),
                    matches!(length, 16 | 32),
                    "{length}"
                );
            }
        }
    }
}
