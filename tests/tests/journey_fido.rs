//! A key whose every use is approved by a FIDO2 authenticator: enrolled, used, refused, taken away; and what is
//! left of it in the log.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod journey;

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use journey::office::{FIDO_PIN, Office};
use journey::{Desk, failure, wait_until};
use serde_json::Value;
use signet_tests::card::{Assertion, Card, Fido, Lie, Profile, Touch, Uv};
use signet_tests::process::python;

/// The script that checks a proof without Signet.
const VERIFY_PROOF: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/verify-proof");

#[test]
fn every_use_is_approved_and_the_log_proves_it() {
    let office = Office::new();
    let desk = &office.desk;
    let factor = office.factors().pop().unwrap();
    assert_eq!((&factor["id"], &factor["label"]), (&"fido2-1".into(), &"office".into()));
    assert_eq!(factor["credential"]["user_verification"], true);
    assert!(desk.signet.run(&["list"]).ok().contains("fido2-1"));

    office.works();
    office.works();
    let (_, asked) = desk.signet.asked().into_iter().rfind(|(kind, _)| kind == "fido-pin").unwrap();
    assert!(asked.contains("office (fido2-1)") && asked.contains("8 tries left"), "{asked}");

    let said = desk.signet.run(&["audit", "verify", "--approvals", "-o", "json"]).ok();
    let said: Value = serde_json::from_str(&said).unwrap();
    let approvals = said["approvals"].as_array().unwrap();
    assert_eq!((said["faults"].as_array().unwrap().len(), approvals.len()), (0, 2), "{said}");
    assert_eq!((&approvals[0]["label"], &approvals[0]["verified"]), (&"office".into(), &true.into()));

    let (code, shown) = shown(desk, &desk.audit()[desk.audit().len() - 1..]);
    assert!(code == 0 && shown.contains("sts:GetCallerIdentity"), "{shown}");
}

/// What the script says of the proofs of these outcomes, which is not Signet.
fn shown(desk: &Desk, outcomes: &[Value]) -> (i32, String) {
    let ids = outcomes.iter().map(|outcome| outcome["id"].as_str().unwrap());
    let prove: Vec<&str> = ["audit", "prove"].into_iter().chain(ids).collect();
    let file = desk.signet.path("proofs.json");
    fs::write(&file, desk.signet.run(&prove).ok()).unwrap();
    let ran = Command::new(python("python")).arg(VERIFY_PROOF).arg(&file).output().unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    (ran.status.code().unwrap(), String::from_utf8(said).unwrap())
}

/// A log of real uses, each of which is proved to somebody who has no Signet. A run does some;
/// `SIGNET_APPROVALS=1000` does so many.
#[test]
fn a_whole_log_is_proved() {
    let uses: usize = std::env::var("SIGNET_APPROVALS").map_or(8, |number| number.parse().unwrap());
    let office = Office::new();
    let desk = &office.desk;
    let begun = Instant::now();
    for _ in 0..uses {
        let _ = desk.identity(&[]).ok();
    }
    println!("{uses} approved uses in {:?}", begun.elapsed());
    let log = desk.audit();
    let approved: Vec<Value> = log.into_iter().filter(|line| line["proof"].is_object()).collect();
    assert_eq!(approved.len(), uses);
    let verified = desk.signet.run(&["audit", "verify", "-o", "json"]).ok();
    let verified: Value = serde_json::from_str(&verified).unwrap();
    assert_eq!(verified["approvals"].as_array().unwrap().len(), uses);
    let (code, said) = shown(desk, &approved);
    assert_eq!(
        (code, said.matches("approved sts:GetCallerIdentity with key prod").count()),
        (0, uses),
        "{said}"
    );
}

#[test]
fn the_person_is_told_which_device_to_touch_and_what_for() {
    let office = Office::new();
    let Office { desk, approver } = &office;
    let seen = desk.signet.times_asked("touch");
    approver.touch(Touch::Never);
    desk.card.touch(Touch::Never);
    let using = desk.begin_identity(&[]);
    let serial = desk.card.serial().to_string();
    for (number, card, name) in [(1, approver, "office (fido2-1)"), (2, &desk.card, &serial)] {
        wait_until("the notice", || desk.signet.times_asked("touch") == seen + number);
        let (_, text) = desk.signet.asked().into_iter().rfind(|(kind, _)| kind == "touch").unwrap();
        let what = format!("touch {number} of 2 for sts:GetCallerIdentity");
        assert!(text.contains(name) && text.contains(&what), "{text}");
        wait_until("the touch", || card.press());
    }
    let _ = using.finish().ok();
}

