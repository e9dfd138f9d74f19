#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
//! A record that is sealed to an X25519 key too, so that age tools without `p256tag` can be asked
//! what they make of our stanzas. Such a record exists only here: [`Record::parse`] refuses it.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use age::Recipient as _;
use age::secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::*;

/// Debian's package `age`.
const STOCK: &str = "/usr/bin/age";

struct Case {
    file: Vec<u8>,
    identity: age::x25519::Identity,
}

fn case(meta: &[u8]) -> Case {
    let identity = age::x25519::Identity::generate();
    let bytes = [9; 16];
    let key = FileKey::read(Zeroizing::new(bytes.to_vec())).unwrap();
    let foreign = age_core::format::FileKey::new(Box::new(bytes));
    let (theirs, _) = identity.to_public().wrap_file_key(&foreign).unwrap();
    let token = crate::hpke::OneTimeKey::new().unwrap().public();
    let ours = Wrapped::make(&PublicKey::from_bytes(&token).unwrap(), &key).unwrap();
    let mut stanzas = vec![meta_stanza(meta), ours.stanza()];
    stanzas.extend(theirs.into_iter().map(|it| Stanza { name: it.tag, args: it.args, body: it.body }));
    Case { file: assemble(&key, &[3; 16], &stanzas, b"the payload").unwrap(), identity }
}

/// Runs stock age; its plaintext, or what it said.
fn stock_age(case: &Case) -> Result<Vec<u8>, String> {
    let folder = tempfile::tempdir().unwrap();
    let identity = folder.path().join("identity");
    std::fs::write(&identity, case.identity.to_string().expose_secret()).unwrap();
    let mut child = Command::new(STOCK)
        .args(["--decrypt", "--identity"])
        .arg(&identity)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test needs stock age: apt install age");
    // age stops reading where it refuses; what it says is the answer then
    let _ = child.stdin.take().unwrap().write_all(&case.file);
    let output = child.wait_with_output().unwrap();
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn age_crate(case: &Case) -> Result<Vec<u8>, age::DecryptError> {
    let identity: &dyn age::Identity = &case.identity;
    let mut plain = Vec::new();
    let mut reader = age::Decryptor::new(case.file.as_slice())?.decrypt(std::iter::once(identity))?;
    reader.read_to_end(&mut plain)?;
    Ok(plain)
}

#[test]
fn age_ignores_our_stanzas() {
    // metadata of a whole number of lines too, where writers differ
    for length in [7, 48, 480] {
        let case = case(&vec![b'm'; length]);
        assert_eq!(stock_age(&case).unwrap(), b"the payload");
        assert_eq!(age_crate(&case).unwrap(), b"the payload");
    }
}

#[test]
fn age_refuses_altered_metadata() {
    let mut case = case(b"{\"epoch\":1}");
    let text = String::from_utf8_lossy(&case.file).into_owned();
    let at = text.find("eyJlcG9jaCI6MX0").unwrap();
    let end = at + "eyJlcG9jaCI6MX0".len();
    case.file.splice(at..end, *b"eyJlcG9jaCI6Mn0"); // {"epoch":2}
    let said = stock_age(&case).unwrap_err();
    assert!(said.contains("MAC"), "{said}");
    assert!(matches!(age_crate(&case), Err(age::DecryptError::InvalidMac)));
}

/// Their stanza, made from the text of our recipient, in a record of ours.
#[test]
fn we_open_what_the_age_crate_seals() {
    use p256::elliptic_curve::sec1::ToSec1Point;
    for round in 1..=100u8 {
        let private = p256::SecretKey::from_slice(&[round; 32]).unwrap();
        let token = PublicKey::from_bytes(private.public_key().to_sec1_point(false).as_bytes()).unwrap();
        let to: age::tag::Recipient = token.age_recipient().parse().unwrap();
        let foreign = age_core::format::FileKey::new(Box::new([round; 16]));
        let (theirs, _) = to.wrap_file_key(&foreign).unwrap();
        let theirs = theirs.into_iter().map(|it| Stanza { name: it.tag, args: it.args, body: it.body });
        let stanzas: Vec<Stanza> = std::iter::once(meta_stanza(b"{}")).chain(theirs).collect();
        let key = FileKey::read(Zeroizing::new(vec![round; 16])).unwrap();
        let record = Record::parse(&assemble(&key, &[3; 16], &stanzas, b"the payload").unwrap()).unwrap();
        let enc = record.enc_for(&token).unwrap();
        let point = p256::PublicKey::from_sec1_bytes(&enc).unwrap().to_projective();
        let product: p256::AffinePoint = (point * *private.to_nonzero_scalar()).into();
        let dh = product.to_sec1_point(false).as_bytes()[1..33].try_into().unwrap();
        assert_eq!(&*record.open(&token, &enc, &dh).unwrap(), b"the payload");
    }
}

#[test]
fn we_refuse_a_reader_whom_the_metadata_does_not_name() {
    let refused = Record::parse(&case(b"{}").file).err();
    assert_eq!(refused, Some(Error::Malformed("a stanza is of an unknown type")));
}
