//! YubiKeys (and cards that speak Yubico's PIV): the story of each act. The rooms below do the work.
//!
//! Enrolment, each step before the next: the token is chosen; what can be refused is refused; every
//! question is asked with the card closed; factory PIN and PUK are replaced and the PIN verified; a
//! factory management key is replaced by a random one behind the PIN; a P-256 key is made in an empty
//! slot, PIN and touch at each use; what the card keeps of it is read back. Pulled out anywhere in
//! between, the person has the PIN and PUK she typed, the management key opens with the PIN or is
//! still the factory's, and the same act done again goes on from there. What it may leave is a key in
//! a slot that no vault knows; the next run takes the next slot.

mod attestation;
mod card;
mod management;
mod oath;
mod reference;
mod roots;
mod slot;
mod tlv;
mod x509;

use super::{Desk, Enrolled, Kind, Wish, already_enrolled};
use base64::{Engine, engine::general_purpose::STANDARD};
use card::{Card, absent};
use management::{Management, Unlocked};
use signet_protocol::child::{Seen, Token, TokenName};
use signet_protocol::record::Recipient;
use signet_protocol::{Code, Refusal};
use slot::Slot;
use yubikey::piv::ManagementSlotId;

/// Name of the kind.
const KIND: &str = "yubikey-piv";
/// Oldest firmware whose slots have a touch policy.
const OLDEST: (u8, u8) = (4, 0);
/// What is said of a card that keeps its management key behind the PIN but cannot tell so.
const UNFLAGGED: &str = "this card has no room for Yubico's note that its management key lies behind the PIN: \
                         signet finds the key, ykman has to be given it";
/// First firmware without the weakness of Infineon's library (EUCLEAK, YSA-2024-03).
const SOUND: (u8, u8) = (5, 7);

/// The kind `yubikey-piv`.
pub(super) struct YubiKeyPiv;

impl Kind for YubiKeyPiv {
    fn name(&self) -> &'static str {
        KIND
    }

    fn owns(&self, serial: &str) -> bool {
        serial.parse::<u32>().is_ok_and(|number| number.to_string() == serial)
    }

    fn list(&self, desk: &Desk<'_>) -> Result<Vec<Seen>, Refusal> {
        let survey = Card::survey(desk, |card| list(desk, card))?;
        let mut seen = survey.cards;
        let why =
            |code| survey.failed.iter().map(|(_, refusal)| refusal).find(|refusal| refusal.code == code);
        if seen.is_empty()
            && let Some(why) = why(Code::Busy).or_else(|| why(Code::Unsupported))
        {
            return Err(why.clone());
        }
        if let Some(first) = seen.first_mut() {
            let failed = survey.failed.into_iter();
            first
                .details
                .extend(failed.map(|(reader, refusal)| (format!("reader {reader}"), refusal.message)));
        }
        Ok(seen)
    }

    fn info(&self, desk: &Desk<'_>, serial: &str) -> Result<Seen, Refusal> {
        let survey =
            Card::survey(
                desk,
                |card| {
                    if card.name.serial == serial { describe(card).map(Some) } else { Ok(None) }
                },
            )?;
        let busy =
            survey.failed.into_iter().map(|(_, refusal)| refusal).find(|refusal| refusal.code == Code::Busy);
        let found = survey.cards.into_iter().flatten().next();
        found.ok_or_else(|| busy.unwrap_or_else(|| absent(serial)))
    }

    fn enrol(&self, desk: &mut Desk<'_>, wish: &Wish<'_>) -> Result<Enrolled, Refusal> {
        let candidates = Slot::candidates(wish.slot)?;
        let serial = choose(desk, wish.serial)?;
        let name = TokenName { serial, label: wish.label.to_owned() };

        let mut card = Card::open(desk, &name.serial)?;
        refuse_too_old(&card)?;
        let management = Management::of(&mut card)?;
        let empty = slot::first_empty(&mut card, &candidates)?;
        let sure = Slot::is_sure(&mut card)?;
        let mut answers = reference::ask(desk, card)?;
        if !sure {
            confirm_empty(desk, &name, empty)?;
        }

        let mut card = Card::open(desk, &name.serial)?;
        reference::settle(&mut card, &answers)?;
        match management.unlock(&mut card)? {
            Unlocked::Flagged => {}
            Unlocked::Unflagged => answers.warnings.push(UNFLAGGED.to_owned()),
            Unlocked::No => {
                drop(card);
                let key = Management::ask(desk, &name)?;
                card = Card::open(desk, &name.serial)?;
                management.unlock_with(&mut card, &key)?;
            }
        }
        let made = slot::generate(&mut card, &candidates)?;
        let known = slot::read_back(&mut card, &made)?;

        let mut warnings = std::mem::take(&mut answers.warnings);
        warnings.extend(known.warnings);
        warnings.extend(weakness(&card));
        let recipient = Recipient {
            kind: KIND.to_owned(),
            serial: name.serial,
            slot: made.slot.name(),
            public_key: STANDARD.encode(made.point.as_bytes()),
            label: name.label,
        };
        let token = Token {
            recipient,
            firmware: Some(card.firmware()),
            attested: known.attested,
            policies: known.policies.to_owned(),
            enrolled: String::new(),
        };
        Ok(Enrolled { token, warnings })
    }

    fn change_pin(&self, desk: &mut Desk<'_>, serial: &str) -> Result<(), Refusal> {
        reference::change_pin(desk, serial)
    }

    fn unblock(&self, desk: &mut Desk<'_>, serial: &str) -> Result<(), Refusal> {
        reference::unblock(desk, serial)
    }
}

