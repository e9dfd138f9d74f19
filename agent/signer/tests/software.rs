//! The built signer with software tokens: a good use, and every refusal that needs no hardware.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod driver;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use driver::software::{Folder, PASSPHRASE, write};
use driver::*;
use signet_envelope::Record;
use signet_protocol::api::UseAct;
use signet_protocol::child::{Act, ChildAnswer, CodeFate, Event, Outcome, Seed, TotpGate, WaitingFor};
use signet_protocol::record::{Metadata, Recipient};
use signet_protocol::refusal::Code;
use signet_protocol::rule::Part;
use signet_sigv4::date;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

const GOOD: [Option<&str>; 2] = [Some(PASSPHRASE), Some("yes")];
const GATE: Option<TotpGate> = Some(TotpGate { last_step: None });

fn with_totp(folder: &Folder) -> (Metadata, Vec<u8>) {
    let metadata = Metadata { factors: vec![totp_factor()], ..metadata(&[folder.token()]) };
    let record = record(&metadata, Some(SEED));
    (metadata, record)
}

fn plain(folder: &Folder) -> Vec<u8> {
    record(&metadata(&[folder.token()]), None)
}

#[test]
fn a_request_is_signed_as_aws_signs_it() {
    let folder = Folder::new();
    let order = sign_order(&plain(&folder), &folder.places(), None);
    let (outcome, events) = Use::start(&order).talk(&GOOD);
    let Outcome::Signed { authorization, token, code } = outcome else { panic!("{outcome:?}") };
    assert_eq!(authorization, referee(amz_date(&order)));
    assert_eq!((token.label.as_str(), code), ("try", CodeFate::Unchecked));
    assert_eq!(asked(&events), ["passphrase", "confirm"]);
}

/// The same request by `aws-sigv4`.
fn referee(amz_date: &str) -> String {
    use aws_credential_types::Credentials;
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
    use aws_sigv4::sign::v4;
    let identity = Credentials::new(KEY_ID, SECRET, None, None, "test").into();
    let seconds = date::to_unix(amz_date).unwrap() as u64;
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("sts")
        .time(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds))
        .settings(SigningSettings::default())
        .build()
        .unwrap();
    let request = caller_identity();
    let body = STANDARD.decode(request.body.unwrap()).unwrap();
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let signable =
        SignableRequest::new(&request.method, request.url, headers, SignableBody::Bytes(&body)).unwrap();
    let (instructions, _) = sign(signable, &params.into()).unwrap().into_parts();
    let (headers, _) = instructions.into_parts();
    headers.iter().find(|header| header.name() == "authorization").unwrap().value().to_owned()
}

#[test]
fn by_hand_it_does_not_start() {
    let program = env!("CARGO_BIN_EXE_signet-signer");
    for arguments in [&[][..], &["--help"], &["--for-signet-agent", "more"]] {
        let done = Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap();
        assert_eq!(done.status.code(), Some(2), "{arguments:?}");
        assert!(done.stdout.is_empty());
    }
}

#[test]
fn an_input_that_is_no_order_is_refused() {
    let program = env!("CARGO_BIN_EXE_signet-signer");
    for input in ["", "\n", "{}\n", "no end", "[1,2]\n"] {
        let mut child = Command::new(program)
            .arg("--for-signet-agent")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
        let out = child.wait_with_output().unwrap();
        let Ok(Event::Outcome(Outcome::Refused { refusal, .. })) = serde_json::from_slice(&out.stdout) else {
            panic!("{input:?}");
        };
        assert_eq!(refusal.code, Code::Internal);
    }
}

#[test]
fn a_wrong_passphrase_ends_the_use_and_the_next_one_works() {
    let folder = Folder::new();
    let order = sign_order(&plain(&folder), &folder.places(), None);
    let refused = Use::start(&order).refused(&[Some("wrong horse"), Some("yes")]).with(Code::PinFailed);
    assert_eq!(refused.refusal.tries_left, None);
    assert!(refused.token.is_some());
    Use::start(&order).signed(&order, &GOOD);
}

