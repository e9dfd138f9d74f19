//! New generations of a record with the built signer: what the person asked for, and nothing else,
//! whatever the agent orders. Software tokens open the records: what is checked here has nothing to do
//! with hardware.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod driver;

use driver::software::{Folder, PASSPHRASE};
use driver::*;
use signet_protocol::api::UseAct;
use signet_protocol::child::{Order, Seed};
use signet_protocol::record::{AccessCode, Custody, Holder, Metadata, Payload, Recipient};
use signet_protocol::refusal::Code;
use signet_protocol::rule::Part;

const GOOD: [Option<&str>; 2] = [Some(PASSPHRASE), Some("yes")];

fn reseal(add: &[&Recipient], drop: &[&Recipient]) -> UseAct {
    let serials = |tokens: &[&Recipient]| tokens.iter().map(|token| token.serial.clone()).collect();
    UseAct::Reseal { add: serials(add), drop: serials(drop) }
}

fn holder(of: &Recipient, access_code: bool) -> Holder {
    Holder {
        kind: "yubikey-oath".into(),
        serial: of.serial.clone(),
        device: "0011223344556677".into(),
        credential: "signet-prod-root".into(),
        access_code,
        check: "00".repeat(32),
    }
}

/// A key that is in all of these tokens.
fn in_token(tokens: &[Recipient]) -> Vec<u8> {
    let holders = tokens.iter().map(|token| holder(token, true)).collect();
    let metadata = Metadata { custody: Custody::InToken, holders, ..metadata(tokens) };
    let access_codes = tokens.iter().map(|token| AccessCode { serial: &token.serial, code: "ABC" }).collect();
    record_of(&metadata, &Payload { secret: None, totp_seed: None, access_codes })
}

fn signs(folder: &Folder, record: &[u8], token: &Recipient) {
    let mut order = sign_order(record, &folder.places(), None);
    order.tokens = vec![token.serial.clone()];
    Use::start(&order).signed(&order, &GOOD);
}

/// Refused before anybody is asked anything.
#[track_caller]
fn refused(order: &Order, code: Code, what: &str) {
    let refused = Use::start(order).refused(&[]);
    assert_eq!(refused.refusal.code, code, "{what}: {}", refused.refusal.message);
}

#[test]
fn a_token_is_added_and_another_dropped() {
    let folder = Folder::new();
    let (one, two) = (folder.token(), folder.token());
    let first = record(&metadata(std::slice::from_ref(&one)), None);
    let both = Metadata { recipients: vec![one.clone(), two.clone()], ..next(&first) };
    let order = reseal_order(&first, &folder.places(), reseal(&[&two], &[]), &both, Seed::Keep, None);
    let (second, _) = Use::start(&order).resealed(&GOOD);
    assert_eq!(metadata_of(&second), both);
    signs(&folder, &second, &one);
    signs(&folder, &second, &two);

    let left = Metadata { recipients: vec![two.clone()], ..next(&second) };
    let mut order = reseal_order(&second, &folder.places(), reseal(&[], &[&one]), &left, Seed::Keep, None);
    // The dropped token need not be there, and is not offered.
    order.tokens = vec![two.serial.clone()];
    let (third, _) = Use::start(&order).resealed(&GOOD);
    signs(&folder, &third, &two);
    assert_eq!(signet_envelope::Record::parse(&third).unwrap().recipients(), 1);
}

#[test]
fn no_token_comes_or_goes_that_was_not_named() {
    let folder = Folder::new();
    let (one, two, three) = (folder.token(), folder.token(), folder.token());
    let whole = record(&metadata(&[one.clone(), two.clone()]), None);
    let with = |recipients: &[&Recipient]| Metadata {
        recipients: recipients.iter().map(|token| (*token).clone()).collect(),
        ..next(&whole)
    };
    let order =
        |asked: UseAct, new: &Metadata| reseal_order(&whole, &folder.places(), asked, new, Seed::Keep, None);
    let cases = [
        ("another is added", reseal(&[], &[&one]), with(&[&two, &three])),
        ("the dropped one stays", reseal(&[], &[&one]), with(&[&one, &two])),
        ("both go", reseal(&[], &[&one]), with(&[&three])),
        ("the added one does not come", reseal(&[&three], &[]), with(&[&one, &two])),
        ("one is named twice", reseal(&[&three], &[]), with(&[&one, &two, &three, &three])),
    ];
    for (what, asked, new) in cases {
        refused(&order(asked, &new), Code::Internal, what);
    }
    let mut policy = with(&[&two]);
    policy.policy.push(Part::Preset("assume-root".into()));
    refused(&order(reseal(&[], &[&one]), &policy), Code::Internal, "policy");
    let mut key = with(&[&one, &two]);
    if let Some(kept) = key.recipients.first_mut() {
        kept.public_key.clone_from(&three.public_key);
    }
    refused(&order(reseal(&[], &[]), &key), Code::Internal, "the key of one that was not named");
    // What the person asked for cannot be.
    refused(&order(reseal(&[], &[&three]), &with(&[&one, &two])), Code::BadRequest, "it is none of them");
    refused(&order(reseal(&[&two], &[]), &with(&[&one, &two])), Code::BadRequest, "it is one already");
    refused(&order(reseal(&[], &[&one, &two]), &with(&[])), Code::BadRequest, "none is left");
}