/// The token that is meant: the named one, or the only one that the vault does not know.
fn choose(desk: &Desk<'_>, named: Option<&str>) -> Result<String, Refusal> {
    if let Some(serial) = named {
        return Ok(serial.to_owned());
    }
    let survey = Card::survey(desk, |card| Ok(card.name.serial.clone()))?;
    let known = |serial: &String| desk.enrolled.iter().find(|token| &token.serial == serial);
    let new: Vec<&String> = survey.cards.iter().filter(|serial| known(serial).is_none()).collect();
    match new.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(survey.cards.first().and_then(known).map_or_else(
            || {
                let mut held = survey.failed.into_iter().map(|(_, refusal)| refusal);
                held.next().unwrap_or_else(|| {
                    Refusal::new(Code::TokenAbsent, "no token is plugged in", "signet token list")
                })
            },
            already_enrolled,
        )),
        [first, ..] => {
            let all = new.iter().map(|serial| serial.as_str()).collect::<Vec<_>>().join(", ");
            let message = format!("several tokens are plugged in: {all}");
            Err(Refusal::new(Code::BadRequest, message, format!("signet token enrol --serial {first}")))
        }
    }
}

/// Before firmware 4 no slot asks for a touch.
fn refuse_too_old(card: &Card) -> Result<(), Refusal> {
    let version = card.key.version();
    if (version.major, version.minor) >= OLDEST {
        return Ok(());
    }
    let message = format!("firmware {version} of token {} has no touch policy", card.name.serial);
    Err(Refusal::bare(Code::Unsupported, message))
}

/// A card without metadata does not tell of imported keys that have no certificate.
fn confirm_empty(desk: &mut Desk<'_>, name: &TokenName, slot: Slot) -> Result<(), Refusal> {
    let (serial, slot) = (&name.serial, slot.name());
    let text = format!(
        "token {serial} shows no certificate in slot {slot}, but cannot tell whether a key was imported there \
         without one: make a new key in that slot?"
    );
    if desk.talk.confirm(text, name)? {
        return Ok(());
    }
    let hint = format!("signet token enrol --serial {serial} --slot 82");
    Err(Refusal::new(Code::Interrupted, format!("slot {slot} was left alone"), hint))
}

fn weakness(card: &Card) -> Option<String> {
    let version = card.key.version();
    ((version.major, version.minor) < SOUND).then(|| {
        format!(
            "firmware {version} has a known weakness (EUCLEAK, fixed in 5.7.0): who has the token, its PIN and a \
             laboratory may copy its key"
        )
    })
}

/// What every card is asked.
fn look(card: &mut Card) -> Result<Seen, Refusal> {
    let pin = card.reference(ManagementSlotId::Pin)?;
    let puk = card.reference(ManagementSlotId::Puk)?;
    let management = card.metadata(yubikey::piv::SlotId::Management(ManagementSlotId::Management))?;
    let factory = [
        ("pin", pin.factory),
        ("puk", puk.factory),
        ("management-key", management.and_then(|metadata| metadata.default)),
    ];
    Ok(Seen {
        kind: KIND.to_owned(),
        serial: card.name.serial.clone(),
        reader: Some(card.key.name().to_owned()),
        firmware: Some(card.firmware()),
        pin_tries: pin.tries,
        puk_tries: puk.tries,
        factory: factory
            .iter()
            .filter(|(_, is)| *is == Some(true))
            .map(|(name, _)| (*name).to_owned())
            .collect(),
        oath_code: None,
        details: Vec::new(),
    })
}

/// A card in `list`: with the slots that the vault has on it, where the card tells of them.
fn list(desk: &Desk<'_>, card: &mut Card) -> Result<Seen, Refusal> {
    let mut seen = look(card)?;
    let ours = desk.enrolled.iter().filter(|token| token.kind == KIND && token.serial == seen.serial);
    for slot in ours.filter_map(|token| Slot::parse(&token.slot).ok()) {
        let line = slot::describe(card, slot)?.unwrap_or_else(|| "empty".to_owned());
        seen.details.push((format!("slot {}", slot.name()), line));
    }
    seen.oath_code = oath::asks_for_code(card);
    Ok(seen)
}

/// A card in `info`.
fn describe(card: &mut Card) -> Result<Seen, Refusal> {
    let mut seen = look(card)?;
    for slot in Slot::every() {
        if let Some(line) = slot::describe(card, slot)? {
            seen.details.push((format!("slot {}", slot.name()), line));
        }
    }
    let stored =
        if management::is_flagged(card)? { "stored behind the PIN" } else { "not stored on the token" };
    let attests = if attestation::is_there(card)? { "certificate is there" } else { "none" };
    seen.details.push(("management key".to_owned(), stored.to_owned()));
    seen.details.push(("attestation".to_owned(), attests.to_owned()));
    seen.details.extend(weakness(card).map(|text| ("firmware".to_owned(), text)));
    seen.oath_code = oath::asks_for_code(card);
    let code = match seen.oath_code {
        Some(true) => "set",
        Some(false) => "not set",
        None => "no OATH applet",
    };
    seen.details.push(("oath access code".to_owned(), code.to_owned()));
    Ok(seen)
}
