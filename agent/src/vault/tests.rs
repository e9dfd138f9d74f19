//! The vault on a real directory: what survives, what is refused, and what one refusal leaves alone.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod dropped;
mod put_back;
mod restored;

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::agreement::{ECDH_P256, EphemeralPrivateKey};
use signet_envelope::PublicKey;
use signet_protocol::child::CodeFate;
use signet_protocol::record::{Custody, KeyKind, Metadata, Partition, Recipient};
use signet_protocol::rule::Part;
use signet_protocol::{Code, Refusal};
use std::fs;
use std::path::PathBuf;
use time::OffsetDateTime;

struct House {
    home: tempfile::TempDir,
    vault: Option<Vault>,
    token: Token,
    /// What the audit log would say: its last entry, and the last one that tells of something done.
    noted: u64,
    deed: u64,
}

fn a_token(serial: &str) -> Token {
    let key = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).unwrap();
    Token {
        recipient: Recipient {
            kind: "yubikey-piv".to_owned(),
            serial: serial.to_owned(),
            slot: "95".to_owned(),
            public_key: STANDARD.encode(key.compute_public_key().unwrap()),
            label: "desk".to_owned(),
        },
        firmware: None,
        attested: false,
        policies: "asked".to_owned(),
        enrolled: "2026-11-22T17:03:41Z".to_owned(),
    }
}

fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_800_000_000 + seconds).unwrap()
}

fn seal(meta: &Metadata, to: &[&Token]) -> Vec<u8> {
    let key = |token: &&Token| {
        PublicKey::from_bytes(&STANDARD.decode(&token.recipient.public_key).unwrap()).unwrap()
    };
    let recipients: Vec<PublicKey> = to.iter().map(key).collect();
    signet_envelope::seal(&serde_json::to_vec(meta).unwrap(), &recipients, b"{}").unwrap()
}

/// Sealed to the tokens that it names.
fn sealed(meta: &Metadata) -> Vec<u8> {
    let key = |to: &Recipient| PublicKey::from_bytes(&STANDARD.decode(&to.public_key).unwrap()).unwrap();
    let recipients: Vec<PublicKey> = meta.recipients.iter().map(key).collect();
    signet_envelope::seal(&serde_json::to_vec(meta).unwrap(), &recipients, b"{}").unwrap()
}

impl House {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut vault = Vault::open(&home.path().join("state")).unwrap();
        vault.resume(0, 0).unwrap();
        let token = a_token("1234");
        vault.add_token(token.clone()).unwrap();
        Self { home, vault: Some(vault), token, noted: 0, deed: 0 }
    }

    fn with(names: &[&str]) -> Self {
        let mut house = Self::new();
        for name in names {
            house.add(name).unwrap();
        }
        house
    }

    fn vault(&mut self) -> &mut Vault {
        self.vault.as_mut().unwrap()
    }

    fn meta(&self, name: &str) -> Metadata {
        Metadata {
            version: 1,
            vault_id: self.vault.as_ref().unwrap().vault_id().to_owned(),
            name: name.to_owned(),
            epoch: 1,
            created: "2026-11-22T17:03:41Z".to_owned(),
            kind: KeyKind::Root,
            account: None,
            partition: Partition::Aws,
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            custody: Custody::Sealed,
            policy: vec![Part::Preset("session".to_owned())],
            factors: Vec::new(),
            recipients: vec![self.token.recipient.clone()],
            holders: Vec::new(),
            previous: None,
        }
    }

    fn add(&mut self, name: &str) -> Result<StoredRecord, VaultError> {
        let bytes = seal(&self.meta(name), &[&self.token]);
        let record = self.vault().check_new(name, &bytes)?;
        self.vault().commit_new(&record)?;
        Ok(record)
    }

    /// The next generation of a key, with another policy.
    fn next(&mut self, name: &str) -> Result<StoredRecord, VaultError> {
        let old = self.vault().record(name)?;
        let meta = Metadata {
            epoch: old.meta.epoch + 1,
            previous: Some(old.header_sha256.clone()),
            policy: vec![Part::Preset("assume-root".to_owned())],
            ..old.meta
        };
        let bytes = sealed(&meta);
        self.vault().commit_next(name, &old.header_sha256, &bytes, &meta, at(0))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.home.path().join("state").join(name)
    }

    /// Ends the agent and starts it again.
    fn restart(&mut self) -> Result<(), VaultError> {
        self.vault = None;
        let mut vault = Vault::open(&self.at(""))?;
        vault.resume(self.noted, self.deed)?;
        self.vault = Some(vault);
        Ok(())
    }

    /// Changes `state.json` behind the agent's back, while it is not running.
    fn edit_state(&mut self, edit: impl FnOnce(&mut State)) {
        self.vault = None;
        let mut state = State::read(&fs::read(self.at(STATE)).unwrap()).unwrap();
        edit(&mut state);
        fs::write(self.at(STATE), serde_json::to_vec(&state).unwrap()).unwrap();
    }

    fn code(&mut self, name: &str) -> Code {
        Refusal::from(self.vault().record(name).unwrap_err()).code
    }
}

