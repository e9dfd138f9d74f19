//! Lost and dropped tokens: what is marked, what is gone, what is refused.

use super::*;
use signet_protocol::record::Holder;

impl House {
    /// A key that the tokens 1234 and 5 open.
    pub(super) fn with_two_tokens(name: &str) -> Self {
        let mut house = Self::new();
        house.vault().add_token(a_token("5")).unwrap();
        let mut meta = house.meta(name);
        meta.recipients = house.both().iter().map(|token| token.recipient.clone()).collect();
        let bytes = sealed(&meta);
        let record = house.vault().check_new(name, &bytes).unwrap();
        house.vault().commit_new(&record).unwrap();
        house
    }

    pub(super) fn both(&self) -> Vec<Token> {
        self.vault.as_ref().unwrap().tokens().to_vec()
    }

    /// What the next generation says if nothing is asked for.
    pub(super) fn following(&self, old: &StoredRecord) -> Metadata {
        let (epoch, previous) = (old.meta.epoch + 1, Some(old.header_sha256.clone()));
        Metadata { epoch, previous, ..old.meta.clone() }
    }

    /// The next generation, without these tokens.
    pub(super) fn reseal(&mut self, name: &str, drop: &[&str]) -> Result<StoredRecord, VaultError> {
        let old = self.vault().record(name)?;
        let mut meta = self.following(&old);
        meta.recipients.retain(|token| !drop.contains(&token.serial.as_str()));
        let bytes = sealed(&meta);
        self.vault().commit_next(name, &old.header_sha256, &bytes, &meta, at(0))
    }

    fn rotate(&mut self, name: &str) -> Option<String> {
        self.vault().memory(name).rotate
    }
}

#[test]
fn a_drop_marks_the_key_and_leaves_no_older_copy_in_the_trash() {
    let mut house = House::with_two_tokens("prod");
    // The same key was here before, and another one.
    for name in ["before", "other"] {
        house.add(name).unwrap();
        house.vault().remove(name, at(0)).unwrap();
    }
    let others = house.at("trash/other.20270115T080000Z.age");
    let mut meta = house.meta("stays");
    meta.access_key_id = "AKIAI44QH8DHBEXAMPLE".to_owned();
    fs::write(&others, seal(&meta, &[&house.token])).unwrap();
    house.vault().verified("prod", "1234", at(0)).unwrap();
    house.vault().verified("prod", "5", at(0)).unwrap();

    let record = house.reseal("prod", &["1234"]).unwrap();
    assert_eq!((record.meta.epoch, record.meta.recipients.len()), (2, 1));
    let mark = "2027-01-15 token 1234 was dropped: old copies of the record can still be opened with it";
    assert_eq!(house.rotate("prod").unwrap(), mark);
    assert_eq!(fs::read_dir(house.at("trash")).unwrap().count(), 1, "only another key's copy stays");
    assert!(others.exists());
    let verified = house.vault().memory("prod").verified;
    assert_eq!(verified.keys().map(String::as_str).collect::<Vec<_>>(), ["5"]);
    house.restart().unwrap();
    assert_eq!(house.rotate("prod").unwrap(), mark);
    house.vault().rotated("prod").unwrap();
    assert_eq!(house.rotate("prod"), None);
    // Another generation with the same tokens marks nothing.
    house.reseal("prod", &[]).unwrap();
    assert_eq!(house.rotate("prod"), None);
}

#[test]
fn a_drop_whose_agent_was_killed_marks_the_key_if_and_only_if_it_holds() {
    let mut house = House::with_two_tokens("prod");
    let old = house.vault().record("prod").unwrap();
    let new = house.reseal("prod", &["5"]).unwrap();
    let half = |state: &mut State| {
        let key = state.keys.get_mut("prod").unwrap();
        (key.pin, key.pending) = (Some(old.pin()), Some(new.pin()));
        let serials = vec!["5".to_owned()];
        key.dropping = Some(state::Dropping { date: "2027-01-15".to_owned(), serials });
        key.memory.rotate = None;
        state.retired.clear();
    };
    house.edit_state(half);
    house.restart().unwrap();
    assert_eq!(house.vault().record("prod").unwrap(), new);
    assert!(house.rotate("prod").unwrap().contains("token 5 was dropped"));
    house.edit_state(half);
    fs::write(house.at("keys/prod.age"), &old.bytes).unwrap();
    house.restart().unwrap();
    assert_eq!(house.vault().record("prod").unwrap(), old);
    assert_eq!(house.rotate("prod"), None);
}

