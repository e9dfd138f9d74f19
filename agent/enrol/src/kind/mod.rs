//! The kinds of token that can be managed: one trait, one table, one dispatch.
//!
//! A kind is one file here and one row in [`KINDS`], with the name it has in
//! [`signet_protocol::kinds`]. Nothing outside its file asks what kind a token is.

mod fido2;
mod software;
mod yubikey_piv;

use crate::conversation::Conversation;
use crate::credential;
use signet_protocol::child::{EnrolAct, EnrolOrder, Managed, Places, Seen, Token};
use signet_protocol::record::Recipient;
use signet_protocol::{Code, Refusal};

/// What an act has to work with.
pub(crate) struct Desk<'a> {
    /// The person.
    pub(crate) talk: Conversation,
    /// Where hardware and files are.
    pub(crate) places: &'a Places,
    /// Tokens the vault already knows.
    pub(crate) enrolled: &'a [Recipient],
}

impl Desk<'_> {
    /// The label the vault has for a serial; empty where it has none.
    fn label(&self, serial: &str) -> String {
        let known = self.enrolled.iter().find(|token| token.serial == serial);
        known.map(|token| token.label.clone()).unwrap_or_default()
    }
}

/// What a person asks of a new key.
pub(crate) struct Wish<'a> {
    /// Serial; none: the only token that is not enrolled yet.
    pub(crate) serial: Option<&'a str>,
    /// Slot; none: the first empty one.
    pub(crate) slot: Option<&'a str>,
    /// Label.
    pub(crate) label: &'a str,
}

/// A new key, and what the person should know of it.
pub(crate) struct Enrolled {
    /// What the vault keeps.
    pub(crate) token: Token,
    /// What was not as it should be.
    pub(crate) warnings: Vec<String>,
}

/// One kind of token.
///
/// Every act begins without knowledge of earlier ones, checks everything before it asks the first
/// question, asks everything before it changes the first thing, and may be killed at any moment:
/// what it leaves then must be a state from which the same act, done again, comes to its end.
trait Kind: Sync {
    /// Name, as in [`signet_protocol::kinds::KINDS`].
    fn name(&self) -> &'static str;
    /// Whether serials of this kind look like this.
    fn owns(&self, serial: &str) -> bool;
    /// The tokens that are there. Asks nothing, spends no try.
    fn list(&self, desk: &Desk<'_>) -> Result<Vec<Seen>, Refusal>;
    /// One token with everything it tells without a PIN.
    fn info(&self, desk: &Desk<'_>, serial: &str) -> Result<Seen, Refusal>;
    /// Makes a key.
    fn enrol(&self, desk: &mut Desk<'_>, wish: &Wish<'_>) -> Result<Enrolled, Refusal>;
    /// Changes the PIN or passphrase.
    fn change_pin(&self, desk: &mut Desk<'_>, serial: &str) -> Result<(), Refusal>;
    /// Sets a new PIN with the PUK.
    fn unblock(&self, desk: &mut Desk<'_>, serial: &str) -> Result<(), Refusal>;
}

static KINDS: &[&dyn Kind] = &[&yubikey_piv::YubiKeyPiv, &fido2::Fido2, &software::Software];

/// Does what the order says.
pub(crate) fn perform(order: &EnrolOrder, talk: Conversation) -> Result<Managed, Refusal> {
    let mut desk = Desk { talk, places: &order.places, enrolled: &order.enrolled };
    match &order.act {
        EnrolAct::List => Ok(Managed::Seen { tokens: list(order, &desk)? }),
        EnrolAct::Info { serial } => {
            let seen = of_serial(order, serial)?.info(&desk, serial)?;
            Ok(Managed::Seen { tokens: vec![seen] })
        }
        EnrolAct::Enrol { kind, serial, slot, label } => {
            let wish = Wish { serial: serial.as_deref(), slot: slot.as_deref(), label };
            refuse_enrolled(&desk, wish.serial)?;
            let made = of_name(order, kind.as_deref())?.enrol(&mut desk, &wish)?;
            Ok(Managed::Enrolled { token: made.token, warnings: made.warnings })
        }
        EnrolAct::Credential { key, exclude } => credential::make(&mut desk.talk, key, exclude),
        EnrolAct::Pin { serial } => {
            of_serial(order, serial)?.change_pin(&mut desk, serial).map(|()| Managed::Done)
        }
        EnrolAct::Unblock { serial } => {
            of_serial(order, serial)?.unblock(&mut desk, serial).map(|()| Managed::Done)
        }
    }
}

/// The rows that the configuration names, in the table's order.
fn configured(order: &EnrolOrder) -> impl Iterator<Item = &'static dyn Kind> {
    KINDS.iter().copied().filter(|kind| order.kinds.iter().any(|name| name == kind.name()))
}

/// The row of a name; without one, the first that the configuration names.
fn of_name(order: &EnrolOrder, name: Option<&str>) -> Result<&'static dyn Kind, Refusal> {
    let mut kinds = configured(order);
    match name {
        None => kinds.next().ok_or_else(|| {
            Refusal::new(Code::Unsupported, "no kind of token is configured", "signet-agent check")
        }),
        Some(name) => kinds.find(|kind| kind.name() == name).ok_or_else(|| {
            let message = format!("tokens of kind {name} are not switched on: [token] kinds in agent.toml");
            Refusal::new(Code::Unsupported, message, "signet-agent check")
        }),
    }
}

/// The row whose serials look like this one.
fn of_serial(order: &EnrolOrder, serial: &str) -> Result<&'static dyn Kind, Refusal> {
    configured(order).find(|kind| kind.owns(serial)).ok_or_else(|| {
        let message = format!("{serial} is not a serial of a configured kind of token");
        Refusal::new(Code::BadRequest, message, "signet token list")
    })
}

/// What is there, of every configured kind. One kind that cannot be asked does not hide the others,
/// unless there is nothing else to show.
fn list(order: &EnrolOrder, desk: &Desk<'_>) -> Result<Vec<Seen>, Refusal> {
    let mut tokens = Vec::new();
    let mut refused = None;
    for kind in configured(order) {
        match kind.list(desk) {
            Ok(seen) => tokens.extend(seen),
            Err(refusal) => refused = refused.or(Some(refusal)),
        }
    }
    match refused {
        Some(refusal) if tokens.is_empty() => Err(refusal),
        Some(_) | None => Ok(tokens),
    }
}

/// A vault knows a token once: a second key on it would only hide which one a record needs.
fn refuse_enrolled(desk: &Desk<'_>, serial: Option<&str>) -> Result<(), Refusal> {
    match desk.enrolled.iter().find(|token| Some(token.serial.as_str()) == serial) {
        Some(known) => Err(already_enrolled(known)),
        None => Ok(()),
    }
}

/// The refusal for a token that the vault has already.
fn already_enrolled(known: &Recipient) -> Refusal {
    let message = format!("token {} is enrolled already", known.serial);
    Refusal::new(Code::BadRequest, message, format!("signet token info {}", known.serial))
}

#[cfg(test)]
mod tests {
    use super::KINDS;

    #[test]
    fn the_table_has_the_rows_of_the_protocol_in_its_order() {
        let here: Vec<&str> = KINDS.iter().map(|kind| kind.name()).collect();
        let there: Vec<&str> = signet_protocol::kinds::KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(here, there);
    }
}
