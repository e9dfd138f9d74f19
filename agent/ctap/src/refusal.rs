//! What a person is told when a FIDO2 authenticator did not do it. Words only: no decision is made here.

use crate::Fault;
use signet_protocol::child::TokenName;
use signet_protocol::refusal::{Code, Refusal};

/// What is looked at when it is not clear what helps.
const LOOK: &str = "signet doctor";

/// `token_absent`, naming every authenticator that would do.
#[must_use]
pub fn absent(names: &[TokenName]) -> Refusal {
    let names: Vec<String> = names.iter().map(described).collect();
    let message = format!("no fido2 authenticator of this key is there: plug in {}", names.join(" or "));
    Refusal::new(Code::TokenAbsent, message, "signet factor list")
}

/// What a fault means for a use of the authenticator that people know by this name.
#[must_use]
pub fn of(fault: Fault, token: &TokenName) -> Refusal {
    let name = described(token);
    let say = |code, what: &str, hint: &str| Refusal::new(code, format!("{name} {what}"), hint);
    match fault {
        Fault::PinWrong(left) => {
            say(Code::PinFailed, "says that its pin is wrong", "signet factor list").tries(left)
        }
        Fault::PinBlocked => say(
            Code::TokenLocked,
            "has no try left for its pin: only a reset helps, which takes its credentials along",
            "ykman fido info",
        )
        .tries(0),
        Fault::PowerCycleNeeded => say(
            Code::TokenLocked,
            "was given a wrong pin three times: pull it out, plug it in again, and try once more",
            "ykman fido info",
        ),
        Fault::PinNotSet => say(
            Code::FactorFailed,
            "has no pin any more, and was enrolled with one: set one again",
            "ykman fido access change-pin",
        ),
        Fault::PinPolicy => {
            say(Code::PinFailed, "takes a pin of 4 to 63 bytes; no try was spent", "ykman fido info")
        }
        Fault::UvFailed => say(Code::PinFailed, "did not recognize the finger", "signet factor list"),
        Fault::UvBlocked => say(
            Code::TokenLocked,
            "reads no finger any more: unblock it with its pin",
            "ykman fido access verify-pin",
        ),
        Fault::NotTouched => say(Code::NotTouched, "was not touched in time", "signet factor list"),
        Fault::Denied => say(Code::NotTouched, "was not touched, or was told no", "signet factor list"),
        Fault::Cancelled => Refusal::bare(Code::Interrupted, "the use was cancelled"),
        Fault::Removed | Fault::NoCredential => absent(std::slice::from_ref(token)),
        Fault::Busy => say(Code::Busy, "is busy with another program", LOOK),
        Fault::Disturbed => say(Code::Busy, "was reset by another program in the middle of the use", LOOK),
        Fault::NoAccess => no_access(),
        Fault::Service(error) => service(error),
        Fault::PinRequired | Fault::Excluded | Fault::Unsupported(_) => {
            say(Code::Unsupported, &format!("cannot do this: {fault}").to_lowercase(), LOOK)
        }
        Fault::Garbage(_) => say(Code::Unsupported, "answers what cannot be understood", LOOK),
        Fault::Status(status) => {
            say(Code::Unsupported, &format!("refuses with status {status:02x}"), "signet factor list")
        }
    }
}

/// What stood in the way of looking at one that may be the right one; `None` for what says only that it is
/// not there.
#[must_use]
pub fn hindrance(device: &str, fault: Fault) -> Option<Refusal> {
    match fault {
        // A machine without PC/SC may have its authenticator on USB.
        Fault::Removed | Fault::NoCredential | Fault::Service(_) => None,
        Fault::PinRequired => {
            let message =
                format!("the authenticator {device} does not say what it holds before its pin is given");
            Some(Refusal::new(Code::Unsupported, message.to_lowercase(), LOOK))
        }
        fault => Some(of(
            fault,
            &TokenName { serial: String::new(), label: format!("the authenticator {device}").to_lowercase() },
        )),
    }
}

fn no_access() -> Refusal {
    let message = "this user may not open the authenticator: the udev rule for fido2 devices is missing";
    Refusal::new(Code::NoReader, message, LOOK)
}

fn service(error: pcsc::Error) -> Refusal {
    let message = format!("the smart card service says: {error}").to_lowercase();
    Refusal::new(Code::NoReader, message.trim_end_matches('.'), LOOK)
}

/// `office key (fido2-1)`.
fn described(token: &TokenName) -> String {
    match (token.label.as_str(), token.serial.as_str()) {
        ("", serial) => format!("fido2 key {serial}"),
        (label, "") => label.to_owned(),
        (label, serial) => format!("{label} ({serial})"),
    }
}
