//! Older copies of state and records beside the audit log that was left: none is taken for good, at
//! whatever point of the vault's life it was copied.

use super::*;
use std::path::Path;

/// What an attacker may have copied.
struct Copied {
    state: Vec<u8>,
    record: Option<Vec<u8>>,
}

impl House {
    /// An entry that tells of something done, written right after it.
    fn tells(&mut self) {
        self.notes();
        self.deed = self.noted;
    }

    /// Any other entry.
    fn notes(&mut self) {
        self.noted += 1;
        let noted = self.noted;
        self.vault().noted(noted);
    }

    fn copied(&self) -> Copied {
        let read = |path: &Path| fs::read(path).ok();
        Copied { state: read(&self.at(STATE)).unwrap(), record: read(&self.at("keys/prod.age")) }
    }

    /// A start with this state and this record, and the log as it is.
    fn start_with(&mut self, state: &[u8], record: Option<&[u8]>) {
        self.vault = None;
        fs::write(self.at(STATE), state).unwrap();
        match record {
            Some(record) => write_private(&self.at("keys/prod.age"), record),
            None => drop(fs::remove_file(self.at("keys/prod.age"))),
        }
        self.restart().unwrap();
    }
}

fn write_private(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

/// A deed, and what it does to a vault with the tokens 1234 and 5.
type Deed = (&'static str, fn(&mut House));

fn deeds() -> Vec<Deed> {
    vec![
        ("a use", |house| house.vault().touch_used("prod", at(0)).unwrap()),
        ("a use with a code", |house| {
            let attempt = house.vault().attempt(&prod(), at(0)).unwrap();
            house.vault().settle(attempt, CodeFate::Accepted(100)).unwrap();
            house.vault().touch_used("prod", at(0)).unwrap();
        }),
        ("another policy", |house| drop(house.next("prod").unwrap())),
        ("a proof", |house| house.vault().verified("prod", "5", at(0)).unwrap()),
        ("a drop", |house| drop(house.reseal("prod", &["1234"]).unwrap())),
        ("a mark taken away", |house| house.vault().rotated("prod").unwrap()),
        ("a loss", |house| house.vault().lose_token("5", at(0)).unwrap()),
        ("a loss told again", |house| house.vault().lose_token("5", at(9)).unwrap()),
        ("an account", |house| house.vault().pin_account("prod", "123456789012").unwrap()),
        ("the account again", |house| house.vault().pin_account("prod", "123456789012").unwrap()),
        ("a rehearsal", |house| house.vault().drilled("prod", "123456789012", at(0)).unwrap()),
        ("a removal", |house| house.vault().remove("prod", at(0)).unwrap()),
    ]
}

#[test]
fn whatever_was_copied_before_something_was_done_is_refused_after_it() {
    let mut house = House::with_two_tokens("prod");
    house.tells();
    let mut copies = vec![("the first", house.copied())];
    for (deed, act) in deeds() {
        // Refusals and hand-outs between: the log goes on, and the state need not.
        house.notes();
        house.restart().unwrap();
        house.notes();
        act(&mut house);
        house.tells();
        let now = house.copied();
        for (before, copy) in &copies {
            for record in [&copy.record, &now.record] {
                house.start_with(&copy.state, record.as_deref());
                let error = Refusal::from(house.vault().record("prod").unwrap_err());
                assert_eq!(error.code, Code::Rollback, "the state after {before}, after {deed}");
                assert!(error.hint.unwrap().contains("signet restore "), "{deed}");
                assert!(house.vault().keys().unwrap().iter().all(|held| held.record.is_err()));
                assert_eq!(fs::read(house.at(STATE)).unwrap(), copy.state, "nothing is changed");
            }
            if copy.record != now.record {
                house.start_with(&now.state, copy.record.as_deref());
                assert_eq!(house.code("prod"), Code::Rollback, "the record after {before}, after {deed}");
            }
        }
        house.start_with(&now.state, now.record.as_deref());
        assert_eq!(house.vault().record("prod").is_ok(), now.record.is_some(), "after {deed}");
        copies.push((deed, now));
    }
}

#[test]
fn nothing_can_be_changed_in_a_vault_whose_state_is_older_than_the_log() {
    let mut house = House::with_two_tokens("prod");
    house.tells();
    let copy = house.copied();
    house.vault().rotated("prod").unwrap();
    house.tells();
    house.start_with(&copy.state, copy.record.as_deref());
    let record = copy.record.unwrap();
    let vault = house.vault.as_mut().unwrap();
    let refused: [Result<(), VaultError>; 10] = [
        vault.check_new("new", &record).map(drop),
        vault.check_restorable("prod", record.clone()).map(drop),
        vault.remove("prod", at(0)),
        vault.rotated("prod"),
        vault.drilled("prod", "123456789012", at(0)),
        vault.lose_token("5", at(0)),
        vault.touch_used("prod", at(0)),
        vault.verified("prod", "5", at(0)),
        vault.add_token(a_token("77")),
        vault.attempt(&prod(), at(0)).map(drop),
    ];
    for (number, refused) in refused.into_iter().enumerate() {
        assert!(matches!(refused, Err(VaultError::Stale(_))), "{number}: {refused:?}");
    }
    assert_eq!(fs::read(house.at(STATE)).unwrap(), copy.state);
    assert!(house.at("keys/prod.age").exists());
}

#[test]
fn an_empty_vault_beside_a_log_of_deeds_is_older_than_it() {
    let mut house = House::new();
    house.tells();
    house.vault = None;
    for name in [STATE, "tokens.json"] {
        fs::remove_file(house.at(name)).unwrap();
    }
    house.restart().unwrap();
    let refused = house.vault().add_token(a_token("5"));
    assert!(matches!(refused, Err(VaultError::Stale(_))), "{refused:?}");
    assert!(!house.at(STATE).exists(), "none is made");
}

/// An agent that is killed anywhere between what it does and the entry that tells it.
#[test]
fn what_was_done_and_not_told_is_no_reason_to_refuse() {
    let mut house = House::with_two_tokens("prod");
    house.tells();
    for (deed, act) in deeds() {
        act(&mut house);
        // Killed: the next start notes that the use has no end, which tells of nothing done.
        house.noted += 1;
        house.restart().unwrap();
        match house.vault().record("prod") {
            Ok(_) => assert_ne!(deed, "a removal"),
            Err(error) => assert!(matches!(error, VaultError::NoSuchKey(_)), "{deed}: {error:?}"),
        }
    }
}

#[test]
fn a_generation_on_the_way_to_another_is_older_than_it_once_that_is_told() {
    let mut house = House::with_two_tokens("prod");
    house.tells();
    let old = house.vault().record("prod").unwrap();
    let step = house.following(&old);
    let bytes = sealed(&step);
    let step = house.vault().commit_step("prod", &old.header_sha256, &bytes, &step, at(0)).unwrap();
    let copy = house.copied();
    // It holds, should the agent end here.
    house.notes();
    house.restart().unwrap();
    assert_eq!(house.vault().record("prod").unwrap(), step);
    house.next("prod").unwrap();
    house.tells();
    house.start_with(&copy.state, copy.record.as_deref());
    assert_eq!(house.code("prod"), Code::Rollback);
}
