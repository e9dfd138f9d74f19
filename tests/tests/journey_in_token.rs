//! A key that lives in tokens, from the first command to the last: added into two YubiKeys, signed with,
//! proved, taken from one of them; and every token that cannot hold it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod journey;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use journey::botocore::{botocore, header};
use journey::{ACCOUNT, Desk, IDENTITY, KEY_ID, PIN, SECRET, SEED, code, failure, wrong_code};
use serde_json::Value;
use signet_tests::card::{Card, Profile, Touch};
use signet_tests::harness::Ran;
use std::time::Duration;

/// The credential's name in the applet.
const CREDENTIAL: &str = "signet-prod";

/// Adds `prod` as [`Desk`] does, with more flags.
fn add(desk: &Desk, more: &[&str]) -> Ran {
    let add = ["add", "prod", "--kind", "root", "--stdin", "--account", ACCOUNT, "--no-verify"];
    desk.signet.run_with(&[&add[..], more].concat(), format!("{KEY_ID}\n{SECRET}\n").as_bytes())
}

/// A desk with a second token in the other reader, both enrolled.
fn two_tokens() -> (Desk, Card) {
    let desk = Desk::new();
    let spare = Card::insert(&desk.pcscd, Profile::v5_4_3());
    for (card, label) in [(&desk.card, "safe"), (&spare, "spare")] {
        let words = ["token", "enrol", "--serial", &card.serial().to_string(), "--label", label];
        let _ = desk.signet.run(&words).ok();
    }
    (desk, spare)
}

/// What `show` says of the key, and `list` with it.
#[track_caller]
fn listed(desk: &Desk) -> Value {
    let read = |words: &[&str]| -> Value { serde_json::from_str(&desk.signet.run(words).ok()).unwrap() };
    let list = read(&["list", "-o", "json"]);
    assert_eq!(list["keys"].as_array().unwrap().len(), 1, "{list}");
    let key = read(&["show", "prod", "-o", "json"])["key"].clone();
    for member in ["name", "custody", "tokens", "epoch", "rotate"] {
        assert_eq!(key[member], list["keys"][0][member], "{member}");
    }
    key
}

/// A use, its signature held against botocore's, and how many touches it took.
#[track_caller]
fn signs(desk: &Desk, cards: &[&Card]) -> usize {
    let asked = || cards.iter().map(|card| card.touches_asked()).sum::<usize>();
    let before = asked();
    let head = "POST / HTTP/1.1\r\nHost: sts.us-east-1.amazonaws.com\r\n\
                content-type: application/x-www-form-urlencoded; charset=utf-8";
    let message = format!("{head}\r\nContent-Length: {}\r\n\r\n{IDENTITY}", IDENTITY.len());
    let sign = ["sign", "prod", "--service", "sts", "--region", "us-east-1"];
    let signed = desk.signet.run_with(&sign, message.as_bytes()).ok();
    assert_eq!(botocore("sts", "us-east-1", &signed), header(&signed, "authorization"), "{signed}");
    for card in cards {
        assert!(!card.pin_is_verified(), "a verified pin was left behind");
        assert!(!card.has_oath_code() || !card.oath_is_unlocked(), "an open applet was left behind");
    }
    assert_eq!(desk.signers(), 0, "a signer was left behind");
    asked() - before
}

/// The secret is in no file of the vault, and in nothing that the agent said.
fn nothing_in_the_clear(desk: &Desk) {
    let mut files = vec![desk.signet.state_dir(), desk.signet.path("agent.log")];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(fs::read_dir(&path).unwrap().flatten().map(|entry| entry.path()));
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        for secret in [SECRET, SEED, PIN] {
            assert!(!text.contains(secret), "{} holds {secret}", path.display());
        }
    }
}

