//! The keys of the vault: how old they are, what opens them, and when that was last tried.

use super::finding::{Finding, HERE};
use super::renewal::{self, Renewal};
use super::root;
use crate::command::custody::has;
use signet_protocol::api::{KeyInfo, RefusedKey, TokenInfo};
use signet_protocol::record::{FactorKind, KeyKind};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

/// After this long a key is to be rotated, rehearsed and verified anew.
pub(super) const DAYS: i64 = 90;

/// What a judgement of keys depends on.
pub(super) struct Facts<'a> {
    pub(super) keys: &'a [KeyInfo],
    pub(super) refused: &'a [RefusedKey],
    pub(super) tokens: &'a [TokenInfo],
    pub(super) now: OffsetDateTime,
    /// The endpoint that the environment names for IAM.
    pub(super) iam: Option<&'a str>,
}

/// How many days ago a time was; none where it is no time.
pub(super) fn days_since(time: &str, now: OffsetDateTime) -> Option<i64> {
    let time = OffsetDateTime::parse(time, &Rfc3339).ok()?;
    Some((now - time).max(Duration::ZERO).whole_days())
}

/// Looks at every key.
pub(super) fn look(facts: &Facts<'_>) -> Vec<Finding> {
    if facts.keys.is_empty() && facts.refused.is_empty() {
        return vec![Finding::ok("keys", "the vault holds no key yet")];
    }
    let mut findings: Vec<Finding> = facts.keys.iter().flat_map(|key| one(key, facts)).collect();
    findings.extend(facts.refused.iter().map(broken));
    findings
}

fn broken(refused: &RefusedKey) -> Finding {
    let RefusedKey { name, error } = refused;
    let hint = error.hint.clone().filter(|hint| hint != HERE);
    let hint = hint.unwrap_or_else(|| format!("signet remove {name} --lost --yes"));
    let why = "a record that was changed, or put back, is not opened: it could name other tokens or rules";
    Finding::wrong("keys", format!("{name} is refused: {}", error.message), why, hint)
}

/// The tokens that can do what the key is for: those that hold it, or those that open its record.
fn serials(key: &KeyInfo) -> impl Iterator<Item = &String> {
    let held = !key.holders.is_empty();
    key.tokens
        .iter()
        .filter(move |serial| !held || key.holders.iter().any(|holder| holder.serial == **serial))
}

fn one(key: &KeyInfo, facts: &Facts<'_>) -> Vec<Finding> {
    let lost = |serial: &&String| facts.tokens.iter().any(|it| it.serial == **serial && it.lost.is_some());
    let usable: Vec<&String> = serials(key).filter(|serial| !lost(serial)).collect();
    let renewal = Renewal { key, usable: usable.len(), keys: facts.keys, iam: facts.iam };
    let mut findings = vec![tokens(key, &usable, facts, &renewal)];
    findings.extend(age(key, facts.now, &renewal));
    findings.extend(factor(key));
    findings.extend(open(key, &renewal));
    findings.extend(rehearsal(key, facts.now));
    findings.extend(verified(key, &usable, facts.now));
    if key.kind == KeyKind::Root {
        findings.push(root::judge(key, facts.now, &renewal));
    }
    findings
}

/// How many tokens open it.
fn tokens(key: &KeyInfo, usable: &[&String], facts: &Facts<'_>, renewal: &Renewal<'_>) -> Finding {
    let name = &key.name;
    let verb = if key.holders.is_empty() { "sealed to" } else { "held by" };
    match usable {
        [] => {
            let what = format!("{name} has no token that was not lost");
            let why =
                "nothing opens it any more; a new key takes its place, by the console of aws where need be";
            Finding::wrong("keys", what, why, renewal::command(renewal))
        }
        [_one] => {
            let what = format!("{name} is {verb} one token, and is lost with it");
            let why = "a token breaks or is lost when it is needed most: a second one costs a touch now";
            Finding::warning("keys", what, why, second(key, facts))
        }
        many => Finding::ok("keys", format!("{name}, {verb} {} tokens", many.len())),
    }
}

