#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "../../../../tests/approver/mod.rs"]
mod approver;

use super::*;
use approver::{Approver, Log, asked};
use signet_protocol::approval::Approval;
use signet_protocol::record::Algorithm;

type Edit<T> = fn(&mut T);

/// A log with one key and one authenticator.
fn log() -> (Log, Approver) {
    let (mut log, approver) = (Log::default(), Approver::new(1, Algorithm::Es256));
    log.sets("prod", "signet:AddFactor", &[&approver]);
    (log, approver)
}

fn flaws(log: &Log) -> Vec<String> {
    check(&log.lines()).flaws.iter().map(Flaw::to_string).collect()
}

/// One thing is wrong with the log, and it is this.
#[track_caller]
fn unproved(log: &Log, why: &str) {
    let found = flaws(log);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains(" was not approved as it says: ") && found[0].contains(why), "{found:?}");
}

#[test]
fn each_use_is_told_with_who_approved_what() {
    let (mut log, mut first) = log();
    let mut second = Approver::new(2, Algorithm::EdDsa).plain();
    log.uses("prod", &mut first);
    let mut facts = asked("prod", "signet:AddFactor");
    facts.region = None;
    log.uses_as("change", facts, &mut first, |_| ());
    let changed = &mut log.entries.last_mut().unwrap().facts;
    changed.enrolled = Some(vec![first.factor.clone(), second.factor.clone()]);
    changed.result = Some("done".into());
    log.uses("prod", &mut second);
    log.uses("prod", &mut second);
    let lines = log.lines();
    let found = check(&lines);
    assert_eq!(found.flaws, []);
    let told: Vec<_> =
        found.approved.iter().map(|it| (it.seq, it.intent, it.factor.as_str(), it.verified)).collect();
    assert_eq!(
        told,
        [
            (4, 3, "fido2-1", true),
            (6, 5, "fido2-1", true),
            (8, 7, "fido2-2", false),
            (10, 9, "fido2-2", false)
        ]
    );
    let cells = found.approved[3].cells();
    assert_eq!(cells[..2], ["10", "2026-11-22T00:00:09Z"]);
    assert_eq!(cells[2..5], ["prod", "sts:GetCallerIdentity", "fido2-2 (key \u{fc} \"2\")"]);
    assert_eq!((cells[5].len(), cells[6].as_str()), (13, "ab".repeat(32).as_str()));
    let evidence = &found.approved[3].evidence;
    assert_eq!((evidence.intent, evidence.outcome, evidence.enrolment), (8, 9, 5));
}

#[test]
fn an_order_that_says_anything_else_than_its_intent_is_none() {
    let edits: [(&str, Edit<Approval>); 11] = [
        ("another version", |it| it.version = 2),
        ("another key", |it| it.key = "dev".into()),
        ("another access key id", |it| it.access_key_id.push('X')),
        ("another action", |it| it.action = "iam:CreateUser".into()),
        ("another region", |it| it.scope = Some("20261122/us-west-2/sts/aws4_request".into())),
        ("another region", |it| it.scope = None),
        ("another request", |it| it.request_sha256 = "cd".repeat(32)),
        ("another reason", |it| it.reason = None),
        ("another reason", |it| it.reason = Some("INC-8".into())),
        ("another time", |it| it.time = "2026-11-22T00:00:04Z".into()),
        ("another place in the log", |it| it.seq += 1),
    ];
    for (why, edit) in edits {
        let (mut log, mut approver) = log();
        log.uses_as("u", asked("prod", "sts:GetCallerIdentity"), &mut approver, edit);
        unproved(&log, why);
    }
}

#[test]
fn an_order_is_written_in_one_way() {
    for edit in [(",", ", "), ("{", "{\"more\":1,"), ("\"seq\":3", "\"seq\":3,\"seq\":3"), ("}", "")] {
        let (mut log, mut approver) = log();
        log.uses("prod", &mut approver);
        let proof = log.entries[3].facts.proof.clone().unwrap();
        let text = proof.order.replacen(edit.0, edit.1, 1);
        log.entries[3].facts.proof = Some(approver.approves(&text));
        unproved(&log, "its order has another form");
    }
}

