#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, unreachable_pub)]
//! What we seal, the `age` crate opens. It knows `p256tag` recipients and leaves identities to its
//! caller. (What it seals is opened in `src/record/interop.rs`: its files have a stanza of nonsense,
//! "grease", which we refuse, so only its stanza can be taken.)

mod token;

use std::io::Read;

use age_core::format::{FileKey, Stanza};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hpke::{Deserializable, Kem, OpModeR};
use signet_envelope::seal;
use token::Token;

const ROUNDS: usize = 100;

/// The identity that the crate lacks, over the `hpke` crate: nothing of ours in it.
struct TagIdentity<'a>(&'a Token);

impl age::Identity for TagIdentity<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, age::DecryptError>> {
        type P256 = hpke::kem::DhP256HkdfSha256;
        let enc = (stanza.tag == "p256tag").then(|| STANDARD_NO_PAD.decode(&stanza.args[1]).unwrap())?;
        let key = hpke::single_shot_open::<hpke::aead::ChaCha20Poly1305, hpke::kdf::HkdfSha256, P256>(
            &OpModeR::Base,
            &<P256 as Kem>::PrivateKey::from_bytes(&self.0.0.to_bytes()).unwrap(),
            &<P256 as Kem>::EncappedKey::from_bytes(&enc).unwrap(),
            b"age-encryption.org/p256tag",
            &stanza.body,
            b"",
        )
        .ok()?;
        Some(Ok(FileKey::new(Box::new(key.try_into().unwrap()))))
    }
}

#[test]
fn the_crate_opens_what_we_seal() {
    for round in 0..ROUNDS {
        let token = Token::random();
        let file =
            seal(&vec![b'm'; round * 7], &[Token::random().public(), token.public()], b"secret").unwrap();
        let identity = TagIdentity(&token);
        let identity: &dyn age::Identity = &identity;
        let mut reader =
            age::Decryptor::new(file.as_slice()).unwrap().decrypt(std::iter::once(identity)).unwrap();
        let mut plain = Vec::new();
        reader.read_to_end(&mut plain).unwrap();
        assert_eq!(plain, b"secret");
    }
}

/// Text of a recipient, both ways.
#[test]
fn a_recipient_reads_the_same() {
    for _ in 0..ROUNDS {
        let ours = Token::random().public().age_recipient();
        let theirs: age::tag::Recipient = ours.parse().unwrap();
        assert_eq!(theirs.to_string(), ours);
    }
}
