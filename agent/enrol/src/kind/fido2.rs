//! FIDO2 authenticators that open records: a credential with hmac-secret, whose answer to one salt makes a P-256
//! key, of which the vault keeps the public half.
//!
//! Promises: only an authenticator with a PIN is enrolled, and only one that answers. An authenticator has no
//! serial number: a token of this kind is known by its credential, and named after it.

use super::{Desk, Enrolled, Kind, Wish};
use crate::authenticator::{Authenticator, Want, random};
use base64::{Engine, engine::general_purpose::STANDARD};
use p256::elliptic_curve::sec1::ToSec1Point;
use secrecy::ExposeSecret;
use signet_ctap::{Algorithm, Device, Found, Go, MakeRequest, Patience, devices, refusal};
use signet_envelope::{hex, private_key, sha256};
use signet_protocol::approval::{RELYING_PARTY, SEALING_SALT};
use signet_protocol::child::{Seen, Token, TokenName};
use signet_protocol::record::Recipient;
use signet_protocol::{Code, Refusal};
use std::time::{Duration, Instant};

/// Name of the kind.
const KIND: &str = "fido2";
/// What a serial begins with.
const PREFIX: &str = "fido-";
/// What it is called as long as it has no credential.
const UNNAMED: &str = "fido2";
/// One to make the credential, one to have it answer.
const TOUCHES: u32 = 2;
/// How long a look may take.
const LOOK: Duration = Duration::from_secs(3);

/// The kind `fido2`.
pub(super) struct Fido2;

impl Kind for Fido2 {
    fn name(&self) -> &'static str {
        KIND
    }

    fn owns(&self, serial: &str) -> bool {
        serial.strip_prefix(PREFIX).is_some_and(|rest| {
            rest.len() == 8 && rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    }

    /// Those that are enrolled: of others there is nothing to tell them by.
    fn list(&self, desk: &Desk<'_>) -> Result<Vec<Seen>, Refusal> {
        let enrolled = enrolled(desk)?;
        if enrolled.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<Vec<u8>> = enrolled.iter().map(|(_, id)| id.clone()).collect();
        let mut tell = |_| if desk.talk.is_hung_up() { Go::Stop } else { Go::On };
        let mut patience = Patience::until(Instant::now() + LOOK, &mut tell);
        let Found { devices, .. } = devices(&mut patience);
        let mut seen = Vec::new();
        for mut device in devices {
            // One that does not answer is not there.
            let Ok(Some(held)) = device.holds(RELYING_PARTY, &ids, &mut patience) else { continue };
            let tries = match device.info().options.client_pin {
                Some(true) => device.pin_retries(&mut patience).ok().map(|retries| retries.left),
                Some(false) | None => None,
            };
            let known = enrolled.iter().filter(|(_, id)| *id == held);
            seen.extend(known.map(|(token, _)| describe(token, &device, tries)));
        }
        Ok(seen)
    }

    fn info(&self, desk: &Desk<'_>, serial: &str) -> Result<Seen, Refusal> {
        let found = self.list(desk)?.into_iter().find(|seen| seen.serial == serial);
        let name = TokenName { serial: serial.to_owned(), label: desk.label(serial) };
        found.ok_or_else(|| refusal::absent(&[name]))
    }

    fn enrol(&self, desk: &mut Desk<'_>, wish: &Wish<'_>) -> Result<Enrolled, Refusal> {
        if wish.slot.is_some_and(|slot| !slot.is_empty()) || wish.serial.is_some() {
            let message = "a fido2 authenticator has neither slots nor a serial of its own";
            return Err(Refusal::new(Code::BadRequest, message, "signet token enrol --kind fido2"));
        }
        desk.talk.must_ask("the authenticator has to be touched")?;
        let known: Vec<Vec<u8>> = enrolled(desk)?.into_iter().map(|(_, id)| id).collect();
        let mut authenticator =
            Authenticator::choose(&mut desk.talk, UNNAMED, &known, Want::ToOpen, TOUCHES)?;
        let made = authenticator.make(
            &desk.talk,
            &MakeRequest {
                rp: RELYING_PARTY,
                user_id: &random()?,
                user_name: "signet",
                client_data_hash: &random()?,
                algorithms: &[Algorithm::Es256, Algorithm::EdDsa],
                exclude: &[],
                hmac_secret: true,
            },
        )?;
        let answered = authenticator.sign(&desk.talk, &made.id, &random()?, Some(SEALING_SALT))?;
        let output = answered.hmac_secret.ok_or_else(unfit)?;
        let scalar = private_key(output.expose_secret()).map_err(|_| unfit())?;
        let key = p256::SecretKey::from_slice(&scalar).map_err(|_| unfit())?;
        let recipient = Recipient {
            kind: KIND.to_owned(),
            serial: serial(&made.id),
            slot: STANDARD.encode(&made.id),
            public_key: STANDARD.encode(key.public_key().to_sec1_point(false).as_bytes()),
            label: wish.label.to_owned(),
        };
        let token = Token {
            recipient,
            firmware: None,
            attested: false,
            policies: "none".to_owned(),
            enrolled: String::new(),
        };
        let warning = "at each use the key that opens records is in this machine's memory for some milliseconds: \
                       a yubikey with piv keeps it in its hardware";
        Ok(Enrolled { token, warnings: vec![warning.to_owned()] })
    }

    fn change_pin(&self, _desk: &mut Desk<'_>, _serial: &str) -> Result<(), Refusal> {
        let message = "the pin of a fido2 authenticator is changed with its maker's program";
        Err(Refusal::new(Code::Unsupported, message, "ykman fido access change-pin"))
    }

    fn unblock(&self, _desk: &mut Desk<'_>, serial: &str) -> Result<(), Refusal> {
        let message = "a fido2 authenticator has no puk: a reset gives it a new pin and takes its keys";
        Err(Refusal::new(Code::Unsupported, message, format!("signet token lost {serial}")))
    }
}

/// The tokens of this kind that the vault knows, with their credential ids.
fn enrolled<'d>(desk: &Desk<'d>) -> Result<Vec<(&'d Recipient, Vec<u8>)>, Refusal> {
    let ours = desk.enrolled.iter().filter(|token| token.kind == KIND);
    ours.map(|token| Ok((token, STANDARD.decode(&token.slot).map_err(|_| unfit())?))).collect()
}

fn describe(token: &Recipient, device: &Device, tries: Option<u8>) -> Seen {
    let info = device.info();
    Seen {
        kind: KIND.to_owned(),
        serial: token.serial.clone(),
        reader: Some(device.name().to_owned()),
        firmware: None,
        pin_tries: tries,
        puk_tries: None,
        factory: Vec::new(),
        oath_code: None,
        details: vec![
            ("versions".to_owned(), info.versions.join(", ")),
            ("model".to_owned(), hex(&info.aaguid)),
            ("transports".to_owned(), info.transports.join(", ")),
        ],
    }
}

/// `fido-` and eight hex digits of the credential id's hash.
fn serial(id: &[u8]) -> String {
    let hash: String = hex(&sha256(id)).chars().take(8).collect();
    format!("{PREFIX}{hash}")
}

fn unfit() -> Refusal {
    let message = "the authenticator does not answer hmac-secret, without which it opens nothing";
    Refusal::new(Code::Unsupported, message, "signet factor add fido2 --key NAME")
}
