//! Who is asked, who waits, who is served, and what is never shared.

#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use std::pin::pin;

fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_800_000_000 + seconds).unwrap()
}

fn wanted() -> Wanted {
    Wanted {
        uid: 1000,
        key: "prod".to_owned(),
        host: "sts.us-east-1.amazonaws.com".to_owned(),
        duration: 3600,
        mfa_serial: None,
    }
}

fn credentials(id: &str, ends: i64) -> SessionCredentials {
    SessionCredentials {
        access_key_id: format!("ASIA0000000000{id}"),
        secret_access_key: "secret".to_owned(),
        session_token: "token".to_owned(),
        expiration: clock::rfc3339(at(ends)),
        account_id: None,
    }
}

fn no() -> Refusal {
    Refusal::bare(Code::NotTouched, "nobody touched the token")
}

fn lease(sessions: &Sessions, now: i64) -> Lease {
    match sessions.ask(&wanted(), "alice", at(now)) {
        Next::Ask(lease) => lease,
        Next::Serve(_) | Next::Wait(_) | Next::Refused(_) => panic!("not asked"),
    }
}

fn waiter(sessions: &Sessions, now: i64) -> Waiter {
    match sessions.ask(&wanted(), "bob", at(now)) {
        Next::Wait(waiter) => waiter,
        Next::Serve(_) | Next::Ask(_) | Next::Refused(_) => panic!("does not wait"),
    }
}

fn served(sessions: &Sessions, wanted: &Wanted, now: i64) -> Option<String> {
    match sessions.ask(wanted, "carol", at(now)) {
        Next::Serve(vended) => Some(vended.access_key_id.clone()),
        Next::Wait(_) | Next::Ask(_) | Next::Refused(_) => None,
    }
}

fn keep(sessions: &Sessions, id: &str, now: i64, ends: i64) {
    let lease = lease(sessions, now);
    sessions.deliver(lease.id(), 1000, credentials(id, ends), at(now)).unwrap();
}

#[tokio::test]
async fn ten_at_once_are_one_question_and_ten_answers() {
    let sessions = Sessions::default();
    let mut asked = lease(&sessions, 0);
    let waiters: Vec<Waiter> = (0..9).map(|_| waiter(&sessions, 0)).collect();
    assert!(waiters.iter().all(|waiter| waiter.asked() == "alice"));
    assert_eq!(sessions.leased(asked.id(), 1000), Some(wanted()));
    sessions.deliver(asked.id(), 1000, credentials("AA", 3600), at(1)).unwrap();
    asked.settled().await;
    for waiter in waiters {
        waiter.moved().await;
        assert_eq!(served(&sessions, &wanted(), 1).unwrap(), "ASIA0000000000AA");
    }
    assert_eq!(sessions.leased(asked.id(), 1000), None);
    drop(asked);
    assert_eq!(served(&sessions, &wanted(), 1).unwrap(), "ASIA0000000000AA");
}

#[tokio::test]
async fn a_refusal_answers_all_and_holds_for_ten_seconds() {
    let sessions = Sessions::default();
    let mut asked = lease(&sessions, 0);
    let waits = waiter(&sessions, 0);
    sessions.fail(asked.id(), 1000, no(), at(5)).unwrap();
    asked.settled().await;
    waits.moved().await;
    for (now, wait) in [(5, 10), (14, 1)] {
        let Next::Refused(refusal) = sessions.ask(&wanted(), "bob", at(now)) else {
            panic!("not refused");
        };
        assert_eq!(refusal, no().after(wait));
    }
    drop(lease(&sessions, 15));
}

#[tokio::test]
async fn when_the_asked_one_goes_away_the_next_one_is_asked() {
    let sessions = Sessions::default();
    let gone = lease(&sessions, 0);
    let (first, second) = (waiter(&sessions, 0), waiter(&sessions, 0));
    let id = gone.id().to_owned();
    drop(gone);
    first.moved().await;
    let next = lease(&sessions, 1);
    second.moved().await;
    let waits = waiter(&sessions, 1);
    // What the dead one's lease brings too late is not taken.
    assert!(sessions.deliver(&id, 1000, credentials("AA", 3600), at(1)).is_err());
    assert!(sessions.fail(&id, 1000, no(), at(1)).is_err());
    sessions.deliver(next.id(), 1000, credentials("BB", 3600), at(1)).unwrap();
    waits.moved().await;
    assert_eq!(served(&sessions, &wanted(), 1).unwrap(), "ASIA0000000000BB");
}

#[tokio::test]
async fn nobody_is_woken_while_nothing_happens() {
    let sessions = Sessions::default();
    let asked = lease(&sessions, 0);
    let mut moved = pin!(waiter(&sessions, 0).moved());
    tokio::select! {
        biased;
        () = &mut moved => panic!("woken for nothing"),
        () = std::future::ready(()) => {}
    }
    drop(asked);
    moved.await;
}

