//! Making a credential (CTAP 2.1, 6.1).

use crate::auth_data::AuthData;
use crate::cbor::{Map, Value, Writer, Written, message};
use crate::{Algorithm, Fault, Token, cose};

/// The command (CTAP 2.1, 6.1).
const MAKE_CREDENTIAL: u8 = 0x01;
/// Longest name of a format that is kept (RFC 8809, 2.1).
const FORMAT: usize = 32;

/// What a new credential is for.
#[derive(Debug, Clone, Copy)]
pub struct MakeRequest<'a> {
    /// Relying party.
    pub rp: &'a str,
    /// User handle, 1 to 64 bytes.
    pub user_id: &'a [u8],
    /// What a person would call the user.
    pub user_name: &'a str,
    /// What the attestation signs.
    pub client_data_hash: &'a [u8; 32],
    /// Acceptable algorithms, best first.
    pub algorithms: &'a [Algorithm],
    /// Credentials that must not be on the same authenticator; only a few fit, see [`crate::Device::holds`].
    pub exclude: &'a [Vec<u8>],
    /// Whether it shall answer hmac-secret.
    pub hmac_secret: bool,
}

/// A new credential. Nothing of it is proven: no attestation is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its id.
    pub id: Vec<u8>,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// ES256: the uncompressed point, 65 bytes. EdDSA: 32 bytes.
    pub public_key: Vec<u8>,
    /// The model.
    pub aaguid: [u8; 16],
    /// Signature counter.
    pub counter: u32,
    /// Flags of the authenticator data (UP 01, UV 04).
    pub flags: u8,
    /// Format of the attestation.
    pub format: String,
    /// Whether it answers hmac-secret.
    pub hmac_secret: bool,
}

impl MakeRequest<'_> {
    /// The message.
    pub(crate) fn message(&self, token: Option<&Token>) -> Result<Vec<u8>, Fault> {
        let shown = token.map(|token| token.shows(self.client_data_hash));
        let optional = [!self.exclude.is_empty(), self.hmac_secret, shown.is_some(), shown.is_some()];
        let entries = 4 + optional.iter().filter(|there| **there).count() as u64;
        message(MAKE_CREDENTIAL, |out| {
            out.map(entries)?.u8(1)?.bytes(self.client_data_hash)?;
            out.u8(2)?.map(1)?.str("id")?.str(self.rp)?;
            out.u8(3)?.map(2)?.str("id")?.bytes(self.user_id)?.str("name")?.str(self.user_name)?;
            out.u8(4)?.array(self.algorithms.len() as u64)?;
            for algorithm in self.algorithms {
                out.map(2)?.str("alg")?.i64(algorithm.number())?.str("type")?.str("public-key")?;
            }
            if !self.exclude.is_empty() {
                write_ids(out.u8(5)?, self.exclude)?;
            }
            if self.hmac_secret {
                out.u8(6)?.map(1)?.str("hmac-secret")?.bool(true)?;
            }
            write_shown(out, (8, 9), shown.as_ref())
        })
    }

    /// The answer.
    pub(crate) fn made(&self, answer: &Map<'_>) -> Result<Made, Fault> {
        let data = AuthData::for_rp(answer.need(2, Value::bytes)?, self.rp)?;
        let attested = data.attested.as_ref().ok_or(Fault::Garbage("no credential in an answer"))?;
        let (algorithm, public_key) =
            cose::public_key(&attested.key).ok_or(Fault::Garbage("a public key"))?;
        if !self.algorithms.contains(&algorithm) {
            return Err(Fault::Garbage("an algorithm that was not asked for"));
        }
        let hmac_secret = data.extensions.map(|map| map.read("hmac-secret", Value::truth)).transpose()?;
        Ok(Made {
            id: attested.id.to_vec(),
            algorithm,
            public_key,
            aaguid: attested.aaguid,
            counter: data.counter,
            flags: data.flags,
            format: answer.need(1, Value::text)?.chars().take(FORMAT).collect(),
            hmac_secret: hmac_secret.flatten().unwrap_or(false),
        })
    }
}

/// Writes a list of credentials (WebAuthn Level 3, 5.8.3).
pub(crate) fn write_ids(out: &mut Writer, ids: &[Vec<u8>]) -> Written {
    out.array(ids.len() as u64)?;
    for id in ids {
        out.map(2)?.str("id")?.bytes(id)?.str("type")?.str("public-key")?;
    }
    Ok(())
}

/// Writes the MAC of a token and its protocol, under these keys.
pub(crate) fn write_shown(out: &mut Writer, keys: (u8, u8), shown: Option<&(Vec<u8>, u8)>) -> Written {
    if let Some((mac, protocol)) = shown {
        out.u8(keys.0)?.bytes(mac)?.u8(keys.1)?.u8(*protocol)?;
    }
    Ok(())
}