#[test]
fn a_key_in_two_tokens_from_its_first_day_to_its_last() {
    let (mut desk, mut spare) = two_tokens();
    let _ = add(&desk, &["--no-factor", "--custody", "in-token"]).ok();
    let serials = [desk.card.serial().to_string(), spare.serial().to_string()];

    // In both of them, as HMAC key with touch, behind an access code that nobody has seen.
    let expected = format!("AWS4{SECRET}").into_bytes();
    for card in [&desk.card, &spare] {
        assert_eq!(card.oath_key(CREDENTIAL), Some((expected.clone(), true)));
        assert!(card.has_oath_code() && !card.oath_is_unlocked());
    }
    let key = listed(&desk);
    assert_eq!((&key["custody"], &key["touches"]), (&"in-token".into(), &2.into()), "{key}");
    assert_eq!(key["holders"].as_array().unwrap().len(), 2, "{key}");
    let text = desk.signet.run(&["list"]).ok();
    assert!(text.contains("in the token, access code"), "{text}");
    nothing_in_the_clear(&desk);

    // The first one there serves; without it the other one.
    assert_eq!(signs(&desk, &[&desk.card, &spare]), 2);
    desk.card.clear_events();
    desk.card.remove();
    assert_eq!(signs(&desk, &[&spare]), 2);
    desk.card.reinsert();
    desk.identity(&[]).ok().find(ACCOUNT).expect("aws takes it");

    // Each proves itself, by a challenge that is no date.
    spare.clear_events();
    let verified = desk.signet.run(&["verify", "prod", "-o", "json"]).ok();
    let verified: Value = serde_json::from_str(&verified).unwrap();
    for (at, serial) in serials.iter().enumerate() {
        assert_eq!(
            (&verified["tokens"][at]["serial"], &verified["tokens"][at]["verified"]),
            (&serial.as_str().into(), &true.into())
        );
    }
    assert_eq!(spare.events().challenges(), [b"signet-0"]);
    spare.remove();
    let failed = desk.signet.run(&["verify", "prod", "--token", &serials[1], "--no-prompt"]);
    assert_eq!(failed.code(), 1, "{failed:?}");
    spare.reinsert();

    // Dropped: it is not asked any more, and the key is marked until that is taken away.
    let epoch = listed(&desk)["epoch"].as_u64().unwrap();
    let old = fs::read(desk.record()).unwrap();
    spare.remove();
    let _ = desk.signet.run(&["reseal", "prod", "--drop", &serials[1]]).ok();
    let key = listed(&desk);
    assert!(key["epoch"].as_u64().unwrap() > epoch);
    assert_eq!(key["tokens"], Value::from(vec![serials[0].clone()]));
    assert!(key["rotate"].as_str().is_some_and(|why| why.contains(&serials[1])), "{key}");
    spare.reinsert();
    desk.card.remove();
    let error = desk.refuses(75, "token_absent", |desk| desk.identity(&["--no-prompt"]));
    assert!(!error["message"].as_str().unwrap().contains(&serials[1]), "{error}");
    desk.card.reinsert();
    assert_eq!(signs(&desk, &[&desk.card, &spare]), 2);
    let _ = desk.signet.run(&["reseal", "prod", "--rotated"]).ok();
    assert_eq!(listed(&desk)["rotate"], Value::Null);

    // The record from before, put back beside the state of today.
    let now = fs::read(desk.record()).unwrap();
    fs::write(desk.record(), old).unwrap();
    desk.refuses(77, "rollback", |desk| desk.identity(&[]));
    fs::write(desk.record(), now).unwrap();
    assert_eq!(signs(&desk, &[&desk.card, &spare]), 2);

    // Removed: the token keeps the credential until its holder deletes it, and is told so.
    let removed = desk.signet.run(&["remove", "prod", "--yes"]);
    assert!(removed.stderr.contains(&format!("ykman --device {} oath reset\n", serials[0])), "{removed:?}");
    let _ = removed.ok();
    assert!(desk.card.oath_key(CREDENTIAL).is_some());
    nothing_in_the_clear(&desk);
    let _whole = desk.signet.run(&["audit", "verify"]).ok();
}

