//! Records that come back without state.

use super::*;

impl House {
    /// What a record says once it is sealed anew for this vault.
    fn adopted(&self, record: &StoredRecord) -> Metadata {
        let vault_id = self.vault.as_ref().unwrap().vault_id().to_owned();
        Metadata { vault_id, ..self.following(record) }
    }

    fn restore(&mut self, name: &str, bytes: &[u8]) -> Result<(), VaultError> {
        let old = self.vault().check_restorable(name, bytes.to_vec())?;
        let meta = self.adopted(&old);
        let new = sealed(&meta);
        self.vault().commit_restored(&old, &new, &meta, at(0))
    }
}

/// A record of another vault, and the tokens that open it.
fn elsewhere() -> (Vec<u8>, Vec<Token>) {
    let mut house = House::with_two_tokens("prod");
    house.vault().touch_used("prod", at(0)).unwrap();
    (house.vault().record("prod").unwrap().bytes, house.both())
}

#[test]
fn a_record_comes_back_once_with_its_tokens() {
    let (bytes, _) = elsewhere();
    let mut house = House::new();
    house.vault().remove_token("1234").unwrap();
    house.restore("prod", &bytes).unwrap();
    house.restart().unwrap();
    let record = house.vault().record("prod").unwrap();
    assert_eq!((record.meta.epoch, record.meta.recipients.len()), (2, 2));
    let enrolled = house.both();
    assert!(enrolled.iter().all(|token| token.policies == "restored" && !token.attested));
    assert_eq!(enrolled.len(), 2);
    // Not beside itself, and not again when it was removed: neither the backup nor what became of it.
    assert!(matches!(house.restore("prod", &bytes), Err(VaultError::NameTaken(_))));
    house.vault().remove("prod", at(0)).unwrap();
    for bytes in [&bytes, &record.bytes] {
        let refused = house.restore("prod", bytes);
        assert!(matches!(refused, Err(VaultError::Rollback { .. })), "{refused:?}");
    }
}

#[test]
fn what_this_vault_has_replaced_does_not_come_back() {
    let mut house = House::with_two_tokens("prod");
    let first = house.vault().record("prod").unwrap();
    house.reseal("prod", &["5"]).unwrap();
    house.vault().remove("prod", at(0)).unwrap();
    let refused = house.vault().check_restorable("prod", first.bytes.clone());
    assert!(matches!(refused, Err(VaultError::Rollback { .. })), "{refused:?}");
    // Nor a copy of it under another name.
    let refused = house.vault().check_restorable("other", first.bytes);
    assert!(why(refused.unwrap_err()).contains("of the key prod"));
}

#[test]
fn the_same_file_may_stand_there_unknown_and_no_other() {
    let (bytes, _) = elsewhere();
    let mut house = House::new();
    house.vault().remove_token("1234").unwrap();
    let path = house.at("keys/prod.age");
    fs::write(&path, "another").unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert!(matches!(house.restore("prod", &bytes), Err(VaultError::NameTaken(_))));
    fs::write(&path, &bytes).unwrap();
    house.restore("prod", &bytes).unwrap();
    assert_ne!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_token_known_here_as_another_is_named_and_one_that_was_lost_is_not_enrolled() {
    let (bytes, tokens) = elsewhere();
    let mut house = House::new();
    let refused = house.restore("prod", &bytes);
    assert!(matches!(refused, Err(VaultError::OtherToken(serial)) if serial == "1234"));
    house.vault().remove_token("1234").unwrap();
    house.vault().add_token(tokens[1].clone()).unwrap();
    house.vault().lose_token("5", at(0)).unwrap();
    house.vault().remove_token("5").unwrap();
    house.restore("prod", &bytes).unwrap();
    assert_eq!(house.both().len(), 1, "the lost one stays out");
    assert!(house.vault().memory("prod").rotate.unwrap().contains("token 5 was lost"));
    // With it as its only recipient left, nothing can be restored.
    let mut other = House::new();
    other.vault().remove_token("1234").unwrap();
    for token in &tokens {
        other.vault().add_token(token.clone()).unwrap();
        other.vault().lose_token(&token.recipient.serial, at(0)).unwrap();
    }
    let refused = other.vault().check_restorable("prod", bytes);
    assert!(matches!(refused, Err(VaultError::TokenLost { .. })), "{refused:?}");
}

#[test]
fn codes_are_counted_for_a_record_that_is_not_a_key_yet_and_go_with_it() {
    let (bytes, _) = elsewhere();
    let mut house = House::new();
    house.vault().remove_token("1234").unwrap();
    let record = house.vault().check_restorable("prod", bytes.clone()).unwrap();
    let counter = house.vault().counter(&record);
    for _ in 0..3 {
        house.vault().attempt(&counter, at(0)).map(drop).unwrap();
        house.restart().unwrap();
    }
    assert!(matches!(house.vault().attempt(&counter, at(0)), Err(VaultError::Locked { .. })));
    let attempt = house.vault().attempt(&counter, at(30)).unwrap();
    house.vault().settle(attempt, CodeFate::Accepted(7)).unwrap();
    house.restore("prod", &bytes).unwrap();
    house.restart().unwrap();
    let record = house.vault().record("prod").unwrap();
    assert_eq!(house.vault().counter(&record), prod());
    assert_eq!(house.vault().last_step(&prod()), Some(7), "a code is good once, here too");
}
