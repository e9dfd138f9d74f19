//! One whole use of a key on a YubiKey that is virtual and touched at once, by a caller that types no
//! longer than a program does; beside its floors: an empty child process, and what the disk asks for
//! keeping the same things. The figures that count are the ratios of one run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod caller;
mod programs;

use caller::Caller;
use criterion::{Criterion, criterion_group, criterion_main};
use signet_tests::card::{Card, Profile};
use signet_tests::harness::{Setup, Signet};
use signet_tests::pcsc::Pcscd;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const KEY: &str = "root";
const PIN: &str = "246810";
/// AWS's published example credentials.
const SECRET: &[u8] = b"AKIAIOSFODNN7EXAMPLE\nwJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";

fn signet(pcscd: &Pcscd) -> Signet {
    let signet = Signet::start(&Setup { kinds: &["yubikey-piv"], pcscd: Some(pcscd), ..Setup::default() });
    for (kind, answer) in [("new-pin", PIN), ("new-puk", "87654321"), ("pin", PIN), ("confirm", "yes")] {
        signet.answer(kind, &[answer]);
    }
    let _ = signet.run(&["init", "--yes"]).ok();
    let add = ["add", KEY, "--kind", "root", "--stdin", "--no-verify", "--no-factor"];
    let _ = signet.run_with(&add, SECRET).ok();
    signet
}

/// What a use writes: a line of the log before, the time of the last use, a line of the log after; each
/// on disk before the next.
fn keep(directory: &Path, log: &mut File) {
    let line = [b'x'; 640];
    log.write_all(&line).unwrap();
    log.sync_data().unwrap();
    let new = directory.join("new");
    let mut state = File::create(&new).unwrap();
    state.write_all(&line).unwrap();
    state.sync_all().unwrap();
    fs::rename(&new, directory.join("state")).unwrap();
    File::open(directory).unwrap().sync_all().unwrap();
    log.write_all(&line).unwrap();
    log.sync_data().unwrap();
}

fn benches(c: &mut Criterion) {
    programs::built();
    programs::on_one_processor();
    let pcscd = Pcscd::start();
    let _card = Card::insert(&pcscd, Profile::v5_7_1());
    let signet = signet(&pcscd);
    let caller = Caller::new(&signet.socket(), KEY, PIN);
    let directory = signet.state_dir();
    let mut log = File::create(directory.join("bench")).unwrap();

    let mut group = c.benchmark_group("whole use");
    group.sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4));
    group.bench_function("empty child process", |b| {
        b.iter(|| programs::run(&mut Command::new(programs::empty())));
    });
    group.bench_function("what the disk asks", |b| b.iter(|| keep(&directory, &mut log)));
    group.bench_function("the agent's share", |b| b.iter(|| caller.is_explained()));
    group.bench_function("one whole use", |b| b.iter(|| caller.signs()));
    group.finish();
}

criterion_group!(whole_use, benches);
criterion_main!(whole_use);