#[test]
fn without_an_access_code_one_touch_is_all_and_that_is_said() {
    let desk = Desk::with_key();
    desk.card.clear_events();
    let said = desk.signet.run(&["embed", "prod", "--no-access-code"]);
    assert!(said.stderr.contains("asks for no pin"), "{said:?}");
    let _ = said.ok();
    assert!(!desk.card.has_oath_code());
    let pins = desk.signet.times_asked("pin");
    assert_eq!(signs(&desk, &[&desk.card]), 1);
    assert_eq!(desk.signet.times_asked("pin"), pins, "no pin is asked");
    assert!(desk.signet.run(&["list"]).ok().contains("in the token, no access code"));
    assert_eq!(listed(&desk)["touches"], 1);
    desk.works();

    desk.card.touch(Touch::Never);
    desk.card.set_touch_timeout(Duration::from_millis(300));
    desk.refuses(75, "not_touched", |desk| desk.identity(&[]));
    desk.card.touch(Touch::Now);
    desk.works();
}

#[test]
fn a_key_whose_only_token_was_emptied_comes_back_by_the_command_that_is_printed() {
    let desk = Desk::with_key();
    let _ = desk.signet.run(&["embed", "prod"]).ok();
    assert!(desk.card.delete_oath(CREDENTIAL));
    let error = failure(&desk.identity(&[]), 77, "unsupported");
    let hint = error["hint"].as_str().unwrap().to_owned();
    assert_eq!(hint, format!("signet embed prod --token {} --access-code", desk.card.serial()));
    desk.signet.answer("secret", &[SECRET]);
    let words: Vec<&str> = hint.split(' ').skip(1).collect();
    let _ = desk.signet.run(&words).ok();
    assert_eq!(signs(&desk, &[&desk.card]), 2);
}

#[test]
fn a_code_that_was_taken_away_comes_back_by_the_command_that_is_printed() {
    let (desk, spare) = two_tokens();
    let _ = add(&desk, &["--no-factor", "--custody", "in-token"]).ok();
    let serial = desk.card.serial().to_string();
    desk.card.set_oath_code(None);
    let calculations = desk.card.events().calculations();
    let error = desk.refuses(77, "unsupported", |desk| desk.identity(&[]));
    assert!(error["message"].as_str().unwrap().contains("asks for no access code any more"), "{error}");
    assert_eq!(desk.card.events().calculations(), calculations, "nothing was computed");
    let failed = desk.signet.run(&["verify", "prod", "--token", &serial, "-o", "json"]);
    let told: Value = serde_json::from_str(&failed.stdout).unwrap();
    assert_eq!((failed.code(), &told["tokens"][0]["error"]["hint"]), (1, &error["hint"]), "{told}");

    desk.signet.answer("secret", &[SECRET]);
    let hint = error["hint"].as_str().unwrap().to_owned();
    let _ = desk.signet.run(&hint.split(' ').skip(1).collect::<Vec<_>>()).ok();
    assert!(desk.card.has_oath_code());
    assert_eq!(signs(&desk, &[&desk.card, &spare]), 2);
    let _ = desk.signet.run(&["verify", "prod"]).ok();
    assert_eq!(listed(&desk)["holders"].as_array().unwrap().len(), 2);
}

/// Types a command with Yubico's tool among the programs, which is told `y` where it asks whether to go on,
/// and `code` where it asks for an access code.
fn typed(desk: &mut Desk, line: &str, code: &str) -> Ran {
    let made = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/python-venv")).output().unwrap();
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let real =
        root.join(String::from_utf8_lossy(&made.stdout).trim()).join("bin/ykman").canonicalize().unwrap();
    let folder = desk.signet.path("tools");
    fs::create_dir_all(&folder).unwrap();
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *reset|*delete*) word=y;; *) word={code};; esac\necho $word | {} \"$@\"\n",
        real.display()
    );
    fs::write(folder.join("ykman"), script).unwrap();
    fs::set_permissions(folder.join("ykman"), fs::Permissions::from_mode(0o755)).unwrap();
    desk.signet.set_env("PCSCLITE_CSOCK_NAME", desk.pcscd.socket());
    let line = format!("PATH={}:$PATH; {line}", folder.display());
    desk.signet.begin(Path::new("sh"), &["-c", &line], b"").finish()
}

