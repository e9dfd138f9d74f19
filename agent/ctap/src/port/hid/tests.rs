#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;
use crate::Go;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::time::Instant;

const OURS: u32 = 0x0a0b_0c0d;

/// A device that says what it was told to: a list of packets for each message that it gets.
#[derive(Default)]
struct StubReports {
    answers: VecDeque<Vec<Packet>>,
    waiting: VecDeque<Packet>,
    /// What it got: channel, command, data; packets that follow are left out.
    got: Vec<(u32, u8, Vec<u8>)>,
}

impl Reports for &mut StubReports {
    fn write(&mut self, packet: &Packet) -> Result<(), Fault> {
        let (channel, part) = read(packet).unwrap();
        let Part::First(command, length, data) = part else { return Ok(()) };
        self.got.push((channel, command, data.iter().copied().take(length).collect()));
        self.waiting.extend(self.answers.pop_front().unwrap_or_default());
        Ok(())
    }

    fn read(&mut self, limit: Duration) -> Result<Option<Packet>, Fault> {
        let next = self.waiting.pop_front();
        if next.is_none() {
            std::thread::sleep(limit.min(Duration::from_millis(2)));
        }
        Ok(next)
    }
}

fn said(channel: u32, command: u8, data: &[u8]) -> Vec<Packet> {
    cut(channel, command, data).unwrap()
}

/// One message with a device that has a channel for us already.
fn exchange(stub: &mut StubReports, limit: u64, stop: bool) -> (Result<Vec<u8>, Fault>, Vec<Wait>) {
    let mut told = Vec::new();
    let mut tell = |wait| {
        told.push(wait);
        if stop { Go::Stop } else { Go::On }
    };
    let until = Instant::now() + Duration::from_millis(limit);
    let patience = &mut Patience::until(until, &mut tell);
    let done = Hid { reports: stub, channel: OURS }.exchange(&[0x04], Asks::Device, patience);
    (done, told)
}

fn with(answers: Vec<Vec<Packet>>) -> StubReports {
    StubReports { answers: answers.into(), ..StubReports::default() }
}

/// Opens a device whose answer is made of the nonce.
fn open(answer: impl Fn(&[u8]) -> Vec<Packet>) -> Result<u32, Fault> {
    struct Answering<F>(F, VecDeque<Packet>);
    impl<F: Fn(&[u8]) -> Vec<Packet>> Reports for Answering<F> {
        fn write(&mut self, packet: &Packet) -> Result<(), Fault> {
            let Some((BROADCAST, Part::First(INIT, 8, data))) = read(packet) else { panic!("{packet:?}") };
            self.1.extend(self.0(data.get(..8).unwrap()));
            Ok(())
        }
        fn read(&mut self, _limit: Duration) -> Result<Option<Packet>, Fault> {
            Ok(self.1.pop_front())
        }
    }
    let until = Instant::now() + Duration::from_millis(200);
    let mut tell = |_| Go::On;
    let patience = &mut Patience::until(until, &mut tell);
    Hid::open(Answering(answer, VecDeque::new()), patience).map(|device| device.channel)
}

fn init(nonce: &[u8], channel: u32, capabilities: u8) -> Vec<Packet> {
    let data = [nonce, &channel.to_be_bytes(), &[2, 5, 7, 1, capabilities]].concat();
    said(BROADCAST, INIT, &data)
}

#[test]
fn a_channel_is_had_by_nonce() {
    assert_eq!(open(|nonce| init(nonce, OURS, 0x05)), Ok(OURS));
    let others_first =
        |nonce: &[u8]| [init(&[0; 8], 1, 0x05), said(7, CBOR, &[0]), init(nonce, OURS, 0x05)].concat();
    assert_eq!(open(others_first), Ok(OURS));
    assert_eq!(open(|nonce| init(nonce, OURS, 0x01)), Err(Fault::Unsupported("FIDO2")));
    assert_eq!(open(|nonce| init(nonce, BROADCAST, 0x05)), Err(Fault::Garbage("a channel that is none")));
    assert_eq!(open(|_| said(BROADCAST, CBOR, &[])), Err(Fault::Garbage("no channel")));
    assert_eq!(open(|_| Vec::new()), Err(Fault::Busy));
    assert_eq!(open(|_| init(&[0; 8], OURS, 0x05)), Err(Fault::Busy), "only others' answers");
}

#[test]
fn an_answer_is_put_together() {
    let mut stub = with(vec![said(OURS, CBOR, &[7; 400])]);
    assert_eq!(exchange(&mut stub, 1000, false).0, Ok(vec![7; 400]));
    assert_eq!(stub.got, [(OURS, CBOR, vec![0x04])]);
}

#[test]
fn packets_of_others_are_passed_over() {
    let (ours, others) = (said(OURS, CBOR, &[7; 150]), said(9, CBOR, &[8; 150]));
    let mixed: Vec<Packet> = ours.iter().zip(&others).flat_map(|(one, other)| [*other, *one]).collect();
    assert_eq!(exchange(&mut with(vec![mixed]), 1000, false).0, Ok(vec![7; 150]));
}

#[test]
fn a_flood_of_others_ends_with_the_callers_time() {
    struct Flood(Packet);
    impl Reports for Flood {
        fn write(&mut self, _packet: &Packet) -> Result<(), Fault> {
            Ok(())
        }
        fn read(&mut self, limit: Duration) -> Result<Option<Packet>, Fault> {
            // As old ones there is nothing: that loop is bounded in number.
            Ok((!limit.is_zero()).then_some(self.0))
        }
    }
    for packet in [said(9, CBOR, &[8]), said(OURS, KEEPALIVE, &[1])] {
        let until = Instant::now() + Duration::from_millis(150);
        let mut tell = |_| Go::On;
        let patience = &mut Patience::until(until, &mut tell);
        let mut device = Hid { reports: Flood(*packet.first().unwrap()), channel: OURS };
        // Told to stop, it keeps on for as long as it is given to hear.
        assert_eq!(device.ask(&[4], &mut Wait::Processing, patience), Err(Halt::Over(Over::Late)));
    }
}

