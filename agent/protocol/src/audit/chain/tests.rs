//! Every way of tampering with a log, at every place: it is found, and the right line is named.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::audit::{Entry, Facts, Phase};
use proptest::prelude::*;

/// Not SHA-256, but of its shape: FNV-1a with four offsets. The check takes any hash.
fn hash(bytes: &[u8]) -> String {
    let one = |offset: u64| {
        bytes.iter().fold(0xcbf2_9ce4_8422_2325 ^ offset, |state, byte| {
            (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
    };
    (1..=4).map(|offset| format!("{:016x}", one(offset))).collect()
}

fn entry(seq: u64, prev: &str) -> Entry {
    Entry {
        seq,
        id: format!("use-{seq}"),
        time: "2026-11-22T17:03:41Z".to_owned(),
        phase: Phase::Vend,
        facts: Facts {
            key: Some("prod".to_owned()),
            uid: Some(1000),
            reason: Some("a \"reason\",\"hash\":\"".to_owned()),
            ..Facts::default()
        },
        prev: prev.to_owned(),
    }
}

fn log(length: u64) -> Vec<Vec<u8>> {
    let mut prev = GENESIS.to_owned();
    let mut lines = Vec::new();
    for seq in 1..=length {
        let line = entry(seq, &prev).line(hash).unwrap();
        lines.push(line.text.into_bytes());
        prev = line.hash;
    }
    lines
}

fn found(lines: &[Vec<u8>]) -> Vec<(u64, Option<u64>, Kind)> {
    verify(lines, hash).findings.iter().map(|it| (it.line, it.seq, it.kind)).collect()
}

/// The line of an entry, changed and hashed anew.
fn forged(line: &[u8]) -> Vec<u8> {
    let mut entry: Entry = serde_json::from_slice(line).unwrap();
    entry.facts.uid = Some(0);
    entry.line(hash).unwrap().text.into_bytes()
}

#[test]
fn a_whole_log_holds_and_so_does_an_empty_one() {
    assert_eq!(found(&log(9)), []);
    let report = verify(log(9), hash);
    let (seq, head) = report.head.clone().unwrap();
    assert_eq!((seq, report.lines), (9, 9));
    assert_eq!(report.contains_head(9, &head), HeadCheck::Holds);
    let empty = verify(Vec::<Vec<u8>>::new(), hash);
    assert_eq!((empty.lines, empty.head.clone(), empty.findings.len()), (0, None, 0));
    assert_eq!(empty.contains_head(0, GENESIS), HeadCheck::Holds);
}

#[test]
fn a_cut_or_remade_tail_shows_only_against_a_head_kept_elsewhere() {
    let whole = verify(log(9), hash);
    let (seq, head) = whole.head.unwrap();
    let cut = verify(log(7), hash);
    assert_eq!(cut.findings, []);
    assert_eq!(cut.contains_head(seq, &head), HeadCheck::Missing);
    let mut remade = log(9);
    remade[8] = forged(&remade[8]);
    let remade = verify(remade, hash);
    assert_eq!(remade.findings, []);
    assert_eq!(remade.contains_head(seq, &head), HeadCheck::Differs);
}

#[test]
fn a_log_whose_beginning_is_gone_says_so() {
    assert_eq!(found(&log(9)[3..]), [(1, Some(1), Kind::Missing { last: 3 })]);
    let mut other = log(9);
    other[0] = {
        let line = entry(1, &"1".repeat(64)).line(hash).unwrap();
        line.text.into_bytes()
    };
    assert_eq!(found(&other), [(1, Some(1), Kind::Rewritten)]);
}

#[test]
fn the_last_two_cannot_be_told_apart_and_that_is_said() {
    let mut lines = log(5);
    lines[3] = forged(&lines[3]);
    assert_eq!(found(&lines), [(5, Some(5), Kind::Unchained)]);
}

#[test]
fn several_faults_are_each_named() {
    let mut lines = log(20);
    lines[16] = b"{}".to_vec();
    lines.swap(9, 12);
    lines.remove(5);
    let copy = lines[2].clone();
    lines.push(copy);
    let expected = [
        (6, Some(6), Kind::Missing { last: 6 }),
        (9, Some(13), Kind::Swapped),
        (12, Some(10), Kind::Swapped),
        (16, Some(17), Kind::NotALine),
        (20, Some(3), Kind::Doubled),
    ];
    assert_eq!(found(&lines), expected);
}

#[test]
fn a_forged_number_costs_no_time() {
    let mut lines = log(3);
    lines.push(entry(u64::MAX, GENESIS).line(hash).unwrap().text.into_bytes());
    assert_eq!(found(&lines), [(4, Some(4), Kind::Missing { last: u64::MAX - 1 })]);
}

#[test]
fn findings_are_told_in_words() {
    let say = |kind, seq| Finding { line: 1, seq, kind }.to_string();
    assert_eq!(say(Kind::Missing { last: 4 }, Some(2)), "entries 2 to 4 are missing before this line");
    assert_eq!(say(Kind::Missing { last: 4 }, Some(4)), "entry 4 is missing before this line");
    assert_eq!(say(Kind::NotALine, None), "the entry was changed: the line is no entry");
}

fn a_log() -> impl Strategy<Value = Vec<Vec<u8>>> {
    (3..60_u64).prop_map(log)
}

fn line_of(at: usize) -> u64 {
    u64::try_from(at).unwrap() + 1
}

proptest! {
    #[test]
    fn a_changed_line_is_named(mut lines in a_log(), at in any::<prop::sample::Index>(),
                               place in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let at = at.index(lines.len());
        let byte = place.index(lines[at].len());
        lines[at][byte] ^= 1 << bit;
        let named = found(&lines);
        prop_assert_eq!(named.len(), 1);
        prop_assert_eq!(named[0].0, line_of(at));
        prop_assert!(matches!(named[0].2, Kind::Changed | Kind::NotALine));
    }

    #[test]
    fn a_line_changed_and_hashed_anew_is_named(mut lines in a_log(), at in any::<prop::sample::Index>()) {
        let at = at.index(lines.len() - 2);
        lines[at] = forged(&lines[at]);
        prop_assert_eq!(found(&lines), [(line_of(at), Some(line_of(at)), Kind::Rewritten)]);
    }

    #[test]
    fn a_removed_line_is_named(mut lines in a_log(), at in any::<prop::sample::Index>()) {
        let at = at.index(lines.len() - 1);
        lines.remove(at);
        let seq = line_of(at);
        prop_assert_eq!(found(&lines), [(seq, Some(seq), Kind::Missing { last: seq })]);
    }

    #[test]
    fn two_swapped_lines_are_named(mut lines in a_log(), one in any::<prop::sample::Index>(),
                                   other in any::<prop::sample::Index>()) {
        let (one, other) = (one.index(lines.len()), other.index(lines.len()));
        prop_assume!(one != other);
        lines.swap(one, other);
        let (low, high) = (line_of(one.min(other)), line_of(one.max(other)));
        let expected = [(low, Some(high), Kind::Swapped), (high, Some(low), Kind::Swapped)];
        prop_assert_eq!(found(&lines), expected);
    }

    #[test]
    fn a_doubled_line_is_named(mut lines in a_log(), from in any::<prop::sample::Index>(),
                               to in any::<prop::sample::Index>()) {
        let (from, to) = (from.index(lines.len()), to.index(lines.len() + 1));
        let copy = lines[from].clone();
        lines.insert(to, copy);
        let named = found(&lines);
        prop_assert_eq!(named.len(), 1);
        prop_assert_eq!((named[0].1, named[0].2), (Some(line_of(from)), Kind::Doubled));
        // Beside itself the copy cannot be told from the original.
        let beside = to == from || to == from + 1;
        prop_assert!(beside || named[0].0 == line_of(to));
    }

    #[test]
    fn no_bytes_break_the_check(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..8)) {
        let report = verify(&lines, hash);
        prop_assert_eq!(report.findings.len(), lines.len());
    }
}
