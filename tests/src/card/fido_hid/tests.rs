//! The device's half without a device: refusals first.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::*;

/// The host's end of the cable.
struct Host {
    key: HidKey,
    now: Instant,
}

/// What the key says: channel, command, data.
type Said = (u32, u8, Vec<u8>);

const GET_INFO: &[u8] = &[0x04];
/// The one message without parameters that waits for a touch.
const SELECTION: &[u8] = &[0x0b];

impl Host {
    fn new() -> Self {
        Self {
            key: HidKey::new(Profile::v5_7_1().touch_timeout(Duration::from_secs(30))),
            now: Instant::now(),
        }
    }

    fn packets(&mut self, packets: &[Packet]) -> Vec<Said> {
        let said = packets.iter().flat_map(|packet| self.key.receive(packet, self.now)).collect::<Vec<_>>();
        joined(&said)
    }

    fn send(&mut self, channel: u32, command: u8, data: &[u8]) -> Vec<Said> {
        self.packets(&cut(channel, command, data))
    }

    /// A new channel.
    fn channel(&mut self) -> u32 {
        let said = self.send(BROADCAST, command::INIT, &[7; 8]);
        let [(BROADCAST, command::INIT, data)] = said.as_slice() else { panic!("{said:?}") };
        assert_eq!((&data[..8], data.len(), data[12], data[16]), (&[7; 8][..], 17, VERSION, 0x0c));
        u32::from_be_bytes(data[8..12].try_into().unwrap())
    }

    fn later(&mut self, millis: u64) -> Vec<Said> {
        self.now += Duration::from_millis(millis);
        joined(&self.key.tick(self.now))
    }
}

fn joined(packets: &[Packet]) -> Vec<Said> {
    let mut said: Vec<(u32, Message)> = Vec::new();
    for packet in packets {
        match packet::read(packet) {
            (channel, Part::First(command, length, data)) => {
                said.push((channel, Message::begin(command, length, data).unwrap()));
            }
            (_, Part::Next(number, data)) => assert!(said.last_mut().unwrap().1.add(number, data)),
        }
    }
    assert!(said.iter().all(|(_, message)| message.is_whole()));
    said.into_iter().map(|(channel, message)| (channel, message.command, message.data)).collect()
}

fn refusal(channel: u32, error: u8) -> Vec<Said> {
    vec![(channel, command::ERROR, vec![error])]
}

#[test]
fn only_a_channel_that_was_given_out_is_served() {
    let mut host = Host::new();
    for channel in [0, 1, 77, BROADCAST] {
        assert_eq!(host.send(channel, command::PING, b"x"), refusal(channel, error::INVALID_CHANNEL));
    }
    let (one, other) = (host.channel(), host.channel());
    assert_ne!(one, other);
    assert_eq!(host.send(one, command::PING, b"x"), [(one, command::PING, b"x".to_vec())]);
    host.key.pull_out();
    assert_eq!(host.send(one, command::PING, b"x"), refusal(one, error::INVALID_CHANNEL));
}

#[test]
fn what_it_does_not_know_is_refused() {
    let mut host = Host::new();
    let channel = host.channel();
    for command in [0x03, 0x04, 0x08, 0x42] {
        assert_eq!(host.send(channel, command, b"x"), refusal(channel, error::INVALID_COMMAND), "{command}");
    }
    assert_eq!(host.send(channel, command::CBOR, &[]), refusal(channel, error::INVALID_LENGTH));
    assert_eq!(host.send(channel, command::INIT, &[1; 7]), refusal(channel, error::INVALID_LENGTH));
    let mut long = cut(channel, command::PING, &[0; 57]);
    long[0][5..7].copy_from_slice(&0xffff_u16.to_be_bytes());
    assert_eq!(host.packets(&long), refusal(channel, error::INVALID_LENGTH));
}

#[test]
fn packets_come_in_order_and_in_time() {
    let mut host = Host::new();
    let channel = host.channel();
    for length in [0, 57, 58, 116, 117, packet::LONGEST] {
        let data = vec![9; length];
        assert_eq!(host.send(channel, command::PING, &data), [(channel, command::PING, data)]);
    }
    let mut swapped = cut(channel, command::PING, &[9; 300]);
    swapped.swap(1, 2);
    assert_eq!(host.packets(&swapped[..2]), refusal(channel, error::INVALID_SEQUENCE));
    assert!(!host.key.is_busy());
    assert_eq!(host.packets(&swapped[2..]), [], "what follows nothing is passed over");
    let begun = cut(channel, command::PING, &[9; 300]);
    assert_eq!(host.packets(&begun[..1]), []);
    assert_eq!(host.packets(&begun[..1]), refusal(channel, error::INVALID_SEQUENCE));
    assert_eq!(host.packets(&begun[..1]), []);
    assert_eq!(host.later(2999), []);
    assert_eq!(host.later(1), refusal(channel, error::TIMEOUT));
    assert!(!host.key.is_busy());
}