#[test]
fn a_proof_that_was_changed_is_none() {
    let edits: [(&str, Edit<Proof>); 6] = [
        ("its signature does not fit", |it| it.nonce = STANDARD.encode([0; 32])),
        ("its signature does not fit", |it| it.signature = STANDARD.encode([0; 70])),
        ("cannot be read", |it| it.nonce.push('!')),
        ("another form than was asked for", |it| it.authenticator_data.clear()),
        ("factor fido2-2 with that credential was not enrolled", |it| it.factor = "fido2-2".into()),
        ("factor fido2-1 with that credential was not enrolled", |it| it.credential.clear()),
    ];
    for (why, edit) in edits {
        let (mut log, mut approver) = log();
        log.uses("prod", &mut approver);
        edit(log.entries[3].facts.proof.as_mut().unwrap());
        unproved(&log, why);
    }
}

#[test]
fn entries_that_were_changed_around_a_proof_are_noticed() {
    let edits: [(&str, Edit<Vec<Entry>>); 5] = [
        ("the log has no intent of it", |it| it[2].id = "other".into()),
        ("its intent, entry 3, is of another request", |it| it[3].facts.reason = None),
        ("its intent, entry 3, is of another request", |it| it[2].facts.key = Some("dev".into())),
        ("another request than its intent", |it| {
            let other = Some("cd".repeat(32));
            (it[2].facts.request_sha256, it[3].facts.request_sha256) = (other.clone(), other);
        }),
        ("another time than its intent", |it| it[2].time = it[0].time.clone()),
    ];
    for (why, edit) in edits {
        let (mut log, mut approver) = log();
        log.uses("prod", &mut approver);
        edit(&mut log.entries);
        unproved(&log, why);
    }
}

#[test]
fn a_counter_moves_on() {
    let (mut log, mut approver) = log();
    log.uses("prod", &mut approver);
    approver.counter = 4;
    log.uses("prod", &mut approver);
    unproved(&log, "its counter has not moved on");
    log.uses("prod", &mut approver);
    assert_eq!(flaws(&log).len(), 1, "one that did not hold does not count");
}

#[test]
fn a_person_is_verified_where_it_was_enrolled_so() {
    let (mut log, mut approver) = log();
    approver.flags = 1;
    log.uses("prod", &mut approver);
    unproved(&log, "it does not say that the person was verified");
}

#[test]
fn only_what_is_enrolled_at_that_moment_approves() {
    let mut stranger = Approver::new(2, Algorithm::Es256);
    let of_another_key = |log: &mut Log, it: &Approver| log.sets("dev", "signet:Add", &[it]);
    let refused = |log: &mut Log, it: &Approver| {
        log.sets("prod", "signet:Add", &[it]);
        log.entries.last_mut().unwrap().facts.result = Some("refused".into());
    };
    let later = |_: &mut Log, _: &Approver| ();
    for before in [of_another_key, refused, later] {
        let (mut log, _) = log();
        before(&mut log, &stranger);
        log.uses("prod", &mut stranger);
        log.sets("dev", "signet:Add", &[&stranger]);
        unproved(&log, "factor fido2-2 with that credential was not enrolled for prod then");
    }
    for action in ["signet:Add", "signet:Remove", "signet:Lose", "signet:Restore"] {
        let (mut log, mut approver) = log();
        log.sets("prod", action, &[]);
        let gone = &mut log.entries.last_mut().unwrap();
        gone.facts.enrolled = None;
        // none of these takes an approval where there is no agent to ask for one
        gone.phase = Phase::Admin;
        log.uses("prod", &mut approver);
        unproved(&log, "was not enrolled for prod then");
    }
}

#[test]
fn a_use_without_the_approval_that_is_due_is_named() {
    let mut facts = asked("prod", "sts:GetCallerIdentity");
    facts.result = Some("signed".into());
    let (mut log, _) = log();
    log.note(Phase::Outcome, "u", facts.clone());
    facts.result = Some("refused".into());
    log.note(Phase::Outcome, "v", facts.clone());
    for action in ["signet:Add", "signet:Verify"] {
        let done = Facts { action: Some(action.into()), result: Some("done".into()), ..facts.clone() };
        let enrolled = log.entries[1].facts.enrolled.clone();
        log.note(Phase::Outcome, "w", Facts { enrolled, ..done });
    }
    facts = asked("dev", "sts:GetCallerIdentity");
    facts.result = Some("signed".into());
    log.note(Phase::Outcome, "x", facts.clone());
    facts.factors = Some(vec!["totp".into(), "fido2".into()]);
    log.note(Phase::Outcome, "y", facts);
    let missing = |seq: u64| format!("entry {seq} was done without the approval that the key asks for");
    assert_eq!(flaws(&log), [missing(3), missing(8)]);
}

