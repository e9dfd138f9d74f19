//! Which YubiKey a card is: its serial, through the PIV applet or, before firmware 5, the OTP applet.
//!
//! Used where a card is known by nothing better, such as the public key in a slot or the name of an
//! applet. Leaves the PIV applet selected, without PIN.

use super::apdu::{Channel, Fault, GET_RESPONSE, command, send};

/// The PIV applet, whole (NIST SP 800-73-4, part 1, 2.2).
const PIV: [u8; 11] = [0xa0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00];
/// Yubico's OTP applet, which tells the serial of firmware 4.
const OTP: [u8; 7] = [0xa0, 0x00, 0x00, 0x05, 0x27, 0x20, 0x01];

/// SELECT of the PIV applet. `false`: there is none on this card.
pub(in crate::token) fn select_piv(card: &impl Channel) -> Result<bool, Fault> {
    Ok(send(card, &command([0x00, 0xa4, 0x04, 0x00], &PIV), GET_RESPONSE)?.ok().is_some())
}

/// The serial of a card whose PIV applet is selected; `None` where it does not tell.
pub(in crate::token) fn serial(card: &impl Channel) -> Result<Option<u32>, Fault> {
    let send = |command: &[u8]| send(card, command, GET_RESPONSE);
    // GET SERIAL is of firmware 5; before, the OTP applet tells.
    let answer = send(&[0x00, 0xf8, 0x00, 0x00, 0x00])?;
    if let Some(data) = answer.ok() {
        return Ok(number(&data));
    }
    let otp = send(&command([0x00, 0xa4, 0x04, 0x00], &OTP))?.ok();
    let serial = match otp {
        Some(_) => send(&[0x00, 0x01, 0x10, 0x00, 0x00])?.ok().and_then(|data| number(&data)),
        None => None,
    };
    Ok(serial.filter(|_| select_piv(card).is_ok_and(|selected| selected)))
}

/// Whether the card is the one that people know by `serial`. Selects its PIV applet.
pub(in crate::token) fn is(card: &impl Channel, wanted: &str) -> Result<bool, Fault> {
    Ok(select_piv(card)? && serial(card)?.is_some_and(|serial| serial.to_string() == wanted))
}

fn number(data: &[u8]) -> Option<u32> {
    data.try_into().ok().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::apdu::tests::StubChannel;
    use super::*;

    #[test]
    fn firmware_4_tells_its_serial_through_another_applet() {
        let card = StubChannel::new(&[
            &[0x6d, 0x00],
            &[0x90, 0x00],
            &[0x00, 0xbc, 0x61, 0x4e, 0x90, 0x00],
            &[0x90, 0x00],
        ]);
        assert_eq!(serial(&card), Ok(Some(12_345_678)));
        assert_eq!(card.asked.borrow().last().unwrap().get(5..).unwrap(), PIV, "PIV is selected again");
    }

    #[test]
    fn a_card_without_piv_or_with_another_serial_is_not_the_one() {
        assert_eq!(is(&StubChannel::new(&[&[0x6a, 0x82]]), "7"), Ok(false));
        let card = || StubChannel::new(&[&[0x90, 0x00], &[0, 0, 0, 7, 0x90, 0x00]]);
        assert_eq!((is(&card(), "7"), is(&card(), "07"), is(&card(), "8")), (Ok(true), Ok(false), Ok(false)));
    }

    proptest::proptest! {
        #[test]
        fn no_card_makes_it_panic(answers: Vec<Vec<u8>>) {
            let answers: Vec<&[u8]> = answers.iter().map(Vec::as_slice).collect();
            let _ = is(&StubChannel::new(&answers), "1");
        }
    }
}