#[test]
fn another_channel_waits_for_its_turn() {
    let mut host = Host::new();
    let (one, other) = (host.channel(), host.channel());
    let begun = cut(one, command::PING, &[9; 60]);
    assert_eq!(host.packets(&begun[..1]), []);
    assert_eq!(host.send(other, command::CBOR, GET_INFO), refusal(other, error::CHANNEL_BUSY));
    assert_eq!(host.packets(&begun[1..]), [(one, command::PING, vec![9; 60])]);
    host.key.touch(Touch::Never);
    assert_eq!(host.send(one, command::CBOR, SELECTION), [(one, command::KEEPALIVE, vec![UP_NEEDED])]);
    for asks in [one, other] {
        assert_eq!(host.send(asks, command::CBOR, GET_INFO), refusal(asks, error::CHANNEL_BUSY));
    }
    assert_eq!(host.send(other, command::CANCEL, &[]), [], "not its own");
    assert_eq!(host.send(other, command::INIT, &[1; 8]).len(), 1, "nor is this");
    assert_ne!(host.channel(), one, "channels are given out all the same");
    assert!(host.key.waits_for_touch());
    assert_eq!(host.key.refused_busy(), 3);
}

#[test]
fn a_touch_is_waited_for_and_said_so() {
    let mut host = Host::new();
    let channel = host.channel();
    let alive = [(channel, command::KEEPALIVE, vec![UP_NEEDED])];
    host.key.touch(Touch::After(Duration::from_millis(250)));
    assert_eq!(host.send(channel, command::CBOR, SELECTION), alive);
    assert_eq!(host.later(99), []);
    assert_eq!(host.later(1), alive);
    assert_eq!(host.later(149), alive);
    assert_eq!(host.later(1), [(channel, command::CBOR, vec![0x00])]);
    host.key.touch(Touch::Never);
    assert_eq!(host.send(channel, command::CBOR, SELECTION), alive);
    assert_eq!(host.later(29_999), alive);
    assert_eq!(host.later(1), [(channel, command::CBOR, vec![0x2f])], "30 s are the end");
    assert_eq!(host.send(channel, command::CBOR, SELECTION), alive);
    host.key.touch(Touch::Now);
    assert_eq!(host.later(0), [(channel, command::CBOR, vec![0x00])]);
    assert_eq!((host.key.touches_asked(), host.key.is_busy()), (3, false));
}

#[test]
fn a_wait_is_cancelled_by_its_own_channel() {
    let mut host = Host::new();
    let channel = host.channel();
    host.key.touch(Touch::Never);
    assert_eq!(host.send(channel, command::CANCEL, &[]), [], "nothing is under way");
    host.send(channel, command::CBOR, SELECTION);
    assert_eq!(host.send(channel, command::CANCEL, &[]), [(channel, command::CBOR, vec![0x2d])]);
    assert_eq!((host.key.cancelled(), host.key.is_busy()), (1, false));
    assert_eq!(host.send(channel, command::CBOR, GET_INFO)[0].1, command::CBOR);
    host.send(channel, command::CBOR, SELECTION);
    assert_eq!(host.send(channel, command::INIT, &[1; 8])[0].1, command::INIT, "begins anew");
    assert!(!host.key.is_busy());
}

#[test]
fn info_is_the_applets_own() {
    let mut host = Host::new();
    let channel = host.channel();
    let said = host.send(channel, command::CBOR, GET_INFO);
    let [(_, command::CBOR, data)] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!(data[0], 0);
    assert!(data.windows(8).any(|text| text == b"FIDO_2_1"));
    let mut without = Host { key: HidKey::new(Profile::v5_7_1().without_fido()), ..Host::new() };
    let channel = without.channel();
    assert_eq!(without.send(channel, command::CBOR, GET_INFO), [(channel, command::CBOR, vec![0x01])]);
}