#[test]
fn keepalives_are_told() {
    let alive = |status| said(OURS, KEEPALIVE, &[status]);
    let answer = [alive(1), alive(2), alive(2), alive(9), said(OURS, CBOR, &[0])].concat();
    let (done, told) = exchange(&mut with(vec![answer]), 1000, false);
    assert_eq!((done, told), (Ok(vec![0]), vec![Wait::Processing, Wait::Touch, Wait::Touch, Wait::Touch]));
}

#[test]
fn what_is_stopped_is_cancelled_on_the_device() {
    let answers = vec![said(OURS, KEEPALIVE, &[2]), said(OURS, CBOR, &[0x2d])];
    let mut stub = with(answers);
    assert_eq!(exchange(&mut stub, 1000, true).0, Err(Fault::Cancelled));
    assert_eq!(stub.got, [(OURS, CBOR, vec![0x04]), (OURS, CANCEL, vec![])]);
    assert!(stub.waiting.is_empty(), "its last answer was heard");
}

#[test]
fn time_runs_out_on_a_touch_and_on_silence() {
    let mut stub = with(vec![said(OURS, KEEPALIVE, &[2]), said(OURS, CBOR, &[0x2d])]);
    assert_eq!(exchange(&mut stub, 60, false).0, Err(Fault::NotTouched));
    assert_eq!(stub.got.last().unwrap().1, CANCEL);
    let mut stub = with(vec![Vec::new(), said(OURS, CBOR, &[0x2d])]);
    assert_eq!(exchange(&mut stub, 60, false).0, Err(Fault::Busy));
}

#[test]
fn a_busy_device_is_asked_again() {
    let busy = said(OURS, ERROR, &[CHANNEL_BUSY]);
    let mut stub = with(vec![busy.clone(), busy, said(OURS, CBOR, &[0, 1])]);
    assert_eq!(exchange(&mut stub, 2000, false).0, Ok(vec![0, 1]));
    assert_eq!(stub.got.len(), 3);
}

#[test]
fn an_old_answer_is_not_taken_for_the_new() {
    let mut stub = with(vec![said(OURS, CBOR, &[2])]);
    stub.waiting.extend(said(OURS, CBOR, &[1; 200]));
    assert_eq!(exchange(&mut stub, 1000, false).0, Ok(vec![2]));
}

#[test]
fn what_is_no_answer_is_garbage() {
    let mut swapped = said(OURS, CBOR, &[7; 300]);
    swapped.swap(1, 2);
    let mut twice = said(OURS, CBOR, &[7; 300]);
    twice.splice(1..1, said(OURS, KEEPALIVE, &[1]));
    let mut long = said(OURS, CBOR, &[7; 57]);
    long.first_mut().unwrap().splice_length(0xffff);
    for bad in
        [swapped, twice, long, said(OURS, INIT, &[0; 17]), said(OURS, ERROR, &[1]), said(OURS, ERROR, &[])]
    {
        let (done, _) = exchange(&mut with(vec![bad]), 500, false);
        assert!(matches!(done, Err(Fault::Garbage(_))), "{done:?}");
    }
    let gone = said(OURS, ERROR, &[INVALID_CHANNEL]);
    assert_eq!(exchange(&mut with(vec![gone]), 500, false).0, Err(Fault::Disturbed));
}

trait Splice {
    fn splice_length(&mut self, length: u16);
}

impl Splice for Packet {
    fn splice_length(&mut self, length: u16) {
        self.get_mut(5..7).unwrap().copy_from_slice(&length.to_be_bytes());
    }
}

/// Packets on our channel and on others, of kinds that matter and of any.
fn packet() -> impl Strategy<Value = Packet> {
    let channel = prop_oneof![4 => Just(OURS), 1 => any::<u32>()];
    let kind =
        prop_oneof![Just(CBOR | 0x80), Just(KEEPALIVE | 0x80), Just(ERROR | 0x80), 0u8..4, any::<u8>()];
    (channel, kind, 0u16..300, any::<u8>()).prop_map(|(channel, kind, length, fill)| {
        let mut packet = [fill; packet::SIZE];
        packet.get_mut(..4).unwrap().copy_from_slice(&channel.to_be_bytes());
        *packet.get_mut(4).unwrap() = kind;
        packet.splice_length(length);
        packet
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn no_packets_make_it_panic_or_stay(packets in proptest::collection::vec(packet(), 0..40)) {
        let mut tell = |_| Go::On;
        let until = Instant::now() + Duration::from_millis(5);
        let patience = &mut Patience::until(until, &mut tell);
        let mut stub = with(vec![packets]);
        let begun = Instant::now();
        let answer = Hid { reports: &mut stub, channel: OURS }.answer_to(&[4], patience);
        prop_assert!(answer.map_or(0, |data| data.len()) <= LONGEST);
        prop_assert!(begun.elapsed() < Duration::from_secs(1));
    }
}

impl<R: Reports> Hid<R> {
    /// A question without the patience that a cancelled device is given.
    fn answer_to(&mut self, message: &[u8], patience: &mut Patience<'_>) -> Option<Vec<u8>> {
        self.send(CBOR, message).ok()?;
        match self.answer(&mut Wait::Processing, patience).ok()? {
            Answer::Whole(data) => Some(data),
            Answer::Busy => None,
        }
    }
}