#[test]
fn whoever_cancels_is_believed() {
    let folder = Folder::new();
    let order = sign_order(&plain(&folder), &folder.places(), None);
    Use::start(&order).refused(&[None]).with(Code::Interrupted);
    Use::start(&order).refused(&[Some(PASSPHRASE), None]).with(Code::Interrupted);
    Use::start(&order).refused(&[Some(PASSPHRASE), Some("no")]).with(Code::NotTouched);
    let mut hung_up = Use::start(&order);
    hung_up.until(|event| matches!(event, Event::Prompt(_)));
    hung_up.hang_up();
    hung_up.refused(&[]).with(Code::Interrupted);
}

#[test]
fn an_answer_to_another_question_is_not_taken() {
    let folder = Folder::new();
    let order = sign_order(&plain(&folder), &folder.places(), None);
    let prompt = |running: &mut Use| match running.until(|event| matches!(event, Event::Prompt(_))) {
        Event::Prompt(prompt) => prompt,
        other => panic!("{other:?}"),
    };
    // Sealed for another use's key: as good as none.
    let (mut first, mut second) = (Use::start(&order), Use::start(&order));
    let (foreign, mut own) = (prompt(&mut first), prompt(&mut second));
    own.public_key = foreign.public_key;
    second.answer(&own, PASSPHRASE);
    second.refused(&[]).with(Code::Internal);
    // Another number.
    let mut third = Use::start(&order);
    let mut own = prompt(&mut third);
    own.number += 1;
    third.answer(&own, PASSPHRASE);
    third.refused(&[]).with(Code::Internal);
    // Given for another request than the one that is signed.
    let mut swapped = Use::start(&order);
    let own = prompt(&mut swapped);
    swapped.believes(NAME, "{}");
    swapped.answer(&own, PASSPHRASE);
    swapped.refused(&[]).with(Code::Internal);
    // Another kind in the binding, and no ciphertext at all.
    let mut fourth = Use::start(&order);
    let mut own = prompt(&mut fourth);
    own.kind = signet_protocol::PromptKind::Pin;
    fourth.answer(&own, PASSPHRASE);
    fourth.refused(&[]).with(Code::Internal);
    let mut fifth = Use::start(&order);
    let own = prompt(&mut fifth);
    fifth.send(&ChildAnswer { number: own.number, sealed: Some(STANDARD.encode([4; 200])) });
    fifth.refused(&[]).with(Code::Internal);
}

#[test]
fn another_header_than_the_pinned_one_is_a_rollback_before_any_question() {
    let folder = Folder::new();
    let metadata = metadata(&[folder.token()]);
    let (older, newer) = (record(&metadata, None), record(&metadata, None));
    let mut order = sign_order(&older, &folder.places(), None);
    order.header_sha256 = header_of(&newer);
    Use::start(&order).refused(&[]).with(Code::Rollback);
}

#[test]
fn a_record_with_any_byte_changed_is_refused() {
    let folder = Folder::new();
    let whole = plain(&folder);
    let pinned = header_of(&whole);
    let payload = whole.windows(5).position(|bytes| bytes == b"\n--- ").unwrap() + 49;
    for at in (0..whole.len()).step_by(37).chain([payload, whole.len() - 1]) {
        let mut changed = whole.clone();
        *changed.get_mut(at).unwrap() ^= 0x04;
        let mut order = sign_order(&whole, &folder.places(), None);
        order.record = STANDARD.encode(&changed);
        order.header_sha256.clone_from(&pinned);
        // What only the AEAD covers shows when the record is opened.
        let answers: &[Option<&str>] = if at >= payload { &GOOD } else { &[] };
        Use::start(&order).refused(answers).with(Code::Rollback);
    }
    let mut order = sign_order(&whole, &folder.places(), None);
    order.record = STANDARD.encode(whole.get(..whole.len() - 20).unwrap());
    Use::start(&order).refused(&GOOD).with(Code::Rollback);
}

#[test]
fn metadata_that_the_pin_let_through_must_still_be_authentic() {
    let folder = Folder::new();
    let whole = plain(&folder);
    let marker = b"\n--- ";
    let mac = whole.windows(5).position(|bytes| bytes == marker).unwrap() + marker.len();
    let mut changed = whole.clone();
    let byte = changed.get_mut(mac).unwrap();
    *byte = if *byte == b'A' { b'B' } else { b'A' };
    // The agent pins what it was given: only the token's own answer tells.
    Use::start(&sign_order(&changed, &folder.places(), None)).refused(&GOOD).with(Code::Rollback);
}

