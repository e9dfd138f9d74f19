#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
//! Every kind of damage, at every place of a log.

use super::*;

const LENGTH: usize = 6;

/// A line for `body`, linked to `prev`; gives the line with its LF, and its hash.
fn line(seq: u64, body: &str, prev: &str) -> (Vec<u8>, String) {
    let signed = format!(r#"{{"seq":{seq},"action":"{body}","prev":"{prev}""#);
    let hash = hex(&sha256(signed.as_bytes()));
    (format!("{signed},\"hash\":\"{hash}\"}}\n").into_bytes(), hash)
}

fn log() -> Vec<Vec<u8>> {
    let mut prev = GENESIS.to_owned();
    (1..=LENGTH as u64)
        .map(|seq| {
            let (bytes, hash) = line(seq, "sts:GetCallerIdentity", &prev);
            prev = hash;
            bytes
        })
        .collect()
}

fn chain(lines: &[Vec<u8>]) -> Chain {
    let mut chain = Chain::default();
    for (at, line) in lines.iter().enumerate() {
        chain.add(format!("line {}", at + 1), line);
    }
    chain
}

/// Places and first words of what is found.
fn found(lines: &[Vec<u8>]) -> Vec<(String, String)> {
    let word = |fault: &Fault| fault.what.split(':').next().unwrap().to_owned();
    chain(lines).faults(None).iter().map(|fault| (fault.place.clone(), word(fault))).collect()
}

fn one(place: usize, word: &str) -> Vec<(String, String)> {
    vec![(format!("line {place}"), word.to_owned())]
}

#[test]
fn a_whole_log_has_no_fault() {
    let lines = log();
    let chain = chain(&lines);
    assert_eq!(chain.faults(None), vec![]);
    let (seq, hash) = chain.head().unwrap();
    assert_eq!(chain.faults(Some(&Pin { seq, hash })), vec![]);
    assert_eq!(super::Chain::default().faults(None), vec![]);
}

#[test]
fn every_changed_byte_is_found_at_its_line() {
    let lines = log();
    for at in 0..LENGTH {
        for byte in 0..lines[at].len() {
            let mut bad = lines.clone();
            bad[at][byte] ^= 1;
            let found = found(&bad);
            let named = found.iter().any(|(place, _)| *place == format!("line {}", at + 1));
            // the LF of a line that is not the last joins nothing here: the line is torn or not one
            assert!(named, "line {}, byte {byte}: {found:?}", at + 1);
        }
    }
}

#[test]
fn a_changed_action_is_one_fault() {
    for at in 0..LENGTH {
        let mut bad = log();
        let text = String::from_utf8(bad[at].clone()).unwrap();
        bad[at] = text.replace("sts:Get", "iam:Get").into_bytes();
        assert_eq!(found(&bad), one(at + 1, "changed"));
    }
}

#[test]
fn a_line_made_anew_with_its_hash_is_found_by_the_next() {
    for at in 0..LENGTH - 1 {
        let mut bad = log();
        let prev = split(bad[at].strip_suffix(b"\n").unwrap()).unwrap();
        let prev: Link = serde_json::from_slice(&[prev.0, b"}"].concat()).unwrap();
        bad[at] = line(at as u64 + 1, "iam:CreateUser", &prev.prev).0;
        assert_eq!(found(&bad), one(at + 1, "changed"), "line {}", at + 1);
    }
}

#[test]
fn a_missing_line_is_found() {
    for at in 0..LENGTH - 1 {
        let mut bad = log();
        bad.remove(at);
        assert_eq!(found(&bad), one(at + 1, "missing"));
        assert!(chain(&bad).faults(None)[0].what.contains(&format!("entry {} is", at + 1)));
    }
}

#[test]
fn several_missing_lines_are_named() {
    let mut bad = log();
    bad.drain(1..4);
    let faults = chain(&bad).faults(None);
    assert_eq!(faults.len(), 1);
    assert!(faults[0].what.contains("entries 2 to 4"), "{faults:?}");
}

#[test]
fn swapped_lines_are_found() {
    for at in 0..LENGTH - 1 {
        let mut bad = log();
        bad.swap(at, at + 1);
        assert_eq!(found(&bad), one(at + 2, "swapped"));
    }
    let mut far = log();
    far.swap(0, LENGTH - 1);
    assert_eq!(found(&far).len(), LENGTH - 1);
}

#[test]
fn a_doubled_line_is_found() {
    for at in 0..LENGTH {
        for to in 0..=LENGTH {
            let mut bad = log();
            let copy = bad[at].clone();
            bad.insert(to, copy);
            let found = found(&bad);
            assert!(found.iter().any(|(_, word)| word == "doubled"), "{at} to {to}: {found:?}");
        }
    }
}

#[test]
fn a_torn_last_line_is_found() {
    let whole = log();
    for length in 1..whole[LENGTH - 1].len() - 1 {
        let mut bad = whole.clone();
        bad[LENGTH - 1].truncate(length);
        assert_eq!(found(&bad), one(LENGTH, "torn"), "{length} bytes");
    }
}

#[test]
fn a_cut_tail_is_found_only_with_a_head() {
    let whole = log();
    let (seq, hash) = chain(&whole).head().unwrap();
    let pin = Pin { seq, hash };
    let cut = chain(&whole[..LENGTH - 2]);
    assert_eq!(cut.faults(None), vec![]);
    let faults = cut.faults(Some(&pin));
    assert_eq!(faults.len(), 1);
    assert!(faults[0].what.contains("cut off"));
}

#[test]
fn a_last_line_made_anew_is_found_only_with_a_head() {
    let whole = log();
    let (seq, hash) = chain(&whole).head().unwrap();
    let (_, before) = chain(&whole[..LENGTH - 1]).head().unwrap();
    let mut bad = whole;
    bad[LENGTH - 1] = line(LENGTH as u64, "iam:CreateUser", &before).0;
    let bad = chain(&bad);
    assert_eq!(bad.faults(None), vec![]);
    assert_eq!(bad.faults(Some(&Pin { seq, hash })).len(), 1);
}

#[test]
fn a_head_is_read_strictly() {
    let hash = "a".repeat(64);
    assert_eq!(format!("7:{hash}").parse::<Pin>(), Ok(Pin { seq: 7, hash: hash.clone() }));
    for text in ["", "7", "7:", ":", &hash, &format!("x:{hash}"), "7:abc", &format!("7:{}g", &hash[1..])] {
        assert!(text.parse::<Pin>().is_err(), "{text}");
    }
}
