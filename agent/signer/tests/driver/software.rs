//! A software token's key file, written apart from the program that makes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{aead, pbkdf2};
use signet_protocol::child::Places;
use signet_protocol::record::Recipient;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

pub const PASSPHRASE: &str = "correct horse battery";
/// The fewest rounds that are taken: the tests make many uses.
const ROUNDS: u32 = 100_000;

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).unwrap();
    bytes
}

/// Tokens of kind `software`, in a directory of their own.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        Self(dir)
    }

    pub fn places(&self) -> Places {
        Places { pcsc_socket: String::new(), token_dir: self.0.path().to_str().unwrap().into() }
    }

    pub fn file(&self, serial: &str) -> PathBuf {
        self.0.path().join(format!("{serial}.json"))
    }

    /// Makes a token.
    pub fn token(&self) -> Recipient {
        self.token_named(&format!("soft-{:08x}", u32::from_be_bytes(random())))
    }

    /// Makes a token with this serial, in place of another.
    pub fn token_named(&self, serial: &str) -> Recipient {
        let (secret, scalar) = std::iter::repeat_with(random::<32>)
            .find_map(|scalar| p256::SecretKey::from_slice(&scalar).ok().map(|secret| (secret, scalar)))
            .unwrap();
        let point = secret.public_key().to_sec1_point(false);
        let (salt, nonce) = (random::<16>(), random::<12>());
        let mut key = [0; 32];
        let rounds = std::num::NonZeroU32::new(ROUNDS).unwrap();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, PASSPHRASE.as_bytes(), &mut key);
        let key = aead::LessSafeKey::new(aead::UnboundKey::new(&aead::CHACHA20_POLY1305, &key).unwrap());
        let mut sealed = scalar.to_vec();
        let associated = aead::Aad::from([serial.as_bytes(), point.as_bytes()].concat());
        let nonce_once = aead::Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce_once, associated, &mut sealed).unwrap();
        let public_key = STANDARD.encode(point.as_bytes());
        let file = serde_json::json!({
            "version": 1, "kind": "software", "serial": serial, "public_key": public_key,
            "iterations": ROUNDS, "salt": STANDARD.encode(salt), "nonce": STANDARD.encode(nonce),
            "sealed": STANDARD.encode(sealed),
        });
        write(&self.file(serial), file.to_string().as_bytes());
        Recipient {
            kind: "software".into(),
            serial: serial.into(),
            slot: String::new(),
            public_key,
            label: "try".into(),
        }
    }
}

/// Writes a file that only its owner can read.
pub fn write(path: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(bytes).unwrap();
}
