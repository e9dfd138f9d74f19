//! Command and response APDUs (ISO 7816-4, section 5.1), short and extended, and what a card must do
//! around them: gather chained commands, and hand out long answers in pieces.
//!
//! Yubico's programs never send Le; a missing Le therefore means "as much as there is".

/// A status word.
pub(crate) type Sw = u16;

/// Status words (ISO 7816-4, table 5 and 6).
pub(crate) mod sw {
    use super::Sw;
    pub(crate) const OK: Sw = 0x9000;
    pub(crate) const WRONG_LENGTH: Sw = 0x6700;
    pub(crate) const SECURITY: Sw = 0x6982;
    pub(crate) const BLOCKED: Sw = 0x6983;
    pub(crate) const INVALIDATED: Sw = 0x6984;
    pub(crate) const CONDITIONS: Sw = 0x6985;
    pub(crate) const WRONG_DATA: Sw = 0x6a80;
    pub(crate) const NOT_FOUND: Sw = 0x6a82;
    pub(crate) const NO_SPACE: Sw = 0x6a84;
    pub(crate) const WRONG_P1P2: Sw = 0x6a86;
    pub(crate) const NO_REFERENCE: Sw = 0x6a88;
    pub(crate) const UNKNOWN_INS: Sw = 0x6d00;
    /// A wrong PIN, with the tries left.
    pub(crate) fn tries(left: u8) -> Sw {
        0x63c0 | Sw::from(left.min(15))
    }
}

/// One command as sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) cla: u8,
    pub(crate) ins: u8,
    pub(crate) p1: u8,
    pub(crate) p2: u8,
    pub(crate) data: Vec<u8>,
    /// The longest answer the host takes at once.
    pub(crate) max: usize,
}

/// An answer before it is cut into pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) data: Vec<u8>,
    pub(crate) sw: Sw,
}

impl From<Sw> for Reply {
    fn from(sw: Sw) -> Self {
        Self { data: Vec::new(), sw }
    }
}

impl Reply {
    pub(crate) fn ok(data: Vec<u8>) -> Self {
        Self { data, sw: sw::OK }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        [&self.data[..], &self.sw.to_be_bytes()].concat()
    }
}

const SHORT_MAX: usize = 256;
const EXTENDED_MAX: usize = 65_536;

impl Command {
    /// Reads one command; `None` when its length is wrong.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (&[cla, ins, p1, p2], body) = bytes.split_first_chunk::<4>()?;
        let (data, max) = body_of(body)?;
        Some(Self { cla, ins, p1, p2, data: data.to_vec(), max })
    }

    /// Both parameters as one number.
    pub(crate) fn parameters(&self) -> u16 {
        u16::from_be_bytes([self.p1, self.p2])
    }
}

fn body_of(body: &[u8]) -> Option<(&[u8], usize)> {
    match body {
        [] => Some((&[], SHORT_MAX)),
        [le] => Some((&[], short_le(*le))),
        [0, high, low] => Some((&[], extended_le(*high, *low))),
        [0, high, low, rest @ ..] => {
            let (data, le) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
            match le {
                [] => Some((data, EXTENDED_MAX)),
                [high, low] => Some((data, extended_le(*high, *low))),
                [..] => None,
            }
        }
        [0, ..] => None,
        [lc, rest @ ..] => {
            let (data, le) = rest.split_at_checked(usize::from(*lc))?;
            match le {
                [] => Some((data, SHORT_MAX)),
                [le] => Some((data, short_le(*le))),
                [..] => None,
            }
        }
    }
}

fn short_le(le: u8) -> usize {
    if le == 0 { SHORT_MAX } else { usize::from(le) }
}

fn extended_le(high: u8, low: u8) -> usize {
    match u16::from_be_bytes([high, low]) {
        0 => EXTENDED_MAX,
        le => usize::from(le),
    }
}

/// Chained commands on their way in, the rest of a long answer on its way out.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    gathered: Option<Command>,
    rest: Vec<u8>,
    last: Option<Sw>,
}

/// What a command means for the chain.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// A whole command, to be carried out.
    Whole(Command),
    /// Answered here: a part of a chain was taken, or the next piece of an answer given.
    Answered(Reply),
}

/// The bit of CLA that says "more follows" (ISO 7816-4, section 5.1.1.1).
const MORE: u8 = 0x10;
/// GET RESPONSE (ISO 7816-4, section 7.6.1).
pub(crate) const GET_RESPONSE: u8 = 0xc0;
/// More than any object of a card; a longer chain is refused.
const CHAIN_MAX: usize = 8192;

