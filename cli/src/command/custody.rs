//! Where a key is and what a use of it takes, in plain words. Pure.

use super::list::known;
use super::token::joined;
use crate::args::Format;
use crate::context::Context;
use crate::output;
use serde::Serialize;
use signet_protocol::api::KeyInfo;
use signet_protocol::record::{Custody, FactorKind, Holder};
use signet_protocol::{Refusal, VERSION};

/// Where the secret is when nobody uses it, in words that fit a column.
pub(super) fn short(key: &KeyInfo) -> String {
    match key.custody {
        Custody::Sealed => "sealed to the token".to_owned(),
        Custody::InToken => match codes(key) {
            (0, _) => "in the token, no access code".to_owned(),
            (with, all) if with == all => "in the token, access code".to_owned(),
            (with, all) => format!("in the token, access code on {with} of {all}"),
        },
    }
}

/// Where the secret is, and where it comes to.
pub(super) fn long(key: &KeyInfo) -> &'static str {
    match key.custody {
        Custody::Sealed => "sealed to the token; in one signer process for milliseconds a use",
        Custody::InToken => "in the token, which computes with it; never on this machine",
    }
}

/// What a use asks of the person.
pub(super) fn demands(key: &KeyInfo) -> String {
    let touches = match key.touches {
        1 => "one touch".to_owned(),
        several => format!("{several} touches"),
    };
    let pin = if asks_no_pin(key) { "no pin" } else { "a pin" };
    let code = if has(key, FactorKind::Totp) { ", a one-time code" } else { "" };
    let approval = if has(key, FactorKind::Fido2) { ", an approval by a fido2 key" } else { "" };
    format!("{pin}{code}{approval}, {touches}")
}

/// Whether the key has a factor of a kind.
pub(super) fn has(key: &KeyInfo, kind: FactorKind) -> bool {
    key.factor_details.iter().any(|factor| factor.kind == kind)
}

/// What `signet add` is told for a root key with the same kinds of factor.
pub(super) fn same_factors(key: &KeyInfo) -> &'static str {
    match (has(key, FactorKind::Totp), has(key, FactorKind::Fido2)) {
        (false, false) => "--no-factor",
        (true, false) => "--totp new",
        (false, true) => "--fido2",
        (true, true) => "--totp new --fido2",
    }
}

/// Whether whoever holds the token can use the key by touching it: the record, which the PIN opens,
/// need not be read. An approval reads nothing of it.
pub(super) fn asks_no_pin(key: &KeyInfo) -> bool {
    key.custody == Custody::InToken && !has(key, FactorKind::Totp) && codes(key).0 == 0
}

/// Tells how a key stands after it was changed.
pub(super) fn tell(cx: &Context, key: &KeyInfo) -> Result<(), Refusal> {
    #[derive(Serialize)]
    struct Document<'a> {
        version: u32,
        key: &'a KeyInfo,
    }
    match cx.format() {
        Format::Json => output::json(&Document { version: VERSION, key }),
        Format::Text | Format::Csv => output::line(&sentence(key)),
    }
}

/// A key in one line.
fn sentence(key: &KeyInfo) -> String {
    let by = match key.custody {
        Custody::Sealed => format!("opened by {}", joined(&key.tokens, "or")),
        Custody::InToken => {
            let holders: Vec<String> = key.holders.iter().map(|holder| holder.serial.clone()).collect();
            format!("held by {}", joined(&holders, "and"))
        }
    };
    format!("{}: {}; {by}; a use takes {}; epoch {}", key.name, short(key), demands(key), key.epoch)
}

/// Tells what stays in tokens that held the key `name` until now. The vault writes to none while it forgets.
pub(super) fn tell_left_behind(cx: &Context, name: &str, gone: &[Holder]) -> Result<(), Refusal> {
    if gone.is_empty() {
        return Ok(());
    }
    let mut others = known(cx)?.keys;
    others.retain(|key| key.name != name);
    gone.iter().flat_map(|holder| left_behind(holder, &others)).for_each(|line| output::talk(&line));
    Ok(())
}

/// What is said of one of them. Nobody but a record knows an access code, and this key's knows it no more;
/// `others` may be in the same applet.
fn left_behind(Holder { serial, credential, access_code, .. }: &Holder, others: &[KeyInfo]) -> Vec<String> {
    if !access_code {
        return vec![
            format!("token {serial} still holds it, behind a touch"),
            format!("hint: ykman --device {serial} oath accounts delete {credential}"),
        ];
    }
    let beside = |key: &&KeyInfo| key.holders.iter().any(|holder| holder.serial == *serial);
    let beside: Vec<String> = others.iter().filter(beside).map(|key| key.name.clone()).collect();
    if beside.is_empty() {
        return vec![
            format!(
                "token {serial} still holds it, behind a touch and an access code that was in the record: only \
                 a reset of its oath applet takes them out, which deletes every account in it"
            ),
            format!("hint: ykman --device {serial} oath reset"),
        ];
    }
    vec![format!(
        "token {serial} still holds it, behind a touch and an access code: only a reset of its oath applet would \
         take it out, and {} with it",
        joined(&beside, "and")
    )]
}

