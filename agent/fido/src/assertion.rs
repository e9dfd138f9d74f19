//! Authenticator data and signature of one assertion, checked (WebAuthn level 2, 6.1 and 7.2).

use crate::Fault;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use signet_protocol::approval::RELYING_PARTY;
use signet_protocol::record::{Algorithm, Credential};

/// Length of authenticator data without extensions: hash, flags, counter.
const LENGTH: usize = 37;
/// User present.
const UP: u8 = 0x01;
/// User verified.
const UV: u8 = 0x04;
/// Attested credential data, or extensions, follow.
const MORE: u8 = 0x40 | 0x80;

/// Most transports of one credential: there are six (WebAuthn level 3, 5.8.4).
pub const MAX_TRANSPORTS: usize = 8;

/// What an authenticator has signed.
#[derive(Debug, Clone, Copy)]
pub struct Assertion<'a> {
    /// Id of the credential.
    pub credential: &'a [u8],
    /// Authenticator data.
    pub authenticator_data: &'a [u8],
    /// Signature over authenticator data and client data hash.
    pub signature: &'a [u8],
}

/// Checks an assertion; gives its counter. `last` is the last counter that was accepted, where it is later
/// than the enrolled one.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(
    credential: &Credential,
    assertion: Assertion<'_>,
    client_data_hash: &[u8; 32],
    last: Option<u32>,
) -> Result<u32, Fault> {
    if STANDARD.decode(&credential.id).map_err(|_| Fault::Credential)? != assertion.credential {
        return Err(Fault::OtherCredential);
    }
    let data: &[u8; LENGTH] = assertion.authenticator_data.try_into().map_err(|_| Fault::Length)?;
    let [relying_party @ .., flags, c0, c1, c2, c3] = data;
    if relying_party != digest(&SHA256, RELYING_PARTY.as_bytes()).as_ref() {
        return Err(Fault::RelyingParty);
    }
    if flags & MORE != 0 {
        return Err(Fault::Length);
    }
    if flags & UP == 0 {
        return Err(Fault::NotPresent);
    }
    if credential.user_verification && flags & UV == 0 {
        return Err(Fault::NotVerified);
    }
    let signed = [&data[..], client_data_hash].concat();
    public_key(credential)?.verify(&signed, assertion.signature).map_err(|_| Fault::Signature)?;
    moved_on(credential, u32::from_be_bytes([*c0, *c1, *c2, *c3]), last)
}

/// The counter, if it is later than all before it. One that was enrolled as always zero stays zero.
fn moved_on(credential: &Credential, counter: u32, last: Option<u32>) -> Result<u32, Fault> {
    let fits = match credential.counter {
        Some(enrolled) => counter > last.map_or(enrolled, |last| last.max(enrolled)),
        None => counter == 0,
    };
    if fits { Ok(counter) } else { Err(Fault::Counter) }
}

/// Whether a credential can be one: its id is not empty, its key has the form of its algorithm.
///
/// # Errors
/// [`Fault::Credential`].
pub fn check_credential(credential: &Credential) -> Result<(), Fault> {
    let id = STANDARD.decode(&credential.id).map_err(|_| Fault::Credential)?;
    let is_aaguid = credential.aaguid.len() == 32 && credential.aaguid.bytes().all(|b| b.is_ascii_hexdigit());
    // CTAP 2.1, 6.4: no authenticator has longer ids than a message can hold; those there are have up to 255.
    let transports = &credential.transports;
    let are_transports =
        transports.len() <= MAX_TRANSPORTS && transports.iter().all(|name| is_transport(name));
    if !(1..=1023).contains(&id.len()) || !is_aaguid || !are_transports {
        return Err(Fault::Credential);
    }
    public_key(credential).map(drop)
}

/// Whether it can name a transport: `usb`, `smart-card`.
#[must_use]
pub fn is_transport(name: &str) -> bool {
    (1..=16).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn public_key(credential: &Credential) -> Result<UnparsedPublicKey<Vec<u8>>, Fault> {
    let bytes = STANDARD.decode(&credential.public_key).map_err(|_| Fault::Credential)?;
    let (algorithm, fits): (&'static dyn VerificationAlgorithm, bool) = match credential.algorithm {
        Algorithm::Es256 => (&ECDSA_P256_SHA256_ASN1, bytes.len() == 65 && bytes.first() == Some(&4)),
        Algorithm::EdDsa => (&ED25519, bytes.len() == 32),
    };
    if fits { Ok(UnparsedPublicKey::new(algorithm, bytes)) } else { Err(Fault::Credential) }
}
