//! What a person is told when an OATH applet did not do it. Words only: no decision is made here.

use signet_protocol::child::TokenName;
use signet_protocol::refusal::{Code, Refusal};

/// The card is there, its applet is not.
pub(super) fn no_applet(token: &TokenName) -> Refusal {
    let message = format!("token {} has no oath applet, or it is switched off", token.serial);
    Refusal::new(Code::Unsupported, message, ykman(token, "config usb --enable OATH"))
}

/// The card is the one, its applet is another than the one that was written.
pub(super) fn reset(token: &TokenName, repair: &str) -> Refusal {
    let message =
        format!("the oath applet of token {} was reset: it does not hold this key any more", token.serial);
    Refusal::new(Code::Unsupported, message, repair)
}

/// The applet is the one, the credential is not in it.
pub(super) fn missing(token: &TokenName, repair: &str) -> Refusal {
    let message = format!("token {} does not hold this key any more: it was deleted", token.serial);
    Refusal::new(Code::Unsupported, message, repair)
}

/// The applet asks for an access code that we have not, or have another than. It may be somebody's, who
/// can clear it, or one that was ours and went with a record.
pub(super) fn other_code(token: &TokenName) -> Refusal {
    let message = format!(
        "the oath applet of token {} has an access code that signet does not know: without it only a reset \
         helps, which deletes every account in it",
        token.serial
    );
    let clear = ykman(token, "oath access change --clear");
    Refusal::new(Code::Unsupported, message, format!("{clear} || {}", ykman(token, "oath reset")))
}

/// It said that it had set the access code, and has none.
pub(super) fn deaf(token: &TokenName) -> Refusal {
    let message =
        format!("the oath applet of token {} takes an access code and does not ask for it", token.serial);
    Refusal::new(Code::Unsupported, message, "signet token list")
}

/// It has no access code, and the key was put behind one.
pub(super) fn open(token: &TokenName, written_anew: &str) -> Refusal {
    let message = format!(
        "the oath applet of token {} asks for no access code any more: somebody took it away, and whoever \
         holds the token can use the key",
        token.serial
    );
    Refusal::new(Code::Unsupported, message, written_anew)
}

/// Something else has the name.
pub(super) fn taken(token: &TokenName, credential: &str) -> Refusal {
    let message = format!(
        "the oath applet of token {} has a {credential} that holds something else: it is not overwritten",
        token.serial
    );
    Refusal::new(Code::Unsupported, message, ykman(token, &format!("oath accounts delete {credential}")))
}

/// There is no room.
pub(super) fn full(token: &TokenName) -> Refusal {
    let message = format!("the oath applet of token {} is full", token.serial);
    Refusal::new(Code::Unsupported, message, ykman(token, "oath accounts list"))
}

/// It cannot serve.
pub(super) fn truncated(token: &TokenName) -> Refusal {
    let message =
        format!("token {} answers only truncated codes: it cannot compute a signing key", token.serial);
    Refusal::new(Code::Unsupported, message, "signet token list")
}

/// It does not compute what it was given the key for.
pub(super) fn wrong(token: &TokenName) -> Refusal {
    let message = format!("token {} computes something else than it should", token.serial);
    Refusal::new(Code::Unsupported, message, "signet token list")
}

/// The record names what cannot be.
pub(super) fn unusable(token: &TokenName, what: &str) -> Refusal {
    let message = format!("the record names a {what} of token {} that cannot be", token.serial);
    Refusal::new(Code::Rollback, message, "signet doctor")
}

/// Exact, where several YubiKeys are plugged in.
fn ykman(token: &TokenName, command: &str) -> String {
    format!("ykman --device {} {command}", token.serial)
}