/// Lets another token open the key: one that is enrolled, one that is there, or one that is to come.
fn second(key: &KeyInfo, facts: &Facts<'_>) -> String {
    let name = &key.name;
    let lacks = |serial: &&String| !serials(key).any(|held| held == *serial);
    let there = |serial: &&String| facts.tokens.iter().any(|it| it.serial == **serial && it.lost.is_none());
    if let Some(opener) = key.tokens.iter().filter(lacks).find(there) {
        return format!("signet embed {name} --token {opener}{}", code(key));
    }
    let other = |it: &&TokenInfo| !key.tokens.contains(&it.serial) && it.lost.is_none();
    let mut others = facts.tokens.iter().filter(other);
    if let Some(enrolled) = others.clone().find(|it| it.slot.is_some()) {
        return format!("signet reseal {name} --add {}", enrolled.serial);
    }
    match others.find(|it| it.present == Some(true)) {
        Some(new) => format!("signet token enrol --serial {0} && signet reseal {name} --add {0}", new.serial),
        None => "signet token enrol".to_owned(),
    }
}

/// What `signet embed` is told, so that all tokens of a key are alike.
fn code(key: &KeyInfo) -> &'static str {
    if key.holders.iter().all(|holder| holder.access_code) { "" } else { " --no-access-code" }
}

/// Whether a touch is all that it asks for.
fn open(key: &KeyInfo, renewal: &Renewal<'_>) -> Option<Finding> {
    let (name, open) = (&key.name, key.holders.iter().find(|holder| !holder.access_code)?);
    (!has(key, FactorKind::Totp)).then(|| {
        let past = if has(key, FactorKind::Fido2) { ", past signet and its approvals" } else { "" };
        let token = &open.serial;
        let what =
            format!("{name} asks for no pin: whoever holds token {token} can sign by touching it{past}");
        let why = "it was put into its token without an access code; a new key is put behind one";
        Finding::warning("code", what, why, renewal::command(renewal))
    })
}

/// Whether AWS should have a new key by now.
fn age(key: &KeyInfo, now: OffsetDateTime, renewal: &Renewal<'_>) -> Option<Finding> {
    let name = &key.name;
    if let Some(why) = &key.rotate {
        let what = format!("{name} is to be rotated at aws: {why}");
        let why = format!(
            "who has that token and an old copy can sign until the old key is deleted at aws; \
             signet reseal {name} --rotated clears the mark where that was done in another way"
        );
        return Some(Finding::wrong("rotate", what, why, renewal::command(renewal)));
    }
    let days = days_since(&key.created, now).filter(|days| *days >= DAYS)?;
    let what = format!("{name} is {days} days old");
    let why = "a key that was copied before it came here is good until it is replaced";
    Some(Finding::warning("age", what, why, renewal::command(renewal)))
}

/// Whether a root key has a second factor, and whether a key is lost with one.
fn factor(key: &KeyInfo) -> Option<Finding> {
    let name = &key.name;
    if key.factor_details.iter().filter(|factor| factor.kind == FactorKind::Fido2).count() == 1 {
        let what = format!("{name} is approved by one authenticator only, and cannot be used without it");
        let why = "an authenticator breaks or is lost when it is needed most, and its factor is removed only with \
                   an approval; any one of several will do";
        return Some(Finding::warning("factor", what, why, format!("signet factor add fido2 --key {name}")));
    }
    (key.kind == KeyKind::Root && key.factors.is_empty()).then(|| {
        let what = format!("{name} is a root key without a second factor");
        let why = "who has the token and saw the pin needs nothing else to be root";
        Finding::warning("factor", what, why, format!("signet factor add totp --key {name}"))
    })
}

/// Whether the whole way to AWS was gone lately.
fn rehearsal(key: &KeyInfo, now: OffsetDateTime) -> Option<Finding> {
    let name = &key.name;
    let what = match key.drilled.as_deref().map(|time| days_since(time, now)) {
        None => format!("{name} was never rehearsed"),
        Some(Some(days)) if days < DAYS => return None,
        Some(Some(days)) => format!("{name} was last rehearsed {days} days ago"),
        Some(None) => format!("when {name} was last rehearsed is not known"),
    };
    let why = "token, pin, network and key at aws are known to work together only when they were tried";
    Some(Finding::warning("drill", what, why, format!("signet drill {name}")))
}

