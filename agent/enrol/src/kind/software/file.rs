//! The key file of a software token, and the directory such files lie in.
//!
//! `SERIAL.json`, mode 0600: a P-256 scalar under ChaCha20-Poly1305 (RFC 8439), whose key is
//! PBKDF2-HMAC-SHA256 (RFC 8018) of the passphrase. The additional data is serial ‖ public key, so
//! neither can be exchanged. A file is read strictly: what this program would not write, it refuses.

use super::base64;
use ::base64::{Engine, engine::general_purpose::STANDARD};
use p256::elliptic_curve::sec1::ToSec1Point;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{aead, pbkdf2};
use serde::{Deserialize, Serialize};
use signet_envelope::Secret;
use signet_protocol::child::Places;
use signet_protocol::{Code, Refusal, VERSION};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::num::NonZeroU32;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Name of the kind.
pub(super) const KIND: &str = "software";
/// What each serial begins with; eight hex digits follow.
const SERIAL_PREFIX: &str = "soft-";
/// Rounds of a new file: OWASP's figure for PBKDF2-HMAC-SHA256.
const ITERATIONS: u32 = 600_000;
/// Rounds that a file may name: fewer protect nothing, more would only hold up the act.
const ITERATIONS_TAKEN: std::ops::RangeInclusive<u32> = 100_000..=10_000_000;
/// Longest file that is read.
const LONGEST: u64 = 4096;

/// One key file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyFile {
    version: u32,
    kind: String,
    /// `soft-` and 8 hex digits.
    pub(super) serial: String,
    /// Base64 of the 65-byte point.
    pub(super) public_key: String,
    /// PBKDF2's rounds.
    pub(super) iterations: u32,
    /// Base64 of 16 bytes.
    salt: String,
    /// Base64 of 12 bytes.
    nonce: String,
    /// Base64 of the sealed 32-byte scalar with its tag.
    sealed: String,
}

impl KeyFile {
    /// A new key under `passphrase`.
    pub(super) fn generate(serial: &str, passphrase: &[u8]) -> Result<Self, Refusal> {
        loop {
            let scalar = Secret::new(random::<32>()?.to_vec());
            // fails for zero and for what is not below the curve's order: once in 2^32 times
            let Ok(secret) = p256::SecretKey::from_slice(&scalar) else { continue };
            let public = base64(secret.public_key().to_sec1_point(false).as_bytes());
            return Self::seal(serial, public, &scalar, passphrase);
        }
    }

    /// The scalar.
    ///
    /// # Errors
    /// `pin_failed` when the passphrase is wrong, or the file was changed: the two look alike.
    pub(super) fn open(&self, passphrase: &[u8]) -> Result<Secret, Refusal> {
        let salt = field(&self.salt)?;
        let nonce: [u8; 12] = field(&self.nonce)?.try_into().map_err(|_| malformed())?;
        let mut sealed = Secret::new(field(&self.sealed)?);
        let plain = aead_key(passphrase, &salt, self.iterations)?
            .open_in_place(aead::Nonce::assume_unique_for_key(nonce), self.aad()?, &mut sealed)
            .map_err(|_| Refusal::bare(Code::PinFailed, "the passphrase is wrong"))?
            .len();
        sealed.truncate(plain);
        Ok(sealed)
    }

    /// The same key under another passphrase.
    pub(super) fn sealed_under(&self, scalar: &[u8], passphrase: &[u8]) -> Result<Self, Refusal> {
        Self::seal(&self.serial, self.public_key.clone(), scalar, passphrase)
    }

    fn seal(serial: &str, public_key: String, scalar: &[u8], passphrase: &[u8]) -> Result<Self, Refusal> {
        let (salt, nonce) = (random::<16>()?, random::<12>()?);
        let mut file = Self {
            version: VERSION,
            kind: KIND.to_owned(),
            serial: serial.to_owned(),
            public_key,
            iterations: ITERATIONS,
            salt: base64(&salt),
            nonce: base64(&nonce),
            sealed: String::new(),
        };
        // room for the tag from the start: growing would leave a copy of the scalar behind
        let mut buffer = Secret::new(Vec::with_capacity(scalar.len().saturating_add(aead::MAX_TAG_LEN)));
        buffer.extend_from_slice(scalar);
        aead_key(passphrase, &salt, ITERATIONS)?
            .seal_in_place_append_tag(aead::Nonce::assume_unique_for_key(nonce), file.aad()?, &mut *buffer)
            .map_err(|_| Refusal::bare(Code::Internal, "the key could not be sealed"))?;
        file.sealed = base64(&buffer);
        Ok(file)
    }

    fn aad(&self) -> Result<aead::Aad<Vec<u8>>, Refusal> {
        Ok(aead::Aad::from([self.serial.as_bytes(), &field(&self.public_key)?].concat()))
    }

    /// Whether the file says what a file under this name may say.
    fn is_of(&self, serial: &str) -> bool {
        self.version == VERSION
            && self.kind == KIND
            && self.serial == serial
            && ITERATIONS_TAKEN.contains(&self.iterations)
    }
}

/// The directory of key files.
pub(super) struct Store {
    dir: PathBuf,
}

impl Store {
    /// The directory that the order names.
    pub(super) fn of(places: &Places) -> Result<Self, Refusal> {
        let dir = PathBuf::from(&places.token_dir);
        if !dir.is_absolute() {
            return Err(Refusal::bare(
                Code::Internal,
                "the directory of software tokens is not an absolute path",
            ));
        }
        Ok(Self { dir })
    }