#[test]
fn a_session_is_shared_with_nobody_who_wants_another() {
    let sessions = Sessions::default();
    keep(&sessions, "AA", 0, 3600);
    let others = [
        Wanted { uid: 1001, ..wanted() },
        Wanted { key: "other".to_owned(), ..wanted() },
        Wanted { host: "sts.eu-west-1.amazonaws.com".to_owned(), ..wanted() },
        Wanted { duration: 900, ..wanted() },
        Wanted { mfa_serial: Some("arn".to_owned()), ..wanted() },
    ];
    for other in others {
        assert_eq!(served(&sessions, &other, 1), None);
    }
    let lease = match sessions.ask(&Wanted { uid: 1001, ..wanted() }, "eve", at(1)) {
        Next::Ask(lease) => lease,
        Next::Serve(_) | Next::Wait(_) | Next::Refused(_) => panic!("not asked"),
    };
    // Nor can a lease be used by another uid.
    assert_eq!(sessions.leased(lease.id(), 1000), None);
    assert!(sessions.deliver(lease.id(), 1000, credentials("BB", 3600), at(1)).is_err());
}

#[test]
fn a_kept_session_is_served_until_a_minute_before_its_end_and_then_gone() {
    let sessions = Sessions::default();
    keep(&sessions, "AA", 0, 900);
    assert!(served(&sessions, &wanted(), 839).is_some());
    assert_eq!(sessions.count(at(839)), 1);
    assert!(served(&sessions, &wanted(), 840).is_none());
    assert_eq!(sessions.count(at(840)), 0);
}

#[test]
fn under_sixteen_minutes_one_caller_renews_and_the_old_one_serves_meanwhile() {
    let sessions = Sessions::default();
    keep(&sessions, "AA", 0, 3600);
    assert!(served(&sessions, &wanted(), 3600 - 16 * 60).is_some());
    let now = 3601 - 16 * 60;
    let renewing = lease(&sessions, now);
    assert_eq!(served(&sessions, &wanted(), now).unwrap(), "ASIA0000000000AA");
    // It fails: the old one serves on, and nobody is asked again at once.
    sessions.fail(renewing.id(), 1000, no(), at(now)).unwrap();
    assert_eq!(served(&sessions, &wanted(), now + 9).unwrap(), "ASIA0000000000AA");
    let renewing = lease(&sessions, now + 10);
    sessions.deliver(renewing.id(), 1000, credentials("BB", 7200), at(now + 11)).unwrap();
    assert_eq!(served(&sessions, &wanted(), now + 11).unwrap(), "ASIA0000000000BB");
}

#[test]
fn a_session_that_was_never_longer_is_not_renewed() {
    let sessions = Sessions::default();
    keep(&sessions, "AA", 0, 900);
    assert!(served(&sessions, &wanted(), 800).is_some());
}

#[test]
fn what_sts_cannot_have_answered_is_not_kept_and_the_lease_goes_on() {
    let sessions = Sessions::default();
    let lease = lease(&sessions, 0);
    let spoilt: [fn(&mut SessionCredentials); 8] = [
        |got| got.access_key_id.clear(),
        |got| got.access_key_id.push('\n'),
        |got| got.secret_access_key.clear(),
        |got| got.session_token.push('\u{1b}'),
        |got| got.expiration = "soon".to_owned(),
        |got| got.expiration = clock::rfc3339(at(0)),
        |got| got.expiration = clock::rfc3339(at(60)),
        |got| got.account_id = Some("1".to_owned()),
    ];
    for spoil in spoilt {
        let mut got = credentials("AA", 3600);
        spoil(&mut got);
        let refusal = sessions.deliver(lease.id(), 1000, got, at(0)).unwrap_err();
        assert_eq!(refusal.code, Code::BadRequest);
        assert!(
            !refusal.message.contains('\u{1b}') && !refusal.message.contains("ASIA"),
            "nothing is echoed"
        );
    }
    sessions.deliver(lease.id(), 1000, credentials("AA", 3600), at(0)).unwrap();
}

#[test]
fn forgetting_drops_what_was_named_and_says_until_when_aws_honours_it() {
    let sessions = Sessions::default();
    keep(&sessions, "AA", 0, 3600);
    assert!(sessions.forget(Some(1001), None, at(1)).is_empty());
    assert!(sessions.forget(Some(1000), Some("other"), at(1)).is_empty());
    let forgotten = sessions.forget(Some(1000), None, at(1));
    let expected = ForgottenSession {
        key: "prod".to_owned(),
        access_key_id: "ASIA0000000000AA".to_owned(),
        expiration: clock::rfc3339(at(3600)),
    };
    assert_eq!(forgotten, [expected]);
    assert_eq!(served(&sessions, &wanted(), 1), None);
    keep(&sessions, "BB", 20, 3600);
    assert_eq!(sessions.forget(None, Some("prod"), at(21)).len(), 1);
}

#[test]
fn nothing_is_left_of_callers_who_went_away() {
    let sessions = Sessions::default();
    for key in 0..50 {
        let wanted = Wanted { key: key.to_string(), ..wanted() };
        let Next::Ask(lease) = sessions.ask(&wanted, "alice", at(0)) else { panic!("not asked") };
        drop(lease);
    }
    assert_eq!(sessions.count(at(0)), 0);
    assert!(sessions.slots.borrow().is_empty());
}