#[test]
fn a_drop_that_cannot_take_the_copies_away_is_not_done() {
    let mut house = House::with_two_tokens("prod");
    house.add("before").unwrap();
    house.vault().remove("before", at(0)).unwrap();
    let trashed = house.at("trash/before.20270115T080000Z.age");
    fs::set_permissions(&trashed, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let old = house.vault().record("prod").unwrap();
    assert!(matches!(house.reseal("prod", &["5"]), Err(VaultError::Disk(_))));
    assert_eq!(house.vault().record("prod").unwrap(), old);
    assert_eq!(house.rotate("prod"), None);
}

#[test]
fn a_lost_token_marks_its_keys_once_and_is_never_taken_again() {
    let mut house = House::with_two_tokens("prod");
    house.add("other").unwrap();
    assert!(matches!(house.vault().lose_token("77", at(0)), Err(VaultError::NoSuchToken(_))));
    house.vault().lose_token("5", at(0)).unwrap();
    let mark = "2027-01-15 token 5 was lost: whoever has it may use this key";
    assert_eq!(house.rotate("prod").unwrap(), mark);
    assert_eq!(house.rotate("other"), None, "it does not open that one");
    house.vault().rotated("prod").unwrap();
    house.vault().lose_token("5", at(90_000)).unwrap();
    assert_eq!(house.rotate("prod"), None, "what was cleared stays cleared");
    house.restart().unwrap();
    assert_eq!(house.vault().lost_since("5"), Some("2027-01-15T08:00:00Z"));

    // Not as a recipient of a new record, nor of a next generation, nor enrolled anew.
    let both = house.both();
    let mut meta = house.meta("new");
    meta.recipients = both.iter().map(|token| token.recipient.clone()).collect();
    let bytes = sealed(&meta);
    let refused = house.vault().check_new("new", &bytes);
    assert!(matches!(refused, Err(VaultError::TokenLost { .. })), "{refused:?}");
    let other = house.vault().record("other").unwrap();
    let mut meta = house.following(&other);
    meta.recipients = both.iter().map(|token| token.recipient.clone()).collect();
    let bytes = sealed(&meta);
    let refused = house.vault().commit_next("other", &other.header_sha256, &bytes, &meta, at(0));
    assert!(matches!(refused, Err(VaultError::TokenLost { .. })), "{refused:?}");
    house.reseal("prod", &["5"]).unwrap();
    house.vault().remove_token("5").unwrap();
    let refused = house.vault().add_token(a_token("5"));
    assert!(matches!(refused, Err(VaultError::TokenLost { .. })), "{refused:?}");
}

#[test]
fn a_key_whose_record_could_not_be_read_is_marked_when_the_loss_is_told_again() {
    let mut house = House::with_two_tokens("prod");
    let good = fs::read(house.at("keys/prod.age")).unwrap();
    fs::write(house.at("keys/prod.age"), "torn").unwrap();
    house.vault().lose_token("5", at(0)).unwrap();
    assert_eq!(house.rotate("prod"), None);
    fs::write(house.at("keys/prod.age"), good).unwrap();
    house.vault().lose_token("5", at(90_000)).unwrap();
    assert!(house.rotate("prod").unwrap().starts_with("2027-01-15 token 5 was lost"), "the day of the loss");
}

#[test]
fn a_key_that_goes_into_tokens_leaves_no_copy_of_it_in_the_trash() {
    let mut house = House::with_two_tokens("prod");
    house.add("before").unwrap();
    house.vault().remove("before", at(0)).unwrap();
    let old = house.vault().record("prod").unwrap();
    let mut meta = house.following(&old);
    meta.custody = Custody::InToken;
    let holder = |serial: &str| Holder {
        kind: "yubikey-oath".to_owned(),
        serial: serial.to_owned(),
        device: "0123456789abcdef".to_owned(),
        credential: "signet-prod".to_owned(),
        access_code: true,
        check: "ab".repeat(32),
    };
    let mut commit = |house: &mut House, holders: Vec<Holder>| {
        meta.holders = holders;
        house.vault().commit_next("prod", &old.header_sha256, &sealed(&meta), &meta, at(0))
    };
    // A holder that does not open the record, one twice, and none at all.
    for holders in [vec![holder("77")], vec![holder("5"), holder("5")], Vec::new()] {
        assert!(matches!(commit(&mut house, holders), Err(VaultError::Unfit(_))));
    }
    assert_eq!(fs::read_dir(house.at("trash")).unwrap().count(), 1);
    commit(&mut house, vec![holder("5")]).unwrap();
    assert_eq!(fs::read_dir(house.at("trash")).unwrap().count(), 0);
    assert_eq!(house.rotate("prod"), None);
}
