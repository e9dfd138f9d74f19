//! The OATH applet of the same token, as far as it tells of itself without a code.
//!
//! Promises: one SELECT in one transaction; nothing is calculated, validated or written, and the
//! card is left without a reset. Follows Yubico's "YKOATH protocol", SELECT.

use super::card::Card;
use pcsc::{Context, Disposition, MAX_BUFFER_SIZE, Protocols, Scope, ShareMode};
use std::ffi::CString;

/// SELECT of the applet A0000005272101.
const SELECT: &[u8] = &[0x00, 0xa4, 0x04, 0x00, 0x07, 0xa0, 0x00, 0x00, 0x05, 0x27, 0x21, 0x01];
/// GET RESPONSE, for an answer that is only announced (ISO 7816-4, 7.6.1).
const REST: [u8; 4] = [0x00, 0xc0, 0x00, 0x00];
/// What every answer to SELECT begins with: the version of the applet.
const VERSION: u8 = 0x79;
/// The challenge of an applet that asks for its access code.
const CHALLENGE: u8 = 0x74;

/// Whether the applet asks for an access code; none where there is no applet, or it could not be
/// asked. The last thing to do with an open card: another applet is selected afterwards.
pub(super) fn asks_for_code(card: &Card) -> Option<bool> {
    let reader = CString::new(card.key.name()).ok()?;
    let context = Context::establish(Scope::User).ok()?;
    let mut connected = context.connect(&reader, ShareMode::Shared, Protocols::ANY).ok()?;
    let answer = connected.transaction().ok().and_then(|transaction| {
        let mut buffer = [0; MAX_BUFFER_SIZE];
        let mut send = |command: &[u8]| transaction.transmit(command, &mut buffer).map(<[u8]>::to_vec).ok();
        let answer = send(SELECT).and_then(|answer| match answer.as_slice() {
            [0x61, more] => send(&[&REST[..], &[*more]].concat()),
            _whole => Some(answer),
        });
        // a card that has gone meanwhile has nothing to be left
        drop(transaction.end(Disposition::LeaveCard));
        answer
    });
    drop(connected.disconnect(Disposition::LeaveCard));
    read(&answer?)
}

fn read(answer: &[u8]) -> Option<bool> {
    let told = answer.strip_suffix(&[0x90, 0x00])?;
    super::tlv::first(told, VERSION)?;
    Some(super::tlv::find(told, CHALLENGE).is_some())
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_challenge_means_a_code() {
        let open = [&[0x79, 3, 5, 7, 1, 0x71, 8][..], &[7; 8], &[0x90, 0]].concat();
        assert_eq!(read(&open), Some(false));
        let closed = [&[0x79, 3, 5, 7, 1, 0x71, 8][..], &[7; 8], &[0x74, 8], &[9; 8], &[0x90, 0]].concat();
        assert_eq!(read(&closed), Some(true));
    }

    #[test]
    fn what_is_no_such_applet_tells_nothing() {
        for answer in [&[][..], &[0x6a, 0x82], &[0x90, 0], &[0x71, 1, 1, 0x90, 0], &[0x79, 3, 5, 7, 1]] {
            assert_eq!(read(answer), None, "{answer:02x?}");
        }
    }
}
