//! One token: what it tells of itself without a PIN, against what the vault expects of it.
//!
//! Nothing here spends a try: what is judged are counters, versions and policies that the token
//! shows to everybody.

use super::Finding;
use crate::command::token::slot_for_people;
use signet_protocol::api::{KeyInfo, TokenInfo};
use signet_protocol::child::Seen;
use signet_protocol::kinds;
use signet_protocol::record::Holder;

/// First firmware without the weakness of Infineon's library.
const SOUND: (u32, u32, u32) = (5, 7, 0);

/// Looks at every token that is enrolled or there.
pub(super) fn look(tokens: &[TokenInfo], keys: &[KeyInfo]) -> Vec<Finding> {
    tokens.iter().flat_map(|token| one(token, tokens, keys)).collect()
}

fn one(token: &TokenInfo, tokens: &[TokenInfo], keys: &[KeyInfo]) -> Vec<Finding> {
    if token.lost.is_some() {
        return vec![lost(token)];
    }
    let mut findings = vec![Finding::ok("token", shown(token))];
    let replace = replacement(token, tokens, keys);
    if let Some(seen) = &token.seen {
        findings.extend(pins(token, seen));
        findings.extend(factory(token, seen));
        findings.extend(slot(token, seen, &replace));
        findings.extend(oath(token, seen, keys));
    }
    let firmware = token.seen.as_ref().and_then(|seen| seen.firmware.as_ref()).or(token.firmware.as_ref());
    findings.extend(firmware.and_then(|firmware| weakness(token, firmware, &replace)));
    findings.extend(unproven(token, &replace));
    findings
}

/// What it is, in one line.
fn shown(token: &TokenInfo) -> String {
    let called = if token.label.is_empty() { String::new() } else { format!(" ({})", token.label) };
    let firmware = token.firmware.as_ref().map(|it| format!(", firmware {it}")).unwrap_or_default();
    let place = match (&token.seen, token.present) {
        (Some(Seen { reader: Some(reader), .. }), _) => format!(", in {reader}"),
        (_, Some(false)) => ", not plugged in".to_owned(),
        (_, Some(true) | None) => String::new(),
    };
    let enrolled = match &token.slot {
        None => ", not enrolled".to_owned(),
        Some(slot) => slot_for_people(slot).map_or_else(String::new, |slot| format!(", slot {slot}")),
    };
    let attested = if token.attested == Some(true) { ", attested" } else { "" };
    let told = token.seen.as_ref().map(|seen| told(token, seen)).unwrap_or_default();
    format!("{} {}{called}{place}{enrolled}{firmware}{attested}{told}", token.kind, token.serial)
}

/// What it tells of itself: policies of its slot, tries left, and its other applet.
fn told(token: &TokenInfo, seen: &Seen) -> String {
    let policies =
        slot_line(token, seen).and_then(|line| Some(format!(", {}", line.get(line.find("PIN ")?..)?)));
    let tries =
        |tries: Option<u8>, what| tries.map(|tries| format!(", {tries} {what} tries")).unwrap_or_default();
    let code = match seen.oath_code {
        Some(true) => ", oath code set",
        Some(false) => ", no oath code",
        None => "",
    };
    let (pin, puk) = (tries(seen.pin_tries, "pin"), tries(seen.puk_tries, "puk"));
    format!("{}{pin}{puk}{code}", policies.unwrap_or_default())
}

/// What the token shows of the slot that the vault has on it.
fn slot_line<'a>(token: &TokenInfo, seen: &'a Seen) -> Option<&'a str> {
    let name = format!("slot {}", token.slot.as_ref()?);
    seen.details.iter().find(|(told, _)| *told == name).map(|(_, line)| line.as_str())
}

/// A token that was reported lost. The keys that it opened are told of by their marks.
fn lost(token: &TokenInfo) -> Finding {
    let (serial, date) = (&token.serial, token.lost.as_deref().unwrap_or_default());
    if token.present != Some(true) {
        return Finding::ok("lost", format!("token {serial} was reported lost on {date}: it is refused"));
    }
    let what = format!("token {serial}, which was reported lost on {date}, is plugged in");
    let why = "nobody knows who had it meanwhile: it stays refused, and what it opened is to be rotated";
    Finding::warning("lost", what, why, format!("signet token lost {serial}"))
}

