//! Packets of CTAPHID (CTAP 2.1, section 11.2.4): the device's half.

/// Bytes of a packet.
const SIZE: usize = 64;
/// Bytes of data in the first packet of a message, and in each that follows.
const FIRST: usize = SIZE - 7;
const NEXT: usize = SIZE - 5;
/// Marks the first packet of a message.
const INITIAL: u8 = 0x80;
/// The longest message: as many packets as there are numbers for them.
pub(super) const LONGEST: usize = FIRST + 128 * NEXT;

/// One report of the device, in or out.
pub type Packet = [u8; SIZE];

/// What a packet is.
pub(super) enum Part<'p> {
    /// The first of a message: command, length of the whole, data.
    First(u8, usize, &'p [u8]),
    /// One that follows: its number, data.
    Next(u8, &'p [u8]),
}

/// The channel of a packet, and what it is.
pub(super) fn read(packet: &Packet) -> (u32, Part<'_>) {
    let [a, b, c, d, kind, rest @ ..] = packet;
    let [high, low, data @ ..] = rest;
    let part = if kind & INITIAL == 0 {
        Part::Next(*kind, rest)
    } else {
        Part::First(kind & !INITIAL, usize::from(u16::from_be_bytes([*high, *low])), data)
    };
    (u32::from_be_bytes([*a, *b, *c, *d]), part)
}

/// Cuts a message into packets. What is longer than [`LONGEST`] has no end.
pub(super) fn cut(channel: u32, command: u8, data: &[u8]) -> Vec<Packet> {
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    let (first, rest) = data.split_at(data.len().min(FIRST));
    let mut packets =
        vec![filled(channel, &[&[command | INITIAL], &length.to_be_bytes()[..], first].concat())];
    for (number, part) in (0..INITIAL).zip(rest.chunks(NEXT)) {
        packets.push(filled(channel, &[&[number], part].concat()));
    }
    packets
}

fn filled(channel: u32, bytes: &[u8]) -> Packet {
    let mut packet = [0; SIZE];
    for (to, from) in packet.iter_mut().zip(channel.to_be_bytes().iter().chain(bytes)) {
        *to = *from;
    }
    packet
}

/// A message of which the end has not come yet.
pub(super) struct Message {
    pub(super) command: u8,
    pub(super) data: Vec<u8>,
    length: usize,
    next: u8,
}

impl Message {
    /// From its first packet; `None` where it would be too long.
    pub(super) fn begin(command: u8, length: usize, data: &[u8]) -> Option<Self> {
        let data = data.iter().copied().take(length).collect();
        (length <= LONGEST).then_some(Self { command, data, length, next: 0 })
    }

    /// Adds a packet that follows; says whether it was the right one.
    pub(super) fn add(&mut self, number: u8, data: &[u8]) -> bool {
        let right = number == self.next && !self.is_whole();
        if right {
            self.data.extend(data.iter().take(self.length - self.data.len()));
            self.next += 1;
        }
        right
    }

    /// Whether nothing is missing.
    pub(super) fn is_whole(&self) -> bool {
        self.data.len() == self.length
    }
}
