//! Faults by script: a few lines of text that say what will go wrong with a card and when, for tests that
//! try many courses and for hands at `virtual-yubikey`.
//!
//! ```text
//! # one line, one thing; an APDU is counted from the one that comes next, which is 0
//! at 5 remove          the card is pulled out instead of answering
//! at 3 reset           it has lost everything volatile (the selected applet, the PIN) when the APDU comes
//! at 4 busy 2s         the answer comes late; also 300ms
//! at 7 status 6f00     the command is not carried out; this is the answer
//! at 2 garbage         it is carried out, but the answer is noise; bytes of one's own: garbage 0102ff
//! at 6 wrong           it is carried out, but the last byte of the answer's data is another
//! at 1 mute            no answer until it is pulled out; alone, `mute` is `at 0 mute`
//! on a2 status 6982    the same things, at the next APDU with this instruction
//! touch slow 3s        the finger: touch now, touch never, touch slow and how long
//! serial 12345678      another serial number
//! ```

use std::str::FromStr;
use std::time::Duration;

use super::fault::{At, Fault};
use super::touch::Touch;

/// What an unreadable answer looks like, unless the script says otherwise.
const NOISE: [u8; 5] = [0x00, 0xff, 0x7c, 0x85, 0x01];

/// A script that has been read. [`super::Card::play`] carries it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script(pub(super) Vec<Line>);

/// One line of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// A fault is armed.
    Fault(At, Fault),
    /// The finger gets a habit.
    Touch(Touch),
    /// The serial number changes.
    Serial(u32),
}

impl FromStr for Script {
    type Err = String;

    /// Reads a script; the error names the line that makes no sense.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut lines = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let words: Vec<&str> =
                line.split_whitespace().take_while(|word| !word.starts_with('#')).collect();
            if !words.is_empty() {
                lines.push(read(&words).ok_or_else(|| format!("line {number} makes no sense: {line}"))?);
            }
        }
        Ok(Self(lines))
    }
}

fn read(words: &[&str]) -> Option<Line> {
    match words {
        ["at", number, what @ ..] => Some(Line::Fault(At::Nth(number.parse().ok()?), fault(what)?)),
        ["on", ins, what @ ..] => {
            let [ins] = hex(ins)?.try_into().ok()?;
            Some(Line::Fault(At::Ins(ins), fault(what)?))
        }
        ["mute"] => Some(Line::Fault(At::Nth(0), Fault::Mute)),
        ["touch", "now"] => Some(Line::Touch(Touch::Now)),
        ["touch", "never"] => Some(Line::Touch(Touch::Never)),
        ["touch", "slow", time] => Some(Line::Touch(Touch::After(duration(time)?))),
        ["serial", number] => Some(Line::Serial(number.parse().ok()?)),
        [..] => None,
    }
}

fn fault(words: &[&str]) -> Option<Fault> {
    match words {
        ["remove"] => Some(Fault::Remove),
        ["reset"] => Some(Fault::Reset),
        ["busy", time] => Some(Fault::Delay(duration(time)?)),
        ["status", status] => Some(Fault::Status(u16::from_be_bytes(hex(status)?.try_into().ok()?))),
        ["garbage"] => Some(Fault::Garbage(NOISE.to_vec())),
        ["garbage", bytes] => Some(Fault::Garbage(hex(bytes)?)),
        ["wrong"] => Some(Fault::Wrong),
        ["mute"] => Some(Fault::Mute),
        [..] => None,
    }
}

/// `2s` or `300ms`.
fn duration(text: &str) -> Option<Duration> {
    match text.strip_suffix("ms") {
        Some(number) => number.parse().ok().map(Duration::from_millis),
        None => text.strip_suffix('s')?.parse().ok().map(Duration::from_secs),
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let pairs = digits?;
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return None;
    }
    pairs
        .chunks_exact(2)
        .map(|pair| u8::try_from(pair.iter().fold(0, |byte, digit| byte << 4 | digit)).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_line_that_makes_no_sense_is_named() {
        for line in [
            "at remove",
            "at x remove",
            "at 1",
            "at 1 explode",
            "at 1 busy 2",
            "at 1 busy s",
            "at 1 status 6f",
            "at 1 status 6f0",
            "at 1 garbage 0g",
            "at 1 remove twice",
            "on a2ff remove",
            "remove",
            "touch",
            "touch slow",
            "serial",
            "serial -1",
        ] {
            let read = format!("# fine\ntouch now\n{line}\n").parse::<Script>();
            assert_eq!(read, Err(format!("line 3 makes no sense: {line}")));
        }
    }

    #[test]
    fn every_line_of_the_head_comment_means_what_it_says() {
        let head = include_str!("script.rs").lines().filter_map(|line| line.strip_prefix("//! "));
        let examples = head.skip_while(|line| *line != "```text").skip(2).take_while(|line| *line != "```");
        // What a line means stands to its right, at a fixed place.
        let script: String = examples.map(|line| format!("{}\n", &line[..21])).collect();
        let later = Duration::from_secs;
        assert_eq!(
            script.parse::<Script>().unwrap().0,
            [
                Line::Fault(At::Nth(5), Fault::Remove),
                Line::Fault(At::Nth(3), Fault::Reset),
                Line::Fault(At::Nth(4), Fault::Delay(later(2))),
                Line::Fault(At::Nth(7), Fault::Status(0x6f00)),
                Line::Fault(At::Nth(2), Fault::Garbage(NOISE.to_vec())),
                Line::Fault(At::Nth(6), Fault::Wrong),
                Line::Fault(At::Nth(1), Fault::Mute),
                Line::Fault(At::Ins(0xa2), Fault::Status(0x6982)),
                Line::Touch(Touch::After(later(3))),
                Line::Serial(12_345_678),
            ]
        );
        let more: Script = "at 0 garbage 0102ff # noise\n\n  mute\nat 1 busy 300ms\n".parse().unwrap();
        assert_eq!(
            more.0,
            [
                Line::Fault(At::Nth(0), Fault::Garbage(vec![1, 2, 0xff])),
                Line::Fault(At::Nth(0), Fault::Mute),
                Line::Fault(At::Nth(1), Fault::Delay(Duration::from_millis(300))),
            ]
        );
    }
}