/// How many of the tokens that hold the key ask for an access code, and how many hold it.
fn codes(key: &KeyInfo) -> (usize, usize) {
    (key.holders.iter().filter(|holder| holder.access_code).count(), key.holders.len())
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use signet_protocol::record::{Factor, Holder, KeyKind, Partition};

    /// A factor of a kind, whose credential is not looked at.
    pub(in crate::command) fn factor(kind: FactorKind) -> Factor {
        let id = format!("{}-1", kind.name());
        Factor { id, kind, label: String::new(), created: "2026-01-01T00:00:00Z".into(), credential: None }
    }

    /// A key in the tokens named, each with or without an access code; sealed where none is named.
    pub(in crate::command) fn key(holders: &[(&str, bool)]) -> KeyInfo {
        let held = |(serial, access_code): &(&str, bool)| Holder {
            kind: "yubikey-oath".to_owned(),
            serial: (*serial).to_owned(),
            device: "0011223344556677".to_owned(),
            credential: "signet-prod".to_owned(),
            access_code: *access_code,
            check: "00".repeat(32),
        };
        KeyInfo {
            name: "prod".into(),
            kind: KeyKind::Root,
            account: Some("123456789012".into()),
            partition: Partition::Aws,
            access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            custody: if holders.is_empty() { Custody::Sealed } else { Custody::InToken },
            tokens: vec!["42".into(), "43".into()],
            factors: vec![],
            policy: vec![],
            mfa_serial: None,
            created: "2026-01-01T00:00:00Z".into(),
            epoch: 1,
            last_used: None,
            rotate: None,
            factor_details: vec![],
            policy_parts: vec![],
            holders: holders.iter().map(held).collect(),
            touches: 1,
            verified: std::collections::BTreeMap::new(),
            drilled: None,
        }
    }

    #[test]
    fn the_words_say_whether_the_applet_asks_for_a_code() {
        assert_eq!(short(&key(&[])), "sealed to the token");
        assert_eq!(short(&key(&[("42", true), ("43", true)])), "in the token, access code");
        assert_eq!(short(&key(&[("42", false)])), "in the token, no access code");
        assert_eq!(short(&key(&[("42", true), ("43", false)])), "in the token, access code on 1 of 2");
    }

    #[test]
    fn what_stays_in_a_token_is_taken_out_by_the_command_that_spares_most() {
        let of = |access_code, keys: &[KeyInfo]| left_behind(&key(&[("42", access_code)]).holders[0], keys);
        let hint = |lines: &[String]| lines.last().unwrap().clone();
        assert_eq!(hint(&of(false, &[])), "hint: ykman --device 42 oath accounts delete signet-prod");
        let other = KeyInfo { name: "other".into(), ..key(&[("43", true)]) };
        assert_eq!(hint(&of(true, &[other])), "hint: ykman --device 42 oath reset");
        let beside = KeyInfo { name: "other".into(), ..key(&[("43", true), ("42", true)]) };
        let lines = of(true, &[beside]);
        assert!(lines.len() == 1 && lines[0].ends_with("and other with it"), "{lines:?}");
    }

    #[test]
    fn only_a_key_that_nothing_but_a_touch_protects_asks_for_no_pin() {
        assert!(asks_no_pin(&key(&[("42", false)])));
        assert!(!asks_no_pin(&key(&[("42", true)])) && !asks_no_pin(&key(&[])));
        assert_eq!(demands(&key(&[("42", false)])), "no pin, one touch");
    }

    #[test]
    fn each_kind_of_factor_is_asked_for_by_its_name() {
        let of = |kinds: &[FactorKind], touches, held: &[(&str, bool)]| {
            let factor_details = kinds.iter().map(|kind| factor(*kind)).collect();
            KeyInfo { factor_details, touches, ..key(held) }
        };
        let (code, approval) = (FactorKind::Totp, FactorKind::Fido2);
        let bare = [("42", false)];
        for (key, demanded, added) in [
            (of(&[code], 2, &bare), "a pin, a one-time code, 2 touches", "--totp new"),
            (of(&[approval], 2, &bare), "no pin, an approval by a fido2 key, 2 touches", "--fido2"),
            (of(&[approval, approval], 2, &[]), "a pin, an approval by a fido2 key, 2 touches", "--fido2"),
            (
                of(&[approval, code], 2, &[]),
                "a pin, a one-time code, an approval by a fido2 key, 2 touches",
                "--totp new --fido2",
            ),
            (of(&[], 1, &[]), "a pin, one touch", "--no-factor"),
        ] {
            assert_eq!((demands(&key).as_str(), same_factors(&key)), (demanded, added));
        }
    }
}
