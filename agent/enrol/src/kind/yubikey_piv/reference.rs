//! PIN and PUK: factory values found out and replaced, wrong ones counted.
//!
//! Promises: no try is spent that the person did not ask for. A factory value is known from the
//! card's metadata (tag 05), or from the person; it is never tried on the off chance. The last try
//! is spent only after a `confirm`. Everything is asked before the first change.

use super::card::{Card, refusal};
use crate::conversation::Question;
use crate::kind::Desk;
use signet_envelope::Secret;
use signet_protocol::child::TokenName;
use signet_protocol::{Code, PromptKind, Refusal};
use yubikey::piv::ManagementSlotId;

/// The factory PIN of every YubiKey.
const FACTORY_PIN: &[u8] = b"123456";
/// The factory PUK of every YubiKey.
const FACTORY_PUK: &[u8] = b"12345678";
/// Lengths a PIN and a PUK may have, in bytes: they are padded to eight (SP 800-73-4, part 2, 2.4.3).
const LENGTHS: std::ops::RangeInclusive<usize> = 6..=8;

/// A PIN or PUK that is known, and what it becomes.
struct Change {
    now: Secret,
    new: Option<Secret>,
}

/// What the person said of PIN and PUK.
pub(super) struct Answers {
    pin: Change,
    /// None: the PUK is not the factory's, or is blocked, and stays as it is.
    puk: Option<Change>,
    /// What the person should know.
    pub(super) warnings: Vec<String>,
}

/// Asks for everything that [`settle`] needs. Changes nothing; `card` is closed meanwhile.
pub(super) fn ask(desk: &mut Desk<'_>, mut card: Card) -> Result<Answers, Refusal> {
    let pin = card.reference(ManagementSlotId::Pin)?;
    let puk = card.reference(ManagementSlotId::Puk)?;
    let name = card.name.clone();
    drop(card);
    if pin.tries == Some(0) {
        return Err(pin_blocked(&name));
    }
    desk.talk.must_ask("the token's PIN is needed")?;

    let factory_pin = is_factory(desk, &name, pin.factory, "PIN", "123456")?;
    let factory_puk = puk.tries != Some(0) && is_factory(desk, &name, puk.factory, "PUK", "12345678")?;
    let mut warnings = Vec::new();
    if puk.tries == Some(0) {
        warnings.push("the token's PUK is blocked: a forgotten PIN cannot be reset".to_owned());
    }

    let pin = if factory_pin {
        let why = "the token still has its factory PIN";
        let new = new_secret(desk, &name, PromptKind::NewPin, why, None)?;
        Change { now: Secret::new(FACTORY_PIN.to_vec()), new: Some(new) }
    } else {
        Change { now: known(desk, &name, PromptKind::Pin, "PIN", pin.tries)?, new: None }
    };
    let puk = if factory_puk {
        let why = "the token still has its factory PUK";
        let taken = pin.new.as_ref().unwrap_or(&pin.now);
        let new = new_secret(desk, &name, PromptKind::NewPuk, why, Some(taken))?;
        Some(Change { now: Secret::new(FACTORY_PUK.to_vec()), new: Some(new) })
    } else {
        None
    };
    Ok(Answers { pin, puk, warnings })
}

/// Replaces factory values and leaves the PIN verified. The PIN comes first: a PIN that is not what
/// the person said ends the act before anything is changed.
pub(super) fn settle(card: &mut Card, answers: &Answers) -> Result<(), Refusal> {
    if let Some(new) = &answers.pin.new {
        card.key.change_pin(&answers.pin.now, new).map_err(|error| failed(card, error, "PIN"))?;
    }
    verify(card, answers)?;
    if let Some(Change { now, new: Some(new) }) = &answers.puk {
        card.key.change_puk(now, new).map_err(|error| failed(card, error, "PUK"))?;
    }
    Ok(())
}

/// Verifies the PIN that the card has after [`settle`].
fn verify(card: &mut Card, answers: &Answers) -> Result<(), Refusal> {
    let pin = answers.pin.new.as_ref().unwrap_or(&answers.pin.now);
    card.key.verify_pin(pin).map_err(|error| failed(card, error, "PIN"))
}

/// The act `pin`.
pub(super) fn change_pin(desk: &mut Desk<'_>, serial: &str) -> Result<(), Refusal> {
    let mut card = Card::open(desk, serial)?;
    let pin = card.reference(ManagementSlotId::Pin)?;
    let name = card.name.clone();
    drop(card);
    if pin.tries == Some(0) {
        return Err(pin_blocked(&name));
    }
    let now = if pin.factory == Some(true) {
        Secret::new(FACTORY_PIN.to_vec())
    } else {
        known(desk, &name, PromptKind::Pin, "PIN", pin.tries)?
    };
    let new = new_secret(desk, &name, PromptKind::NewPin, "change of PIN", None)?;
    let mut card = Card::open(desk, serial)?;
    card.key.change_pin(&now, &new).map_err(|error| failed(&mut card, error, "PIN"))
}

/// The act `unblock`.
pub(super) fn unblock(desk: &mut Desk<'_>, serial: &str) -> Result<(), Refusal> {
    let mut card = Card::open(desk, serial)?;
    let puk = card.reference(ManagementSlotId::Puk)?;
    let name = card.name.clone();
    drop(card);
    if puk.tries == Some(0) {
        return Err(puk_blocked(&name));
    }
    let now = known(desk, &name, PromptKind::Puk, "PUK", puk.tries)?;
    let new =
        new_secret(desk, &name, PromptKind::NewPin, "a new PIN in place of the forgotten one", Some(&now))?;
    let mut card = Card::open(desk, serial)?;
    card.key.unblock_pin(&now, &new).map_err(|error| failed(&mut card, error, "PUK"))
}

