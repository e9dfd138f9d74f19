//! Commands and responses (ISO 7816-4), short form, without chaining: nothing here is longer than
//! 255 bytes on the way out.
//!
//! Promises: every response is bounded, in rounds and in bytes, whatever the card says; command and
//! response buffers are wiped. Le is never sent with data (as Yubico's own hosts do, and as T=0
//! wants it); `61xx` and `6Cxx` are followed. What libpcsclite and pcscd keep of it is beyond reach.

use zeroize::Zeroizing;

/// Most bytes of one response, all rounds together: an attestation certificate has about 1 KiB, a
/// hundred names of OATH credentials less than 7.
const LARGEST: usize = 8 * 1024;
/// Most rounds of fetching the rest.
const ROUNDS: usize = 64;

/// The instruction that fetches the rest of a response (ISO 7816-4, 7.6.1).
pub(in crate::token) const GET_RESPONSE: u8 = 0xc0;

/// What can go wrong between here and the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::token) enum Fault {
    /// The PC/SC service says so.
    Service(pcsc::Error),
    /// The card's answer is none: too short, too long, or without end.
    Garbage,
}

impl From<pcsc::Error> for Fault {
    fn from(error: pcsc::Error) -> Self {
        Self::Service(error)
    }
}

/// Something that takes a command and gives the raw response.
pub(in crate::token) trait Channel {
    /// One exchange.
    fn exchange(&self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault>;
}

impl Channel for pcsc::Transaction<'_> {
    fn exchange(&self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let mut buffer = Zeroizing::new([0; pcsc::MAX_BUFFER_SIZE]);
        let response = self.transmit(command, &mut *buffer)?;
        Ok(Zeroizing::new(response.to_vec()))
    }
}

/// A whole response.
pub(in crate::token) struct Response {
    /// The data of all rounds.
    pub(in crate::token) data: Zeroizing<Vec<u8>>,
    /// The last status word.
    pub(in crate::token) status: u16,
}

impl Response {
    /// The data, if the card said 9000 (ISO 7816-4, 5.1.3).
    pub(in crate::token) fn ok(self) -> Option<Zeroizing<Vec<u8>>> {
        (self.status == 0x9000).then_some(self.data)
    }
}

/// A command with data, without Le.
pub(in crate::token) fn command(head: [u8; 4], data: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(5 + data.len()));
    bytes.extend_from_slice(&head);
    bytes.push(u8::try_from(data.len()).unwrap_or(u8::MAX));
    bytes.extend_from_slice(data);
    bytes
}

/// Sends a command and collects its response; `rest` is the instruction that fetches more of it.
pub(in crate::token) fn send(channel: &impl Channel, command: &[u8], rest: u8) -> Result<Response, Fault> {
    // As large as it gets: a vector that grew would leave a copy behind.
    let mut data = Zeroizing::new(Vec::with_capacity(LARGEST));
    let mut next = Zeroizing::new(command.to_vec());
    for _ in 0..ROUNDS {
        let response = channel.exchange(&next)?;
        let (part, status) = response.split_last_chunk::<2>().ok_or(Fault::Garbage)?;
        if data.len() + part.len() > LARGEST {
            return Err(Fault::Garbage);
        }
        data.extend_from_slice(part);
        match *status {
            // 61xx: xx more bytes (ISO 7816-4, 5.1.3).
            [0x61, more] => next = Zeroizing::new(vec![0x00, rest, 0x00, 0x00, more]),
            // 6Cxx: the same again, with xx as Le.
            [0x6c, right] if next.len() == 5 => {
                next.pop();
                next.push(right);
            }
            status => return Ok(Response { data, status: u16::from_be_bytes(status) }),
        }
    }
    Err(Fault::Garbage)
}

#[cfg(test)]
pub(in crate::token) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::cell::RefCell;
    use std::collections::VecDeque;

    /// A card that says what it was told to, and remembers what it was asked.
    pub(in crate::token) struct StubChannel {
        answers: RefCell<VecDeque<Vec<u8>>>,
        pub(in crate::token) asked: RefCell<Vec<Vec<u8>>>,
    }

    impl StubChannel {
        pub(in crate::token) fn new(answers: &[&[u8]]) -> Self {
            let answers = answers.iter().map(|answer| answer.to_vec()).collect();
            Self { answers: RefCell::new(answers), asked: RefCell::default() }
        }
    }

    impl Channel for StubChannel {
        fn exchange(&self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
            self.asked.borrow_mut().push(command.to_vec());
            let mut answers = self.answers.borrow_mut();
            let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
            answer.map(Zeroizing::new).ok_or(Fault::Garbage)
        }
    }

    const SERIAL: [u8; 5] = [0x00, 0xf8, 0x00, 0x00, 0x00];

    #[test]
    fn more_data_is_fetched_until_the_card_is_done() {
        let card = StubChannel::new(&[&[1, 2, 0x61, 0x02], &[3, 0x61, 0x00], &[4, 0x90, 0x00]]);
        let response = send(&card, &SERIAL, GET_RESPONSE).unwrap_or_else(|_| unreachable!());
        assert_eq!((response.data.as_slice(), response.status), (&[1, 2, 3, 4][..], 0x9000));
        let asked = card.asked.borrow();
        assert_eq!(asked.get(1).unwrap(), &[0x00, 0xc0, 0x00, 0x00, 0x02]);
        assert_eq!(asked.get(2).unwrap(), &[0x00, 0xc0, 0x00, 0x00, 0x00]);
    }

    #[test]
    fn a_wrong_length_is_put_right() {
        let card = StubChannel::new(&[&[0x6c, 0x04], &[0, 0, 0, 9, 0x90, 0x00]]);
        assert_eq!(send(&card, &SERIAL, GET_RESPONSE).ok().unwrap().data.as_slice(), [0, 0, 0, 9]);
        assert_eq!(card.asked.borrow().get(1).unwrap(), &[0x00, 0xf8, 0x00, 0x00, 0x04]);
    }

    #[test]
    fn a_card_without_end_is_garbage() {
        for endless in [&[0x61, 0x0a][..], &[0x6c, 0x05], &[0xaa; 258], &[0x90], &[]] {
            let mut answer = endless.to_vec();
            if answer.len() > 2 {
                answer.splice(256.., [0x61, 0x00]);
            }
            let card = StubChannel::new(&[&answer]);
            assert_eq!(send(&card, &SERIAL, GET_RESPONSE).err(), Some(Fault::Garbage));
            assert!(card.asked.borrow().len() <= ROUNDS);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_card_makes_it_panic_or_run_away(answers: Vec<Vec<u8>>) {
            let answers: Vec<&[u8]> = answers.iter().map(Vec::as_slice).collect();
            if let Ok(response) = send(&StubChannel::new(&answers), &SERIAL, GET_RESPONSE) {
                proptest::prop_assert!(response.data.len() <= LARGEST);
            }
        }
    }
}