/// The commands on a program's standard error.
fn hints(ran: &Ran) -> Vec<String> {
    ran.stderr.lines().filter_map(|line| line.strip_prefix("signet: hint: ").map(str::to_owned)).collect()
}

#[test]
fn a_token_that_was_dropped_is_cleared_by_the_command_that_is_printed_and_comes_back() {
    let (mut desk, spare) = two_tokens();
    let _ = add(&desk, &["--no-factor", "--custody", "in-token"]).ok();
    let serial = spare.serial().to_string();
    let dropped = desk.signet.run(&["reseal", "prod", "--drop", &serial]);
    assert!(dropped.stderr.contains("deletes every account in it"), "{dropped:?}");
    let told = hints(&dropped);
    assert_eq!(told, [format!("ykman --device {serial} oath reset")], "{dropped:?}");
    let _ = dropped.ok();
    assert!(spare.oath_key(CREDENTIAL).is_some() && spare.has_oath_code());

    // Not cleared, it does not come back; what is said then clears it too, without the code.
    desk.signet.answer("secret", &[SECRET]);
    let error =
        failure(&desk.signet.run(&["reseal", "prod", "--add", &serial, "-o", "json"]), 77, "unsupported");
    assert!(error["message"].as_str().unwrap().contains("that signet does not know"), "{error}");
    let clear = error["hint"].as_str().unwrap().to_owned();
    let _ = typed(&mut desk, &clear, "guess").ok();
    assert!(spare.oath_names().is_empty() && !spare.has_oath_code());
    let _ = desk.signet.run(&["reseal", "prod", "--add", &serial]).ok();
    assert!(spare.oath_key(CREDENTIAL).is_some() && spare.has_oath_code());

    // Whose code it is, clears it with that, and keeps what is in the applet.
    let _ = desk.signet.run(&["reseal", "prod", "--drop", &serial]).ok();
    let _ = typed(&mut desk, &told[0], "").ok();
    assert!(spare.oath_names().is_empty() && !spare.has_oath_code());
    spare.put_oath("theirs", b"AWS4another", true);
    spare.set_oath_code(Some("swordfish"));
    let again = desk.signet.run(&["reseal", "prod", "--add", &serial, "-o", "json"]);
    assert_eq!(failure(&again, 77, "unsupported")["hint"], clear.as_str());
    let _ = typed(&mut desk, &clear, "swordfish").ok();
    assert_eq!((spare.oath_names(), spare.has_oath_code()), (vec!["theirs".to_owned()], false));
    let _ = desk.signet.run(&["reseal", "prod", "--add", &serial]).ok();
    assert_eq!(signs(&desk, &[&desk.card, &spare]), 2);
}

#[test]
fn without_an_access_code_a_dropped_token_loses_the_key_alone_by_the_command_that_is_printed() {
    let (mut desk, spare) = two_tokens();
    let _ = add(&desk, &["--no-factor"]).ok();
    let _ = desk.signet.run(&["embed", "prod", "--no-access-code"]).ok();
    spare.put_oath("theirs", b"AWS4another", true);
    let dropped = desk.signet.run(&["reseal", "prod", "--drop", &spare.serial().to_string()]);
    let told = hints(&dropped);
    assert_eq!(told, [format!("ykman --device {} oath accounts delete {CREDENTIAL}", spare.serial())]);
    let _ = dropped.ok();
    let _ = typed(&mut desk, &told[0], "").ok();
    assert_eq!(spare.oath_names(), ["theirs"]);
}