impl Chain {
    /// Takes a command; `next` is the instruction that asks for the next piece of an answer.
    pub(crate) fn take(&mut self, mut command: Command, next: u8) -> Link {
        if command.ins == next {
            return Link::Answered(self.next(command.max));
        }
        self.rest.clear();
        let more = command.cla & MORE != 0;
        command.cla &= !MORE;
        if let Some(mut begun) = self.gathered.take()
            && begun.ins == command.ins
            && begun.parameters() == command.parameters()
        {
            begun.data.append(&mut command.data);
            begun.max = command.max;
            command = begun;
        }
        if command.data.len() > CHAIN_MAX {
            return Link::Answered(sw::WRONG_LENGTH.into());
        }
        if more {
            self.gathered = Some(command);
            return Link::Answered(sw::OK.into());
        }
        Link::Whole(command)
    }

    /// Gives an answer out, at most `max` bytes at once.
    pub(crate) fn give(&mut self, reply: Reply, max: usize) -> Reply {
        self.rest = reply.data;
        self.last = Some(reply.sw);
        self.next(max)
    }

    fn next(&mut self, max: usize) -> Reply {
        let Some(last) = self.last else { return sw::CONDITIONS.into() };
        let tail = self.rest.split_off(max.min(self.rest.len()));
        let data = std::mem::replace(&mut self.rest, tail);
        if self.rest.is_empty() {
            self.last = None;
            return Reply { data, sw: last };
        }
        // 61xx: that many bytes remain, 00 for 256 or more.
        let left = u8::try_from(self.rest.len()).unwrap_or(0);
        Reply { data, sw: u16::from_be_bytes([0x61, left]) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn parse(hex: &[u8]) -> Option<(Vec<u8>, usize)> {
        Command::parse(hex).map(|command| (command.data, command.max))
    }

    #[test]
    fn a_wrong_length_is_refused() {
        for bytes in
            [&[0, 0xa4, 4][..], &[0, 0xa4, 4, 0, 2, 1], &[0, 0xa4, 4, 0, 1, 1, 0, 0], &[0, 1, 2, 3, 0, 0]]
        {
            assert_eq!(parse(bytes), None, "{bytes:02x?}");
        }
        assert_eq!(parse(&[0, 1, 2, 3, 0, 0, 2, 9]), None, "extended, one byte short");
    }

    #[test]
    fn a_missing_le_means_as_much_as_there_is() {
        assert_eq!(parse(&[0, 0xc0, 0, 0]), Some((vec![], 256)));
        assert_eq!(parse(&[0, 0xc0, 0, 0, 0]), Some((vec![], 256)));
        assert_eq!(parse(&[0, 0xc0, 0, 0, 9]), Some((vec![], 9)));
        assert_eq!(parse(&[0, 0x87, 3, 0x9b, 1, 7]), Some((vec![7], 256)));
        assert_eq!(parse(&[0, 0x87, 3, 0x9b, 1, 7, 5]), Some((vec![7], 5)));
        assert_eq!(parse(&[0, 0x87, 3, 0x9b, 0, 0, 1, 7]), Some((vec![7], 65_536)));
        assert_eq!(parse(&[0, 0x87, 3, 0x9b, 0, 0, 1, 7, 1, 0]), Some((vec![7], 256)));
        assert_eq!(parse(&[0, 0xcb, 3, 0x9b, 0, 0, 0]), Some((vec![], 65_536)));
    }

    #[test]
    fn a_chain_is_gathered_and_a_long_answer_comes_in_pieces() {
        let mut chain = Chain::default();
        let first = Command::parse(&[0x10, 0xdb, 0x3f, 0xff, 2, 1, 2]).unwrap();
        assert_eq!(chain.take(first, GET_RESPONSE), Link::Answered(sw::OK.into()));
        let Link::Whole(whole) =
            chain.take(Command::parse(&[0, 0xdb, 0x3f, 0xff, 1, 3]).unwrap(), GET_RESPONSE)
        else {
            panic!("the last link completes the chain")
        };
        assert_eq!(whole.data, [1, 2, 3]);
        assert_eq!(chain.give(Reply::ok(vec![5; 300]), 256).sw, 0x612c);
        let next = Command::parse(&[0, 0xc0, 0, 0]).unwrap();
        assert_eq!(chain.take(next.clone(), GET_RESPONSE), Link::Answered(Reply::ok(vec![5; 44])));
        assert_eq!(
            chain.take(next, GET_RESPONSE),
            Link::Answered(sw::CONDITIONS.into()),
            "no endless answers"
        );
    }

    #[test]
    fn another_command_breaks_a_chain() {
        let mut chain = Chain::default();
        let _ = chain.take(Command::parse(&[0x10, 0xdb, 0x3f, 0xff, 2, 1, 2]).unwrap(), GET_RESPONSE);
        let other = Command::parse(&[0, 0xcb, 0x3f, 0xff, 1, 3]).unwrap();
        assert_eq!(chain.take(other.clone(), GET_RESPONSE), Link::Whole(other));
    }
}
