//! What a person is told when a PIV card did not do it. Words only: no decision is made here.

use crate::token::card::refusals::info;
use signet_protocol::child::TokenName;
use signet_protocol::refusal::{Code, Refusal};

/// The slot is there, and what is in it is not what the record is sealed to.
pub(super) fn other_key(token: &TokenName, slot: u8, what: &str) -> Refusal {
    let message = format!("slot {slot:02x} of token {} {what}", token.serial);
    Refusal::new(Code::TokenAbsent, message, "signet token list")
}

/// The card says that it does not ask each time.
pub(super) fn lax(token: &TokenName, slot: u8) -> Refusal {
    let message =
        format!("slot {slot:02x} of token {} does not ask for pin and touch at each use", token.serial);
    Refusal::new(Code::Unsupported, message, format!("signet token enrol --serial {}", token.serial))
}

/// The record names a slot that this kind does not have.
pub(super) fn unusable_slot(token: &TokenName) -> Refusal {
    let message = format!("the record names a slot of token {} that cannot hold a key", token.serial);
    Refusal::new(Code::Unsupported, message, "signet token list")
}

/// What was typed cannot be a PIN, and was not sent.
pub(super) fn no_pin(token: &TokenName) -> Refusal {
    let message = "a pin has 6 to 8 characters; no try was spent";
    Refusal::new(Code::PinFailed, message, info(token))
}

/// A try was spent.
pub(super) fn wrong_pin(token: &TokenName, left: u8) -> Refusal {
    let hint = if left == 0 { unblock(token) } else { info(token) };
    Refusal::new(Code::PinFailed, format!("the pin of token {} is wrong", token.serial), hint).tries(left)
}

/// No try is left.
pub(super) fn locked(token: &TokenName) -> Refusal {
    let message = format!("the pin of token {} is blocked", token.serial);
    Refusal::new(Code::TokenLocked, message, unblock(token)).tries(0)
}

fn unblock(token: &TokenName) -> String {
    format!("signet token unblock {}", token.serial)
}
