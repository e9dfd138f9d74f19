//! Packets of CTAPHID (CTAP 2.1, 11.2.4): 64 bytes each, a message cut into them and put together.

use crate::Fault;
use crate::port::LONGEST;

/// Bytes of one packet.
pub(super) const SIZE: usize = 64;
/// Bytes of data in the first packet of a message, and in each that follows.
const FIRST: usize = SIZE - 7;
const NEXT: usize = SIZE - 5;
/// Marks the first packet of a message.
const INITIAL: u8 = 0x80;

/// One packet.
pub(super) type Packet = [u8; SIZE];

/// What a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'p> {
    /// The first of a message: command, length of the whole, data.
    First(u8, usize, &'p [u8]),
    /// One that follows: its number, data.
    Next(u8, &'p [u8]),
}

/// The channel of a packet, and what it is.
pub(super) fn read(packet: &Packet) -> Option<(u32, Part<'_>)> {
    let (channel, rest) = packet.split_first_chunk::<4>()?;
    let (&kind, rest) = rest.split_first()?;
    let part = if kind & INITIAL == 0 {
        Part::Next(kind, rest)
    } else {
        let (length, data) = rest.split_first_chunk::<2>()?;
        Part::First(kind & !INITIAL, usize::from(u16::from_be_bytes(*length)), data)
    };
    Some((u32::from_be_bytes(*channel), part))
}

/// Cuts a message into packets.
pub(super) fn cut(channel: u32, command: u8, data: &[u8]) -> Result<Vec<Packet>, Fault> {
    let length = u16::try_from(data.len()).ok().filter(|length| usize::from(*length) <= LONGEST);
    let length = length.ok_or(Fault::Unsupported("a message of this length"))?;
    let (first, rest) = data.split_at(data.len().min(FIRST));
    let head = [&channel.to_be_bytes()[..], &[command | INITIAL], &length.to_be_bytes()].concat();
    let mut packets = vec![filled(&head, first)];
    for (number, part) in (0u8..INITIAL).zip(rest.chunks(NEXT)) {
        packets.push(filled(&[&channel.to_be_bytes()[..], &[number]].concat(), part));
    }
    Ok(packets)
}

fn filled(head: &[u8], data: &[u8]) -> Packet {
    let mut packet = [0; SIZE];
    for (to, from) in packet.iter_mut().zip(head.iter().chain(data)) {
        *to = *from;
    }
    packet
}

/// A message that is being put together.
#[derive(Debug)]
pub(super) struct Message {
    command: u8,
    length: usize,
    data: Vec<u8>,
    next: u8,
}

impl Message {
    /// From its first packet.
    pub(super) fn begin(command: u8, length: usize, data: &[u8]) -> Result<Self, Fault> {
        if length > LONGEST {
            return Err(Fault::Garbage("a message that is too long"));
        }
        let mut whole = Vec::with_capacity(length);
        whole.extend(data.iter().take(length));
        Ok(Self { command, length, data: whole, next: 0 })
    }

    /// Adds the packet that follows.
    pub(super) fn add(&mut self, number: u8, data: &[u8]) -> Result<(), Fault> {
        if number != self.next {
            return Err(Fault::Garbage("packets out of order"));
        }
        self.next = number.wrapping_add(1);
        self.data.extend(data.iter().take(self.length - self.data.len()));
        Ok(())
    }

    /// Command and data, once nothing is missing.
    pub(super) fn whole(self) -> Result<(u8, Vec<u8>), Self> {
        if self.data.len() == self.length { Ok((self.command, self.data)) } else { Err(self) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn joined(packets: &[Packet]) -> Result<(u8, Vec<u8>), Fault> {
        let mut packets = packets.iter().map(|packet| read(packet).unwrap().1);
        let Some(Part::First(command, length, data)) = packets.next() else {
            return Err(Fault::Garbage("no first packet"));
        };
        let mut message = Message::begin(command, length, data)?;
        loop {
            match (message.whole(), packets.next()) {
                (Ok(whole), None) => return Ok(whole),
                (Err(more), Some(Part::Next(number, data))) => {
                    message = more;
                    message.add(number, data)?;
                }
                (_, _) => return Err(Fault::Garbage("packets")),
            }
        }
    }

    #[test]
    fn a_packet_is_as_the_specification_draws_it() {
        let packets = cut(0x0102_0304, 0x10, &[9; 58]).unwrap();
        let [first, next] = packets.as_slice() else { panic!("{}", packets.len()) };
        assert_eq!(first.get(..8).unwrap(), [1, 2, 3, 4, 0x90, 0, 58, 9]);
        assert_eq!(next.get(..7).unwrap(), [1, 2, 3, 4, 0, 9, 0]);
    }

    #[test]
    fn lengths_at_the_edges() {
        for (length, packets) in [(0, 1), (57, 1), (58, 2), (116, 2), (117, 3), (LONGEST, 129)] {
            let cut = cut(1, 0x10, &vec![3; length]).unwrap();
            assert_eq!(cut.len(), packets, "{length}");
            assert_eq!(joined(&cut), Ok((0x10, vec![3; length])));
        }
        assert!(cut(1, 0x10, &[0; LONGEST + 1]).is_err());
        assert!(Message::begin(0x10, LONGEST + 1, &[]).is_err());
    }

    #[test]
    fn packets_out_of_order_are_refused() {
        let mut packets = cut(1, 0x10, &[3; 300]).unwrap();
        packets.swap(2, 3);
        assert_eq!(joined(&packets), Err(Fault::Garbage("packets out of order")));
    }

    proptest! {
        #[test]
        fn what_is_cut_is_joined(data in proptest::collection::vec(any::<u8>(), 0..=LONGEST), channel: u32) {
            prop_assert_eq!(joined(&cut(channel, 0x10, &data).unwrap()), Ok((0x10, data)));
        }

        #[test]
        fn no_packets_make_it_panic(packets in proptest::collection::vec(proptest::array::uniform(any::<u8>()), 0..9)) {
            if let Ok((_, data)) = joined(&packets) {
                prop_assert!(data.len() <= LONGEST);
            }
        }
    }
}