#[test]
fn an_act_on_the_key_is_approved_too_and_the_last_approval_takes_the_factor_away() {
    let office = Office::new();
    let desk = &office.desk;
    let _ = desk.signet.run(&["policy", "set", "prod", "root-only-tasks", "session"]).ok();
    assert_eq!(desk.audit().pop().unwrap()["factors"][0], "fido2");
    let again = desk.signet.run(&["factor", "add", "fido2", "--key", "prod", "-o", "json"]);
    let said = failure(&again, 77, "bad_request");
    assert!(said["message"].as_str().unwrap().contains("enrolled already"), "{said}");
    let _ = desk.signet.run(&["factor", "remove", "fido2-1", "--key", "prod"]).ok();
    assert!(office.factors().is_empty());
    desk.works();
    let said = desk.signet.run(&["audit", "verify"]).ok();
    assert!(said.contains("whole"), "{said}");
}

/// Adds an authenticator as a factor while a card that would be in the way is out, until the key's own part
/// begins.
fn enrols(desk: &mut Desk, other: Option<&mut Card>, label: &str) {
    let begun = |desk: &Desk| desk.audit().iter().filter(|line| line["action"] == "signet:AddFactor").count();
    let before = begun(desk);
    let add = ["factor", "add", "fido2", "--key", "prod", "--label", label];
    match other {
        Some(other) => {
            other.remove();
            let adding = desk.signet.spawn(&add, b"");
            wait_until("the key's own part", || begun(desk) > before);
            other.reinsert();
            let _ = adding.finish().ok();
        }
        None => {
            desk.card.remove();
            let adding = desk.signet.spawn(&add, b"");
            wait_until("the key's own part", || begun(desk) > before);
            desk.card.reinsert();
            let _ = adding.finish().ok();
        }
    }
}

#[test]
fn any_one_of_several_authenticators_approves_and_each_is_enrolled_alone() {
    let mut desk = Desk::with_key();
    let mut office = Card::insert(&desk.pcscd, Profile::v5_2_7().fido(Fido::v2_0().never_counting()));
    let both = desk.signet.run(&["factor", "add", "fido2", "--key", "prod", "-o", "json"]);
    let said = failure(&both, 77, "bad_request");
    assert!(said["message"].as_str().unwrap().contains("several"), "{said}");

    enrols(&mut desk, None, "office");
    enrols(&mut desk, Some(&mut office), "belt");
    let list = desk.signet.run(&["factor", "list"]).ok();
    assert!(list.contains("fido2-1") && list.contains("fido2-2") && list.contains("belt"), "{list}");
    // The one on the belt is the key's own token too.
    office.remove();
    let touches = desk.card.touches_asked();
    let _ = desk.identity(&[]).ok();
    assert_eq!(desk.card.touches_asked(), touches + 2);
    office.reinsert();
    let _ = desk.identity(&[]).ok();
    let said: Value =
        serde_json::from_str(&desk.signet.run(&["audit", "verify", "-o", "json"]).ok()).unwrap();
    let by: Vec<&str> =
        said["approvals"].as_array().unwrap().iter().map(|each| each["factor"].as_str().unwrap()).collect();
    assert!(by.contains(&"fido2-1") && by.contains(&"fido2-2"), "{by:?}");
    assert_eq!(said["faults"].as_array().unwrap().len(), 0, "{said}");
}

#[test]
fn without_a_pin_a_touch_approves_and_that_is_said() {
    let office = Office::with(Fido::v2_1(), None);
    assert_eq!(office.factors()[0]["credential"]["user_verification"], false);
    assert_eq!(office.desk.signet.times_asked("fido-pin"), 0);
    office.works();
}

#[test]
fn a_finger_is_read_in_the_place_of_the_pin() {
    let office = Office::with(Fido::v2_1().uv(Uv::Matches), Some(FIDO_PIN));
    let asked = office.desk.signet.times_asked("fido-pin");
    let _ = office.desk.identity(&[]).ok();
    assert_eq!(office.desk.signet.times_asked("fido-pin"), asked, "no pin is asked");
    office.approver.set_uv(Uv::Never);
    let said = office.refuses(77, "pin_failed");
    assert!(said["message"].as_str().unwrap().contains("finger"), "{said}");
    office.approver.set_uv(Uv::Matches);
    let _ = office.desk.identity(&[]).ok();
}

