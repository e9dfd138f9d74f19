#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;
use crate::Go;
use crate::patience::Over;
use std::collections::VecDeque;

/// A card that says what it was told to, the last for ever, and remembers what it was asked.
struct StubChannel {
    answers: VecDeque<Vec<u8>>,
    asked: Vec<Vec<u8>>,
    le: bool,
}

impl StubChannel {
    fn new(answers: &[&[u8]]) -> Self {
        let answers = answers.iter().map(|answer| answer.to_vec()).collect();
        Self { answers, asked: Vec::new(), le: true }
    }
}

impl Channel for StubChannel {
    fn transmit(
        &mut self,
        command: &[u8],
        _asks: Asks,
        _wait: &mut Wait,
        _patience: &mut Patience<'_>,
    ) -> Result<Vec<u8>, Halt> {
        self.asked.push(command.to_vec());
        let next =
            if self.answers.len() > 1 { self.answers.pop_front() } else { self.answers.front().cloned() };
        next.ok_or(Halt::Fault(Fault::Removed))
    }

    fn le(&self) -> bool {
        self.le
    }
}

struct Came {
    answer: Result<Vec<u8>, Halt>,
    told: Vec<Wait>,
    manner: Manner,
}

fn ask(card: &mut StubChannel, message: &[u8], limit: u64, stop: bool) -> Came {
    let (mut told, mut manner) = (Vec::new(), Manner::AsksOn);
    let mut tell = |wait| {
        told.push(wait);
        if stop { Go::Stop } else { Go::On }
    };
    let until = Instant::now() + Duration::from_millis(limit);
    let patience = &mut Patience::until(until, &mut tell);
    let mut exchange = Exchange { channel: card, asks: Asks::Person, wait: Wait::Processing, patience };
    let answer = exchange.message(message, &mut manner);
    Came { answer, told, manner }
}

#[test]
fn a_short_message_is_one_command() {
    let mut card = StubChannel::new(&[&[0x00, 0xa0, 0x90, 0x00]]);
    assert_eq!(ask(&mut card, &[0x04], 1000, false).answer, Ok(vec![0x00, 0xa0]));
    assert_eq!(card.asked, [vec![0x80, 0x10, 0x80, 0x00, 0x01, 0x04, 0x00]]);
    card.le = false;
    assert!(ask(&mut card, &[0x04], 1000, false).answer.is_ok());
    assert_eq!(
        card.asked.last().unwrap(),
        &[0x80, 0x10, 0x80, 0x00, 0x01, 0x04],
        "T=0 takes no Le with data"
    );
}

#[test]
fn a_long_message_is_chained_and_a_long_answer_fetched() {
    let mut card =
        StubChannel::new(&[&[0x90, 0], &[0x90, 0], &[1, 2, 0x61, 2], &[3, 0x61, 0], &[4, 0x90, 0]]);
    assert_eq!(ask(&mut card, &[7; 511], 1000, false).answer, Ok(vec![1, 2, 3, 4]));
    let heads: Vec<&[u8]> = card.asked.iter().map(|asked| asked.get(..5).unwrap()).collect();
    let [first, second, last, more, rest] = heads.as_slice() else { panic!("{heads:?}") };
    assert_eq!((*first, *second), (&[0x90, 0x10, 0x80, 0, 255][..], &[0x90, 0x10, 0x80, 0, 255][..]));
    assert_eq!(
        (*last, *more, *rest),
        (&[0x80, 0x10, 0x80, 0, 1][..], &[0, 0xc0, 0, 0, 2][..], &[0, 0xc0, 0, 0, 0][..])
    );
}

#[test]
fn a_card_that_tells_what_it_waits_for_is_asked_on() {
    let mut card = StubChannel::new(&[&[1, 0x91, 0], &[2, 0x91, 0], &[0x91, 0], &[0x00, 0x90, 0]]);
    let came = ask(&mut card, &[0x04], 1000, false);
    assert_eq!((came.answer, came.manner), (Ok(vec![0]), Manner::AsksOn));
    assert_eq!(came.told, [Wait::Processing, Wait::Touch, Wait::Touch]);
    assert_eq!(card.asked.last().unwrap(), &[0x80, 0x11, 0, 0, 0]);
}

#[test]
fn a_card_without_end_is_left_when_time_is_up() {
    let mut card = StubChannel::new(&[&[2, 0x91, 0]]);
    assert_eq!(ask(&mut card, &[0x04], 120, false).answer, Err(Halt::Over(Over::Late)));
    assert_eq!(ask(&mut card, &[0x04], 1000, true).answer, Err(Halt::Over(Over::Stopped)));
    for endless in [vec![0x61, 0x0a], vec![0x6c, 0x05], [vec![0xaa; 256], vec![0x61, 0]].concat()] {
        let mut card = StubChannel::new(&[&endless]);
        let came = ask(&mut card, &[0x04], 1000, false);
        assert!(matches!(came.answer, Err(Halt::Fault(Fault::Garbage(_)))));
        assert!(card.asked.len() <= ROUNDS);
    }
}

#[test]
fn a_card_that_cannot_ask_on_blocks() {
    for status in [[0x6a, 0x86], [0x6b, 0x00], [0x6d, 0x00]] {
        let mut card = StubChannel::new(&[&status, &[0x00, 0x90, 0x00]]);
        let came = ask(&mut card, &[0x04], 1000, false);
        assert_eq!((came.answer, came.manner), (Ok(vec![0]), Manner::Blocks));
        assert_eq!(card.asked.last().unwrap(), &[0x80, 0x10, 0, 0, 1, 4, 0]);
    }
    let mut card = StubChannel::new(&[&[0x6d, 0x00]]);
    let came = ask(&mut card, &[0x04], 1000, false);
    assert_eq!(came.answer, Err(Halt::Fault(Fault::Unsupported("FIDO2"))));
    assert_eq!(came.manner, Manner::AsksOn);
}

#[test]
fn what_is_stopped_is_cancelled_on_the_card() {
    let mut card = StubChannel::new(&[&[2, 0x91, 0], &[0x2d, 0x90, 0]]);
    let mut tell = |_| Go::On;
    let patience = &mut Patience::until(Instant::now() + Duration::from_secs(1), &mut tell);
    let mut exchange = Exchange { channel: &mut card, asks: Asks::Device, wait: Wait::Touch, patience };
    assert_eq!(exchange.cancel(), Ok(()));
    assert_eq!(card.asked, [vec![0x80, 0x11, 0x11, 0, 0], vec![0x80, 0x11, 0, 0, 0]]);
}

proptest::proptest! {
    #[test]
    fn no_card_makes_it_panic_or_run_away(answers: Vec<Vec<u8>>, message: Vec<u8>) {
        let answers: Vec<&[u8]> = answers.iter().map(Vec::as_slice).collect();
        let mut card = StubChannel::new(&answers);
        if let Ok(answer) = ask(&mut card, &message, 5, false).answer {
            proptest::prop_assert!(answer.len() <= LONGEST);
        }
    }
}
