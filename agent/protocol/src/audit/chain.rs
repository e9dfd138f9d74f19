//! The check of a whole log: which line was changed, removed, swapped or doubled.
//!
//! A line that was changed does not match its own hash; one that was changed and hashed anew does not
//! match what the entry after it was written on. Sequence numbers tell what is missing, what stands
//! elsewhere and what stands twice. What a chain alone cannot show is a tail that was cut off or made
//! anew: that shows only against a head that was kept elsewhere ([`Report::contains_head`]).

use super::{GENESIS, Link};
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is no entry at all.
    NotALine,
    /// It does not match its own hash.
    Changed,
    /// It matches its own hash, but the entry after it was written on another one.
    Rewritten,
    /// The last entry was not written on the one before it: one of the two was rewritten.
    Unchained,
    /// Entries are missing before this line.
    Missing {
        /// The last of them; the first is the finding's `seq`.
        last: u64,
    },
    /// It stands in the place of another entry.
    Swapped,
    /// Its entry stands elsewhere too.
    Doubled,
}

/// Something that is wrong, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// Line of the log, from 1.
    pub line: u64,
    /// Sequence number of the entry, where it can be told.
    pub seq: Option<u64>,
    /// What is wrong.
    pub kind: Kind,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let entry = self.seq.map_or_else(|| "the entry".to_owned(), |seq| format!("entry {seq}"));
        match self.kind {
            Kind::NotALine => write!(f, "{entry} was changed: the line is no entry"),
            Kind::Changed => write!(f, "{entry} was changed: it does not match its own hash"),
            Kind::Rewritten => write!(f, "{entry} was changed: the entry after it was written on another"),
            Kind::Unchained => {
                write!(f, "{entry} does not follow the one before: one of the two was changed")
            }
            Kind::Missing { last } if self.seq == Some(last) => {
                write!(f, "{entry} is missing before this line")
            }
            Kind::Missing { last } => {
                write!(f, "entries {} to {last} are missing before this line", self.seq.unwrap_or(1))
            }
            Kind::Swapped => write!(f, "{entry} was swapped: it stands in the place of another"),
            Kind::Doubled => write!(f, "{entry} was doubled: it stands elsewhere too"),
        }
    }
}

/// How a head that was kept elsewhere compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadCheck {
    /// The log has that entry.
    Holds,
    /// The log has another entry of that number.
    Differs,
    /// The log has no entry of that number: its tail was cut off, or the entry removed.
    Missing,
}

/// What the check of a log has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Lines that were read.
    pub lines: u64,
    /// Number and hash of the last intact entry.
    pub head: Option<(u64, String)>,
    /// What is wrong, in the order of the lines. Empty: the chain holds.
    pub findings: Vec<Finding>,
    entries: BTreeMap<u64, String>,
}

impl Report {
    /// Compares with a head that was kept elsewhere. 0 with [`GENESIS`] is the head of an empty log.
    #[must_use]
    pub fn contains_head(&self, seq: u64, hash: &str) -> HeadCheck {
        match self.entries.get(&seq) {
            Some(known) if known == hash => HeadCheck::Holds,
            None if seq == 0 && hash == GENESIS => HeadCheck::Holds,
            Some(_) => HeadCheck::Differs,
            None => HeadCheck::Missing,
        }
    }
}

/// An intact entry and the line it stands on.
struct Seat {
    line: u64,
    link: Link,
}

/// A line that is no intact entry.
struct Broken {
    line: u64,
    claims: Option<u64>,
    kind: Kind,
}

/// Checks a log, given line by line without the LFs.
pub fn verify<I>(lines: I, hash: impl Fn(&[u8]) -> String) -> Report
where
    I: IntoIterator,
    I::Item: AsRef<[u8]>,
{
    let (mut seats, mut broken) = (Vec::new(), Vec::new());
    let mut count = 0;
    for (line, bytes) in (1..).zip(lines) {
        count = line;
        match Link::read(bytes.as_ref(), &hash) {
            Some(link) if link.intact => seats.push(Seat { line, link }),
            Some(link) => broken.push(Broken { line, claims: Some(link.seq), kind: Kind::Changed }),
            None => broken.push(Broken { line, claims: None, kind: Kind::NotALine }),
        }
    }
    let mut findings = Vec::new();
    let mut seats = without_doubles(seats, &mut findings);
    out_of_place(&seats, &mut findings);
    seats.sort_by_key(|seat| seat.link.seq);
    gaps(&seats, &mut broken, &mut findings);
    links(&seats, &mut findings);
    findings.extend(broken.iter().map(|it| Finding { line: it.line, seq: it.claims, kind: it.kind }));
    findings.sort_by_key(|finding| finding.line);
    let head = seats.last().map(|seat| (seat.link.seq, seat.link.hash.clone()));
    let entries = seats.into_iter().map(|seat| (seat.link.seq, seat.link.hash)).collect();
    Report { lines: count, head, findings, entries }
}