/// Whether each token was seen to open it lately.
fn verified(key: &KeyInfo, usable: &[&String], now: OffsetDateTime) -> Option<Finding> {
    let name = &key.name;
    let due = |serial: &&&String| {
        let days = key.verified.get(serial.as_str()).and_then(|time| days_since(time, now));
        days.is_none_or(|days| days >= DAYS)
    };
    let due: Vec<&str> = usable.iter().filter(due).map(|serial| serial.as_str()).collect();
    let (what, hint) = match due.as_slice() {
        [] => return None,
        [one] => (
            format!("token {one} of {name} was not verified in {DAYS} days"),
            format!("signet verify {name} --token {one}"),
        ),
        several => (
            format!("tokens {} of {name} were not verified in {DAYS} days", several.join(", ")),
            format!("signet verify {name}"),
        ),
    };
    let why =
        "that a token was reset or broke, or that its pin is forgotten, is found out now and not in need";
    Some(Finding::warning("verify", what, why, hint))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::command::custody::tests::factor as factor_of;
    use crate::command::doctor::Level;
    use crate::command::doctor::facts::{enrolled, key, only};
    use signet_protocol::record::Holder;
    use signet_protocol::{Code, Refusal};
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-22 17:00 UTC);

    fn judge(key: &KeyInfo, tokens: &[TokenInfo]) -> Vec<Finding> {
        look(&Facts { keys: std::slice::from_ref(key), refused: &[], tokens, now: NOW, iam: None })
    }

    #[test]
    fn a_good_key_is_one_line() {
        let found = judge(&key("prod", &["42", "43"]), &[]);
        assert_eq!(found, [Finding::ok("keys", "prod, sealed to 2 tokens")]);
    }

    #[test]
    fn one_token_is_too_few_and_the_next_best_is_added() {
        let found = only(&judge(&key("prod", &["42"]), &[enrolled("42")]));
        assert_eq!((found.level, found.hint.unwrap().as_str()), (Level::Warning, "signet token enrol"));
        let hint = |other| only(&judge(&key("prod", &["42"]), &[enrolled("42"), other])).hint.unwrap();
        assert_eq!(hint(enrolled("43")), "signet reseal prod --add 43");
        let new = TokenInfo { slot: None, present: Some(true), ..enrolled("43") };
        assert_eq!(hint(new), "signet token enrol --serial 43 && signet reseal prod --add 43");
        let lost = TokenInfo { lost: Some("2026-11-01".into()), ..enrolled("43") };
        assert_eq!(hint(lost), "signet token enrol");
    }

    #[test]
    fn a_lost_token_does_not_count() {
        let lost = TokenInfo { lost: Some("2026-11-01".into()), ..enrolled("42") };
        let found = only(&judge(&key("prod", &["42", "43"]), &[lost.clone(), enrolled("43")]));
        assert!(found.message.contains("one token"), "{found:?}");
        let found = only(&judge(&key("prod", &["42"]), &[lost]));
        assert_eq!(found.level, Level::Wrong);
        assert!(found.hint.unwrap().ends_with("&& signet remove prod --lost --yes"));
    }

    #[test]
    fn an_old_key_is_renewed_from_the_ninetieth_day_on() {
        let of = |created: &str| {
            let mut key = key("prod", &["42", "43"]);
            key.created = created.into();
            judge(&key, &[]).into_iter().find(|it| it.check == "age")
        };
        assert_eq!(of("2026-08-24T18:00:00Z"), None);
        assert!(of("2026-08-24T17:00:00Z").unwrap().message.ends_with("is 90 days old"));
        assert_eq!(of("2027-01-01T00:00:00Z"), None, "a clock that went wrong ages nothing");
        assert_eq!(of("x"), None);
    }

    #[test]
    fn a_mark_is_red_and_says_so_once() {
        let mut key = key("prod", &["42", "43"]);
        key.created = "2020-01-01T00:00:00Z".into();
        key.rotate = Some("2026-11-01 token 43 was lost".into());
        let found = only(&judge(&key, &[]));
        assert_eq!((found.level, found.check), (Level::Wrong, "rotate"));
        assert!(found.hint.unwrap().starts_with("signet add prod-2 --kind iam-user"));
    }

    #[test]
    fn what_was_never_or_long_ago_tried_is_yellow() {
        let mut key = key("prod", &["42", "43"]);
        key.drilled = None;
        let found = only(&judge(&key, &[]));
        assert_eq!((found.check, found.hint.unwrap().as_str()), ("drill", "signet drill prod"));
        key.drilled = Some("2026-08-24T17:00:00Z".into());
        assert!(only(&judge(&key, &[])).message.ends_with("90 days ago"));
        key.drilled = Some("2026-08-25T00:00:00Z".into());
        key.verified.insert("43".into(), "2026-08-01T00:00:00Z".into());
        let found = only(&judge(&key, &[]));
        assert_eq!((found.check, found.hint.unwrap().as_str()), ("verify", "signet verify prod --token 43"));
        key.verified.clear();
        assert_eq!(only(&judge(&key, &[])).hint.unwrap(), "signet verify prod");
    }

    #[test]
    fn a_root_key_wants_a_factor() {
        let mut key = key("prod", &["42", "43"]);
        (key.kind, key.factors, key.factor_details) = (KeyKind::Root, vec![], vec![]);
        let found = judge(&key, &[]);
        assert!(found.iter().any(|it| it.check == "factor" && it.level == Level::Warning), "{found:?}");
    }

    #[test]
    fn one_authenticator_is_too_few() {
        let mut key = key("prod", &["42", "43"]);
        key.factor_details.push(factor_of(FactorKind::Fido2));
        let found = only(&judge(&key, &[]));
        assert_eq!((found.level, found.check), (Level::Warning, "factor"));
        assert_eq!(found.hint.unwrap(), "signet factor add fido2 --key prod");
        key.factor_details.push(factor_of(FactorKind::Fido2));
        assert_eq!(judge(&key, &[]), [Finding::ok("keys", "prod, sealed to 2 tokens")]);
    }

    #[test]
    fn a_key_inside_tokens_counts_its_holders() {
        let holder = |access_code| Holder {
            kind: "yubikey-oath".into(),
            serial: "42".into(),
            device: String::new(),
            credential: String::new(),
            access_code,
            check: String::new(),
        };
        let mut key = key("prod", &["42", "43"]);
        key.holders = vec![holder(true)];
        let found = only(&judge(&key, &[enrolled("42"), enrolled("43")]));
        assert_eq!(found.message, "prod is held by one token, and is lost with it");
        assert_eq!(found.hint.unwrap(), "signet embed prod --token 43");
        (key.holders, key.factor_details) = (vec![holder(false)], vec![]);
        let found = judge(&key, &[enrolled("42"), enrolled("43")]);
        let tokens = found.iter().find(|it| it.check == "keys").unwrap();
        assert_eq!(tokens.hint.as_deref(), Some("signet embed prod --token 43 --no-access-code"));
        assert!(found.iter().any(|it| it.check == "code" && it.level == Level::Warning), "{found:?}");
    }

    #[test]
    fn a_refused_record_is_red_and_its_own_hint_is_kept_unless_it_leads_here() {
        let refused = |hint: &str| RefusedKey {
            name: "prod".into(),
            error: Refusal::new(Code::Rollback, "the record was changed", hint),
        };
        let hint = |hint: &str| {
            let refused = [refused(hint)];
            let found = look(&Facts { keys: &[], refused: &refused, tokens: &[], now: NOW, iam: None });
            only(&found).hint.unwrap()
        };
        assert_eq!(hint("signet restore prod.age"), "signet restore prod.age");
        assert_eq!(hint(HERE), "signet remove prod --lost --yes");
    }
}
