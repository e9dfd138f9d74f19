//! The hash chain of the log: finds every line that is changed, missing, swapped or doubled, and says
//! which. Pure.
//!
//! Each line ends in `,"hash":"…"}`, the SHA-256 of its bytes before that; `prev` is the hash of the
//! entry before, `seq` counts from 1. So a line that was changed does not match its own hash; one that
//! was changed and hashed anew does not match the `prev` of the next. What a chain alone cannot show
//! is a tail that was cut off, or a last line made anew: for that a [`Pin`] kept elsewhere is compared.

use serde::{Deserialize, Serialize};
use signet_envelope::{hex, sha256};
use signet_protocol::audit::GENESIS;
use std::collections::BTreeMap;
use std::str::FromStr;

/// What stands before the hash in a line, and what after.
const BEFORE_HASH: &[u8] = b",\"hash\":\"";
const AFTER_HASH: &[u8] = b"\"}";
const HASH: usize = 64;

/// A head that was kept elsewhere: `SEQ:HASH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pin {
    seq: u64,
    hash: String,
}

impl FromStr for Pin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a head is written SEQ:HASH, as `signet audit head` prints it";
        let (seq, hash) = text.trim().split_once(':').ok_or(wrong)?;
        let seq = seq.parse().map_err(|_| wrong)?;
        let digits = hash.len() == HASH && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        if digits { Ok(Self { seq, hash: hash.to_ascii_lowercase() }) } else { Err(wrong) }
    }
}

/// Something that is wrong with the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Fault {
    /// Where: file and line, or line of the agent's answer.
    pub(super) place: String,
    /// Sequence number of the entry, where it can be told.
    pub(super) seq: Option<u64>,
    /// What.
    pub(super) what: String,
}

/// What a line says of its place in the chain.
#[derive(Deserialize)]
struct Link {
    seq: u64,
    prev: String,
}

/// One line.
struct Line {
    place: String,
    seq: Option<u64>,
    prev: Option<String>,
    /// The hash that it names.
    named: Option<String>,
    /// What is wrong with it by itself.
    broken: Option<&'static str>,
}

/// The lines of a log, in the order in which they stand.
#[derive(Default)]
pub(super) struct Chain {
    lines: Vec<Line>,
}

impl Chain {
    /// Takes the next line, with its LF.
    pub(super) fn add(&mut self, place: String, line: &[u8]) {
        let whole = line.strip_suffix(b"\n");
        let bytes = whole.unwrap_or(line);
        let parts = split(bytes);
        let link = serde_json::from_slice::<Link>(bytes).ok();
        let broken = match (&parts, &link) {
            (Some((signed, named)), Some(_)) if hex(&sha256(signed)) == *named => None,
            (Some(_), Some(_)) => Some("changed: it does not match its own hash"),
            (None, _) if whole.is_none() => Some("torn: it has no end"),
            (None, _) | (_, None) => Some("changed: it is not an entry"),
        };
        let (seq, prev) = link.map_or((None, None), |link| (Some(link.seq), Some(link.prev)));
        self.lines.push(Line { place, seq, prev, named: parts.map(|(_, named)| named), broken });
    }

    /// How many lines there are.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Sequence number and hash of the last entry that is intact.
    pub(super) fn head(&self) -> Option<(u64, String)> {
        let intact = self.lines.iter().filter(|line| line.broken.is_none());
        let last = intact.max_by_key(|line| line.seq)?;
        last.seq.zip(last.named.clone())
    }

    /// Everything that is wrong, in the order of the log.
    pub(super) fn faults(&self, pin: Option<&Pin>) -> Vec<Fault> {
        let mut faults: Vec<(usize, Fault)> = Vec::new();
        let mut say = |at: usize, line: &Line, what: String| {
            faults.push((at, Fault { place: line.place.clone(), seq: line.seq, what }));
        };
        let seats = self.seats();
        let mut highest: Option<(usize, u64)> = None;
        for (at, line) in self.lines.iter().enumerate() {
            if let Some(broken) = line.broken {
                say(at, line, broken.to_owned());
            }
            let Some(seq) = line.seq.filter(|_| line.broken.is_none()) else { continue };
            let first = seats.get(&seq).copied().unwrap_or(at);
            if first != at {
                let other = self.lines.get(first).map(|line| line.place.as_str()).unwrap_or_default();
                say(at, line, format!("doubled: entry {seq} stands at {other} too"));
            } else if let Some((_, above)) = highest.filter(|(_, above)| *above > seq) {
                say(at, line, format!("swapped: entry {seq} stands after entry {above}"));
            }
            if highest.is_none_or(|(_, above)| seq > above) {
                highest = Some((at, seq));
            }
        }
        self.links(&seats, &mut say);
        self.against(&seats, pin, &mut say);
        faults.sort_by_key(|(at, _)| *at);
        faults.into_iter().map(|(_, fault)| fault).collect()
    }