#[test]
fn a_wrong_pin_of_the_authenticator_spends_no_try_of_the_token() {
    let office = Office::new();
    office.desk.signet.answer("fido-pin", &["wrong-1"]);
    for left in [7, 6] {
        let said = office.refuses(77, "pin_failed");
        assert_eq!(said["tries_left"], left, "{said}");
    }
    let said = office.refuses(77, "token_locked");
    assert!(said["message"].as_str().unwrap().contains("plug it in again"), "{said}");
    office.desk.signet.answer("fido-pin", &[FIDO_PIN]);
    assert_eq!(office.refuses(77, "token_locked")["code"], "token_locked");
    let mut office = office;
    office.approver.remove();
    office.approver.reinsert();
    office.works();
    office.approver.set_fido_tries(0);
    let said = office.refuses(77, "token_locked");
    assert!(said["message"].as_str().unwrap().contains("reset"), "{said}");
    assert_eq!(office.desk.card.tries(), (3, 3));
}

#[test]
fn nobody_touches_and_the_next_use_works_at_once() {
    let office = Office::new();
    for card in [&office.approver, &office.desk.card] {
        card.set_touch_timeout(Duration::from_millis(300));
    }
    office.approver.touch(Touch::Never);
    office.refuses(75, "not_touched");
    office.approver.touch(Touch::Now);
    office.works();
    office.desk.card.touch(Touch::Never);
    office.desk.refuses(75, "not_touched", |desk| desk.identity(&[]));
    office.is_clean();
    office.desk.card.touch(Touch::Now);
    office.works();
}

#[test]
fn whoever_goes_away_at_either_touch_leaves_nothing_behind() {
    let office = Office::new();
    for at in [&office.approver, &office.desk.card] {
        at.touch(Touch::Never);
        let (sent, lines) = (office.desk.sent().len(), office.desk.audit().len());
        let mut using = office.desk.begin_identity(&[]);
        at.wait_until_asked();
        using.kill();
        wait_until("the end of the use", || {
            office.desk.audit().len() > lines + 1 && office.desk.signers() == 0
        });
        office.desk.nothing_signed(sent, lines, "interrupted");
        at.touch(Touch::Now);
        office.works();
    }
}

#[test]
fn an_authenticator_that_is_not_there_is_named_and_waited_for() {
    let mut office = Office::new();
    office.approver.remove();
    let said = office.desk.refuses(75, "token_absent", |desk| desk.identity(&["--no-prompt"]));
    let message = said["message"].as_str().unwrap();
    assert!(message.contains("office (fido2-1)") && message.contains("plug in"), "{said}");
    let lines = office.desk.audit().len();
    let using = office.desk.begin_identity(&[]);
    wait_until("the intent", || office.desk.audit().len() > lines);
    office.approver.reinsert();
    let _ = using.finish().ok();
    // Pulled out while it waits for its touch.
    office.approver.touch(Touch::Never);
    let (sent, lines) = (office.desk.sent().len(), office.desk.audit().len());
    let using = office.desk.begin_identity(&[]);
    office.approver.wait_until_asked();
    office.approver.remove();
    failure(&using.finish(), 75, "token_absent");
    office.desk.nothing_signed(sent, lines, "token_absent");
    office.approver.touch(Touch::Now);
    office.approver.reinsert();
    office.works();
    // Emptied by a reset: it holds the credential no more.
    for id in office.approver.fido_credentials() {
        assert!(office.approver.delete_fido_credential(&id));
    }
    office.desk.refuses(75, "token_absent", |desk| desk.identity(&["--no-prompt"]));
}

/// An assertion, wrong in one thing.
type Change = fn(&mut Assertion);

