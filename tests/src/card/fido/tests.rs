//! The applet without a reader: refusals first. The host's side is done by hand here, from the pieces that
//! the applet itself is made of; that they are right is what other people's programs say.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod assertions;
mod credentials;
mod pins;
mod waits;

use std::time::Instant;

use ring::hmac;
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey};

use super::cbor::Value;
use super::credential::Algorithm;
use super::protocol::{Agreement, Protocol, Shared};
use super::request::descriptor;
use super::{command, sha256};
use crate::card::device::{Device, Step};
use crate::card::profile::{Fido, Profile};

/// What is signed.
const HASH: [u8; 32] = [0xc0; 32];
const RP: &str = "signet";
const PIN: &str = "123456";

/// A chip with FIDO selected, and the hand that sends it commands.
struct Hand {
    device: Device,
    now: Instant,
    touches: bool,
    asked: usize,
}

impl Hand {
    fn new(profile: Profile) -> Self {
        let mut hand = Self { device: Device::new(profile), now: Instant::now(), touches: true, asked: 0 };
        hand.select();
        hand
    }

    fn of(fido: Fido) -> Self {
        Self::new(Profile::v5_7_1().fido(fido))
    }

    fn select(&mut self) {
        let selected = self.apdu(&[&[0, 0xa4, 4, 0, 8][..], super::AID].concat());
        assert_eq!(selected, [b"FIDO_2_0", &[0x90, 0][..]].concat());
    }

    fn apdu(&mut self, bytes: &[u8]) -> Vec<u8> {
        match self.device.execute(bytes, self.now) {
            Step::Done(reply) => reply,
            Step::Touch(waiting) => {
                self.asked += 1;
                self.device.finish(waiting, self.touches, self.now)
            }
        }
    }

    /// One message in an extended APDU: its status, and its answer.
    fn raw(&mut self, message: &[u8]) -> (u8, Vec<u8>) {
        let length = u16::try_from(message.len()).unwrap().to_be_bytes();
        let mut reply = self.apdu(&[&[0x80, 0x10, 0, 0, 0][..], &length, message].concat());
        assert_eq!(reply.split_off(reply.len() - 2), [0x90, 0]);
        (reply.remove(0), reply)
    }

    fn say(&mut self, command: u8, parameters: Value) -> Result<Value, u8> {
        match self.raw(&[vec![command], parameters.to_bytes()].concat()) {
            (0, answer) if answer.is_empty() => Ok(Value::Bool(true)),
            (0, answer) => Ok(Value::read(&answer).unwrap()),
            (status, answer) => {
                assert!(answer.is_empty());
                Err(status)
            }
        }
    }

    fn client_pin(&mut self, entries: Vec<(i64, Value)>) -> Result<Value, u8> {
        self.say(command::CLIENT_PIN, Value::map(entries))
    }

    /// What is agreed on with the applet, and the host's key.
    fn agree(&mut self, protocol: i64) -> (Shared, Value) {
        let said = self.client_pin(vec![(1, protocol.into()), (2, 2.into())]).unwrap();
        let ours = Agreement::fresh();
        let protocol = Protocol::of(protocol).unwrap();
        (ours.with(said.get(1).unwrap(), protocol).unwrap(), ours.public())
    }

    fn set_pin(&mut self, protocol: i64, pin: &str) -> Result<Value, u8> {
        let (shared, key) = self.agree(protocol);
        let new = shared.encrypt(&padded(pin));
        let proof = shared.prove(&new);
        self.client_pin(vec![(1, protocol.into()), (2, 3.into()), (3, key), (4, proof), (5, bytes(&new))])
    }

    fn change_pin(&mut self, protocol: i64, old: &str, pin: &str) -> Result<Value, u8> {
        let (shared, key) = self.agree(protocol);
        let (new, old) = (shared.encrypt(&padded(pin)), shared.encrypt(&sha256(old.as_bytes())[..16]));
        let proof = shared.prove(&[&new[..], &old].concat());
        self.client_pin(vec![
            (1, protocol.into()),
            (2, 4.into()),
            (3, key),
            (4, proof),
            (5, bytes(&new)),
            (6, bytes(&old)),
        ])
    }