    /// Where each sequence number stands. A line that is broken stands where its number says if no
    /// intact line has it, else where the line before it leads.
    fn seats(&self) -> BTreeMap<u64, usize> {
        let mut seats = BTreeMap::new();
        for (at, line) in self.lines.iter().enumerate() {
            if let Some(seq) = line.seq.filter(|_| line.broken.is_none()) {
                seats.entry(seq).or_insert(at);
            }
        }
        for (at, line) in self.lines.iter().enumerate().filter(|(_, line)| line.broken.is_some()) {
            let before = at.checked_sub(1).and_then(|before| self.lines.get(before));
            let follows = before.map_or(Some(1), |before| before.seq.and_then(|seq| seq.checked_add(1)));
            let named = line.seq.filter(|seq| !seats.contains_key(seq));
            if let Some(seq) = follows.filter(|seq| !seats.contains_key(seq)).or(named) {
                seats.insert(seq, at);
            }
        }
        seats
    }

    /// Missing entries, and links that do not hold.
    fn links(&self, seats: &BTreeMap<u64, usize>, say: &mut impl FnMut(usize, &Line, String)) {
        let mut before: Option<(u64, &Line)> = None;
        for (&seq, &at) in seats {
            let Some(line) = self.lines.get(at) else { continue };
            let expected = before.map_or(1, |(seq, _)| seq.saturating_add(1));
            if seq > expected {
                let range = if seq - 1 == expected {
                    format!("entry {expected} is")
                } else {
                    format!("entries {expected} to {} are", seq - 1)
                };
                say(at, line, format!("missing: {range} not there before entry {seq}"));
            } else if let (None, Some(prev)) = (line.broken, &line.prev) {
                let known = before.map_or(Some(GENESIS), |(_, before)| before.named.as_deref());
                let lead = before.is_none_or(|(_, before)| before.broken.is_none());
                if known != Some(prev.as_str()) && lead {
                    let what = match before {
                        Some((seq, _)) => format!(
                            "changed: entry {seq} is not the one that entry {} was made after",
                            seq.saturating_add(1)
                        ),
                        None => "changed: the first entry does not begin a log".to_owned(),
                    };
                    let culprit = before.map_or(line, |(_, before)| before);
                    say(at, culprit, what);
                }
            }
            before = Some((seq, line));
        }
    }

    /// The head kept elsewhere.
    fn against(
        &self,
        seats: &BTreeMap<u64, usize>,
        pin: Option<&Pin>,
        say: &mut impl FnMut(usize, &Line, String),
    ) {
        let Some(pin) = pin.filter(|pin| pin.seq > 0) else { return };
        let end =
            Line { place: "end of the log".to_owned(), seq: None, prev: None, named: None, broken: None };
        match seats.get(&pin.seq).and_then(|at| Some((*at, self.lines.get(*at)?))) {
            None => {
                let what =
                    format!("missing: the head kept elsewhere is entry {}: the tail was cut off", pin.seq);
                say(self.lines.len(), &end, what);
            }
            Some((at, line)) if line.named.as_ref() != Some(&pin.hash) => {
                let what = format!("changed: entry {} has not the hash of the head kept elsewhere", pin.seq);
                say(at, line, what);
            }
            Some(_) => {}
        }
    }
}

/// The bytes that are hashed, and the hash that the line names.
fn split(line: &[u8]) -> Option<(&[u8], String)> {
    let rest = line.strip_suffix(AFTER_HASH)?;
    let (rest, hash) = rest.split_at_checked(rest.len().checked_sub(HASH)?)?;
    let digits = hash.iter().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte));
    let hash = digits.then(|| String::from_utf8_lossy(hash).into_owned())?;
    Some((rest.strip_suffix(BEFORE_HASH)?, hash))
}

#[cfg(test)]
mod tests;