fn prod() -> Counter {
    Counter::Key("prod".to_owned())
}

fn why(error: VaultError) -> String {
    Refusal::from(error).message
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart() {
    let mut house = House::with(&["prod"]);
    let second = house.next("prod").unwrap();
    house.vault().touch_used("prod", at(0)).unwrap();
    house.vault().pin_account("prod", "123456789012").unwrap();
    let id = house.vault().vault_id().to_owned();
    house.restart().unwrap();
    assert_eq!(house.vault().record("prod").unwrap(), second);
    assert_eq!(house.vault().vault_id(), id);
    let memory = house.vault().memory("prod");
    assert_eq!(memory.account.as_deref(), Some("123456789012"));
    assert_eq!(memory.last_used.as_deref(), Some("2027-01-15T08:00:00Z"));
    assert_eq!(house.vault.as_ref().unwrap().tokens(), [house.token.clone()]);
}

#[test]
fn a_second_agent_on_one_vault_is_told_that_it_is_busy_and_a_dead_one_leaves_it_free() {
    let mut house = House::new();
    let error = Vault::open(&house.at("")).unwrap_err();
    assert_eq!(Refusal::from(error).code, Code::Busy);
    house.restart().unwrap();
}

#[test]
fn a_record_with_any_byte_changed_is_refused_and_the_others_still_work() {
    let mut house = House::with(&["prod", "other"]);
    let path = house.at("keys/prod.age");
    let good = fs::read(&path).unwrap();
    for place in 0..good.len() {
        let mut bad = good.clone();
        bad.get_mut(place).into_iter().for_each(|byte| *byte ^= 1);
        fs::write(&path, bad).unwrap();
        assert_eq!(house.code("prod"), Code::Rollback, "byte {place}");
    }
    fs::write(&path, [&good[..], b"\n"].concat()).unwrap();
    assert_eq!(house.code("prod"), Code::Rollback);
    house.restart().unwrap();
    assert_eq!(house.code("prod"), Code::Rollback);
    house.vault().record("other").unwrap();
    let held = house.vault().keys().unwrap();
    let seen: Vec<_> = held.iter().map(|held| (held.name.as_str(), held.record.is_ok())).collect();
    assert_eq!(seen, [("other", true), ("prod", false)]);
    fs::write(&path, good).unwrap();
    house.vault().record("prod").unwrap();
}

#[test]
fn an_older_record_put_back_is_refused_and_named_so() {
    let mut house = House::with(&["prod"]);
    let first = fs::read(house.at("keys/prod.age")).unwrap();
    house.next("prod").unwrap();
    fs::write(house.at("keys/prod.age"), &first).unwrap();
    assert!(why(house.vault().record("prod").unwrap_err()).contains("an older one"));
    house.restart().unwrap();
    assert_eq!(house.code("prod"), Code::Rollback);
}

#[test]
fn a_record_of_another_name_another_vault_or_none_is_refused() {
    let mut house = House::with(&["prod", "other"]);
    let other = fs::read(house.at("keys/other.age")).unwrap();
    fs::copy(house.at("keys/other.age"), house.at("keys/third.age")).unwrap();
    assert_eq!(house.code("third"), Code::Rollback);
    let hint = Refusal::from(house.vault().record("third").unwrap_err()).hint.unwrap();
    assert_eq!(hint, format!("signet restore {}", house.at("keys/third.age").display()));
    fs::write(house.at("keys/prod.age"), other).unwrap();
    assert_eq!(house.code("prod"), Code::Rollback);
    fs::remove_file(house.at("keys/prod.age")).unwrap();
    assert!(why(house.vault().record("prod").unwrap_err()).contains("missing"));
    assert_eq!(house.code("nobody"), Code::BadRequest);
    assert_eq!(house.code("../state"), Code::BadRequest);
}

#[test]
fn state_that_is_missing_or_older_than_the_records_is_never_made_anew() {
    let mut house = House::with(&["prod"]);
    let old = fs::read(house.at(STATE)).unwrap();
    house.next("prod").unwrap();
    house.vault = None;
    let new = fs::read(house.at(STATE)).unwrap();

    fs::write(house.at(STATE), old).unwrap();
    house.restart().unwrap();
    assert_eq!(house.code("prod"), Code::Rollback);

    house.vault = None;
    fs::remove_file(house.at(STATE)).unwrap();
    let refused = Refusal::from(Vault::open(&house.at("")).unwrap_err());
    assert_eq!(refused.code, Code::Rollback);
    assert!(refused.hint.unwrap().contains("signet restore /"));
    assert!(!house.at(STATE).exists());

    fs::write(house.at(STATE), new).unwrap();
    fs::set_permissions(house.at(STATE), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    house.restart().unwrap();
    house.vault().record("prod").unwrap();
}

/// Every moment at which a writer of a second generation can be killed.
#[test]
fn a_writer_that_was_killed_leaves_the_old_or_the_new_generation() {
    let mut house = House::with(&["prod"]);
    let old = house.vault().record("prod").unwrap();
    let new = house.next("prod").unwrap();
    let half = |state: &mut State| {
        let key = state.keys.get_mut("prod").unwrap();
        (key.pin, key.pending) = (Some(old.pin()), Some(new.pin()));
        state.retired.clear();
    };
    // After the file, before the pin.
    house.edit_state(half);
    house.restart().unwrap();
    assert_eq!(house.vault().record("prod").unwrap(), new);
    // Before the file.
    house.edit_state(half);
    fs::write(house.at("keys/prod.age"), &old.bytes).unwrap();
    fs::write(house.at("keys/.prod.age.tmp"), "torn").unwrap();
    house.restart().unwrap();
    assert_eq!(house.vault().record("prod").unwrap(), old);
    assert!(!house.at("keys/.prod.age.tmp").exists());
    // The one that never was is not taken later.
    fs::write(house.at("keys/prod.age"), &new.bytes).unwrap();
    assert_eq!(house.code("prod"), Code::Rollback);
}

#[test]
fn a_first_generation_that_was_not_acknowledged_leaves_the_name_free_or_stands() {
    let mut house = House::with(&["prod"]);
    let record = house.vault().record("prod").unwrap();
    let half = |state: &mut State| {
        let key = KeyState { pending: Some(record.pin()), ..KeyState::default() };
        state.keys.insert("prod".to_owned(), key);
    };
    house.edit_state(half);
    house.restart().unwrap();
    assert_eq!(house.vault().record("prod").unwrap(), record);
    house.edit_state(half);
    fs::remove_file(house.at("keys/prod.age")).unwrap();
    house.restart().unwrap();
    house.add("prod").unwrap();
}

#[test]
fn a_write_that_fails_keeps_the_old_record_in_force() {
    let mut house = House::with(&["prod"]);
    let old = house.vault().record("prod").unwrap();
    // No temporary file can be made, as on a full disk.
    fs::create_dir(house.at("keys/.prod.age.tmp")).unwrap();
    assert!(matches!(house.next("prod"), Err(VaultError::Disk(_))));
    assert_eq!(house.vault().record("prod").unwrap(), old);
    fs::remove_dir(house.at("keys/.prod.age.tmp")).unwrap();
    house.next("prod").unwrap();
    house.restart().unwrap();
    assert_eq!(house.vault().record("prod").unwrap().meta.epoch, 2);
}

#[test]
fn only_the_next_generation_of_the_record_that_was_read_is_taken() {
    let mut house = House::with(&["prod"]);
    let first = house.vault().record("prod").unwrap();
    house.next("prod").unwrap();
    let late = Metadata { epoch: 2, previous: Some(first.header_sha256.clone()), ..first.meta.clone() };
    let bytes = seal(&late, &[&house.token]);
    let error = house.vault().commit_next("prod", &first.header_sha256, &bytes, &late, at(0)).unwrap_err();
    assert!(matches!(error, VaultError::Conflict(_)));

    let now = house.vault().record("prod").unwrap();
    let good = Metadata { epoch: 3, previous: Some(now.header_sha256.clone()), ..now.meta.clone() };
    let spoilt: [fn(&mut Metadata); 4] = [
        |meta| meta.epoch = 4,
        |meta| meta.previous = None,
        |meta| meta.name = "other".to_owned(),
        |meta| meta.recipients.clear(),
    ];
    for spoil in spoilt {
        let mut meta = good.clone();
        spoil(&mut meta);
        let bytes = seal(&meta, &[&house.token]);
        let error = house.vault().commit_next("prod", &now.header_sha256, &bytes, &meta, at(0)).unwrap_err();
        assert!(matches!(error, VaultError::Unfit(_)));
    }
    let other = Metadata { policy: Vec::new(), ..good.clone() };
    let bytes = seal(&other, &[&house.token]);
    let error = house.vault().commit_next("prod", &now.header_sha256, &bytes, &good, at(0)).unwrap_err();
    assert!(why(error).contains("ordered"));
    assert_eq!(house.vault().record("prod").unwrap(), now);
}

#[test]
fn a_candidate_that_does_not_fit_is_refused_each_with_its_reason() {
    let mut house = House::with(&["prod"]);
    let stranger = a_token("9999");
    let refused = |house: &mut House, spoil: &dyn Fn(&mut Metadata), to: &[&Token]| {
        let mut meta = house.meta("new");
        spoil(&mut meta);
        let bytes = seal(&meta, to);
        why(house.vault().check_new("new", &bytes).unwrap_err())
    };
    let own = house.token.clone();
    let mut expect = |spoil: &dyn Fn(&mut Metadata), to: &[&Token], words: &str| {
        let message = refused(&mut house, spoil, to);
        assert!(message.contains(words), "{message}");
    };
    expect(&|meta| meta.vault_id = "0".repeat(32), &[&own], "another vault");
    expect(&|meta| meta.name = "prod".to_owned(), &[&own], "another name");
    expect(&|meta| meta.epoch = 2, &[&own], "epoch");
    expect(&|meta| meta.previous = Some("0".repeat(64)), &[&own], "does not follow");
    expect(&|meta| meta.version = 2, &[&own], "another version");
    expect(&|meta| meta.created = "today".to_owned(), &[&own], "date");
    expect(&|meta| meta.access_key_id = "akia".to_owned(), &[&own], "access key id");
    expect(&|meta| meta.account = Some("12".to_owned()), &[&own], "12 digits");
    expect(&|meta| meta.recipients.push(own.recipient.clone()), &[&own], "twice");
    expect(&|meta| meta.recipients = vec![stranger.recipient.clone()], &[&stranger], "not enrolled");
    expect(&|_| {}, &[&stranger], "not sealed to token 1234");
    expect(&|_| {}, &[&own, &stranger], "does not name");
    let message = why(house.vault().check_new("new", b"age-encryption.org/v1\n").unwrap_err());
    assert!(message.contains("does not parse"), "{message}");
}

#[test]
fn a_name_is_given_once_even_if_only_a_stray_file_has_it() {
    let mut house = House::with(&["prod"]);
    assert!(matches!(house.add("prod"), Err(VaultError::NameTaken(_))));
    fs::copy(house.at("keys/prod.age"), house.at("keys/stray.age")).unwrap();
    assert!(matches!(house.add("stray"), Err(VaultError::NameTaken(_))));
    house.vault().remove("stray", at(0)).unwrap();
    house.add("stray").unwrap();
}

#[test]
fn a_removed_record_is_in_the_trash_and_never_comes_back() {
    let mut house = House::with(&["prod"]);
    let record = house.vault().record("prod").unwrap();
    house.vault().remove("prod", at(0)).unwrap();
    let trashed = house.at("trash/prod.20270115T080000Z.age");
    assert_eq!(fs::read(&trashed).unwrap(), record.bytes);
    assert_eq!(house.code("prod"), Code::BadRequest);
    assert!(matches!(house.vault().remove("prod", at(0)), Err(VaultError::NoSuchKey(_))));
    // Neither as a file nor as an addition; nor under the name's next record.
    let again = house.vault().check_new("prod", &record.bytes).unwrap_err();
    assert!(why(again).contains("removed"));
    fs::copy(&trashed, house.at("keys/prod.age")).unwrap();
    assert_eq!(house.code("prod"), Code::Rollback);
    house.vault().remove("prod", at(1)).unwrap();
    house.add("prod").unwrap();
    fs::copy(&trashed, house.at("keys/prod.age")).unwrap();
    assert!(why(house.vault().record("prod").unwrap_err()).contains("older"));
}

#[test]
fn a_removal_that_was_interrupted_is_finished_at_the_next_start() {
    let mut house = House::with(&["prod", "other"]);
    house.edit_state(|state| state.keys.get_mut("prod").unwrap().removing = true);
    house.restart().unwrap();
    assert_eq!(house.code("prod"), Code::BadRequest);
    assert!(house.at("trash/prod.interrupted.age").exists());
    house.edit_state(|state| state.keys.get_mut("other").unwrap().removing = true);
    fs::rename(house.at("keys/other.age"), house.at("trash/other.x.age")).unwrap();
    house.restart().unwrap();
    assert_eq!(house.code("other"), Code::BadRequest);
}

#[test]
fn a_token_goes_only_when_no_record_names_it() {
    let mut house = House::with(&["prod"]);
    assert!(matches!(house.vault().add_token(a_token("1234")), Err(VaultError::TokenTaken(_))));
    assert!(matches!(house.vault().remove_token("5"), Err(VaultError::NoSuchToken(_))));
    house.vault().add_token(a_token("5")).unwrap();
    house.vault().remove_token("5").unwrap();
    let error = house.vault().remove_token("1234").unwrap_err();
    assert!(why(error).contains("prod"));
    house.vault().remove("prod", at(0)).unwrap();
    house.vault().remove_token("1234").unwrap();
    house.restart().unwrap();
    assert!(house.vault().tokens().is_empty());
}

#[test]
fn an_account_is_pinned_once() {
    let mut house = House::with(&["prod"]);
    assert!(matches!(house.vault().pin_account("prod", "12"), Err(VaultError::Unfit(_))));
    house.vault().pin_account("prod", "123456789012").unwrap();
    house.vault().pin_account("prod", "123456789012").unwrap();
    let error = house.vault().pin_account("prod", "210987654321").unwrap_err();
    assert!(why(error).contains("123456789012"));
}

#[test]
fn an_attempt_is_counted_before_it_is_checked_and_a_killed_agent_buys_no_guess() {
    let mut house = House::with(&["prod"]);
    for _ in 0..3 {
        // Dropped unsettled, as by a crash.
        let _lost = house.vault().attempt(&prod(), at(0)).unwrap();
        house.restart().unwrap();
    }
    let Err(VaultError::Locked { retry_after, .. }) = house.vault().attempt(&prod(), at(1)) else {
        panic!("a fourth guess at once");
    };
    assert_eq!(retry_after, 29);
    house.vault().attempt(&prod(), at(30)).map(drop).unwrap();
    assert!(house.vault().check_unlocked(&prod(), at(89)).is_err());
    house.vault().check_unlocked(&prod(), at(90)).unwrap();
}

#[test]
fn an_accepted_step_is_kept_and_never_accepted_again() {
    let mut house = House::with(&["prod"]);
    let settle = |house: &mut House, fate| {
        let attempt = house.vault().attempt(&prod(), at(0)).unwrap();
        house.vault().settle(attempt, fate)
    };
    settle(&mut house, CodeFate::Refused).unwrap();
    settle(&mut house, CodeFate::Refused).unwrap();
    settle(&mut house, CodeFate::Accepted(100)).unwrap();
    house.restart().unwrap();
    assert_eq!(house.vault().last_step(&prod()), Some(100));
    // Failures are forgotten: two more are free. A code nobody looked at does not count.
    settle(&mut house, CodeFate::Unchecked).unwrap();
    for step in [100, 99] {
        assert!(matches!(settle(&mut house, CodeFate::Accepted(step)), Err(VaultError::Replay(_))));
    }
    assert_eq!(house.vault().last_step(&prod()), Some(100));
    settle(&mut house, CodeFate::Accepted(101)).unwrap();
}

#[test]
fn a_code_is_not_handed_on_when_it_cannot_be_counted() {
    let mut house = House::with(&["prod"]);
    fs::create_dir(house.at(".state.json.tmp")).unwrap();
    assert!(matches!(house.vault().attempt(&prod(), at(0)), Err(VaultError::Disk(_))));
    fs::remove_dir(house.at(".state.json.tmp")).unwrap();
    // It stays counted: this process knows no less than the disk.
    house.vault().attempt(&prod(), at(0)).map(drop).unwrap();
    house.vault().attempt(&prod(), at(0)).map(drop).unwrap();
    assert!(house.vault().check_unlocked(&prod(), at(0)).is_err());
}
