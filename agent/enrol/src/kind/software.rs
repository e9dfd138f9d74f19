//! Software tokens: a key file under a passphrase, for trying Signet out and for tests.
//!
//! Promises: a new file is never written over another, a changed one replaces the old at once or not
//! at all, and neither is readable by others. Must not know: how the signer opens one, beyond the
//! form in [`mod@file`]. Not promised: anything against somebody who has the file and the passphrase.

mod file;

use super::{Desk, Enrolled, Kind, Wish};
use crate::conversation::Question;
use base64::{Engine, engine::general_purpose::STANDARD};
use file::{KeyFile, Store};
use signet_envelope::Secret;
use signet_protocol::child::{Places, Seen, Token, TokenName};
use signet_protocol::record::Recipient;
use signet_protocol::{Code, PromptKind, Refusal};

/// Shortest passphrase, in characters.
const SHORTEST: usize = 8;

/// The kind `software`.
pub(super) struct Software;

impl Kind for Software {
    fn name(&self) -> &'static str {
        file::KIND
    }

    fn owns(&self, serial: &str) -> bool {
        file::is_serial(serial)
    }

    fn list(&self, desk: &Desk<'_>) -> Result<Vec<Seen>, Refusal> {
        let serials = Store::of(desk.places)?.serials()?;
        Ok(serials.into_iter().map(seen).collect())
    }

    fn info(&self, desk: &Desk<'_>, serial: &str) -> Result<Seen, Refusal> {
        let store = Store::of(desk.places)?;
        let key = store.read(serial)?;
        let mut seen = seen(serial.to_owned());
        seen.details = vec![
            ("file".to_owned(), store.path(serial).display().to_string()),
            ("public key".to_owned(), key.public_key),
            ("passphrase".to_owned(), format!("PBKDF2-HMAC-SHA256, {} rounds", key.iterations)),
            ("guarantees".to_owned(), "no touch and no hardware: for trying out only".to_owned()),
        ];
        Ok(seen)
    }

    fn enrol(&self, desk: &mut Desk<'_>, wish: &Wish<'_>) -> Result<Enrolled, Refusal> {
        if wish.slot.is_some_and(|slot| !slot.is_empty()) {
            return Err(Refusal::bare(Code::BadRequest, "a software token has no slots"));
        }
        if wish.serial.is_some() {
            return Err(Refusal::new(
                Code::BadRequest,
                "a new software token makes its own serial",
                "signet token enrol --kind software",
            ));
        }
        let store = Store::of(desk.places)?;
        desk.talk.must_ask("a software token needs a passphrase")?;
        let name = TokenName { serial: store.new_serial()?, label: wish.label.to_owned() };
        let passphrase = new_passphrase(desk, &name)?;
        let key = KeyFile::generate(&name.serial, &passphrase)?;
        store.create(&key)?;
        Ok(Enrolled { token: token(&key, wish.label), warnings: warnings(desk.places, &key) })
    }

    fn change_pin(&self, desk: &mut Desk<'_>, serial: &str) -> Result<(), Refusal> {
        let store = Store::of(desk.places)?;
        let key = store.read(serial)?;
        let name = TokenName { serial: serial.to_owned(), label: desk.label(serial) };
        let old = desk.talk.ask(Question {
            kind: PromptKind::Passphrase,
            text: format!("passphrase of software token {serial}"),
            tries_left: None,
            token: &name,
        })?;
        let scalar = key.open(&old)?;
        let new = new_passphrase(desk, &name)?;
        store.replace(&key.sealed_under(&scalar, &new)?)
    }

    fn unblock(&self, _desk: &mut Desk<'_>, serial: &str) -> Result<(), Refusal> {
        Err(Refusal::new(
            Code::Unsupported,
            "a software token has no PUK, and its passphrase cannot be blocked",
            format!("signet token pin {serial}"),
        ))
    }
}

/// Asks for a passphrase of at least eight characters, three times at most.
fn new_passphrase(desk: &mut Desk<'_>, name: &TokenName) -> Result<Secret, Refusal> {
    let mut text =
        format!("new passphrase of software token {}, at least {SHORTEST} characters", name.serial);
    for _ in 0..3 {
        let kind = PromptKind::NewPassphrase;
        let answer = desk.talk.ask(Question { kind, text, tries_left: None, token: name })?;
        let long_enough = std::str::from_utf8(&answer).is_ok_and(|typed| typed.chars().count() >= SHORTEST);
        if long_enough {
            return Ok(answer);
        }
        text = format!("too short: at least {SHORTEST} characters");
    }
    Err(Refusal::bare(Code::BadRequest, format!("a passphrase has at least {SHORTEST} characters")))
}

fn seen(serial: String) -> Seen {
    Seen {
        kind: file::KIND.to_owned(),
        serial,
        reader: None,
        firmware: None,
        pin_tries: None,
        puk_tries: None,
        factory: Vec::new(),
        oath_code: None,
        details: Vec::new(),
    }
}

fn token(key: &KeyFile, label: &str) -> Token {
    Token {
        recipient: Recipient {
            kind: file::KIND.to_owned(),
            serial: key.serial.clone(),
            slot: String::new(),
            public_key: key.public_key.clone(),
            label: label.to_owned(),
        },
        firmware: None,
        attested: false,
        policies: "none".to_owned(),
        enrolled: String::new(),
    }
}

/// Says loudly what it is, and where the file lies.
fn warnings(places: &Places, key: &KeyFile) -> Vec<String> {
    let loud = signet_protocol::kinds::find(file::KIND).and_then(|kind| kind.warning);
    let lies = format!("the key file is {}/{}.json", places.token_dir, key.serial);
    loud.map(str::to_owned).into_iter().chain([lies]).collect()
}

/// Base64 as every file and message of Signet has it.
fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