/// Tries left for PIN and PUK.
fn pins(token: &TokenInfo, seen: &Seen) -> Vec<Finding> {
    let serial = &token.serial;
    let mut findings = Vec::new();
    match (seen.pin_tries, seen.puk_tries) {
        (Some(0), Some(0)) => {
            let what = format!("the pin and the puk of {serial} are blocked");
            let why = "nothing opens it any more; a reset makes it usable again, and destroys its keys";
            let hint = format!("ykman --device {serial} piv reset");
            return vec![Finding::wrong("token", what, why, hint)];
        }
        (Some(0), _) => {
            let what = format!("the pin of {serial} is blocked");
            let why = "no use is possible until a new pin is set with the puk";
            findings.push(Finding::wrong("token", what, why, format!("signet token unblock {serial}")));
        }
        (Some(1), _) => {
            let what = format!("one pin try is left on {serial}");
            let why = "after one more wrong pin it is blocked; a right one brings all tries back";
            findings.push(Finding::warning("token", what, why, format!("signet token pin {serial}")));
        }
        (Some(_) | None, _) => {}
    }
    if seen.puk_tries == Some(0) {
        let what = format!("the puk of {serial} is blocked");
        let why =
            "a pin that is forgotten or blocked could not be set anew: have a second token for its keys";
        findings.push(Finding::warning("token", what, why, "signet token enrol"));
    }
    findings
}

/// Values that everybody knows.
fn factory(token: &TokenInfo, seen: &Seen) -> Vec<Finding> {
    let serial = &token.serial;
    if seen.factory.is_empty() {
        return Vec::new();
    }
    if token.slot.is_none() {
        let what = format!("{serial} still has the factory's {}", seen.factory.join(", "));
        let why = "everybody knows them; enrolling the token replaces them with your own";
        return vec![Finding::warning("token", what, why, format!("signet token enrol --serial {serial}"))];
    }
    let each = |name: &String| {
        let what = format!("{serial} still has the factory's {name}");
        let (why, hint) = match name.as_str() {
            "pin" => ("who holds the token needs only a touch", format!("signet token pin {serial}")),
            "puk" => (
                "who holds the token can set a new pin with it",
                format!("ykman --device {serial} piv access change-puk --puk 12345678"),
            ),
            _management_key => (
                "who holds the token can overwrite the keys in it",
                format!(
                    "ykman --device {serial} piv access change-management-key --generate --protect \
                     --management-key 010203040506070801020304050607080102030405060708"
                ),
            ),
        };
        Finding::wrong("token", what, why, hint)
    };
    seen.factory.iter().map(each).collect()
}

/// Whether the slot still holds what was enrolled.
fn slot(token: &TokenInfo, seen: &Seen, replace: &str) -> Option<Finding> {
    let (serial, slot) = (&token.serial, token.slot.as_ref()?);
    let line = slot_line(token, seen)?;
    if line == "empty" {
        let what = format!("slot {slot} of {serial} is empty");
        let why = "the token was reset, or its key was deleted: it opens no record any more";
        return Some(Finding::wrong("token", what, why, replace));
    }
    // a card without metadata tells only that there is a key
    let tells = line.contains("PIN ");
    let both = line.contains("PIN always") && line.contains("touch always");
    (tells && !both).then(|| {
        let what = format!("slot {slot} of {serial} holds another key than was enrolled: {line}");
        let why = "a key that does not ask for pin and touch at each use can be used behind your back";
        Finding::wrong("token", what, why, replace)
    })
}

/// The access code of the applet, where keys are held in it.
fn oath(token: &TokenInfo, seen: &Seen, keys: &[KeyInfo]) -> Vec<Finding> {
    let serial = &token.serial;
    let holder = |key: &KeyInfo| -> Option<Holder> {
        key.holders.iter().find(|holder| holder.serial == *serial).cloned()
    };
    let held = keys.iter().filter_map(|key| holder(key).map(|holder| (&key.name, holder)));
    held.filter_map(|(name, holder)| match (holder.access_code, seen.oath_code) {
        (true, Some(false)) => {
            let what = format!("the oath applet of {serial} asks for no code, and {name} was put behind one");
            let why = "its code was taken away, and whoever holds the token can use the key, or the applet was \
                       reset, which takes the key with it: the key is to be written anew";
            let hint = format!("signet embed {name} --token {serial} --access-code");
            Some(Finding::wrong("oath", what, why, hint))
        }
        (false, Some(true)) => {
            let what = format!("the oath applet of {serial} asks for a code that {name} does not have");
            let why =
                "somebody set one after the key was embedded: no use is possible until it is taken away";
            Some(Finding::wrong(
                "oath",
                what,
                why,
                format!("ykman --device {serial} oath access change --clear"),
            ))
        }
        (true, Some(true) | None) | (false, Some(false) | None) => None,
    })
    .collect()
}