#[test]
fn a_holder_goes_with_its_token_and_one_stays() {
    let folder = Folder::new();
    let (one, two) = (folder.token(), folder.token());
    let whole = in_token(&[one.clone(), two.clone()]);
    let order = |new: &Metadata, drop: &[&Recipient]| {
        reseal_order(&whole, &folder.places(), reseal(&[], drop), new, Seed::Keep, None)
    };
    let left = Metadata { recipients: vec![one.clone()], holders: vec![holder(&one, true)], ..next(&whole) };
    let (last, _) = Use::start(&order(&left, &[&two])).resealed(&GOOD);
    assert_eq!(metadata_of(&last), left);
    let still = Metadata { holders: metadata_of(&whole).holders, ..left.clone() };
    refused(&order(&still, &[&two]), Code::Internal, "it holds the key still");
    let weaker = Metadata { holders: vec![holder(&one, false)], ..left };
    refused(&order(&weaker, &[&two]), Code::Internal, "its code is no more");
    // A recipient that holds nothing cannot use the key.
    let opens = Metadata { holders: vec![holder(&one, true)], ..metadata_of(&whole) };
    let payload = Payload { secret: None, totp_seed: None, access_codes: Vec::new() };
    let whole = record_of(&opens, &payload);
    let none = Metadata { recipients: vec![two], holders: Vec::new(), ..next(&whole) };
    let order = reseal_order(&whole, &folder.places(), reseal(&[], &[&one]), &none, Seed::Keep, None);
    refused(&order, Code::BadRequest, "none is left");
}

#[test]
fn a_record_is_restored_for_another_vault_and_otherwise_as_it_was() {
    let folder = Folder::new();
    let token = folder.token();
    let whole = record(&metadata(std::slice::from_ref(&token)), None);
    let here = Metadata { vault_id: "f".repeat(32), ..next(&whole) };
    let (restored, _) = Use::start(&restore_order(&whole, &folder.places(), &here)).resealed(&GOOD);
    assert_eq!(metadata_of(&restored), here);
    signs(&folder, &restored, &token);

    let mut wider = here.clone();
    wider.policy.push(Part::Preset("assume-root".into()));
    refused(&restore_order(&whole, &folder.places(), &wider), Code::Internal, "policy");
    let other = Metadata { recipients: vec![folder.token()], ..here.clone() };
    refused(&restore_order(&whole, &folder.places(), &other), Code::Internal, "recipients");
    let mut order = restore_order(&whole, &folder.places(), &here);
    let another = record(&metadata(std::slice::from_ref(&token)), None);
    order.record = restore_order(&another, &folder.places(), &here).record;
    order.header_sha256 = header_of(&another);
    refused(&order, Code::Internal, "another record than the person gave");
}

#[test]
fn nothing_is_written_that_was_not_asked_for() {
    let folder = Folder::new();
    let (one, two) = (folder.token(), folder.token());
    let whole = record(&metadata(&[one.clone(), two.clone()]), None);
    let (first, second) = (one.serial.clone(), two.serial.clone());
    let embed = |tokens: &[&String], access_code| UseAct::Embed {
        tokens: tokens.iter().map(|serial| (*serial).clone()).collect(),
        access_code,
    };
    let order = |asked: UseAct, new: &Metadata, tokens: &[&String], access_code| {
        let tokens: Vec<String> = tokens.iter().map(|serial| (*serial).clone()).collect();
        embed_order_as(&whole, &folder.places(), asked, new, &tokens, access_code, Vec::new())
    };
    let good = next(&whole);
    let case = |what: &str, asked, tokens: &[&String], access_code| {
        refused(&order(asked, &good, tokens, access_code), Code::Internal, what);
    };
    case("another token", embed(&[&first], true), &[&second], true);
    case("one token more", embed(&[&first], true), &[&first, &second], true);
    case("one token twice", embed(&[&first, &second], true), &[&first, &first], true);
    case("no token", embed(&[], true), &[], true);
    case("a token that opens nothing", embed(&[], true), &["soft-00000000".to_owned()].each_ref(), true);
    case("no access code", embed(&[], true), &[&first], false);
    case("an act that writes nothing", UseAct::Remove {}, &[&first], true);
    let three = folder.token();
    let mut more = good.clone();
    more.recipients.push(three.clone());
    let added = order(reseal(&[&three], &[]), &more, &[&three.serial], true);
    refused(&added, Code::Internal, "a sealed key is resealed");
    type Change = fn(&mut Metadata);
    let changes: [(&str, Change); 5] = [
        ("epoch", |new| new.epoch += 1),
        ("policy", |new| new.policy.push(Part::Preset("assume-root".into()))),
        ("factors", |new| new.factors.push(totp_factor())),
        ("recipients", |new| new.recipients.truncate(1)),
        ("holders", |new| new.holders = new.recipients.iter().skip(1).map(|to| holder(to, false)).collect()),
    ];
    for (what, change) in changes {
        let mut new = good.clone();
        change(&mut new);
        refused(&order(embed(&[&first], true), &new, &[&first], true), Code::Internal, what);
    }
    // In order, but software holds no key.
    let order = order(embed(&[&first], true), &good, &[&first], true);
    Use::start(&order).refused(&GOOD).with(Code::Unsupported);
}

#[test]
fn custody_and_holders_must_fit() {
    let folder = Folder::new();
    let token = folder.token();
    let sealed = metadata(std::slice::from_ref(&token));
    let stranger = folder.token();
    for odd in [
        Metadata { holders: vec![holder(&token, true)], ..sealed.clone() },
        Metadata { custody: Custody::InToken, ..sealed.clone() },
        Metadata { custody: Custody::InToken, holders: vec![holder(&stranger, true)], ..sealed.clone() },
    ] {
        refused(&sign_order(&record(&odd, None), &folder.places(), None), Code::Rollback, "custody");
    }
}