    /// A token for a PIN; with permissions the new way, without them the old one.
    fn token(&mut self, protocol: i64, pin: &str, more: Option<(i64, Option<&str>)>) -> Result<Proof, u8> {
        let (shared, key) = self.agree(protocol);
        let hash = shared.encrypt(&sha256(pin.as_bytes())[..16]);
        let subcommand = if more.is_some() { 9 } else { 5 };
        let mut entries = vec![(1, protocol.into()), (2, subcommand.into()), (3, key), (6, bytes(&hash))];
        if let Some((permissions, rp_id)) = more {
            entries.push((9, permissions.into()));
            entries.extend(rp_id.map(|rp_id| (10, rp_id.into())));
        }
        let said = self.client_pin(entries)?;
        let Some(Value::Bytes(token)) = said.get(2) else { panic!("no token in {said:?}") };
        Ok(Proof { protocol, token: shared.decrypt(token).unwrap() })
    }

    /// A credential made by hand.
    fn credential(&mut self, algorithm: Algorithm) -> (Vec<u8>, Vec<u8>) {
        let made = super::Credential::make(RP, algorithm, true);
        let (id, key) = (made.id.clone(), made.public_key());
        self.device.fido.credentials.push(made);
        (id, key)
    }

    fn assert(&mut self, id: &[u8], more: Vec<(i64, Value)>) -> Result<Value, u8> {
        let mut entries = vec![(1, RP.into()), (2, bytes(&HASH)), (3, vec![descriptor(id)].into())];
        entries.extend(more);
        self.say(command::GET_ASSERTION, Value::map(entries))
    }

    fn make(&mut self, more: Vec<(i64, Value)>) -> Result<Value, u8> {
        self.say(command::MAKE_CREDENTIAL, make(more))
    }
}

/// The parameters of a whole request for a credential; what is given stands instead of, or beside, them.
fn make(more: Vec<(i64, Value)>) -> Value {
    let mut entries = vec![
        (1, bytes(&HASH)),
        (2, Value::map([("id", RP.into()), ("name", Value::from("Signet"))])),
        (3, Value::map([("id", bytes(b"somebody"))])),
        (4, vec![algorithm(-7)].into()),
    ];
    entries.retain(|(key, _)| more.iter().all(|(other, _)| other != key));
    entries.extend(more);
    Value::map(entries)
}

fn algorithm(code: i64) -> Value {
    Value::map([("alg", code.into()), ("type", Value::from("public-key"))])
}

fn option(name: &str, truth: bool) -> Value {
    Value::map([(name, truth.into())])
}

fn bytes(bytes: &[u8]) -> Value {
    bytes.into()
}

fn padded(pin: &str) -> Vec<u8> {
    pin.bytes().chain(std::iter::repeat(0)).take(64).collect()
}

/// A token, and what it proves.
struct Proof {
    protocol: i64,
    token: Vec<u8>,
}

impl Proof {
    /// For a request for a credential.
    fn to_make(&self) -> Vec<(i64, Value)> {
        vec![(8, prove(self.protocol, &self.token, &HASH)), (9, self.protocol.into())]
    }

    /// For a request for an assertion.
    fn to_assert(&self) -> Vec<(i64, Value)> {
        vec![(6, prove(self.protocol, &self.token, &HASH)), (7, self.protocol.into())]
    }
}

fn prove(protocol: i64, key: &[u8], message: &[u8]) -> Value {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    bytes(&tag.as_ref()[..if protocol == 1 { 16 } else { 32 }])
}

impl Shared {
    fn prove(&self, message: &[u8]) -> Value {
        prove(if self.protocol() == Protocol::One { 1 } else { 2 }, self.mac(), message)
    }
}

/// The authenticator data and the signature of an answer.
fn signed(answer: &Value) -> (Vec<u8>, Vec<u8>) {
    match (answer.get(2), answer.get(3)) {
        (Some(Value::Bytes(data)), Some(Value::Bytes(signature))) => (data.clone(), signature.clone()),
        (_, _) => panic!("no assertion: {answer:?}"),
    }
}

fn is_signed(answer: &Value, algorithm: Algorithm, key: &[u8]) -> bool {
    let (data, signature) = signed(answer);
    let message = [&data[..], &HASH].concat();
    match algorithm {
        Algorithm::Es256 => {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key).verify(&message, &signature).is_ok()
        }
        Algorithm::EdDsa => UnparsedPublicKey::new(&ED25519, key).verify(&message, &signature).is_ok(),
    }
}