/// Thirty of them: all are refused before the key's token is asked, and none disturbs the next use.
#[test]
fn thirty_hostile_assertions() {
    let office = Office::new();
    let signed: [(&str, &str, Change); 13] = [
        ("another relying party", "unsupported", |it| it.set_rp_id("signet.example")),
        ("no relying party", "unsupported", |it| it.set_rp_id("")),
        ("nobody there", "factor_failed", |it| it.set_flags(it.flags() & !1)),
        ("nobody verified", "factor_failed", |it| it.set_flags(it.flags() & !4)),
        ("no flags", "factor_failed", |it| it.set_flags(0)),
        ("the counter it was enrolled with", "factor_failed", |it| it.set_counter(2)),
        ("an older counter", "factor_failed", |it| it.set_counter(1)),
        ("no counter", "factor_failed", |it| it.set_counter(0)),
        ("another request", "factor_failed", |it| it.client_data_hash = vec![0; 32]),
        ("a shorter hash", "factor_failed", |it| it.client_data_hash.truncate(31)),
        ("attested data that is not there", "unsupported", |it| it.set_flags(it.flags() | 0x40)),
        ("extensions that are not there", "unsupported", |it| it.set_flags(it.flags() | 0x80)),
        ("short data", "unsupported", |it| it.authenticator_data.truncate(36)),
    ];
    let told: [(&str, &str, Change); 9] = [
        ("another credential", "unsupported", |it| it.credential_id.push(0)),
        ("no signature", "factor_failed", |it| it.signature.clear()),
        ("a changed signature", "factor_failed", |it| *it.signature.last_mut().unwrap() ^= 1),
        ("a longer signature", "factor_failed", |it| it.signature.push(0)),
        ("half a signature", "factor_failed", |it| it.signature.truncate(20)),
        ("a counter that was not signed", "factor_failed", |it| it.set_counter(it.counter() + 1)),
        ("flags that were not signed", "factor_failed", |it| it.set_flags(it.flags() | 0x10)),
        ("data that was not signed", "unsupported", |it| it.authenticator_data = vec![0; 37]),
        ("long data", "unsupported", |it| it.authenticator_data.extend([0; 64])),
    ];
    // getAssertion (the question for a credential), getInfo, clientPIN.
    let answers: [(&str, u8, &[u8]); 8] = [
        ("nothing at all", 0x02, &[]),
        ("only good news", 0x02, &[0x00]),
        ("an empty map", 0x02, &[0x00, 0xa0]),
        ("a map that ends early", 0x04, &[0x00, 0xa3, 0x01, 0xa2]),
        ("a list", 0x04, &[0x00, 0x80]),
        (
            "nested without end",
            0x06,
            &[0x00, 0xa1, 0x01, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81],
        ),
        ("a length of 2^64", 0x06, &[0x00, 0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ("an unknown status", 0x02, &[0xdf]),
    ];
    assert_eq!(signed.len() + told.len() + answers.len(), 30);
    let refused = |case: &str, code: &str, lie: Lie| {
        println!("{case}");
        office.approver.fido_next(lie);
        office.refuses(77, code);
        assert_eq!(office.approver.lies_left(), 0, "{case}");
    };
    for (case, code, change) in signed {
        refused(case, code, Lie::signed(change));
    }
    for (case, code, change) in told {
        refused(case, code, Lie::told(change));
    }
    for (case, command, answer) in answers {
        refused(case, "unsupported", Lie::instead(command, answer));
    }
    office.works();
}

#[test]
fn a_copied_authenticator_is_noticed_by_its_counter() {
    let office = Office::new();
    office.works();
    let counter = office.approver.fido_counter();
    // It has answered questions since, and counted them.
    office.approver.set_fido_counter(counter - 5);
    let said = office.refuses(77, "factor_failed");
    assert!(said["message"].as_str().unwrap().contains("copied"), "{said}");
    office.approver.set_fido_counter(counter + 40);
    office.works();
}

#[test]
fn a_new_key_is_added_with_its_authenticator() {
    let desk = Desk::of(Profile::v5_7_1(), &["yubikey-piv"]);
    desk.card.set_fido_pin(Some(FIDO_PIN));
    desk.signet.answer("fido-pin", &[FIDO_PIN]);
    let _ = desk.signet.run(&["init", "--yes"]).ok();
    desk.add(&["--fido2"]);
    let touches = desk.card.touches_asked();
    let _ = desk.identity(&[]).ok();
    assert_eq!(desk.card.touches_asked(), touches + 2);
    let said = desk.signet.run(&["audit", "verify", "--approvals"]).ok();
    assert!(said.contains("sts:GetCallerIdentity"), "{said}");
}

#[test]
fn an_authenticator_alone_opens_records() {
    let desk = Desk::of(Profile::bare().fido(Fido::v2_1()), &["fido2"]);
    let no_pin = desk.signet.run(&["init", "--yes", "-o", "json"]);
    let said = failure(&no_pin, 77, "unsupported");
    assert!(said["message"].as_str().unwrap().contains("no pin"), "{said}");
    desk.card.set_fido_pin(Some(FIDO_PIN));
    desk.signet.answer("fido-pin", &[FIDO_PIN]);
    let _ = desk.signet.run(&["init", "--yes"]).ok();
    desk.add(&["--fido2"]);
    let _ = desk.identity(&[]).ok();
    let listed = desk.signet.run(&["token", "list"]).ok();
    assert!(listed.contains("fido-") && listed.contains("yes"), "{listed}");
    let _ = desk.signet.run(&["verify", "prod"]).ok();
}