/// Firmware whose keys can be copied with effort.
fn weakness(token: &TokenInfo, firmware: &str, replace: &str) -> Option<Finding> {
    let hardware = kinds::find(&token.kind).is_none_or(|kind| kind.guarantees.non_exportable);
    (hardware && older(firmware, SOUND)).then(|| {
        let what = format!("firmware {firmware} of {} is older than 5.7", token.serial);
        let why = "EUCLEAK (CVE-2024-45678): who has the token, its pin and a laboratory can copy its keys; \
                   firmware cannot be updated, only a newer token helps";
        Finding::warning("firmware", what, why, replace)
    })
}

/// A key whose origin or policies only the vault's memory vouches for.
fn unproven(token: &TokenInfo, replace: &str) -> Vec<Finding> {
    let hardware = kinds::find(&token.kind).is_none_or(|kind| kind.guarantees.non_exportable);
    let serial = &token.serial;
    let mut findings = Vec::new();
    // a kind whose keys are not policed slot by slot has nothing that its maker could vouch for
    let policed = token.policies.as_deref() != Some("none");
    if hardware && policed && token.attested == Some(false) {
        let what = format!("that the key of {serial} was made on it is not attested by its maker");
        let why = "a false token, or a key that was imported, could be copied";
        findings.push(Finding::warning("attestation", what, why, replace));
    }
    if token.policies.as_deref() == Some("asked") {
        let what = format!("{serial} does not tell whether it asks for pin and touch at each use");
        let why = "both were asked of it when the key was made, and never seen";
        findings.push(Finding::warning("attestation", what, why, replace));
    }
    findings
}

/// The command that puts another token in the place of this one: another one that is good and opens
/// the same key already, or a new one.
fn replacement(token: &TokenInfo, tokens: &[TokenInfo], keys: &[KeyInfo]) -> String {
    let serial = &token.serial;
    let good = |other: &&TokenInfo| {
        let sound = other.firmware.as_ref().is_none_or(|firmware| !older(firmware, SOUND));
        other.serial != *serial && other.kind == token.kind && other.lost.is_none() && sound
    };
    let others: Vec<&TokenInfo> = tokens.iter().filter(good).collect();
    let Some(key) = keys.iter().find(|key| key.tokens.contains(serial)) else {
        return match &token.slot {
            Some(_) => format!("signet token remove {serial}"),
            None => "signet token enrol".to_owned(),
        };
    };
    if others.iter().any(|other| key.tokens.contains(&other.serial)) {
        return format!("signet reseal {} --drop {serial}", key.name);
    }
    match others.iter().find(|other| other.slot.is_some()) {
        Some(other) => over(&key.name, &other.serial, serial),
        None => match others.iter().find(|other| other.present == Some(true)) {
            Some(new) => {
                format!(
                    "signet token enrol --serial {} && {}",
                    new.serial,
                    over(&key.name, &new.serial, serial)
                )
            }
            None => "signet token enrol".to_owned(),
        },
    }
}

/// Lets one token open a key in the place of another.
fn over(key: &str, new: &str, old: &str) -> String {
    format!("signet reseal {key} --add {new} && signet reseal {key} --drop {old}")
}

