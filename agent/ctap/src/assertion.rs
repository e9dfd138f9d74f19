//! Using a credential (CTAP 2.1, 6.2).

use crate::auth_data::AuthData;
use crate::cbor::{Map, Value, message};
use crate::credential::{write_ids, write_shown};
use crate::pin::{Protocol, Shared};
use crate::{Fault, Info, Token, cose};
use secrecy::{ExposeSecretMut as _, SecretBox};

/// The command (CTAP 2.1, 6.2).
const GET_ASSERTION: u8 = 0x02;
/// The extension (CTAP 2.1, 12.5).
const HMAC_SECRET: &str = "hmac-secret";
/// Most bytes of a getAssertion that are not credentials, and of what goes with each id.
const OVERHEAD: usize = 256;
const WITH_ID: usize = 32;

/// What is to be signed, and by which credentials.
#[derive(Debug, Clone, Copy)]
pub struct AssertRequest<'a> {
    /// Relying party.
    pub rp: &'a str,
    /// What is signed, after the authenticator data.
    pub client_data_hash: &'a [u8; 32],
    /// The credentials that may answer; all must fit into one message, see [`crate::Device::holds`].
    pub ids: &'a [Vec<u8>],
    /// Whether the person must be there.
    pub up: bool,
    /// The salt of hmac-secret, if its output is wanted. With a token the output is another than without
    /// (CTAP 2.1, 12.5).
    pub hmac_secret: Option<&'a [u8; 32]>,
}

/// The answer. It is for the right relying party and by one of the credentials; flags, counter and
/// signature are not checked here.
#[derive(Debug)]
pub struct Assertion {
    /// Id of the credential that answered.
    pub id: Vec<u8>,
    /// The authenticator data, as signed.
    pub auth_data: Vec<u8>,
    /// Signature over authenticator data and client data hash.
    pub signature: Vec<u8>,
    /// The output of hmac-secret.
    pub hmac_secret: Option<SecretBox<[u8; 32]>>,
}

/// What goes with one question for hmac-secret.
pub(crate) struct Salting {
    pub(crate) protocol: Protocol,
    pub(crate) shared: Shared,
    pub(crate) ours: [u8; 65],
}

impl AssertRequest<'_> {
    /// The message.
    pub(crate) fn message(&self, token: Option<&Token>, salting: Option<&Salting>) -> Result<Vec<u8>, Fault> {
        let shown = token.map(|token| token.shows(self.client_data_hash));
        let salted = match (salting, self.hmac_secret) {
            (Some(with), Some(salt)) => Some((with, with.shared.encrypt(salt)?)),
            (_, _) => None,
        };
        let optional = [salted.is_some(), !self.up, shown.is_some(), shown.is_some()];
        let entries = 3 + optional.iter().filter(|there| **there).count() as u64;
        message(GET_ASSERTION, |out| {
            out.map(entries)?.u8(1)?.str(self.rp)?.u8(2)?.bytes(self.client_data_hash)?;
            write_ids(out.u8(3)?, self.ids)?;
            if let Some((Salting { protocol, shared, ours }, sealed)) = &salted {
                // Protocol 1 is what a device takes where none is said; older ones know no fourth entry.
                let (mac, fourth) = (shared.authenticate(sealed), *protocol == Protocol::Two);
                out.u8(4)?.map(1)?.str(HMAC_SECRET)?.map(if fourth { 4 } else { 3 })?;
                cose::write_point(out.u8(1)?, ours)?;
                out.u8(2)?.bytes(sealed)?.u8(3)?.bytes(&mac)?;
                if fourth {
                    out.u8(4)?.u8(protocol.number())?;
                }
            }
            if !self.up {
                out.u8(5)?.map(1)?.str("up")?.bool(false)?;
            }
            write_shown(out, (6, 7), shown.as_ref())
        })
    }

    /// The answer.
    pub(crate) fn answered(&self, answer: &Map<'_>, salting: Option<&Salting>) -> Result<Assertion, Fault> {
        let bytes = answer.need(2, Value::bytes)?;
        let data = AuthData::for_rp(bytes, self.rp)?;
        if data.attested.is_some() {
            return Err(Fault::Garbage("a new credential in an assertion"));
        }
        let output = match (salting, &data.extensions) {
            (Some(Salting { shared, .. }), Some(extensions)) => {
                Some(output(shared, extensions.need(HMAC_SECRET, Value::bytes)?)?)
            }
            (Some(_), None) => return Err(Fault::Garbage("no answer to hmac-secret")),
            (None, _) => None,
        };
        Ok(Assertion {
            id: self.answering(answer)?.to_vec(),
            auth_data: bytes.to_vec(),
            signature: answer.need(3, Value::bytes)?.to_vec(),
            hmac_secret: output,
        })
    }

    /// The credential that answers: where only one could, a device need not say which.
    fn answering<'b>(&'b self, answer: &Map<'b>) -> Result<&'b [u8], Fault> {
        let said = answer.read(1, Value::map)?.map(|map| map.need("id", Value::bytes)).transpose()?;
        let id = match (said, self.ids) {
            (Some(id), _) => id,
            (None, [only]) => only,
            (None, _) => return Err(Fault::Garbage("no credential in an answer")),
        };
        let known = self.ids.iter().any(|one| one == id);
        if known { Ok(id) } else { Err(Fault::Garbage("a credential that was not asked for")) }
    }
}

fn output(shared: &Shared, sealed: &[u8]) -> Result<SecretBox<[u8; 32]>, Fault> {
    let plain = shared.decrypt(sealed).filter(|plain| plain.len() == 32);
    let plain = plain.ok_or(Fault::Garbage("the output of hmac-secret"))?;
    let mut output = SecretBox::new(Box::new([0; 32]));
    output.expose_secret_mut().copy_from_slice(&plain);
    Ok(output)
}

/// Cuts a list of credentials into lists that fit; what is longer than its ids are is not its own.
pub(crate) fn lists(info: &Info, ids: &[Vec<u8>]) -> Vec<Vec<Vec<u8>>> {
    // One that does not say how many it takes may take one only.
    let most = info.max_ids.unwrap_or(1);
    let longest = info.max_id_length.unwrap_or(usize::MAX);
    let room = info.max_message.saturating_sub(OVERHEAD);
    let mut lists: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut left = 0;
    for id in ids.iter().filter(|id| id.len() <= longest) {
        let size = id.len() + WITH_ID;
        match lists.last_mut() {
            Some(list) if list.len() < most && size <= left => {
                list.push(id.clone());
                left -= size;
            }
            Some(_) | None => {
                lists.push(vec![id.clone()]);
                left = room.saturating_sub(size);
            }
        }
    }
    lists
}