#[test]
fn agent_and_signer_must_mean_the_same() {
    let folder = Folder::new();
    let whole = plain(&folder);
    let good = sign_order(&whole, &folder.places(), None);
    let change = |alter: &dyn Fn(&mut signet_protocol::child::Order)| {
        let mut order = good.clone();
        alter(&mut order);
        Use::start(&order).refused(&[]).refusal.code
    };
    assert_eq!(change(&|order| order.version = 2), Code::Internal);
    assert_eq!(change(&|order| order.key = "other".into()), Code::Rollback);
    assert_eq!(change(&|order| order.request = order.request.replace(NAME, "other")), Code::Internal);
    assert_eq!(
        change(&|order| order.request = order.request.replace("us-east-1", "us-east-2")),
        Code::Internal
    );
    assert_eq!(change(&|order| order.act = Act::Open { totp: None }), Code::Internal);
}

#[test]
fn a_date_that_is_not_now_is_refused() {
    let folder = Folder::new();
    let whole = plain(&folder);
    for seconds in [-86_400, -200, 80, 86_400] {
        let amz_date = date::from_unix(now() + seconds).unwrap();
        let order = sign_order_at(&whole, &folder.places(), None, &amz_date);
        Use::start(&order).refused(&[]).with(Code::BadRequest);
    }
    for seconds in [-150, 50] {
        let amz_date = date::from_unix(now() + seconds).unwrap();
        let order = sign_order_at(&whole, &folder.places(), None, &amz_date);
        Use::start(&order).signed(&order, &GOOD);
    }
}

#[test]
fn a_code_is_asked_for_and_taken_once() {
    let folder = Folder::new();
    let (_, whole) = with_totp(&folder);
    let step = step();
    let code = code_at(step);
    let answers = [Some(PASSPHRASE), Some(code.as_str()), Some("yes")];
    let order = sign_order(&whole, &folder.places(), GATE);
    let (fate, events) = Use::start(&order).signed(&order, &answers);
    assert_eq!(fate, CodeFate::Accepted(step));
    assert_eq!(asked(&events), ["passphrase", "totp", "confirm"]);

    let again = sign_order(&whole, &folder.places(), Some(TotpGate { last_step: Some(step) }));
    let refused = Use::start(&again).refused(&answers).with(Code::FactorFailed);
    assert_eq!(refused.code, CodeFate::Refused);
    assert!(refused.refusal.message.starts_with("that code was used before"), "{:?}", refused.refusal);
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let refused = Use::start(&order).refused(&[Some(PASSPHRASE), Some(wrong), Some("yes")]);
    assert_eq!((refused.refusal.code, refused.code), (Code::FactorFailed, CodeFate::Refused));
    assert_eq!(refused.refusal.message, "the code is wrong");
    // Nothing is learnt about a code whose record did not open.
    let refused = Use::start(&order).refused(&[Some("wrong horse"), Some(&code), Some("yes")]);
    assert_eq!((refused.refusal.code, refused.code), (Code::PinFailed, CodeFate::Unchecked));
}

#[test]
fn the_gate_of_a_code_cannot_be_left_out() {
    let folder = Folder::new();
    let (metadata, whole) = with_totp(&folder);
    Use::start(&sign_order(&whole, &folder.places(), None)).refused(&[]).with(Code::Internal);
    let without = record(&Metadata { factors: Vec::new(), ..metadata.clone() }, None);
    Use::start(&sign_order(&without, &folder.places(), GATE)).refused(&[]).with(Code::Internal);
    // A seed that the metadata hides, and a factor without a seed.
    let hidden = record(&Metadata { factors: Vec::new(), ..metadata.clone() }, Some(SEED));
    Use::start(&sign_order(&hidden, &folder.places(), None)).refused(&GOOD).with(Code::Internal);
    let empty = record(&metadata, None);
    let answers = [Some(PASSPHRASE), Some("000000"), Some("yes")];
    Use::start(&sign_order(&empty, &folder.places(), GATE)).refused(&answers).with(Code::Internal);
}

fn next(metadata: &Metadata, record: &[u8]) -> Metadata {
    Metadata { epoch: metadata.epoch + 1, previous: Some(header_of(record)), ..metadata.clone() }
}