fn older(firmware: &str, than: (u32, u32, u32)) -> bool {
    let mut numbers = firmware.split('.').map(|number| number.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor), Some(patch)) => (major, minor, patch) < than,
        (_, _, _) => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::command::doctor::Level;
    use crate::command::doctor::facts::{enrolled, key, only, seen};

    /// A good token that is there.
    fn there(change: impl FnOnce(&mut Seen)) -> TokenInfo {
        let mut seen = seen("42");
        change(&mut seen);
        TokenInfo { seen: Some(seen), present: Some(true), ..enrolled("42") }
    }

    fn judge(token: &TokenInfo, keys: &[KeyInfo]) -> Vec<Finding> {
        look(std::slice::from_ref(token), keys)
    }

    #[test]
    fn a_good_token_is_shown_in_one_line() {
        let slot = ("slot 95".to_owned(), "P-256, made on the token, PIN always, touch always".to_owned());
        let found = judge(&there(|seen| seen.details = vec![slot]), &[]);
        let line = "yubikey-piv 42 (desk), in reader 0, slot 95, firmware 5.7.1, attested, PIN always, touch always, \
                    3 pin tries, 3 puk tries, no oath code";
        assert_eq!(found, [Finding::ok("token", line)]);
    }

    #[test]
    fn a_blocked_pin_is_set_anew_and_a_dead_token_reset() {
        let of = |pin, puk| {
            only(&judge(
                &there(|seen| {
                    seen.pin_tries = Some(pin);
                    seen.puk_tries = Some(puk);
                }),
                &[],
            ))
        };
        let blocked = of(0, 3);
        assert_eq!(
            (blocked.level, blocked.hint.unwrap().as_str()),
            (Level::Wrong, "signet token unblock 42")
        );
        assert_eq!(of(0, 0).hint.unwrap(), "ykman --device 42 piv reset");
        assert_eq!(of(1, 3).level, Level::Warning);
        assert!(of(3, 0).message.contains("puk of 42 is blocked"));
    }

    #[test]
    fn factory_values_are_red_once_records_depend_on_them() {
        let all =
            |seen: &mut Seen| seen.factory = ["pin", "puk", "management-key"].map(str::to_owned).to_vec();
        let found = judge(&there(all), &[]);
        assert_eq!(found.iter().filter(|it| it.level == Level::Wrong).count(), 3, "{found:?}");
        let new = TokenInfo { slot: None, attested: None, policies: None, ..there(all) };
        let found = only(&judge(&new, &[]));
        assert_eq!(
            (found.level, found.hint.unwrap().as_str()),
            (Level::Warning, "signet token enrol --serial 42")
        );
    }

    #[test]
    fn a_slot_that_is_not_what_was_enrolled_is_red() {
        let slot = |line: &str| {
            let line = line.to_owned();
            judge(&there(|seen| seen.details = vec![("slot 95".into(), line)]), &[])
        };
        assert_eq!(slot("P-256, made on the token, PIN always, touch always").len(), 1);
        assert_eq!(slot("used").len(), 1, "no metadata: nothing is known");
        for line in
            ["empty", "P-256, imported, PIN never, touch always", "P-256, x, PIN always, touch cached"]
        {
            assert_eq!(only(&slot(line)).level, Level::Wrong, "{line}");
        }
    }

    #[test]
    fn old_firmware_is_named_with_its_advisory_and_a_newer_token_takes_over() {
        let old = TokenInfo { firmware: Some("5.4.3".into()), ..enrolled("42") };
        let found = only(&judge(&old, &[]));
        assert!(found.why.unwrap().contains("CVE-2024-45678"));
        let new = TokenInfo { label: "new".into(), ..enrolled("43") };
        let hint = |tokens: &[TokenInfo], on: &[&str]| {
            let found = look(tokens, &[key("prod", on)]);
            found.iter().find(|it| it.check == "firmware").unwrap().hint.clone().unwrap()
        };
        assert_eq!(hint(std::slice::from_ref(&old), &["42"]), "signet token enrol");
        let both = [old, new];
        assert_eq!(hint(&both, &["42", "43"]), "signet reseal prod --drop 42");
        assert_eq!(hint(&both, &["42"]), "signet reseal prod --add 43 && signet reseal prod --drop 42");
    }

    #[test]
    fn a_software_token_has_neither_firmware_nor_attestation() {
        let soft = TokenInfo {
            kind: "software".into(),
            firmware: None,
            attested: Some(false),
            policies: Some("none".into()),
            ..enrolled("soft-00000001")
        };
        assert_eq!(judge(&soft, &[]).len(), 1);
    }

    #[test]
    fn what_is_not_proven_is_said() {
        let weak = TokenInfo { attested: Some(false), policies: Some("asked".into()), ..enrolled("42") };
        let found = judge(&weak, &[]);
        assert_eq!(found.iter().filter(|it| it.check == "attestation").count(), 2, "{found:?}");
    }

    #[test]
    fn the_code_of_the_applet_is_compared_with_the_record() {
        let of = |expected, told| {
            let mut key = key("prod", &["42"]);
            key.holders = vec![Holder {
                kind: "yubikey-oath".into(),
                serial: "42".into(),
                device: String::new(),
                credential: String::new(),
                access_code: expected,
                check: String::new(),
            }];
            let found = judge(&there(|seen| seen.oath_code = told), &[key]);
            found.into_iter().find(|it| it.check == "oath")
        };
        let taken = of(true, Some(false)).unwrap();
        assert_eq!(taken.hint.unwrap(), "signet embed prod --token 42 --access-code");
        let of = |expected, told| of(expected, told).map(|finding| finding.level);
        assert_eq!(of(true, Some(true)), None);
        assert_eq!(of(true, None), None);
        assert_eq!(of(true, Some(false)), Some(Level::Wrong));
        assert_eq!(of(false, Some(true)), Some(Level::Wrong));
        assert_eq!(of(false, Some(false)), None);
    }

    #[test]
    fn a_lost_token_is_refused_and_one_that_comes_back_is_told_of() {
        let lost = TokenInfo { lost: Some("2026-11-01".into()), ..enrolled("42") };
        assert_eq!(judge(&lost, &[])[0].level, Level::Ok);
        let back = TokenInfo { present: Some(true), ..lost };
        assert_eq!(only(&judge(&back, &[])).hint.unwrap(), "signet token lost 42");
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(older("5.4.3", SOUND) && older("4.3.7", SOUND));
        assert!(!older("5.7.0", SOUND) && !older("5.10.0", SOUND) && !older("new", SOUND));
    }
}