/// Whether a PIN or PUK has its factory value: the card's word, else the person's.
fn is_factory(
    desk: &mut Desk<'_>,
    name: &TokenName,
    told: Option<bool>,
    what: &str,
    value: &str,
) -> Result<bool, Refusal> {
    match told {
        Some(told) => Ok(told),
        None => {
            let text = format!(
                "token {} does not tell whether its {what} is still the factory one: is it {value}? \
                 a wrong yes costs one try",
                name.serial
            );
            desk.talk.confirm(text, name)
        }
    }
}

/// Asks for a value that the card has now.
fn known(
    desk: &mut Desk<'_>,
    name: &TokenName,
    kind: PromptKind,
    what: &str,
    tries_left: Option<u8>,
) -> Result<Secret, Refusal> {
    if tries_left == Some(1) {
        let text = format!("one try is left for the {what} of token {}: use it?", name.serial);
        if !desk.talk.confirm(text, name)? {
            return Err(Refusal::bare(Code::Interrupted, format!("the last try of the {what} was not used")));
        }
    }
    let text = format!("{what} of token {}", name.serial);
    let answer = desk.talk.ask(Question { kind, text, tries_left, token: name })?;
    // a longer one would be refused by the card's padding anyway, and must not cost a try
    if answer.is_empty() || answer.len() > *LENGTHS.end() {
        return Err(Refusal::bare(
            Code::BadRequest,
            format!("a {what} has at most {} characters", LENGTHS.end()),
        ));
    }
    Ok(answer)
}

/// Asks for a new value, three times at most.
fn new_secret(
    desk: &mut Desk<'_>,
    name: &TokenName,
    kind: PromptKind,
    why: &str,
    taken: Option<&[u8]>,
) -> Result<Secret, Refusal> {
    let what = if kind == PromptKind::NewPuk { "PUK" } else { "PIN" };
    let mut text = format!("{why}: new {what} for token {}, 6 to 8 characters", name.serial);
    let mut wrong = String::new();
    for _ in 0..3 {
        let answer = desk.talk.ask(Question { kind, text, tries_left: None, token: name })?;
        match objection(&answer, taken) {
            None => return Ok(answer),
            Some(objection) => wrong = format!("the new {what} {objection}"),
        }
        text = format!("{wrong}: new {what} for token {}", name.serial);
    }
    Err(Refusal::bare(Code::BadRequest, wrong))
}

/// What is wrong with a new PIN or PUK, if anything. `taken` is a value it must differ from.
fn objection(new: &[u8], taken: Option<&[u8]>) -> Option<&'static str> {
    if !LENGTHS.contains(&new.len()) {
        return Some("must have 6 to 8 characters");
    }
    if !new.iter().all(u8::is_ascii_graphic) {
        return Some("may have only ASCII letters, digits and signs");
    }
    if new == FACTORY_PIN || new == FACTORY_PUK {
        return Some("is a factory value that everybody knows");
    }
    if taken == Some(new) {
        return Some("must differ from the other one");
    }
    None
}

/// What the card said to a PIN or PUK, in words.
fn failed(card: &mut Card, error: yubikey::Error, what: &str) -> Refusal {
    let name = card.name.clone();
    match error {
        yubikey::Error::WrongPin { tries: 0 } | yubikey::Error::PinLocked if what == "PUK" => {
            puk_blocked(&name)
        }
        yubikey::Error::WrongPin { tries: 0 } | yubikey::Error::PinLocked => pin_blocked(&name),
        yubikey::Error::WrongPin { tries } => {
            let message = format!("the {what} of token {} is wrong", name.serial);
            Refusal::bare(Code::PinFailed, message).tries(tries)
        }
        // any other status: from 5.7 on a token can forbid simple PINs (6985); a card that was pulled
        // out during the command looks the same, until it is asked again
        yubikey::Error::GenericError => match card.reference(ManagementSlotId::Pin) {
            Err(gone) => gone,
            Ok(_) => {
                let message = format!("token {} did not take the {what}: it may be too simple", name.serial);
                Refusal::bare(Code::BadRequest, message)
            }
        },
        other => refusal(other, &format!("sending the {what}")),
    }
}

fn pin_blocked(name: &TokenName) -> Refusal {
    let message = format!("the PIN of token {} is blocked", name.serial);
    Refusal::new(Code::TokenLocked, message, format!("signet token unblock {}", name.serial)).tries(0)
}

fn puk_blocked(name: &TokenName) -> Refusal {
    let message = format!(
        "the PUK of token {} is blocked: only a PIV reset, which destroys its keys, helps",
        name.serial
    );
    Refusal::new(Code::TokenLocked, message, format!("signet token info {}", name.serial)).tries(0)
}

#[cfg(test)]
mod tests {
    use super::objection;

    #[test]
    fn new_values_that_are_refused() {
        for bad in ["", "12345", "123456789", "123456", "12345678", "pass wd", "pässwd", "1234567\u{7f}"] {
            assert!(objection(bad.as_bytes(), None).is_some(), "{bad:?}");
        }
        assert!(objection(b"271828", Some(b"271828")).is_some());
    }

    #[test]
    fn new_values_that_are_taken() {
        for good in ["271828", "Ab3$ef", "31415926"] {
            assert_eq!(objection(good.as_bytes(), Some(b"other-1")), None, "{good:?}");
        }
    }
}