fn resealed(outcome: Outcome) -> (Vec<u8>, CodeFate) {
    match outcome {
        Outcome::Resealed { record, code, .. } => (STANDARD.decode(record).unwrap(), code),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_added_record_is_opened_and_nothing_else() {
    let folder = Folder::new();
    let (_, whole) = with_totp(&folder);
    let (outcome, events) = Use::start(&open_order(&whole, &folder.places())).talk(&GOOD);
    assert!(matches!(outcome, Outcome::Opened { code: CodeFate::Unchecked, .. }), "{outcome:?}");
    assert_eq!(asked(&events), ["passphrase", "confirm"]);
}

#[test]
fn a_new_generation_holds_the_same_secret_and_what_was_asked_for() {
    let folder = Folder::new();
    let first = metadata(&[folder.token()]);
    let whole = record(&first, None);

    let policy = vec![Part::Preset("session".into())];
    let second = Metadata { policy: policy.clone(), ..next(&first, &whole) };
    let asked_for = UseAct::SetPolicy { policy };
    let order = reseal_order(&whole, &folder.places(), asked_for, &second, Seed::Keep, None);
    let (whole, _) = resealed(Use::start(&order).talk(&GOOD).0);
    assert_eq!(Record::parse(&whole).unwrap().meta(), serde_json::to_vec(&second).unwrap());
    let sign = sign_order(&whole, &folder.places(), None);
    Use::start(&sign).signed(&sign, &GOOD);

    let third = Metadata { factors: vec![totp_factor()], ..next(&second, &whole) };
    let add = UseAct::AddTotp { label: "phone".into() };
    let order = reseal_order(&whole, &folder.places(), add, &third, Seed::Ask, None);
    let step = step();
    let code = code_at(step);
    let typed = format!("otpauth://totp/x?secret={SEED}&issuer=Signet");
    let answers = [Some(PASSPHRASE), Some(&*typed), Some(&*code), Some("yes")];
    let (outcome, events) = Use::start(&order).talk(&answers);
    assert_eq!(asked(&events), ["passphrase", "totp-seed", "totp", "confirm"]);
    let (whole, fate) = resealed(outcome);
    assert_eq!(fate, CodeFate::Accepted(step));
    let sign = sign_order(&whole, &folder.places(), GATE);
    Use::start(&sign).signed(&sign, &[Some(PASSPHRASE), Some(&code), Some("yes")]);

    let fourth = Metadata { factors: Vec::new(), ..next(&third, &whole) };
    let remove = UseAct::RemoveFactor { id: "totp-1".into() };
    let order = reseal_order(&whole, &folder.places(), remove, &fourth, Seed::Drop, GATE);
    let (whole, _) = resealed(Use::start(&order).talk(&[Some(PASSPHRASE), Some(&code), Some("yes")]).0);
    let sign = sign_order(&whole, &folder.places(), None);
    Use::start(&sign).signed(&sign, &GOOD);
}

#[test]
fn a_new_generation_says_nothing_that_was_not_asked_for() {
    let folder = Folder::new();
    let first = metadata(&[folder.token()]);
    let whole = record(&first, None);
    let policy = vec![Part::Preset("session".into())];
    let good = Metadata { policy: policy.clone(), ..next(&first, &whole) };
    let other = folder.token();
    type Change = fn(&mut Metadata, &Recipient);
    let changes: [(&str, Change); 8] = [
        ("epoch", |new, _| new.epoch = 7),
        ("previous", |new, _| new.previous = None),
        ("name", |new, _| new.name = "other".into()),
        ("vault", |new, _| new.vault_id = "0".repeat(32)),
        ("account", |new, _| new.account = None),
        ("recipient", |new, other| new.recipients = vec![other.clone()]),
        ("policy", |new, _| new.policy.push(Part::Preset("assume-root".into()))),
        ("key id", |new, _| new.access_key_id = "AKIAOTHER".into()),
    ];
    for (what, change) in changes {
        let mut new = good.clone();
        change(&mut new, &other);
        let asked_for = UseAct::SetPolicy { policy: policy.clone() };
        let order = reseal_order(&whole, &folder.places(), asked_for, &new, Seed::Keep, None);
        let refused = Use::start(&order).refused(&[]);
        assert_eq!(refused.refusal.code, Code::Internal, "{what}");
    }
    let asked_for = UseAct::SetPolicy { policy };
    let order = reseal_order(&whole, &folder.places(), asked_for, &good, Seed::Drop, None);
    Use::start(&order).refused(&[]).with(Code::Internal);
}

#[test]
fn a_new_seed_is_confirmed_before_the_token_is_used() {
    let folder = Folder::new();
    let first = metadata(&[folder.token()]);
    let whole = record(&first, None);
    let new = Metadata { factors: vec![totp_factor()], ..next(&first, &whole) };
    let order = |label: &str| {
        let add = UseAct::AddTotp { label: label.into() };
        reseal_order(&whole, &folder.places(), add, &new, Seed::Ask, None)
    };
    let stale = code_at(step() - 5);
    let refused = Use::start(&order("phone")).refused(&[Some(PASSPHRASE), Some(SEED), Some(&stale)]);
    assert_eq!((refused.refusal.code, refused.code), (Code::FactorFailed, CodeFate::Unchecked));
    Use::start(&order("phone")).refused(&[Some(PASSPHRASE), Some("short")]).with(Code::BadRequest);
    Use::start(&order("another")).refused(&[]).with(Code::Internal);
}

#[test]
fn a_key_file_that_others_could_have_touched_is_not_used() {
    let folder = Folder::new();
    let token = folder.token();
    let file = folder.file(&token.serial);
    let text = std::fs::read(&file).unwrap();
    let order = sign_order(&record(&metadata(&[token]), None), &folder.places(), None);
    let refused = |code| drop(Use::start(&order).refused(&[]).with(code));

    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    refused(Code::Unsupported);
    std::fs::remove_file(&file).unwrap();
    refused(Code::TokenAbsent);
    let elsewhere = file.with_extension("moved");
    write(&elsewhere, &text);
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    refused(Code::Unsupported);
    std::fs::remove_file(&file).unwrap();
    write(&file, &[&text[..], &[b' '; 5000]].concat());
    refused(Code::Unsupported);
    write(&file, b"{}");
    refused(Code::Unsupported);
    write(&file, &text);
    Use::start(&order).signed(&order, &GOOD);
}

#[test]
fn a_kind_that_is_not_in_force_is_passed_over() {
    let folder = Folder::new();
    let (token, mut strange) = (folder.token(), folder.token());
    strange.kind = "abacus".into();
    let mixed = record(&metadata(&[strange, token.clone()]), None);
    let mut order = sign_order(&mixed, &folder.places(), None);
    Use::start(&order).signed(&order, &GOOD);
    // The software token is there, and would do: only its kind is not in force.
    order.kinds = vec!["yubikey-piv".into()];
    let refused = Use::start(&order).refused(&[]).with(Code::Unsupported);
    assert_eq!(refused.token, None, "nothing was looked for");
}

#[test]
fn a_token_that_comes_later_is_waited_for_until_the_deadline() {
    let folder = Folder::new();
    let token = folder.token();
    let file = folder.file(&token.serial);
    let away = file.with_extension("away");
    std::fs::rename(&file, &away).unwrap();
    let mut order = sign_order(&record(&metadata(&[token]), None), &folder.places(), None);
    order.wait_for_token = true;
    let mut waiting = Use::start(&order);
    waiting.until(|event| matches!(event, Event::Waiting { what: WaitingFor::Token, .. }));
    std::fs::rename(&away, &file).unwrap();
    waiting.signed(&order, &GOOD);

    std::fs::rename(&file, &away).unwrap();
    order.deadline_ms = 300;
    let refused = Use::start(&order).refused(&[]);
    assert!(matches!(refused.refusal.code, Code::Timeout | Code::TokenAbsent), "{:?}", refused.refusal);
}

#[test]
fn nobody_else_reads_a_signer() {
    let folder = Folder::new();
    let order = sign_order(&plain(&folder), &folder.places(), None);
    let mut running = Use::start(&order);
    running.until(|event| matches!(event, Event::Prompt(_)));
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", running.pid())).unwrap();
    assert!(status.contains("CoreDumping:\t0"));
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    // The files of a process that is not dumpable belong to root (proc(5)); run as root, this shows
    // nothing, so the flag itself is looked at through the owner only elsewhere.
    if !rustix::process::geteuid().is_root() {
        assert!(std::fs::File::open(format!("/proc/{}/mem", running.pid())).is_err());
    }
}