    /// Where the file of a serial lies.
    pub(super) fn path(&self, serial: &str) -> PathBuf {
        self.dir.join(format!("{serial}.json"))
    }

    /// A serial that no file has yet.
    pub(super) fn new_serial(&self) -> Result<String, Refusal> {
        loop {
            let serial = format!("{SERIAL_PREFIX}{}", signet_envelope::hex(&random::<4>()?));
            if !self.path(&serial).exists() {
                return Ok(serial);
            }
        }
    }

    /// Serials of the files that are there, sorted.
    pub(super) fn serials(&self) -> Result<Vec<String>, Refusal> {
        let entries = match std::fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("read", &self.dir, &error)),
        };
        let mut serials = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| failed("read", &self.dir, &error))?.file_name();
            let serial = name.to_str().and_then(|name| name.strip_suffix(".json"));
            serials.extend(serial.filter(|serial| is_serial(serial)).map(str::to_owned));
        }
        serials.sort();
        Ok(serials)
    }

    /// Reads the file of a serial.
    ///
    /// # Errors
    /// `token_absent` when there is none; `unsupported` when it is not one that Signet wrote, or
    /// others may read it.
    pub(super) fn read(&self, serial: &str) -> Result<KeyFile, Refusal> {
        let path = self.path(serial);
        let file = File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Refusal::new(
                Code::TokenAbsent,
                format!("there is no software token {serial}"),
                "signet token list",
            ),
            _other => failed("open", &path, &error),
        })?;
        let about = file.metadata().map_err(|error| failed("read", &path, &error))?;
        if !about.is_file() || about.mode() & 0o077 != 0 {
            let message = format!("{} can be read by others", path.display());
            return Err(Refusal::new(Code::Unsupported, message, format!("chmod 600 {}", path.display())));
        }
        let mut bytes = Vec::new();
        file.take(LONGEST).read_to_end(&mut bytes).map_err(|error| failed("read", &path, &error))?;
        let key: KeyFile = serde_json::from_slice(&bytes).map_err(|_| malformed())?;
        if key.is_of(serial) { Ok(key) } else { Err(malformed()) }
    }

    /// Writes a new file; one that is there stays.
    pub(super) fn create(&self, key: &KeyFile) -> Result<(), Refusal> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.dir);
        made.map_err(|error| failed("make", &self.dir, &error))?;
        let (temporary, path) = (self.write_beside(key)?, self.path(&key.serial));
        // a link, unlike a rename, never takes the place of another file
        let linked = std::fs::hard_link(&temporary, &path);
        std::fs::remove_file(&temporary).map_err(|error| failed("remove", &temporary, &error))?;
        linked.map_err(|error| failed("write", &path, &error))?;
        self.sync()
    }

    /// Writes a file in the place of the one that is there: wholly or not at all.
    pub(super) fn replace(&self, key: &KeyFile) -> Result<(), Refusal> {
        let (temporary, path) = (self.write_beside(key)?, self.path(&key.serial));
        std::fs::rename(&temporary, &path).map_err(|error| failed("write", &path, &error))?;
        self.sync()
    }

    /// A temporary file in the same directory, on the disk when this returns.
    fn write_beside(&self, key: &KeyFile) -> Result<PathBuf, Refusal> {
        let path = self.dir.join(format!(".{}.{}", key.serial, signet_envelope::hex(&random::<8>()?)));
        let mut text = serde_json::to_vec_pretty(key).map_err(|_| malformed())?;
        text.push(b'\n');
        let written =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).and_then(|mut file| {
                file.write_all(&text)?;
                file.sync_all()
            });
        written.map_err(|error| failed("write", &path, &error))?;
        Ok(path)
    }

    /// Makes a new name in the directory durable.
    fn sync(&self) -> Result<(), Refusal> {
        let synced = File::open(&self.dir).and_then(|dir| dir.sync_all());
        synced.map_err(|error| failed("write", &self.dir, &error))
    }
}

/// Whether this is the serial of a software token: also what keeps a serial from naming a path.
pub(super) fn is_serial(serial: &str) -> bool {
    serial.strip_prefix(SERIAL_PREFIX).is_some_and(|digits| {
        digits.len() == 8 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn aead_key(passphrase: &[u8], salt: &[u8], iterations: u32) -> Result<aead::LessSafeKey, Refusal> {
    let rounds = NonZeroU32::new(iterations).ok_or_else(malformed)?;
    let mut key = Secret::new(vec![0; 32]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, passphrase, &mut key);
    let unbound = aead::UnboundKey::new(&aead::CHACHA20_POLY1305, &key);
    Ok(aead::LessSafeKey::new(unbound.map_err(|_| malformed())?))
}

fn random<const N: usize>() -> Result<[u8; N], Refusal> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Refusal::bare(Code::Internal, "the system gave no random bytes"))?;
    Ok(bytes)
}

fn field(text: &str) -> Result<Vec<u8>, Refusal> {
    STANDARD.decode(text).map_err(|_| malformed())
}

fn malformed() -> Refusal {
    Refusal::bare(Code::Unsupported, "the key file is not one that signet wrote")
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Refusal {
    Refusal::bare(Code::Internal, format!("could not {what} {}: {error}", path.display()))
}
