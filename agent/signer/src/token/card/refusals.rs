//! What a person is told when a smart card did not do it. Words only: no decision is made here.

use super::apdu::Fault;
use crate::token::absent;
use signet_protocol::child::TokenName;
use signet_protocol::refusal::{Code, Refusal};

/// Programs that are known to hold a card for themselves, as `/proc/PID/comm` names them, and how a
/// person makes them let go.
const HOLDERS: [(&str, &str); 2] =
    [("scdaemon", "gpgconf --kill scdaemon"), ("gpg-agent", "gpgconf --kill scdaemon")];

/// The card gave up waiting.
pub(in crate::token) fn not_touched(token: &TokenName) -> Refusal {
    let message = format!("token {} was not touched in time", token.serial);
    Refusal::new(Code::NotTouched, message, info(token))
}

/// A status word that has no meaning here.
pub(in crate::token) fn unexpected(token: &TokenName, what: &str, status: u16) -> Refusal {
    let message = format!("token {} refuses {what} with status {status:04x}", token.serial);
    Refusal::new(Code::Unsupported, message, info(token))
}

/// The command that shows a token.
pub(in crate::token) fn info(token: &TokenName) -> String {
    format!("signet token info {}", token.serial)
}

/// What a fault means for a use of `token`.
pub(in crate::token) fn of_fault(fault: Fault, token: &TokenName) -> Refusal {
    use pcsc::Error as Service;
    match fault {
        Fault::Service(Service::NoService | Service::ServiceStopped | Service::Shutdown) => {
            let message = "the smart card service pcscd is not running";
            Refusal::new(Code::NoReader, message, "sudo systemctl start pcscd.socket")
        }
        Fault::Service(Service::SecurityViolation | Service::NoAccess) => Refusal::new(
            Code::NoReader,
            "the smart card service pcscd does not let this user in",
            "signet doctor",
        ),
        Fault::Service(Service::SharingViolation) => held(),
        Fault::Service(
            Service::RemovedCard | Service::NoSmartcard | Service::UnknownReader | Service::ReaderUnavailable,
        ) => absent(std::slice::from_ref(token)),
        Fault::Service(Service::ResetCard) => {
            let message = format!("another program reset token {} in the middle of the use", token.serial);
            Refusal::new(Code::Busy, message, "signet doctor")
        }
        Fault::Service(error) => {
            let message = format!("token {} does not answer: {error}", token.serial).to_lowercase();
            Refusal::new(Code::Busy, message.trim_end_matches('.'), "signet doctor")
        }
        Fault::Garbage => {
            let message = format!("token {} answers what cannot be understood", token.serial);
            Refusal::new(Code::Unsupported, message, "signet doctor")
        }
    }
}

/// `busy`, naming the program that holds the card where it can be guessed.
fn held() -> Refusal {
    match holder() {
        Some((name, hint)) => {
            Refusal::new(Code::Busy, format!("another program holds the token: probably {name}"), hint)
        }
        None => Refusal::new(Code::Busy, "another program holds the token", "signet doctor"),
    }
}

fn holder() -> Option<(&'static str, &'static str)> {
    let running: Vec<String> = std::fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("comm")).ok())
        .collect();
    HOLDERS.into_iter().find(|(name, _)| running.iter().any(|comm| comm.trim_end() == *name))
}