#[test]
fn a_restored_record_is_approved_by_the_factors_in_it() {
    let (mut log, mut approver) = (Log::default(), Approver::new(1, Algorithm::EdDsa));
    let mut facts = asked("prod", "signet:Restore");
    facts.region = None;
    log.uses_as("u", facts, &mut approver, |_| ());
    log.entries[1].facts.result = Some("refused".into());
    assert_eq!(flaws(&log), [""; 0], "nothing came of it");
    log.entries[1].facts.result = Some("restored".into());
    unproved(&log, "was not enrolled for prod then");
    log.entries[1].facts.enrolled = Some(vec![approver.factor.clone()]);
    assert_eq!(flaws(&log), [""; 0]);
    assert_eq!(check(&log.lines()).approved[0].evidence.enrolment, 1);
}

#[test]
fn an_approval_of_a_use_that_was_refused_then_is_told_so() {
    let (mut log, mut approver) = log();
    log.uses("prod", &mut approver);
    log.entries[3].facts.result = Some("refused".into());
    let found = check(&log.lines());
    assert_eq!((found.flaws.len(), found.approved[0].result.as_str()), (0, "refused"));
}

#[test]
fn lines_in_disorder_are_taken_by_their_numbers_and_once() {
    let (mut log, mut approver) = log();
    log.uses("prod", &mut approver);
    let mut lines = log.lines();
    lines.swap(0, 3);
    lines.push(lines[0].clone());
    lines.push(b"no entry".to_vec());
    let found = check(&lines);
    assert_eq!((found.flaws.len(), found.approved.len()), (0, 1));
    let text = String::from_utf8(lines[0].clone()).unwrap();
    let other = text.replacen("\"factor\":", "\"more\":1,\"factor\":", 1);
    lines[0] = other.clone().into_bytes();
    lines.truncate(4);
    assert_eq!(check(&lines).flaws.len(), 0, "the chain names a line that was changed");
    // An entry of another form, written as such.
    let (body, _) = other.rsplit_once(",\"hash\":").unwrap();
    let hash = signet_envelope::hex(&signet_envelope::sha256(body.as_bytes()));
    lines[0] = format!("{body},\"hash\":\"{hash}\"}}").into_bytes();
    let found = check(&lines);
    assert_eq!(found.approved.len(), 0);
    assert_eq!(
        (found.flaws[0].line, found.flaws[0].seq, &found.flaws[0].kind),
        (1, Some(4), &Kind::Unreadable)
    );
}

#[test]
fn a_text_that_the_log_has_cut_is_compared_as_it_was_cut() {
    let (mut log, mut approver) = log();
    let long = "sts:".to_owned() + &"\u{e9}".repeat(2000);
    let mut facts = asked("prod", &long);
    facts.action = Some(long.chars().take(1024).collect());
    log.uses_as("u", facts, &mut approver, |order| order.action = long);
    assert_eq!(flaws(&log), [""; 0]);
}

#[test]
fn no_changed_byte_makes_it_panic_or_tell_another_approval() {
    let (mut log, mut approver) = log();
    log.uses("prod", &mut approver);
    let lines = log.lines();
    let told = |found: &Found| found.approved.iter().map(Approved::cells).collect::<Vec<_>>();
    let good = told(&check(&lines));
    for number in 1..lines.len() {
        for at in 0..lines[number].len() {
            let mut changed = lines.clone();
            changed[number][at] ^= 1;
            let found = check(&changed);
            // the numbers of the outcome and the label are not signed: they are the chain's to keep
            let signed = |rows: Vec<Vec<String>>| {
                rows.into_iter().map(|row| [&row[1..4], &row[5..]].concat()).collect::<Vec<_>>()
            };
            assert!(
                found.approved.is_empty() || signed(told(&found)) == signed(good.clone()),
                "{number}, {at}"
            );
        }
    }
}