#[test]
fn an_applet_that_is_deaf_to_codes_holds_the_key_only_without_one() {
    let mut desk = Desk::new();
    desk.card.remove();
    desk.card = Card::insert(&desk.pcscd, Profile::v5_7_1().deaf_to_codes());
    let _ = desk.signet.run(&["init", "--yes"]).ok();
    let _ = add(&desk, &["--no-factor"]).ok();
    let error = failure(&desk.signet.run(&["embed", "prod", "-o", "json"]), 77, "unsupported");
    assert!(error["message"].as_str().unwrap().contains("does not ask for it"), "{error}");
    assert!(desk.card.oath_names().is_empty());
    assert_eq!(listed(&desk)["custody"], "sealed");
    desk.works();
    let _ = desk.signet.run(&["embed", "prod", "--no-access-code"]).ok();
    assert_eq!(signs(&desk, &[&desk.card]), 1);
}

#[test]
fn with_a_one_time_code_it_is_checked_before_the_token_computes() {
    let desk = Desk::with_code();
    desk.signet.answer("totp", &[&code(1)]);
    let _ = desk.signet.run(&["embed", "prod"]).ok();
    let calculations = desk.card.events().calculations();
    desk.signet.answer("totp", &[&wrong_code()]);
    desk.refuses(77, "factor_failed", |desk| desk.identity(&[]));
    assert_eq!(desk.card.events().calculations(), calculations);
    assert!(!desk.card.oath_is_unlocked() && !desk.card.pin_is_verified());
}

#[test]
fn the_person_is_told_which_touch_of_how_many() {
    let desk = Desk::with_key();
    let _ = desk.signet.run(&["embed", "prod"]).ok();
    desk.card.touch(Touch::Never);
    let seen = desk.signet.times_asked("touch");
    let using = desk.begin_identity(&[]);
    for number in 1..=2 {
        journey::wait_until("the notice", || desk.signet.times_asked("touch") == seen + number);
        let (_, text) = desk.signet.asked().into_iter().rfind(|(kind, _)| kind == "touch").unwrap();
        assert!(text.contains(&format!("touch {number} of 2")), "{text}");
        journey::wait_until("the touch", || desk.card.press());
    }
    let _ = using.finish().ok();
}

/// Every token that cannot hold the key says so in its own words, keeps what it had, and the key stays
/// sealed and good.
#[test]
fn a_token_that_cannot_hold_the_key() {
    type Prepare = fn(&Card);
    let cases: [(&str, Profile, Prepare, &str); 5] = [
        (
            "full",
            Profile::v5_7_1().oath_credentials(1),
            |card| card.put_oath("theirs", b"AWS4another", true),
            "full",
        ),
        ("truncating", Profile::v5_7_1().truncating(), |_| {}, "truncated"),
        ("without the applet", Profile::v5_7_1().without_oath(), |_| {}, "no oath applet"),
        (
            "locked by somebody",
            Profile::v5_7_1(),
            |card| card.set_oath_code(Some("theirs")),
            "access code that signet does not know",
        ),
        (
            "name taken",
            Profile::v5_7_1(),
            |card| card.put_oath(CREDENTIAL, b"AWS4another", true),
            "holds something else",
        ),
    ];
    for (case, profile, prepare, says) in cases {
        println!("{case}");
        let mut desk = Desk::new();
        desk.card.remove();
        desk.card = Card::insert(&desk.pcscd, profile);
        let _ = desk.signet.run(&["init", "--yes"]).ok();
        let _ = add(&desk, &["--no-factor"]).ok();
        prepare(&desk.card);
        let (names, locked) = (desk.card.oath_names(), desk.card.has_oath_code());
        let flags = ["embed", "prod", "--no-access-code", "-o", "json"];
        let error = failure(&desk.signet.run(&flags), 77, "unsupported");
        assert!(error["message"].as_str().unwrap().contains(says), "{case}: {error}");
        assert_eq!((desk.card.oath_names(), desk.card.has_oath_code()), (names, locked), "{case}");
        assert_eq!(listed(&desk)["custody"], "sealed", "{case}");
        assert!(!desk.card.pin_is_verified());
        desk.works();
    }
}