/// Of several lines with one number the one stays that its neighbours vouch for.
fn without_doubles(seats: Vec<Seat>, findings: &mut Vec<Finding>) -> Vec<Seat> {
    let mut best: BTreeMap<u64, (usize, u8)> = BTreeMap::new();
    for (at, seat) in seats.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| seats.get(before));
        let follows = before.map_or(seat.link.prev == GENESIS, |before| before.link.hash == seat.link.prev);
        let is_followed = seats.get(at + 1).is_some_and(|after| after.link.prev == seat.link.hash);
        let score = u8::from(follows) + u8::from(is_followed);
        let known = best.entry(seat.link.seq).or_insert((at, score));
        if score > known.1 {
            *known = (at, score);
        }
    }
    let mut kept: Vec<Seat> = Vec::with_capacity(best.len());
    for (at, seat) in seats.into_iter().enumerate() {
        if best.get(&seat.link.seq).is_some_and(|(chosen, _)| *chosen == at) {
            kept.push(seat);
        } else {
            findings.push(Finding { line: seat.line, seq: Some(seat.link.seq), kind: Kind::Doubled });
        }
    }
    kept
}

/// In the order of the lines, the numbers must rise: a line is out of place where another one would
/// stand if they were sorted.
fn out_of_place(seats: &[Seat], findings: &mut Vec<Finding>) {
    let mut sorted: Vec<u64> = seats.iter().map(|seat| seat.link.seq).collect();
    sorted.sort_unstable();
    let misplaced = seats.iter().zip(sorted).filter(|(seat, seq)| seat.link.seq != *seq);
    findings.extend(misplaced.map(|(seat, _)| Finding {
        line: seat.line,
        seq: Some(seat.link.seq),
        kind: Kind::Swapped,
    }));
}

/// Numbers that no intact line has. A broken line between the same neighbours is one of them; the
/// rest is missing.
fn gaps(seats: &[Seat], broken: &mut [Broken], findings: &mut Vec<Finding>) {
    let mut before = (0, 0);
    for seat in seats {
        let (last_line, last_seq) = before;
        before = (seat.line, seat.link.seq);
        let (first, end) = (last_seq.saturating_add(1), seat.link.seq);
        if first >= end {
            continue;
        }
        let lines = last_line.min(seat.line)..last_line.max(seat.line);
        let mut here: Vec<&mut Broken> = broken.iter_mut().filter(|it| lines.contains(&it.line)).collect();
        let mut taken: BTreeSet<u64> =
            here.iter().filter_map(|it| it.claims).filter(|seq| (first..end).contains(seq)).collect();
        for it in &mut here {
            if !it.claims.is_some_and(|seq| (first..end).contains(&seq)) {
                it.claims = (first..end).find(|seq| !taken.contains(seq));
                taken.extend(it.claims);
            }
        }
        let mut from = first;
        for seq in taken.into_iter().chain([end]) {
            if from < seq {
                findings.push(Finding {
                    line: seat.line,
                    seq: Some(from),
                    kind: Kind::Missing { last: seq - 1 },
                });
            }
            from = seq.saturating_add(1);
        }
    }
}

/// Each entry names the hash of the one before. Where that fails twice in a row, the entry between
/// was rewritten; where it fails once, the earlier one was, since the later one is vouched for by what
/// follows it. At the very end nothing does.
fn links(seats: &[Seat], findings: &mut Vec<Finding>) {
    let fails = |at: usize| {
        let Some(seat) = seats.get(at) else { return false };
        let before = at.checked_sub(1).and_then(|before| seats.get(before));
        match before {
            None => seat.link.seq == 1 && seat.link.prev != GENESIS,
            Some(before) => {
                before.link.seq.checked_add(1) == Some(seat.link.seq) && before.link.hash != seat.link.prev
            }
        }
    };
    for at in (0..seats.len()).filter(|at| fails(*at)) {
        let blamed_before = at.checked_sub(1).is_some_and(fails);
        let blame = match (fails(at + 1), blamed_before) {
            (true, _) => Some((at, Kind::Rewritten)),
            (false, true) => None,
            (false, false) if at + 1 == seats.len() && at > 0 => Some((at, Kind::Unchained)),
            (false, false) => Some((at.saturating_sub(1), Kind::Rewritten)),
        };
        if let Some((seat, kind)) = blame.and_then(|(at, kind)| Some((seats.get(at)?, kind))) {
            findings.push(Finding { line: seat.line, seq: Some(seat.link.seq), kind });
        }
    }
}

#[cfg(test)]
mod tests;
