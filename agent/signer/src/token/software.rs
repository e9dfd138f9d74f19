//! Kind `software`: a P-256 key in a file, under a passphrase. For trying Signet out and for tests.
//!
//! Promises: the file is read once, only if it is a regular file of this user that nobody else can
//! read, and small; the passphrase is never kept. Does not promise what hardware does: who has the file can guess passphrases at
//! leisure, and there is no touch, only a question that stands for it.
//!
//! The file, `TOKEN_DIR/SERIAL.json`: the private scalar under ChaCha20-Poly1305, key by
//! PBKDF2-HMAC-SHA256 of the passphrase, with serial and public key as associated data.

use super::envelope::Unwrap;
use super::{Asks, Computed, Error, SLICE, ecdh};
use crate::conversation::Conversation;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{aead, pbkdf2};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use secrecy::{ExposeSecret as _, ExposeSecretMut as _};
use serde::Deserialize;
use signet_envelope::PublicKey;
use signet_protocol::PromptKind;
use signet_protocol::child::Places;
use signet_protocol::record::Recipient;
use signet_protocol::refusal::{Code, Refusal};
use std::fs::File;
use std::io::Read as _;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;
use zeroize::Zeroizing;

/// Largest key file.
const LARGEST: u64 = 4 * 1024;
/// Rounds of PBKDF2 that are taken from a file: fewer would be weak, more would hang the use.
const ROUNDS: std::ops::RangeInclusive<u32> = 100_000..=10_000_000;
/// What stands for the touch.
const CONSENT: &str = "press return to sign with the software token";

/// The key file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    version: u32,
    kind: String,
    serial: String,
    public_key: String,
    iterations: u32,
    salt: String,
    nonce: String,
    sealed: String,
}

/// A recipient's key file, there or not.
pub(super) struct Software {
    path: Option<PathBuf>,
    serial: String,
    public_key: PublicKey,
}

impl Software {
    /// The token of a recipient.
    pub(super) fn new(places: &Places, recipient: &Recipient, public_key: PublicKey) -> Self {
        let serial = recipient.serial.clone();
        // The serial comes from a record: only in this form may it become a file name.
        let path =
            is_serial(&serial).then(|| PathBuf::from(&places.token_dir).join(format!("{serial}.json")));
        Self { path, serial, public_key }
    }

    /// The key file, if it is there.
    fn read(&self) -> Result<Option<KeyFile>, Refusal> {
        let Some(path) = &self.path else { return Ok(None) };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let descriptor = match open(path, flags, Mode::empty()) {
            Ok(descriptor) => descriptor,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(_) => return Err(self.unusable("it cannot be opened")),
        };
        let stat = fstat(&descriptor).map_err(|_| self.unusable("it cannot be looked at"))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(self.unusable("it is not a regular file"));
        }
        if stat.st_uid != rustix::process::geteuid().as_raw() {
            return Err(self.unusable("it belongs to somebody else"));
        }
        if Mode::from_raw_mode(stat.st_mode).intersects(Mode::RWXG | Mode::RWXO) {
            return Err(self.unusable("others can read or change it"));
        }
        let mut text = Vec::new();
        let read = File::from(descriptor).take(LARGEST + 1).read_to_end(&mut text);
        if read.is_err() || text.len() as u64 > LARGEST {
            return Err(self.unusable("it cannot be read, or is too large"));
        }
        let file: KeyFile =
            serde_json::from_slice(&text).map_err(|_| self.unusable("it is not a key file"))?;
        if file.version != 1 || file.kind != "software" || file.serial != self.serial {
            return Err(self.unusable("it is the file of another token"));
        }
        Ok(Some(file))
    }

    /// The key file, if it is there and holds the recipient's key.
    fn ours(&self) -> Result<KeyFile, Error> {
        let file = self.read()?.ok_or(Error::NotMine(None))?;
        if STANDARD.decode(&file.public_key).ok().as_deref() != Some(self.public_key.as_bytes()) {
            let message = format!("software token {} holds another key than this record's", self.serial);
            return Err(Error::not_mine(Refusal::new(Code::TokenAbsent, message, "signet token list")));
        }
        Ok(file)
    }

    fn unusable(&self, why: &str) -> Refusal {
        let message = format!("the file of software token {} cannot be used: {why}", self.serial);
        Refusal::new(Code::Unsupported, message, "signet doctor")
    }

    /// Decrypts the scalar.
    fn scalar(&self, file: &KeyFile, passphrase: &[u8]) -> Result<p256::SecretKey, Refusal> {
        let field = |text: &str| STANDARD.decode(text).map_err(|_| self.unusable("it is not a key file"));
        let (salt, nonce) = (field(&file.salt)?, field(&file.nonce)?);
        let nonce = aead::Nonce::try_assume_unique_for_key(&nonce)
            .map_err(|_| self.unusable("its nonce has a wrong length"))?;
        let rounds = NonZeroU32::new(file.iterations)
            .filter(|rounds| ROUNDS.contains(&rounds.get()))
            .ok_or_else(|| self.unusable("its number of rounds is out of range"))?;

        let mut key = Computed::init_with_mut(|key: &mut [u8; 32]| {
            pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, passphrase, key);
        });
        let opening = aead::UnboundKey::new(&aead::CHACHA20_POLY1305, key.expose_secret());
        key.expose_secret_mut().fill(0);
        let opening =
            aead::LessSafeKey::new(opening.map_err(|_| self.unusable("its key has a wrong length"))?);
        let associated = [self.serial.as_bytes(), self.public_key.as_bytes()].concat();
        let mut sealed = Zeroizing::new(field(&file.sealed)?);
        let scalar =
            opening.open_in_place(nonce, aead::Aad::from(associated), &mut sealed).map_err(|_| {
                Refusal::bare(
                    Code::PinFailed,
                    format!("the passphrase of software token {} is wrong", self.serial),
                )
            })?;
        p256::SecretKey::from_slice(scalar).map_err(|_| self.unusable("it holds no private key"))
    }
}

impl Unwrap for Software {
    fn look(&mut self, _: &Conversation) -> Result<Asks, Error> {
        self.ours()?;
        Ok(Asks { secret: Some(PromptKind::Passphrase), tries_left: None, consent: Some(CONSENT) })
    }

    fn wait(&mut self, limit: Duration) -> Result<(), Error> {
        std::thread::sleep(limit.min(SLICE));
        Ok(())
    }

    fn agree(&mut self, point: &[u8; 65], secret: &[u8], _: &Conversation) -> Result<Computed, Error> {
        // Read anew: it may have gone since it was looked at.
        let file = self.ours()?;
        let scalar = self.scalar(&file, secret)?;
        Ok(ecdh::agree(&scalar, point)?)
    }

    fn touches(&self) -> u32 {
        0
    }
}

/// `soft-` and eight hex digits.
fn is_serial(serial: &str) -> bool {
    serial.strip_prefix("soft-").is_some_and(|rest| {
        rest.len() == 8 && rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}
